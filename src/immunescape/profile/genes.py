"""Gene identifiers -> HGNC symbols (Entrez, Ensembl, previous symbols), from the table of HGNC that ships."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from immunescape.errors import InputError
from immunescape.knowledge.tables import parse_rows, read_rows

__all__ = ["GeneMapReport", "GeneTable", "gene_table", "map_expression", "plain_name", "to_symbols"]

_FILE = Path(__file__).parents[1] / "knowledge" / "data" / "genes.tsv.gz"
_MOUSE = re.compile(r"[A-Z](?=.*[a-z])[a-z0-9.-]+$")
_ENSEMBL = re.compile(r"ENSG\d{11}(\.\d+)?(_PAR_Y)?$")


@dataclass(frozen=True)
class GeneTable:
    """HGNC symbols and what maps to them.

    Attributes
    ----------
    symbols : approved symbols of protein-coding, immunoglobulin and T cell receptor genes.
    entrez, ensembl, previous : identifier -> symbol.
    spellings : names without separators, in capitals (``PDL1``, ``STK11``) -> symbol; aliases, and approved symbols
        that no other symbol resembles.
    """

    symbols: frozenset[str]
    entrez: dict[str, str]
    ensembl: dict[str, str]
    previous: dict[str, str]
    spellings: dict[str, str]


@dataclass(frozen=True)
class GeneMapReport:
    """How gene identifiers of an expression table became HGNC symbols.

    Attributes
    ----------
    identifiers : kind found: ``hgnc``, ``entrez``, ``ensembl`` or ``mixed``.
    rows, mapped, dropped, merged : rows of the file; rows with a symbol; rows without; rows that shared a symbol.
    note : what that means for scores.
    """

    identifiers: str = ""
    rows: int = 0
    mapped: int = 0
    dropped: int = 0
    merged: int = 0
    note: str = ""


def plain_name(name: str) -> str:
    """Return a gene's name in capitals, without separators."""
    return re.sub(r"[^A-Z0-9]", "", name.upper())


@lru_cache(maxsize=1)
def gene_table() -> GeneTable:
    """Return the table of genes that ships (HGNC; see ``knowledge/data/genes.tsv.gz``)."""
    symbols: list[str] = []
    entrez: dict[str, str] = {}
    ensembl: dict[str, str] = {}
    previous: dict[str, str] = {}
    text = gzip.decompress(_FILE.read_bytes()).decode()
    for row in parse_rows(text, ("symbol", "entrez", "ensembl", "previous"), str(_FILE), separator="\t"):
        symbol = row["symbol"]
        symbols.append(symbol)
        if row["entrez"]:
            entrez[row["entrez"]] = symbol
        if row["ensembl"]:
            ensembl[row["ensembl"]] = symbol
        previous.update({p: symbol for p in row["previous"].split("|") if p})
    spellings: dict[str, str] = {}
    spellings.update((row["alias"], row["symbol"]) for row in read_rows("gene_aliases"))
    plain: dict[str, set[str]] = {}
    for symbol in symbols:
        plain.setdefault(plain_name(symbol), set()).add(symbol)
    spellings.update((name, next(iter(same))) for name, same in plain.items() if len(same) == 1)
    return GeneTable(frozenset(symbols), entrez, ensembl, previous, spellings)


def _kind(identifier: str) -> str:
    if _ENSEMBL.match(identifier):
        return "ensembl"
    return "entrez" if identifier.isdigit() else "hgnc"


def _symbol_of(identifier: str, table: GeneTable) -> str | None:
    kind = _kind(identifier)
    if kind == "ensembl":
        return table.ensembl.get(identifier.partition(".")[0].removesuffix("_PAR_Y"))
    if kind == "entrez":
        return table.entrez.get(identifier)
    if identifier in table.symbols:
        return identifier
    if _MOUSE.match(identifier):  # Stk11 may be a gene of another species
        return table.previous.get(identifier)
    return table.previous.get(identifier) or table.spellings.get(plain_name(identifier))


def to_symbols(identifiers: Iterable[str | None]) -> list[str | None]:
    """Map gene identifiers to approved HGNC symbols; a name that is not known stays as it is.

    Parameters
    ----------
    identifiers
        HGNC symbols (approved, previous, common aliases, other spellings such as ``STK-11``), Entrez ids, Ensembl gene
        ids (with or without version), mixed.

    Returns
    -------
    list
        Approved symbols; unknown Entrez and Ensembl ids become None, unknown names stay.
    """
    table = gene_table()
    cache: dict[str, str | None] = {}
    symbols: list[str | None] = []
    for identifier in identifiers:
        if not isinstance(identifier, str):
            symbols.append(None)
            continue
        if identifier not in cache:
            symbol = _symbol_of(identifier, table)
            cache[identifier] = symbol if symbol or _kind(identifier) != "hgnc" else identifier
        symbols.append(cache[identifier])
    return symbols


def _merged(values: pd.DataFrame, labels: Sequence[str], add: bool) -> pd.DataFrame:
    frame = values.set_axis(list(labels), axis=0)
    if not frame.index.has_duplicates:
        return frame
    if add:
        return frame.groupby(level=0, sort=False).sum(min_count=1)
    return frame.groupby(level=0, sort=False).max()


def map_expression(values: pd.DataFrame, unit: str, where: str) -> tuple[pd.DataFrame, GeneMapReport]:
    """Turn the rows of an expression table into HGNC symbols.

    Rows of one symbol are added (counts, TPM) or the largest is taken (log values). Rows without a symbol in the table
    (pseudogenes, non-coding RNA, retired ids) are left out, so that ranks rest on protein-coding genes alone.

    Parameters
    ----------
    values
        identifiers x samples.
    unit
        ``counts``, ``tpm`` or ``log2_tpm1``.
    where
        File, for the error.

    Raises
    ------
    InputError
        Where fewer than one row in fifty has a symbol: these are not human gene identifiers.
    """
    table = gene_table()
    names = [str(n) for n in values.index]
    kinds = pd.Series([_kind(n) for n in names], dtype=object)
    symbols = [_symbol_of(n, table) for n in names]
    keep = np.array([s is not None for s in symbols], dtype=bool)
    if len(names) and keep.mean() < 0.02:
        raise InputError(
            f"only {int(keep.sum())} of {len(names)} row names are known genes (first: {', '.join(names[:3])})",
            where=where,
            hint="Rows must be human genes named by HGNC symbol, Entrez id or Ensembl gene id.",
        )
    mapped = _merged(values.loc[keep], [s for s in symbols if s is not None], unit in ("counts", "tpm"))
    counts = kinds.value_counts()
    major = str(counts.index[0]) if len(counts) else ""
    mixed = len(counts) > 1 and counts.iloc[1] >= 0.01 * len(names)
    merged = int(keep.sum()) - len(mapped)
    note = f"{int(keep.sum())} of {len(names)} rows are protein-coding, immunoglobulin or T cell receptor genes"
    if mixed:
        note += "; identifiers of several kinds: " + ", ".join(f"{k} {n}" for k, n in counts.items())
    report = GeneMapReport(
        "mixed" if mixed else major, len(names), int(keep.sum()), len(names) - int(keep.sum()), merged, note
    )
    return mapped, report
