"""Two-sample tests for survival, for many simulated trials at once.

Every function takes an :class:`OrderedData`: the patients of R trials, one row each, ordered by time once, so that
several tests share the work. Positive Z favours the experimental arm (fewer events, longer survival). Ties are handled
as in the exact statistics: hypergeometric variance, and events before censored times.

Sources: weights S^rho (1 - S)^gamma [harrington1982]; modest weights [magirr2019]; restricted mean [royston2013];
max-combo [lin2020].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from immunescape.errors import InputError

__all__ = [
    "MAX_COMBO",
    "OrderedData",
    "at_risk_by_arm",
    "exceedance",
    "fleming_harrington",
    "followed_to",
    "hazard_ratio",
    "log_rank",
    "max_combo",
    "milestone",
    "modest_weights",
    "ordered",
    "restricted_mean",
    "stratified_log_rank",
    "weighted_log_rank",
]

Floats = NDArray[np.float64]
MAX_COMBO: tuple[tuple[float, float], ...] = ((0.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, 0.0))
_TIE = 1e-9


@dataclass(frozen=True, kw_only=True)
class OrderedData:
    """Patients of R trials by increasing time.

    Attributes
    ----------
    time : (R, N) months; patients that are not in the analysis have -1 and are never at risk.
    event : (R, N) 1.0 where the event was seen. treated : (R, N) 1.0 in the experimental arm, 0.0 in the control arm.
    at_risk, at_risk_treated : (R, N) patients at risk just before each time.
    deaths : (R, N) events at the same time (1 where there are no ties). ties : whether any two times are equal.
    """

    time: Floats
    event: Floats
    treated: Floats
    at_risk: Floats
    at_risk_treated: Floats
    deaths: Floats | None
    first: NDArray[np.int64] | None

    @property
    def ties(self) -> bool:
        """Whether any two events of a trial share their time."""
        return self.first is not None


def ordered(time: ArrayLike, event: ArrayLike, treated: ArrayLike, use: ArrayLike | None = None) -> OrderedData:
    """Order the patients of each trial by time.

    Parameters
    ----------
    time, event, treated : (R, N) or (N,) months, event flags, and whether in the experimental arm.
    use : (R, N) patients that belong to the analysis; all without it.
    """
    t = np.atleast_2d(np.asarray(time, dtype=float))
    e = np.atleast_2d(np.asarray(event)).astype(float)
    z = np.atleast_2d(np.asarray(treated)).astype(float)
    if use is not None:
        keep = np.atleast_2d(np.asarray(use, dtype=bool))
        t, e = np.where(keep, t, -1.0), np.where(keep, e, 0.0)
    z = np.broadcast_to(z, t.shape)
    order = np.argsort(t - _TIE * e, axis=1)
    t, e, z = (np.take_along_axis(x, order, axis=1) for x in (t, e, z))
    n = t.shape[1]
    position = np.arange(n)
    beyond = np.cumsum(z[:, ::-1], axis=1)[:, ::-1]
    same = (t[:, 1:] == t[:, :-1]) & (t[:, 1:] >= 0) & (e[:, 1:] > 0)
    if not same.any():
        return OrderedData(
            time=t,
            event=e,
            treated=z,
            at_risk=np.broadcast_to((n - position).astype(float), t.shape),
            at_risk_treated=beyond,
            deaths=None,
            first=None,
        )
    new = np.ones(t.shape, dtype=bool)
    new[:, 1:] = t[:, 1:] != t[:, :-1]
    first = np.maximum.accumulate(np.where(new, position, 0), axis=1)
    closing = np.ones(t.shape, dtype=bool)
    closing[:, :-1] = new[:, 1:]
    last = np.minimum.accumulate(np.where(closing, position, n - 1)[:, ::-1], axis=1)[:, ::-1]
    seen = np.cumsum(e, axis=1)
    deaths = np.take_along_axis(seen, last, 1) - np.take_along_axis(seen, first, 1) + np.take_along_axis(e, first, 1)
    return OrderedData(
        time=t,
        event=e,
        treated=z,
        at_risk=(n - first).astype(float),
        at_risk_treated=np.take_along_axis(beyond, first, 1),
        deaths=deaths,
        first=first,
    )


def _terms(data: OrderedData, ratio: float = 1.0) -> tuple[Floats, Floats]:
    """Contribution of each patient's event to the score (expected minus observed in the treated) and its variance.

    `ratio` is the hazard ratio under the null: 1, or the margin of a non-inferiority test.
    """
    share = ratio * data.at_risk_treated / (data.at_risk + (ratio - 1.0) * data.at_risk_treated)
    score = data.event * (share - data.treated)
    variance = data.event * share * (1.0 - share)
    if data.deaths is not None:
        variance = variance * (data.at_risk - data.deaths) / np.maximum(data.at_risk - 1.0, 1.0)
    return score, variance


def _z(score: Floats, variance: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(variance > 0, score / np.sqrt(variance), 0.0)


def log_rank(data: OrderedData, ratio: float = 1.0) -> tuple[Floats, Floats]:
    """Log-rank Z and its information (the hypergeometric variance), each (R,).

    With a `ratio` other than 1 it is Cox's score test of that hazard ratio, as non-inferiority tests use it.
    """
    score, variance = _terms(data, ratio)
    total = variance.sum(axis=1)
    return _z(score.sum(axis=1), total), total


def stratified_log_rank(
    time: ArrayLike,
    event: ArrayLike,
    treated: ArrayLike,
    stratum: ArrayLike,
    use: ArrayLike | None = None,
    ratio: float = 1.0,
) -> tuple[Floats, Floats]:
    """Stratified log-rank Z and information: scores and variances summed over the strata."""
    levels = np.atleast_2d(np.asarray(stratum))
    keep = np.ones(levels.shape, dtype=bool) if use is None else np.atleast_2d(np.asarray(use, dtype=bool))
    score = variance = np.zeros(levels.shape[0])
    for level in np.unique(levels):
        s, v = _terms(ordered(time, event, treated, keep & (levels == level)), ratio)
        score, variance = score + s.sum(axis=1), variance + v.sum(axis=1)
    return _z(score, variance), variance


def pooled_survival(data: OrderedData) -> Floats:
    """Kaplan-Meier estimate of both arms together just before each time, (R, N)."""
    if data.first is None or data.deaths is None:
        after = np.cumprod(1.0 - data.event / data.at_risk, axis=1)
        before = np.ones_like(after)
        before[:, 1:] = after[:, :-1]
        return before
    # each of the d tied events takes an equal factor, so that together they make 1 - d / n
    with np.errstate(divide="ignore"):
        step = np.log1p(-data.deaths / data.at_risk) / np.maximum(data.deaths, 1.0) * (data.event > 0)
    after = np.exp(np.cumsum(np.maximum(step, -700.0), axis=1))
    padded = np.concatenate([np.ones((len(after), 1)), after], axis=1)
    return np.take_along_axis(padded, data.first, axis=1)


def modest_weights(data: OrderedData, at_month: float) -> Floats:
    """Weights 1 / max(S(t-), S(t*)) with t* = `at_month`, (R, N) [magirr2019]."""
    survival = pooled_survival(data)
    early = np.where(data.time <= at_month, survival, np.inf)
    floor = np.min(early, axis=1, keepdims=True)
    return 1.0 / np.maximum(survival, np.where(np.isfinite(floor), floor, 1.0))


def weighted_log_rank(data: OrderedData, weights: Floats) -> tuple[Floats, Floats]:
    """Weighted log-rank Z and its information for given weights, (R, N)."""
    score, variance = _terms(data)
    total = (weights**2 * variance).sum(axis=1)
    return _z((weights * score).sum(axis=1), total), total


def fleming_harrington(data: OrderedData, rho: float, gamma: float) -> tuple[Floats, Floats]:
    """Fleming-Harrington Z and information; weights S^rho (1 - S)^gamma of the pooled survival.

    Source: [harrington1982].
    """
    if rho < 0 or gamma < 0:
        raise InputError(f"Fleming-Harrington weights need rho and gamma of at least 0, not {rho} and {gamma}")
    survival = pooled_survival(data)
    return weighted_log_rank(data, survival**rho * (1.0 - survival) ** gamma)


def max_combo(data: OrderedData, family: Sequence[tuple[float, float]] = MAX_COMBO) -> tuple[Floats, Floats, Floats]:
    """Maximum of several Fleming-Harrington tests [lin2020].

    Returns
    -------
    tuple
        (R,) largest Z, (R,) one-sided p (corrected by the joint normal distribution of the tests), (R, T) each Z.
    """
    score, variance = _terms(data)
    survival = pooled_survival(data)
    weights = [survival**rho * (1.0 - survival) ** gamma for rho, gamma in family]
    covariance = np.stack([np.stack([(a * b * variance).sum(axis=1) for b in weights], -1) for a in weights], -2)
    spread = np.sqrt(np.maximum(np.einsum("rii->ri", covariance), 1e-300))
    z = np.stack([(w * score).sum(axis=1) for w in weights], -1) / spread
    correlation = covariance / (spread[:, :, None] * spread[:, None, :])
    largest = z.max(axis=1)
    return largest, exceedance(largest, correlation), z


def exceedance(largest: Floats, correlation: Floats, points: int = 256) -> Floats:
    """Probability that the largest of T correlated standard normals exceeds `largest`, for R cases at once.

    The sum over tests k of P(X_k > u) E[1 / (number of tests above u) | X_k > u]: each term lies between P / T and P,
    so the relative error stays small in the tail; the correlation may be singular. Points come from a fixed lattice,
    without random numbers, so that results repeat.
    """
    tests = correlation.shape[-1]
    lattice = np.mod(
        np.outer(np.arange(1, points + 1), np.sqrt([2.0, 3, 5, 7, 11, 13, 17, 19][: tests + 1])) + 0.5, 1.0
    )
    tail = special.ndtr(-largest)
    first = -special.ndtri(np.clip(lattice[:, 0] * tail[:, None], 1e-300, 1.0))
    normal = special.ndtri(lattice[:, 1:])
    total = np.zeros(len(largest))
    for k in range(tests):
        link = correlation[:, :, k]
        rest = correlation - link[:, :, None] * link[:, None, :]
        values, vectors = np.linalg.eigh(rest)
        root = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
        above = np.ones(first.shape)
        for j in range(tests):
            if j != k:
                x = link[:, j, None] * first + root[:, j, :] @ normal.T
                above += x > largest[:, None]
        total += (1.0 / above).mean(axis=1)
    result: Floats = np.minimum(tail * total, 1.0)
    return result


def hazard_ratio(data: OrderedData, iterations: int = 5) -> Floats:
    """Hazard ratio of the treated over the control arm, (R,): Cox's partial likelihood, Breslow's ties.

    Newton steps from the one-step estimate exp(score / information); NaN where an arm has no event.
    """
    score, variance = _terms(data)
    total = variance.sum(axis=1)
    observed = (data.event * data.treated).sum(axis=1)
    possible = (observed > 0) & (observed < data.event.sum(axis=1)) & (total > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        beta = np.where(possible, np.clip(-score.sum(axis=1) / total, -4, 4), 0.0)
    treated, control = data.at_risk_treated, data.at_risk - data.at_risk_treated
    for _ in range(iterations):
        weight = treated * np.exp(beta)[:, None]
        share = weight / np.maximum(weight + control, 1e-300)
        slope = observed - (data.event * share).sum(axis=1)
        bend = (data.event * share * (1 - share)).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            beta = beta + np.where(possible & (bend > 0), np.clip(slope / bend, -1, 1), 0.0)
    return np.where(possible, np.exp(beta), np.nan)


def followed_to(data: OrderedData) -> Floats:
    """Last month at which the survival of both arms can be estimated, (R,).

    An arm whose last patient had the event is known for ever (its curve is at 0); one whose last patient is censored is
    known up to that time. Beyond it the Kaplan-Meier estimate has no data and a test has no level.
    """
    out = np.full(len(data.time), np.inf)
    for arm in (data.treated, 1.0 - data.treated):
        member = (arm > 0) & (data.time >= 0)
        last = np.where(member, data.time, -np.inf).max(axis=1)
        censored = (member & (data.event <= 0) & (data.time >= last[:, None] - _TIE)).any(axis=1)
        out = np.minimum(out, np.where(censored | ~np.isfinite(last), np.maximum(last, 0.0), np.inf))
    return out


def at_risk_by_arm(data: OrderedData, month: float) -> Floats:
    """Patients of the smaller arm who are still followed at `month`, (R,)."""
    beyond = data.time >= month
    values: Floats = np.minimum((beyond * data.treated).sum(axis=1), (beyond * (1.0 - data.treated)).sum(axis=1))
    return values


def _arm(data: OrderedData, arm: Floats, horizon: ArrayLike) -> tuple[Floats, Floats, Floats, Floats]:
    """Restricted mean and its variance, survival at the horizon and its variance, for the patients with `arm` = 1.

    `horizon` is one number, or one for each replicate.
    """
    horizon = np.broadcast_to(np.asarray(horizon, dtype=float), (len(data.time),))[:, None]
    belongs = arm * (data.time >= 0)
    left = np.cumsum(belongs[:, ::-1], axis=1)[:, ::-1]
    hit = belongs * data.event * (data.time <= horizon)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(hit > 0, 1.0 - 1.0 / np.maximum(left, 1.0), 1.0)
        greenwood = np.where((hit > 0) & (left > 1), 1.0 / (left * (left - 1.0)), 0.0)
    survival = np.cumprod(factor, axis=1)
    times = np.clip(data.time, 0.0, horizon)
    edges = np.concatenate([times, horizon], axis=1)
    areas = np.diff(edges, axis=1) * survival
    beyond = np.cumsum(areas[:, ::-1], axis=1)[:, ::-1]
    mean = edges[:, 0] + areas.sum(axis=1)
    at_end = np.asarray(survival[:, -1], dtype=np.float64)
    return mean, (beyond**2 * greenwood).sum(axis=1), at_end, at_end**2 * greenwood.sum(axis=1)


def restricted_mean(data: OrderedData, horizon: float) -> tuple[Floats, Floats, Floats]:
    """Difference of restricted mean survival times up to `horizon` months: Z, information (1 / variance), months.

    Source: [royston2013].

    Where an arm is not followed to the horizon the last time that both arms are followed to takes its place: a curve
    that is extended flat beyond its data has too small a variance, and the test would not hold its level. Designs in
    which that is more than a rare case are refused when they are planned.
    """
    end = np.minimum(horizon, followed_to(data))
    m1, v1, _, _ = _arm(data, data.treated, end)
    m0, v0, _, _ = _arm(data, 1.0 - data.treated, end)
    return _difference(m1 - m0, v1 + v0)


def milestone(data: OrderedData, month: float) -> tuple[Floats, Floats, Floats]:
    """Difference of Kaplan-Meier survival at `month`: Z, information (1 / variance), difference of shares.

    Z and information are 0 where an arm is not followed to `month`: there is nothing to compare.
    """
    _, _, s1, v1 = _arm(data, data.treated, month)
    _, _, s0, v0 = _arm(data, 1.0 - data.treated, month)
    return _difference(s1 - s0, np.where(followed_to(data) >= month, v1 + v0, 0.0))


def _difference(value: Floats, variance: Floats) -> tuple[Floats, Floats, Floats]:
    with np.errstate(divide="ignore"):
        information = np.where(variance > 0, 1.0 / variance, 0.0)
    return value * np.sqrt(information), information, value
