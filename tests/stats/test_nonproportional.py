"""Vectorised survival tests against lifelines and brute force, with and without ties."""

from __future__ import annotations

import numpy as np
import pytest

from immunescape.stats import nonproportional as nph
from immunescape.stats.cox import fast_hazard_ratio
from immunescape.stats.survival import restricted_mean as lifelines_mean


def _data(rounded: bool, rows: int = 4, n: int = 90) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(11)
    z = rng.integers(0, 2, (rows, n))
    t = rng.exponential(10, (rows, n)) * np.where(z == 1, 1.5, 1.0)
    c = rng.uniform(2, 30, (rows, n))
    time = np.minimum(t, c)
    return (np.ceil(time) if rounded else time), t <= c, z


@pytest.mark.parametrize("rounded", [False, True])
def test_log_rank_family_equals_lifelines(rounded: bool) -> None:
    from lifelines.statistics import logrank_test

    time, event, z = _data(rounded)
    data = nph.ordered(time, event, z)
    assert data.ties == rounded
    for rho, gamma in ((0.0, 0.0), (0.0, 1.0), (1.0, 0.5)):
        found, _ = nph.fleming_harrington(data, rho, gamma)
        for i in range(len(time)):
            a, b = z[i] == 1, z[i] == 0
            expected = logrank_test(
                time[i][a], time[i][b], event[i][a], event[i][b], weightings="fleming-harrington", p=rho, q=gamma
            ).test_statistic
            assert found[i] ** 2 == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("rounded", [False, True])
def test_restricted_mean_and_milestone_equal_lifelines(rounded: bool) -> None:
    from lifelines import KaplanMeierFitter

    time, event, z = _data(rounded)
    data = nph.ordered(time, event, z)
    _, information, difference = nph.restricted_mean(data, 12.0)
    _, _, survival = nph.milestone(data, 9.5)
    for i in range(len(time)):
        parts = [lifelines_mean(time[i][z[i] == g], event[i][z[i] == g], 12.0) for g in (1, 0)]
        assert difference[i] == pytest.approx(parts[0].value - parts[1].value, abs=1e-9)
        variance = sum(((p.high - p.value) / 1.959963984540054) ** 2 for p in parts)
        assert 1 / information[i] == pytest.approx(variance, rel=1e-6)
        km = [KaplanMeierFitter().fit(time[i][z[i] == g], event[i][z[i] == g]).predict(9.5) for g in (1, 0)]
        assert survival[i] == pytest.approx(km[0] - km[1], abs=1e-9)


def test_hazard_ratio_equals_cox() -> None:
    time, event, z = _data(False)
    found = nph.hazard_ratio(nph.ordered(time, event, z))
    for i in range(len(time)):
        assert found[i] == pytest.approx(fast_hazard_ratio(time[i], event[i], z[i]), rel=1e-6)


def test_patients_left_out_do_not_count() -> None:
    time, event, z = _data(False)
    use = np.random.default_rng(3).random(time.shape) < 0.7
    found = nph.log_rank(nph.ordered(time, event, z, use))[0]
    for i in range(len(time)):
        alone = nph.log_rank(nph.ordered(time[i][use[i]], event[i][use[i]], z[i][use[i]]))[0]
        assert found[i] == pytest.approx(alone[0], rel=1e-12)


def test_stratified_log_rank_sums_scores() -> None:
    time, event, z = _data(True)
    stratum = np.random.default_rng(4).integers(0, 3, time.shape)
    found, information = nph.stratified_log_rank(time, event, z, stratum)
    for i in range(len(time)):
        u = v = 0.0
        for s in range(3):
            k = stratum[i] == s
            zz, vv = nph.log_rank(nph.ordered(time[i][k], event[i][k], z[i][k]))
            u, v = u + float(zz[0]) * np.sqrt(float(vv[0])), v + float(vv[0])
        assert found[i] == pytest.approx(u / np.sqrt(v), rel=1e-9)
        assert information[i] == pytest.approx(v, rel=1e-12)


def test_modest_weights_rise_and_level_off() -> None:
    time, event, z = _data(False)
    data = nph.ordered(time, event, z)
    weights = nph.modest_weights(data, 6.0)
    late = data.time > 6
    assert weights.min() >= 1.0
    for i in range(len(time)):
        assert np.ptp(weights[i][late[i]]) < 1e-12
        assert np.all(np.diff(weights[i]) >= -1e-12)


def test_exceedance_equals_simulation() -> None:
    correlation = np.array(
        [[1, 0.865, 0.942, 0.917], [0.865, 1, 0.905, 0.594], [0.942, 0.905, 1, 0.792], [0.917, 0.594, 0.792, 1]]
    )
    x = np.random.default_rng(1).multivariate_normal(np.zeros(4), correlation, 1_000_000).max(axis=1)
    for u in (0.5, 1.5, 2.2, 3.0):
        found = float(nph.exceedance(np.array([u]), correlation[None])[0])
        assert found == pytest.approx(float((x > u).mean()), rel=0.05)


def test_max_combo_p_is_uniform_under_the_null() -> None:
    rng = np.random.default_rng(8)
    time = rng.exponential(10, (3000, 160))
    event = time < 15
    _, p, z = nph.max_combo(nph.ordered(np.minimum(time, 15), event, np.tile([0, 1], (3000, 80))))
    assert abs(float((p < 0.05).mean()) - 0.05) < 4 * np.sqrt(0.05 * 0.95 / 3000)
    assert z.shape == (3000, 4)
