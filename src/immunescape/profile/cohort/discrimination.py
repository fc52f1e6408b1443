"""How well a value tells two groups apart: AUC with its interval, Mann-Whitney, Fisher, logistic regression, FDR."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

__all__ = ["Estimate", "auc", "benjamini_hochberg", "fisher", "logistic"]


@dataclass(frozen=True)
class Estimate:
    """A number with its interval, p value and the test that gave it; NaN where there is none."""

    value: float
    low: float
    high: float
    p: float
    test: str
    note: str = ""


def _groups(values: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = np.asarray(values, dtype=float), np.asarray(labels, dtype=bool)
    known = ~np.isnan(x)
    return x[known & y], x[known & ~y]


def auc(values: ArrayLike, labels: ArrayLike, level: float = 0.95) -> Estimate:
    """Return the area under the ROC curve with DeLong's interval and the Mann-Whitney p value.

    Parameters
    ----------
    values
        Numbers; NaN is left out. Ties count one half.
    labels
        True for the group that larger values should point to.
    level
        Confidence level of the interval (cut at 0 and 1).

    Returns
    -------
    Estimate
        NaN where a group is empty.
    """
    a, b = _groups(values, labels)
    if not len(a) or not len(b):
        return Estimate(np.nan, np.nan, np.nan, np.nan, "Mann-Whitney", "a group is empty")
    below = np.searchsorted(np.sort(b), a, "left") + np.searchsorted(np.sort(b), a, "right")
    above = 2 * len(a) - np.searchsorted(np.sort(a), b, "left") - np.searchsorted(np.sort(a), b, "right")
    va, vb = below / (2 * len(b)), above / (2 * len(a))
    value = float(va.mean())
    p = float(stats.mannwhitneyu(a, b, alternative="two-sided").pvalue)
    if len(a) < 2 or len(b) < 2:
        return Estimate(value, np.nan, np.nan, p, "Mann-Whitney", "one value in a group: no interval")
    error = float(np.sqrt(va.var(ddof=1) / len(a) + vb.var(ddof=1) / len(b)))
    half = float(stats.norm.ppf(0.5 + level / 2)) * error
    return Estimate(value, max(0.0, value - half), min(1.0, value + half), p, "Mann-Whitney")


def fisher(positive: ArrayLike, labels: ArrayLike, level: float = 0.95) -> Estimate:
    """Return the conditional odds ratio of a 2x2 table with its exact interval and Fisher's p value.

    The numbers are those of R's ``fisher.test``.

    Parameters
    ----------
    positive, labels
        Truth values of equal length.
    level
        Confidence level.
    """
    x, y = np.asarray(positive, dtype=bool), np.asarray(labels, dtype=bool)
    table = [[int((x & y).sum()), int((x & ~y).sum())], [int((~x & y).sum()), int((~x & ~y).sum())]]
    if 0 in (sum(table[0]), sum(table[1]), table[0][0] + table[1][0], table[0][1] + table[1][1]):
        return Estimate(np.nan, np.nan, np.nan, np.nan, "Fisher", "a margin is empty")
    ratio = stats.contingency.odds_ratio(table, kind="conditional")
    interval = ratio.confidence_interval(level)
    p = float(stats.fisher_exact(table).pvalue)
    return Estimate(float(ratio.statistic), float(interval.low), float(interval.high), p, "Fisher")


def logistic(values: ArrayLike, labels: ArrayLike, level: float = 0.95) -> Estimate:
    """Return the odds ratio per unit of a logistic regression on one value, with Wald interval and p value.

    Parameters
    ----------
    values
        Numbers; NaN is left out.
    labels
        Truth values.
    level
        Confidence level.

    Returns
    -------
    Estimate
        NaN with a note where the groups are separated or the value does not vary.
    """
    x, y = np.asarray(values, dtype=float), np.asarray(labels, dtype=float)
    known = ~np.isnan(x)
    x, y = x[known], y[known]
    nothing = Estimate(
        np.nan, np.nan, np.nan, np.nan, "logistic", "the value does not vary, or the groups are separated"
    )
    if len(x) < 3 or x.std() == 0 or y.min() == y.max():
        return nothing
    centre, scale = x.mean(), x.std()
    design = np.column_stack([np.ones(len(x)), (x - centre) / scale])
    beta = np.zeros(2)
    for _ in range(60):
        chance = 1 / (1 + np.exp(-np.clip(design @ beta, -500, 500)))
        information = design.T @ (design * (chance * (1 - chance))[:, None])
        if np.linalg.cond(information) > 1e12:
            return nothing
        step = np.linalg.solve(information, design.T @ (y - chance))
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            break
    else:
        return nothing
    if abs(beta[1]) > 30:
        return nothing
    error = float(np.sqrt(np.linalg.inv(information)[1, 1])) / scale
    slope, z = beta[1] / scale, float(stats.norm.ppf(0.5 + level / 2))
    p = float(2 * stats.norm.sf(abs(slope) / error))
    odds, low, high = (float(np.exp(slope + side * z * error)) for side in (0, -1, 1))
    return Estimate(odds, low, high, p, "logistic")


def benjamini_hochberg(p: ArrayLike) -> NDArray[np.float64]:
    """Return false discovery rates of p values; NaN stays NaN and is not counted as a test."""
    values = np.asarray(p, dtype=float)
    out = np.full(values.shape, np.nan)
    known = np.flatnonzero(~np.isnan(values))
    if not len(known):
        return out
    order = known[np.argsort(values[known])]
    scaled = values[order] * len(order) / np.arange(1, len(order) + 1)
    out[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return out
