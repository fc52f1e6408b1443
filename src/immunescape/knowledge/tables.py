"""Curated CSV tables: one row record, one scale of grades, one loader, with errors that name file and line.

The tables lie in ``knowledge/data/``; some of them plug-ins may extend (:func:`plugin_rows`). A table that has a column
``unit``, ``source`` or ``grade`` has it filled in every row, and a grade is one of `GRADES`.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from immunescape import plugins
from immunescape.errors import ImmunescapeError, InputError, unknown_word

__all__ = ["DATA", "GRADES", "Grade", "Row", "lines_of_cells", "parse_rows", "plugin_rows", "read_rows"]

DATA = Path(__file__).parent / "data"
Grade = Literal["measured", "fitted", "assumed"]
GRADES: tuple[Grade, ...] = ("measured", "fitted", "assumed")
"""What a number rests on, the best first."""
_NEEDED = ("unit", "source", "grade")


@dataclass(frozen=True)
class Row(Mapping[str, str]):
    """One row of a table: its cells by column, and where it stands.

    Attributes
    ----------
    cells : column -> text, without blanks around it.
    where : file and line, for errors. error : their class.
    """

    cells: Mapping[str, str]
    where: str
    error: type[ImmunescapeError] = InputError

    def __getitem__(self, column: str) -> str:
        return self.cells[column]

    def __iter__(self) -> Iterator[str]:
        return iter(self.cells)

    def __len__(self) -> int:
        return len(self.cells)

    def number(self, column: str) -> float:
        """Cell as a finite number."""
        try:
            value = float(self.cells[column])
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.error(f"'{self.cells[column]}' in column '{column}' is not a number", where=self.where)
        return value

    def number_or_none(self, column: str) -> float | None:
        """Cell as a number; None where it is empty."""
        return self.number(column) if self.cells[column] else None

    def choice(self, column: str, allowed: Collection[str], what: str = "") -> str:
        """Cell as one of some words; another is answered with the nearest."""
        if self.cells[column] not in allowed:
            raise unknown_word(what or column, self.cells[column], allowed, where=self.where, error=self.error)
        return self.cells[column]

    def split(self, column: str, separator: str = ";") -> tuple[str, ...]:
        """Cell as several words."""
        return tuple(entry for entry in (raw.strip() for raw in self.cells[column].split(separator)) if entry)

    @property
    def sources(self) -> tuple[str, ...]:
        """Keys of the bibliography in the column ``source``, without the words of grades."""
        return tuple(key for key in self.split("source") if key not in GRADES)


def lines_of_cells(text: str, separator: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Yield number and cells of each line of a table, without blanks around them; empty lines and comments (``#``) not.

    For tables with checks of their own; others are read by `parse_rows` and `read_rows`.
    """
    # comments become empty lines, so that the reader counts lines as an editor does
    lines = ("\n" if line.startswith("#") else line for line in text.splitlines(keepends=True))
    reader = csv.reader(lines, delimiter=separator)
    for cells in reader:
        if any(cells):
            yield reader.line_num, [cell.strip() for cell in cells]


def parse_rows(
    text: str,
    columns: Iterable[str] | None,
    origin: str,
    *,
    may_lack: tuple[str, ...] = (),
    separator: str = ",",
    error: type[ImmunescapeError] = InputError,
) -> tuple[Row, ...]:
    """Read CSV text; empty lines and lines that start with ``#`` are left out.

    Parameters
    ----------
    text
        The table, its first line the header.
    columns
        Columns that it must have, in this order; None takes any.
    origin
        Name of the file, for errors.
    may_lack
        Columns among unit and source that a row may leave empty.
    separator
        Character between cells.
    error
        Class of the errors.

    Raises
    ------
    ImmunescapeError
        Naming file and line: other columns, a row with more or fewer cells, one without unit, source or grade where
        there is such a column, an unknown grade.
    """
    header: list[str] = []
    rows = []
    for number, cells in lines_of_cells(text, separator):
        where = f"{origin}, line {number}"
        if not header:
            header = cells
            if columns is not None and header != list(columns):
                raise error(f"the columns must be {','.join(columns)}", where=where)
            continue
        if len(cells) != len(header):
            raise error(
                f"a row has {len(header)} cells, this one {len(cells)}",
                where=where,
                hint='A cell that contains a comma needs quotes: "a, b".',
            )
        row = Row(dict(zip(header, cells, strict=True)), where, error)
        for name in _NEEDED:
            if name in row.cells and not row[name] and name not in may_lack:
                raise error(f"the row has no {name}", where=where)
        if "grade" in row.cells:
            row.choice("grade", GRADES)
        rows.append(row)
    return tuple(rows)


@lru_cache(maxsize=512)  # a drug has tables of its own
def read_rows(
    table: str | Path,
    columns: tuple[str, ...] | None = None,
    *,
    may_lack: tuple[str, ...] = (),
    error: type[ImmunescapeError] = InputError,
) -> tuple[Row, ...]:
    """Read a table that ships: ``knowledge/data/<table>.csv`` by name, or another file of the package by path."""
    path = DATA / f"{table}.csv" if isinstance(table, str) else table
    return parse_rows(path.read_text(encoding="utf-8"), columns, str(path), may_lack=may_lack, error=error)


def plugin_rows(name: str, columns: Iterable[str]) -> Iterator[Row]:
    """Yield the rows of the plug-ins' tables of a file name.

    Raises
    ------
    InputError
        As `parse_rows`; or where a file is no text.
    """
    expected = tuple(columns)
    for path in plugins.table_files(name):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as problem:
            raise InputError("this is not UTF-8 text", where=str(path)) from problem
        yield from parse_rows(text, expected, str(path))
