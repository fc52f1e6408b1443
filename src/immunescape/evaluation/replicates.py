"""Trials of a planned size, drawn again and again from simulated patients: what chance does to a predicted figure.

A virtual trial is simulated with many patients. What a real trial of a given size would show is drawn from them: rows
with replacement, weighted by a fit of the population, and moved by the error of the model's structure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.stats.cox import fast_hazard_ratio
from immunescape.stats.survival import median_time

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.trial.result import TrialResult

__all__ = [
    "LEVEL",
    "ArmOutcomes",
    "arm_outcomes",
    "hazard_ratios",
    "interval",
    "km_median",
    "moved_share",
    "resampled_rows",
    "response_shares",
]

FloatArray = NDArray[np.float64]
LEVEL = 0.95
"""Coverage of every predicted interval."""


def moved_share(share: FloatArray, errors: FloatArray) -> FloatArray:
    """Shares moved by errors in log odds; none and all stay what they are."""
    odds = share * np.exp(errors)
    return odds / (1.0 - share + odds)


def response_shares(
    response: FloatArray, rows: NDArray[np.int64], errors: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Shares of responders (resamples,) among resampled patients, moved by errors in log odds.

    Where none or all of the patients respond, resampling them leaves nothing to chance. The true share is then drawn
    from its posterior under Jeffreys' prior, and responders among as many patients as a row has.

    Parameters
    ----------
    response : (n,), 1.0 or 0.0 of every simulated patient. rows : (resamples, size). errors : (resamples,).
    rng : drawn from in that case alone.
    """
    n, responders = len(response), float(response.sum())
    if n == 0 or 0.0 < responders < n:
        return moved_share(response[rows].mean(axis=1), errors)
    resamples, size = rows.shape
    share = moved_share(rng.beta(responders + 0.5, n - responders + 0.5, size=(resamples,)), errors)
    shares: FloatArray = rng.binomial(size, share) / size
    return shares


def resampled_rows(
    rng: np.random.Generator, weights: FloatArray | None, patients: int, size: int, resamples: int
) -> NDArray[np.int64]:
    """Rows (resamples, size) drawn with the weights (resamples, patients) of each draw; None: all alike."""
    if weights is None:
        return rng.integers(0, patients, (resamples, size))
    u = rng.uniform(size=(resamples, size))
    edges = np.cumsum(weights, axis=1)
    places = np.stack([np.searchsorted(e, x * e[-1], side="right") for e, x in zip(edges, u, strict=True)])
    values: NDArray[np.int64] = np.minimum(places, patients - 1).astype(np.int64)
    return values


@dataclass(frozen=True)
class ArmOutcomes:
    """Response (n,), 1.0 or 0.0, and (time in months, event) of PFS and OS of every simulated patient of an arm."""

    response: FloatArray
    pfs: tuple[FloatArray, NDArray[np.bool_]]
    os: tuple[FloatArray, NDArray[np.bool_]]


def arm_outcomes(result: TrialResult, arm: str) -> ArmOutcomes:
    """Outcomes of an arm, as they stood at the data cut of each endpoint."""
    from immunescape.trial.analysis import best_at_cut

    rows: pd.DataFrame = result.patients[result.patients["arm"] == arm]
    best = best_at_cut(result.trial, rows, result.visits[result.visits["arm"] == arm])
    times = {
        name: (rows[f"{name}_months"].to_numpy(dtype=float), rows[f"{name}_event"].to_numpy(dtype=bool))
        for name in ("pfs", "os")
    }
    return ArmOutcomes(np.isin(best, ("CR", "PR")).astype(float), times["pfs"], times["os"])


def hazard_ratios(a: Any, b: Any, draws_a: NDArray[np.int64], draws_b: NDArray[np.int64]) -> FloatArray:
    """Cox hazard ratios (resamples,) of a against b; each of `a` and `b` is (time, event), rows as drawn."""
    group = np.repeat([1.0, 0.0], [draws_a.shape[1], draws_b.shape[1]])
    return np.array(
        [
            fast_hazard_ratio(np.concatenate([a[0][i], b[0][j]]), np.concatenate([a[1][i], b[1][j]]), group)
            for i, j in zip(draws_a, draws_b, strict=True)
        ]
    )


def km_median(time: FloatArray, event: NDArray[np.bool_]) -> float:
    """Kaplan-Meier median; infinite, above every other, where it is not reached."""
    median = median_time(time, event)
    return math.inf if median is None else median


def interval(spread: FloatArray) -> tuple[float | None, float | None]:
    """95 % interval over resamples; None for a bound that is not reached, or where a tenth of them fail."""
    good = spread[~np.isnan(spread)]
    if len(good) < 0.9 * len(spread) or not len(good):
        return None, None
    ordered = np.sort(good)
    tail = (1 - LEVEL) / 2
    low = ordered[math.floor(tail * (len(ordered) - 1))]
    high = ordered[math.ceil((1 - tail) * (len(ordered) - 1))]
    return (float(low) if math.isfinite(low) else None), (float(high) if math.isfinite(high) else None)
