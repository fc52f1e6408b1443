"""Unusable rows are left out of a study and reported, so that a single bad row does not invalidate the whole study.

A row that is left out may still indicate an alteration of its gene in its sample. Such pairs are passed on, so that the
gene is "not assessable" there, never "unchanged".
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from immunescape.errors import InputError
from immunescape.profile.genes import to_symbols
from immunescape.profile.readers._base import Partial
from immunescape.profile.readers._finish import LENGTHS, chromosome_name, longest
from immunescape.profile.readers._text import TextTable, read_table, read_text

__all__ = ["CHROMOSOMES", "read_but_bad_rows"]

CHROMOSOMES = frozenset({*LENGTHS["GRCh38"], "MT"})
_LINE = re.compile(r", line (\d+)$")
_MOST = 20
"""Number of bad rows, other than those with impossible positions, above which the file is rejected."""

Function = Callable[[Path, Mapping[str, Any]], Partial]


def _blanked(path: Path, text: list[str], lines: set[int], folder: str) -> Path:
    """Write the file with some lines emptied, so that the other lines keep their numbers."""
    target = Path(folder) / path.name.removesuffix(".gz")
    kept = ("" if number in lines else line for number, line in enumerate(text, 1))
    target.write_text("\n".join(kept) + "\n", encoding="utf-8")
    return target


def _outside(table: TextTable, build: str) -> list[int]:
    """Return the lines whose position lies outside their chromosome."""
    chrom = table.text("Chromosome", "chrom", "chr").map(chromosome_name)
    limits = chrom.map(longest(build))
    lowest = 0 if table.find("loc.end", "end") is not None and table.find("Hugo_Symbol") is None else 1
    bad = pd.Series(False, index=table.frame.index)
    for names in (("Start_Position", "loc.start", "start"), ("End_Position", "loc.end", "end")):
        place = pd.to_numeric(table.text(*names), errors="coerce")
        bad |= (place > limits) | (place < lowest)
    return [int(i) for i in table.frame.index[bad]]


def _genes_of(table: TextTable, lines: set[int]) -> frozenset[tuple[str, str]]:
    """Return (sample, symbol of the gene) of lines that were left out."""
    rows = table.frame.loc[[i for i in table.frame.index if i in lines]]
    sample, gene = table.find("Tumor_Sample_Barcode", "Sample_Id", "sample"), table.find("Hugo_Symbol", "gene")
    if sample is None or gene is None:
        return frozenset()
    pairs = zip(rows[sample], to_symbols(rows[gene]), strict=True)
    return frozenset((str(s), str(g)) for s, g in pairs if isinstance(s, str) and g is not None)


def _open_copies(table: TextTable, lines: set[int], out: Partial) -> None:
    """Mark the genes of rows of copy number that were left out: in the row's sample, or in all of a wide table."""
    column, sample = table.find("Hugo_Symbol", "gene"), table.find("Sample_Id", "sample")
    rows = table.frame.loc[[i for i in table.frame.index if i in lines]]
    if column is None:
        return
    for gene, whose in zip(to_symbols(rows[column]), rows[sample] if sample else ["*"] * len(rows), strict=True):
        if gene is not None and isinstance(whose, str):
            out.mark_unclear("copy_number", gene, (whose,))


def read_but_bad_rows(path: Path, function: Function, options: Mapping[str, Any], build: str = "") -> Partial:
    """Read a file, leaving out rows that the reader refuses.

    Parameters
    ----------
    path
        Delimited text file.
    function
        Its reader.
    options
        Options of the reader.
    build
        Genome build, where another file says it.

    Returns
    -------
    Partial
        The content of the remaining rows; ``problems`` gives the number of rows left out and the first of them, and
        genes of mutations among them are marked as unclear in their samples.

    Raises
    ------
    InputError
        Where more than half of the rows have impossible positions (another genome build), or more than 20 rows have
        other faults, or the fault is not one of a row.
    """
    lines: set[int] = set()
    reasons: list[tuple[int, str]] = []
    text: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        place = path
        while True:
            try:
                out = function(place, options)
                break
            except InputError as error:
                match = _LINE.search(error.where or "")
                if match is None or int(match.group(1)) in lines or len(reasons) >= _MOST:
                    raise
                text = text or read_text(path).replace("\r\n", "\n").replace("\r", "\n").split("\n")
                bad = [int(match.group(1))]
                if "lies outside chromosome" in error.message:
                    table = read_table(path)
                    stated = re.search(r"of (GRCh\d\d)$", error.message)
                    bad = sorted({*bad, *_outside(table, stated.group(1) if stated else build)})
                    if 2 * len(bad) > len(table.frame):
                        raise
                reasons.append((bad[0], error.message))
                lines.update(bad)
                place = _blanked(path, text, lines, folder)
    _unknown_chromosomes(out, reasons, lines)
    if lines:
        first = "; ".join(f"line {line}: {why}" for line, why in reasons[:3])
        out.problems.append(
            f"{path.name}: {len(lines)} row{'s' * (len(lines) > 1)} with impossible values "
            f"{'were' if len(lines) > 1 else 'was'} left out ({first}{'; …' if len(reasons) > 3 else ''}). Correct the "
            "file to include them"
        )
        if out.reads:
            note = out.reads[-1]
            left = "; ".join(w for w in (note.left, f"{len(lines)} impossible rows") if w)
            out.reads[-1] = type(note)(note.file, note.reader, note.rows + len(lines), note.kept, left)
        if "mutations" in out.tables:
            for sample, gene in _genes_of(read_table(path), lines):
                out.mark_unclear("mutations", gene, (sample,))
        if "copy_number" in out.tables:
            _open_copies(read_table(path), lines, out)
    return out


def _unknown_chromosomes(out: Partial, reasons: list[tuple[int, str]], lines: set[int]) -> None:
    """Remove rows with non-existent chromosomes from mutations and segments."""
    for kind in ("mutations", "segments"):
        table = out.tables.get(kind)
        if table is None or not len(table):
            continue
        bad = table["chrom"].notna() & ~table["chrom"].isin(CHROMOSOMES)
        if bad.any():
            for chromosome, rows in table[bad].groupby("chrom", sort=False):
                reasons.append((int(rows.index[0]), f"'{chromosome}' is not a chromosome"))
            lines.update(int(i) for i in table.index[bad])
            out.tables[kind] = table[~bad]
            if out.reads:
                note = out.reads[-1]
                rows_read = note.rows - int(bad.sum())  # added again with the other rows that were left out
                out.reads[-1] = type(note)(note.file, note.reader, rows_read, note.kept - int(bad.sum()), note.left)
