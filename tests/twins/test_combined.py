"""The twins beside statistical models: what is learnt, from whom, and what a patient is shown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from immunescape.knowledge.held_out import STUDIES, is_held_out
from immunescape.profile.scores.response import response_probability
from immunescape.profile.scores.response_model import load_response_model
from immunescape.trial.runner import numbers_digest
from immunescape.twins.combined import (
    MONTHS,
    TwinOutcomes,
    combination_of,
    compared,
    held_out_words,
    shipped_combination,
    uncovered,
)
from immunescape.twins.facts import Fact
from immunescape.twins.judging import rivals
from immunescape.twins.judging.combining import Learners, held_out_scores, learnt_combination
from immunescape.twins.recorded_patient import LineRecord, PatientRecord

N = 600
DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(autouse=True)
def _fewer_resamples(monkeypatch):
    monkeypatch.setattr(rivals, "_RESAMPLES", 60)


def world(statistical: float = 1.0, mechanistic: float = 1.0, seed: int = 5) -> Learners:
    """Patients whose truth has two parts; each forecast knows one of them as well as is said."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(N, 3))
    other = rng.normal(size=N)
    truth = 0.8 * statistical * inputs[:, 0] + 0.8 * mechanistic * other
    study = rng.choice(STUDIES, N)
    months = {end: rng.exponential(10.0 * scale * np.exp(-truth)) for end, scale in (("pfs", 1.0), ("os", 2.0))}
    return Learners(
        study=study.astype(str),
        held=np.array([is_held_out(s, i) for i, s in enumerate(study)]),
        response=(rng.uniform(size=N) < 1.0 / (1.0 + np.exp(1.0 + truth))).astype(float),
        months={end: np.minimum(t, 30.0) for end, t in months.items()},
        events={end: (t < 30.0).astype(float) for end, t in months.items()},
        odds=-1.0 - 0.8 * inputs[:, 0],
        means=inputs,
        prior_sd=np.ones(3),
        twin_odds=-1.0 - 0.8 * other,
        twin_rates=dict.fromkeys(("pfs", "os"), 0.5 * other),
    )


def test_held_out_patients_never_enter_what_is_learnt():
    whole = world()
    rng = np.random.default_rng(1)
    held = whole.held
    spoilt = replace(
        whole,
        response=np.where(held, 1.0 - whole.response, whole.response),
        months={end: np.where(held, rng.uniform(0.1, 60.0, N), t) for end, t in whole.months.items()},
        events={end: np.where(held, 1.0, e) for end, e in whole.events.items()},
        odds=np.where(held, rng.normal(size=N), whole.odds),
        means=np.where(held[:, None], 9.0, whole.means),
        twin_odds=np.where(held, rng.normal(size=N), whole.twin_odds),
        twin_rates={end: np.where(held, 9.0, r) for end, r in whole.twin_rates.items()},
    )
    learnt = learnt_combination(whole, ("a", "b", "c"))
    assert 100 < held.sum() < 260
    assert sum(learnt.learnt_from.values()) == N - held.sum()
    assert learnt_combination(spoilt, ("a", "b", "c")).to_json() == learnt.to_json()
    assert held_out_scores(spoilt, learnt, 1) != held_out_scores(whole, learnt, 1)


def test_where_both_know_something_the_combination_is_better_than_each():
    patients = world()
    learnt = learnt_combination(patients, ("a", "b", "c"))
    assert learnt.response[1] > 0.5
    assert learnt.response[2] > 0.5
    assert learnt.hazards["os"].coefficients[0] == pytest.approx(0.65, abs=0.25)  # 0.8, seen without the other part
    found = held_out_scores(patients, learnt, 1)
    for end in ("response", "pfs", "os"):
        assert found[end]["gain"]["low"] > 0.0
    assert sum("is better than" in words for words in held_out_words(found)) == 3


def test_a_forecast_that_knows_nothing_gets_no_weight_and_no_gain_is_claimed():
    patients = world(mechanistic=0.0)
    learnt = learnt_combination(patients, ("a", "b", "c"))
    assert abs(learnt.response[2]) < 0.3
    found = held_out_scores(patients, learnt, 1)
    assert all("not distinguishable from the statistical model" in words for words in held_out_words(found))


def test_what_ships_was_learnt_from_the_numbers_that_ship_and_can_be_read_back():
    learnt = shipped_combination()
    assert learnt.provenance["numbers"] == numbers_digest()
    assert learnt.inputs == load_response_model().inputs
    assert set(learnt.learnt_from) == set(STUDIES)
    assert combination_of(json.loads(json.dumps(learnt.to_json()))).to_json() == learnt.to_json()
    for end, hazard in learnt.hazards.items():
        assert set(hazard.baseline) == set(MONTHS[end]) == set(hazard.combined_baseline)
        assert (np.linalg.eigvalsh(hazard.covariance) > -1e-9).all()


def test_what_ships_was_learnt_from_as_many_patients_as_are_not_held_out(shared_data):
    from immunescape.twins.judging.cohorts import read_real_cohorts

    counts = dict.fromkeys(STUDIES, 0)
    for cohort in read_real_cohorts(shared_data):
        table = cohort.where(arm="inhibitor").table
        for study, patient in zip(table["study"], table["patient"], strict=True):
            counts[study] += not is_held_out(study, patient)
    assert {k: int(v) for k, v in counts.items()} == dict(shipped_combination().learnt_from)


