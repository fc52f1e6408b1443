"""State of a gene in a tumour: hits, copy number, loss of heterozygosity, and whether the gene was assessed.

Shared by the families of biomarkers that are based on genes (presentation and interferon pathways, drivers, DNA
repair); none of it is a biomarker in its own right. Each tumour sample has its own state, and the state of a patient
contains those of the samples.

The same rules apply to every gene:

* A hit is a truncating, splice-site, start- or stop-loss mutation, a change that is known to destroy the protein
  (`variant_effects`), or a structural variant that breaks the gene. Benign variants are left out; all other in-frame
  and missense changes are of unknown significance unless a family lists them.
* A hit supported by fewer than `LEAST_ALT_READS` reads, or at a depth below `LEAST_DEPTH`, is of unknown significance.
* Copy number below `DELETED` (absolute) or at most -1.5 (discrete) is a homozygous deletion; from `DELETED` up to
  `SUBCLONAL` no clonal integer state fits, so a subset of the cells has lost both copies.
* Loss of heterozygosity is a minor copy number below `DELETED` or a discrete -1.
* Both copies are lost through a homozygous deletion, two hits, one hit with loss of heterozygosity, or one hit in an
  X-linked gene in a man.
* Copy number comes from a table of genes or, failing that, from segments (`gene_copies`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from immunescape.profile.biomarkers.clonality import CLONAL_CCF, NO_FRACTION, CellFraction, cell_fraction
from immunescape.profile.biomarkers.gene_copies import GeneCopies, gene_copies, sample_purity
from immunescape.profile.biomarkers.gene_state import (
    DELETED,
    FORMER_SYMBOLS,
    LOF,
    NONSYNONYMOUS,
    START_LOST,
    SUBCLONAL,
    X_LINKED,
    GeneState,
    Hit,
)
from immunescape.profile.biomarkers.registry import shared
from immunescape.profile.biomarkers.tumour_content import LOW_PURITY, tumour_contents
from immunescape.profile.biomarkers.variant_effects import single_letter_code, variant_effect
from immunescape.profile.study import Study

__all__ = [
    "CLONAL_CCF",
    "DELETED",
    "LOF",
    "LOW_PURITY",
    "NONSYNONYMOUS",
    "SUBCLONAL",
    "X_LINKED",
    "GeneState",
    "Hit",
    "gene_states",
]

LEAST_ALT_READS = 3
"""Variant reads below which a hit is not considered reliable (assumed)."""
LEAST_DEPTH = 10
"""Read depth at the site below which a hit is not considered reliable (assumed)."""


def _chosen(frame: pd.DataFrame, genes: frozenset[str], column: str = "gene") -> pd.DataFrame:
    """Return the rows of some genes, under their HGNC symbols."""
    former = {old: new for old, new in FORMER_SYMBOLS.items() if new in genes}
    rows = frame[frame[column].isin(genes | former.keys())]
    return rows.assign(**{column: rows[column].replace(former)}) if former else rows


Key = tuple[str, str, str]
"""Patient, sample, gene."""
_States = dict[Key, GeneState]


class _Samples:
    """Tumour samples of each patient; rows without a sample go to a patient's only sample, else to a separate one."""

    def __init__(self, study: Study) -> None:
        self.of: dict[str, list[str]] = {p: [] for p in study.patient_ids}
        self.day: dict[str, float] = {}
        frame = study.samples
        for patient, sample, day in zip(frame["patient"], frame["sample"], frame["day"], strict=True):
            if isinstance(patient, str) and isinstance(sample, str):
                self.of.setdefault(patient, []).append(sample)
                self.day[sample] = float(day)

    def name(self, patient: str, sample: object) -> str:
        """Return the sample that a row belongs to."""
        listed = self.of.setdefault(patient, [])
        if isinstance(sample, str):
            chosen = sample
        else:
            chosen = listed[0] if len(listed) == 1 else patient
        if chosen not in listed:
            listed.append(chosen)
        return chosen


