"""Text tables in any form: line endings, byte-order marks, gzip, comment lines, terms for missing values."""

from __future__ import annotations

import csv
import gzip
import io
import re
import warnings
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from immunescape.errors import InputError, nearest
from immunescape.profile.file_limits import limit, refuse_large
from immunescape.profile.readers._column_map import current_map

__all__ = ["MISSING", "TextTable", "number_block", "number_column", "read_table", "read_text", "table_from_text"]

MISSING = frozenset(
    {"", "na", "n/a", "nan", ".", "null", "none", "#n/a", "[not available]", "[not applicable]", "[unknown]", "<na>"}
)
_PACKED = {
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"BZh": "packed with bzip2",
    b"\xfd7zXZ": "packed with xz",
    b"\x28\xb5\x2f\xfd": "packed with zstd",
}
_CHUNK = 1 << 24


def read_text(path: Path) -> str:
    """Read a text file: gzip or plain, UTF-8 (with or without mark), UTF-16 with mark, else Latin-1.

    Raises
    ------
    InputError
        If the file is missing, empty, too large, binary, or a broken gzip.
    """
    if path.is_dir():
        raise InputError("this is a folder, not a file", where=str(path))
    try:
        refuse_large(path.stat().st_size, "largest_text", str(path), "the file is too large to read as one table")
        raw = path.read_bytes()
    except FileNotFoundError:
        folder = path.parent
        names = [p.name for p in folder.iterdir()] if folder.is_dir() else []
        close = nearest(path.name, names)
        hint = f"Did you mean {' or '.join(close)}?" if close else f"The folder {folder} contains no such file."
        raise InputError("file not found", where=str(path), hint=hint) from None
    except OSError as error:
        raise InputError(f"the file cannot be read: {error.strerror or error}", where=str(path)) from None
    if raw[:2] == b"\x1f\x8b":
        raw = _unpacked(raw, path)
    for start, what in _PACKED.items():
        if raw.startswith(start):
            raise InputError(f"this is {what}, not a text table", where=str(path), hint="Unpack it, or export as CSV.")
    for mark, name in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if raw.startswith(mark):
            try:
                return raw.decode(name)
            except UnicodeDecodeError:
                raise InputError("begins like UTF-16 but is not", where=str(path)) from None
    if b"\x00" in raw:
        raise InputError("this is a binary file, not a text table", where=str(path))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _unpacked(raw: bytes, path: Path) -> bytes:
    """Unpack gzip (also of several members, as bgzip writes) within the limits of size and ratio."""
    pieces: list[bytes] = []
    size = 0
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as stream:
            while piece := stream.read(_CHUNK):
                pieces.append(piece)
                size += len(piece)
                refuse_large(size, "largest_text", str(path), "the unpacked file is too large to read as one table")
                if size > limit("packing_ratio_from") and size > limit("packing_ratio") * len(raw):
                    raise InputError(
                        f"the gzip file of {len(raw):,} bytes unpacks to more than {size:,}: no table "
                        "is this compressible",
                        where=str(path),
                        hint="Unpack it and inspect it; an unpacked file is read up to the size limit.",
                    )
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"broken gzip file: {error}", where=str(path), hint="Download it again.") from None
    return b"".join(pieces)


@dataclass
class TextTable:
    """A text table: all cells are text or None; the index is the line number in the file.

    Attributes
    ----------
    frame : rows x columns, as in the file.
    file : name of the file, for messages.
    comments : lines before the header that start with the comment sign.
    """

    frame: pd.DataFrame
    file: str
    comments: tuple[str, ...] = ()

    def find(self, *names: str) -> str | None:
        """Return the column that matches one of the names (ignoring case and separators), or None."""
        named = current_map()
        if named is not None and (column := named.column(names, self.frame)) is not None:
            named.taken.add(column)
            return column
        column_of = {_plain(c): c for c in reversed(list(self.frame.columns))}
        for name in names:
            match = name if name in self.frame.columns else column_of.get(_plain(name))
            if match is not None:
                if named is not None:
                    named.taken.add(match)
                return match
        return None

    def need(self, *names: str) -> str:
        """Return the column that matches one of the names.

        Raises
        ------
        InputError
            Naming the nearest columns of the file.
        """
        name = self.find(*names)
        if name is not None:
            return name
        columns = [str(c) for c in self.frame.columns]
        close = nearest(names[0], columns)
        guess = f"Did you mean '{close[0]}'? " if close else ""
        option = f"Name it, columns: {{{names[0]}: {close[0] if close else 'COLUMN'}}}. "
        raise InputError(
            f"the column '{names[0]}' is missing",
            where=self.file,
            hint=f"{guess}{option}Columns: {', '.join(columns[:30])}",
        )

    def text(self, *names: str) -> pd.Series:
        """Return a column as text with None where missing; all None where there is no such column."""
        name = self.find(*names)
        if name is None:
            return pd.Series([None] * len(self.frame), index=self.frame.index, dtype=object)
        return self.frame[name]

    def number(self, *names: str) -> pd.Series:
        """Return a column as numbers with NaN where missing; all NaN where there is no such column."""
        name = self.find(*names)
        if name is None:
            return pd.Series(np.nan, index=self.frame.index, dtype=float)
        return number_column(self.frame[name], self.file, name)


