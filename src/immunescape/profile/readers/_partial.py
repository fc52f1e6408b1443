"""The contribution of one file to a study."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pandas as pd

from immunescape.profile.genes import GeneMapReport
from immunescape.profile.study import Panel, ReadNote

__all__ = ["Partial"]


@dataclass(kw_only=True)
class Partial:
    """The contribution of one file.

    Attributes
    ----------
    tables : kind -> rows (columns of the study's table; not yet finished).
    panels : panel name -> panel.
    expression, expression_unit, gene_map : expression, if the file contains it.
    genome_build : ``GRCh37`` or ``GRCh38`` if the file states it.
    assessed : kind -> samples that the file lists as assessed.
    sequenced : samples in a file of mutations, whether or not any of their rows is used.
    unclear : (kind, gene) -> samples in which the file leaves open whether the gene is changed, or in which a row
        of the gene was left out as impossible.
    of_patients : sample-level columns that a table gives by patient: they are assigned to a patient's only sample.
    per_file : for a folder, the contribution of each of its files.
    reads, problems : notes.
    """

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    panels: dict[str, Panel] = field(default_factory=dict)
    expression: pd.DataFrame | None = None
    expression_unit: str = ""
    gene_map: GeneMapReport | None = None
    genome_build: str = ""
    assessed: dict[str, frozenset[str]] = field(default_factory=dict)
    sequenced: frozenset[str] = frozenset()
    unclear: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    of_patients: pd.DataFrame | None = None
    per_file: list[Partial] = field(default_factory=list)
    reads: list[ReadNote] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def note(self, file: str, name: str, rows: int, kept: int, left: str = "") -> None:
        """Add a note of what was read and what was left out."""
        self.reads.append(ReadNote(file, name, rows, kept, left))

    def mark_unclear(self, kind: str, gene: str, samples: Iterable[str]) -> None:
        """Mark a gene as not assessable in samples, for mutations or copy number."""
        self.unclear[kind, gene] = self.unclear.get((kind, gene), frozenset()) | frozenset(samples)
