"""Statistics of a trial: Kaplan-Meier, hazard ratios, restricted means, response rates, each with its interval.

Curves, tests and the Cox model come from lifelines. For resampling, where thousands of fits are needed, a Cox model
with one binary covariate is solved here directly (Efron's ties, as lifelines; a test compares the two).
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


def _km(time: ArrayLike, event: ArrayLike):  # type: ignore[no-untyped-def]
    from lifelines import KaplanMeierFitter

    fitter = KaplanMeierFitter()
    fitter.fit(np.asarray(time, dtype=np.float64), np.asarray(event, dtype=bool), label="survival")
    return fitter


def kaplan_meier(time: ArrayLike, event: ArrayLike) -> pd.DataFrame:
    """Kaplan-Meier curve with its 95 % interval (log-log).

    Returns
    -------
    DataFrame
        Columns ``time``, ``survival``, ``low``, ``high``, ``at_risk`` (number at risk just before `time`), ``events``,
        ``censored``; the first row is time 0.
    """
    import pandas as pd

    fitter = _km(time, event)
    table = fitter.event_table
    interval = fitter.confidence_interval_
    return pd.DataFrame(
        {
            "time": fitter.survival_function_.index.to_numpy(dtype=np.float64),
            "survival": fitter.survival_function_["survival"].to_numpy(),
            "low": interval.iloc[:, 0].fillna(1.0).to_numpy(),
            "high": interval.iloc[:, 1].fillna(1.0).to_numpy(),
            "at_risk": table["at_risk"].to_numpy(dtype=int),
            "events": table["observed"].to_numpy(dtype=int),
            "censored": table["censored"].to_numpy(dtype=int),
        }
    )


def median_survival(time: ArrayLike, event: ArrayLike) -> Estimate:
    """Median with its 95 % interval (Brookmeyer-Crowley, log-log); None where the curve does not fall that far."""
    if len(np.asarray(time)) == 0:
        return Estimate(None)
    from lifelines.utils import median_survival_times

    fitter = _km(time, event)
    interval = median_survival_times(fitter.confidence_interval_)
    low, high = (float(v) for v in interval.to_numpy()[0])
    return Estimate(_finite(float(fitter.median_survival_time_)), _finite(low), _finite(high))


def restricted_mean(time: ArrayLike, event: ArrayLike, horizon: float) -> Estimate:
    """Mean survival time up to `horizon` with its 95 % interval.

    The exact area under the Kaplan-Meier curve; variance after Greenwood: over the death times t before the horizon,
    the squared area beyond t times d / (n (n - d)). (lifelines integrates the variance numerically; steps defeat that.)
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
    mean, half = float(areas.sum()), 1.959963984540054 * math.sqrt(variance)
    return Estimate(mean, mean - half, mean + half)


def log_rank_p(time_a: ArrayLike, event_a: ArrayLike, time_b: ArrayLike, event_b: ArrayLike) -> float | None:
    """Two-sided p of the log-rank test between two independent groups; None without any event."""
    if not (np.any(event_a) or np.any(event_b)):
        return None
    from lifelines.statistics import logrank_test

    return _finite(
        float(logrank_test(np.asarray(time_a), np.asarray(time_b), np.asarray(event_a), np.asarray(event_b)).p_value)
    )


def cox_hazard_ratio(time_a: ArrayLike, event_a: ArrayLike, time_b: ArrayLike, event_b: ArrayLike) -> Estimate:
    """Hazard ratio of group a over group b (independent groups), Cox model with Wald interval.

    None where one group has no event: the ratio is then 0 or infinite.
    """
    if not (np.any(event_a) and np.any(event_b)):
        return Estimate(None)
    import pandas as pd
    from lifelines import CoxPHFitter

    a, b = np.asarray(time_a, dtype=np.float64), np.asarray(time_b, dtype=np.float64)
    frame = pd.DataFrame(
        {
            "time": np.concatenate([a, b]),
            "event": np.concatenate([np.asarray(event_a, dtype=int), np.asarray(event_b, dtype=int)]),
            "group": np.repeat([1.0, 0.0], [len(a), len(b)]),
        }
    )
    fitter = CoxPHFitter()
    fitter.fit(frame, duration_col="time", event_col="event")
    row = fitter.summary.loc["group"]
    return Estimate(
        _finite(float(row["exp(coef)"])),
        _finite(float(row["exp(coef) lower 95%"])),
        _finite(float(row["exp(coef) upper 95%"])),
    )


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
    time = np.asarray(time, dtype=np.float64)
    event = np.asarray(event, dtype=bool)
    group = np.asarray(group, dtype=np.float64)
    if not event[group == 1].any() or not event[group == 0].any():
        return math.nan
    order = np.argsort(time, kind="stable")
    time, event, group = time[order], event[order], group[order]
    moments = np.unique(time[event])
    index = np.searchsorted(moments, time[event])
    died = np.bincount(index, minlength=len(moments)).astype(np.float64)
    died_in = np.bincount(index, weights=group[event], minlength=len(moments))
    first = np.searchsorted(time, moments, side="left")
    risk_in = np.concatenate([np.cumsum(group[::-1])[::-1], [0.0]])[first]
    risk_out = len(time) - first - risk_in
    share = np.concatenate([np.arange(d) / d for d in died])
    each = np.repeat(np.arange(len(moments)), died.astype(int))
    in_risk = risk_in[each] - share * died_in[each]
    out_risk = risk_out[each] - share * (died - died_in)[each]
    beta, target = 0.0, float(died_in.sum())
    for _ in range(50):
        weight = in_risk * math.exp(beta)
        mean = weight / (weight + out_risk)
        step = (target - float(mean.sum())) / max(float((mean * (1 - mean)).sum()), 1e-12)
        beta += float(np.clip(step, -2.0, 2.0))
        if abs(step) < 1e-10:
            break
    return math.exp(beta)


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
    from scipy.stats import beta

    tail = (1 - level) / 2
    low = 0.0 if successes <= 0 else float(beta.ppf(tail, successes, n - successes + 1))
    high = 1.0 if successes >= n else float(beta.ppf(1 - tail, successes + 1, n - successes))
    return Estimate(successes / n, low, high)
