"""Kaplan-Meier curves with their intervals, medians and restricted means."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from immunescape.stats.estimate import NORMAL_975, Estimate

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ProductLimit", "kaplan_meier", "median_survival", "median_time", "product_limit", "restricted_mean"]

FloatArray = NDArray[np.float64]
_HALF = 0.5 + 1e-12
"""A product of shares that is one half exactly comes out a last digit above or below it; either counts as one half."""


@dataclass(frozen=True, kw_only=True)
class ProductLimit:
    """A Kaplan-Meier curve: one value for the start and for each distinct time.

    Attributes
    ----------
    time : (k,) times, increasing, the first 0.
    survival, low, high : (k,) the curve after each time, and its interval.
    at_risk : (k,) patients at risk just before each time. events, censored : (k,) patients at each time.
    """

    time: FloatArray
    survival: FloatArray
    low: FloatArray
    high: FloatArray
    at_risk: NDArray[np.int64]
    events: NDArray[np.int64]
    censored: NDArray[np.int64]


def product_limit(time: ArrayLike, event: ArrayLike, level: float = 0.95) -> ProductLimit:
    """Kaplan-Meier curve with its interval: log-log transformed, variance after Greenwood.

    Parameters
    ----------
    time, event
        (n,) times and event flags (1 or True: event), n > 0, nothing missing.
    level
        Confidence level.

    Raises
    ------
    ValueError
        For a time that is not finite.
    """
    times, happened = np.asarray(time, dtype=np.float64), np.asarray(event, dtype=bool)
    if not np.isfinite(times).all():
        raise ValueError("survival times must be finite numbers")
    if level == 0.95:
        quantile = NORMAL_975
    else:
        from scipy.special import ndtri

        quantile = float(ndtri(0.5 + level / 2))
    moments = np.unique(np.append(times, min(0.0, times.min())))
    place = np.searchsorted(moments, times)
    removed = np.bincount(place, minlength=len(moments))
    died = np.bincount(place[happened], minlength=len(moments))
    at_risk = len(times) - (np.cumsum(removed) - removed)
    with np.errstate(divide="ignore", invalid="ignore"):  # the curve may reach 0; at the start it has no spread
        survival = np.exp(np.cumsum(np.log(at_risk - died) - np.log(at_risk)))
        spread = np.cumsum(np.where(at_risk > died, died / (at_risk * (at_risk - died)), 0.0))
        log_survival = np.log(survival)
        half = quantile * np.sqrt(spread) / log_survival
        low, high = (np.exp(-np.exp(np.log(-log_survival) + sign * half)) for sign in (-1.0, 1.0))
    low, high = (np.where(np.isnan(bound), 1.0, bound) for bound in (low, high))
    return ProductLimit(
        time=moments, survival=survival, low=low, high=high, at_risk=at_risk, events=died, censored=removed - died
    )


def _crossing(time: FloatArray, curve: FloatArray) -> float | None:
    """First time at which a falling curve is at or below one half."""
    return None if curve[-1] > _HALF else float(time[np.searchsorted(-curve, -_HALF)])


def kaplan_meier(time: ArrayLike, event: ArrayLike, level: float = 0.95) -> pd.DataFrame:
    """Kaplan-Meier curve with its interval (log-log).

    Parameters
    ----------
    time, event
        (n,) times and event flags, nothing missing; no patients give a table without rows.
    level
        Confidence level.

    Returns
    -------
    DataFrame
        Columns ``time``, ``survival``, ``low``, ``high``, ``at_risk`` (number at risk just before `time`), ``events``,
        ``censored``; the first row is time 0.
    """
    import pandas as pd

    columns = ("time", "survival", "low", "high", "at_risk", "events", "censored")
    if len(np.asarray(time)) == 0:
        return pd.DataFrame(columns=list(columns), dtype=float)
    curve = product_limit(time, event, level)
    return pd.DataFrame({name: getattr(curve, name) for name in columns})


def median_time(time: ArrayLike, event: ArrayLike) -> float | None:
    """Kaplan-Meier median without its interval, for resampling; None where it is not reached."""
    if len(np.asarray(time)) == 0:
        return None
    curve = product_limit(time, event)
    return _crossing(curve.time, curve.survival)


def median_survival(time: ArrayLike, event: ArrayLike, level: float = 0.95) -> Estimate:
    """Median with its interval (Brookmeyer-Crowley, log-log); None where the curve does not fall that far."""
    if len(np.asarray(time)) == 0:
        return Estimate(None)
    curve = product_limit(time, event, level)
    value, low, high = (_crossing(curve.time, bound) for bound in (curve.survival, curve.low, curve.high))
    return Estimate(value, low, high)


def restricted_mean(time: ArrayLike, event: ArrayLike, horizon: float) -> Estimate:
    """Mean survival time up to `horizon` with its 95 % interval.

    The exact area under the Kaplan-Meier curve; variance after Greenwood: over the death times t before the horizon,
    the squared area beyond t times d / (n (n - d)).
    A curve that ends before the horizon goes on at its last level.
    """
    if len(np.asarray(time)) == 0:
        return Estimate(None)
    curve = product_limit(time, event)
    keep = curve.time < horizon
    edges = np.append(curve.time[keep], horizon)
    areas = np.diff(edges) * curve.survival[keep]
    beyond = np.cumsum(areas[::-1])[::-1]
    died, risk = curve.events[keep], curve.at_risk[keep]
    some = (died > 0) & (risk > died)
    variance = float(np.sum(beyond[some] ** 2 * died[some] / (risk[some] * (risk[some] - died[some]))))
    mean, half = float(areas.sum()), NORMAL_975 * math.sqrt(variance)
    return Estimate(mean, mean - half, mean + half)
