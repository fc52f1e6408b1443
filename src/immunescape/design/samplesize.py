"""Sample size and power of fixed and group-sequential tests of rates, means and survival; conditional power.

Normal approximations, as planning software uses them: two rates with the pooled variance under the null (Fleiss), two
means with known variance, survival by Schoenfeld's formula with the expected events of the accrual. A group-sequential
design multiplies the fixed size by its inflation factor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from immunescape.design.boundaries import Boundaries, boundaries
from immunescape.design.recursion import exit_probabilities
from immunescape.design.survival_model import (
    Accrual,
    PiecewiseExponential,
    expected_events,
    time_of_events,
)
from immunescape.errors import InputError

__all__ = [
    "TrialSize",
    "conditional_power",
    "power_means",
    "power_rates",
    "power_survival",
    "sample_size_means",
    "sample_size_rates",
    "sample_size_survival",
    "survival_power_at",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class TrialSize:
    """Size and power of a test.

    Attributes
    ----------
    bounds : the boundaries. patients : in all (a real number; round up). events : at the last look, NaN without events.
    power : overall. cumulative_power : (K,) by look. early_stop : probability to stop before the last look.
    expected_patients, expected_events : under the alternative, where a design stops early (patients of survival
        trials: those entered by the look). months : (K,) expected calendar month of each look; empty for rates, means.
    """

    bounds: Boundaries
    patients: float
    events: float
    power: float
    cumulative_power: Floats
    early_stop: float
    expected_patients: float
    expected_events: float
    months: Floats


def _fixed(alpha: float, beta: float) -> Boundaries:
    return boundaries("fixed", [1.0], alpha=alpha, beta=beta)


def _needs_power(bounds: Boundaries) -> float:
    if not np.isfinite(bounds.inflation):
        raise InputError("these boundaries were computed without a power", hint="Give beta to boundaries(...).")
    return bounds.inflation


def _beta(bounds: Boundaries) -> float:
    return float(1.0 - bounds.power(bounds.drift)[-1])


def _ratio(ratio: float) -> None:
    if not 0 < ratio < 100:
        raise InputError(f"an allocation ratio (experimental to control) must lie between 0 and 100, not {ratio}")


def _plan(
    bounds: Boundaries,
    drift: float,
    size: float,
    size_per_look: Floats,
    events: float,
    months: Floats,
) -> TrialSize:
    gone = exit_probabilities(bounds.efficacy, bounds.fraction, lower=bounds.futility, theta=drift)
    stop = gone.upper + gone.lower
    stop[-1] += 1.0 - stop.sum()
    return TrialSize(
        bounds=bounds,
        patients=size,
        events=events,
        power=float(gone.upper.sum()),
        cumulative_power=np.cumsum(gone.upper),
        early_stop=float(stop[:-1].sum()),
        expected_patients=float(stop @ size_per_look),
        expected_events=float(stop @ bounds.fraction * events),
        months=months,
    )


def sample_size_rates(
    p1: float, p2: float, bounds: Boundaries, *, alpha: float = 0.025, ratio: float = 1.0
) -> TrialSize:
    """Patients for a test of two rates: `p1` experimental, `p2` control; `bounds` made with a beta.

    Source: [fleiss1980].
    """
    for p in (p1, p2):
        if not 0 < p < 1:
            raise InputError(f"a rate must lie between 0 and 1, not {p}")
    if p1 == p2:
        raise InputError("two equal rates leave nothing to test")
    _ratio(ratio)
    inflation, beta = _needs_power(bounds), _beta(bounds)
    mean = (ratio * p1 + p2) / (1 + ratio)
    za, zb = stats.norm.isf(alpha), stats.norm.isf(beta)
    root = za * np.sqrt((1 + 1 / ratio) * mean * (1 - mean)) + zb * np.sqrt(p1 * (1 - p1) / ratio + p2 * (1 - p2))
    size = float((root / (p1 - p2)) ** 2 * (1 + ratio) * inflation)
    return _plan(bounds, bounds.drift, size, size * bounds.fraction, np.nan, np.empty(0))


def power_rates(p1: float, p2: float, patients: float, bounds: Boundaries, *, ratio: float = 1.0) -> TrialSize:
    """Power of a test of two rates with `patients` in all [fleiss1980].

    The statistic divides by the pooled standard error (that of the null), while its own under the alternative is
    another. As in rpact the drift is the one that gives a fixed test of the same level its power with both variances:
    ``z_alpha + (|p1 - p2| - z_alpha se_null) / se_own``.
    """
    _ratio(ratio)
    for p in (p1, p2):
        if not 0 < p < 1:
            raise InputError(f"a rate must lie between 0 and 1, not {p}")
    if not 2 <= patients < np.inf:
        raise InputError(f"a number of patients of at least 2 is needed, not {patients:g}")
    n2 = patients / (1 + ratio)
    mean = (ratio * p1 + p2) / (1 + ratio)
    null = np.sqrt((1 + 1 / ratio) * mean * (1 - mean) / n2)
    spread = np.sqrt((p1 * (1 - p1) / ratio + p2 * (1 - p2)) / n2)
    level = float(stats.norm.isf(bounds.alpha_spent[-1]))
    drift = level + (abs(p1 - p2) - level * null) / spread
    return _plan(bounds, float(drift), patients, patients * bounds.fraction, np.nan, np.empty(0))


def sample_size_means(difference: float, sd: float, bounds: Boundaries, *, ratio: float = 1.0) -> TrialSize:
    """Patients for a test of two means `difference` apart with standard deviation `sd`."""
    if not np.isfinite(difference) or difference == 0 or not 0 < sd < np.inf:
        raise InputError("a difference other than 0 and a standard deviation above 0 are needed")
    _ratio(ratio)
    _needs_power(bounds)
    size = float((bounds.drift * sd / difference) ** 2 * (1 + ratio) ** 2 / ratio)
    return _plan(bounds, bounds.drift, size, size * bounds.fraction, np.nan, np.empty(0))


def power_means(difference: float, sd: float, patients: float, bounds: Boundaries, *, ratio: float = 1.0) -> TrialSize:
    """Power of a test of two means with `patients` in all."""
    _ratio(ratio)
    if not np.isfinite(difference) or not 0 < sd < np.inf or not 2 <= patients < np.inf:
        raise InputError("a finite difference, a standard deviation above 0 and at least 2 patients are needed")
    drift = abs(difference) / sd * np.sqrt(patients * ratio) / (1 + ratio)
    return _plan(bounds, float(drift), patients, patients * bounds.fraction, np.nan, np.empty(0))


def sample_size_survival(
    hazard_ratio: float,
    control: PiecewiseExponential,
    bounds: Boundaries,
    *,
    accrual_months: float,
    follow_up_months: float,
    ratio: float = 1.0,
    dropout: float = 0.0,
    margin: float = 1.0,
) -> TrialSize:
    """Events and patients of a log-rank test: uniform accrual, then follow-up of the last patient.

    Source: [schoenfeld1981], [lachin1986].

    Parameters
    ----------
    hazard_ratio : experimental over control, below 1 for a benefit. dropout : hazard per month.
    margin : hazard ratio under the null; above 1 for non-inferiority.
    """
    if not 0 < hazard_ratio < np.inf or not 0 < margin < np.inf or hazard_ratio == margin:
        raise InputError(f"a hazard ratio above 0 and other than {margin:g} is needed, not {hazard_ratio}")
    if margin != 1 and hazard_ratio > margin:
        raise InputError(f"a hazard ratio of {hazard_ratio:g} lies beyond the margin of {margin:g}")
    _ratio(ratio)
    _needs_power(bounds)
    events = float((bounds.drift / np.log(hazard_ratio / margin)) ** 2 * (1 + ratio) ** 2 / ratio)
    accrual = Accrual((1.0 / accrual_months,), (accrual_months,))
    arms = [(control.with_effect(hazard_ratio), ratio / (1 + ratio)), (control, 1 / (1 + ratio))]
    end = accrual_months + follow_up_months
    share = sum(weight * expected_events(s, accrual, end, dropout) for s, weight in arms)
    return _survival_plan(bounds, bounds.drift, events, accrual.scaled(events / share), arms, dropout)


def power_survival(
    hazard_ratio: float,
    control: PiecewiseExponential,
    events: float,
    accrual: Accrual,
    bounds: Boundaries,
    *,
    ratio: float = 1.0,
    dropout: float = 0.0,
    margin: float = 1.0,
) -> TrialSize:
    """Power of a log-rank test with looks at shares of `events`, by Schoenfeld's drift; `margin` as for sizes.

    Source: [schoenfeld1981].
    """
    _ratio(ratio)
    if not 0 < hazard_ratio < np.inf or not 0 < margin < np.inf or not 0 < events < np.inf:
        raise InputError("a hazard ratio, a margin and events above 0 are needed, all finite")
    drift = float(-np.log(hazard_ratio / margin) * np.sqrt(events * ratio) / (1 + ratio))
    arms = [(control.with_effect(hazard_ratio), ratio / (1 + ratio)), (control, 1 / (1 + ratio))]
    return _survival_plan(bounds, drift, events, accrual, arms, dropout)


def _survival_plan(
    bounds: Boundaries,
    drift: float,
    events: float,
    accrual: Accrual,
    arms: list[tuple[PiecewiseExponential, float]],
    dropout: float,
) -> TrialSize:
    months = np.array([time_of_events(arms, accrual, f * events, dropout) for f in bounds.fraction])
    entered = np.array([_entered(accrual, m) for m in months])
    return _plan(bounds, drift, accrual.patients, entered, events, months)


def _entered(accrual: Accrual, month: float) -> float:
    edges = np.concatenate([[0.0], np.cumsum(accrual.durations)])
    count = np.concatenate([[0.0], np.cumsum(np.multiply(accrual.rates, accrual.durations))])
    return float(np.interp(month, edges, count))


def survival_power_at(log_hazard_ratios: ArrayLike, information: ArrayLike, bounds: Boundaries) -> Floats:
    """Cumulative power where the effect changes from look to look (average hazard ratio).

    Parameters
    ----------
    log_hazard_ratios : (K,) average log hazard ratio at each look. information : (K,) events * r / (1 + r)^2.

    Notes
    -----
    The drift of the score is what information accumulates: theta_k I_k; its increments may differ from look to look, so
    the recursion shifts each look's bounds instead of using one theta.
    """
    effect = -np.asarray(log_hazard_ratios, dtype=float)
    info = np.asarray(information, dtype=float)
    if effect.shape != info.shape or effect.shape != bounds.fraction.shape:
        raise InputError("one average hazard ratio and one information for each look are needed")
    shift = effect * np.sqrt(info)
    gone = exit_probabilities(bounds.efficacy - shift, info, lower=bounds.futility - shift)
    return np.cumsum(gone.upper)


def conditional_power(
    z: ArrayLike, fraction: float, critical: float, *, drift: ArrayLike | None = None, extension: ArrayLike = 1.0
) -> Floats:
    """Probability to cross `critical` at the end, given Z = `z` at information `fraction` of the plan.

    Source: [jennison2000].

    Parameters
    ----------
    drift : expected Z at the planned end; None takes the trend seen so far (z / sqrt(fraction)).
    extension : factor on the information that is still to come (sample-size re-estimation); the final statistic is then
        the inverse-normal combination of both parts with the planned weights, so that it keeps its level.
    """
    if not 0 < fraction < 1:
        raise InputError(f"an information fraction before the end must lie between 0 and 1, not {fraction}")
    seen = np.asarray(z, dtype=float)
    final = seen / np.sqrt(fraction) if drift is None else np.asarray(drift, dtype=float)
    rest = np.sqrt(1.0 - fraction)
    need = (critical - np.sqrt(fraction) * seen) / rest
    values: Floats = stats.norm.sf(need - final * rest * np.sqrt(np.asarray(extension, dtype=float)))
    return values
