"""Simple truths behind a survival endpoint: piecewise-constant hazards, delayed effects, cure; accrual and dropout.

Times are in months. All quantities follow from closed forms and one-dimensional quadrature; the simulators of
`simulation` draw from the same objects.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from immunescape.errors import InputError

__all__ = ["Accrual", "PiecewiseExponential", "expected_events", "time_of_events"]


@dataclass(frozen=True)
class PiecewiseExponential:
    """Survival with hazards that are constant between change points, and optionally a cured fraction.

    Attributes
    ----------
    hazards : events per month in each piece (of those who can fail). changes : months at which the next piece starts.
    cured : share that never has the event.
    """

    hazards: tuple[float, ...]
    changes: tuple[float, ...] = ()
    cured: float = 0.0

    def __post_init__(self) -> None:
        if len(self.hazards) != len(self.changes) + 1:
            raise InputError(f"{len(self.hazards)} hazards need {len(self.hazards) - 1} change points")
        if not np.all(np.isfinite([*self.hazards, *self.changes])):
            raise InputError(f"hazards and change points are finite numbers, not {[*self.hazards, *self.changes]}")
        if min(self.hazards) < 0 or not 0 <= self.cured < 1:
            raise InputError("hazards must be at least 0, and a cured share must lie between 0 and 1")
        if np.any(np.diff((0.0, *self.changes)) <= 0):
            raise InputError(f"change points must increase from above 0, not {list(self.changes)}")

    @classmethod
    def from_median(cls, median: float, cured: float = 0.0) -> PiecewiseExponential:
        """Exponential with this median (months) among all patients, the cured included."""
        if not 0 < median < np.inf or not 0 <= cured < 0.5:
            raise InputError("a median needs to be above 0 and a cured share below one half")
        return cls((-np.log((0.5 - cured) / (1 - cured)) / median,), (), cured)

    def with_effect(self, hazard_ratio: float, delay: float = 0.0) -> PiecewiseExponential:
        """The same with hazards multiplied by `hazard_ratio` from `delay` months on."""
        if not 0 < hazard_ratio < np.inf or not 0 <= delay < np.inf:
            raise InputError(
                f"a hazard ratio is above 0 and a delay at least 0, both finite, not {hazard_ratio:g} and {delay:g}"
            )
        starts = [0.0, *self.changes]
        if delay > 0 and delay not in starts:
            starts = sorted([*starts, delay])
        hazards = [self.hazards[int(np.searchsorted(self.changes, s, side="right"))] for s in starts]
        return PiecewiseExponential(
            tuple(h * (hazard_ratio if s >= delay else 1.0) for h, s in zip(hazards, starts, strict=True)),
            tuple(starts[1:]),
            self.cured,
        )

    def cumulative_hazard(self, months: ArrayLike) -> NDArray[np.float64]:
        """Cumulative hazard of those who can fail."""
        t = np.asarray(months, dtype=float)
        edges = np.array([0.0, *self.changes, np.inf])
        spent = np.clip(t[..., None], edges[:-1], edges[1:]) - edges[:-1]
        return np.asarray(spent @ np.array(self.hazards))

    def survival(self, months: ArrayLike) -> NDArray[np.float64]:
        """Share without the event."""
        return self.cured + (1 - self.cured) * np.exp(-self.cumulative_hazard(months))

    def hazard(self, months: ArrayLike) -> NDArray[np.float64]:
        """Hazard of the whole group (the cured included), per month."""
        t = np.asarray(months, dtype=float)
        h = np.array(self.hazards)[np.searchsorted(np.array(self.changes), t, side="right")]
        alive = (1 - self.cured) * np.exp(-self.cumulative_hazard(t))
        # where the share that is left underflows to 0 the hazard is that of those who can fail
        left = self.cured + alive
        return np.asarray(h * np.where(left > 0, alive / np.where(left > 0, left, 1.0), 1.0))

    def quantile(self, u: ArrayLike) -> NDArray[np.float64]:
        """Time by which a share `u` has had the event; infinite beyond the share that ever has it."""
        p = np.asarray(u, dtype=float)
        with np.errstate(divide="ignore", invalid="ignore"):
            need = -np.log1p(-p / (1 - self.cured))
        need = np.where(p >= 1 - self.cured, np.inf, need)
        edges = np.array([0.0, *self.changes])
        reached = self.cumulative_hazard(edges)
        piece = np.clip(np.searchsorted(reached, need, side="right") - 1, 0, len(edges) - 1)
        h = np.array(self.hazards)[piece]
        with np.errstate(divide="ignore", invalid="ignore"):
            t = edges[piece] + (need - reached[piece]) / h
        return np.where(np.isfinite(need), t, np.inf)

    def median(self) -> float:
        """Median in months; infinite where not reached."""
        return float(self.quantile(0.5))


@dataclass(frozen=True)
class Accrual:
    """Patients entering per month, constant between change points.

    Attributes
    ----------
    rates : patients per month in each piece. durations : months of each piece.
    """

    rates: tuple[float, ...]
    durations: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.rates) != len(self.durations) or not self.rates:
            raise InputError("accrual needs one duration for each rate")
        if not np.all(np.isfinite([*self.rates, *self.durations])):
            raise InputError(f"accrual rates and durations are finite numbers, not {[*self.rates, *self.durations]}")
        if min(self.rates) < 0 or min(self.durations) <= 0 or sum(self.rates) <= 0:
            raise InputError("accrual rates are at least 0 (not all 0) and durations above 0")

    @classmethod
    def ramp(cls, rates: ArrayLike, starts: ArrayLike, patients: float) -> Accrual:
        """Rates that each start at a month, the last one until `patients` have entered."""
        r, s = np.asarray(rates, dtype=float), np.asarray(starts, dtype=float)
        durations = np.diff(s)
        left = patients - float(r[:-1] @ durations)
        if left <= 0:
            raise InputError(f"{patients:g} patients are enrolled before the last accrual rate starts")
        return cls(tuple(r), (*durations, left / r[-1]))

    @property
    def patients(self) -> float:
        """Patients in all."""
        return float(np.dot(self.rates, self.durations))

    @property
    def months(self) -> float:
        """Length of the accrual."""
        return float(sum(self.durations))

    def quantile(self, u: ArrayLike) -> NDArray[np.float64]:
        """Month by which a share `u` of the patients has entered."""
        edges = np.concatenate([[0.0], np.cumsum(self.durations)])
        entered = np.concatenate([[0.0], np.cumsum(np.multiply(self.rates, self.durations))]) / self.patients
        keep = np.concatenate([[True], np.diff(entered) > 0])
        values: NDArray[np.float64] = np.interp(np.asarray(u, dtype=float), entered[keep], edges[keep])
        return values

    def scaled(self, patients: float) -> Accrual:
        """The same shape and length with another number of patients."""
        factor = patients / self.patients
        return Accrual(tuple(r * factor for r in self.rates), self.durations)


def event_probability(survival: PiecewiseExponential, followed: ArrayLike, dropout: float = 0.0) -> NDArray[np.float64]:
    """Probability that the event is seen within `followed` months, with a constant dropout hazard (per month)."""
    t = np.maximum(np.asarray(followed, dtype=float), 0.0)
    edges = np.array([0.0, *survival.changes, np.inf])
    seen = np.zeros_like(t)
    for h, low, high in zip(survival.hazards, edges[:-1], edges[1:], strict=True):
        if h <= 0:
            continue
        at_low = np.exp(-survival.cumulative_hazard(low) - dropout * low)
        length = np.clip(t, low, high) - low
        seen = seen + at_low * h / (h + dropout) * -np.expm1(-(h + dropout) * length)
    values: NDArray[np.float64] = (1 - survival.cured) * seen
    return values


def expected_events(survival: PiecewiseExponential, accrual: Accrual, month: float, dropout: float = 0.0) -> float:
    """Expected events by a calendar month, if all of `accrual` is treated like `survival` [lachin1986]."""
    nodes, weights = np.polynomial.legendre.leggauss(24)
    total, start = 0.0, 0.0
    for rate, length in zip(accrual.rates, accrual.durations, strict=True):
        end = min(start + length, month)
        if end <= start:
            break
        # split at the points where the age at analysis crosses a change of hazard: the integrand has kinks there
        cuts = sorted({start, end, *[month - c for c in survival.changes if start < month - c < end]})
        for a, b in itertools.pairwise(cuts):
            u = (a + b) / 2 + (b - a) / 2 * nodes
            total += rate * (b - a) / 2 * float(weights @ event_probability(survival, month - u, dropout))
        start += length
    return total


def time_of_events(
    arms: list[tuple[PiecewiseExponential, float]], accrual: Accrual, events: float, dropout: float = 0.0
) -> float:
    """Calendar month at which `events` are expected; `arms` are pairs of (survival, share of the patients)."""

    def gap(month: float) -> float:
        return sum(share * expected_events(s, accrual, month, dropout) for s, share in arms) - events

    high = accrual.months + 1.0
    while gap(high) < 0:
        high *= 2
        if high > 1e5:
            raise InputError(
                f"{events:.0f} events are never reached with {accrual.patients:.0f} patients",
                hint="Enrol more patients, or analyse earlier.",
            )
    return float(optimize.brentq(gap, 0.0, high, xtol=1e-9))
