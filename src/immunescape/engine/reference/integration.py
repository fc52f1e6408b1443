"""One smooth stretch of a trajectory, step by step: scipy's integrators in scaled variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import LSODA, Radau

__all__ = ["IntegrationSegment"]

FloatArray = NDArray[np.float64]
_PATIENCE, _CRAWL = 2_000, 5e-5
_RENEW = 1e-6


class IntegrationSegment:
    """Integrates from one point towards a goal.

    States are divided by their size at the start, so that the linear algebra of the integrator sees numbers of one
    order. LSODA is replaced by Radau where it fails, or where after `_PATIENCE` steps the mean step is below
    the share `_CRAWL` of the stretch.

    Parameters
    ----------
    rates
        ``f(t, y)``, unscaled.
    jacobian
        ``J(t, y)`` as a matrix, unscaled; None for finite differences.
    t, y, goal
        Start and end.
    rtol, atol, max_step
        As for scipy's integrators; `atol` per state.
    stiff
        Start with Radau.
    """

    def __init__(
        self,
        rates: Callable[[float, FloatArray], FloatArray],
        jacobian: Callable[[float, FloatArray], FloatArray] | None,
        t: float,
        y: FloatArray,
        goal: float,
        *,
        rtol: float,
        atol: FloatArray,
        max_step: float,
        stiff: bool,
    ) -> None:
        self._rates, self._jacobian = rates, jacobian
        self._goal, self._rtol, self._atol, self._max_step = goal, rtol, atol, max_step
        self.stiff = stiff
        self.origin, self.taken = t, 0
        self._begin(t, y)

    def _begin(self, t: float, y: FloatArray) -> None:
        scale = np.maximum(np.abs(y), np.maximum(self._atol / self._rtol, 1e-300))
        self._scale = scale
        options: dict[str, Any] = {"rtol": self._rtol, "atol": self._atol / scale, "max_step": self._max_step}
        jacobian = self._jacobian
        if jacobian is not None and np.all(np.isfinite(jacobian(t, y))):
            options["jac"] = lambda t, z: jacobian(t, z * scale) * (scale / scale[:, None])
        method = Radau if self.stiff else LSODA
        self._solver = method(lambda t, z: self._rates(t, z * scale) / scale, t, y / scale, self._goal, **options)

    @property
    def t(self) -> float:
        """Time reached."""
        return float(self._solver.t)

    @property
    def y(self) -> FloatArray:
        """States there."""
        return np.asarray(self._solver.y) * self._scale

    def step(self) -> str | None:
        """Take one step; returns the reason where it is impossible."""
        t, y = self.t, self.y
        self.taken += 1
        try:
            failure = self._solver.step()
        except (ValueError, np.linalg.LinAlgError) as error:
            failure = str(error)
        else:
            if self._solver.status != "failed" and np.all(np.isfinite(self._solver.y)):
                return None
        if self.stiff:
            return failure or "the solution is not finite"
        self.stiff = True
        self._begin(t, y)
        return self.step()

    def renew(self) -> None:
        """Between steps: change method or scale where that helps; ends the use of the last dense output."""
        t, y = self.t, self.y
        crawls = self.t - self.origin < _CRAWL * self.taken * (self._goal - self.origin)
        if not self.stiff and self.taken >= _PATIENCE and crawls:
            self.stiff = True
            self._begin(t, y)
        elif self.stiff and np.any((np.abs(y) < _RENEW * self._scale) & (self._scale > self._atol / self._rtol)):
            self._begin(t, y)

    def dense(self) -> Callable[[float], FloatArray]:
        """Trajectory within the last step."""
        inner, scale = self._solver.dense_output(), self._scale
        return lambda t: np.asarray(inner(t)) * scale
