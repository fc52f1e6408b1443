"""Units are printed alike wherever they are read, from one table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import immunescape
from immunescape.knowledge.printed_units import printed_amount, printed_unit


@pytest.mark.parametrize(
    ("spellings", "printed"),
    [
        (("umol/L", "micromole/liter"), "µmol/L"),
        (("1/Mb", "1/megabase"), "/Mb"),
        (("cells/uL", "cell/microliter"), "cells/µL"),
        (("", "1", "dimensionless", "ratio"), ""),
        (("m2", "m^2"), "m²"),
        (("mm",), "mm"),
    ],
)
def test_every_spelling_of_a_unit_is_printed_alike(spellings: tuple[str, ...], printed: str) -> None:
    assert {printed_unit(s) for s in spellings} == {printed}


def test_a_number_without_a_unit_has_no_blank_behind_it() -> None:
    assert printed_amount("3.1", "1") == "3.1"
    assert printed_amount("3.1", "umol/L") == "3.1 µmol/L"


def test_no_other_module_has_a_table_of_printed_units() -> None:
    package = Path(immunescape.__file__).parent
    tables = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r'"[^"]+": "(%|years|/Mb|m²|µmol/L|cells/[µm]L|cells/mm²)"', path.read_text(encoding="utf-8"))
    }
    assert tables == {"knowledge/printed_units.py"}
