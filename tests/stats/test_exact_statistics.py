"""Exact tests, rank tests and curves against scipy and lifelines, on tables and groups drawn at random."""

from __future__ import annotations

import numpy as np
import pytest
from lifelines import KaplanMeierFitter
from scipy import stats

from immunescape.stats.cox import cox, hazard_ratio_of
from immunescape.stats.discrimination import auc
from immunescape.stats.exact import conditional_odds_ratio, fisher_p
from immunescape.stats.survival import kaplan_meier


def test_two_by_two_tables_as_scipy():
    rng = np.random.default_rng(1)
    for size in (4, 30, 200) * 10:
        table = rng.integers(0, size, (2, 2))
        if not (table.sum(axis=0).all() and table.sum(axis=1).all()):
            continue
        ratio = stats.contingency.odds_ratio(table, kind="conditional")
        interval = ratio.confidence_interval(0.95)
        assert conditional_odds_ratio(table) == pytest.approx((ratio.statistic, interval.low, interval.high), rel=1e-8)
        assert fisher_p(table) == pytest.approx(stats.fisher_exact(table).pvalue, rel=1e-8)


@pytest.mark.parametrize("digits", [1, 9])
def test_rank_test_as_scipy(digits):
    rng = np.random.default_rng(2)
    for n in (6, 12, 25, 60):
        x, y = np.round(rng.normal(size=n), digits), np.arange(n) % 3 == 0
        assert auc(x, y).p == pytest.approx(stats.mannwhitneyu(x[y], x[~y]).pvalue, abs=1e-12)
    assert auc([1.0] * 9, [True] * 4 + [False] * 5).p == 1.0


def test_curve_as_lifelines():
    rng = np.random.default_rng(3)
    for step, share in ((1.0, 0.6), (0.1, 1.0), (5.0, 0.3)):
        time = np.ceil(rng.exponential(12, 80) / step) * step
        event = (rng.random(80) < share).astype(float)
        theirs = KaplanMeierFitter().fit(time, event)
        ours = kaplan_meier(time, event)
        assert ours["time"].to_numpy() == pytest.approx(theirs.survival_function_.index.to_numpy())
        assert ours["survival"].to_numpy() == pytest.approx(theirs.survival_function_.to_numpy()[:, 0], abs=1e-12)
        assert ours[["low", "high"]].to_numpy() == pytest.approx(theirs.confidence_interval_.to_numpy(), abs=1e-12)
        at_risk = theirs.event_table["at_risk"].to_numpy()
        assert ours["at_risk"].to_numpy() == pytest.approx(at_risk)


def test_one_hazard_ratio_as_the_table_of_cox():
    rng = np.random.default_rng(4)
    time, event, x = rng.exponential(10, 90), (rng.random(90) < 0.7).astype(float), rng.normal(size=90)
    row, one = cox(time, event, {"x": x}).estimate("x"), hazard_ratio_of(time, event, x)
    assert (one.value, one.low, one.high, one.p) == pytest.approx((row.value, row.low, row.high, row.p), rel=1e-12)
    assert "vary" in hazard_ratio_of(time, event, np.ones(90)).note
    assert "few" in hazard_ratio_of(time, np.zeros(90), x).note