def test_pages_hold_the_scores_that_ship():
    from immunescape.report.judged_report import _combined

    page, about = ((DOCS / name).read_text(encoding="utf-8") for name in ("judged.md", "twins.md"))
    for line in _combined(shipped_combination()):
        assert line in page
    plain = " ".join(about.split())
    for end in ("response", "pfs", "os"):
        gain = shipped_combination().held_out[end]["gain"]
        value, low, high = (f"{round(gain[k], 3) + 0.0:.3f}" for k in ("value", "low", "high"))
        assert f"{value}, {low} to {high}" in plain
    assert f"estimated in {sum(shipped_combination().learnt_from.values())} patients" in plain


def record(lines: tuple[LineRecord, ...] = (), driver: str = "none", **values) -> PatientRecord:
    facts = (Fact("driver", "covariate", allowed=(driver,)),)
    seen = response_probability(values).observed
    return PatientRecord("P", 0.0, facts, lines=lines, statistical=seen)


def outcomes(months: float = 12.0, share: float = 0.3) -> TwinOutcomes:
    n = 200
    os_ = months * np.random.default_rng(2).exponential(1.0, n)
    return TwinOutcomes(np.full(n, 1 / n), (np.arange(n) < share * n).astype(float), 0.5 * os_, os_)


GOOD = {"pdl1": 90, "tmb": 20, "nlr": 2.0, "albumin": 44, "ecog": 0, "age": 60}
POOR = {"pdl1": 0, "tmb": 2, "nlr": 12.0, "albumin": 28, "ecog": 2, "age": 60}


def figures(patient: PatientRecord, twins: TwinOutcomes | None = None):
    made = compared(patient, ("pembrolizumab",), outcomes() if twins is None else twins)
    return {row.figure: row for row in made.rows}


def test_every_figure_has_its_interval_and_follows_the_inputs():
    good, poor = figures(record(**GOOD)), figures(record(**POOR))
    assert list(good) == ["response", "pfs_6", "pfs_12", "os_12", "os_24"]
    for name, row in good.items():
        for value, low, high in (row.statistical, row.combined):
            assert 0.0 < low < value < high < 1.0
        assert row.statistical[0] > poor[name].statistical[0]
        assert row.combined[0] > poor[name].combined[0]
    assert good["os_12"].statistical[0] > good["os_24"].statistical[0]
    assert figures(record(**GOOD))["response"].statistical[0] == pytest.approx(
        response_probability({**GOOD, "prior_therapy": 0, "chemotherapy": 0, "ctla4": 0})
        .standings["response"]
        .probability
    )


def test_the_combination_follows_the_twins_and_the_statistical_model_does_not():
    few, many = figures(record(**GOOD), outcomes(6.0, 0.1)), figures(record(**GOOD), outcomes(24.0, 0.6))
    for name, row in few.items():
        assert many[name].statistical == row.statistical
        assert many[name].combined[0] > row.combined[0]
        assert many[name].twins > row.twins


def test_an_input_that_is_missing_widens_the_interval_and_is_named():
    whole = compared(record(**GOOD), ("pembrolizumab",), outcomes())
    less = compared(record(**{k: v for k, v in GOOD.items() if k != "tmb"}), ("pembrolizumab",), outcomes())
    assert "Tumour mutational burden" in less.missing
    assert "Tumour mutational burden" in whole.measured
    for a, b in zip(whole.rows, less.rows, strict=True):
        odds = [
            np.log(p / (1 - p)) if a.figure == "response" else np.log(-np.log(p))
            for row in (a, b)
            for p in row.statistical[1:]
        ]
        assert abs(odds[3] - odds[2]) > abs(odds[1] - odds[0])


HAD = LineRecord(("pembrolizumab",), -300.0, -100.0, 80.0, (), -100.0)
CHEMO = LineRecord(("carboplatin", "pemetrexed"), -300.0, -100.0, 80.0, (), -100.0)


@pytest.mark.parametrize(
    ("patient", "drugs", "why"),
    [
        (record(**GOOD), ("pembrolizumab", "carboplatin", "pemetrexed"), "no patients' data for this regimen"),
        (record(**GOOD), ("docetaxel",), "no patients' data for this regimen"),
        (record((HAD,), **GOOD), ("atezolizumab",), "no patients' data for this regimen after an earlier PD-(L)1"),
        (record(driver="ALK", **GOOD), ("pembrolizumab",), "in ALK-driven tumours"),
        (record(driver="EGFR", **GOOD), ("pembrolizumab",), "in EGFR-driven tumours in first line"),
        (record(), ("pembrolizumab",), "none of the inputs of the statistical models was measured"),
    ],
)
def test_where_patients_say_nothing_that_is_said(patient, drugs, why):
    made = compared(patient, drugs, outcomes())
    assert made.rows == ()
    assert why in made.why
    assert made.to_json()["not_assessable"] == made.why


def test_a_later_line_without_an_inhibitor_is_covered_and_less_likely_to_respond():
    assert uncovered(record((CHEMO,), **GOOD), ("nivolumab",)) == ""
    later = compared(record((CHEMO,), **GOOD), ("nivolumab",), outcomes()).rows[0]
    assert later.statistical[0] < figures(record(**GOOD))["response"].statistical[0]
