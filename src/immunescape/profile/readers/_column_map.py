"""Mapping of columns and terms in a manifest for formats with fixed columns: ``columns:``, ``values:``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import pandas as pd

from immunescape.errors import InputError, unknown_word

__all__ = ["ColumnMap", "current_map", "plain", "using"]


def plain(name: object) -> str:
    """Return a name without case and separators."""
    return "".join(c for c in str(name).casefold() if c.isalnum())


class ColumnMap:
    """The content of ``columns:`` and ``values:`` for a file, and what its reader requested.

    Parameters
    ----------
    columns
        Name that the reader expects (or the study's name of it) -> column of the file.
    values
        Column (of the file, or as the reader expects it) -> {term in the file: term of the reader}.
    aliases
        Other names of a column, so that the study's name of it may be used.
    """

    def __init__(
        self, columns: Mapping[str, Any], values: Mapping[str, Any], aliases: Mapping[str, tuple[str, ...]]
    ) -> None:
        self.columns = {str(k): str(v) for k, v in columns.items()}
        self.values = {str(k): {str(a): b for a, b in dict(v).items()} for k, v in values.items()}
        self._names = {k: {plain(k), *map(plain, aliases.get(k, ()))} for k in (*self.columns, *self.values)}
        self.asked: dict[str, None] = {}
        self.seen: dict[str, None] = {}
        self.used: set[str] = set()
        self.taken: set[str] = set()
        self.tables = 0

    def opened(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Translate the terms of a table that was read."""
        self.tables += 1
        self.seen.update(dict.fromkeys(str(c) for c in frame.columns))
        for key, translations in self.values.items():
            target = self.columns.get(key)
            names = self._names[key]
            for column in frame.columns:
                if plain(column) in names or column == target:
                    self.used.add(f"values {key}")
                    cells = [translations.get(v, v) if isinstance(v, str) else v for v in frame[column]]
                    frame[column] = pd.Series(cells, index=frame.index, dtype=object)
        return frame

    def column(self, names: Iterable[str], frame: pd.DataFrame) -> str | None:
        """Return the column given in the manifest for one of the names requested by a reader."""
        for name in names:
            self.asked.setdefault(name)
            for key, column in self.columns.items():
                if plain(name) in self._names[key] and column in frame.columns:
                    self.used.add(f"columns {key}")
                    return column
        return None

    def check(self, where: str) -> None:
        """Reject entries that no table used.

        Raises
        ------
        InputError
            Naming the nearest column of the file, or the nearest name requested by the reader.
        """
        asked = {plain(a) for a in self.asked}
        for key, column in self.columns.items():
            if f"columns {key}" in self.used:
                continue
            if column not in self.seen:
                raise unknown_word("column of the file", column, self.seen, where=f"{where}, columns")
            if not self._names[key] & asked:
                raise unknown_word("column", key, self.asked, where=f"{where}, columns")
        for key in self.values:
            if f"values {key}" not in self.used:
                raise unknown_word("column of the file", key, self.seen, where=f"{where}, values")


_CURRENT: ContextVar[ColumnMap | None] = ContextVar("column_map", default=None)


def current_map() -> ColumnMap | None:
    """Return the map of the file that is being read, or None."""
    return _CURRENT.get()


@contextmanager
def using(column_map: ColumnMap) -> Iterator[ColumnMap]:
    """Use a map for every table that is read inside the block."""
    token = _CURRENT.set(column_map)
    try:
        yield column_map
    finally:
        _CURRENT.reset(token)


def refuse_without_table(name: str, column_map: ColumnMap, options: Iterable[str], file: str) -> None:
    """Reject ``columns:`` and ``values:`` for a file that is not a table."""
    if column_map.tables:
        return
    for setting, given in (("columns", column_map.columns), ("values", column_map.values)):
        if given:
            raise InputError(
                f"unknown option of the format '{name}' '{setting}'",
                where=file,
                hint=f"Its files have no named columns. Known: {', '.join(sorted(options)) or '(none)'}.",
            )
