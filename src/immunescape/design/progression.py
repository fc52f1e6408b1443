"""Time to progression such that progression-free survival and survival both keep the distributions that were given.

Progression-free survival is the smaller of the time to progression X and of survival. With a Gaussian copula C of X
and survival, P(X > t, survival > t) = C(S_X(t), S_os(t)) must equal S_pfs(t), which is solved for S_X(t). With a
correlation of 0 this is S_X = S_pfs / S_os: the hazard of progression is what is left of the hazard of
progression-free survival [fleischer2009]. Drawing progression-free survival by itself and taking the
smaller of the two instead would shorten it: a median of 8 months beside one of 18 would become 5.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from immunescape.design.survival_model import PiecewiseExponential
from immunescape.errors import InputError

__all__ = ["Progression", "time_to_progression"]

Floats = NDArray[np.float64]
_POINTS = 800
_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Progression:
    """Distribution of the time to progression on a grid: (G,) months and (G,) shares still without progression."""

    months: Floats
    free: Floats

    def quantile(self, u: ArrayLike) -> Floats:
        """Month by which a share `u` has progressed; infinite beyond the share that ever does."""
        level = np.asarray(u, dtype=float)
        gone = 1.0 - self.free
        return np.where(level >= gone[-1], np.inf, np.interp(level, gone, self.months))


class _Copula:
    """Gaussian copula P(U <= x, V <= y) for fixed y, by quadrature over V."""

    def __init__(self, y: Floats, correlation: float) -> None:
        nodes, weights = np.polynomial.legendre.leggauss(64)
        # v = y w^2 crowds the nodes at small v, where the integrand turns fastest
        w = (nodes + 1) / 2
        self.y, self.weights = y, w * weights
        self.spread = np.sqrt(1.0 - correlation**2)
        self.shift = correlation * special.ndtri(np.clip(y[:, None] * w**2, 1e-300, 1.0 - 1e-16))

    def __call__(self, x: Floats) -> Floats:
        inner = special.ndtr((special.ndtri(np.clip(x, 0.0, 1.0))[:, None] - self.shift) / self.spread)
        return np.asarray(self.y * (inner @ self.weights))


@lru_cache(maxsize=1024)
def time_to_progression(
    pfs: PiecewiseExponential, survival: PiecewiseExponential, correlation: float = 0.0
) -> Progression:
    """Distribution of the time to progression under a Gaussian copula with survival [fleischer2009].

    Parameters
    ----------
    pfs, survival : the distributions that progression-free survival and survival shall have.
    correlation : of the normal scores of time to progression and survival, 0 to below 1.

    Raises
    ------
    InputError
        If progression-free survival exceeds survival at some month, or falls too slowly there for this correlation.
    """
    months = _grid(pfs, survival)
    s_pfs, s_os = np.asarray(pfs.survival(months)), np.asarray(survival.survival(months))
    above = s_pfs > s_os + _TOLERANCE
    if above.any():
        raise InputError(
            f"progression-free survival exceeds survival from month {months[int(np.argmax(above))]:.1f} on",
            hint="A patient who has died is not progression-free: give a shorter pfs, or a longer os.",
        )
    ratio = np.clip(s_pfs / np.maximum(s_os, 1e-300), 0.0, 1.0)
    if correlation <= 0:
        free = ratio
    else:
        copula = _Copula(s_os, correlation)
        low, high = np.zeros(len(months)), np.ones(len(months))
        for _ in range(40):
            middle = (low + high) / 2
            small = copula(middle) < s_pfs
            low, high = np.where(small, middle, low), np.where(small, high, middle)
        free = np.where(ratio >= 1.0 - 1e-12, 1.0, (low + high) / 2)
    rising = np.diff(free) > 1e-4
    if rising.any():
        raise InputError(
            f"after month {months[int(np.argmax(rising))]:.1f} progression-free survival falls more slowly than "
            f"survival does, which a correlation of {correlation:g} between progression and death does not allow",
            hint="Raise the correlation, or lower pfs there: its hazard is at least that of os.",
        )
    return Progression(months, np.minimum.accumulate(free))


def _grid(pfs: PiecewiseExponential, survival: PiecewiseExponential) -> Floats:
    """Months from 0 until almost no patients are left, including the change points."""
    levels = np.linspace(0.0, 1.0 - 1e-6, _POINTS // 2)
    points = [np.asarray(d.quantile(levels)) for d in (pfs, survival)]
    finite = np.concatenate(points)
    finite = finite[np.isfinite(finite)]
    last = max(float(finite.max()), *pfs.changes, *survival.changes, 1.0)
    return np.unique(np.concatenate([[0.0], finite, pfs.changes, survival.changes, [last]]))
