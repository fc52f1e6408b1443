"""Parameter tables: units converted once, rows without unit, source or grade refused by file and row."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from immunescape.errors import ModelError
from immunescape.model.parameters import COLUMNS, load_parameters
from immunescape.model.units import (
    CELL,
    RATE,
    SUBSTANCE,
    VOLUME,
    dimension_text,
    kept_units,
    multiply,
    parse_unit,
    read_with_pint,
)

HEADER = ",".join(COLUMNS) + "\n"
AVOGADRO = 6.02214076e23


def load(folder: Path, rows: str, header: str = HEADER):
    path = folder / "table.csv"
    path.write_text(header + rows)
    return load_parameters(path, "toy")


@pytest.mark.parametrize(
    ("unit", "factor", "text"),
    [
        ("1/day", 1.0, "1/day"),
        ("1/second", 86400.0, "1/day"),
        ("liter/day", 1000.0, "cm^3/day"),
        ("mL", 1.0, "cm^3"),
        ("micromolar", 1.0, "nmol/cm^3"),
        ("nanomolarity", 1e-3, "nmol/cm^3"),
        ("molecule/cell", 1e9 / AVOGADRO, "nmol/cell"),
        ("molecule/micrometer^2", 1e9 / AVOGADRO * 1e8, "nmol/cm^2"),
        ("microgram/milliliter", 1e-3, "mg/cm^3"),
        ("kilogram/mole", 1e-3, "mg/nmol"),
        ("percent", 0.01, "dimensionless"),
        ("1/(centimeter^3*minute)", 1440.0, "1/cm^3/day"),
    ],
)
def test_units(unit: str, factor: float, text: str) -> None:
    parsed = parse_unit(unit)
    assert parsed.factor == pytest.approx(factor, rel=1e-12)
    assert dimension_text(parsed.dimension) == text


@pytest.mark.parametrize("unit", ["dayz", "1/", "kelvin", "cell/ (", "degC", "ampere"])
def test_no_unit(unit: str) -> None:
    with pytest.raises(ModelError, match="table, row 3"):
        parse_unit(unit, "table, row 3")


def test_row(tmp_path: Path) -> None:
    rows = 'k_a,2,1/hour,lognormal,0.5,0.1,9,"usuda1994;alpha2001",measured,"a note, with comma"\n'
    found = load(tmp_path, rows)["k_a"]
    assert found.base == pytest.approx(48)
    assert found.dimension == RATE
    assert (found.distribution, found.spread, found.lower, found.upper) == ("lognormal", 0.5, 0.1, 9)
    assert found.sources == ("usuda1994", "alpha2001")
    assert (found.grade, found.owner, found.note) == ("measured", "toy", "a note, with comma")
    np.testing.assert_allclose(found.from_base(found.to_base(np.array([1.0, 5.0]))), [1.0, 5.0])


def test_assumed_needs_no_key_but_says_so(tmp_path: Path) -> None:
    found = load(tmp_path, "a,1,cell,,,,,assumed,assumed,\nb,1,mL,,,,,assumed;alpha2001,assumed,\n")
    assert found["a"].sources == ()
    assert found["a"].dimension == CELL
    assert found["b"].sources == ("alpha2001",)
    assert found["b"].dimension == VOLUME


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("a,1,,,,,,alpha2001,measured,", ["no unit", "'a'", "row 2"]),
        ("a,1,cell,,,,,,measured,", ["no source"]),
        ("a,1,cell,,,,,alpha2001,,", ["no grade"]),
        ("a,,cell,,,,,alpha2001,measured,", ["no value"]),
        ("a,1,cell,,,,,alpha2001,mesured,", ["measured", "Did you mean"]),
        ("a,1,cell,,,,,assumed,measured,", ["needs a source"]),
        ("a,one,cell,,,,,alpha2001,measured,", ["not a number"]),
        ("a,nan,cell,,,,,alpha2001,measured,", ["not a number"]),
        ("a,1,cel,,,,,alpha2001,measured,", ["'cel' is not a unit"]),
        ("a,1,cell,lognorml,1,,,alpha2001,measured,", ["lognormal"]),
        ("a,1,cell,lognormal,,,,alpha2001,measured,", ["spread"]),
        ("a,1,cell,uniform,,0,,alpha2001,measured,", ["lower and upper"]),
        ("a,1,cell,loguniform,,0,2,alpha2001,measured,", ["above 0"]),
        ("a,1,cell,uniform,,3,2,alpha2001,measured,", ["not below"]),
        ("a,5,cell,uniform,,1,2,alpha2001,measured,", ["outside"]),
        ("a,1,cell,,2,,,alpha2001,measured,", ["without a distribution"]),
        ("1a,1,cell,,,,,alpha2001,measured,", ["not a valid name"]),
        ("exp,1,cell,,,,,alpha2001,measured,", ["not a valid name"]),
        ("a,1,cell,,,,,alpha2001,measured,x,y", ["11 cells", "quotes"]),
        ("a,1,cell,,,,,alpha2001,measured,\na,1,cell,,,,,alpha2001,measured,", ["twice", "row 3", "row 2"]),
    ],
)
def test_refuses(tmp_path: Path, row: str, words: list[str]) -> None:
    with pytest.raises(ModelError) as caught:
        load(tmp_path, row + "\n")
    assert "table.csv" in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_header(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="Did you mean 'source'"):
        load(tmp_path, "", HEADER.replace("source", "sorce"))
    with pytest.raises(ModelError, match="missing: grade"):
        load(tmp_path, "", HEADER.replace("grade,", ""))
    with pytest.raises(ModelError, match="no parameter table"):
        load_parameters(tmp_path / "none.csv", "toy")


def test_substance() -> None:
    unit = parse_unit("mole/cell/day")
    assert unit.dimension == multiply(multiply(SUBSTANCE, CELL, -1), RATE)
    assert unit.factor == pytest.approx(1e9)


def test_units_that_are_kept_are_what_pint_makes_of_them():
    for text, unit in kept_units().items():
        assert read_with_pint(text) == unit


def test_models_and_populations_of_the_package_need_no_unit_library():
    code = (
        "import sys; sys.modules['pint'] = None\n"  # importing it would fail
        "from immunescape.model import Model\n"
        "from immunescape.model.registry import drugs\n"
        "from immunescape.population.plausibility import bounds\n"
        "from immunescape.model.units import kept_units\n"
        "Model.build(drugs=drugs())\n"
        "assert {b.unit for b in bounds()} <= set(kept_units())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + "python scripts/write_units.py writes units.csv anew"


def test_a_unit_that_is_not_kept_is_read_by_pint():
    assert "furlong/fortnight" not in kept_units()
    unit = parse_unit("furlong/fortnight")
    assert unit.factor == pytest.approx(20116.8 / 14, rel=1e-5)  # the survey furlong differs by 2e-6
    assert dimension_text(unit.dimension) == "cm/day"
