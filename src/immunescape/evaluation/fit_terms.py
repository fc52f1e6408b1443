"""What a calibration may move: terms that one coordinate each stands for, and the fits that coordinates describe."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.knowledge.tables import Row, lines_of_cells, parse_rows, read_rows
from immunescape.population.fit import COEFFICIENT_TERMS, FitTerm, PopulationFit

__all__ = ["Term", "coordinates", "held_terms", "limits", "read_terms", "scored", "terms", "to_fit"]

FloatArray = NDArray[np.float64]
_COLUMNS = ("name", "members", "term", "prior_sd", "unit", "source", "grade", "note")
_PRIOR_MEAN = "prior_mean"
"""A further, last column that a table may have."""
RATIOS = ("scale", "factor")
"""Terms that multiply, and move on the log scale."""
_FURTHEST, _FURTHEST_RATIO = 2.0, 0.7
"""How far the coordinate of a term may move from no change; of a ratio."""


@dataclass(frozen=True)
class Term:
    """What may move: a shift, scale or covariate weight that the scores of all `members` share; prior SD of the move.

    The prior is normal in the coordinate, about `prior_mean` (0: no change). A scale moves on
    the log scale. Coefficients of lesions (members ``lesions.NAME``) have the terms ``factor`` (log scale) and
    ``log_odds``.
    """

    name: str
    members: tuple[str, ...]
    term: str
    prior_sd: float
    prior_mean: float = 0.0

    def value(self, x: float) -> float:
        """The term's value at coordinate `x`, 0 being no change."""
        return math.exp(x) if self.term in RATIOS else x

    def error(self, x: float, error: float) -> float:
        """Standard error of the value at coordinate `x`, from that of the coordinate (to first order)."""
        return error * self.value(x) if self.term in RATIOS else error

    def coordinate(self, value: float) -> float:
        """Inverse of `value`."""
        return math.log(value) if self.term in RATIOS else value

    def moved(self, x: float) -> float:
        """How many prior standard deviations coordinate `x` lies from the centre of the prior."""
        return (x - self.prior_mean) / self.prior_sd


def terms() -> tuple[Term, ...]:
    """Rows of ``calibration_terms.csv``."""
    return _terms(read_rows("calibration_terms", _COLUMNS))


def read_terms(path: Path) -> tuple[Term, ...]:
    """Rows of a table of one's own with the columns of ``calibration_terms.csv``.

    A further, last column ``prior_mean`` may hold the value about which the prior of a term is centred (a measured one,
    for instance); where it is empty, that is no change.

    Raises
    ------
    InputError
        For a file that cannot be read, a bad cell, a term that occurs twice or a member that is not a parameter.
    """
    from immunescape.model.assembly import Model
    from immunescape.model.registry import drugs
    from immunescape.population.linking import varying_parameters
    from immunescape.trial.lesions import LesionModel
    from immunescape.trial.simulate import FRAILTIES

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the terms: {error}", where=str(path)) from error
    header = next((cells for _, cells in lines_of_cells(text, ",")), [])
    columns = (*_COLUMNS, _PRIOR_MEAN) if _PRIOR_MEAN in header else _COLUMNS
    listed = _terms(parse_rows(text, columns, str(path)))
    if not listed:
        raise InputError("the table contains no terms", where=str(path))
    whole = Model.build(drugs=tuple(drugs()), check_units=False)
    coefficients = [f"lesions.{name}" for name in LesionModel.__dataclass_fields__]
    allowed = PopulationFit(
        tuple(FitTerm(m, t.term, t.value(0.0), 0.0, "assumed", "fitted") for t in listed for m in t.members)
    )
    allowed.check([*varying_parameters(whole.parameters), *FRAILTIES])
    allowed.check_coefficients(coefficients)
    return listed


def _terms(rows: Sequence[Row]) -> tuple[Term, ...]:
    out = []
    for row in rows:
        sd = row.number("prior_sd")
        if not sd > 0.0:
            raise InputError(
                f"the prior standard deviation of '{row['name']}' is {sd:g}",
                where=row.where,
                hint="It must be above 0.",
            )
        members = tuple(m.strip() for m in row["members"].split(";"))
        out.append(Term(row["name"], members, row["term"], sd, _prior_mean(row)))
    return tuple(out)


def _prior_mean(row: Row) -> float:
    """Coordinate about which the prior of a term is centred."""
    if not row.cells.get(_PRIOR_MEAN):
        return 0.0
    value, ratio = row.number(_PRIOR_MEAN), row["term"] in RATIOS
    bound = math.exp(_FURTHEST_RATIO) if ratio else _FURTHEST
    low = 1.0 / bound if ratio else -bound
    if not low < value < bound:
        raise InputError(
            f"the prior of '{row['name']}', {row['term']}, is centred at {value:g}",
            where=row.where,
            hint=f"A {'ratio' if ratio else 'value'} between {low:.2g} and {bound:.2g}, the limits of the term.",
        )
    return math.log(value) if ratio else value


def scored(moving: Sequence[Term]) -> tuple[list[str], list[str]]:
    """Parameters and frailties that the terms move, and the scores of covariates that they use, each sorted."""
    inside = [t for t in moving if t.term not in COEFFICIENT_TERMS]
    members = sorted({m for t in inside for m in t.members})
    return members, sorted({t.term for t in inside if t.term not in ("shift", "scale")})


def limits(moving: Sequence[Term]) -> FloatArray:
    """How far the coordinate of each term may move from no change."""
    return np.where([t.term in RATIOS for t in moving], _FURTHEST_RATIO, _FURTHEST)


def to_fit(
    x: FloatArray,
    moving: Sequence[Term],
    errors: FloatArray | None = None,
    source: str = "assumed",
    held: Sequence[FitTerm] = (),
) -> PopulationFit:
    """The fit at coordinates `x`; terms that do not move anything are left out, those `held` are in every fit."""
    rows = list(held)
    for k, (term, value) in enumerate(zip(moving, x, strict=True)):
        error = 0.0 if errors is None else term.error(float(value), float(errors[k]))
        note = f"as {term.name}" if len(term.members) > 1 else ""
        if abs(value) > 1e-9:
            rows += [
                FitTerm(m, term.term, term.value(float(value)), error, source, "fitted", note=note)
                for m in term.members
            ]
    return PopulationFit(tuple(rows))


def held_terms(fit: PopulationFit, moving: Sequence[Term]) -> tuple[FitTerm, ...]:
    """Terms of a fit that no coordinate stands for."""
    movable = {(m, t.term) for t in moving for m in t.members}
    return tuple(t for t in fit.terms if (t.parameter, t.term) not in movable)


def coordinates(fit: PopulationFit, moving: Sequence[Term]) -> FloatArray:
    """Coordinates of a fit."""
    return np.array([t.coordinate(fit.of(t.members[0]).get(t.term, 1.0 if t.term in RATIOS else 0.0)) for t in moving])
