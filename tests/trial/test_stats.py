"""Statistics against lifelines' own data, textbook values and simulation with a known truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immunescape.trial import stats

# Freireich 1963, remission of acute leukaemia (weeks), as in every textbook: 6-mercaptopurine against placebo.
MP = ([6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35],
      [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0])  # fmt: skip
PLACEBO = ([1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23], [1] * 21)


def test_kaplan_meier_textbook():
    table = stats.kaplan_meier(*MP).set_index("time")
    assert table.loc[6, "survival"] == pytest.approx(18 / 21)
    assert table.loc[10, "survival"] == pytest.approx(18 / 21 * 16 / 17 * 14 / 15)
    assert table.loc[23, "survival"] == pytest.approx(0.448, abs=5e-4)
    assert table.loc[0, "at_risk"] == 21
    assert ((table["low"] <= table["survival"] + 1e-12) & (table["survival"] <= table["high"] + 1e-12)).all()


def test_medians_textbook():
    assert stats.median_survival(*MP).value == 23
    placebo = stats.median_survival(*PLACEBO)
    assert placebo.value == 8
    assert (placebo.low, placebo.high) == (4, 11)


def test_median_not_reached_is_none():
    estimate = stats.median_survival([5, 6, 7, 8], [1, 0, 0, 0])
    assert estimate.value is None
    assert stats.median_survival([], []).value is None


def test_cox_textbook():
    # Efron: coefficient of placebo 1.572 (Therneau & Grambsch); exact log-rank chi-square 16.79.
    ratio = stats.cox_hazard_ratio(*PLACEBO, *MP)
    assert math.log(ratio.value) == pytest.approx(1.572, abs=2e-3)
    assert stats.log_rank_p(*PLACEBO, *MP) == pytest.approx(4.17e-5, rel=0.02)
    both = [a + b for a, b in zip(PLACEBO, MP, strict=True)]
    assert math.log(stats.fast_hazard_ratio(*both, [1] * 21 + [0] * 21)) == pytest.approx(1.57213, abs=1e-4)


def test_ratio_without_events_does_not_exist():
    assert stats.cox_hazard_ratio([1, 2], [0, 0], [1, 2], [1, 1]).value is None
    assert math.isnan(stats.fast_hazard_ratio([1, 2, 3], [0, 1, 1], [1, 0, 0]))
    assert stats.log_rank_p([1], [0], [2], [0]) is None


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_fast_hazard_ratio_equals_lifelines(seed):
    rng = np.random.default_rng(seed)
    n = 60
    group = (np.arange(n) % 2).astype(float)
    time = np.ceil(rng.exponential(10 * np.exp(-0.5 * group)))  # many ties
    event = rng.uniform(size=n) < 0.8
    mine = stats.fast_hazard_ratio(time, event, group)
    theirs = stats.cox_hazard_ratio(time[group == 1], event[group == 1], time[group == 0], event[group == 0])
    assert mine == pytest.approx(theirs.value, rel=1e-3)  # lifelines stops its iteration early


def test_restricted_mean_of_complete_data_is_the_mean_of_the_minimum():
    time = np.array([1.0, 2.0, 3.0, 10.0])
    estimate = stats.restricted_mean(time, [1, 1, 1, 1], 5.0)
    assert estimate.value == pytest.approx(np.minimum(time, 5).mean())
    assert estimate.low < estimate.value < estimate.high


def test_restricted_mean_equals_lifelines():
    from lifelines import KaplanMeierFitter
    from lifelines.utils import restricted_mean_survival_time

    theirs = restricted_mean_survival_time(KaplanMeierFitter().fit(*MP), t=20)
    estimate = stats.restricted_mean(*MP, 20)
    assert estimate.value == pytest.approx(theirs, rel=1e-6)
    # Without censoring the Greenwood variance is the empirical variance of min(T, horizon) over n.
    time = np.random.default_rng(1).exponential(10, 400)
    ours = stats.restricted_mean(time, np.ones(400), 12.0)
    half = 1.96 * np.minimum(time, 12).std() / 20
    assert ours.high - ours.value == pytest.approx(half, rel=1e-3)


def test_clopper_pearson_known_values():
    estimate = stats.clopper_pearson(7, 20)
    assert (estimate.low, estimate.high) == (pytest.approx(0.1539, abs=1e-4), pytest.approx(0.5922, abs=1e-4))
    assert stats.clopper_pearson(0, 10).high == pytest.approx(1 - 0.025 ** (1 / 10))
    assert stats.clopper_pearson(10, 10).high == 1.0
    assert stats.clopper_pearson(0, 0).value is None


def test_paired_bootstrap_is_narrower_for_paired_arms_and_reproducible():
    rng = np.random.default_rng(5)
    frailty = rng.exponential(10, 150) + 0.1
    better, worse = frailty * 1.3, frailty
    event = np.ones(150, dtype=bool)
    paired = stats.paired_bootstrap(better, event, worse, event, seed=1, samples=200)
    again = stats.paired_bootstrap(better, event, worse, event, seed=1, samples=200)
    independent = stats.cox_hazard_ratio(better, event, worse, event)
    assert paired == again
    assert paired.value == pytest.approx(independent.value, rel=1e-4)
    assert paired.high - paired.low < 0.5 * (independent.high - independent.low)
    assert paired.high < 1.0
