"""Reads the coefficient tables of the trial room: one value per row, each with unit, source and grade."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from importlib.resources import files

from immunescape import plugins
from immunescape.errors import InputError

__all__ = ["Coefficient", "coefficients"]

_COLUMNS = ("name", "value", "unit", "source", "grade", "note")
_GRADES = ("measured", "fitted", "assumed")


@dataclass(frozen=True)
class Coefficient:
    """One row: a number with its unit, the key of its source in the bibliography, its grade and what to know of it."""

    name: str
    value: float
    unit: str
    source: str
    grade: str
    note: str


FROM_PLUGINS = ("usual_doses",)
"""Tables to which plug-ins may add rows."""


@plugins.cached(None)
def _read(table: str) -> tuple[Coefficient, ...]:
    path = files("immunescape.knowledge") / "data" / f"{table}.csv"
    with path.open("r", encoding="utf-8") as stream:
        reader = csv.DictReader(line for line in stream if not line.startswith("#"))
        if tuple(reader.fieldnames or ()) != _COLUMNS:
            raise InputError(f"the columns must be {', '.join(_COLUMNS)}", where=str(path))
        rows = [_row(row, f"{path}, row {number}") for number, row in enumerate(reader, start=2)]
    if table in FROM_PLUGINS:
        taken = {row.name for row in rows}
        for row, where in plugins.rows(f"{table}.csv", _COLUMNS):
            if row["name"] in taken:
                raise InputError(f"'{row['name']}' has a row already", where=where)
            taken.add(row["name"])
            rows.append(_row(row, where))
    return tuple(rows)


def _row(row: dict[str, str], where: str) -> Coefficient:
    if not (row["unit"] and row["source"]) or row["grade"] not in _GRADES:
        raise InputError(
            f"'{row['name']}' lacks unit, source or grade", where=where, hint=f"Grades: {', '.join(_GRADES)}."
        )
    try:
        value = float(row["value"])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"'{row['name']}' is not a number", where=where)
    return Coefficient(row["name"], value, row["unit"], row["source"], row["grade"], row["note"])


def coefficients(table: str) -> dict[str, Coefficient]:
    """Rows of ``knowledge/data/<table>.csv`` by name.

    Raises
    ------
    InputError
        For a row without unit, source or grade, with file and row.
    """
    return {row.name: row for row in _read(table)}
