"""Recognition of the tool that wrote a file, by its header (``knowledge/data/file_signatures.csv``)."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from immunescape.knowledge.tables import read_rows

__all__ = ["FileSignature", "recognise", "signatures"]

_ENOUGH = 200_000
"""Number of bytes at the start of a file that contain its header."""


@dataclass(frozen=True)
class FileSignature:
    """Columns that identify the files of a tool.

    Attributes
    ----------
    tool : what wrote the file. columns : all of them stand in its header. without : none of these stands there.
    format : what reads it; '' where nothing in it is used. advice : what to do.
    """

    tool: str
    columns: frozenset[str]
    without: frozenset[str]
    format: str
    advice: str

    @property
    def sentence(self) -> str:
        """The tool that the file resembles, and what to do with it."""
        use = f"use format: {self.format}." if self.format else "no format reads it."
        return " ".join(w for w in (f"The file looks like {self.tool}: {use}", self.advice) if w)


@lru_cache(maxsize=1)
def signatures() -> tuple[FileSignature, ...]:
    """Return every signature, those with more columns first."""
    rows = [
        FileSignature(
            row["tool"],
            frozenset(row.split("columns", "|")),
            frozenset(row.split("without", "|")),
            row["format"],
            row["advice"],
        )
        for row in read_rows("file_signatures")
    ]
    return tuple(sorted(rows, key=lambda s: -len(s.columns)))


def _start(path: Path) -> str:
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if packed else path.open("rb") as file:
            return file.read(_ENOUGH).decode("utf-8", errors="replace")
    except (OSError, EOFError):
        return ""


def recognise(path: Path) -> FileSignature | None:
    """Return the signature matching the first line of a file that is not a comment; None if there is none."""
    for line in _start(path).splitlines():
        if not line.strip() or (line.startswith("#") and not line.startswith("#CHROM")):
            continue
        cells = {c.strip().strip('"') for sep in ("\t", ",", ";") for c in line.split(sep)}
        return next((s for s in signatures() if s.columns <= cells and not s.without & cells), None)
    return None
