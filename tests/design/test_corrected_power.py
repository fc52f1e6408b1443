"""Power and boundaries where formulas go wrong easily: pooled variances, futility, uneven binding looks."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from design_examples import survival_design, two_arms

from immunescape.design.boundaries import boundaries
from immunescape.design.group_sequential import BetaSpending, GroupSequential, Hypothesis, Spending
from immunescape.design.recursion import exit_probabilities
from immunescape.design.samplesize import power_rates, sample_size_rates
from immunescape.design.simulation import simulate
from immunescape.design.survival_model import PiecewiseExponential
from immunescape.errors import InputError


@pytest.mark.parametrize(
    ("p1", "p2", "patients", "ratio", "rpact"),
    [
        (0.45, 0.25, 150, 1, 0.7312),
        (0.25, 0.10, 200, 1, 0.8004),
        (0.25, 0.10, 200, 2, 0.7298),
        (0.20, 0.05, 120, 3, 0.4815),
    ],
)
def test_power_of_rates_over_two_looks_equals_rpact(
    p1: float, p2: float, patients: int, ratio: int, rpact: float
) -> None:
    """rpact 3.3.4, getPowerRates with two looks by Lan and DeMets' O'Brien-Fleming spending."""
    bounds = boundaries("lan-demets-obrien-fleming", [0.5, 1.0])
    assert power_rates(p1, p2, patients, bounds, ratio=ratio).power == pytest.approx(rpact, abs=6e-5)


def test_power_of_rates_agrees_with_binomial_trials() -> None:
    rng = np.random.default_rng(3)
    bounds = boundaries("lan-demets-obrien-fleming", [0.5, 1.0])
    n1, n0, trials = 84, 42, 200_000
    x1, x0 = rng.binomial(n1, 0.40, (trials, 2)).cumsum(1), rng.binomial(n0, 0.27, (trials, 2)).cumsum(1)
    size1, size0 = n1 * np.array([1, 2]), n0 * np.array([1, 2])
    mean = (x1 + x0) / (size1 + size0)
    z = (x1 / size1 - x0 / size0) / np.sqrt(mean * (1 - mean) * (1 / size1 + 1 / size0))
    simulated = float((z >= bounds.efficacy).any(axis=1).mean())
    assert power_rates(0.40, 0.27, 252, bounds, ratio=2.0).power == pytest.approx(simulated, abs=0.006)


def test_power_at_the_size_for_a_power_is_that_power() -> None:
    """The size multiplies a fixed size by an inflation, which is close, not exact, with the pooled variance."""
    bounds = boundaries("lan-demets-obrien-fleming", [0.25, 0.5, 0.75, 1.0], alpha=0.0125, beta=0.2)
    size = sample_size_rates(0.35, 0.06, bounds, alpha=0.0125, ratio=3.0).patients
    assert power_rates(0.35, 0.06, size, bounds, ratio=3.0).power == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize(
    ("fraction", "alpha", "beta"),
    [
        ((0.406, 0.494, 0.576, 0.899, 1.0), 0.05, 0.15),
        ((0.157, 0.245, 0.541, 0.601, 0.935, 1.0), 0.0125, 0.1),
        pytest.param((0.1, 0.15, 0.2, 0.9, 0.95, 1.0), 0.025, 0.2, marks=pytest.mark.slow),
        ((0.5, 0.52, 1.0), 0.01, 0.05),
    ],
)
@pytest.mark.parametrize("futility", ["lan-demets-obrien-fleming", "lan-demets-pocock"])
@pytest.mark.parametrize("binding", [True, False])
def test_futility_bounds_at_uneven_looks_spend_what_they_promise(
    fraction: tuple[float, ...], alpha: float, beta: float, futility: str, binding: bool
) -> None:
    found = boundaries(
        "lan-demets-obrien-fleming", fraction, alpha=alpha, beta=beta, futility=futility, binding=binding
    )
    free = found.futility if binding else np.full(len(fraction), -np.inf)
    error = exit_probabilities(found.efficacy, found.fraction, lower=np.minimum(free, found.efficacy)).upper.sum()
    assert error == pytest.approx(alpha, abs=2e-6)
    power = exit_probabilities(found.efficacy, found.fraction, lower=found.futility, theta=found.drift).upper.sum()
    assert power == pytest.approx(1 - beta, abs=1e-5)
    assert np.all(found.futility <= found.efficacy + 1e-9)
    assert found.futility[-1] == pytest.approx(found.efficacy[-1])


@pytest.mark.parametrize(
    ("family", "parameter"), [("wang-tsiatis", 5.0), ("hwang-shih-decani", -900.0), ("power", 0.0)]
)
def test_parameters_without_boundaries_are_refused(family: str, parameter: float) -> None:
    with pytest.raises(InputError, match="outside"):
        boundaries(family, [0.5, 1.0], parameter=parameter)
    with pytest.raises(InputError, match="outside"):
        Spending(family, parameter)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_hazards_that_are_no_numbers_are_refused(bad: float) -> None:
    with pytest.raises(InputError, match="finite"):
        PiecewiseExponential((bad,))
    with pytest.raises(InputError, match="finite"):
        PiecewiseExponential.from_median(12).with_effect(bad)
    with pytest.raises(InputError):
        PiecewiseExponential.from_median(bad)


def _formula(futility: tuple[float | None, ...]) -> Any:
    rule = GroupSequential((Hypothesis("OS", "os"),), futility=futility)
    return survival_design(two_arms(0.75), (150, 300), rule=rule)


def test_formula_counts_a_futility_stop_that_does_not_bind() -> None:
    """Hazard ratio 0.75, 150 and 300 events; the formula is what the simulation finds, with and without the stop."""
    free, stopped = (simulate(_formula(f), 1500, seed=4, scenarios=["alternative"]) for f in ((), (1.0,)))
    for found in (free, stopped):
        formula = found.notes["planning"]["alternative"]
        assert formula["cumulative_power"][-1] == pytest.approx(found.power().value, abs=4 * found.power().error)
    powers = [f.notes["planning"]["alternative"]["cumulative_power"][-1] for f in (free, stopped)]
    assert powers[0] - powers[1] > 0.05
    sizes = [f.notes["planning"]["alternative"]["size_for_power"]["0.8"]["events"] for f in (free, stopped)]
    assert sizes[1] > sizes[0] * 1.1


def test_type_one_error_is_reported_without_stops_that_do_not_bind() -> None:
    free, stopped = (simulate(_formula(f), 1000, seed=4, scenarios=["null"]) for f in ((), (1.0,)))
    assert stopped.type_one_error is not None
    assert stopped.type_one_error.value == free.type_one_error.value  # type: ignore[union-attr]
    assert stopped.reject("null").value < stopped.type_one_error.value
    assert stopped.summary("null")["stopping"][0]["futility"].value > 0.8
    content = stopped.to_json()
    assert content["type_one_error"]["value"] > content["type_one_error_with_futility"]["value"]


def test_no_formula_where_none_holds() -> None:
    """A stop by an early response and strata are in no formula: none is printed."""
    from immunescape.design.group_sequential import EarlyFutility
    from immunescape.design.statistics import Statistic

    rule = GroupSequential((Hypothesis("OS", "os"),), early_futility=EarlyFutility(1, "os", 0.5, Statistic("log-rank")))
    found = simulate(survival_design(two_arms(0.75), (150, 300), rule=rule), 250, seed=1)
    assert "planning" not in found.notes


def test_beta_spending_in_a_design_gives_the_bounds_of_the_table() -> None:
    rule = GroupSequential((Hypothesis("OS", "os"),), beta_spending=BetaSpending(0.1))
    design = survival_design(two_arms(0.75), (150, 225, 300), rule=rule)
    plan = rule.plan(design)
    found = boundaries("lan-demets-obrien-fleming", [0.5, 0.75, 1.0], beta=0.1, futility="lan-demets-obrien-fleming")
    np.testing.assert_allclose(plan["futility"]["OS"][:2], found.futility[:2], atol=1e-6)
    np.testing.assert_allclose(plan["bounds"]["OS"], found.efficacy, atol=1e-6)
    binding = dataclasses.replace(rule, binding=True)
    lower = binding.plan(dataclasses.replace(design, rule=binding))["bounds"]["OS"][-1]
    assert lower < found.efficacy[-1]
    error = simulate(dataclasses.replace(design, rule=binding), 2000, seed=8, scenarios=["null"]).type_one_error
    assert error is not None
    assert abs(error.value - 0.025) < 4 * error.error


def test_futility_on_the_hazard_ratio_is_futility_on_z() -> None:
    rule = GroupSequential((Hypothesis("OS", "os"),), futility_hazard_ratio=(0.95, None))
    design = survival_design(two_arms(1.0), (150, 225, 300), rule=rule)
    plan = rule.plan(design)
    assert plan["futility"]["OS"][0] == pytest.approx(-np.log(0.95) * np.sqrt(150) / 2)
    assert plan["futility"]["OS"][1] == -np.inf
    stop = simulate(design, 1000, seed=3, scenarios=["alternative"]).summary("alternative")["stopping"][0]["futility"]
    from scipy import stats

    assert stop.value == pytest.approx(float(stats.norm.cdf(plan["futility"]["OS"][0])), abs=4 * stop.error + 0.01)


def _fresh() -> list[tuple[str, float, tuple[float, ...], float]]:
    rng = np.random.default_rng(77)
    families = [
        ("lan-demets-obrien-fleming", 0.0),
        ("lan-demets-pocock", 0.0),
        ("hwang-shih-decani", -3.0),
        ("power", 2.5),
        ("obrien-fleming", 0.0),
        ("pocock", 0.0),
        ("wang-tsiatis", 0.3),
    ]
    out = []
    for k in range(32):
        family, parameter = families[k % len(families)]
        inner = np.sort(rng.uniform(0.2, 0.95, int(rng.integers(1, 4))))
        inner = inner[np.diff(inner, prepend=0.0) > 0.05]
        out.append((family, parameter, (*inner.tolist(), 1.0), float(rng.choice([0.005, 0.0125, 0.025, 0.05]))))
    return out


@pytest.mark.parametrize(("family", "parameter", "fraction", "alpha"), _fresh())
def test_fresh_boundaries_by_another_integration(
    family: str, parameter: float, fraction: tuple[float, ...], alpha: float
) -> None:
    """Alpha and power of 32 designs by the multivariate normal distribution function of scipy (Genz)."""
    from scipy import stats

    bounds = boundaries(family, fraction, alpha=alpha, beta=0.15, parameter=parameter)
    t = np.asarray(fraction)
    correlation = np.sqrt(np.minimum.outer(t, t) / np.maximum.outer(t, t))
    normal = stats.multivariate_normal(np.zeros(len(t)), correlation, allow_singular=True, seed=1)  # type: ignore[call-arg]
    assert 1 - float(normal.cdf(bounds.efficacy)) == pytest.approx(alpha, abs=3e-5)
    assert 1 - float(normal.cdf(bounds.efficacy - bounds.drift * np.sqrt(t))) == pytest.approx(0.85, abs=3e-4)
