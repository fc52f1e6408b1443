"""Tables of published trials, those of a data folder and those of the harness, and what a cell may hold.

A cell that is empty says nothing; any other must be what its column says, so that no figure is scored by mistake.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from immunescape.errors import InputError, unknown_word
from immunescape.knowledge.tables import Row, read_rows

__all__ = ["COMBINATIONS", "CURVE_TRIALS", "HOW", "TRIALS", "ColumnRules", "included_rows", "read_table"]

HOW = (
    "The folder contains trials.csv, combinations.csv and trial_files/*.yaml, and for the comparison with patients "
    "oak/, loris/, toposcore/ and km/."
)
_PERCENT, _RATIO, _COUNT = (0.0, 100.0), (0.01, 100.0), (1.0, 1e6)


@dataclass(frozen=True)
class ColumnRules:
    """Columns of a table.

    Attributes
    ----------
    texts : columns with any text.
    filled : columns that may not be empty.
    words : column -> words that it may hold.
    numbers : column -> smallest and largest number.
    key : columns that together name a row.
    """

    texts: tuple[str, ...]
    filled: tuple[str, ...]
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    numbers: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    key: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All columns that are read."""
        return tuple(dict.fromkeys((*self.texts, *self.words, *self.numbers)))


TRIALS = ColumnRules(
    texts=("trial", "line", "histology", "pdl1", "driver", "crossover_pct", "reference"),
    filled=("trial", "role", "arm"),
    words={"role": ("calibration", "validation"), "arm": ("experimental", "control")},
    numbers={"n": _COUNT, "orr_pct": _PERCENT, "pfs_hr": _RATIO, "os_hr": _RATIO},
    key=("trial", "arm"),
)
COMBINATIONS = ColumnRules(
    texts=(
        "trial",
        "setting",
        "line",
        "histology",
        "pdl1",
        "driver",
        "experimental regimen",
        "control regimen",
        "stand_in",
        "trial_file",
    ),
    filled=("trial", "trial_file", "kind"),
    words={"kind": ("addon", "switch", "single"), "primary_endpoint_met": ("yes", "no", "na")},
    numbers={
        "n_exp": _COUNT,
        "n_ctl": _COUNT,
        "orr_exp": _PERCENT,
        "orr_ctl": _PERCENT,
        "pfs_hr": _RATIO,
        "os_hr": _RATIO,
    },
    key=("trial_file",),
)

CURVE_TRIALS = ColumnRules(
    texts=("trial", "checked"),
    filled=("trial", "role", "kind"),
    words={
        "role": ("calibration", "validation"),
        "kind": ("addon", "switch", "single"),
        "primary_endpoint_met": ("yes", "no"),
    },
    key=("trial",),
)


def included_rows(path: Path, columns: ColumnRules) -> tuple[Row, ...]:
    """Rows of a table of this package, with the checks of `read_table`."""
    rows = read_rows(path)
    lines: dict[tuple[str, ...], str] = {}
    for row in rows:
        _check(row, columns, row.where)
        _refuse_repeat(row, columns, row.where, lines)
    return rows


def read_table(path: Path, columns: ColumnRules) -> list[dict[str, str]]:
    """Read a table of published trials from a data folder.

    Returns
    -------
    list of dict
        Rows in the order of the file: column -> cell as it stands, without spaces around it.

    Raises
    ------
    InputError
        Naming file, line and column: for a missing file or column, a file that is not UTF-8, a row with too few or too
        many cells, a row given twice, or a cell that is not what its column holds.
    """
    if not path.is_file():
        raise InputError("no such file", where=str(path), hint=HOW)
    rows: list[dict[str, str]] = []
    lines: dict[tuple[str, ...], str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            header = [name.strip() for name in next(reader, [])]
            for name in columns.names:
                if name not in header:
                    plain = unknown_word("column", name, header)
                    raise InputError(
                        f"there is no column '{name}'", where=f"{path}, line 1", hint=plain.hint if header else HOW
                    )
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                where = f"{path}, line {reader.line_num}"
                if len(cells) != len(header):
                    raise InputError(
                        f"{len(cells)} cells, but the header has {len(header)}",
                        where=where,
                        hint="Leave a cell empty where nothing is known; put quotes around a cell with a comma.",
                    )
                row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
                _check(row, columns, where)
                _refuse_repeat(row, columns, where, lines)
                rows.append(row)
    except UnicodeDecodeError as error:
        raise InputError(
            "the file is not UTF-8", where=str(path), hint="Save it as CSV with UTF-8 encoding."
        ) from error
    except csv.Error as error:
        raise InputError(f"not a CSV file ({error})", where=str(path), hint=HOW) from error
    return rows


def _refuse_repeat(row: Mapping[str, str], columns: ColumnRules, where: str, lines: dict[tuple[str, ...], str]) -> None:
    """Refuse a row whose key is among `lines`, and add it there."""
    key = tuple(row[name].casefold() for name in columns.key)
    if key in lines:
        shown = ", ".join(row[name] for name in columns.key)
        raise InputError(f"'{shown}' is given twice", where=where, hint=f"It is in {lines[key]} already.")
    lines[key] = where.rpartition(", ")[2]


def _check(row: Mapping[str, str], columns: ColumnRules, where: str) -> None:
    """Refuse a cell that is not what its column holds."""
    for name in columns.filled:
        if not row[name]:
            raise InputError("the cell is empty", where=f"{where}, {name}", hint="Fill it in.")
    for name, words in columns.words.items():
        if row[name] and row[name] not in words:
            raise unknown_word("word", row[name], words, where=f"{where}, {name}")
    for name, (low, high) in columns.numbers.items():
        if not row[name]:
            continue
        try:
            value = float(row[name])
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise InputError(
                f"'{row[name]}' is not a number from {low:g} to {high:g}",
                where=f"{where}, {name}",
                hint="Leave the cell empty where nothing was published.",
            )
