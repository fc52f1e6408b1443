"""Reads the coefficient tables of the trial room: one value per row, each with unit, source and grade."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from immunescape.knowledge.tables import read_rows

__all__ = ["Coefficient", "coefficients"]

_COLUMNS = ("name", "value", "unit", "source", "grade", "note")


@dataclass(frozen=True)
class Coefficient:
    """One row: a number with its unit, the key of its source in the bibliography, its grade and what to know of it."""

    name: str
    value: float
    unit: str
    source: str
    grade: str
    note: str


@cache
def _read(table: str) -> tuple[Coefficient, ...]:
    return tuple(
        Coefficient(row["name"], row.number("value"), row["unit"], row["source"], row["grade"], row["note"])
        for row in read_rows(table, _COLUMNS)
    )


def coefficients(table: str) -> dict[str, Coefficient]:
    """Rows of ``knowledge/data/<table>.csv`` by name.

    Raises
    ------
    InputError
        For a row without unit, source or grade, with file and row.
    """
    return {row.name: row for row in _read(table)}
