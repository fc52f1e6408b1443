"""Combinations: failures and successes apart, rivals that know no biology, and what chance alone would leave."""

from __future__ import annotations

import math

import numpy as np
import pytest

from immunescape.evaluation.harness.combination_table import (
    AfterInhibitor,
    Combined,
    combination_aims,
    combination_score,
    contains_rule_drug,
    noise_floor,
    roc_area,
    seed_correlation,
    slope_of,
)
from immunescape.evaluation.harness.odds_table import FIFTEEN, odds_aims, odds_table
from immunescape.evaluation.harness.protocols import Protocol
from immunescape.trial.loading import load_trial


def rows(predicted, published, met, rule=None, se=0.1):
    rule = rule or [False] * len(met)
    return [
        Combined(trial=f"t{k}", predicted=m, published=y, predicted_se=se, published_se=se, met=hit, rule=r)
        for k, (m, y, hit, r) in enumerate(zip(predicted, published, met, rule, strict=True))
    ]


TRUTH = [-0.5, -0.4, -0.45, 0.0, 0.05, -0.05, -0.1]
MET = [True, True, True, False, False, False, False]


def test_a_model_that_knows_the_effects_meets_every_aim_and_one_that_promises_all_the_same_none():
    rule = [True, False, True, False, True, False, True]
    right = combination_score(rows(TRUTH, TRUTH, MET, rule), "pfs_hr")
    assert right.means["failures"] == (4, pytest.approx(-0.025), pytest.approx(-0.025))
    assert right.roc["model"] == 1.0
    assert right.slope == pytest.approx(1.0)
    aims_of_right = combination_aims([right], AfterInhibitor(()))
    assert all(a.met for a in aims_of_right)
    numbers = {a.text.split(":")[0]: a.n for a in aims_of_right}
    assert (numbers["PFS, all"], numbers["PFS, with VEGF or KRAS inhibitor"], numbers["PFS, without"]) == (7, 4, 3)
    hopeful = combination_score(rows([-0.6, -0.6, -0.6, -0.6, -0.61, -0.6, -0.6], TRUTH, MET, rule), "pfs_hr")
    aims = {a.text: a.met for a in combination_aims([hopeful], AfterInhibitor((("a", "x", 20.0, 8.0),)))}
    assert not aims["PFS, failures: mean predicted ln hazard ratio within ± 0.07 of the published"]
    assert not aims["PFS, all: median absolute error of ln below 'no effect'"]
    assert not aims["response after progression on an inhibitor: median absolute error at most 5 points"]
    assert hopeful.roc["model"] == pytest.approx(3 * 3.5 / 12 - 0.25, abs=0.4)


def test_the_rule_predicts_the_mean_of_other_regimens_of_its_kind():
    made = combination_score(
        rows([0.0] * 4, [-0.4, -0.6, 0.0, 0.2], [True, True, False, False], [True, True, False, False]), "os_hr"
    )
    assert made.errors["all"]["VEGF or KRAS inhibitor"] == pytest.approx(0.2)  # 0.2 from each other
    assert made.errors["all"]["no effect"] == pytest.approx(0.3)
    assert made.roc["VEGF or KRAS inhibitor"] == 1.0
    assert made.roc["no effect"] == 0.5


def test_the_area_under_the_curve_is_the_share_of_pairs_in_the_right_order():
    assert roc_area(np.array([-0.5, 0.0, -0.2, 0.1]), np.array([True, True, False, False])) == 0.75
    assert roc_area(np.array([0.1, 0.2]), np.array([True, True])) is None


def test_the_slope_is_that_of_least_squares():
    x, y = np.array([0.0, 1.0, 2.0, 4.0]), np.array([0.1, 0.4, 1.2, 1.9])
    design = np.column_stack([np.ones(4), x])
    coefficients, left, *_ = np.linalg.lstsq(design, y, rcond=None)
    slope, se = slope_of(x, y)
    assert slope == pytest.approx(coefficients[1])
    assert se == pytest.approx(math.sqrt(left[0] / 2 * np.linalg.inv(design.T @ design)[1, 1]))
    assert slope_of(np.ones(5), np.arange(5.0)) == (None, None)