def _plain(name: str) -> str:
    return "".join(c for c in str(name).casefold() if c.isalnum())


def number_column(values: pd.Series, file: str, name: str, extra: Iterable[str] = ()) -> pd.Series:
    """Convert text to numbers; terms for missing values become NaN.

    Raises
    ------
    InputError
        Naming file, line and value of the first cell that is not a finite number.
    """
    if values.dtype != object:
        numbers = pd.to_numeric(values, errors="coerce").astype(float)
        text = values.astype(object)
    else:
        text = values
        numbers = pd.to_numeric(values, errors="coerce").astype(float)
    allowed = MISSING | {e.casefold() for e in extra}
    bad = (numbers.isna() & text.notna()) | np.isinf(numbers.to_numpy())
    if bad.any():
        for line, value in text[bad].items():
            if isinstance(value, float) and np.isnan(value):
                continue
            if str(value).strip().casefold() in allowed:
                numbers.loc[line] = np.nan  # type: ignore[call-overload]
                continue
            raise InputError(
                f"'{str(value)[:60]}' in the column '{name}' is not a number",
                where=f"{file}, line {line}",
                hint=_advice_on(str(value).strip(), name),
            )
    return numbers


def _advice_on(text: str, column: str) -> str:
    if "day" in column.casefold() and re.fullmatch(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}", text):
        return "Days count from the first dose of immunotherapy (day 0): give the difference of the dates."
    return "Write a number with a decimal point, or NA where it is missing."


def _separator(header: str, name: str) -> str:
    counts = {s: header.count(s) for s in ("\t", ",", ";", "|")}
    if name.endswith((".tsv", ".maf", ".txt", ".seg")) and counts["\t"]:
        return "\t"
    best = max(counts, key=lambda s: (counts[s], s == "\t"))
    if counts[best]:
        return best
    return " " if len(header.split()) > 1 and name.endswith((".txt", ".seg", ".xls")) else "\t"


def table_from_text(
    text: str, file: str, *, comment: str = "#", separator: str | None = None, header: Sequence[str] | None = None
) -> TextTable:
    """Read a table from text.

    Parameters
    ----------
    text
        Content of the file.
    file
        Name for messages; its ending helps to find the separator.
    comment
        Lines at the top that start so are comments; '' for none.
    separator
        Separator; None finds it from the header.
    header
        Column names, where the file has no header.

    Raises
    ------
    InputError
        For an empty file, repeated columns, or rows with too many cells.
    """
    body, comments, skipped = _without_comments(text.replace("\r\n", "\n").replace("\r", "\n"), comment)
    if not body.strip():
        raise InputError("the file contains no table: no header line", where=file)
    first = body.partition("\n")[0]
    sep = separator or _separator(first, file.casefold().removesuffix(".gz"))
    quoting: Any = csv.QUOTE_MINIMAL if sep != "\t" or '"' in first else csv.QUOTE_NONE
    names = list(header) if header else [c.strip() for c in next(csv.reader([first], delimiter=sep, quoting=quoting))]
    repeated = sorted({n for n in names if n and names.count(n) > 1})
    if repeated:
        raise InputError(f"the column '{repeated[0]}' occurs twice in the header", where=file, hint="Rename one.")
    above = 0 if header else 1
    try:
        frame = _cells(body, names, sep, quoting, above)
    except pd.errors.ParserWarning:
        rows = csv.reader(body.split("\n"), delimiter=sep, quoting=quoting)
        wide = ((i, len(r)) for i, r in enumerate(rows, skipped + 1) if len(r) > len(names))
        row, cells = next(wide, (0, 0))
        raise InputError(
            f"{cells or 'more'} cells, but the header has {len(names)}",
            where=f"{file}, line {row}" if row else file,
            hint="Quote cells that contain the separator, or name the column.",
        ) from None
    except (pd.errors.ParserError, ValueError, OverflowError) as error:
        message = str(error).replace("Error tokenizing data. C error: ", "").strip()
        raise InputError(f"the table cannot be read: {message}", where=file, hint="Check that row.") from None
    _cut_off(body, sep, quoting, len(names), file, skipped)
    first_line = skipped + above + 1
    frame.index = pd.RangeIndex(first_line, first_line + len(frame))
    cache: dict[object, str | None] = {}
    cleaned = {c: [_cell(v, cache) for v in frame[c].tolist()] for c in frame.columns}
    frame = pd.DataFrame(cleaned, index=frame.index, dtype=object)
    if len(frame.columns):
        frame = frame.loc[frame.notna().any(axis=1)]
    named = current_map()
    return TextTable(frame if named is None else named.opened(frame), file, tuple(comments))


