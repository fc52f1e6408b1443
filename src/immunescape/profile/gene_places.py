"""Where genes lie: the table ``knowledge/data/gene_coordinates.csv`` of the genes that rules use, in two builds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import immunescape.knowledge
from immunescape.knowledge.tables import read_rows

__all__ = ["TABLE", "GenePlace", "gene_places"]

TABLE = Path(immunescape.knowledge.__file__).parent / "data" / "gene_coordinates.csv"


@dataclass(frozen=True)
class GenePlace:
    """First and last coding base of a gene on its chromosome (1-based, both ends included)."""

    gene: str
    chrom: str
    start: int
    end: int


@lru_cache(maxsize=2)
def gene_places(build: str) -> dict[str, GenePlace]:
    """Return gene -> place of its coding part (canonical transcript) in ``GRCh37`` or ``GRCh38``; {} for another word.

    GENCODE is the source of the coding exons; the table ships with the genes that rules use.
    """
    if build not in ("GRCh37", "GRCh38"):
        return {}
    suffix = build.casefold()
    return {
        row["gene"]: GenePlace(row["gene"], row["chrom"], int(row[f"start_{suffix}"]), int(row[f"end_{suffix}"]))
        for row in read_rows(TABLE)
    }
