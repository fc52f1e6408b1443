"""The output of a single patient shows the warnings that the output of a cohort shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from immunescape.api.profiles import profile_study

FILES = {
    "p.csv": "patient,age,FAVOURITE\nP1,60,x\n{}",
    "h.tsv": "HLA_A_type1\tHLA_A_type2\tPVal_unique\tHLA_type1copyNum_withBAFBin\t"
    "HLA_type2copyNum_withBAFBin\tpatient\n"
    "hla_a_01_01\thla_a_24_02\t2e-6\t1.57\t-0.3\tP1\n",
    "m.csv": "patient,gene,classification,vaf\nP1,TP53,Silent,30\n",
}
MANIFEST = (
    "files:\n  - {file: p.csv, format: patients}\n  - {file: h.tsv, format: lohhla}\n"
    "  - {file: m.csv, format: mutations}\n"
)


def shown(folder: Path, more: str, capsys: pytest.CaptureFixture[str], patient: str | None = None) -> str:
    for name, text in FILES.items():
        (folder / name).write_text(text.format(more))
    (folder / "manifest.yaml").write_text(MANIFEST)
    profile_study(folder).show(patient)
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("warning", ["negative copy_number", "vaf is read as percent", "contradict each other"])
def test_every_warning_stands_in_the_output_of_one_patient(
    warning: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = shown(tmp_path, "P1,61,x\n", capsys)
    assert "patient P1" in alone
    assert warning in alone
    assert "columns not used: FAVOURITE" in alone


def test_one_patient_of_a_cohort_shows_the_same_warnings_as_the_cohort(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cohort = shown(tmp_path, "P2,70,y\n", capsys)
    one = shown(tmp_path, "P2,70,y\n", capsys, "P1")
    warnings = profile_study(tmp_path).done.profile.problems
    assert warnings
    for warning in warnings:
        plain = " ".join(warning.split())
        assert plain in cohort
        assert plain in one
