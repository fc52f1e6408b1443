"""Reads the coefficient tables of the trial room: one value per row, each with unit, source and grade."""

from __future__ import annotations

from dataclasses import dataclass

from immunescape import plugins
from immunescape.errors import InputError
from immunescape.knowledge.tables import plugin_rows, read_rows

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


FROM_PLUGINS = ("usual_doses",)
"""Tables to which plug-ins may add rows."""


@plugins.cached(None)
def _read(table: str) -> tuple[Coefficient, ...]:
    rows = list(read_rows(table, _COLUMNS))
    if table in FROM_PLUGINS:
        taken = {row["name"] for row in rows}
        for row in plugin_rows(f"{table}.csv", _COLUMNS):
            if row["name"] in taken:
                raise InputError(f"'{row['name']}' has a row already", where=row.where)
            taken.add(row["name"])
            rows.append(row)
    return tuple(
        Coefficient(row["name"], row.number("value"), row["unit"], row["source"], row["grade"], row["note"])
        for row in rows
    )


def coefficients(table: str) -> dict[str, Coefficient]:
    """Rows of ``knowledge/data/<table>.csv`` by name.

    Raises
    ------
    InputError
        For a row without unit, source or grade, with file and row.
    """
    return {row.name: row for row in _read(table)}
