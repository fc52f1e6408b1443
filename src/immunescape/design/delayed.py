"""Effects that are not proportional: average hazard ratio, hazards over time, and a warning of delayed effects."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from immunescape.design.survival_model import Accrual, PiecewiseExponential
from immunescape.design.truth import Generator, Truth, VirtualPool
from immunescape.errors import InputError

__all__ = ["Profile", "average_hazard_ratio", "delayed_effect", "events_by_period", "hazard_profile"]

Floats = NDArray[np.float64]


def events_by_period(
    survival: PiecewiseExponential, edges: Sequence[float], accrual: Accrual, month: float, dropout: float = 0.0
) -> Floats:
    """Expected events by a calendar month, in each period of time since entry (edges from 0, the last one open)."""
    steps = np.linspace(0.0, month, 2001)
    middle = (steps[1:] + steps[:-1]) / 2
    starts = np.concatenate([[0.0], np.cumsum(accrual.durations)])
    rate = np.zeros_like(middle)
    for r, low, high in zip(accrual.rates, starts[:-1], starts[1:], strict=True):
        rate[(middle >= low) & (middle < high)] = r
    entered = rate * np.diff(steps)
    # patients that have been followed for at least u months, on the same steps
    followed = np.cumsum(entered)[::-1]
    density = survival.hazard(middle) * survival.survival(middle) * np.exp(-dropout * middle)
    events = density * np.diff(steps) * followed
    period = np.searchsorted(np.asarray(edges[1:]), middle, side="right")
    return np.asarray(np.bincount(period, weights=events, minlength=len(edges))[: len(edges)], dtype=float)


def average_hazard_ratio(
    control: PiecewiseExponential,
    experimental: PiecewiseExponential,
    accrual: Accrual,
    month: float,
    *,
    dropout: float = 0.0,
    ratio: float = 1.0,
) -> float:
    """Average hazard ratio expected at a calendar month: geometric mean over periods, weighted by events.

    Source: [mukhopadhyay2020], with events of both arms as weights. Groups with a cured share are cut into
    periods of one month, where the hazard of the whole group is taken at the middle.
    """
    changes = {0.0, *control.changes, *experimental.changes}
    if control.cured > 0 or experimental.cured > 0:
        changes |= set(np.arange(1.0, month, 1.0).tolist())
    edges = sorted(c for c in changes if c < month)
    parts = accrual.scaled(accrual.patients * ratio / (1 + ratio)), accrual.scaled(accrual.patients / (1 + ratio))
    events = events_by_period(experimental, edges, parts[0], month, dropout)
    events = events + events_by_period(control, edges, parts[1], month, dropout)
    ends = np.array([*edges[1:], month])
    middle = (np.array(edges) + ends) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        log_ratio = np.log(experimental.hazard(middle) / control.hazard(middle))
    good = np.isfinite(log_ratio) & (events > 0)
    if not good.any():
        raise InputError("no events are expected in both arms")
    return float(np.exp(np.sum(events[good] * log_ratio[good]) / np.sum(events[good])))


@dataclass(frozen=True)
class Profile:
    """Hazard ratio by period of time since entry.

    Attributes
    ----------
    edges : (P+1,) months. ratio : (P,) hazard ratio. error : (P,) standard error of its logarithm (0: exactly known).
    """

    edges: Floats
    ratio: Floats
    error: Floats


def hazard_profile(
    truth: Truth,
    endpoint: str,
    experimental: str,
    control: str,
    edges: ArrayLike,
    strata: Sequence[str] = (),
) -> Profile:
    """Hazard ratio of one arm over the control in periods of time, all (or some) strata together, by their shares."""
    cuts = np.asarray(edges, dtype=float)
    chosen = tuple(strata) or tuple(truth.strata)
    shares = {s: w for s, w in zip(truth.strata, truth.shares, strict=True) if s in chosen}
    if isinstance(truth, Generator):
        hazard = {}
        for arm in (experimental, control):
            alive = np.zeros(len(cuts))
            for stratum, share in shares.items():
                distribution = truth.outcome_model(arm, stratum, endpoint)
                if not isinstance(distribution, PiecewiseExponential):
                    raise InputError(f"'{endpoint}' is not a survival endpoint")
                alive = alive + share / sum(shares.values()) * distribution.survival(cuts)
            with np.errstate(divide="ignore", invalid="ignore"):  # no patients are left in late periods
                hazard[arm] = -np.diff(np.log(alive))
        with np.errstate(divide="ignore", invalid="ignore"):
            return Profile(cuts, hazard[experimental] / hazard[control], np.zeros(len(cuts) - 1))
    if isinstance(truth, VirtualPool):
        rates, counts = {}, {}
        for arm in (experimental, control):
            months = np.concatenate([truth.rows[arm, s][f"{endpoint}_months"] for s in chosen])
            event = np.concatenate([truth.rows[arm, s][f"{endpoint}_event"] for s in chosen]) > 0.5
            exposure = np.array([np.clip(months - a, 0, b - a).sum() for a, b in itertools.pairwise(cuts)])
            counts[arm] = np.array([(event & (months > a) & (months <= b)).sum() for a, b in itertools.pairwise(cuts)])
            with np.errstate(divide="ignore", invalid="ignore"):
                rates[arm] = counts[arm] / exposure
        with np.errstate(divide="ignore", invalid="ignore"):
            error = np.sqrt(1.0 / counts[experimental] + 1.0 / counts[control])
            return Profile(cuts, rates[experimental] / rates[control], error)
    raise InputError("this truth has no hazards to compare")


def delayed_effect(
    truth: Truth, endpoint: str, experimental: str, control: str, months: float, strata: Sequence[str] = ()
) -> str | None:
    """A warning if the effect is delayed or reverses within `months`, or None.

    The periods are 24ths of the time. Delayed: the hazard ratio of a first stretch is at least 0.9 and that of the rest
    lower by at least a fifth; for a virtual population the two must also differ by three standard errors.
    """
    profile = hazard_profile(truth, endpoint, experimental, control, np.linspace(0.0, months, 25), strata)
    weight = np.where(profile.error > 0, 1.0 / np.maximum(profile.error, 1e-9) ** 2, 1.0)
    good = np.isfinite(profile.ratio) & (profile.ratio > 0) & np.isfinite(profile.error)
    best: tuple[float, float, float] | None = None
    for k in range(1, 16):
        early, late = good & (np.arange(24) < k), good & (np.arange(24) >= k)
        if not early.any() or not late.any():
            continue
        e = np.sum(weight[early] * np.log(profile.ratio[early])) / weight[early].sum()
        v = np.sum(weight[late] * np.log(profile.ratio[late])) / weight[late].sum()
        sure = not (profile.error > 0).any() or (e - v) > 3 * np.sqrt(1 / weight[early].sum() + 1 / weight[late].sum())
        if e >= np.log(0.9) and v <= e + np.log(0.8) and sure and (best is None or e - v > best[1] - best[2]):
            best = (float(profile.edges[k]), float(e), float(v))
    if best is None:
        return None
    when, early_ratio, late_ratio = best[0], np.exp(best[1]), np.exp(best[2])
    crossing = " (the hazards cross)" if early_ratio > 1.05 else ""
    return (
        f"the effect on {endpoint} of '{experimental}' is delayed: hazard ratio {early_ratio:.2f} in the first "
        f"{when:.1f} months, {late_ratio:.2f} after{crossing}; the log-rank test and an early futility look lose "
        "power, and the average hazard ratio depends on the time of the analysis. Consider a weighted test, max-combo "
        "or a restricted mean."
    )
