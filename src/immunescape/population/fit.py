"""The population fit: how the distributions of parameters across patients were moved to agree with published trials.

The tables of mechanisms and drugs hold the reference patient and what is known or assumed of the spread between
patients. A fit leaves them as they are and moves the patients: with z the standard normal score of a parameter (its
covariate links included, see :mod:`immunescape.population.linking`), a patient gets the score

    z' = shift + scale z + sum over covariates of weight times standardised score

and the value at the quantile of z'. So bounds hold, a shift is in standard deviations between patients, and a shift of
0, a scale of 1 and no weights change nothing. Coefficients of the lesions (rows ``lesions.NAME``) move by terms of
their own, see `PopulationFit.coefficient`. The fit that ships is ``knowledge/data/population_fit.csv``, made by
``immunescape calibrate``; none of its rows belongs to a trial, an arm or a line of therapy.

Two more terms act on the values themselves, of any parameter of the model, also of one in which patients do not
differ: ``set`` (to a value in the unit of its table) and ``times``. No fit that ships has them: a mechanism is switched
off with them, and draws of what is assumed are written in them.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError, unknown_word
from immunescape.knowledge.tables import parse_rows
from immunescape.population.scores import standard_score

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.population.scores import ScoredCovariates

__all__ = ["COLUMNS", "FitTerm", "PopulationFit"]

FloatArray = NDArray[np.float64]
COLUMNS = ("parameter", "term", "value", "se", "unit", "source", "grade", "note")
_FILE = "population_fit.csv"
UNITS = {
    "set": "as in its table",
    "times": "dimensionless",
    "scale": "dimensionless",
    "factor": "dimensionless",
    "log_odds": "dimensionless",
}
VALUE_TERMS = ("set", "times")
"""Terms that act on the values of a parameter, and not on its scores."""
COEFFICIENT_TERMS = ("factor", "log_odds")
"""Terms of coefficients that are no parameter of the model, such as how lesions of a patient correlate."""


@dataclass(frozen=True)
class FitTerm:
    """One row: parameter, term (``shift``, ``scale`` or the score of a covariate), value, standard error, source."""

    parameter: str
    term: str
    value: float
    se: float
    source: str
    grade: str
    _: KW_ONLY
    note: str = ""


@dataclass(frozen=True)
class PopulationFit:
    """Moves standard normal scores of parameters; see the module."""

    terms: tuple[FitTerm, ...] = ()
    _by: Mapping[str, Mapping[str, float]] = field(init=False, repr=False, compare=False)
    values: Mapping[str, tuple[str, float]] = field(init=False, repr=False, compare=False)
    """Parameter -> (``set`` or ``times``, number) of those whose values are changed."""

    def __post_init__(self) -> None:
        by_parameter: dict[str, dict[str, float]] = {}
        values: dict[str, tuple[str, float]] = {}
        for term in self.terms:
            where = f"population fit, {term.parameter}, {term.term}"
            if term.term in VALUE_TERMS:
                if term.parameter in values:
                    raise InputError("the value is changed twice", where=where)
                if not math.isfinite(term.value) or (term.term == "times" and term.value <= 0.0):
                    raise InputError(f"{term.value} is not a number to {term.term}", where=where)
                values[term.parameter] = (term.term, term.value)
                continue
            terms_of_parameter = by_parameter.setdefault(term.parameter, {})
            if term.term in terms_of_parameter:
                raise InputError("the term occurs twice", where=where)
            if not math.isfinite(term.value) or (term.term in ("scale", "factor") and term.value <= 0.0):
                raise InputError(f"{term.value} is not a valid {term.term}", where=where)
            if ("." in term.parameter) != (term.term in COEFFICIENT_TERMS):
                raise InputError(
                    f"the term '{term.term}' does not go with '{term.parameter}'",
                    where=where,
                    hint="Coefficients (lesions.NAME) have the terms factor or log_odds, parameters the others.",
                )
            terms_of_parameter[term.term] = term.value
        object.__setattr__(self, "_by", by_parameter)
        object.__setattr__(self, "values", values)

    @classmethod
    @lru_cache(maxsize=1)
    def shipped(cls) -> PopulationFit:
        """The fit that ships."""
        text = files("immunescape.knowledge").joinpath("data", _FILE).read_text(encoding="utf-8")
        return cls.parse(text, f"knowledge/data/{_FILE}")

    @classmethod
    def read(cls, path: str | Path) -> PopulationFit:
        """Read a table that `to_csv` wrote."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot read the population fit: {error}", where=str(path)) from error
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, origin: str) -> PopulationFit:
        """Read the table from its text; `origin` is named in errors."""
        terms = []
        for row in parse_rows(text, COLUMNS, origin):
            terms.append(
                FitTerm(
                    row["parameter"],
                    row["term"],
                    row.number("value"),
                    row.number("se"),
                    row["source"],
                    row["grade"],
                    note=row["note"],
                )
            )
        return cls(tuple(terms))

    def to_csv(self) -> str:
        """The table as text."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        for t in self.terms:
            unit = UNITS.get(t.term, "standard deviation")
            digits = 12 if t.term in VALUE_TERMS else 4
            writer.writerow(
                [t.parameter, t.term, f"{t.value:.{digits}g}", f"{t.se:.2g}", unit, t.source, t.grade, t.note]
            )
        return out.getvalue()

    def with_values(self, changes: Mapping[str, tuple[str, float]]) -> PopulationFit:
        """Return the fit with further terms that act on values: parameter -> (``set`` or ``times``, number)."""
        more = (FitTerm(name, term, number, 0.0, "assumed", "assumed") for name, (term, number) in changes.items())
        return PopulationFit((*self.terms, *more))

    def shifted(self, parameter: str, by: float) -> PopulationFit:
        """Return the fit with the score of a parameter shifted further, by standard deviations between patients."""
        kept = [t for t in self.terms if (t.parameter, t.term) != (parameter, "shift")]
        now = self.of(parameter).get("shift", 0.0) + by
        return PopulationFit((*kept, FitTerm(parameter, "shift", now, 0.0, "assumed", "fitted")))

    def __contains__(self, parameter: str) -> bool:
        return parameter in self._by

    def of(self, parameter: str) -> Mapping[str, float]:
        """Term -> value for a parameter; empty where it was not fitted."""
        return self._by.get(parameter, {})

    def check(self, names: Iterable[str]) -> None:
        """Raise InputError for a parameter that is none of `names`."""
        valid = sorted(names)
        for parameter in self._by:
            if parameter not in valid and "." not in parameter:
                raise unknown_word("parameter in the population fit", parameter, valid)

    def check_coefficients(self, names: Iterable[str]) -> None:
        """Raise InputError for a coefficient (a name with a dot) that is none of `names`."""
        valid = sorted(names)
        for parameter in self._by:
            if "." in parameter and parameter not in valid:
                raise unknown_word("coefficient in the population fit", parameter, valid)

    def coefficient(self, name: str, value: float) -> float:
        """A coefficient of a table, moved by the terms ``factor`` (it multiplies) or ``log_odds`` (it is added)."""
        terms = self._by.get(name, {})
        value *= terms.get("factor", 1.0)
        if "log_odds" in terms:
            value = 1.0 / (1.0 + (1.0 - value) / value * math.exp(-terms["log_odds"]))
        return value

    def move(self, parameter: str, z: FloatArray, covariates: pd.DataFrame | ScoredCovariates) -> FloatArray:
        """Scores (n,) of patients after the fit, from those before it and the patients' covariates."""
        terms = self._by.get(parameter)
        if terms is None:
            return z
        return terms.get("scale", 1.0) * z + self.offset(parameter, covariates)

    def offset(self, parameter: str, covariates: pd.DataFrame | ScoredCovariates) -> FloatArray:
        """Shift (n,) of a parameter's score, with what covariates add."""
        terms = self._by.get(parameter, {})
        out = np.full(len(covariates), terms.get("shift", 0.0))
        for term, value in terms.items():
            if term not in ("shift", "scale"):
                out = out + value * standard_score(term, covariates, f"population fit, {parameter}")
        return out
