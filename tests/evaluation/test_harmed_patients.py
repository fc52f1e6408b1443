"""In whom a drug does harm: what truly differs is named, what differs by chance is counted, few are not compared."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from immunescape.evaluation.harness.add_ons import BACKBONE, DAY, STEP_DAY, STEPS, AddOn, AddOns, _compared, add_on_rows
from immunescape.evaluation.harness.harmed import FEWEST, baseline_features, harmed_in
from immunescape.evaluation.scenarios import Scenario, Simulated

N = 120


def table(seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "region": "western",
            "histology": rng.choice(["nonsquamous", "squamous"], N, p=[0.7, 0.3]),
            "pdl1_tps": rng.uniform(0, 100, N),
            "tmb_mut_mb": rng.lognormal(2.0, 0.6, N),
            "kras_g12c": np.arange(N) < 2,  # two patients are nothing to compare
            "p:activity_vegf": rng.lognormal(0.0, 0.5, N),
            "p:cd8_infiltration": rng.lognormal(0.0, 0.6, N),
            "p:r_help": rng.lognormal(0.0, 0.6, N),
            "b:CD8": rng.uniform(size=N),
        }
    )


def test_features_are_covariates_axes_and_infiltration() -> None:
    names = set(baseline_features(table()))
    assert {"histology: squamous", "pdl1_tps", "tmb_mut_mb", "axis vegf", "cd8_infiltration"} <= names
    assert not {"region: western", "r_help", "p:r_help", "b:CD8"} & names


def test_a_feature_that_decides_on_harm_is_named_first_and_others_are_not() -> None:
    patients = table()
    harmed = (patients["p:activity_vegf"] > patients["p:activity_vegf"].quantile(0.8)).to_numpy()
    result = harmed_in(harmed, baseline_features(patients), step="infiltration", step_pct=-20.0)
    first = result.differences[0]
    assert first.feature == "axis vegf"
    assert first.difference > 1.5
    assert first.corrected
    # geometric means of the axis itself, though its logarithm is compared
    assert first.harmed == pytest.approx(float(np.exp(np.log(patients["p:activity_vegf"][harmed]).mean())))
    assert all(not d.corrected for d in result.differences[1:])
    assert "axis vegf" in result.sentence("bevacizumab")
    assert "infiltration (-20 %)" in result.sentence("bevacizumab")
    assert result.compared == 6  # KRAS G12C is too rare


def test_without_a_difference_as_many_features_differ_as_chance_gives() -> None:
    rng = np.random.default_rng(5)
    features = {f"x{k}": (rng.standard_normal(N), False) for k in range(2000)}
    result = harmed_in(np.arange(N) < 15, features)
    assert result.by_chance == pytest.approx(91.0, abs=0.1)
    assert abs(len(result.differences) - result.by_chance) < 4 * math.sqrt(result.by_chance)
    assert sum(d.corrected for d in result.differences) <= 2


def test_a_trait_that_all_the_harmed_have_and_no_other_gives_a_finite_difference() -> None:
    harmed = np.arange(N) < 20
    result = harmed_in(harmed, {"trait": (harmed.astype(float), False)})
    only = result.differences[0]
    assert (only.harmed, only.others) == (1.0, 0.0)
    assert math.isfinite(only.difference)
    assert only.se == pytest.approx(math.sqrt(N / (20 * 100)))


def test_too_few_harmed_are_not_compared_and_it_says_so() -> None:
    result = harmed_in(np.arange(N) < FEWEST - 1, baseline_features(table()))
    assert result.compared == 0
    assert result.differences == ()
    assert "too few" in result.sentence("x")


def test_the_report_has_a_section_on_harm_only_where_a_drug_harms() -> None:
    figures = dict.fromkeys(("visible_pct", "volume_pct", "response_pct", "gain_points", "gain_se", "step_pct"), 0.0)
    row = AddOn(
        drug="levofloxacin",
        kind="immune",
        regimen="r",
        patients=N,
        helped_pct=4.0,
        harmed_pct=20.0,
        step="s",
        **figures,
    )
    patients = table()
    harmed = (patients["pdl1_tps"] > 80.0).to_numpy()
    bad = AddOn(**{**vars(row), "harmed_in": harmed_in(harmed, baseline_features(patients))})
    result = AddOns(backbone="p", specificity="full", patients=N, seeds=(1,), response_pct=30.0, rows=(bad,))
    assert "## In whom drugs do harm" in result.to_markdown()
    assert "* levofloxacin: " in result.to_markdown()
    assert result.to_json()["drugs"][0]["harmed_in"]["differences"][0]["feature"] == "pdl1_tps"
    none = AddOns(backbone="p", specificity="full", patients=N, seeds=(1,), response_pct=30.0, rows=(row,))
    assert "In whom" not in none.to_markdown()
    assert none.to_json()["drugs"][0]["harmed_in"] is None


def test_patients_of_all_seeds_are_compared_with_the_step_that_weakens_in_those_harmed() -> None:
    rows = add_on_rows(["bevacizumab"])
    alone = Scenario(regimens=(BACKBONE,))
    pair = Scenario(regimens=(BACKBONE, rows[0]["regimen"]))
    days = np.array([0.0, STEP_DAY, DAY])
    runs = []
    for seed in (1, 2):
        patients = table(seed)
        harmed = patients["p:activity_vegf"].to_numpy() > 1.5
        plain = {f"f_{p}": np.ones((N, 3)) for _, names in STEPS.values() for p in names}
        plain["diameter_T"] = np.full((N, 3), 30.0)
        changed = {**plain, "f_infiltration": np.where(harmed, 0.5, 1.2)[:, None] * np.ones((N, 3))}
        changed["diameter_T"] = np.stack([np.full(N, 30.0), np.full(N, 30.0), np.where(harmed, 33.0, 27.0)], axis=1)
        changed["diameter_T"][0] = np.nan  # a patient whose simulation failed
        runs.append((SimpleNamespace(table=patients), Simulated(days, {alone: plain, pair: changed})))
    (added,), by_patient = _compared(rows, alone, {"bevacizumab": pair}, (1, 2), runs)  # type: ignore[arg-type]
    assert added.harmed_in is not None
    assert added.patients == added.harmed_in.patients == 2 * N - 2
    assert added.harmed_in.differences[0].feature == "axis vegf"
    assert added.harmed_in.step == "infiltration"
    assert added.harmed_in.step_pct == pytest.approx(-50.0)
    assert "vessels" in added.harmed_in.through
    assert list(by_patient["seed"].unique()) == [1, 2]
    assert len(by_patient) == 2 * N
    change = by_patient["drug:bevacizumab"]
    assert change.isna().sum() == 2
    assert (change > math.log(1.05)).sum() == added.harmed_in.harmed
