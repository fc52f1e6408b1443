"""Effects across patients with their bootstrap intervals, and whether a claim holds by them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Effect", "correlation", "holds", "paired"]

FloatArray = NDArray[np.float64]
_RESAMPLES = 2000


@dataclass(frozen=True)
class Effect:
    """An effect and its 95 % interval: a ratio, a difference, or a rank correlation.

    `n` counts the patients in whom both sides could be simulated.
    """

    value: float
    low: float
    high: float
    n: int
    measure: Literal["ratio", "difference", "correlation"]

    @property
    def neutral(self) -> float:
        """Value of no effect."""
        return 1.0 if self.measure == "ratio" else 0.0

    @property
    def size(self) -> float:
        """Distance from no effect: of the logarithm for a ratio."""
        if self.measure == "ratio":
            return abs(float(np.log(self.value))) if self.value > 0 else float("nan")
        return abs(self.value)


def _interval(samples: FloatArray) -> tuple[float, float]:
    low, high = np.nanquantile(samples, (0.025, 0.975))
    return float(low), float(high)


def paired(changed: FloatArray, other: FloatArray, measure: str, seed: int) -> Effect:
    """Effect in the same patients: geometric mean of the ratios, or mean difference, with a bootstrap over patients.

    Parameters
    ----------
    changed, other
        (n,) values of the two sides; patients with a value that is not finite are left out.
    measure
        ``ratio`` or ``difference``. Ratios add a billionth of the larger median to both sides, so that zero is a value.
    seed
        Of the bootstrap.
    """
    good = np.isfinite(changed) & np.isfinite(other)
    a, b = changed[good], other[good]
    n = len(a)
    if n < 2:
        return Effect(float("nan"), float("nan"), float("nan"), n, "ratio" if measure == "ratio" else "difference")
    if measure == "ratio":
        tiny = 1e-9 * max(float(np.median(np.abs(a))), float(np.median(np.abs(b)))) + 1e-300
        values = np.log((np.maximum(a, 0.0) + tiny) / (np.maximum(b, 0.0) + tiny))
    else:
        values = a - b
    rng = np.random.default_rng(seed)
    means = values[rng.integers(0, n, size=(_RESAMPLES, n))].mean(axis=1)
    low, high = _interval(means)
    centre = float(values.mean())
    if measure == "ratio":
        return Effect(float(np.exp(centre)), float(np.exp(low)), float(np.exp(high)), n, "ratio")
    return Effect(centre, low, high, n, "difference")


def correlation(x: FloatArray, y: FloatArray, seed: int) -> Effect:
    """Spearman's rank correlation across patients, with a percentile bootstrap interval."""
    from scipy.stats import rankdata

    good = np.isfinite(x) & np.isfinite(y)
    a, b = x[good], y[good]
    n = len(a)
    if n < 4:
        return Effect(float("nan"), float("nan"), float("nan"), n, "correlation")

    def rho(i: NDArray[np.int64]) -> float:
        u, v = rankdata(a[i]), rankdata(b[i])
        if u.std() == 0 or v.std() == 0:
            return 0.0
        return float(np.corrcoef(u, v)[0, 1])

    rng = np.random.default_rng(seed)
    samples = np.array([rho(rng.integers(0, n, size=n)) for _ in range(_RESAMPLES // 4)])
    low, high = _interval(samples)
    return Effect(rho(np.arange(n)), low, high, n, "correlation")


def holds(effect: Effect, expect: str, low: float | None, high: float | None, least: float) -> bool:
    """Whether an effect is what a claim says.

    A direction holds where the whole interval lies on its side of no effect and the effect is at least `least` (for a
    ratio, of its logarithm); a size holds where the effect lies within `low` .. `high`; ``none`` where the whole
    interval lies within them.
    """
    if not np.isfinite([effect.value, effect.low, effect.high]).all():
        return False
    if expect == "none":
        assert low is not None
        assert high is not None
        return low <= effect.low and effect.high <= high
    neutral = effect.neutral
    right = effect.low > neutral if expect == "increase" else effect.high < neutral
    inside = (low is None or effect.value >= low) and (high is None or effect.value <= high)
    return bool(right and inside and effect.size >= least)
