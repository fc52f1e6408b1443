"""Hill numbers of abundance counts: observed, rarefied and extrapolated, with sample coverage.

Formulas of Chao et al. (2014): rarefaction is the exact expectation over subsamples without replacement; extrapolation
is limited to twice the sample size. All functions take the counts of one sample, so no result depends on other samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma, gammaln

__all__ = ["chao1", "coverage", "entropy_estimate", "hill", "hill_at"]

Array = NDArray[np.float64]


def _counts(counts: ArrayLike) -> Array:
    x = np.asarray(counts, dtype=float)
    return x[x > 0]


def hill(counts: ArrayLike, q: float) -> float:
    """Return the Hill number of order q of observed abundances (counts or shares).

    Parameters
    ----------
    counts
        Abundances, one per type; zeros are ignored.
    q
        Order: 0 richness, 1 exponential of Shannon's entropy, 2 inverse of Simpson's concentration.
    """
    x = _counts(counts)
    if x.size == 0:
        return 0.0
    p = x / x.sum()
    if q == 0:
        return float(x.size)
    if q == 1:
        return float(np.exp(-(p * np.log(p)).sum()))
    return float((p**q).sum() ** (1 / (1 - q)))


def _f(x: Array) -> tuple[int, int]:
    return int((x == 1).sum()), int((x == 2).sum())


def chao1(counts: ArrayLike) -> float:
    """Return the lower bound of richness (bias-corrected where there are no doubletons)."""
    x = _counts(counts)
    n = x.sum()
    singletons, doubletons = _f(x)
    if n == 0:
        return 0.0
    unseen = (
        (n - 1) / n * (singletons * singletons / (2 * doubletons) if doubletons else singletons * (singletons - 1) / 2)
    )
    return float(x.size + unseen)


def entropy_estimate(counts: ArrayLike) -> float:
    """Return the estimate of Shannon's entropy of Chao, Wang and Jost (2013)."""
    x = _counts(counts)
    n = x.sum()
    if n < 2:
        return 0.0
    total = float((x / n * (digamma(n) - digamma(x))).sum())
    singletons, doubletons = _f(x)
    if singletons:
        a = (
            2 * doubletons / ((n - 1) * singletons + 2 * doubletons)
            if doubletons
            else (2 / ((n - 1) * (singletons - 1) + 2) if singletons > 1 else 1.0)
        )
        if a < 1:
            r = np.arange(1, int(n))
            tail = -np.log(a) - float(((1 - a) ** r / r).sum())
            total += singletons / n * (1 - a) ** (1 - n) * tail
    return total


def coverage(counts: ArrayLike, depth: float | None = None) -> float:
    """Return the share of the repertoire that belongs to the types in a sample (Good-Turing, Chao and Jost).

    Parameters
    ----------
    counts
        Abundances of one sample.
    depth
        Size of the sub- or supersample; None takes the sample as it is.
    """
    x = _counts(counts)
    n = float(x.sum())
    m = n if depth is None else float(depth)
    if n == 0:
        return 0.0
    singletons, doubletons = _f(x)
    if m < n:
        keep = x[n - x >= m]
        weight = keep / n * np.exp(gammaln(n - keep + 1) - gammaln(n - keep - m + 1) - gammaln(n) + gammaln(n - m))
        return float(1 - weight.sum())
    if singletons == 0:
        return 1.0
    a = (
        (n - 1) * singletons / ((n - 1) * singletons + 2 * doubletons)
        if doubletons
        else (n - 1) * (singletons - 1) / ((n - 1) * (singletons - 1) + 2)
    )
    return float(1 - singletons / n * a ** (m - n + 1))


def _expected_frequencies(x: Array, m: int) -> tuple[Array, Array]:
    """Return k = 1..m and the expected number of types seen k times in a subsample of m."""
    n = x.sum()
    values, how_many = np.unique(x, return_counts=True)
    k = np.arange(1, m + 1, dtype=float)
    expected = np.zeros(m)
    base = gammaln(n + 1) - gammaln(m + 1) - gammaln(n - m + 1)
    for value, number in zip(values, how_many, strict=True):
        first, last = int(max(1, m - (n - value))), int(min(value, m))
        if last < first:
            continue
        kk = k[first - 1 : last]
        log = gammaln(value + 1) - gammaln(kk + 1) - gammaln(value - kk + 1)
        log += gammaln(n - value + 1) - gammaln(m - kk + 1) - gammaln(n - value - m + kk + 1) - base
        expected[first - 1 : last] += number * np.exp(log)
    return k, expected


def hill_at(counts: ArrayLike, q: int, depth: int) -> float:
    """Return the expected Hill number of order 0, 1 or 2 at a depth (rarefied or extrapolated).

    Parameters
    ----------
    counts
        Whole-number abundances of one sample.
    q
        Order: 0, 1 or 2.
    depth
        Size of the sub- or supersample; at most twice the sample.

    Raises
    ------
    ValueError
        For another order, or a depth beyond twice the sample.
    """
    x = _counts(counts)
    n = int(x.sum())
    if q not in (0, 1, 2):
        raise ValueError("orders 0, 1 and 2 only")
    if depth < 1 or depth > 2 * n:
        raise ValueError(f"depth {depth} is not between 1 and twice the sample ({n})")
    if q == 2:
        same = float((x * (x - 1)).sum()) / (n * (n - 1)) if n > 1 else 1.0
        return 1 / (1 / depth + (depth - 1) / depth * same)
    if depth == n:
        return hill(x, q)
    if depth < n:
        if q == 0:
            rare = x[n - x >= depth]
            missed = np.exp(
                gammaln(n - rare + 1) - gammaln(n - rare - depth + 1) - gammaln(n + 1) + gammaln(n - depth + 1)
            )
            return float(x.size - missed.sum())
        k, expected = _expected_frequencies(x, depth)
        share = k / depth
        return float(np.exp(-(share * np.log(share) * expected).sum()))
    extra = depth - n
    if q == 0:
        unseen = chao1(x) - x.size
        singletons = _f(x)[0]
        return float(
            x.size
            + (unseen * (1 - (1 - singletons / (n * unseen + singletons)) ** extra) if unseen > 0 and singletons else 0)
        )
    observed, limit, before = hill(x, 1), float(np.exp(entropy_estimate(x))), hill_at(x, 1, n - 1)
    if limit - before <= 0 or limit <= observed:
        return observed
    beta = (observed - before) / (limit - before)
    return observed + (limit - observed) * (1 - (1 - beta) ** extra)
