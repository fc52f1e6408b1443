"""The table of gene signatures and cell markers, with sources (``knowledge/data/signatures.csv``)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from immunescape.errors import InputError
from immunescape.knowledge.tables import read_rows
from immunescape.profile.genes import gene_table

__all__ = ["GENES", "METHODS", "Signature", "signatures"]

METHODS = ("ssgsea", "mean_log2", "geometric_mean")
GENES = (
    "HLA-A HLA-B HLA-C B2M TAP1 TAP2 NLRC5 CD274 PDCD1LG2 LAG3 HAVCR2 TIGIT VSIR BTLA IDO1 NT5E ENTPD1 ARG1 VEGFA "
    "TREX2 STING1 CGAS"
).split()
"""Single genes that are reported as ``expression_<gene>``."""


@dataclass(frozen=True, kw_only=True)
class Signature:
    """A gene set and how it is scored.

    Attributes
    ----------
    name, title, kind : ``signature_hypoxia``; its name in text; ``signature`` or ``cell_score``.
    method : ``ssgsea`` (raw score over the number of ranked genes), ``mean_log2`` or ``geometric_mean``.
    min_coverage : share of the genes that must be measured.
    genes : HGNC symbols.
    source, grade, note : key of the bibliography or ``assumed``; grade of the list; remarks.
    """

    name: str
    title: str
    kind: str
    method: str
    min_coverage: float
    genes: tuple[str, ...]
    source: str
    grade: str
    note: str

    @property
    def references(self) -> tuple[str, ...]:
        """Citation keys: of the list, and of the method."""
        of_list = () if self.source == "assumed" else (self.source,)
        return (*of_list, "barbie2009", "hanzelmann2013") if self.method == "ssgsea" else of_list


@lru_cache(maxsize=1)
def signatures() -> dict[str, Signature]:
    """Return the included signatures, by name.

    Raises
    ------
    InputError
        For a row with an unknown method or a gene that is not an approved symbol.
    """
    symbols = gene_table().symbols
    table = {}
    for row in read_rows("signatures"):
        genes = tuple(row["genes"].split())
        row.choice("method", METHODS)
        for gene in genes:
            if gene not in symbols:
                raise InputError(f"'{gene}' is not an approved symbol", where=row.where)
        table[row["name"]] = Signature(
            name=row["name"],
            title=row["title"],
            kind=row["kind"],
            method=row["method"],
            min_coverage=row.number("min_coverage"),
            genes=genes,
            source=row["source"],
            grade=row["grade"],
            note=row["note"],
        )
    return table