def test_the_noise_floor_grows_with_errors_and_correlated_errors_of_one_seed_move_the_mean():
    exact = {f.score: f for f in noise_floor(rows(TRUTH, TRUTH, MET, se=0.01), "pfs_hr", correlation=0.0, draws=300)}
    noisy = {f.score: f for f in noise_floor(rows(TRUTH, TRUTH, MET, se=0.2), "pfs_hr", correlation=0.0, draws=300)}
    shared = {f.score: f for f in noise_floor(rows(TRUTH, TRUTH, MET, se=0.2), "pfs_hr", correlation=1.0, draws=300)}
    assert exact["median absolute error"].median < 0.03 < noisy["median absolute error"].median
    assert exact["ROC area"].median == 1.0 > noisy["ROC area"].median
    assert exact["slope"].median == pytest.approx(1.0, abs=0.02)
    assert shared["mean error"].high > 1.3 * noisy["mean error"].high
    # without correlation the mean error of n trials has the error of both sides over the root of n
    assert noisy["mean error"].high == pytest.approx(1.645 * 0.2 * math.sqrt(2 / len(TRUTH)), rel=0.15)


def test_the_correlation_of_errors_of_one_seed_is_found_again():
    rng = np.random.default_rng(2)
    common = rng.normal(size=400)
    table = math.sqrt(0.4) * common + math.sqrt(0.6) * rng.normal(size=(12, 400))
    assert seed_correlation(table.tolist()) == pytest.approx(0.4, abs=0.06)
    assert seed_correlation([[0.1], [0.2]]) is None


def test_the_rule_sees_drugs_against_vegf_and_kras_in_the_experimental_arm():
    told = {
        name: contains_rule_drug(Protocol(load_trial(name), "calibration", "addon", {}))
        for name in ("impower150", "keynote-189", "sintilimab-anlotinib")
    }
    assert told == {"impower150": True, "keynote-189": False, "sintilimab-anlotinib": True}


def loris(folder, responders):
    """A cohort of 80 patients whose response follows their PD-L1: (responders of 40 high, of 40 low)."""
    (folder / "loris").mkdir(parents=True)
    lines = ["SAMPLE_ID,Response,PDL1_TPS(%),TMB,HLA_LOH,NLR,Albumin"]
    for level, hits in zip((80, 0), responders, strict=True):
        lines += [f"{level}-{k},{int(k < hits)},{level},5,{k % 2},3,4" for k in range(40)]
    (folder / "loris" / "chowell_train_nsclc.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_odds_ratios_stand_beside_those_of_real_patients_and_beside_one(tmp_path):
    data = loris(tmp_path, (20, 8))
    published = (20 * 32) / (20 * 8)
    table = {r.factor: r for r in odds_table({"PD-L1 >= 50 v < 1 %": [[500, 1000, 200, 1000]]}, data)}
    assert list(table) == list(FIFTEEN)
    row = table["PD-L1 >= 50 v < 1 %"]
    assert row.published == pytest.approx(published)
    assert row.virtual == pytest.approx(4.0)
    assert row.inside
    assert row.n_virtual == 2000
    assert row.model > row.no_association
    assert table["KRAS"].published is None
    aims = {a.text: a for a in odds_aims(list(table.values()))}
    assert aims["odds ratio of response, PD-L1 >= 50 v < 1 %: inside its published interval"].met
    assert aims["odds ratios of response: pooled log-likelihood above that of odds ratio 1"].met
    wrong = odds_table({"PD-L1 >= 50 v < 1 %": [[100, 1000, 500, 1000]]}, data)
    assert not any(a.met for a in odds_aims(wrong))
