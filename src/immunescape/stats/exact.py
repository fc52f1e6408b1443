"""Exact inference: shares with Clopper and Pearson's interval, and 2x2 tables with fixed margins.

Fisher's test and the conditional odds ratio are those of R's ``fisher.test``. Weights of the whole support are taken at
once: a table takes a millisecond where general distribution objects take ten. The tests compare with R and scipy.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from immunescape.stats.estimate import Estimate

__all__ = ["clopper_pearson", "conditional_odds_ratio", "fisher", "fisher_p"]

Array = NDArray[np.float64]
_SLACK = 1 + 1e-7
"""Tables this little more likely than the one seen count as equally likely (as in R)."""


def _support(table: NDArray[np.int64]) -> tuple[Array, Array]:
    """Possible counts of the first cell, and the log of their central hypergeometric weights."""
    from scipy.special import gammaln

    first, second = table.sum(axis=1)
    drawn = table[:, 0].sum()
    k = np.arange(max(0, drawn - second), min(first, drawn) + 1, dtype=float)
    rest = drawn - k
    weights = -(gammaln(k + 1) + gammaln(first - k + 1) + gammaln(rest + 1) + gammaln(second - rest + 1))
    return k, weights


def _shares(log_weights: Array) -> Array:
    weights = np.exp(log_weights - log_weights.max())
    return np.asarray(weights / weights.sum())


def fisher_p(table: NDArray[np.int64]) -> float:
    """Return Fisher's two-sided p value of a 2x2 table of counts."""
    k, weights = _support(table)
    chance = _shares(weights)
    return min(1.0, float(chance[chance <= chance[k == table[0, 0]][0] * _SLACK].sum()))


def _falling_root(function: Callable[[float], float]) -> float:
    """Root of a falling function of the log odds ratio, by bisection down to the last digits."""
    low, high = -1.0, 1.0
    while function(low) < 0:
        low *= 2
    while function(high) > 0:
        high *= 2
    while high - low > 1e-13 * max(1.0, abs(low), abs(high)):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) > 0 else (low, middle)
    return (low + high) / 2


def conditional_odds_ratio(table: NDArray[np.int64], level: float = 0.95) -> tuple[float, float, float]:
    """Return the conditional maximum-likelihood odds ratio with its exact interval.

    Parameters
    ----------
    table
        2 x 2 counts; no margin is zero.
    level
        Confidence level.

    Returns
    -------
    (value, low, high)
        0 or infinite where the table is at an end of what its margins allow.
    """
    k, weights = _support(table)
    seen, tail = float(table[0, 0]), (1 - level) / 2
    at_low, at_high = seen == k[0], seen == k[-1]

    def chance(log_odds: float) -> Array:
        return _shares(weights + k * log_odds)

    value = low = 0.0
    high = float("inf")
    if not at_low:
        low = float(np.exp(_falling_root(lambda b: tail - chance(b)[k >= seen].sum())))
    if not at_high:
        high = float(np.exp(_falling_root(lambda b: chance(b)[k <= seen].sum() - tail)))
    if at_high:
        value = float("inf")
    elif not at_low:
        value = float(np.exp(_falling_root(lambda b: seen - (chance(b) * k).sum())))
    return value, low, high


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
    table = np.array([[(x & y).sum(), (x & ~y).sum()], [(~x & y).sum(), (~x & ~y).sum()]], dtype=np.int64)
    if not (table.sum(axis=0).all() and table.sum(axis=1).all()):
        return Estimate(None, test="Fisher", note="a margin is empty")
    value, low, high = conditional_odds_ratio(table, level)
    return Estimate(value, low, high, fisher_p(table), "Fisher")


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
