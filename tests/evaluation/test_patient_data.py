"""The data folder: what is missing is named, what is bad is refused, and one command compares it with a trial."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from immunescape.cli import app
from immunescape.errors import InputError
from immunescape.evaluation.patient_data import PatientData
from immunescape.evaluation.validation import validate


def make(folder: Path, *, lesions: bool = True, loris: bool = True) -> Path:
    """Twenty patients in either arm of OAK, and eighteen in one cohort; all made up."""
    rng = np.random.default_rng(1)
    if lesions:
        rows = ["Patient_Anonmyized,Treatment_Day,TargetLesionLongDiam_mm,Study_Arm"]
        for arm in (1, 2):
            for patient in range(20):
                rate = rng.normal(0.0, 0.1)
                rows += [
                    f"{patient},{day},{40 * np.exp(rate * day / 30):.1f},Study_4_Arm_{arm}"
                    for day in (-3, 40, 82, 125, 600)
                ]
        (folder / "tumour_kinetics").mkdir(parents=True)
        (folder / "tumour_kinetics" / "oak.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
        (folder / "oak").mkdir()
        clinical = [f"{drug},PR,{sld}" for drug in ("MPDL3280A", "Docetaxel") for sld in (30, 90)]
        text = "TRT01P,BCOR,blSLD\n" + "\n".join(clinical) + "\n"
        (folder / "oak" / "oak_clinical.csv").write_text(text, encoding="utf-8")
    if loris:
        (folder / "loris").mkdir(parents=True)
        cells = [f"{tps},{prior},0,{k % 2}" for tps in (0, 20, 80) for prior in (0, 1) for k in range(3)]
        text = "PDL1_TPS(%),Systemic_therapy_history,Drug,Response\n" + "\n".join(cells) + "\n"
        (folder / "loris" / "cohort.csv").write_text(text, encoding="utf-8")
    return folder


def test_missing_parts_are_named(tmp_path: Path) -> None:
    found = PatientData.read(make(tmp_path / "a", loris=False))
    assert set(found.lesions) == {"oak.csv"}
    assert found.cohort is None
    text = "\n".join(found.notes)
    for part in ("birch.csv", "fir.csv", "loris"):
        assert part in text
    other = PatientData.read(make(tmp_path / "b", lesions=False))
    assert other.lesions == {}
    assert other.cohort is not None
    assert len(other.notes) == 4
    assert "oak_clinical.csv" in other.notes[-1]


def test_an_absent_or_empty_folder_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        validate(["oak"], data=tmp_path / "nowhere", patients=10)
    with pytest.raises(InputError, match="no data to compare"):
        validate(["oak"], data=tmp_path, patients=10)


@pytest.mark.slow
def test_one_command_compares_a_trial_with_patients(tmp_path: Path) -> None:
    data = make(tmp_path / "data")
    page = tmp_path / "page.html"
    common = ["validate", "oak", "--patients", "10", "--workers", "1", "--out", str(tmp_path / "out")]
    run = CliRunner().invoke(app, [*common, "--data", str(data), "--html", str(page), "--json"])
    assert run.exit_code == 0, run.output
    record = json.loads(run.stdout)
    groups = {r["group"] for r in record["kinetics"]}
    assert groups == {"OAK, atezolizumab", "OAK, docetaxel"}
    assert {r["n_observed"] for r in record["kinetics"] if r["measure"] == "growth"} == {20}
    assert all(r["n_simulated"] <= 10 for r in record["kinetics"])
    matched = [r for r in record["response_by_pdl1"] if r["prior"] == "matched"]
    assert matched
    assert {r["arms"] for r in matched} == {"oak: atezolizumab"}
    assert all(r["n"] == 3 for r in matched)
    assert len(record["response_by_size"]) == 4
    assert any("birch.csv" in note for note in record["notes"])
    assert {r["trial"] for r in record["rows"]} == {"oak"}
    html = page.read_text(encoding="utf-8")
    for words in ("Single lesions, measured and simulated", "Growth rate (1", "Response by PD-L1 in cohorts"):
        assert words in html
    spec = importlib.util.spec_from_file_location(
        "scoreboard_page", Path(__file__).parents[2] / "scripts" / "scoreboard_page.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = module.page(record, "## Notes")
    assert "## Single lesions" in text
    assert "| OAK, docetaxel | best change, % | 20, " in text
    assert "## Response by PD-L1 in cohorts" in text
    assert "## Response by size in OAK" in text
    # finished patients are kept, so these runs are short; without data the tables are left out, with how to get them
    shown = CliRunner().invoke(app, [*common, "--data", str(data)], env={"COLUMNS": "200"})
    assert "Single lesions" in shown.output
    assert "Response by PD-L1" in shown.output
    plain = CliRunner().invoke(app, [*common, "--json"])
    bare = json.loads(plain.stdout)
    assert (bare["kinetics"], bare["response_by_pdl1"]) == ([], [])
    assert "## Single lesions" not in module.page(bare, "")
