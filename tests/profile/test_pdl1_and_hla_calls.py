"""Files of PD-L1 and HLA loss in, call out."""

from __future__ import annotations

from pathlib import Path

import pytest

from immunescape.profile.assemble import assemble
from immunescape.profile.loading import load_study


def state(folder: Path, name: str, text: str, kind: str, mechanism: str) -> str:
    (folder / name).write_text(text)
    (folder / "manifest.yaml").write_text(f"study: s\nfiles:\n  - {{file: {name}, format: {kind}}}\n")
    return str(assemble(load_study(folder)).calls.call("P1", mechanism).state)


@pytest.mark.parametrize(
    ("rows", "call"),
    [
        ("P1,22C3,tps,60,\nP1,22C3,tps,0,\n", "conflicting"),
        ("P1,22C3,tps,60,\nP1,22C3,tps,70,\n", "absent"),
        ("P1,22C3,tps,,<1%\n", "present"),
        ("P1,22C3,tps,,1-49%\n", "absent"),
        ("P1,22C3,tps,,0-10%\n", "not_assessable"),
    ],
)
def test_pdl1_negative(rows: str, call: str, tmp_path: Path) -> None:
    text = "patient,assay,score,value_percent,category\n" + rows
    assert state(tmp_path, "pdl1.csv", text, "pdl1", "pdl1_negative") == call


LOHHLA = "patient\tHLA_A_type1\tHLA_A_type2\tHLA_type1copyNum_withBAFBin\tHLA_type2copyNum_withBAFBin\tPVal_unique\n"


@pytest.mark.parametrize(
    ("first", "loci", "call"),
    [
        ("1.2\t1.1\t0.6", "ABC", "absent"),
        ("1.2\t1.1\t0.6", "A", "not_assessable"),
        ("0.1\t1.1\t0.0001", "A", "present"),
        ("0.1\t1.1\tNA", "ABC", "not_assessable"),
        ("0.1\t1.1\t0.2", "ABC", "not_assessable"),
        ("0.64\t1.1\t0.0001", "ABC", "not_assessable"),
    ],
)
def test_hla_loh_by_lohhla(first: str, loci: str, call: str, tmp_path: Path) -> None:
    values = [first] + ["1.0\t1.0\t0.9"] * (len(loci) - 1)
    lines = [f"P1\thla_{x.lower()}_02_01\thla_{x.lower()}_07_02\t{v}" for x, v in zip(loci, values, strict=True)]
    assert state(tmp_path, "l.xls", LOHHLA + "\n".join(lines) + "\n", "lohhla", "hla_loh") == call
