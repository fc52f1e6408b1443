"""The tables of numbers behind covariates: values under conditions, correlations, links and plausibility bounds.

Every row carries unit, source and grade; a row without one of them is refused. They are CSV files in
``knowledge/data/``.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError, unknown_word

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GRADES", "ConditionalTable", "Row", "read_rows"]

GRADES = ("measured", "fitted", "assumed")


@dataclass(frozen=True)
class Row:
    """One row of a table: its cells, and where it stands."""

    cells: Mapping[str, str]
    where: str

    def __getitem__(self, column: str) -> str:
        return self.cells[column]

    def number(self, column: str) -> float:
        """Cell as a number."""
        try:
            return float(self.cells[column])
        except ValueError:
            raise InputError(f"'{self.cells[column]}' in column '{column}' is not a number", where=self.where) from None

    @property
    def sources(self) -> tuple[str, ...]:
        """Citation keys, without the word ``assumed`` or ``fitted``."""
        keys = (k.strip() for k in self.cells["source"].split(";"))
        return tuple(k for k in keys if k and k not in GRADES)


def parse_rows(text: str, columns: tuple[str, ...], origin: str) -> tuple[Row, ...]:
    """Read CSV text that must have these `columns`, and unit (where a column), source and grade in every row."""
    reader = csv.DictReader(text.splitlines())
    if tuple(reader.fieldnames or ()) != columns:
        raise InputError(f"columns are {reader.fieldnames}, not {list(columns)}", where=origin)
    rows = []
    for number, cells in enumerate(reader, start=2):
        where = f"{origin}, line {number}"
        if None in cells or None in cells.values():
            raise InputError(
                "the number of cells differs from the header's", where=where, hint="Quote text with commas."
            )
        clean = {k: v.strip() for k, v in cells.items()}
        for needed in ("unit", "source", "grade"):
            if needed in clean and not clean[needed]:
                raise InputError(f"the row has no {needed}", where=where)
        if clean["grade"] not in GRADES:
            raise unknown_word("grade", clean["grade"], GRADES, where=where)
        rows.append(Row(clean, where))
    return tuple(rows)


@lru_cache(maxsize=16)
def read_rows(name: str, columns: tuple[str, ...]) -> tuple[Row, ...]:
    """Read the shipped table ``knowledge/data/<name>.csv``."""
    text = files("immunescape.knowledge").joinpath("data", f"{name}.csv").read_text(encoding="utf-8")
    return parse_rows(text, columns, f"knowledge/data/{name}.csv")


def _conditions(text: str, where: str) -> tuple[tuple[str, frozenset[str]], ...]:
    parts = []
    for part in filter(None, (p.strip() for p in text.split(";"))):
        column, sign, levels = part.partition("=")
        if not sign or not levels:
            raise InputError(f"condition '{part}' is not of the form column=level|level", where=where)
        parts.append((column.strip(), frozenset(level.strip() for level in levels.split("|"))))
    return tuple(parts)


def has_level(cells: NDArray[Any], levels: Collection[str]) -> NDArray[np.bool_]:
    """Whether each cell of a column, written as text (truth values as 0 and 1), is one of the levels."""
    if cells.dtype == bool:
        return np.where(cells, "1" in levels, "0" in levels)
    if cells.dtype != object:
        return np.isin(cells.astype(str), sorted(levels))
    words = cells.tolist()  # few distinct ones; to sort them all as numpy does takes ten times as long
    verdict = {word: str(word) in levels for word in set(words)}
    return np.fromiter(map(verdict.__getitem__, words), dtype=bool, count=len(words))


class ConditionalTable:
    """Values by name and condition; of the rows that hold for a patient, the last one wins.

    Rows go from the general to the special: a later row overrides an earlier one wherever its condition
    (``column=level|level;column=level``) holds.
    """

    columns = ("name", "condition", "value", "unit", "source", "grade", "note")

    def __init__(self, rows: tuple[Row, ...]) -> None:
        self._rows: dict[str, list[tuple[tuple[tuple[str, frozenset[str]], ...], float]]] = {}
        for row in rows:
            entry = (_conditions(row["condition"], row.where), row.number("value"))
            self._rows.setdefault(row["name"], []).append(entry)
        self.rows = rows

    def __contains__(self, name: str) -> bool:
        return name in self._rows

    def number(self, name: str) -> float:
        """Value that needs no condition."""
        rows = self._rows.get(name)
        if rows is None:
            raise unknown_word("covariate number", name, self._rows)
        plain = [value for conditions, value in rows if not conditions]
        if not plain:
            raise InputError(f"'{name}' has a value only under conditions")
        return plain[-1]

    def values(
        self, name: str, frame: pd.DataFrame | Mapping[str, Any], default: float | None = None
    ) -> NDArray[np.float64]:
        """Value of each patient.

        Parameters
        ----------
        name
            Name in the table.
        frame
            Columns that conditions may name; conditions on columns that are not there (yet) do not hold.
        default
            Value where no row holds; None: an error.
        """
        rows = self._rows.get(name)
        if rows is None:
            raise unknown_word("covariate number", name, self._rows)
        n = len(next(iter(frame.values()))) if isinstance(frame, Mapping) else len(frame)
        out = np.full(n, np.nan if default is None else default)
        for conditions, value in rows:
            holds = np.ones(n, dtype=bool)
            for column, levels in conditions:
                if column not in frame:
                    holds[:] = False
                    break
                holds &= has_level(np.asarray(frame[column]), levels)
            out[holds] = value
        if np.isnan(out).any():
            raise InputError(f"no row of '{name}' holds for some patients", hint="Add a row without a condition.")
        return out
