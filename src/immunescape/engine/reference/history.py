"""The past of one patient, for the symbol ``delay``: the integrators' own dense output, stretch by stretch."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Constants", "History", "Kinks"]

FloatArray = NDArray[np.float64]
_ORDERS = 4  # a jump returns as a jump, then as a bend, ...; integrators of low order notice no more


class Constants(list[float]):
    """Constants of one patient, with access to values in the past.

    Attributes
    ----------
    past : gives the value of a delayed expression: its number, time now, states now.
    """

    past: Callable[[int, float, Sequence[float]], float]


class History:
    """States at earlier times; before the start they are what they were at the start."""

    def __init__(self, start: FloatArray) -> None:
        self._start = start.copy()
        self._begins: list[float] = []
        self._ends: list[float] = []
        self._solutions: list[Callable[[float], FloatArray]] = []

    def add(self, begin: float, end: float, solution: Callable[[float], FloatArray]) -> None:
        """Keep a stretch of the trajectory."""
        if end > begin:
            self._begins.append(begin)
            self._ends.append(end)
            self._solutions.append(solution)

    def at(self, time: float) -> FloatArray:
        """States at a time; where something jumps, those after it."""
        k = bisect_right(self._begins, time) - 1
        return self._start if k < 0 else np.asarray(self._solutions[k](min(time, self._ends[k])))


class Kinks:
    """Moments at which the trajectory is not smooth, and at which it will therefore not be after each delay."""

    def __init__(self, start: float) -> None:
        self._moments = [(start, 0)]

    def jump(self, time: float) -> None:
        """Something has jumped."""
        self._moments.append((time, 0))

    def arrive(self, time: float, lags: Sequence[float]) -> None:
        """Note what the past brings at this time."""
        orders = [o for s, o in self._moments for lag in lags if abs(s + lag - time) <= 4 * np.spacing(abs(time))]
        if orders and min(orders) < _ORDERS:
            self._moments.append((time, min(orders) + 1))

    def next(self, time: float, lags: Sequence[float]) -> float:
        """Next moment at which the past is not smooth."""
        return min((s + lag for s, _ in self._moments for lag in lags if s + lag > time), default=np.inf)
