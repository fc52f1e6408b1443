"""Sizes and powers as tables: for survival, rates and means with any boundary, without a simulation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from immunescape.design.boundaries import Boundaries, boundaries
from immunescape.design.records import LEAST_ALPHA, LEAST_PER_ARM
from immunescape.design.recursion import exit_probabilities
from immunescape.design.samplesize import (
    TrialSize,
    power_means,
    power_rates,
    power_survival,
    sample_size_means,
    sample_size_rates,
    sample_size_survival,
)
from immunescape.design.survival_model import Accrual, PiecewiseExponential
from immunescape.errors import InputError

__all__ = ["Size", "size_means", "size_of_bounds", "size_rates", "size_survival"]

Floats = NDArray[np.float64]
LARGEST_TRIAL = 1_000_000
"""Number of patients above which a computed size is taken to be a mistake."""


@dataclass(frozen=True)
class Size:
    """Size or power of a test, and its looks.

    Attributes
    ----------
    what : one line that says what was asked. alpha : one-sided. plan : size, power, months. margin : hazard ratio under
        the null. ratio : experimental to control. measure : ``survival``, ``rates`` or ``means``.
    """

    what: str
    measure: str
    alpha: float
    plan: TrialSize
    ratio: float = 1.0
    margin: float = 1.0

    def looks(self) -> list[dict[str, Any]]:
        """One row for each look: size, bounds on several scales, alpha and power spent by then."""
        plan, bounds = self.plan, self.plan.bounds
        lower = bounds.futility if bounds.binding else np.full(len(bounds.fraction), -np.inf)
        spent = np.cumsum(
            exit_probabilities(bounds.efficacy, bounds.fraction, lower=np.minimum(lower, bounds.efficacy)).upper
        )
        rows = []
        for k, fraction in enumerate(bounds.fraction):
            events = plan.events * fraction
            row: dict[str, Any] = {"look": k + 1, "information": float(fraction)}
            if self.measure == "survival":
                row |= {"events": float(events), "month": float(plan.months[k])}
            else:
                row["patients"] = float(plan.patients * fraction)
            row |= {"efficacy_z": float(bounds.efficacy[k]), "efficacy_p": float(stats.norm.sf(bounds.efficacy[k]))}
            stops = np.isfinite(bounds.futility[k]) and k + 1 < len(bounds.fraction)
            if self.measure == "survival":
                root = np.sqrt(events * self.ratio) / (1 + self.ratio)
                row["efficacy_hazard_ratio"] = float(self.margin * np.exp(-bounds.efficacy[k] / root))
                if stops:
                    row["futility_hazard_ratio"] = float(self.margin * np.exp(-bounds.futility[k] / root))
            if stops:
                row["futility_z"] = float(bounds.futility[k])
            row |= {"cumulative_alpha": float(spent[k]), "cumulative_power": float(plan.cumulative_power[k])}
            rows.append(row)
        return rows

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        plan = self.plan
        return {
            "what": self.what,
            "measure": self.measure,
            "alpha": self.alpha,
            "power": plan.power,
            "ratio": self.ratio,
            "patients": plan.patients,
            "patients_rounded_up": int(np.ceil(plan.patients - 1e-6)),
            "events": None if np.isnan(plan.events) else plan.events,
            "events_rounded_up": None if np.isnan(plan.events) else int(np.ceil(plan.events - 1e-6)),
            "expected_patients": plan.expected_patients,
            "expected_events": None if np.isnan(plan.events) else plan.expected_events,
            "early_stop": plan.early_stop,
            "looks": self.looks(),
        }


def size_of_bounds(
    looks: Sequence[float] = (1.0,),
    *,
    alpha: float = 0.025,
    power: float = 0.9,
    family: str = "lan-demets-obrien-fleming",
    parameter: float = 0.0,
    futility: str | None = None,
    futility_parameter: float = 0.0,
    binding: bool = False,
) -> Boundaries:
    """Boundaries with the drift that gives `power`; a single look is a fixed test.

    Parameters
    ----------
    looks : information fractions, the last one 1. futility : spending function of beta (None: no stop for futility).
    """
    if not 0 < power < 1:
        raise InputError(f"a power must lie between 0 and 1, not {power:g}")
    if not LEAST_ALPHA <= alpha < 0.5:
        raise InputError(
            f"a one-sided alpha must lie between {LEAST_ALPHA:g} and 0.5, not {alpha:g}",
            hint="Beyond about six standard deviations no test statistic is normal.",
        )
    fraction = np.asarray(looks, dtype=float)
    if len(fraction) == 1:
        return boundaries("fixed", [1.0], alpha=alpha, beta=1 - power)
    return boundaries(
        family,
        fraction,
        alpha=alpha,
        beta=1 - power,
        parameter=parameter,
        futility=futility,
        futility_parameter=futility_parameter,
        binding=binding,
    )


def _checked(size: Size) -> Size:
    """Reject an unrealistic size."""
    if size.plan.patients > LARGEST_TRIAL:
        raise InputError(
            f"{size.plan.patients:.3g} patients would be needed, but no trial has more than {LARGEST_TRIAL:,}",
            hint="So small an effect cannot be demonstrated; check its unit and the margin.",
        )
    return size


def _check_patients(patients: float, ratio: float) -> None:
    """Reject arms too small for a normal approximation."""
    if not 0 < ratio < np.inf or not patients * min(ratio, 1.0) / (1.0 + ratio) >= LEAST_PER_ARM:
        raise InputError(
            f"{patients:g} patients leave fewer than {LEAST_PER_ARM} in an arm",
            hint="The formulas assume large samples.",
        )


def size_survival(
    hazard_ratio: float,
    median: float,
    bounds: Boundaries,
    *,
    alpha: float = 0.025,
    accrual_months: float = 24.0,
    follow_up_months: float = 12.0,
    ratio: float = 1.0,
    dropout: float = 0.0,
    margin: float = 1.0,
    events: float | None = None,
    patients: float | None = None,
) -> Size:
    """Events and patients of a log-rank test; the power where `events` and `patients` are given.

    Parameters
    ----------
    hazard_ratio : experimental over control. median : of the control, months. dropout : hazard per month.
    margin : hazard ratio under the null; above 1 the test is of non-inferiority.

    Raises
    ------
    InputError
        Where the hazard ratio is not below the one under the null: no such size shows a benefit.
    """
    if hazard_ratio > 1 and margin == 1:
        raise InputError(
            f"a hazard ratio of {hazard_ratio:g} is a harm, and the test is of a benefit (below 1)",
            hint="To rule a harm out give a margin (--margin); where events are what is hoped for, exchange the arms: "
            f"a hazard ratio of {1 / hazard_ratio:.3g} and the median of the experimental arm.",
        )
    control = PiecewiseExponential.from_median(median)
    if accrual_months <= 0 or follow_up_months < 0:
        raise InputError("accrual lasts more than 0 months and follow-up at least 0")
    if (events is None) != (patients is None):
        raise InputError("the power needs both the events and the patients; the size needs neither")
    if events is not None and patients is not None:
        if events > patients:
            raise InputError(f"{events:g} events in {patients:g} patients", hint="Each patient has one event at most.")
        accrual = Accrual((patients / accrual_months,), (accrual_months,))
        plan = power_survival(
            hazard_ratio, control, events, accrual, bounds, ratio=ratio, dropout=dropout, margin=margin
        )
        what = f"power of {events:g} events"
    else:
        plan = sample_size_survival(
            hazard_ratio,
            control,
            bounds,
            accrual_months=accrual_months,
            follow_up_months=follow_up_months,
            ratio=ratio,
            dropout=dropout,
            margin=margin,
        )
        what = "events and patients"
    kind = f", non-inferiority margin {margin:g}" if margin != 1 else ""
    text = f"{what} for a hazard ratio of {hazard_ratio:g}, control median {median:g} months{kind}"
    return _checked(Size(text, "survival", alpha, plan, ratio, margin))


def size_rates(
    experimental: float,
    control: float,
    bounds: Boundaries,
    *,
    alpha: float = 0.025,
    ratio: float = 1.0,
    patients: float | None = None,
) -> Size:
    """Patients of a test of two response rates; the power where `patients` are given."""
    effect = f"response rates of {experimental:g} and {control:g}" + _direction(experimental - control)
    size = partial(sample_size_rates, experimental, control, bounds, alpha=alpha, ratio=ratio)
    power = partial(power_rates, experimental, control, bounds=bounds, ratio=ratio)
    return _size_or_power(_Comparison(effect, "rates", size, power), alpha, ratio, patients)


def size_means(
    difference: float,
    sd: float,
    bounds: Boundaries,
    *,
    alpha: float = 0.025,
    ratio: float = 1.0,
    patients: float | None = None,
) -> Size:
    """Patients of a test of two means; the power where `patients` are given."""
    effect = f"a difference of {difference:g} at a standard deviation of {sd:g}" + _direction(difference)
    size = partial(sample_size_means, difference, sd, bounds, ratio=ratio)
    power = partial(power_means, difference, sd, bounds=bounds, ratio=ratio)
    return _size_or_power(_Comparison(effect, "means", size, power), alpha, ratio, patients)


@dataclass(frozen=True)
class _Comparison:
    """A test of two arms without follow-up: its effect as text, its kind, its size, and its power for some patients."""

    effect: str
    measure: str
    size: Callable[[], TrialSize]
    power: Callable[[float], TrialSize]


def _direction(difference: float) -> str:
    """Words for an effect that points the other way: the sign is read off no number of patients."""
    return " (experimental lower than control)" if difference < 0 else ""


def _size_or_power(comparison: _Comparison, alpha: float, ratio: float, patients: float | None) -> Size:
    """Return the size of a comparison; its power where `patients` are given."""
    if patients is None:
        text = f"patients for {comparison.effect}"
        return _checked(Size(text, comparison.measure, alpha, comparison.size(), ratio))
    _check_patients(patients, ratio)
    text = f"power of {patients:g} patients for {comparison.effect}"
    return Size(text, comparison.measure, alpha, comparison.power(patients), ratio)
