"""What happened to a gene in a tumour: hits, copy number, loss of heterozygosity, and whether anybody looked.

Shared by the families that read genes (presentation and interferon pathways, drivers, DNA repair). Nothing here is a
biomarker of its own.

Rules, the same for every gene:

* A hit is a truncating, splice-site, start- or stop-loss mutation, or a structural variant that breaks the gene.
  In-frame and missense changes are of unknown significance unless a family lists them.
* Copy number below `DELETED` (absolute) or at most -1.5 (discrete) is a homozygous deletion; from `DELETED` up to
  `SUBCLONAL` no clonal whole-number state fits, so part of the cells lost both copies.
* Loss of heterozygosity is a minor copy number below `DELETED` or a discrete -1.
* Two copies are gone by a homozygous deletion, by two hits, by one hit with loss of heterozygosity, or by one hit in a
  gene on X in a man.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from immunescape.profile.biomarkers.registry import shared
from immunescape.profile.study import Study

__all__ = ["CLONAL_CCF", "DELETED", "LOF", "NONSYNONYMOUS", "SUBCLONAL", "X_LINKED", "GeneState", "Hit", "gene_states"]

DELETED = 0.5
SUBCLONAL = 0.7
LOW_PURITY = 0.2
"""Purity below which an unaltered gene is not assessable (assumed; named by no study read here)."""
CLONAL_CCF = 0.8
"""A cancer cell fraction below it counts as subclonal where the caller does not say (assumed)."""

LOF = frozenset(
    """Nonsense_Mutation Frame_Shift_Del Frame_Shift_Ins Splice_Site Translation_Start_Site Nonstop_Mutation
