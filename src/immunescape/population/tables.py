"""Numbers behind covariates: tables of values under conditions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError, unknown_word
from immunescape.knowledge.tables import Row

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ConditionalTable", "has_level"]


def _conditions(text: str, where: str) -> tuple[tuple[str, frozenset[str]], ...]:
    conditions = []
    for condition in filter(None, (p.strip() for p in text.split(";"))):
        column, sign, levels = condition.partition("=")
        if not sign or not levels:
            raise InputError(f"condition '{condition}' is not of the form column=level|level", where=where)
        conditions.append((column.strip(), frozenset(level.strip() for level in levels.split("|"))))
    return tuple(conditions)


def has_level(cells: NDArray[Any], levels: Collection[str]) -> NDArray[np.bool_]:
    """Whether each cell of a column, written as text (truth values as 0 and 1), is one of the levels."""
    if cells.dtype == bool:
        return np.where(cells, "1" in levels, "0" in levels)
    if cells.dtype != object:
        return np.isin(cells.astype(str), sorted(levels))
    values = cells.tolist()  # few distinct ones; to sort them all as numpy does takes ten times as long
    verdict = {entry: str(entry) in levels for entry in set(values)}
    return np.fromiter(map(verdict.__getitem__, values), dtype=bool, count=len(values))


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
