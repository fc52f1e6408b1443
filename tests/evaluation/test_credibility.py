"""A credibility assessment states its purpose, and its verdict follows from criteria that can fail."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from immunescape.cli import app
from immunescape.console import NOTICE
from immunescape.errors import ImmunescapeError
from immunescape.evaluation import credibility as module
from immunescape.evaluation.credibility import Credibility, Purpose, Verification, verify
from immunescape.evaluation.forecast import Forecast, ForecastFigure
from immunescape.evaluation.scoreboard import Score, summarise
from immunescape.evaluation.sensitivity import Sensitivity, run_sensitivity
from immunescape.predictions import open_protocols
from immunescape.report.credibility_report import credibility_markdown, credibility_sections, write_credibility
from immunescape.trial.loading import load_trial
from immunescape.trial.runner import model_digest

TRIAL = load_trial("keynote-024")
PAIR = "pembrolizumab / platinum doublet"


def score(trial: str, role: str, endpoint: str, published: float, low: float, high: float) -> Score:
    return Score(
        trial=trial,
        role=role,
        arm="a / b",
        endpoint=endpoint,
        predicted=math.sqrt(low * high),
        low=low,
        high=high,
        published=published,
        published_low=None,
        published_high=None,
        regimen_class="ici",
        n=100,
    )


GOOD = [
    score(trial, role, endpoint, published, published - 0.02, published + 0.02)
    for trial, role, published in (
        ("oak", "calibration", 0.7),
        ("pacific", "calibration", 0.5),
        ("keynote-010", "validation", 0.8),
        ("keynote-789", "validation", 0.8),
        ("impower131", "validation", 0.85),
    )
    for endpoint in ("pfs_hr", "os_hr")
]


def assessment(
    *,
    error: float = 1e-8,
    failed: int = 0,
    monte_carlo: float = 0.02,
    scores: list[Score] | None = None,
    assumed: int = 2,
    purpose: Purpose | None = None,
    name: str = "keynote-024",
) -> Credibility:
    trial = TRIAL if name == "keynote-024" else load_trial(open_protocols()[name])
    figures = (
        ForecastFigure(
            arm=PAIR,
            endpoint="pfs_hr",
            value=0.6,
            low=0.45,
            high=0.8,
            monte_carlo_se=monte_carlo,
            simulated=600,
            planned=305,
        ),
    )
    cast = Forecast(
        trial=trial,
        figures=figures,
        success={"pfs": 0.9},
        baselines={"pfs_hr": {"constant": 0.64}},
        seeds=(1, 2),
        patients=300,
        failed=failed,
        digest="ab" * 32,
        version="1",
        wall_s=1,
        tables={"numbers": "cd" * 32, "fit": "ef" * 6, "learnt": "01" * 32},
    )
    verified = Verification("native", "SciPy", "pembrolizumab", error)
    known = GOOD if scores is None else scores
    influential = tuple(
        {
            "Parameter": f"k_{i}",
            "Mechanism": "m",
            "Grade": "assumed" if i < assumed else "measured",
            "Source": "–",
            "Meaning": "–",
        }
        for i in range(10)
    )
    drugs, setting = module._drug_rows(trial), module._setting_rows(trial)
    summary = summarise(known)
    criteria = module._criteria(
        trial, verified, made=cast, scores=known, summary=summary, influential=influential, drugs=drugs
    )
    sensitive = Sensitivity(
        trial=trial.name,
        arm="pembrolizumab",
        method="morris",
        parameters=("k_1",),
        rows=[],
        points=100,
        undiagnosed=0,
        failed=0,
        orr=0.3,
        seed=1,
        seconds=1.0,
    )
    return Credibility(
        trial=trial,
        purpose=purpose or Purpose(),
        forecast=cast,
        verification=verified,
        scores=tuple(known),
        summary=summary,
        sensitivity=sensitive,
        influential=influential,
        drugs=drugs,
        setting=setting,
        criteria=criteria,
    )


def unmet(made: Credibility) -> set[str]:
    return {c.name for c in made.criteria if not c.met}


def test_a_trial_like_the_calibration_trials_meets_every_criterion() -> None:
    assert unmet(assessment()) == set()
    assert assessment().sufficient


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"error": 1e-3}, "Numerical accuracy of the solution"),
        ({"error": math.nan}, "Numerical accuracy of the solution"),
        ({"failed": 20}, "Proportion of failed simulations"),
        ({"monte_carlo": 0.2}, "Monte Carlo precision"),
        ({"assumed": 6}, "Evidence for the most influential parameters"),
        ({"name": "harmoni-7"}, "Trial evidence for every experimental drug"),
        (
            {"scores": [replace(s, published=1.2) for s in GOOD]},
            "Prediction of trials of the same type of regimen",
        ),
        (
            {"scores": [replace(s, low=0.1, high=5.0) if s.role == "validation" else s for s in GOOD]},
            "Predictive skill on validation trials, PFS",
        ),
    ],
)
def test_each_criterion_can_fail(change: dict[str, Any], name: str) -> None:
    assert name in unmet(assessment(**change))


def test_what_could_not_be_judged_is_not_met() -> None:
    made = assessment(scores=[s for s in GOOD if s.role == "calibration"])
    judged = {c.name: c.met for c in made.criteria}
    assert judged["Predictive skill on validation trials, OS"] is None
    assert not made.sufficient


@pytest.mark.parametrize("lost", ["keynote-010", "keynote-789", "impower131"])
@pytest.mark.parametrize("how", ["left out", "no interval"])
def test_skill_is_judged_on_all_validation_trials_or_not_at_all(lost: str, how: str) -> None:
    some = [s for s in GOOD if s.trial != lost]
    if how == "no interval":
        some += [replace(s, low=None, high=None) for s in GOOD if s.trial == lost]
    skill = [c for c in assessment(scores=some).criteria if c.name.startswith("Predictive skill")]
    assert [c.met for c in skill] == [None, None]
    assert all(lost in c.figure for c in skill)


def test_the_own_result_of_the_assessed_trial_is_no_trial_of_the_same_kind() -> None:
    own = [
        replace(s, trial="keynote-024") if s.trial == "oak" else s for s in GOOD if s.trial in ("oak", "keynote-010")
    ]
    criterion = {c.name: c for c in assessment(scores=own).criteria}["Prediction of trials of the same type of regimen"]
    assert criterion.met is False
    assert criterion.figure.startswith("2 of 2 ratios of 1 other")


def test_trials_of_no_named_kind_are_not_alike() -> None:
    others = [replace(s, regimen_class="own") for s in GOOD]
    made = assessment(name="codebreak-202", scores=others)
    assert {c.name: c.met for c in made.criteria}["Prediction of trials of the same type of regimen"] is None


@pytest.mark.parametrize(
    ("error", "low", "high", "seeds", "met"),
    [(1.0, 30.0, 50.0, (1, 2), True), (5.0, 30.0, 50.0, (1, 2), False), (None, 30.0, 50.0, (1,), None)],
)
def test_a_single_arm_trial_needs_enough_patients_as_well(
    error: float | None, low: float, high: float, seeds: tuple[int, ...], met: bool | None
) -> None:
    trial = load_trial("nivolumab-alt-803")
    figures = (
        ForecastFigure(
            arm=trial.arms[0].name,
            endpoint="orr_pct",
            value=40.0,
            low=low,
            high=high,
            monte_carlo_se=error,
            simulated=600,
            planned=21,
        ),
    )
    cast = Forecast(
        trial=trial,
        figures=figures,
        success={},
        baselines={},
        seeds=seeds,
        patients=300,
        failed=0,
        digest="ab" * 32,
        version="1",
        wall_s=1,
        tables={"numbers": "cd" * 32, "fit": "ef" * 6, "learnt": "01" * 32},
    )
    assert module._monte_carlo(cast).met is met


def test_one_comparison_without_an_interval_is_not_hidden_by_another() -> None:
    good = ForecastFigure(
        arm=PAIR, endpoint="pfs_hr", value=0.6, low=0.45, high=0.8, monte_carlo_se=0.01, simulated=600, planned=305
    )
    cast = Forecast(
        trial=TRIAL,
        figures=(good, replace(good, endpoint="os_hr", low=None)),
        success={},
        baselines={},
        seeds=(1, 2),
        patients=300,
        failed=0,
        digest="ab" * 32,
        version="1",
        wall_s=1,
        tables={"numbers": "cd" * 32, "fit": "ef" * 6, "learnt": "01" * 32},
    )
    assert module._monte_carlo(cast).met is None


def test_a_trial_with_earlier_lines_is_assessed_without_sensitivity() -> None:
    made = replace(assessment(), sensitivity=None, influential=())
    assert "prior lines" in credibility_markdown(made, NOTICE)
    assert json.loads(json.dumps(made.to_json()))["sensitivity"] is None


def test_a_solver_without_a_result_gives_json_that_others_can_read() -> None:
    assert (
        json.loads(json.dumps(assessment(error=math.nan).to_json(), allow_nan=False))["verification"]["error"] is None
    )


@pytest.mark.parametrize(
    ("influence", "consequence", "risk"),
    [("low", "low", "low"), ("low", "medium", "medium"), ("high", "low", "high"), (None, "low", "high")],
)
def test_risk_is_the_larger_of_influence_and_consequence_and_high_where_one_is_not_stated(
    influence: str | None, consequence: str | None, risk: str
) -> None:
    assert Purpose(influence=influence, consequence=consequence).risk == risk


def test_a_low_risk_asks_for_fewer_criteria() -> None:
    weak = assessment(assumed=9, purpose=Purpose(influence="low", consequence="low"))
    assert weak.sufficient
    assert not assessment(assumed=9, purpose=Purpose(influence="high", consequence="low")).sufficient


def test_a_drug_of_no_trial_is_called_extrapolated_and_one_of_a_fitted_class_is_not() -> None:
    rows = {r["Drug"]: r["Standing"] for r in assessment(name="fianlimab-nsclc").drugs}
    assert rows["relatlimab"].startswith("extrapolated")
    assert rows["cemiplimab"].startswith("fitted: another drug of its class")


def test_a_setting_outside_the_calibration_is_said_to_be() -> None:
    rows = {r["Feature"]: r["Covered"] for r in assessment(name="ak104-307").setting}
    assert rows["Region"] == "no"
    assert rows["Line of treatment"] == "yes"


def test_the_document_holds_the_sections_of_the_guidelines_in_both_forms(tmp_path: Path) -> None:
    made = assessment(purpose=Purpose(question="Is <b>it</b> so?", influence="low", consequence="low"))
    titles = [title for title, _, _ in credibility_sections(made)]
    assert titles == [
        "Conclusion",
        "Planning",
        "Verification",
        "Validation",
        "Uncertainty",
        "Sensitivity",
        "Ablation",
        "Applicability",
        "Not analysed",
        "Provenance",
    ]
    page, markdown, data = write_credibility(made, tmp_path, NOTICE)
    html = page.read_text()
    assert "Is &lt;b&gt;it&lt;/b&gt; so?" in html
    assert NOTICE in html
    assert all(f"## {title}" in markdown.read_text() for title in titles)
    assert json.loads(data.read_text())["sufficient"] is True
    assert "Not stated" in credibility_markdown(assessment(), NOTICE)


def test_every_row_of_a_table_has_the_cells_of_its_head() -> None:
    width = 0
    for line in credibility_markdown(assessment(), NOTICE).splitlines():
        if not line.startswith("|"):
            width = 0
            continue
        cells = re.sub(r"\\\|", "", line).count("|")
        assert width in (0, cells), line
        width = cells


def test_wide_intervals_of_few_patients_are_no_prediction() -> None:
    few = [replace(s, n=20, low=0.1, high=9.0) for s in GOOD]
    name = "Prediction of trials of the same type of regimen"
    wide = next(c for c in assessment(scores=few).criteria if c.name == name)
    assert wide.met is None
    assert wide.figure.endswith("too few virtual patients")
    assert next(c for c in assessment().criteria if c.name == name).met


def test_an_assessment_tells_fitted_trials_from_others() -> None:
    text = credibility_markdown(assessment(), NOTICE)
    fitted, others = (
        text.split(f"### {title}\n")[1].split("\n#")[0] for title in ("Calibration trials", "Validation trials")
    )
    assert "| oak |" in fitted
    assert "| keynote-010 |" not in fitted
    assert "| keynote-010 |" in others
    assert "was used in the fit: its own figures are no prediction" in text
    assert "was used in the fit: its own" not in credibility_markdown(assessment(name="harmoni-7"), NOTICE)


def test_an_assessment_says_what_tested_the_mechanisms_of_each_drug_and_what_it_lacks(monkeypatch) -> None:
    made = assessment()
    drugs = {row["Drug"]: next(v for k, v in row.items() if k != "Drug") for row in made.to_json()["ablation"]}
    assert "by trials: checkpoints_pd1" in drugs["pembrolizumab"]
    assert "cannot be switched off: tumour_growth" in drugs["pemetrexed"]
    text = credibility_markdown(made, NOTICE)
    assert "It used the parameters and fit of this model" in text  # though "ab" * 32 is the digest of no ablation
    monkeypatch.setattr("immunescape.evaluation.mechanism_labels._released_numbers", lambda: "0" * 64)
    assert "All labels were measured with other parameters" in credibility_markdown(made, NOTICE)
    assert "immunescape sensitivity --method each" in text
    without = credibility_markdown(replace(made, sensitivity=None, influential=()), NOTICE)
    assert "Not part of this assessment: sensitivity;" in without


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-such-trial"], "unknown trial"),
        (["keynote-024", "--influence", "lo"], "low"),
        (["keynote-024", "--scoreboard", "missing.json"], "cannot be read"),
    ],
)
def test_bad_input_is_refused_before_anything_is_run(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["credibility", *arguments])
    assert isinstance(result.exception, ImmunescapeError)
    assert message in str(result.exception)


def test_a_trial_of_the_predictions_is_assessed_by_its_name_with_its_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def stop(trial: Any, purpose: Purpose, **_: Any) -> None:
        asked.append((trial.name, purpose.question))
        raise LookupError

    monkeypatch.setattr("immunescape.evaluation.credibility.assess", stop)
    for options in ([], ["--question", "Mine?"]):
        CliRunner().invoke(app, ["credibility", "harmoni-7", "--out", str(tmp_path), *options])
    question = "Is a PD-1 x VEGF antibody alone better than pembrolizumab in disease with high PD-L1?"
    assert asked == [("harmoni-7", question), ("harmoni-7", "Mine?")]


def test_a_scoreboard_that_holds_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    path.write_text('{"rows": [{"trial": "oak"}]}')
    result = CliRunner().invoke(app, ["credibility", "keynote-024", "--scoreboard", str(path)])
    assert "contains no scores" in str(result.exception)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"published": "half"}, "rows.0.published"),
        ({"role": "validation"}, "'validation' of the kind 'ici'"),
        ({"regimen_class": "chemotherapy"}, "of the kind 'chemotherapy'"),
        ({"model": "0" * 64}, "another model"),
        ({"twice": True}, "given twice"),
    ],
)
def test_a_scoreboard_that_does_not_fit_this_version_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    rows = [GOOD[0].row() | {k: v for k, v in change.items() if k in GOOD[0].row()}] * (2 if "twice" in change else 1)
    path = tmp_path / "scores.json"
    path.write_text(json.dumps({"model": change.get("model", model_digest()), "rows": rows}))
    result = CliRunner().invoke(app, ["credibility", "keynote-024", "--scoreboard", str(path)])
    assert isinstance(result.exception, ImmunescapeError)
    assert message in str(result.exception)


def test_verification_and_sensitivity_take_the_specificity_of_the_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def model(drugs: tuple[str, ...], specificity: str) -> None:
        asked.append(specificity)
        raise LookupError

    monkeypatch.setattr("immunescape.population.reference_baseline.prepared_model", model)
    trial = replace(TRIAL, specificity="sparse")
    for run in (lambda: verify(trial), lambda: run_sensitivity(trial, patients=4)):
        with pytest.raises(LookupError):
            run()
    assert asked == ["sparse", "sparse"]


@pytest.mark.slow
def test_the_solver_agrees_with_another_implementation() -> None:
    assert verify(TRIAL).error < 1e-5
