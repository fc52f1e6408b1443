"""Designs and indices of global sensitivity analysis on the unit cube: Morris' elementary effects, Sobol's indices.

Points are quantiles of the inputs' distributions. Functions know nothing of what is evaluated at the points.

SALib computes the same indices and is the oracle of the tests, but is not used here: a patient that is never diagnosed,
or whose integration fails, has no value, and one missing value makes every elementary effect of SALib's input missing.
Here only the effects on both sides of it are left out. Intervals are percentiles of the bootstrap, which stay within
the range of an index; SALib's are symmetric.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Morris", "Sobol", "morris_design", "morris_indices", "sobol_design", "sobol_indices"]

FloatArray = NDArray[np.float64]
_RESAMPLES = 1000


@dataclass(frozen=True)
class Morris:
    """Elementary effects of k inputs.

    Attributes
    ----------
    mu_star : (k,) mean absolute effect; low, high : (k,) its 95 % bootstrap interval over trajectories.
    mu : (k,) mean effect, with its sign. sigma : (k,) their standard deviation (interactions, non-linearity).
    n : (k,) trajectories in which the effect is known.
    """

    mu_star: FloatArray
    low: FloatArray
    high: FloatArray
    mu: FloatArray
    sigma: FloatArray
    n: NDArray[np.int64]


@dataclass(frozen=True)
class Sobol:
    """First-order and total indices of k inputs with 95 % bootstrap intervals over the base points."""

    first: FloatArray
    first_low: FloatArray
    first_high: FloatArray
    total: FloatArray
    total_low: FloatArray
    total_high: FloatArray


def morris_design(
    k: int, trajectories: int, rng: np.random.Generator, levels: int = 4
) -> tuple[FloatArray, FloatArray]:
    """Trajectories of Morris (1991): from a random point of a grid, each input moves once, in random order.

    Parameters
    ----------
    k
        Number of inputs.
    trajectories
        Their number.
    rng
        Source of randomness.
    levels
        Levels p of the grid (even); a step is ``p / (2 (p - 1))``.

    Returns
    -------
    points : (trajectories, k + 1, k) in [0, 1].
    order : (trajectories, k) which input moves from point i to i + 1.
    """
    step = levels / (2.0 * (levels - 1))
    points = np.empty((trajectories, k + 1, k))
    order = np.empty((trajectories, k), dtype=np.int64)
    for t in range(trajectories):
        start = rng.integers(0, levels, size=k) / (levels - 1.0)
        up = np.where(start + step <= 1.0 + 1e-12, 1.0, -1.0)
        order[t] = rng.permutation(k)
        now = start.copy()
        points[t, 0] = now
        for i, j in enumerate(order[t]):
            now[j] += up[j] * step
            points[t, i + 1] = now
    return points, order.astype(float)


def morris_indices(points: FloatArray, order: FloatArray, values: FloatArray, rng: np.random.Generator) -> Morris:
    """Elementary effects from the values (trajectories, k + 1) at the points of `morris_design`; NaN is left out."""
    trajectories, k = order.shape
    effects = np.full((trajectories, k), np.nan)
    for t in range(trajectories):
        for i, j in enumerate(order[t].astype(int)):
            moved = points[t, i + 1, j] - points[t, i, j]
            effects[t, j] = (values[t, i + 1] - values[t, i]) / moved
    chosen = rng.integers(0, trajectories, size=(_RESAMPLES, trajectories))
    with np.errstate(all="ignore"):
        finite = np.isfinite(effects)
        n = finite.sum(axis=0)
        size = np.where(finite, np.abs(effects), 0.0)
        counts = np.maximum(finite[chosen].sum(axis=1), 1)
        boot = size[chosen].sum(axis=1) / counts
        mean = np.where(finite, effects, 0.0).sum(axis=0) / np.maximum(n, 1)
        spread = np.sqrt(np.where(finite, (effects - mean) ** 2, 0.0).sum(axis=0) / np.maximum(n - 1, 1))
    low, high = np.quantile(boot, (0.025, 0.975), axis=0)
    return Morris(size.sum(axis=0) / np.maximum(n, 1), low, high, mean, spread, n)


def sobol_design(k: int, base: int, seed: int) -> FloatArray:
    """Points A, B and A with one column of B (Saltelli 2010): (k + 2, base, k), from a scrambled Sobol sequence."""
    from scipy.stats import qmc

    both = qmc.Sobol(2 * k, scramble=True, seed=seed).random(base)
    a, b = both[:, :k], both[:, k:]
    mixed = [a, b]
    for j in range(k):
        ab = a.copy()
        ab[:, j] = b[:, j]
        mixed.append(ab)
    return np.stack(mixed)


def sobol_indices(values: FloatArray, rng: np.random.Generator) -> Sobol:
    """Indices from values (k + 2, base) at the points of `sobol_design`: Saltelli's first-order, Jansen's total.

    Base points with a value that is not finite are left out.
    """
    good = np.isfinite(values).all(axis=0)
    v = values[:, good]
    n = int(v.shape[1])

    def indices(i: NDArray[Any]) -> tuple[FloatArray, FloatArray]:
        a, b, ab = v[0, i], v[1, i], v[2:, i]
        variance = np.var(np.concatenate([a, b]))
        if not variance > 0:
            zero = np.zeros(len(ab))
            return zero, zero
        return np.mean(b * (ab - a), axis=1) / variance, 0.5 * np.mean((a - ab) ** 2, axis=1) / variance

    first, total = indices(np.arange(n))
    boots = [indices(np.asarray(rng.integers(0, n, size=n))) for _ in range(_RESAMPLES)]
    fl, fh = np.quantile([b[0] for b in boots], (0.025, 0.975), axis=0)
    tl, th = np.quantile([b[1] for b in boots], (0.025, 0.975), axis=0)
    return Sobol(first, fl, fh, total, tl, th)
