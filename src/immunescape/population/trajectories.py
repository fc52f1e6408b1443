"""Bounds that observables and states keep along trajectories, under treatment too (``trajectory_bounds.csv``).

A trajectory is checked wherever there is a tumour: below `LEAST_ML` a volume of debris is left, and what is dissolved
in it is not a concentration in a tumour. States are amounts, and must be finite and not negative.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from immunescape.population.plausibility import Bound, read_bounds

if TYPE_CHECKING:
    from immunescape.model.assembly import Model

__all__ = ["LEAST_ML", "Violation", "trajectory_bounds", "violations"]

FloatArray = NDArray[np.float64]
LEAST_ML = 0.065
"""Volume of a tumour of 5 mm, the smallest whose size scans tell (RECIST 1.1)."""
TOLERANCE = 1e-3
"""Relative part of a bound's range by which integration may err."""


@lru_cache(maxsize=1)
def trajectory_bounds() -> tuple[Bound, ...]:
    """The shipped bounds."""
    return read_bounds("trajectory_bounds")


@dataclass(frozen=True)
class Violation:
    """An observable or state out of its bounds in some patients: how many, and the value furthest out (`unit`)."""

    name: str
    lower: float
    upper: float
    unit: str
    worst: float
    patients: int

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.worst:.4g} {self.unit} in {self.patients} patients, "
            f"bounds {self.lower:g} to {self.upper:g}"
        )


def violations(model: Model, values: Mapping[str, FloatArray], states: Sequence[str] = ()) -> list[Violation]:
    """Find what leaves its bounds.

    Parameters
    ----------
    model
        The model.
    values
        Name -> (n, t) values in base units of observables, states and ``V_T``, which says where there is a tumour.
    states
        Names among them that are states: where they are amounts, finite, and not below zero by more than the tolerance
        of the integration.

    Returns
    -------
    One record for each name that is out of bounds; bounds on what `values` lacks are left out.
    """
    from immunescape.model.units import parse_unit

    present = np.asarray(values["V_T"]) * model.scale("V_T") >= LEAST_ML
    reasons = []
    for bound in trajectory_bounds():
        if bound.observable not in values:
            continue
        factor = model.scale(bound.observable)
        unit = model.unit(bound.observable)
        if unit != bound.unit:
            factor *= parse_unit(unit).factor / parse_unit(bound.unit).factor
        x = np.where(present, np.asarray(values[bound.observable]) * factor, np.nan)
        slack = TOLERANCE * (bound.upper - bound.lower)
        out = np.maximum(x - bound.upper, bound.lower - x)
        bad = present & ~(out <= slack)
        if bad.any():
            worst = float(x[bad][np.argmax(np.nan_to_num(out[bad], nan=np.inf))])
            patients = int(bad.any(axis=-1).sum())
            reasons.append(Violation(bound.observable, bound.lower, bound.upper, bound.unit, worst, patients))
    atol = model.atol()
    for name in states:
        if model.unit(name) == "dimensionless":
            continue
        x = np.asarray(values[name])
        size = np.nanmax(np.abs(x), initial=0.0)
        bad = ~(x >= -max(1e-6 * size, 100.0 * atol.get(name, 0.0)))
        if bad.any():
            worst = float(np.nanmin(x[bad])) if np.isfinite(x[bad]).any() else float("nan")
            reasons.append(Violation(name, 0.0, float("inf"), model.unit(name), worst, int(bad.any(axis=-1).sum())))
    return reasons
