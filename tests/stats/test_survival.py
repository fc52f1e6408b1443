"""Statistics against lifelines' own data, textbook values and simulation with a known truth."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immunescape.stats import cox, exact, survival

# Freireich 1963, remission of acute leukaemia (weeks), as in every textbook: 6-mercaptopurine against placebo.
MP = (
    [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35],
    [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0],
)
PLACEBO = ([1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23], [1] * 21)


def test_kaplan_meier_textbook():
    table = survival.kaplan_meier(*MP).set_index("time")
    assert table.loc[6, "survival"] == pytest.approx(18 / 21)
    assert table.loc[10, "survival"] == pytest.approx(18 / 21 * 16 / 17 * 14 / 15)
    assert table.loc[23, "survival"] == pytest.approx(0.448, abs=5e-4)
    assert table.loc[0, "at_risk"] == 21
    assert ((table["low"] <= table["survival"] + 1e-12) & (table["survival"] <= table["high"] + 1e-12)).all()


def test_medians_textbook():
    assert survival.median_survival(*MP).value == 23
    placebo = survival.median_survival(*PLACEBO)
    assert placebo.value == 8
    assert (placebo.low, placebo.high) == (4, 11)


def test_median_not_reached_is_none():
    estimate = survival.median_survival([5, 6, 7, 8], [1, 0, 0, 0])
    assert estimate.value is None
    assert survival.median_survival([], []).value is None


def test_cox_textbook():
    # Efron: coefficient of placebo 1.572 (Therneau & Grambsch); exact log-rank chi-square 16.79.
    ratio = cox.cox_hazard_ratio(*PLACEBO, *MP)
    assert math.log(ratio.value) == pytest.approx(1.572, abs=2e-3)
    assert cox.log_rank_p(*PLACEBO, *MP) == pytest.approx(4.17e-5, rel=0.02)
    both = [a + b for a, b in zip(PLACEBO, MP, strict=True)]
    assert math.log(cox.fast_hazard_ratio(*both, [1] * 21 + [0] * 21)) == pytest.approx(1.57213, abs=1e-4)


@pytest.mark.parametrize("n", [2, 14, 30, 118, 362])
def test_a_curve_that_falls_to_one_half_exactly_has_its_median_there(n):
    time = np.arange(1.0, n + 1)
    assert survival.median_survival(time, np.ones(n)).value == survival.median_time(time, np.ones(n)) == n / 2


def test_the_median_alone_is_that_of_the_estimate():
    rng = np.random.default_rng(5)
    for n in (1, 5, 40):
        time, event = np.ceil(rng.exponential(9, n)), rng.random(n) < 0.5
        assert survival.median_time(time, event) == survival.median_survival(time, event).value
    assert survival.median_time([], []) is None


def test_two_groups_have_the_ratio_of_the_general_regression():
    rng = np.random.default_rng(6)
    for rounded in (1.0, 0.01):
        time = np.ceil(rng.exponential(10, 120) / rounded) * rounded
        event, group = rng.random(120) < 0.6, np.repeat([1.0, 0.0], [50, 70])
        two = cox.cox_hazard_ratio(time[:50], event[:50], time[50:], event[50:])
        general = cox.hazard_ratio_of(time, event.astype(float), group)
        assert (two.value, two.low, two.high) == pytest.approx((general.value, general.low, general.high), rel=1e-8)


def test_ratio_without_events_does_not_exist():
    assert cox.cox_hazard_ratio([1, 2], [0, 0], [1, 2], [1, 1]).value is None
    assert math.isnan(cox.fast_hazard_ratio([1, 2, 3], [0, 1, 1], [1, 0, 0]))


@pytest.mark.parametrize("n", [1, 2, 5])
def test_all_of_one_group_before_the_first_of_the_other_have_no_hazard_ratio(n):
    early, late = [1.0 + 0.1 * i for i in range(n)], [5.0 + 0.1 * i for i in range(n)]
    for a, b in ((early, late), (late, early)):
        assert cox.cox_hazard_ratio(a, [1] * n, b, [1] * n).value is None
        assert math.isnan(cox.fast_hazard_ratio(a + b, [1] * 2 * n, [1] * n + [0] * n))
    assert cox.log_rank_p([1], [0], [2], [0]) is None


def _two_groups(seed, n=60):
    """Times with many ties, some censored, of two groups that differ."""
    rng = np.random.default_rng(seed)
    group = np.arange(n) % 2
    scale = rng.choice([1.0, 1 / 30.4375])  # whole days, or months that are no round numbers
    time = np.ceil(rng.exponential(10 * np.exp(-0.5 * group))) * scale
    event = rng.uniform(size=n) < rng.uniform(0.3, 1.0)
    event[:2] = True
    return (time[group == 1], event[group == 1]), (time[group == 0], event[group == 0])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_curves_and_medians_equal_lifelines(seed):
    from lifelines import KaplanMeierFitter
    from lifelines.utils import median_survival_times

    for time, event in _two_groups(seed):
        theirs = KaplanMeierFitter().fit(time, event)
        mine = survival.kaplan_meier(time, event)
        np.testing.assert_array_equal(mine["time"], theirs.survival_function_.index)
        np.testing.assert_array_equal(mine["survival"], theirs.survival_function_.iloc[:, 0])
        np.testing.assert_allclose(mine[["low", "high"]], theirs.confidence_interval_, rtol=1e-13)
        for name, column in (("at_risk", "at_risk"), ("events", "observed"), ("censored", "censored")):
            np.testing.assert_array_equal(mine[name], theirs.event_table[column])
        medians = [theirs.median_survival_time_, *median_survival_times(theirs.confidence_interval_).to_numpy()[0]]
        estimate = survival.median_survival(time, event)
        found = [math.inf if v is None else v for v in (estimate.value, estimate.low, estimate.high)]
        assert found == medians


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_hazard_ratio_and_log_rank_equal_lifelines(seed):
    import pandas as pd
    from lifelines import CoxPHFitter
    from lifelines.statistics import logrank_test

    a, b = _two_groups(seed)
    frame = pd.DataFrame({"time": np.append(a[0], b[0]), "event": np.append(a[1], b[1]), "group": [1] * 30 + [0] * 30})
    fit = CoxPHFitter().fit(frame, "time", "event", fit_options={"precision": 1e-12, "r_precision": 1e-14})
    mine = cox.cox_hazard_ratio(*a, *b)
    theirs = fit.summary.loc["group", ["exp(coef)", "exp(coef) lower 95%", "exp(coef) upper 95%"]]
    np.testing.assert_allclose([mine.value, mine.low, mine.high], theirs.to_numpy(dtype=float), rtol=1e-6)
    assert cox.fast_hazard_ratio(frame["time"], frame["event"], frame["group"]) == mine.value
    assert cox.log_rank_p(*a, *b) == pytest.approx(logrank_test(a[0], b[0], a[1], b[1]).p_value, rel=1e-9)


def test_a_time_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="finite"):
        survival.kaplan_meier([1.0, math.nan], [1, 1])


@settings(max_examples=40, deadline=None)
@given(st.floats(1, 300), st.just(0.0) | st.floats(1e-3, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_clopper_pearson_equals_quantiles_of_the_beta_distribution(n, share, level):
    from scipy.stats import beta

    x = n * share
    estimate = exact.clopper_pearson(x, n, level)
    assert estimate.low == pytest.approx(
        beta.ppf((1 - level) / 2, x, n - x + 1) if x > 0 else 0.0, rel=1e-9, abs=1e-280
    )
    assert estimate.high == pytest.approx(beta.ppf((1 + level) / 2, x + 1, n - x) if x < n else 1.0, rel=1e-9)


def test_a_trial_needs_neither_lifelines_nor_scipy_stats():
    code = (
        "import sys; sys.modules['lifelines'] = sys.modules['scipy.stats'] = None\n"  # importing them would fail
        "from immunescape.stats import cox, exact, survival\n"
        "a, b = ([1, 2, 3, 4], [1, 1, 0, 1]), ([2, 3, 5, 7], [1, 1, 1, 0])\n"
        "survival.kaplan_meier(*a), survival.median_survival(*a)\n"
        "cox.cox_hazard_ratio(*a, *b), cox.log_rank_p(*a, *b)\n"
        "survival.restricted_mean(*a, 3), exact.clopper_pearson(3, 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_restricted_mean_of_complete_data_is_the_mean_of_the_minimum():
    time = np.array([1.0, 2.0, 3.0, 10.0])
    estimate = survival.restricted_mean(time, [1, 1, 1, 1], 5.0)
    assert estimate.value == pytest.approx(np.minimum(time, 5).mean())
    assert estimate.low < estimate.value < estimate.high


def test_restricted_mean_equals_lifelines():
    from lifelines import KaplanMeierFitter
    from lifelines.utils import restricted_mean_survival_time

    theirs = restricted_mean_survival_time(KaplanMeierFitter().fit(*MP), t=20)
    estimate = survival.restricted_mean(*MP, 20)
    assert estimate.value == pytest.approx(theirs, rel=1e-6)
    # Without censoring the Greenwood variance is the empirical variance of min(T, horizon) over n.
    time = np.random.default_rng(1).exponential(10, 400)
    ours = survival.restricted_mean(time, np.ones(400), 12.0)
    half = 1.96 * np.minimum(time, 12).std() / 20
    assert ours.high - ours.value == pytest.approx(half, rel=1e-3)


def test_clopper_pearson_known_values():
    estimate = exact.clopper_pearson(7, 20)
    assert (estimate.low, estimate.high) == (pytest.approx(0.1539, abs=1e-4), pytest.approx(0.5922, abs=1e-4))
    assert exact.clopper_pearson(0, 10).high == pytest.approx(1 - 0.025 ** (1 / 10))
    assert exact.clopper_pearson(10, 10).high == 1.0
    assert exact.clopper_pearson(0, 0).value is None


def test_paired_bootstrap_is_narrower_for_paired_arms_and_reproducible():
    rng = np.random.default_rng(5)
    frailty = rng.exponential(10, 150) + 0.1
    better, worse = frailty * 1.3, frailty
    event = np.ones(150, dtype=bool)
    paired = cox.paired_bootstrap(better, event, worse, event, seed=1, samples=200)
    again = cox.paired_bootstrap(better, event, worse, event, seed=1, samples=200)
    independent = cox.cox_hazard_ratio(better, event, worse, event)
    assert paired == again
    assert paired.value == pytest.approx(independent.value, rel=1e-4)
    assert paired.high - paired.low < 0.5 * (independent.high - independent.low)
    assert paired.high < 1.0


def test_arms_on_the_same_courses_differ_by_toxicity_alone():
    import pandas as pd

    from immunescape.trial.analysis import same_course_ratio

    rng = np.random.default_rng(4)
    n = 400
    control = pd.DataFrame(
        {"id": range(n), "os_months": rng.exponential(10, n), "os_event": True, "death_cause": "disease"}
    )
    # the experimental arm lives far longer by its own courses: that is not the hazard's doing
    better = control.assign(os_months=control["os_months"] * 3)
    assert same_course_ratio(better, control) == 1.0
    toxic = better.copy()
    toxic.loc[:119, "death_cause"] = "toxicity"
    toxic.loc[:119, "os_months"] = 0.5
    assert same_course_ratio(toxic, control) > 1.2
    assert same_course_ratio(control, toxic) < 1.0
    # arms of their own patients are compared row by row
    strangers = better.assign(id=range(n, 2 * n))
    assert same_course_ratio(strangers, control) == 1.0
    assert same_course_ratio(better.iloc[:0], control) is None
