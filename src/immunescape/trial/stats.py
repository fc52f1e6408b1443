"""Statistics of a trial: Kaplan-Meier, hazard ratios, restricted means, response rates, each with its interval.

They are written out on whole arrays: the comparison of two groups needs no general regression, a library for that takes
longer to import than a small trial to simulate, and resampling needs thousands of fits. Tests validate every figure
against lifelines and textbook values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Estimate",
    "clopper_pearson",
    "cox_hazard_ratio",
    "fast_hazard_ratio",
    "kaplan_meier",
    "log_rank_p",
    "median_survival",
    "paired_bootstrap",
    "restricted_mean",
]

FloatArray = NDArray[np.float64]
_NORMAL_975 = 1.959963984540054
"""Quantile 0.975 of the normal distribution."""


@dataclass(frozen=True)
class Estimate:
    """A number and its 95 % interval; None where it does not exist (a median that was not reached)."""

    value: float | None
    low: float | None = None
    high: float | None = None

    @property
    def interval(self) -> list[float | None] | None:
        """``[low, high]``, or None where neither exists."""
        return None if self.low is None and self.high is None else [self.low, self.high]


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


@dataclass(frozen=True)
class _ProductLimit:
    """A Kaplan-Meier curve: one value for the start and for each distinct time."""

    time: FloatArray
    survival: FloatArray
    low: FloatArray
    high: FloatArray
    at_risk: NDArray[np.int64]
    events: NDArray[np.int64]
    censored: NDArray[np.int64]


def _product_limit(time: ArrayLike, event: ArrayLike) -> _ProductLimit:
    """Kaplan-Meier curve with its 95 % interval: log-log transformed, variance after Greenwood."""
    times, happened = np.asarray(time, dtype=np.float64), np.asarray(event, dtype=bool)
    if not np.isfinite(times).all():
        raise ValueError("survival times must be finite numbers")
    moments = np.unique(np.append(times, min(0.0, times.min())))
    place = np.searchsorted(moments, times)
    removed = np.bincount(place, minlength=len(moments))
    died = np.bincount(place[happened], minlength=len(moments))
    at_risk = len(times) - (np.cumsum(removed) - removed)
    with np.errstate(divide="ignore", invalid="ignore"):  # the curve may reach 0; at the start it has no spread
        survival = np.exp(np.cumsum(np.log(at_risk - died) - np.log(at_risk)))
        spread = np.cumsum(np.where(at_risk > died, died / (at_risk * (at_risk - died)), 0.0))
        level = np.log(survival)
        half = _NORMAL_975 * np.sqrt(spread) / level
        low, high = (np.exp(-np.exp(np.log(-level) + sign * half)) for sign in (-1.0, 1.0))
    low, high = (np.where(np.isnan(bound), 1.0, bound) for bound in (low, high))
    return _ProductLimit(moments, survival, low, high, at_risk, died, removed - died)


def _median(time: FloatArray, survival: FloatArray) -> float | None:
    """First time at which a falling curve is at or below one half."""
    return None if survival[-1] > 0.5 else float(time[np.searchsorted(-survival, -0.5)])


def kaplan_meier(time: ArrayLike, event: ArrayLike) -> pd.DataFrame:
    """Kaplan-Meier curve with its 95 % interval (log-log).

    Returns
    -------
    DataFrame
        Columns ``time``, ``survival``, ``low``, ``high``, ``at_risk`` (number at risk just before `time`), ``events``,
        ``censored``; the first row is time 0.
    """
    import pandas as pd

    curve = _product_limit(time, event)
    return pd.DataFrame(
        {
            "time": curve.time,
            "survival": curve.survival,
            "low": curve.low,
            "high": curve.high,
            "at_risk": curve.at_risk,
            "events": curve.events,
            "censored": curve.censored,
        }
    )


def median_survival(time: ArrayLike, event: ArrayLike) -> Estimate:
    """Median with its 95 % interval (Brookmeyer-Crowley, log-log); None where the curve does not fall that far."""
    if len(np.asarray(time)) == 0:
        return Estimate(None)
    curve = _product_limit(time, event)
    return Estimate(*(_median(curve.time, bound) for bound in (curve.survival, curve.low, curve.high)))


def restricted_mean(time: ArrayLike, event: ArrayLike, horizon: float) -> Estimate:
    """Mean survival time up to `horizon` with its 95 % interval.

    The exact area under the Kaplan-Meier curve; variance after Greenwood: over the death times t before the horizon,
    the squared area beyond t times d / (n (n - d)).
    A curve that ends before the horizon goes on at its last level.
    """
    if len(np.asarray(time)) == 0:
        return Estimate(None)
    table = kaplan_meier(time, event)
    t = table["time"].to_numpy()
    keep = t < horizon
    edges = np.append(t[keep], horizon)
    areas = np.diff(edges) * table["survival"].to_numpy()[keep]
    beyond = np.cumsum(areas[::-1])[::-1]
    died, risk = table["events"].to_numpy()[keep], table["at_risk"].to_numpy()[keep]
    some = (died > 0) & (risk > died)
    variance = float(np.sum(beyond[some] ** 2 * died[some] / (risk[some] * (risk[some] - died[some]))))
    mean, half = float(areas.sum()), _NORMAL_975 * math.sqrt(variance)
    return Estimate(mean, mean - half, mean + half)


@dataclass(frozen=True)
class _Moments:
    """Deaths of two groups by their k distinct times.

    Attributes
    ----------
    died, died_in : (k,) deaths, and those in the group of the numerator.
    risk_in, risk_out : (k,) patients at risk just before, in that group and in the other.
    """

    died: FloatArray
    died_in: FloatArray
    risk_in: FloatArray
    risk_out: FloatArray


def _moments(time: ArrayLike, event: ArrayLike, group: ArrayLike) -> _Moments:
    times, happened = np.asarray(time, dtype=np.float64), np.asarray(event, dtype=bool)
    member = np.asarray(group, dtype=np.float64)
    order = np.argsort(times, kind="stable")
    times, happened, member = times[order], happened[order], member[order]
    moments = np.unique(times[happened])
    index = np.searchsorted(moments, times[happened])
    died = np.bincount(index, minlength=len(moments)).astype(np.float64)
    died_in = np.bincount(index, weights=member[happened], minlength=len(moments)).astype(np.float64)
    first = np.searchsorted(times, moments, side="left")
    risk_in = np.concatenate([np.cumsum(member[::-1])[::-1], [0.0]])[first]
    return _Moments(died, died_in, risk_in, len(times) - first - risk_in)


def _joined(time_a: ArrayLike, event_a: ArrayLike, time_b: ArrayLike, event_b: ArrayLike) -> _Moments:
    a, b = np.asarray(time_a, dtype=np.float64), np.asarray(time_b, dtype=np.float64)
    event = np.concatenate([np.asarray(event_a, dtype=bool), np.asarray(event_b, dtype=bool)])
    return _moments(np.concatenate([a, b]), event, np.repeat([1.0, 0.0], [len(a), len(b)]))


def log_rank_p(time_a: ArrayLike, event_a: ArrayLike, time_b: ArrayLike, event_b: ArrayLike) -> float | None:
    """Two-sided p of the log-rank test between two independent groups; None without any event."""
    if not (np.any(event_a) or np.any(event_b)):
        return None
    from scipy.special import chdtrc

    m = _joined(time_a, event_a, time_b, event_b)
    risk = m.risk_in + m.risk_out
    excess = float((m.died_in - m.died * m.risk_in / risk).sum())
    tied = np.where(risk > 1, (risk - m.died) / np.maximum(risk - 1, 1), 1.0)  # hypergeometric, for deaths at one time
    variance = float((m.died * tied * m.risk_in * m.risk_out / risk**2).sum())
    return float(chdtrc(1, excess**2 / variance)) if variance > 0 else 1.0


def cox_hazard_ratio(time_a: ArrayLike, event_a: ArrayLike, time_b: ArrayLike, event_b: ArrayLike) -> Estimate:
    """Hazard ratio of group a over group b (independent groups), Cox model with Wald interval.

    None where one group has no event: the ratio is then 0 or infinite.
    """
    if not (np.any(event_a) and np.any(event_b)):
        return Estimate(None)
    beta, information = _cox(_joined(time_a, event_a, time_b, event_b))
    half = _NORMAL_975 / math.sqrt(information) if information > 0 else math.inf
    return Estimate(*(_exponential(b) for b in (beta, beta - half, beta + half)))


def _exponential(x: float) -> float | None:
    return _finite(math.exp(x)) if x < 700.0 else None


def _cox(m: _Moments) -> tuple[float, float]:
    """Log hazard ratio and its information, Efron's method for ties, by Newton's method."""
    share = np.concatenate([np.arange(d) / d for d in m.died])
    each = np.repeat(np.arange(len(m.died)), m.died.astype(int))
    in_risk = m.risk_in[each] - share * m.died_in[each]
    out_risk = m.risk_out[each] - share * (m.died - m.died_in)[each]
    beta, target, information = 0.0, float(m.died_in.sum()), 0.0
    for _ in range(50):
        weight = in_risk * math.exp(beta)
        mean = weight / (weight + out_risk)
        information = float((mean * (1 - mean)).sum())
        step = (target - float(mean.sum())) / max(information, 1e-12)
        beta += float(np.clip(step, -2.0, 2.0))
        if abs(step) < 1e-10:
            break
    return beta, information


def fast_hazard_ratio(time: ArrayLike, event: ArrayLike, group: ArrayLike) -> float:
    """Hazard ratio of a Cox model with one binary covariate, Efron's method for ties, by Newton's method.

    Parameters
    ----------
    time, event, group
        (n,) times, event flags, and 1 for the group of the numerator.

    Returns
    -------
    float
        The ratio; NaN where a group has no event.
    """
    m = _moments(time, event, group)
    if not m.died_in.any() or not (m.died > m.died_in).any():
        return math.nan
    return math.exp(_cox(m)[0])


def paired_bootstrap(
    time_a: ArrayLike,
    event_a: ArrayLike,
    time_b: ArrayLike,
    event_b: ArrayLike,
    *,
    seed: int,
    samples: int = 1000,
) -> Estimate:
    """Hazard ratio of arm a over arm b when both hold the same patients: percentile interval over resampled patients.

    A Cox interval would take the arms for independent. Row i of both arms must be patient i.
    """
    a, b = np.asarray(time_a, dtype=np.float64), np.asarray(time_b, dtype=np.float64)
    ea, eb = np.asarray(event_a, dtype=bool), np.asarray(event_b, dtype=bool)
    n = len(a)
    group = np.repeat([1.0, 0.0], [n, n])
    value = fast_hazard_ratio(np.concatenate([a, b]), np.concatenate([ea, eb]), group)
    if not math.isfinite(value):
        return Estimate(None)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0xB007,)))
    ratios = np.empty(samples)
    for i in range(samples):
        rows = rng.integers(0, n, n)
        ratios[i] = fast_hazard_ratio(np.concatenate([a[rows], b[rows]]), np.concatenate([ea[rows], eb[rows]]), group)
    ratios = ratios[np.isfinite(ratios)]
    if len(ratios) < 0.9 * samples:
        return Estimate(value)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return Estimate(value, float(low), float(high))


def clopper_pearson(successes: float, n: float, level: float = 0.95) -> Estimate:
    """Share of successes with the exact (Clopper-Pearson) interval; None for n = 0.

    Numbers need not be whole: those of weighted patients are effective ones.
    """
    if n == 0:
        return Estimate(None)
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low = 0.0 if successes <= 0 else float(betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes >= n else float(betaincinv(successes + 1, n - successes, 1 - tail))
    return Estimate(successes / n, low, high)
