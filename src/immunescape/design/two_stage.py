"""Simon's two-stage designs for one arm with a binary endpoint, by exact enumeration.

Source: [simon1989].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from immunescape.errors import InputError

__all__ = ["SimonDesign", "simon", "simon_admissible"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SimonDesign:
    """Stop after `n1` patients with at most `r1` responses; promising with more than `r` of `n`."""

    r1: int
    n1: int
    r: int
    n: int

    def __post_init__(self) -> None:
        if not (0 <= self.r1 < self.n1 < self.n and self.r1 <= self.r < self.n):
            raise InputError(f"not a two-stage design: {self.r1}/{self.n1} and {self.r}/{self.n}")

    def stop_early(self, p: ArrayLike) -> Floats:
        """Probability of stopping after the first stage."""
        return np.asarray(stats.binom.cdf(self.r1, self.n1, np.asarray(p, dtype=float)))

    def promising(self, p: ArrayLike) -> Floats:
        """Probability of calling the drug promising (type I error at p0, power at p1)."""
        rate = np.asarray(p, dtype=float)[..., None]
        x = np.arange(self.r1 + 1, self.n1 + 1)
        first = np.asarray(stats.binom.pmf(x, self.n1, rate))
        return np.asarray((first * np.asarray(stats.binom.sf(self.r - x, self.n - self.n1, rate))).sum(-1))

    def expected_patients(self, p: ArrayLike) -> Floats:
        """Expected number of patients."""
        return self.n1 + (1.0 - self.stop_early(p)) * (self.n - self.n1)


def simon_admissible(
    p0: float, p1: float, *, alpha: float = 0.05, beta: float = 0.2, n_max: int = 100
) -> list[SimonDesign]:
    """For each total size, the design that meets alpha and beta with the least expected size under `p0`."""
    if not 0 < p0 < p1 < 1:
        raise InputError(f"rates must satisfy 0 < p0 < p1 < 1, not {p0} and {p1}")
    if not (0 < alpha < 0.5 and 0 < beta < 0.5):
        raise InputError("alpha and beta must lie between 0 and 0.5")
    designs: list[SimonDesign] = []
    for n in range(2, n_max + 1):
        best: tuple[float, SimonDesign] | None = None
        for n1 in range(1, n):
            candidate = _for_sizes(n1, n, p0=p0, p1=p1, alpha=alpha, beta=beta, below=best[0] if best else np.inf)
            if candidate is not None:
                best = candidate
        if best is not None:
            designs.append(best[1])
    return designs


def _for_sizes(
    n1: int, n: int, *, p0: float, p1: float, alpha: float, beta: float, below: float
) -> tuple[float, SimonDesign] | None:
    """Best design of these sizes with an expected size under `below`; None without one."""
    x1 = np.arange(n1 + 1)
    total = np.arange(n + 1)
    stop0 = stats.binom.cdf(x1, n1, p0)
    expected = n1 + (1 - stop0) * (n - n1)
    allowed = np.flatnonzero((expected < below) & (stats.binom.cdf(x1, n1, p1) <= beta))
    if not len(allowed):
        return None
    first = {p: stats.binom.pmf(x1, n1, p) for p in (p0, p1)}
    # (x1, r): probability of more than r - x1 responses in the second stage
    later = {p: stats.binom.sf(total[None, :] - x1[:, None], n - n1, p) for p in (p0, p1)}
    for r1 in allowed[::-1]:  # the larger r1, the smaller the expected size
        go = slice(int(r1) + 1, None)
        error = first[p0][go] @ later[p0][go]
        power = first[p1][go] @ later[p1][go]
        fits = np.flatnonzero((error <= alpha) & (power >= 1 - beta) & (total >= r1) & (total < n))
        if len(fits):
            return float(expected[r1]), SimonDesign(int(r1), n1, int(fits[0]), n)
    return None


def simon(
    p0: float, p1: float, *, alpha: float = 0.05, beta: float = 0.2, kind: str = "optimal", n_max: int = 100
) -> SimonDesign:
    """Simon's optimal (least expected size under p0) or minimax (least total size) design [simon1989].

    Raises
    ------
    InputError
        If no design of at most `n_max` patients meets alpha and beta.
    """
    if kind not in ("optimal", "minimax"):
        raise InputError(f"a two-stage design is optimal or minimax, not '{kind}'")
    designs = simon_admissible(p0, p1, alpha=alpha, beta=beta, n_max=n_max)
    if not designs:
        raise InputError(
            f"no two-stage design of up to {n_max} patients has alpha {alpha:g} and power {1 - beta:g}",
            hint="Allow more patients (n_max) or a larger difference of the rates.",
        )
    if kind == "minimax":
        return designs[0]
    return min(designs, key=lambda d: float(d.expected_patients(p0)))
