"""Rankings of all patients of a study: a table, reasons, and a rerun that resumes. Courses are made up."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import immunescape
from immunescape.cli import app
from immunescape.errors import InputError
from immunescape.twins.conditioning import TwinPopulation
from immunescape.twins.courses import Courses
from immunescape.twins.twin import MONTH, Followed

N = 240


@pytest.fixture
def study(tmp_path):
    """A folder with three patients."""
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "manifest.yaml").write_text("study: three\nfiles:\n  - {file: patients.csv, format: patients}\n")
    (folder / "patients.csv").write_text(
        "patient,age,sex,histology,smoking,ecog,stage\n"
        "P/1,59,female,adenocarcinoma,former,1,IV\nP2,70,male,adenocarcinoma,never,0,IV\n"
        "P3,61,male,squamous cell carcinoma,current,1,IV\n"
    )
    return folder


@pytest.fixture
def drawn(monkeypatch):
    """Patients whose twins were drawn; the courses are random numbers in place of simulations."""
    asked: list[str] = []

    def made_up(record, arms, *, seed=1, months=25.0, **_):
        asked.append(record.patient)
        if len(asked) == 2:
            raise InputError("only 3 of 400 twins are effective", hint="Check nlr.")
        rng = np.random.default_rng(seed)
        lost = np.arange(N) % 4 == 0
        table = pd.DataFrame(
            {"p:f_hla_loh": np.where(lost, 0.7, 0.05), "tmb_mut_mb": rng.lognormal(2, 0.5, N)},
            index=pd.RangeIndex(N, name="id"),
        )
        rows = []
        for k, (name, _) in enumerate(arms):
            gain = np.where(lost, 6.0, -3.0) if k else np.zeros(N)
            times = np.maximum(rng.normal(12.0, 1.0, N) + gain, 0.5) * MONTH
            rows += [
                {
                    "id": i,
                    "arm": name,
                    "best_response": "PR",
                    "progression_day": d / 2,
                    "death_day": d,
                    "grade3_day": None,
                    "toxicity_stop_day": None,
                }
                for i, d in enumerate(times)
            ]
        w = np.full(N, 1 / N)
        twins = TwinPopulation(
            patient=record.patient,
            table=table,
            weights=w,
            facts=record.facts,
            effective=float(N),
            candidates=N,
            surprise={},
            seed=seed,
        )
        return Followed(twins, Courses(pd.DataFrame(rows), pd.DataFrame()), w)

    monkeypatch.setattr("immunescape.twins.twin.twins_on", made_up)
    monkeypatch.setattr("immunescape.twins.population.reference_observables", lambda *_: None)
    monkeypatch.setattr("immunescape.twins.fit_weights.fit_factors", lambda followed, *_: np.ones((0, N)))
    monkeypatch.setattr("immunescape.twins.steps.limiting_steps", lambda *_: {"priming": 1.0})
    monkeypatch.setattr("immunescape.twins.steps.steps_moved", lambda *_: {})
    monkeypatch.setattr("immunescape.trial.runner.model_digest", lambda: "model")
    monkeypatch.setattr("immunescape.twins.ranking.DRAWS", 10)
    monkeypatch.setattr("immunescape.twins.value._PERMUTATIONS", 3)
    return asked


def test_all_patients_are_ranked_or_have_a_reason_and_a_rerun_resumes(drawn, study, tmp_path):
    made = immunescape.rank_cohort(study, out=tmp_path)
    everybody = {"P/1", "P2", "P3"}
    assert set(made.rankings) | set(made.reasons) == everybody
    assert not set(made.rankings) & set(made.reasons)
    assert "only 3 of 400 twins are effective (Check nlr.)" in made.reasons.values()
    assert made.resumed == 0
    once = list(drawn)
    again = immunescape.rank_cohort(study, out=tmp_path)
    assert drawn == once  # not even the patient without enough twins is drawn again
    assert again.to_json() == made.to_json()
    assert again.resumed == len(once)

    (tmp_path / "patients" / "P%2F1.json").write_text("{broken")
    immunescape.rank_cohort(study, out=tmp_path)
    assert drawn[len(once) :] == once[:1]


def test_a_first_choice_is_not_compared_with_a_standard_that_the_table_lacks(
    drawn, study, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("immunescape.twins.options.STANDARD_ROLES", ())
    made = immunescape.rank_cohort(study, out=tmp_path)
    assert [(r["has_standard"], r["first_is_standard"]) for r in made.rows] == [(False, False)] * len(made.rankings)
    monkeypatch.setenv("COLUMNS", "300")  # wide enough for a cell to stay on one line
    made.show()
    assert "no standard" in " ".join(capsys.readouterr().out.split())


def test_what_rests_on_other_settings_is_made_again(drawn, study, tmp_path):
    immunescape.rank_cohort(study, out=tmp_path)
    once = len(drawn)
    other = immunescape.rank_cohort(study, out=tmp_path, weights={"survival": 1, "progression_free": 0, "toxicity": 0})
    assert other.resumed == 0
    assert len(drawn) == 2 * once


def test_the_command_without_a_patient_prints_a_table_and_writes_files(drawn, study, tmp_path):
    call = ["rank", str(study), "--out", str(tmp_path)]
    shown = CliRunner().invoke(app, call)
    assert shown.exit_code == 0, shown.output
    assert "first choices of" in shown.output
    assert "Check nlr." in shown.output
    told = CliRunner().invoke(app, [*call, "--json"])
    content = json.loads(told.output)
    assert content == json.loads((tmp_path / "cohort.json").read_text(encoding="utf-8"))
    table = pd.read_csv(tmp_path / "cohort.csv")
    assert len(table) == len(content["patients"]) + len(content["cannot_be_ranked"])
    assert [row["patient"] for row in content["patients"]] == ["P/1", "P3"]
    assert (tmp_path / "patients" / "P%2F1.html").exists()
    outcomes = pd.read_parquet(tmp_path / "patients" / "P%2F1.parquet")
    assert outcomes.groupby("option")["weight"].sum().to_numpy() == pytest.approx(1.0)
    assert {"result:hla_loh", "os_months", "os_event"} <= set(outcomes.columns)


def test_a_file_of_options_that_nobody_can_use_is_refused_at_once(drawn, study, tmp_path):
    file = tmp_path / "own.yaml"
    file.write_text("- name: x\n  regimen: pembrolizumap 200 mg every 3 weeks\n")
    with pytest.raises(InputError, match="pembrolizumab"):
        immunescape.rank_cohort(study, options=file)
    assert not drawn


def test_where_nobody_can_be_ranked_the_command_fails_with_the_reasons(monkeypatch, study, tmp_path):
    def none(*_, **__):
        raise InputError("too few twins")

    monkeypatch.setattr("immunescape.twins.twin.twins_on", none)
    monkeypatch.setattr("immunescape.trial.runner.model_digest", lambda: "model")
    shown = CliRunner().invoke(app, ["rank", str(study), "--out", str(tmp_path)])
    assert shown.exit_code != 0
    assert "too few twins" in shown.output


def test_the_trial_that_the_twins_suggest_is_handed_to_the_designs(drawn, study, tmp_path):
    from immunescape.design.loading import load_design

    file = tmp_path / "designs" / "trial.yaml"
    call = ["rank", str(study), "--out", str(tmp_path), "--twins", "400", "--design", str(file)]
    refused = CliRunner().invoke(app, call)
    assert "designs of trial.yaml does not exist" in str(refused.exception)
    file.parent.mkdir()
    shown = CliRunner().invoke(app, call)
    assert shown.exit_code == 0, shown.output
    assert str(file) in shown.output
    assert load_design(file).strata == ("HLA LOH present", "HLA LOH not present")
    first = file.read_text(encoding="utf-8")
    CliRunner().invoke(app, call)  # all patients from their files
    assert file.read_text(encoding="utf-8") == first
