"""Baseline values that a real tumour could have: bounds on observables at diagnosis (``plausibility_bounds.csv``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.knowledge.tables import read_rows

if TYPE_CHECKING:
    from immunescape.model.assembly import Model

__all__ = ["DOUBLING_TIME", "Bound", "baseline", "bounds", "implausible", "read_bounds"]

FloatArray = NDArray[np.float64]
DOUBLING_TIME = "doubling_time"


@dataclass(frozen=True, kw_only=True)
class Bound:
    """Plausible range of one observable, in `unit`."""

    observable: str
    lower: float
    upper: float
    unit: str
    sources: tuple[str, ...]
    grade: str
    note: str


@lru_cache(maxsize=1)
def bounds() -> tuple[Bound, ...]:
    """The shipped bounds at diagnosis."""
    return read_bounds("plausibility_bounds")


def read_bounds(table: str) -> tuple[Bound, ...]:
    """Read a table of bounds of ``knowledge/data``."""
    columns = ("observable", "lower", "upper", "unit", "source", "grade", "note")
    bounds = []
    for row in read_rows(table, columns):
        lower, upper = row.number("lower"), row.number("upper")
        if not lower < upper:
            raise InputError("lower bound is not below upper bound", where=row.where)
        bounds.append(
            Bound(
                observable=row["observable"],
                lower=lower,
                upper=upper,
                unit=row["unit"],
                sources=row.sources,
                grade=row["grade"],
                note=row["note"],
            )
        )
    return tuple(bounds)


def baseline(
    model: Model, states: Mapping[str, FloatArray], parameters: Mapping[str, FloatArray]
) -> dict[str, FloatArray]:
    """Observables at diagnosis, in their declared units, and the volume doubling time of the untreated tumour (days).

    Parameters
    ----------
    model
        The model.
    states, parameters
        Name -> (n,) values in base units.

    Returns
    -------
    Observable -> (n,) values; ``doubling_time`` is infinite where the tumour does not grow.
    """
    from immunescape.model.values import evaluate_ahead

    with np.errstate(all="ignore"):
        step = 1e-3
        values, later = evaluate_ahead(model, states, parameters, "V_T", step, also=tuple(model.observables))
        shape = np.shape(next(iter(states.values())))
        out = {
            name: np.broadcast_to(np.asarray(values[name], dtype=float) * model.scale(name), shape).copy()
            for name in model.observables
        }
        rate = np.log(np.asarray(later) / np.asarray(values["V_T"])) / step
        out[DOUBLING_TIME] = np.broadcast_to(np.where(rate > 1e-12, np.log(2.0) / rate, np.inf), shape).copy()
    return out


def implausible(model: Model, values: Mapping[str, FloatArray]) -> NDArray[np.object_]:
    """Name of the first observable of each patient that is out of bounds or not a number; empty where all is plausible.

    Bounds on observables that the model does not have are left out.
    """
    n = len(next(iter(values.values())))
    reason = np.full(n, "", dtype=object)
    for bound in bounds():
        if bound.observable not in values:
            continue
        factor = 1.0
        if bound.observable != DOUBLING_TIME and model.unit(bound.observable) != bound.unit:
            from immunescape.model.units import parse_unit

            factor = parse_unit(model.unit(bound.observable)).factor / parse_unit(bound.unit).factor
        x = np.asarray(values[bound.observable]) * factor
        outside = ~((x >= bound.lower) & (x <= bound.upper))
        if bound.observable == DOUBLING_TIME:
            outside &= np.isfinite(x)
        reason[outside & (reason == "")] = bound.observable
    return reason
