"""A study: what the readers make of a folder, as tidy tables with fixed columns and units.

Days count from the first dose of immunotherapy (day 0) unless a problem says otherwise; months are months. A table
that no file gave is empty but has its columns: ``study.has(kind)`` tells "not given" apart from "given, no rows".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd

from immunescape.errors import unknown_word
from immunescape.knowledge.profile_records import ReadNote
from immunescape.profile.genes import GeneMapReport, to_symbols

__all__ = ["COLUMNS", "KINDS", "ExpressionUnit", "Panel", "ReadNote", "Study", "empty_table"]

ExpressionUnit = Literal["", "counts", "tpm", "log2_tpm1"]

_PATIENT = """age:n sex:t histology:t smoking:t ecog:n stage:t treatment:t treatment_class:t prior_lines:n os_months:n
os_event:n pfs_months:n pfs_event:n best_response:t durable_benefit:t arm:t"""
_SPEC = {
    "patients": f"patient:t {_PATIENT}",
    "samples": "sample:t patient:t panel:t panel_cna:t panel_sv:t tumour_purity:n ploidy:n day:n tmb:n msi:t",
    "mutations": """patient:t sample:t gene:t chrom:t start:n ref:t alt:t classification:t protein_change:t vaf:n ccf:n
clonal:o germline:o source_row:n""",
    "copy_number": "patient:t sample:t gene:t discrete:n total_cn:n minor_cn:n",
    "segments": "patient:t sample:t chrom:t start:n end:n num_mark:n seg_mean:n total_cn:n minor_cn:n",
    "structural_variants": "patient:t sample:t gene1:t gene2:t event:t",
    "hla": "patient:t allele:t",
    "hla_loh": "patient:t allele:t copy_number:n low:n high:n p:n lost:o caller:t",
    "neoantigens": """patient:t gene:t peptide:t wt_peptide:t allele:t ic50_nm:n wt_ic50_nm:n tpm:n vaf:n ccf:n
