"""Combination tests and closed testing: valid tests after a data-driven change of arms, populations or sample size.

Sources: Fisher's product [bauer1994]; inverse normal [lehmacher1999]; closed testing [marcus1976]; many arms against
one control [dunnett1955]; Simes' test [simes1986].
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

from immunescape.errors import InputError, unknown_word

__all__ = [
    "INTERSECTION_TESTS",
    "closed_test",
    "dunnett_critical",
    "dunnett_p",
    "fisher_combination",
    "fisher_critical",
    "intersection_p",
    "inverse_normal",
]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
INTERSECTION_TESTS = ("bonferroni", "sidak", "simes", "dunnett")
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(80)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


def inverse_normal(p: ArrayLike, information: ArrayLike) -> Floats:
    """Cumulative Z of independent stage-wise p, (..., K) -> (..., K); weights are the planned increments.

    Source: [lehmacher1999].

    Parameters
    ----------
    p : one-sided p of each stage's own data. information : (K,) planned cumulative information (fixed in advance).
    """
    z = -special.ndtri(np.clip(np.asarray(p, dtype=float), 1e-300, 1 - 1e-16))
    steps = np.diff(np.asarray(information, dtype=float), prepend=0.0)
    if np.any(steps <= 0):
        raise InputError("planned information must increase from look to look")
    weights = np.sqrt(steps)
    values: Floats = np.cumsum(weights * z, axis=-1) / np.sqrt(np.cumsum(steps))
    return values


def fisher_combination(p: ArrayLike) -> Floats:
    """Combined p of Fisher's product of independent stage-wise p, (..., K) -> (...) [bauer1994]."""
    values = np.clip(np.asarray(p, dtype=float), 1e-300, 1.0)
    result: Floats = stats.chi2.sf(-2 * np.log(values).sum(axis=-1), 2 * values.shape[-1])
    return result


def fisher_critical(alpha: float, alpha_first: float = 0.0, futility_p: float = 1.0) -> float:
    """Critical value c of a two-stage Fisher test: reject at the end where p1 p2 <= c [bauer1994].

    Parameters
    ----------
    alpha : level of the whole test. alpha_first : reject at the first stage where p1 is at most this.
    futility_p : stop without rejection where p1 is above this (binding).
    """
    if not 0 <= alpha_first < alpha < futility_p <= 1:
        raise InputError("levels must satisfy 0 <= alpha_first < alpha < futility_p <= 1")
    if alpha_first == 0 and futility_p == 1:
        return float(np.exp(-stats.chi2.isf(alpha, 4) / 2))
    # given p1 between alpha_first and futility_p the second stage rejects where p2 <= c / p1
    low = max(alpha_first, 1e-300)

    def level(c: float) -> float:
        start = max(low, c)
        value: float = alpha_first + max(min(c, futility_p) - alpha_first, 0.0) + c * np.log(futility_p / start)
        return value

    return float(optimize.brentq(lambda c: level(c) - alpha, 1e-12, futility_p))


def dunnett_p(largest: ArrayLike, shares: ArrayLike) -> Floats:
    """P(max of the arms' Z >= largest) where all arms share one control, under no effect [dunnett1955].

    Parameters
    ----------
    largest : any shape. shares : (..., A) correlation weights sqrt(n_arm / (n_arm + n_control)); arms that are not
        compared have NaN. One row for all cases, or one for each.
    """
    c = np.asarray(largest, dtype=float)[..., None, None]
    share = np.asarray(shares, dtype=float)
    share = np.broadcast_to(share, (*np.shape(largest), share.shape[-1]))[..., None, :]
    with np.errstate(invalid="ignore"):
        below = special.ndtr((c + share * _NODES[:, None]) / np.sqrt(1 - share**2))
    product = np.where(np.isnan(below), 1.0, below).prod(axis=-1)
    values: Floats = 1.0 - product @ _WEIGHTS
    return values


def dunnett_critical(arms: int, alpha: float = 0.025, ratio: float = 1.0) -> float:
    """Critical Z of Dunnett's one-sided test; `ratio` is patients per active arm over control [dunnett1955]."""
    share = np.full(arms, np.sqrt(ratio / (1 + ratio)))
    return float(optimize.brentq(lambda c: float(dunnett_p(c, share)) - alpha, 0.0, 8.0, xtol=1e-10))


def intersection_p(z: Floats, method: str, shares: ArrayLike | None = None) -> Floats:
    """P value of an intersection hypothesis from the Z of its members, (R, A) -> (R,); members with NaN are ignored.

    Source: [dunnett1955], [simes1986].

    With no member left p is 1.
    """
    if method not in INTERSECTION_TESTS:
        raise unknown_word("intersection test", method, INTERSECTION_TESTS)
    used = ~np.isnan(z)
    count = used.sum(axis=1)
    if method == "dunnett":
        if shares is None:
            raise InputError("Dunnett's test needs the allocation of the arms")
        weight = np.where(used, np.broadcast_to(np.asarray(shares, dtype=float), z.shape), np.nan)
        largest = np.where(used, z, -np.inf).max(axis=1)
        return np.where(count > 0, dunnett_p(np.where(count > 0, largest, 0.0), weight), 1.0)
    p = np.where(used, special.ndtr(-z), np.inf)
    if method == "simes":
        ranked = np.sort(p, axis=1)
        rank = np.arange(1, z.shape[1] + 1)
        with np.errstate(invalid="ignore"):
            best = np.where(np.isfinite(ranked), ranked * count[:, None] / rank, np.inf).min(axis=1)
    else:
        smallest = p.min(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):  # a p of 1 stays 1
            best = (
                count * smallest if method == "bonferroni" else -np.expm1(count * np.log1p(-np.minimum(smallest, 1.0)))
            )
    return np.where(count > 0, np.minimum(best, 1.0), 1.0)


def closed_test(
    z: Floats,
    active: Flags,
    information: ArrayLike,
    critical: ArrayLike,
    *,
    method: str = "simes",
    shares: ArrayLike | None = None,
) -> Flags:
    """Closed test over looks by inverse-normal combination [marcus1976], [lehmacher1999].

    Parameters
    ----------
    z : (R, K, A) Z of each stage's own (independent) data. active : (R, K, A) whether the arm or population is tested
        with that stage's data; one that has been dropped can no longer be rejected.
    information : (K,) planned cumulative information. critical : (K,) boundaries on the scale of Z.
    method : test of the intersections; `shares` as in :func:`dunnett_p`.

    Returns
    -------
    (R, K, A) whether each hypothesis is rejected by look k (once rejected, always rejected).
    """
    replicates, looks, arms = z.shape
    bounds = np.asarray(critical, dtype=float)
    use = np.where(active, z, np.nan)
    rejected = np.ones((replicates, looks, arms), dtype=bool)
    for size in range(1, arms + 1):
        for members in itertools.combinations(range(arms), size):
            columns = list(members)
            column_shares = None if shares is None else np.asarray(shares, dtype=float)[..., columns]
            p = np.stack([intersection_p(use[:, k, columns], method, column_shares) for k in range(looks)], axis=1)
            crossed = inverse_normal(p, information) >= bounds
            crossed &= active[:, :, columns].any(axis=2)
            crossed = np.logical_or.accumulate(crossed, axis=1)
            for a in columns:
                rejected[:, :, a] &= crossed
    still = rejected & active
    return np.logical_or.accumulate(still, axis=1)
