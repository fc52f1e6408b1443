"""Other usual names of columns, from ``knowledge/data/clinical_columns.csv``.

A name that starts with ``~`` is a pattern for the whole name in lower case with underscores; in it, ``¦`` stands for
the bar between alternatives.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

from immunescape.knowledge.tables import read_rows
from immunescape.profile.readers._text import TextTable

__all__ = ["Named", "UsualName", "aliases_of", "find_column", "usual_names"]


@dataclass(frozen=True)
class UsualName:
    """Usual names of a column of the study in files.

    Attributes
    ----------
    column : column of the study, or what the names mean (``tps``, ``assay``).
    unit : unit stated by the name; '' if there is none, ``?`` if the name leaves it open.
    names : names in order of preference.
    """

    column: str
    unit: str
    names: tuple[str, ...]

    @cached_property
    def plain(self) -> tuple[str, ...]:
        """Names that are no patterns."""
        return tuple(n for n in self.names if not n.startswith("~"))

    @cached_property
    def patterns(self) -> tuple[re.Pattern[str], ...]:
        """Patterns among the names."""
        return tuple(re.compile(n[1:].replace("¦", "|")) for n in self.names if n.startswith("~"))


@dataclass(frozen=True)
class Named:
    """A recognised column of a file: its name in the file, and the unit stated by this name."""

    column: str
    unit: str


@lru_cache(maxsize=1)
def _table() -> dict[str, tuple[UsualName, ...]]:
    by_kind: dict[str, list[UsualName]] = {}
    for row in read_rows("clinical_columns", may_lack=("unit",)):
        record = UsualName(row["column"], row["unit"], tuple(row["names"].split("|")))
        by_kind.setdefault(row["table"], []).append(record)
    return {kind: tuple(records) for kind, records in by_kind.items()}


def usual_names(kind: str) -> tuple[UsualName, ...]:
    """Return the usual names of the columns of a table; empty where none are listed."""
    return _table().get(kind, ())


def aliases_of(kinds: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the usual names of the columns of tables: column of the study -> names."""
    names: dict[str, tuple[str, ...]] = {}
    for kind in kinds:
        for record in usual_names(kind):
            names[record.column] = (*names.get(record.column, ()), *record.plain)
    return names


def find_column(table: TextTable, kind: str, column: str) -> Named | None:
    """Return the column of a file that usually means a column of the study, or None.

    Names come before patterns, and names that state a unit before those that leave it open, whatever their order in
    the file.
    """
    for record in usual_names(kind):
        if record.column == column and (name := table.find(*record.plain)) is not None:
            return Named(name, record.unit)
    for record in usual_names(kind):
        if record.column != column:
            continue
        for pattern in record.patterns:
            for name in map(str, table.frame.columns):
                if pattern.fullmatch(re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_")):
                    return Named(name, record.unit)
    return None