def _without_comments(text: str, comment: str) -> tuple[str, list[str], int]:
    """Text below the comments at the top, these comments, and the number of lines above, empty ones included."""
    start, skipped, comments = 0, 0, []
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = text[start:end]
        if line.strip() and not (comment and line.startswith(comment)):
            break
        if line.strip():
            comments.append(line)
        start, skipped = end + 1, skipped + 1
    return text[start:], comments, skipped


def _cells(body: str, names: Sequence[str], sep: str, quoting: Any, above: int) -> pd.DataFrame:
    """Cells as text, below a header of `above` lines; what does not fit the columns is a warning that is raised."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                io.StringIO(body),
                sep=r"\s+" if sep == " " else sep,
                header=None,
                names=[n or f"column {i + 1}" for i, n in enumerate(names)],
                skiprows=above,
                dtype=str,
                keep_default_na=False,
                na_values=[],
                quoting=quoting,
                skip_blank_lines=False,
                index_col=False,
                engine="c",
                on_bad_lines="error",
                low_memory=False,
            )
    except pd.errors.EmptyDataError:
        return pd.DataFrame({n: pd.Series(dtype=object) for n in names})


def _cut_off(body: str, sep: str, quoting: Any, columns: int, file: str, skipped: int) -> None:
    """Reject a table with a truncated last line: no line ending, and fewer cells than the header and the line above."""
    if body.endswith("\n") or sep == " ":
        return
    head, _, last = body.rpartition("\n")
    above = head.rpartition("\n")[2]
    cells, before = (len(next(csv.reader([x], delimiter=sep, quoting=quoting), [])) for x in (last, above))
    if head.count("\n") and cells < columns == before:
        raise InputError(
            f"the file ends inside a row: {cells} of {columns} cells and no line ending",
            where=f"{file}, line {skipped + body.count(chr(10)) + 1}",
            hint="It was truncated: download it again or, if the last line is complete, add a line ending.",
        )


def _cell(value: object, cache: dict[object, str | None]) -> str | None:
    """Return a cell as stripped text, or None if it is a term for a missing value."""
    if value not in cache:
        text = value.strip() if isinstance(value, str) else ""
        cache[value] = None if text.casefold() in MISSING else text
    return cache[value]


def number_block(frame: pd.DataFrame, columns: Sequence[str], file: str) -> np.ndarray:
    """Convert many columns of text to a matrix of numbers (rows x columns), NaN where missing.

    Raises
    ------
    InputError
        As :func:`number_column`.
    """
    if not len(columns) or not len(frame):
        return np.zeros((len(frame), len(columns)))
    cells = frame[list(columns)].to_numpy(dtype=object)
    flat = pd.to_numeric(pd.Series(cells.ravel(), dtype=object), errors="coerce").to_numpy(dtype=float, copy=True)
    given = np.array([c is not None for c in cells.ravel()])
    if (np.isnan(flat) & given).any() or np.isinf(flat).any():
        for column in columns:
            number_column(frame[column], file, str(column))
    return flat.reshape(cells.shape)


def read_table(path: Path, *, comment: str = "#", separator: str | None = None) -> TextTable:
    """Read a delimited text file as a table of text; see :func:`table_from_text`."""
    return table_from_text(read_text(path), path.name, comment=comment, separator=separator)


def rows_of(frame: pd.DataFrame, mask: pd.Series, limit: int = 5) -> str:
    """Return the line numbers selected by a mask, for a message."""
    lines = [str(i) for i in frame.index[mask]]
    return ", ".join(lines[:limit]) + (f" and {len(lines) - limit} more" if len(lines) > limit else "")