def _mutations(study: Study, genes: frozenset[str], states: _States, samples: _Samples) -> None:
    frame = study.mutations
    chosen = _chosen(frame, genes)
    if "t_depth" not in chosen:
        chosen = chosen.assign(t_depth=np.nan)
    source = ", ".join(study.sources.get("mutations", ())) or "mutations"
    seen: set[tuple[object, ...]] = set()
    columns = ["patient", "sample", "gene", "classification", "protein_change", "start", "ref", "alt", "ccf", "clonal"]
    for line in chosen[[*columns, "germline", "source_row", "vaf", "t_depth"]].to_numpy(dtype=object).tolist():
        patient, sample, gene, kind, protein, start, ref, alt, ccf, clonal, germline, number, vaf, depth = line
        kind = kind if isinstance(kind, str) else ""
        protein = single_letter_code(protein) if isinstance(protein, str) else ""
        if kind.startswith("Missense") and START_LOST.match(protein):
            kind = "Translation_Start_Site"
        if kind not in NONSYNONYMOUS and not kind.startswith("Splice"):
            continue
        owner = samples.name(patient, sample)
        identity = (patient, owner, gene, start, ref, alt, protein, kind)
        if identity in seen:
            continue
        seen.add(identity)
        state = states.setdefault((patient, owner, gene), GeneState())
        effect = variant_effect(gene, kind, protein)
        label = f"{gene} {protein or kind}"
        if effect is not None and effect.effect == "benign":
            state.benign.append(label)
            continue
        given = _stated_fraction(ccf, clonal)
        vaf, depth = (float(pd.to_numeric(x, errors="coerce")) for x in (vaf, depth))
        hit = Hit(
            label=label,
            loss=kind in LOF or (effect is not None and effect.effect == "inactivating"),
            subclonal=given.verdict == "subclonal",
            germline=germline is True,
            classification=kind,
            protein=protein,
            row=f"{source}, row {int(number)}" if number == number else source,
            start=start,
            vaf=vaf,
            depth=depth,
            fraction=given,
            weak=_weak(vaf, depth),
        )
        state.hits.append(hit if not hit.weak else replace(hit, loss=False))


def _stated_fraction(ccf: float, clonal: object) -> CellFraction:
    """Return the clonality reported by the caller, as a fraction or as a category."""
    if clonal is not None and clonal == clonal:
        return CellFraction(ccf, ccf, "clonal" if clonal else "subclonal")
    if ccf == ccf:
        return CellFraction(ccf, ccf, "clonal" if ccf >= CLONAL_CCF else "subclonal")
    return NO_FRACTION


def _weak(vaf: float, depth: float) -> str:
    if depth < LEAST_DEPTH or vaf * depth < LEAST_ALT_READS - 0.5:
        return f"only {vaf * depth:.0f} of {depth:.0f} reads" if vaf == vaf else f"depth only {depth:.0f}"
    return ""


def _breakpoints(study: Study, genes: frozenset[str], states: _States, samples: _Samples) -> None:
    frame = study.structural_variants
    source = ", ".join(study.sources.get("structural_variants", ())) or "structural variants"
    for gene_column, other in (("gene1", "gene2"), ("gene2", "gene1")):
        chosen = _chosen(frame, genes, gene_column)
        columns = ["patient", "sample", gene_column, other, "event"]
        for patient, sample, gene, partner, event in chosen[columns].to_numpy(dtype=object).tolist():
            if gene_column == "gene2" and partner == gene:
                continue
            text = event if isinstance(event, str) and event else f"{gene}–{partner}"
            owner = samples.name(patient, sample)
            states.setdefault((patient, owner, gene), GeneState()).hits.append(
                Hit(
                    label=f"{gene} breakpoint ({text})",
                    loss=True,
                    subclonal=False,
                    germline=False,
                    classification="Structural_Variant",
                    protein="",
                    row=source,
                )
            )