De_novo_Start_OutOfFrame De_novo_Start_InFrame Start_Codon_Del Start_Codon_SNP Stop_Codon_Del Stop_Codon_Ins""".split()
)
START_LOST = re.compile(r"(p\.)?(M|Met)1(?!\d)(?!(M|Met)?$)")
"""A change of the first methionine: no protein starts, whatever word the caller gave it."""
INFRAME = frozenset("Missense_Mutation In_Frame_Del In_Frame_Ins Protein_Altering Missense".split())
NONSYNONYMOUS = LOF | INFRAME
"""MAF words that change the protein: what tumour mutational burden counts."""

X_LINKED = frozenset({"RBM10", "KDM6A", "STAG2", "ATRX"})
FORMER_SYMBOLS = {"MRE11A": "MRE11", "HER2": "ERBB2", "LKB1": "STK11", "PDL1": "CD274", "TAPASIN": "TAPBP"}
"""Former or common symbols -> HGNC symbol."""


@dataclass(frozen=True)
class Hit:
    """One alteration of one allele: words for a person, whether it destroys the protein, whether all cells have it."""

    label: str
    loss: bool
    subclonal: bool
    germline: bool
    classification: str
    protein: str
    row: str
    start: float = float("nan")
    vaf: float = float("nan")
    depth: float = float("nan")


@dataclass
class GeneState:
    """What is known of one gene in one patient.

    Attributes
    ----------
    hits : mutations and breakpoints.
    total, minor, discrete : smallest total and minor copy number and the discrete state; NaN where not given.
    sequenced, copies : whether mutations and copy number were looked at: True, False, or None where not known.
    """

    hits: list[Hit] = field(default_factory=list)
    total: float = float("nan")
    minor: float = float("nan")
    discrete: float = float("nan")
    sequenced: bool | None = False
    copies: bool | None = False
    purity: float = float("nan")

    @property
    def impure(self) -> bool:
        """Tumour cells are known to be too few for the lack of a finding to mean anything."""
        return self.purity < LOW_PURITY

    @property
    def losses(self) -> list[Hit]:
        """Hits that destroy the protein."""
        return [h for h in self.hits if h.loss]

    @property
    def deleted(self) -> bool:
        """Both copies are gone in all tumour cells."""
        return self.total < DELETED or self.discrete <= -1.5

    @property
    def partly_deleted(self) -> bool:
        """Both copies are gone in part of the tumour cells."""
        return DELETED <= self.total < SUBCLONAL

    @property
    def loh(self) -> bool | None:
        """Loss of heterozygosity: True, False, or None where neither minor copy number nor a discrete loss tells."""
        if self.minor < DELETED or self.discrete == -1.0:
            return True
        if not np.isnan(self.minor):
            return False
        return True if self.total < 1.5 else None

    @property
    def one_copy(self) -> bool:
        """One copy was lost (not copy-neutral)."""
        return self.discrete == -1.0 or self.total < 1.5

    @property
    def amplified(self) -> bool:
        """A discrete high-level amplification."""
        return self.discrete >= 2.0


def _chosen(frame: pd.DataFrame, genes: frozenset[str], column: str = "gene") -> pd.DataFrame:
    """Return the rows of some genes, under their HGNC symbols."""
    former = {old: new for old, new in FORMER_SYMBOLS.items() if new in genes}
    rows = frame[frame[column].isin(genes | former.keys())]
    return rows.assign(**{column: rows[column].replace(former)}) if former else rows


def _mutations(study: Study, genes: frozenset[str], states: dict[tuple[str, str], GeneState]) -> None:
    frame = study.mutations
    chosen = _chosen(frame, genes)
    if "t_depth" not in chosen:
        chosen = chosen.assign(t_depth=np.nan)
    source = ", ".join(study.sources.get("mutations", ())) or "mutations"
    seen: set[tuple[object, ...]] = set()
    columns = ["patient", "gene", "classification", "protein_change", "start", "ref", "alt", "ccf", "clonal"]
    for line in chosen[[*columns, "germline", "source_row", "vaf", "t_depth"]].to_numpy(dtype=object).tolist():
        patient, gene, kind, protein, start, ref, alt, ccf, clonal, germline, number, vaf, depth = line
        kind = kind if isinstance(kind, str) else ""
        if kind.startswith("Missense") and isinstance(protein, str) and START_LOST.match(protein):
            kind = "Translation_Start_Site"
        if kind not in NONSYNONYMOUS and not kind.startswith("Splice"):
            continue
        protein = protein if isinstance(protein, str) else ""
        identity = (patient, gene, start, ref, alt, protein, kind)
        if identity in seen:
            continue
        seen.add(identity)
        subclonal = ccf < CLONAL_CCF if clonal is None or clonal != clonal else not clonal
        where = f"{source}, row {int(number)}" if number == number else source
        states.setdefault((patient, gene), GeneState()).hits.append(
            Hit(
                f"{gene} {protein or kind}",
                kind in LOF,
                bool(subclonal),
                germline is True,
                kind,
                protein,
                where,
                start,
                *_reads(vaf, depth, ccf, clonal),
            )
        )


def _reads(vaf: Any, depth: Any, ccf: float, clonal: object) -> tuple[float, float]:
    """Return VAF and depth, for hits whose clonality the caller left open."""
    if ccf == ccf or (clonal is not None and clonal == clonal):
        return float("nan"), float("nan")
    return float(pd.to_numeric(vaf, errors="coerce")), float(pd.to_numeric(depth, errors="coerce"))


def highest_ccf(vaf: float, depth: float, purity: float, total: float) -> float:
    """Return the largest cancer cell fraction that a VAF allows: one mutated copy in each mutated cell.

    With m mutated copies the fraction is VAF (purity x total + 2 (1 - purity)) / (purity x m), so that m = 1 bounds it
    from above. Where the depth is known, the VAF is taken at the upper end of its 95 % Wilson interval.
    NaN where VAF, purity or copy number is not known.
    """
    if depth > 0:
        z, centre = 1.96, vaf + 1.96**2 / (2 * depth)
        spread = z * np.sqrt(vaf * (1 - vaf) / depth + z**2 / (4 * depth**2))
        vaf = (centre + spread) / (1 + z**2 / depth)
    return vaf * (purity * total + 2 * (1 - purity)) / purity if purity > 0 else float("nan")


def _breakpoints(study: Study, genes: frozenset[str], states: dict[tuple[str, str], GeneState]) -> None:
    frame = study.structural_variants
    source = ", ".join(study.sources.get("structural_variants", ())) or "structural variants"
    for one, other in (("gene1", "gene2"), ("gene2", "gene1")):
        chosen = _chosen(frame, genes, one)
        for patient, gene, partner, event in zip(
            chosen["patient"], chosen[one], chosen[other], chosen["event"], strict=True
        ):
            if one == "gene2" and partner == gene:
                continue
            text = event if isinstance(event, str) and event else f"{gene}–{partner}"
            states.setdefault((patient, gene), GeneState()).hits.append(
                Hit(f"{gene} breakpoint ({text})", True, False, False, "Structural_Variant", "", source)
            )


def _copies(study: Study, genes: frozenset[str], states: dict[tuple[str, str], GeneState]) -> None:
    frame = study.copy_number
    chosen = _chosen(frame, genes)
    chosen = chosen[chosen[["discrete", "total_cn", "minor_cn"]].notna().any(axis=1)]
    if chosen.empty:
        return
    extreme = chosen.assign(low=chosen["discrete"], high=chosen["discrete"])
    grouped = extreme.groupby(["patient", "gene"], sort=False).agg(
        total=("total_cn", "min"),
        most=("total_cn", "max"),
        minor=("minor_cn", "min"),
        low=("low", "min"),
        high=("high", "max"),
    )
    for (patient, gene), total, most, minor, low, high in zip(grouped.index, *grouped.to_numpy().T, strict=True):
        state = states.setdefault((patient, gene), GeneState())
        state.total = most if total >= 2 else total
        state.minor = minor
        state.discrete = low if low < 0 else high
        state.copies = True


def _make(study: Study, genes: frozenset[str]) -> dict[tuple[str, str], GeneState]:
    states: dict[tuple[str, str], GeneState] = {}
    if study.has("mutations"):
        _mutations(study, genes, states)
    if study.has("structural_variants"):
        _breakpoints(study, genes, states)
    if study.has("copy_number"):
        _copies(study, genes, states)
    sequenced = study.covered_many(genes, "mutations")
    copied = study.covered_many(genes, "copy_number")
    patients = study.patient_ids
    for gene in genes:
        looked, counted = sequenced[gene], copied[gene]
        for old in (o for o, new in FORMER_SYMBOLS.items() if new == gene):
            looked = {p: looked[p] or was for p, was in study.covered(old, "mutations").items()}
            counted = {p: counted[p] or was for p, was in study.covered(old, "copy_number").items()}
        for patient in patients:
            state = states.get((patient, gene))
            if state is None:
                state = states[patient, gene] = GeneState()
            state.sequenced = looked[patient]
            if state.copies is not True:
                state.copies = counted[patient]
    for owner, purity in study.samples.groupby("patient")["tumour_purity"].max().items():
        for gene in genes:
            if (state := states.get((str(owner), gene))) is not None:
                state.purity = float(purity)
    for state in states.values():
        state.hits = [
            replace(h, subclonal=True) if highest_ccf(h.vaf, h.depth, state.purity, state.total) < CLONAL_CCF else h
            for h in state.hits
        ]
        state.hits.sort(key=lambda h: (not h.loss, h.subclonal, h.label, h.row))
    return states


def gene_states(study: Study, genes: Iterable[str]) -> dict[tuple[str, str], GeneState]:
    """Return what is known of genes: (patient, gene) -> state, for every patient of the study.

    Parameters
    ----------
    study
        Study with any of mutations, copy number and structural variants.
    genes
        HGNC symbols.
    """
    wanted = frozenset(genes)
    return shared(study, ("gene_states", wanted), lambda s: _make(s, wanted))