clonal:o variant:t""",
    "tcr": "patient:t sample:t day:n locus:t junction_aa:t duplicate_count:n productive:o",
    "microbiome": "patient:t sample:t day:n taxon:t rank:t abundance:n site:t",
    "ctdna": "patient:t day:n assay:t analyte:t value:n unit:t lod:n detected:o",
    "labs": "patient:t day:n analyte:t value:n unit:t",
    "pdl1": "patient:t sample:t assay:t score:t value_percent:n category:t day:n",
    "treatments": "patient:t start_day:n end_day:n drug:t line:n",
    "responses": "patient:t day:n recist:t sld_mm:n",
    "cell_counts": "patient:t sample:t cell_type:t state:t cells:n selection:t",
    "pseudobulk": "patient:t sample:t cell_type:t gene:t log2_cpm:n cells:n",
    "cells_in_space": "patient:t sample:t region:t x:n y:n cell_type:t compartment:t pdl1:o",
}
COLUMNS: Mapping[str, Mapping[str, str]] = {
    kind: {entry.partition(":")[0]: entry.partition(":")[2] for entry in spec.split()} for kind, spec in _SPEC.items()
}
"""Table -> column -> ``t`` text (object, None where missing), ``n`` number (float64, NaN) or ``o`` truth (None)."""

KINDS: tuple[str, ...] = (*COLUMNS, "panels", "expression")
"""Every kind of data that a study may hold."""


def empty_table(kind: str) -> pd.DataFrame:
    """Return the table of a kind with its columns and no rows.

    Raises
    ------
    InputError
        If there is no such table.
    """
    if kind not in COLUMNS:
        raise unknown_word("table", kind, COLUMNS)
    kinds = {"t": object, "n": np.float64, "o": object}
    return pd.DataFrame({c: pd.Series(dtype=kinds[t]) for c, t in COLUMNS[kind].items()})


@dataclass(frozen=True)
class Panel:
    """A sequencing panel (or exome): what a sample was looked at for.

    Attributes
    ----------
    name : name in ``samples.panel``.
    genes : HGNC symbols; empty where not known (see `complete`).
    megabases : size of the coding region that mutations were called in, or None where not known.
    complete : True if `genes` is the panel's list; False if it was derived from data or is unknown, so a gene that is
        not in it may still have been sequenced.
    whole_exome : True if all coding genes were sequenced (`genes` may then be empty).
    source : where the list and size come from.
    unclear : genes that a file leaves open in the samples of this record (a misspelt name, a variant without genotype).
    """

    name: str
    _: KW_ONLY
    genes: frozenset[str] = frozenset()
    megabases: float | None = None
    complete: bool = True
    whole_exome: bool = False
    source: str = ""
    unclear: frozenset[str] = frozenset()

    def covers(self, gene: str) -> bool | None:
        """Return whether the gene was sequenced: True, False, or None where that cannot be known."""
        if gene in self.unclear:
            return None
        if self.whole_exome or gene in self.genes:
            return True
        return False if self.complete and self.genes else None


@dataclass(kw_only=True)
class Study:
    """What was read of a study folder.

    Attributes
    ----------
    name : name of the study.
    patients, samples, … : one tidy table for each kind; columns in ``COLUMNS``, further columns are kept.
    panels : panel name -> panel.
    expression : genes (HGNC symbols) x samples, in `expression_unit`.
    expression_unit : ``counts``, ``tpm``, ``log2_tpm1`` or '' where there is no expression.
    gene_map : how gene identifiers were mapped.
    genome_build : ``GRCh37``, ``GRCh38`` or ''.
    given : kinds that a file gave, even where it had no rows.
    sources : kind -> names of the files that gave it.
    assessed : kind -> samples that were looked at (e.g. listed as sequenced), where a file says so.
    unclear : (kind, gene) -> samples in which a file leaves open whether the gene is changed; '*' is any sample.
    expression_reference : frozen reference that percentiles are taken from (`load_reference`), or None.
    reads, problems : what was read and left; what a reader of the results must know.
    """

    name: str = "study"
    patients: pd.DataFrame = field(default_factory=partial(empty_table, "patients"))
    samples: pd.DataFrame = field(default_factory=partial(empty_table, "samples"))
    mutations: pd.DataFrame = field(default_factory=partial(empty_table, "mutations"))
    copy_number: pd.DataFrame = field(default_factory=partial(empty_table, "copy_number"))
    segments: pd.DataFrame = field(default_factory=partial(empty_table, "segments"))
    structural_variants: pd.DataFrame = field(default_factory=partial(empty_table, "structural_variants"))
    hla: pd.DataFrame = field(default_factory=partial(empty_table, "hla"))
    hla_loh: pd.DataFrame = field(default_factory=partial(empty_table, "hla_loh"))
    neoantigens: pd.DataFrame = field(default_factory=partial(empty_table, "neoantigens"))
    tcr: pd.DataFrame = field(default_factory=partial(empty_table, "tcr"))
    microbiome: pd.DataFrame = field(default_factory=partial(empty_table, "microbiome"))
    ctdna: pd.DataFrame = field(default_factory=partial(empty_table, "ctdna"))
    labs: pd.DataFrame = field(default_factory=partial(empty_table, "labs"))
    pdl1: pd.DataFrame = field(default_factory=partial(empty_table, "pdl1"))
    treatments: pd.DataFrame = field(default_factory=partial(empty_table, "treatments"))
    responses: pd.DataFrame = field(default_factory=partial(empty_table, "responses"))
    cell_counts: pd.DataFrame = field(default_factory=partial(empty_table, "cell_counts"))
    pseudobulk: pd.DataFrame = field(default_factory=partial(empty_table, "pseudobulk"))
    cells_in_space: pd.DataFrame = field(default_factory=partial(empty_table, "cells_in_space"))
    panels: dict[str, Panel] = field(default_factory=dict)
    expression: pd.DataFrame = field(default_factory=pd.DataFrame)
    expression_unit: ExpressionUnit = ""
    gene_map: GeneMapReport = field(default_factory=GeneMapReport)
    genome_build: str = ""
    given: set[str] = field(default_factory=set)
    sources: dict[str, tuple[str, ...]] = field(default_factory=dict)
    assessed: dict[str, frozenset[str]] = field(default_factory=dict)
    unclear: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    expression_reference: Any = None
    reads: list[ReadNote] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def has(self, kind: str) -> bool:
        """Return whether a file gave this kind of data, whether or not it had rows.

        Raises
        ------
        InputError
            If there is no such kind.
        """
        if kind not in KINDS:
            raise unknown_word("kind of data", kind, KINDS)
        return kind in self.given

    def table(self, kind: str) -> pd.DataFrame:
        """Return the table of a kind."""
        if kind not in COLUMNS:
            raise unknown_word("table", kind, COLUMNS)
        frame = getattr(self, kind)
        assert isinstance(frame, pd.DataFrame)
        return frame

    @property
    def patient_ids(self) -> list[str]:
        """Identifiers of the patients, in the order of the table."""
        return [str(p) for p in self.patients["patient"]]

    def samples_of(self, patient: str) -> tuple[str, ...]:
        """Return the identifiers of a patient's samples."""
        return tuple(self.samples.loc[self.samples["patient"] == patient, "sample"])

    def covered(self, gene: str, kind: str = "mutations") -> dict[str, bool | None]:
        """Return for each patient whether a gene was assessed.

        Parameters
        ----------
        gene
            HGNC symbol.
        kind
            ``mutations``, ``copy_number`` or ``structural_variants``.

        Returns
        -------
        dict
            patient -> True (at least one sample covers the gene), False (no sample does), None (cannot be known).
        """
        return self.covered_many((gene,), kind)[gene]

    def covered_many(self, genes: Iterable[str], kind: str = "mutations") -> dict[str, dict[str, bool | None]]:
        """Return for each gene and patient whether the gene was assessed; see :meth:`covered`."""
        column = {"mutations": "panel", "copy_number": "panel_cna", "structural_variants": "panel_sv"}.get(kind)
        if column is None:
            raise unknown_word("kind of data", kind, ("mutations", "copy_number", "structural_variants"))
        looked = self.assessed.get(kind)
        rows = list(zip(self.samples["patient"], self.samples["sample"], self.samples[column], strict=True))
        genes = tuple(genes)
        measured = self._copies_seen(genes) if kind == "copy_number" else None
        answers: dict[str, dict[str, bool | None]] = {}
        for gene in genes:
            per_panel = {name: panel.covers(gene) for name, panel in self.panels.items()}
            answer: dict[str, bool | None] = dict.fromkeys(self.patient_ids, False if self.has(kind) else None)
            if not self.has(kind):
                answers[gene] = answer
                continue
            unknown: set[str] = set()
            left_open = self._left_open(gene, kind)
            for patient, sample, panel in rows:
                if looked is not None and sample not in looked:
                    continue
                covers = per_panel.get(panel) if isinstance(panel, str) else None
                if covers and measured is not None and self.panels[panel].whole_exome:
                    covers = (sample, gene) in measured or (sample, "") in measured or None
                if covers:
                    answer[patient] = True
                elif covers is None:
                    unknown.add(patient)
            for patient in unknown:
                if not answer.get(patient):
                    answer[patient] = None
            for patient, sample, _ in rows if left_open else ():
                if sample in left_open or "*" in left_open:
                    answer[patient] = None
            answers[gene] = answer
        return answers

    def _left_open(self, gene: str, kind: str) -> frozenset[str]:
        """Return the samples in which a file leaves open whether a gene, under any of its names, is changed."""
        if not self.unclear:
            return frozenset()
        return self.unclear.get((kind, to_symbols([gene])[0] or gene), frozenset())

    def _copies_seen(self, genes: tuple[str, ...]) -> set[tuple[str, str]]:
        """Return (sample, gene) with a copy number, and (sample, '') for samples with segments.

        An exome covers every gene, its table of copy numbers only those that it lists.
        """
        rows = self.copy_number[self.copy_number["gene"].isin(genes)]
        seen = set(zip(rows["sample"], rows["gene"], strict=True))
        return seen | {(s, "") for s in self.segments["sample"].dropna().unique()}
