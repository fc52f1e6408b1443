"""Exit probabilities of a group-sequential test by numerical integration.

The standardised statistics Z_1..Z_K have the canonical joint distribution: Z_k ~ N(theta sqrt(I_k), 1) and
Cov(Z_j, Z_k) = sqrt(I_j / I_k) for j <= k. The sub-density of Z_k among trials that are still running is carried from
look to look on the grid of Jennison and Turnbull, with Simpson weights [jennison2000, chapter 19].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

from immunescape.errors import InputError

__all__ = ["Exit", "exit_probabilities", "next_critical_value", "running_density", "tail_probability"]

_R = 32
_TAIL = 10.0


@dataclass(frozen=True)
class Exit:
    """Probability of leaving at each look.

    Attributes
    ----------
    upper, lower : (K,) probability of first crossing the upper (efficacy) or lower (futility) boundary at look k.
    """

    upper: NDArray[np.float64]
    lower: NDArray[np.float64]


@dataclass(frozen=True)
class _Density:
    """Sub-density of Z_k on grid points, weights included."""

    points: NDArray[np.float64]
    mass: NDArray[np.float64]
    information: float


def _grid(low: float, high: float, mean: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Jennison-Turnbull points between two bounds, with Simpson weights; empty if the bounds leave no interval."""
    i = np.arange(1, 6 * _R)
    x = np.empty(6 * _R - 1)
    first, last = i < _R, i > 5 * _R
    middle = ~(first | last)
    x[first] = -3 - 4 * np.log(_R / i[first])
    x[middle] = -3 + 3 * (i[middle] - _R) / (2 * _R)
    x[last] = 3 + 4 * np.log(_R / (6 * _R - i[last]))
    x += mean
    low, high = max(low, mean - _TAIL - 4), min(high, mean + _TAIL + 4)
    if low >= high:
        return np.empty(0), np.empty(0)
    x = np.concatenate([[low], x[(x > low) & (x < high)], [high]])
    z = np.empty(2 * len(x) - 1)
    z[::2] = x
    z[1::2] = (x[1:] + x[:-1]) / 2
    width = np.diff(x)
    w = np.zeros_like(z)
    w[1::2] = 4 * width / 6
    w[0:-2:2] += width / 6
    w[2::2] += width / 6
    return z, w


def tail_probability(density: _Density | None, information: float, theta: float, value: float, upper: bool) -> float:
    """Probability of being at or beyond `value` at the next look, for trials still running."""
    if density is None:
        z = value - theta * np.sqrt(information)
        return float(stats.norm.sf(z) if upper else stats.norm.cdf(z))
    step = information - density.information
    z = (value * np.sqrt(information) - density.points * np.sqrt(density.information) - theta * step) / np.sqrt(step)
    tail = stats.norm.sf(z) if upper else stats.norm.cdf(z)
    return float(density.mass @ tail)


def running_density(density: _Density | None, information: float, theta: float, low: float, high: float) -> _Density:
    """Carry the sub-density one look on, keeping what falls between `low` and `high`."""
    z, w = _grid(low, high, theta * np.sqrt(information))
    if density is None:
        return _Density(z, w * stats.norm.pdf(z - theta * np.sqrt(information)), information)
    step = information - density.information
    u = (
        z[:, None] * np.sqrt(information) - density.points[None, :] * np.sqrt(density.information) - theta * step
    ) / np.sqrt(step)
    g = np.sqrt(information / step) * (stats.norm.pdf(u) @ density.mass)
    return _Density(z, w * g, information)


def _checked_information(information: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(information, dtype=float)
    if values.ndim != 1 or len(values) == 0 or not np.all(np.isfinite(values)) or values[0] <= 0:
        raise InputError("information must be a list of positive numbers")
    if np.any(np.diff(values) <= 0):
        raise InputError(
            f"information does not increase from look to look: {values.tolist()}",
            hint="Each look must add events or patients.",
        )
    return values


def exit_probabilities(
    upper: ArrayLike, information: ArrayLike, *, lower: ArrayLike | None = None, theta: float = 0.0
) -> Exit:
    """Probability of first crossing each boundary at each look.

    Parameters
    ----------
    upper, lower : (K,) boundaries on the scale of Z; ``inf``/``-inf`` where a look has none.
    information : (K,) statistical information (any unit that fits `theta`).
    theta : drift; Z_k has mean ``theta * sqrt(information_k)``.

    Notes
    -----
    Source: [jennison2000], chapter 19.
    """
    info = _checked_information(information)
    top = np.asarray(upper, dtype=float)
    bottom = np.full(len(info), -np.inf) if lower is None else np.asarray(lower, dtype=float)
    if len(top) != len(info) or len(bottom) != len(info):
        raise InputError(f"{len(top)} boundaries for {len(info)} looks")
    if np.any(bottom > top + 1e-12):
        look = int(np.argmax(bottom > top + 1e-12)) + 1
        raise InputError(f"the futility bound lies above the efficacy bound at look {look}")
    up, down = np.zeros(len(info)), np.zeros(len(info))
    density: _Density | None = None
    for k, i in enumerate(info):
        up[k] = tail_probability(density, i, theta, top[k], upper=True) if np.isfinite(top[k]) else 0.0
        down[k] = tail_probability(density, i, theta, bottom[k], upper=False) if np.isfinite(bottom[k]) else 0.0
        if k + 1 < len(info):
            density = running_density(density, i, theta, bottom[k], top[k])
    return Exit(up, down)


def next_critical_value(
    density: _Density | None, information: float, probability: float, *, theta: float = 0.0, upper: bool = True
) -> float:
    """Boundary at the next look that is crossed with `probability` (joint with not having stopped before)."""
    if probability <= 0:
        return np.inf if upper else -np.inf
    centre = theta * np.sqrt(information)

    def gap(value: float) -> float:
        return tail_probability(density, information, theta, value, upper) - probability

    low, high = centre - 12.0, centre + 12.0
    if gap(low) * gap(high) > 0:
        return -np.inf if (gap(low) < 0) == upper else np.inf
    return float(optimize.brentq(gap, low, high, xtol=1e-10))
