"""A prevalence says who was assessed, and between which bounds it lies over everybody."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from tests.profile.study_files import MAF_HEADER

import immunescape
from immunescape.api import ProfiledStudy
from immunescape.profile.prevalence import prevalence


def test_bounds_take_those_who_were_not_assessed_as_nobody_and_as_everybody() -> None:
    calls = pd.DataFrame({"m": ["present", "absent", "absent", "conflicting", "not_assessable"], "n": ["absent"] * 5})
    counts = prevalence(calls)
    assert counts.loc["m", "present_share"] == pytest.approx(1 / 3)
    assert counts.loc["m", "least_share"] == pytest.approx(1 / 5)
    assert counts.loc["m", "most_share"] == pytest.approx(3 / 5)
    assert list(counts.loc["n", ["present_share", "least_share", "most_share"]]) == [0, 0, 0]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> ProfiledStudy:
    folder = tmp_path_factory.mktemp("cohort")
    samples, copies = "sample,patient,tumour_purity\n", "sample\tgene\ttotal_cn\tminor_cn\n"
    rows = [MAF_HEADER]
    for i in range(4):
        samples += f"S{i},P{i},{0.6 if i < 3 else 0.1}\n"
        copies += f"S{i}\tSTK11\t2\t1\n"
        rows.append(f"TTN\tGRCh37\t1\t1000\tC\tT\tMissense_Mutation\tS{i}\tp.A10V\t99\t1\n")
    rows.append("STK11\tGRCh37\t19\t1207000\tC\tT\tNonsense_Mutation\tS0\tp.Q37*\t60\t40\n")
    (folder / "samples.csv").write_text(samples)
    (folder / "genes.tsv").write_text(copies)
    (folder / "mutations.maf").write_text("".join(rows))
    (folder / "manifest.yaml").write_text(
        "study: cohort\npanel: WES\nfiles:\n  - {file: samples.csv, format: samples}\n"
        "  - {file: genes.tsv, format: cna_allele_specific}\n  - {file: mutations.maf, format: maf}\n"
    )
    return immunescape.profile_study(folder)


def test_the_terminal_the_json_and_the_report_print_both(
    study: ProfiledStudy,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # so that no title is wrapped
    assert list(study.calls["stk11_loss"]) == ["present", "absent", "absent", "not_assessable"]
    study.show()
    line = next(x for x in capsys.readouterr().out.splitlines() if "STK11 (LKB1) inactivation" in x)
    assert "33 % of 3" in line
    assert "25–50 %" in line
    numbers = study.to_json()["prevalence"]["stk11_loss"]
    assert (numbers["least_share"], numbers["most_share"]) == (0.25, 0.5)
    page = study.report(tmp_path / "report.html", statistics=False).read_text(encoding="utf-8")
    assert "25 to 50 %" in page
    assert "33 % of 3" in page
