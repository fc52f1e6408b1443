"""Impossible laboratory values, files that unpack without end, and paths that lead out of the study."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from immunescape.errors import InputError
from immunescape.profile.loading import load_study
from immunescape.profile.readers import get_reader
from immunescape.profile.readers._units import lab_units

Profiled = Callable[..., Any]


def labs(analyte: str, value: str, unit: str) -> dict[str, tuple[str, dict[str, str]]]:
    return {"l.csv": (f"patient,day,analyte,value,unit\nP1,0,{analyte},{value},{unit}\n", {"format": "labs"})}


@pytest.mark.parametrize(
    ("analyte", "value", "unit", "likely"),
    [
        ("neutrophils", "4200", "10^9/L", "cells/uL"),
        ("ANC", "4.2", "/uL", "10^9/L"),
        ("lymphocytes", "1300", "K/uL", "cells/uL"),
        ("albumin", "3.8", "g/L", "g/dL"),
        ("albumin", "41", "g/dL", "g/L"),
        ("hemoglobin", "13.5", "g/L", "g/dL"),
        ("Hb", "135", "g/dL", "g/L"),
        ("platelets", "250000", "10^9/L", "cells/uL"),
        ("platelets", "250", "cells/uL", "10^9/L"),
        ("LDH", "3.5", "U/L", "ukat/L"),
        ("LDH", "240", "ukat/L", "U/L"),
        ("crp", "150", "mg/dL", "mg/L"),
        ("cd8", "550", "10^9/L", "cells/uL"),
        ("kynurenine", "2.1", "nmol/L", "umol/L"),
        ("mdsc", "14", "fraction", "percent"),
    ],
)
def test_a_value_that_nobody_has_is_refused_with_the_likely_unit(
    analyte: str, value: str, unit: str, likely: str, profiled: Profiled
) -> None:
    with pytest.raises(InputError, match=r"l.csv, line 2: .* is impossible") as caught:
        profiled(labs(analyte, value, unit))
    assert f"possible in {likely}" in str(caught.value)


@pytest.mark.parametrize(
    ("analyte", "value", "unit"),
    [
        ("neutrophils", "0", "10^9/L"),
        ("neutrophils", "0.02", "10^9/L"),
        ("neutrophils", "90", "cells/uL"),
        ("lymphocytes", "120", "10^9/L"),
        ("albumin", "18", "g/L"),
        ("LDH", "9000", "U/L"),
        ("platelets", "4", "10^9/L"),
        ("eosinophils", "0", "cells/uL"),
        ("crp", "0.3", "mg/L"),
    ],
)
def test_an_extreme_value_that_patients_have_is_read(analyte: str, value: str, unit: str, profiled: Profiled) -> None:
    assert len(profiled(labs(analyte, value, unit)).study.labs) == 1


def test_values_of_fhir_are_judged_alike(profiled: Profiled) -> None:
    bundle = """{"resourceType": "Bundle", "entry": [
      {"resource": {"resourceType": "Patient", "id": "p1"}},
      {"resource": {"resourceType": "Observation", "subject": {"reference": "Patient/p1"},
       "code": {"coding": [{"system": "http://loinc.org", "code": "751-8"}]},
       "valueQuantity": {"value": 4200, "unit": "10*9/L"}}}]}"""
    with pytest.raises(InputError, match=r"4200 10\^9/L is impossible[^$]*possible in cells/uL"):
        profiled({"b.json": (bundle, {"format": "fhir"})})


def test_usual_values_of_a_unit_are_possible_in_it() -> None:
    for units in lab_units()[0].values():
        for unit in units.values():
            assert unit.possible_low < unit.possible_high
            assert unit.possible_low <= max(unit.low, unit.possible_low) <= unit.high


HEAD = b"patient,age\nP1,60\n"


def test_a_small_file_that_unpacks_without_end_is_refused(profiled: Profiled) -> None:
    bomb = gzip.compress(HEAD + b"P1," + b"0" * 60_000_000 + b"\n")
    assert len(bomb) < 100_000
    with pytest.raises(InputError, match="no table is this compressible"):
        profiled({"p.csv.gz": (bomb, {"format": "patients"})})


def test_the_unpacked_size_is_bounded_and_the_bound_can_be_raised(
    profiled: Profiled, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = HEAD + "".join(f"P{i},{20 + i % 60}\n" for i in range(2, 2000)).encode()
    files = {"p.csv.gz": (gzip.compress(text[:9000]) + gzip.compress(text[9000:]), {"format": "patients"})}
    monkeypatch.setenv("IMMUNESCAPE_LARGEST_FILE", "10000")
    with pytest.raises(InputError, match="IMMUNESCAPE_LARGEST_FILE"):
        profiled(files)
    monkeypatch.setenv("IMMUNESCAPE_LARGEST_FILE", "1e6")
    assert len(profiled(files).study.patients) == 1999
    monkeypatch.setenv("IMMUNESCAPE_LARGEST_FILE", "much")
    with pytest.raises(InputError, match="not a number of bytes"):
        profiled(files)


@pytest.mark.parametrize(("start", "what"), [(b"PK\x03\x04", "Excel"), (b"BZh91AY", "bzip2"), (b"\xfd7zXZ\x00", "xz")])
def test_other_archives_are_named(start: bytes, what: str, profiled: Profiled) -> None:
    with pytest.raises(InputError, match=what):
        profiled({"p.csv": (start + bytes(range(200)), {"format": "patients"})})


def test_a_file_of_declared_size_beyond_memory_is_refused(profiled: Profiled) -> None:
    rows = ",".join(f'{{"id":"{i}"}}' for i in range(60_000))
    biom = f'{{"rows":[{rows}],"columns":[{rows}],"matrix_type":"sparse","data":[[0,0,3]]}}'
    with pytest.raises(InputError, match="too large for the memory"):
        profiled({"b.biom": (biom, {"format": "biom"})})


def study_in(folder: Path, name: str, **more: str) -> Path:
    folder.mkdir()
    extra = "".join(f"{k}: {v}\n" for k, v in more.items())
    (folder / "manifest.yaml").write_text(f"study: s\n{extra}files:\n  - {{file: '{name}', format: patients}}\n")
    return folder


@pytest.mark.parametrize("way", ["parent", "absolute", "link", "root", "variable"])
def test_a_path_out_of_the_folder_is_refused_unless_allowed(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret.csv").write_bytes(HEAD)
    monkeypatch.setenv("ELSEWHERE", str(tmp_path))
    name = {"absolute": f"{tmp_path}/secret.csv", "link": "link.csv", "root": "secret.csv"}.get(way, "../secret.csv")
    name = "${ELSEWHERE}/secret.csv" if way == "variable" else name
    folder = study_in(tmp_path / "study", name, **({"root": ".."} if way == "root" else {}))
    if way == "link":
        (folder / "link.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(InputError, match="points outside the study's folder") as caught:
        load_study(folder)
    assert not [line for line in HEAD.decode().split() if line in str(caught.value)]
    assert "IMMUNESCAPE_ALLOW_OUTSIDE=1" in str(caught.value)
    assert load_study(folder, allow_outside=True).patient_ids == ["P1"]
    monkeypatch.setenv("IMMUNESCAPE_ALLOW_OUTSIDE", "1")
    assert load_study(folder).patient_ids == ["P1"]


def test_links_and_dots_within_the_folder_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = study_in(tmp_path / "study", "a/../link.csv")
    (folder / "a").mkdir()
    (folder / "p.csv").write_bytes(HEAD)
    (folder / "link.csv").symlink_to(folder / "p.csv")
    (tmp_path / "alias").symlink_to(folder)
    assert load_study(tmp_path / "alias").patient_ids == ["P1"]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "p.csv").write_bytes(HEAD)
    monkeypatch.setenv("IMMUNESCAPE_DATA", str(tmp_path / "data"))
    assert load_study(study_in(tmp_path / "other", "p.csv", root="${IMMUNESCAPE_DATA}")).patient_ids == ["P1"]


def test_a_panel_file_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "genes.txt").write_text("TP53\n")
    folder = study_in(tmp_path / "study", "p.csv", panels="[{name: x, genes: ../genes.txt}]")
    (folder / "p.csv").write_bytes(HEAD)
    with pytest.raises(InputError, match="points outside"):
        load_study(folder)


def test_a_study_folder_whose_file_is_a_link_to_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("PATIENT_ID\tAGE\nP1\t60\n")
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "data_clinical_patient.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(InputError, match="by a symbolic link"):
        load_study(folder)


def test_the_unpacked_size_of_parquet_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    cells = pandas.DataFrame({"patient": "P1", "x": range(0, 90000, 10), "y": 5.0, "cell_type": "cd8"})
    cells.to_parquet(tmp_path / "c.parquet")
    options = {"units": {"x": "um"}}
    assert len(get_reader("space_parquet")(tmp_path / "c.parquet", options).tables["cells_in_space"]) == 9000
    monkeypatch.setenv("IMMUNESCAPE_LARGEST_FILE", "20000")
    with pytest.raises(InputError, match="too large for the memory"):
        get_reader("space_parquet")(tmp_path / "c.parquet", options)
