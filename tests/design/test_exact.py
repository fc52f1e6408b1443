"""Boundaries, sample sizes, Simon's designs, Dunnett: against frozen tables of rpact and published tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from immunescape.design.boundaries import boundaries
from immunescape.design.combination import dunnett_critical, fisher_combination, fisher_critical, inverse_normal
from immunescape.design.samplesize import (
    conditional_power,
    power_means,
    power_rates,
    power_survival,
    sample_size_means,
    sample_size_rates,
    sample_size_survival,
    survival_power_at,
)
from immunescape.design.survival_model import Accrual, PiecewiseExponential, time_of_events
from immunescape.design.two_stage import SimonDesign, simon
from immunescape.errors import InputError

FAMILIES = {
    "OF": "obrien-fleming",
    "P": "pocock",
    "WT": "wang-tsiatis",
    "asOF": "lan-demets-obrien-fleming",
    "asP": "lan-demets-pocock",
    "asHSD": "hwang-shih-decani",
    "asKD": "power",
}
BETA = {"bsOF": "lan-demets-obrien-fleming", "bsP": "lan-demets-pocock", "bsHSD": "hwang-shih-decani"}


def test_boundaries_equal_rpact(rpact: dict[str, Any]) -> None:
    assert len(rpact["designs"]) > 50
    for row in rpact["designs"]:
        found = boundaries(FAMILIES[row["type"]], row["fraction"], alpha=row["alpha"], parameter=row["parameter"])
        np.testing.assert_allclose(found.efficacy, row["criticalValues"], atol=1e-4, err_msg=str(row))
        np.testing.assert_allclose(found.alpha_spent, row["alphaSpent"], atol=1e-5)


def test_futility_bounds_equal_rpact(rpact: dict[str, Any]) -> None:
    for row in rpact["futility"]:
        found = boundaries(
            "lan-demets-obrien-fleming",
            [0.5, 0.75, 1],
            beta=row["beta"],
            futility=BETA[row["betaType"]],
            futility_parameter=-2.0 if row["betaType"] == "bsHSD" else 0.0,
            binding=row["binding"],
        )
        np.testing.assert_allclose(found.efficacy, row["criticalValues"], atol=1e-4, err_msg=str(row))
        np.testing.assert_allclose(found.futility[:2], row["futilityBounds"], atol=1e-4, err_msg=str(row))


def _bounds(fraction: Any, beta: float) -> Any:
    values = np.atleast_1d(fraction)
    if len(values) == 1:
        return boundaries("fixed", [1.0], beta=beta)
    return boundaries("lan-demets-obrien-fleming", values, beta=beta)


def test_sample_sizes_equal_rpact(rpact: dict[str, Any]) -> None:
    for row in rpact["rates"]:
        plan = sample_size_rates(row["pi1"], row["pi2"], _bounds(row["fraction"], 0.2), ratio=row["ratio"])
        assert plan.patients == pytest.approx(row["patients"], rel=1e-3), row
    for row in rpact["means"]:
        plan = sample_size_means(row["effect"], 1.0, _bounds(row["fraction"], 0.1), ratio=row["ratio"])
        assert plan.patients == pytest.approx(row["patients"], rel=1e-3), row
    for row in rpact["survival"]:
        plan = sample_size_survival(
            row["hr"],
            PiecewiseExponential.from_median(row["median"]),
            _bounds(row["fraction"], 0.1),
            accrual_months=row["accrual"],
            follow_up_months=row["followUp"],
            ratio=row["ratio"],
        )
        assert plan.patients == pytest.approx(row["patients"], rel=1e-3), row
        assert plan.events == pytest.approx(row["events"], rel=1e-3), row
        assert plan.power == pytest.approx(0.9, abs=1e-6)


def test_survival_power_equals_rpact(rpact: dict[str, Any]) -> None:
    bounds = boundaries("lan-demets-obrien-fleming", [0.6, 1.0])
    for row in rpact["powers"]:
        plan = power_survival(
            row["hr"],
            PiecewiseExponential.from_median(12),
            row["events"],
            Accrual((row["patients"] / 24,), (24.0,)),
            bounds,
        )
        assert plan.power == pytest.approx(row["power"], abs=0.005)
        assert plan.early_stop == pytest.approx(row["early"], abs=0.005)
        assert plan.expected_events == pytest.approx(row["expectedEvents"], rel=1e-3)
        np.testing.assert_allclose(plan.months, row["analysisTime"], rtol=1e-3)


def test_first_line_example() -> None:
    """332 events, control median 14 months, ramped accrual: looks at 30.95 and 52.33 months, power 0.8974."""
    control = PiecewiseExponential.from_median(14)
    accrual = Accrual.ramp([5, 15, 30], [0, 3, 6], 435)
    dropout = -np.log(0.95) / 12
    arms = [(control.with_effect(0.7), 0.5), (control, 0.5)]
    months = [time_of_events(arms, accrual, f * 332, dropout) for f in (0.7, 1.0)]
    np.testing.assert_allclose(months, [30.95, 52.33], atol=0.01)
    bounds = boundaries("lan-demets-obrien-fleming", [0.7, 1.0])
    np.testing.assert_allclose(bounds.efficacy, [2.4380, 1.9999], atol=1e-4)
    assert power_survival(0.7, control, 332, accrual, bounds).power == pytest.approx(0.8974, abs=0.005)


def test_powers_invert_sample_sizes() -> None:
    fixed = boundaries("fixed", [1.0], beta=0.2)
    size = sample_size_rates(0.45, 0.25, fixed, ratio=2.0).patients
    assert power_rates(0.45, 0.25, size, fixed, ratio=2.0).power == pytest.approx(0.8, abs=1e-6)
    bounds = boundaries("pocock", [0.5, 1.0], beta=0.1)
    size = sample_size_means(0.4, 1.3, bounds).patients
    assert power_means(0.4, 1.3, size, bounds).power == pytest.approx(0.9, abs=1e-6)


def test_power_under_a_constant_effect_is_the_usual_power() -> None:
    bounds = boundaries("lan-demets-obrien-fleming", [0.5, 0.75, 1.0])
    information = np.array([150, 225, 300]) / 4
    found = survival_power_at(np.full(3, np.log(0.75)), information, bounds)
    np.testing.assert_allclose(found, bounds.power(-np.log(0.75) * np.sqrt(300) / 2), atol=1e-6)
    late = survival_power_at(np.log([0.95, 0.85, 0.75]), information, bounds)
    assert late[0] < found[0] / 2
    assert late[-1] < found[-1]


@pytest.mark.parametrize(
    ("p0", "p1", "optimal", "minimax", "size"),
    [
        (0.05, 0.25, (0, 9, 2, 17), (0, 12, 2, 16), 11.96),
        (0.10, 0.30, (1, 10, 5, 29), (1, 15, 5, 25), 15.01),
        (0.20, 0.40, (3, 13, 12, 43), (4, 18, 10, 33), 20.58),
    ],
)
def test_simon_published_designs(p0: float, p1: float, optimal: Any, minimax: Any, size: float) -> None:
    found = simon(p0, p1, n_max=50)
    assert found == SimonDesign(*optimal)
    assert float(found.expected_patients(p0)) == pytest.approx(size, abs=0.005)
    assert simon(p0, p1, kind="minimax", n_max=50) == SimonDesign(*minimax)
    assert float(found.promising(p0)) <= 0.05
    assert float(found.promising(p1)) >= 0.8


def test_dunnett_equals_the_multivariate_normal(rpact: dict[str, Any]) -> None:
    for row in rpact["dunnett"]:
        # the oracle's quantile search has a tolerance of a few 1e-4
        assert dunnett_critical(row["arms"]) == pytest.approx(row["critical"], abs=5e-4)
    assert dunnett_critical(1) == pytest.approx(1.959964, abs=1e-6)


def test_combination_tests() -> None:
    assert fisher_critical(0.025) == pytest.approx(0.0038, abs=5e-5)  # Bauer & Koehne 1994
    assert float(fisher_combination([0.1, 0.0380])) == pytest.approx(0.025, abs=1e-4)
    z = inverse_normal([0.025, 0.5], [0.5, 1.0])
    np.testing.assert_allclose(z, [1.959964, 1.959964 * np.sqrt(0.5)], atol=1e-5)
    level = _fisher_level(fisher_critical(0.025, 0.01, 0.5), 0.01, 0.5)
    assert level == pytest.approx(0.025, abs=1e-4)


def _fisher_level(c: float, first: float, futility: float) -> float:
    p1 = (np.arange(400_000) + 0.5) / 400_000
    go = (p1 > first) & (p1 <= futility)
    return float(np.mean(np.where(p1 <= first, 1.0, np.where(go, np.minimum(c / p1, 1.0), 0.0))))


def test_conditional_power_by_simulation() -> None:
    rng = np.random.default_rng(5)
    end = np.sqrt(0.6) * 1.4 + np.sqrt(0.4) * (rng.normal(size=400_000) + 1.4 / np.sqrt(0.6) * np.sqrt(0.4))
    assert float(conditional_power(1.4, 0.6, 1.97)) == pytest.approx(float((end > 1.97).mean()), abs=0.003)


@pytest.mark.parametrize(
    "call",
    [
        lambda: boundaries("pocock", [0.5, 0.5, 1.0]),
        lambda: boundaries("pocok", [0.5, 1.0]),
        lambda: sample_size_rates(0.3, 0.3, boundaries("fixed", [1.0], beta=0.1)),
        lambda: sample_size_means(1.0, 1.0, boundaries("fixed", [1.0])),
        lambda: simon(0.3, 0.2),
        lambda: conditional_power(1.0, 1.2, 1.96),
    ],
)
def test_refusals(call: Any) -> None:
    with pytest.raises(InputError):
        call()
