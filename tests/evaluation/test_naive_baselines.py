"""Naive predictions of arms and hazard ratios, errors beside them, and aims that are met or missed."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from immunescape.evaluation.aims import aims, error_rows
from immunescape.evaluation.naive import (
    ArmFigure,
    Judged,
    RatioFigure,
    arm_baselines,
    arm_kind,
    calibration_trials,
    judged_scores,
    published_arm_figures,
    published_ratio_figures,
    ratio_baselines,
)
from immunescape.evaluation.scoreboard import Score
from immunescape.report.aims_report import aims_table, errors_table
from immunescape.trial.loading import load_trial

CHEMO, ICI = "chemotherapy, first line", "inhibitor, first line"


def figure(trial: str, value: float, *, kind: str = CHEMO, control: bool = True, year: int = 2015, of: str = "orr_pct"):
    return ArmFigure(trial=trial, arm="arm", figure=of, value=value, kind=kind, control=control, year=year)


def test_an_arm_is_predicted_by_all_arms_by_its_line_and_class_and_by_the_last_trials_control():
    published = [
        figure("old", 20, year=2010),
        figure("new", 30, year=2014),
        figure("later", 50, year=2020),
        figure("new", 60, kind=ICI, control=False, year=2014),
        figure("mine", 99, year=2016),
    ]
    values = {name: value for name, (value, _) in arm_baselines(figure("mine", 0, year=2016), published).items()}
    assert values == {"constant": 40.0, "line and class": pytest.approx(100 / 3), "last trial": 30.0}


def test_the_last_trial_of_a_control_arm_is_a_control_and_of_one_year_the_mean_counts():
    published = [
        figure("a", 10, year=2014),
        figure("b", 20, year=2014),
        figure("c", 90, year=2014, control=False),
    ]
    assert arm_baselines(figure("mine", 0, year=2016), published)["last trial"][0] == 15.0
    own = arm_baselines(figure("mine", 0, control=False, year=2016), published)
    assert own["last trial"][0] == 40.0


def test_a_class_without_another_trial_falls_back_on_the_constant_and_medians_are_averaged_as_logarithms():
    published = [figure("a", 4, of="os_median_months"), figure("b", 9, of="os_median_months")]
    told = arm_baselines(figure("mine", 0, kind=ICI, of="os_median_months"), published)
    assert {name: round(value, 6) for name, (value, _) in told.items()} == dict.fromkeys(
        ("constant", "line and class", "last trial"), 6.0
    )
    assert arm_baselines(figure("a", 4), [figure("a", 4)]) == {}


def test_a_ratio_is_predicted_by_constant_class_round_number_and_no_effect_without_its_own_trial():
    published = [
        RatioFigure("a", "pfs_hr", 0.5, "ici"),
        RatioFigure("b", "pfs_hr", 0.8, "own"),
        RatioFigure("mine", "pfs_hr", 0.1, "ici"),
        RatioFigure("a", "os_hr", 0.9, "ici"),
    ]
    told = ratio_baselines("mine", "pfs_hr", "ici", published)
    assert {name: value for name, (value, _) in told.items()} == {
        "constant": pytest.approx(math.sqrt(0.4)),
        "class": pytest.approx(0.5),
        "round": 0.65,
        "no effect": 1.0,
    }
    assert told["no effect"][1] == pytest.approx(math.sqrt((math.log(0.5) ** 2 + math.log(0.8) ** 2) / 2))


def test_bias_and_median_error_are_points_for_response_and_percent_for_medians():
    judged = [
        Judged(
            trial="a",
            arm="x",
            figure="orr_pct",
            kind=CHEMO,
            predicted=20.0,
            published=25.0,
            baselines={"constant": (30.0, 1.0)},
        ),
        Judged(
            trial="b",
            arm="x",
            figure="orr_pct",
            kind=CHEMO,
            predicted=21.0,
            published=20.0,
            baselines={"constant": (30.0, 1.0)},
        ),
        Judged(trial="a", arm="x", figure="os_median_months", kind=CHEMO, predicted=12.0, published=10.0),
        Judged(trial="b", arm="x", figure="os_median_months", kind=CHEMO, predicted=None, published=10.0),
        Judged(trial="c", arm="x", figure="os_median_months", kind=CHEMO, predicted=10.5, published=10.0),
    ]
    rows = {(r.figure, r.predictor): r for r in error_rows(judged)}
    assert rows["orr_pct", "model"].bias == pytest.approx(-2.0)
    assert rows["orr_pct", "model"].median_abs == pytest.approx(3.0)
    assert rows["orr_pct", "constant"].bias == pytest.approx(7.5)
    median = rows["os_median_months", "model"]
    assert median.median_abs == pytest.approx(20.0)  # a median that is not reached is the largest error
    assert median.bias == pytest.approx(100 * (math.sqrt(1.2 * 1.05) - 1))
    assert rows["os_median_months", "model"].n == 3


def ratios(predicted, published, kind="ici", figure_="pfs_hr", width=0.3):
    return [
        Judged(
            trial=f"{kind} {k}",
            arm="",
            figure=figure_,
            kind=kind,
            predicted=p,
            published=y,
            low=p * math.exp(-width),
            high=p * math.exp(width),
            baselines={"constant": (0.7, 0.2), "no effect": (1.0, 0.4)},
        )
        for k, (p, y) in enumerate(zip(predicted, published, strict=True))
    ]


def test_errors_have_intervals_over_trials_whose_figures_err_together():
    rng = np.random.default_rng(0)
    errors = rng.normal(0.1, 0.2, 40)
    many = ratios(np.exp(errors - 0.3), np.full(40, math.exp(-0.3)))
    row = error_rows(many)[0]
    low, high = row.bias_interval
    assert (low, high) == pytest.approx(
        errors.mean() + np.array([-1.96, 1.96]) * errors.std() / math.sqrt(40), abs=0.03
    )
    assert row.median_interval[0] < row.median_abs < row.median_interval[1]
    # both arms of a trial with one error are no more than one: the interval stays as wide
    twice = error_rows([*many, *many])[0]
    assert twice.n == 80
    assert twice.bias_interval[1] - twice.bias_interval[0] == pytest.approx(high - low, rel=0.15)
    shown = errors_table({"own": many}).rows[0]
    assert shown["Bias (95 %)"] == f"{row.bias:+.3f} ({low:+.3f} to {high:+.3f})"


def test_two_trials_have_no_interval_and_a_bound_that_is_not_reached_is_null():
    assert error_rows(ratios([0.5, 0.6], [0.7, 0.7]))[0].bias_interval is None
    unreached = [
        Judged(trial=str(k), arm="x", figure="os_median_months", kind=CHEMO, predicted=p, published=10.0)
        for k, p in enumerate((None, None, 11.0, 12.0))
    ]
    record = error_rows(unreached)[0].row()
    assert record["median_abs"] is None
    assert record["median_interval"][1] is None
    assert "(10.0 to not reached)" in errors_table({"own": unreached}).rows[0]["Median abs. error (95 %)"]


def reached(judged):
    return {a.text: a for a in aims(judged)}


def test_predictions_that_are_right_meet_the_aims_and_those_that_promise_too_much_miss_them():
    truth = [0.5, 0.6, 0.7, 0.8, 0.9]
    good = reached([*ratios(truth, truth), *ratios([0.9, 1.0], [0.9, 1.0], kind="own")])
    assert good["PFS hazard ratio: median absolute error of ln at most 0.12"].met
    assert good["PFS hazard ratio: mean error of ln within ± 0.05"].met
    assert good["PFS hazard ratio: regimen classes in the right order"].met
    assert good["PFS hazard ratio: rank correlation at least 0.6 within 'ici'"].met
    assert good["PFS hazard ratio: 90% to 98% inside the 95 % interval"].met is None  # of 7, none can be
    assert good["PFS hazard ratio: interval score below the best baseline's"].met
    hopeful = reached([*ratios([y * 0.7 for y in truth[::-1]], truth), *ratios([0.3, 0.3], [0.9, 1.0], kind="own")])
    assert not any(a.met for a in hopeful.values())


@pytest.mark.parametrize(("trials", "inside", "met"), [(9, 8, None), (10, 9, True), (10, 10, False), (20, 17, False)])
def test_coverage_is_judged_where_so_many_trials_can_show_it(trials, inside, met):
    published = [0.7] * inside + [0.3] * (trials - inside)
    aim = reached(ratios([0.7] * trials, published))["PFS hazard ratio: 90% to 98% inside the 95 % interval"]
    assert aim.met is met
    assert aims_table({"all": ratios([0.7] * trials, published)}).rows


def test_response_that_is_too_low_on_chemotherapy_is_missed_though_the_median_is_met():
    judged = [
        Judged(
            trial=f"t{k}",
            arm="x",
            figure="orr_pct",
            kind=CHEMO,
            predicted=20.0 + k / 10,
            published=24.0,
            low=None,
            high=None,
        )
        for k in range(5)
    ]
    judged += [
        Judged(trial=f"t{k}", arm="y", figure="orr_pct", kind=ICI, predicted=40.0, published=40.0) for k in range(5)
    ]
    by = reached(judged)
    assert by["response: median absolute error at most 5 points"].met
    assert not by["response on chemotherapy: not too low (mean error above −2 standard errors)"].met


def test_the_arms_of_trials_that_ship_have_a_class_and_a_line():
    kinds = {
        (name, arm.name): arm_kind(trial, arm)
        for name in ("keynote-189", "oak", "pacific", "sintilimab-anlotinib")
        for trial in [load_trial(name)]
        for arm in trial.arms
    }
    assert kinds["keynote-189", "chemotherapy"] == "chemotherapy, first line"
    assert kinds["keynote-189", "pembrolizumab and chemotherapy"] == "inhibitor and chemotherapy, first line"
    assert kinds["oak", "docetaxel"] == "chemotherapy, later line"
    assert kinds["pacific", "durvalumab"] == "inhibitor, after chemoradiotherapy"
    assert any(k.startswith("inhibitor and other drugs") for k in kinds.values())


def test_naive_predictors_learn_on_no_validation_trial():
    names = {t.name for t in calibration_trials()}
    assert {"keynote-024", "camel", "revel-control"} <= names
    assert not names & {"keynote-010", "impower131", "keynote-789"}
    assert {f.trial for f in published_ratio_figures(calibration_trials())} <= names


def test_ones_own_trial_stands_beside_what_calibration_trials_would_have_said():
    trial = load_trial("keynote-010")
    scores = [
        Score(
            trial="keynote-010",
            role="validation",
            arm="docetaxel",
            endpoint="orr_pct",
            predicted=12.0,
            low=8.0,
            high=16.0,
            published=9.0,
            published_low=None,
            published_high=None,
        ),
        Score(
            trial="keynote-010",
            role="validation",
            arm="pembrolizumab / docetaxel",
            endpoint="os_hr",
            predicted=0.8,
            low=0.6,
            high=1.0,
            published=0.71,
            published_low=None,
            published_high=None,
        ),
        Score(
            trial="keynote-010",
            role="validation",
            arm="docetaxel",
            endpoint="os_12_pct",
            predicted=30.0,
            low=25.0,
            high=35.0,
            published=None,
            published_low=None,
            published_high=None,
        ),
    ]
    judged = judged_scores(scores, [trial])
    assert [j.figure for j in judged] == ["orr_pct", "os_hr"]
    later = [
        f
        for f in published_arm_figures(calibration_trials())
        if f.kind == "chemotherapy, later line" and f.figure == "orr_pct"
    ]
    expected = sum(f.value for f in later) / len(later)
    assert judged[0].baselines["line and class"][0] == pytest.approx(expected)
    groups = {"validation": judged}
    assert "baseline: last trial" in {row["Predictor"] for row in errors_table(groups).rows}
    assert {row["Met"] for row in aims_table(groups).rows} <= {"met", "missed", "not judged"}


def test_chance_alone_stands_beside_the_baselines_of_ones_own_trial():
    common = {"trial": "keynote-010", "role": "own", "low": None, "high": None}
    response = Score(
        arm="docetaxel",
        endpoint="orr_pct",
        predicted=12.0,
        published=10.0,
        published_low=None,
        published_high=None,
        n=100,
        n_published=300,
        **common,
    )
    ratio = Score(
        arm="pembrolizumab / docetaxel",
        endpoint="os_hr",
        predicted=0.8,
        published=0.7,
        published_low=0.55,
        published_high=0.9,
        n=200,
        n_published=600,
        **common,
    )
    judged = judged_scores([response, ratio], [load_trial("keynote-010")])
    assert judged[0].chance == pytest.approx(math.hypot(3.0, 3.0 / math.sqrt(3.0)))
    assert judged[1].chance == pytest.approx(math.hypot(math.log(0.9 / 0.55) / 3.92, math.sqrt(4 / 140)))
    rows = {(r["Figure"], r["Predictor"]): r for r in errors_table({"own": judged}).rows}
    assert rows["response (points)", "chance alone"]["Median abs. error (95 %)"] == "2.3"
    assert rows["ln OS hazard ratio", "chance alone"]["n"] == 1
    assert "chance" not in " ".join(str(a.reached) for a in aims(judged))
    unknown = judged_scores([replace(response, n_published=0)], [load_trial("keynote-010")])
    assert unknown[0].chance is None