def _copies(study: Study, genes: frozenset[str], states: _States, samples: _Samples) -> None:
    chosen = _chosen(study.copy_number, genes)
    chosen = chosen[chosen[["discrete", "total_cn", "minor_cn"]].notna().any(axis=1)]
    columns = ["patient", "sample", "gene", "discrete", "total_cn", "minor_cn"]
    for patient, sample, gene, discrete, total, minor in chosen[columns].to_numpy(dtype=object).tolist():
        state = states.setdefault((patient, samples.name(patient, sample), gene), GeneState())
        state.total = _stronger(state.total, total, 2.0)
        state.minor = float(np.fmin(state.minor, minor))
        state.discrete = _stronger(state.discrete, discrete, 0.0)
        state.copies = True


def _stronger(before: float, value: float, neutral: float) -> float:
    """Return whichever value of two rows indicates a loss, else the higher one."""
    if before != before or value != value:
        return float(value) if before != before else before
    return float(min(before, value) if min(before, value) < neutral else max(before, value))


def _segments(study: Study, genes: frozenset[str], states: _States, samples: _Samples) -> None:
    """Fill in copy numbers from segments where no table of genes provides them."""
    owner = {s: p for p, listed in samples.of.items() for s in listed}
    listed = study.segments[["patient", "sample"]].dropna().drop_duplicates()
    owner |= {s: p for p, s in listed.to_numpy(dtype=object).tolist()}
    panels = dict(zip(study.samples["sample"], study.samples["panel_cna"], strict=True))
    for (sample, gene), copies in gene_copies(study).items():
        if gene not in genes or sample not in owner:
            continue
        state = states.setdefault((owner[sample], samples.name(owner[sample], sample), gene), GeneState())
        if copies.low == copies.low and not copies.high < SUBCLONAL:
            panel = study.panels.get(panels.get(sample) or "")
            if panel is not None and panel.covers(gene) is False:
                copies = GeneCopies(why=f"{gene} is not on the panel, and its segments merely span the gene")
        _fill(state, copies)


def _fill(state: GeneState, copies: GeneCopies) -> None:
    relative = copies.low == copies.low
    if state.copies is True and (relative or copies.why):  # a table of genes says more than a log2 ratio
        return
    if copies.why:
        state.copies_why, state.low, state.high = copies.why, copies.low, copies.high
        return
    if relative:
        state.low, state.high = copies.low, copies.high
        state.discrete = -2.0 if copies.high < SUBCLONAL else (-1.0 if copies.high < 1.5 else 0.0)
    else:
        state.total = copies.total if state.total != state.total else state.total
        state.minor = copies.minor if state.minor != state.minor else state.minor
    state.copies, state.copies_label = True, copies.label


def _covered(study: Study, genes: Iterable[str], kind: str, column: str) -> dict[str, dict[str, bool | None]]:
    """Return gene -> sample -> whether the gene was assessed; see `Study.covered` for the same by patient."""
    if not study.has(kind):
        return {g: {} for g in genes}
    looked = study.assessed.get(kind)
    rows = list(zip(study.samples["sample"], study.samples[column], strict=True))
    answers: dict[str, dict[str, bool | None]] = {}
    for gene in genes:
        former = [old for old, new in FORMER_SYMBOLS.items() if new == gene]
        per = {n: _either(p.covers(g) for g in (gene, *former)) for n, p in study.panels.items()}
        answers[gene] = {
            s: (False if looked is not None and s not in looked else per.get(p) if isinstance(p, str) else None)
            for s, p in rows
            if isinstance(s, str)
        }
    return answers


def _either(answers: Iterable[bool | None]) -> bool | None:
    """Return True if any is true, else None if any is unknown, else False."""
    listed = list(answers)
    if True in listed:
        return True
    return None if None in listed else False


