"""How well a value tells two groups apart: AUC with its interval, Mann-Whitney, logistic regression, FDR."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from immunescape.stats.estimate import Estimate

__all__ = ["auc", "benjamini_hochberg", "logistic"]


def _groups(values: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = np.asarray(values, dtype=float), np.asarray(labels, dtype=bool)
    given = ~np.isnan(x)
    return x[given & y], x[given & ~y]


def _mann_whitney(a: NDArray[np.float64], b: NDArray[np.float64], wins: float) -> float:
    """Two-sided p value of U: exact for a small group without ties, else the normal limit with both corrections."""
    n = len(a) + len(b)
    ties = np.unique(np.r_[a, b], return_counts=True)[1].astype(float)
    if min(len(a), len(b)) <= 8 and ties.max() == 1:
        from scipy.stats import mannwhitneyu

        return float(mannwhitneyu(a, b, alternative="two-sided", method="exact").pvalue)
    spread = np.sqrt(len(a) * len(b) / 12 * (n + 1 - (ties**3 - ties).sum() / (n * (n - 1))))
    distance = abs(wins - len(a) * len(b) / 2) - 0.5
    return min(1.0, float(2 * ndtr(-distance / spread))) if spread > 0 else 1.0


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
        Without a value where a group is empty.
    """
    a, b = _groups(values, labels)
    if not len(a) or not len(b):
        return Estimate(None, test="Mann-Whitney", note="a group is empty")
    below = np.searchsorted(np.sort(b), a, "left") + np.searchsorted(np.sort(b), a, "right")
    above = 2 * len(a) - np.searchsorted(np.sort(a), b, "left") - np.searchsorted(np.sort(a), b, "right")
    va, vb = below / (2 * len(b)), above / (2 * len(a))
    value = float(va.mean())
    p = _mann_whitney(a, b, value * len(a) * len(b))
    if len(a) < 2 or len(b) < 2:
        return Estimate(value, p=p, test="Mann-Whitney", note="one value in a group: no interval")
    error = float(np.sqrt(va.var(ddof=1) / len(a) + vb.var(ddof=1) / len(b)))
    if error == 0 and value in (0.0, 1.0):
        return Estimate(value, p=p, test="Mann-Whitney", note="the groups do not overlap: DeLong gives no interval")
    half = float(ndtri(0.5 + level / 2)) * error
    return Estimate(value, max(0.0, value - half), min(1.0, value + half), p, "Mann-Whitney")


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
        Without a value, with a note, where the groups are separated or the value does not vary.
    """
    x, y = np.asarray(values, dtype=float), np.asarray(labels, dtype=float)
    given = ~np.isnan(x)
    x, y = x[given], y[given]
    nothing = Estimate(None, test="logistic", note="the value does not vary, or the groups are separated")
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
    slope, z = beta[1] / scale, float(ndtri(0.5 + level / 2))
    p = float(2 * ndtr(-abs(slope) / error))
    odds, low, high = (float(np.exp(slope + side * z * error)) for side in (0, -1, 1))
    return Estimate(odds, low, high, p, "logistic")


def benjamini_hochberg(p: ArrayLike) -> NDArray[np.float64]:
    """Return false discovery rates of p values; NaN stays NaN and is not counted as a test."""
    values = np.asarray(p, dtype=float)
    out = np.full(values.shape, np.nan)
    given = np.flatnonzero(~np.isnan(values))
    if not len(given):
        return out
    order = given[np.argsort(values[given])]
    scaled = values[order] * len(order) / np.arange(1, len(order) + 1)
    out[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return out
