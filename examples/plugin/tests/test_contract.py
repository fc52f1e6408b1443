"""Everything that the package adds fulfils the contract of immunescape."""

from __future__ import annotations

from pathlib import Path

from immunescape_example.derived_nlr import BIOMARKER
from immunescape_example.domvanalimab import DRUG
from immunescape_example.itaconate import MECHANISM

from immunescape import testing


def test_mechanism() -> None:
    """It has units and sources, does not change the reference patient, and its absence is exact."""
    testing.check_mechanism(MECHANISM)


def test_drug() -> None:
    """It can be dosed, and has a class, a usual dose and data on toxicity."""
    testing.check_drug(DRUG)


def test_biomarker() -> None:
    """It returns a measurement for every patient, which is not assessable if nothing is known about the patient."""
    testing.check_biomarker(BIOMARKER)


def test_reader(tmp_path: Path) -> None:
    """It reads its format, and rejects damaged files with an error that names them."""
    file = tmp_path / "export.csv"
    file.write_text("subject;study day;test;result;units\nP1;-3;neutrophils;5.2;10^9/L\n", encoding="utf-8")
    testing.check_reader("lab_export", file)


def test_design() -> None:
    """The kind of design controls its level: its computed figures agree with its simulation."""
    testing.check_design("example-one-stage", trials=4000)


def test_files_and_names() -> None:
    """No name is already in use, and every file can be read."""
    testing.check_plugin("immunescape-example", models=False)