def _likely_total(state: GeneState) -> float:
    """Return the total copy number from which a cell fraction is computed.

    Where only a log2 ratio is known the most that it allows, which gives the largest fraction; where only a discrete
    state is known that of a diploid tumour (assumed).
    """
    if state.total == state.total:
        return state.total
    if state.high == state.high:
        return state.high
    return {-1.0: 1.0, 0.0: 2.0}.get(state.discrete, float("nan"))


def _with_fractions(state: GeneState, man: bool) -> None:
    normal = 1.0 if man else 2.0
    hits = []
    for hit in state.hits:
        if not hit.fraction.verdict:
            total = _likely_total(state)
            fraction = cell_fraction(hit.vaf, hit.depth, state.content.purity, total, state.minor, normal)
            hit = replace(hit, fraction=fraction, subclonal=fraction.verdict == "subclonal")
        hits.append(hit)
    state.hits = sorted(hits, key=lambda h: (not h.loss, h.subclonal, h.label, h.row))


def _pooled(states: list[GeneState]) -> GeneState:
    """Return the state of a patient from those of the samples."""
    if len(states) == 1:
        states[0].samples = (states[0],)
        return states[0]
    whole = GeneState(samples=tuple(states))
    seen: dict[tuple[object, ...], Hit] = {}
    for state in states:
        for hit in state.hits:
            seen.setdefault((hit.label, hit.start, hit.classification), hit)
        whole.benign.extend(state.benign)
        whole.total = _stronger(whole.total, state.total, 2.0)
        whole.minor = float(np.fmin(whole.minor, state.minor))
        whole.discrete = _stronger(whole.discrete, state.discrete, 0.0)
    whole.hits = sorted(seen.values(), key=lambda h: (not h.loss, h.subclonal, h.label, h.row))
    whole.sequenced = _either(s.sequenced for s in states)
    whole.copies = _either(s.copies for s in states)
    enough = [s for s in states if s.sequenced is True and s.enough] or states
    whole.content = enough[0].content
    return whole


def _make(study: Study, genes: frozenset[str]) -> dict[tuple[str, str], GeneState]:
    states: _States = {}
    samples = _Samples(study)
    if study.has("mutations"):
        _mutations(study, genes, states, samples)
    if study.has("structural_variants"):
        _breakpoints(study, genes, states, samples)
    if study.has("copy_number"):
        _copies(study, genes, states, samples)
    if study.has("segments"):
        _segments(study, genes, states, samples)
    sequenced = _covered(study, genes, "mutations", "panel")
    purity, content_of = sample_purity(study), tumour_contents(study)
    men = {
        p
        for p, s in zip(study.patients["patient"], study.patients["sex"], strict=True)
        if isinstance(s, str) and s.strip().casefold() in ("male", "m")
    }
    states_of: dict[tuple[str, str], GeneState] = {}
    for patient in study.patient_ids:
        names = samples.of.get(patient) or [patient]
        contents = {}
        for name in names:
            content = content_of(name)
            contents[name] = replace(content, purity=purity.get(name, content.purity))
        for gene in genes:
            listed = []
            for name in names:
                state = states.get((patient, name, gene)) or GeneState()
                state.sample, state.day = name, samples.day.get(name, float("nan"))
                state.sequenced = sequenced[gene].get(name, False if study.has("mutations") else None)
                state.content = contents[name]
                if state.hits:
                    _with_fractions(state, gene in X_LINKED and patient in men)
                listed.append(state)
            states_of[patient, gene] = _pooled(listed)
    return states_of


def gene_states(study: Study, genes: Iterable[str]) -> dict[tuple[str, str], GeneState]:
    """Return what is known about genes: (patient, gene) -> state, for every patient of the study.

    Parameters
    ----------
    study
        Study with any of mutations, copy number, segments and structural variants.
    genes
        HGNC symbols.
    """
    gene_set = frozenset(genes)
    return shared(study, ("gene_states", gene_set), lambda s: _make(s, gene_set))
