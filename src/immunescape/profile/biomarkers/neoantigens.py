"""Neoantigen load: total, clonal, and what remains after immune escape.

Predictions (peptide, allele, affinity) are taken as given. A neoantigen is a mutated peptide that binds at least one of
the patient's class I alleles with an IC50 of at most 500 nM. The load counts variants with at least one neoantigen, not
peptides, so that tables of all peptides and of the best peptide of each variant give the same number. Escape-aware load
excludes peptides presented only by lost alleles, peptides of unexpressed genes, and all peptides if both copies of B2M,
TAP1 or TAP2 are lost.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field

import pandas as pd

from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.biomarkers.alterations import CLONAL_CCF, gene_states
from immunescape.profile.biomarkers.hla import lost_alleles, short_allele
from immunescape.profile.biomarkers.loss import EXCLUDED, loss_state
from immunescape.profile.biomarkers.pathways import GENES
from immunescape.profile.biomarkers.registry import Biomarker, register, shared
from immunescape.profile.receptor_loci import is_class_two
from immunescape.profile.study import Study

__all__ = ["BINDER_NM", "EXPRESSED_TPM", "Neoantigen", "neoantigens", "variants"]

BINDER_NM = 500.0
EXPRESSED_TPM = 1.0
"""Expression below which a gene counts as not expressed (assumed)."""

_SHARED = 5
"""Residues in a row that two peptides of one gene share where they come from one variant (assumed; for tables that do
not name variants)."""


@dataclass
class Neoantigen:
    """One mutated peptide of one patient, with the alleles that bind it."""

    gene: str
    peptide: str
    _: KW_ONLY
    wt_peptide: str = ""
    affinities: dict[str, tuple[float, float]] = field(default_factory=dict)
    tpm: float = float("nan")
    clonal: bool | None = None
    variant: str = ""

    def presented(self, lost: Mapping[str, bool | None]) -> bool:
        """Return whether an allele that binds it is kept."""
        return any(not lost.get(allele) for allele in self.affinities)


def _table(study: Study) -> dict[str, list[Neoantigen]]:
    peptides: dict[str, dict[tuple[str, str, str], Neoantigen]] = {}
    columns = ["patient", "gene", "peptide", "wt_peptide", "allele", "ic50_nm", "wt_ic50_nm", "tpm", "ccf", "clonal"]
    frame = study.neoantigens
    changes = frame["protein_change"] if "protein_change" in frame else pd.Series(None, index=frame.index, dtype=object)
    named = frame["variant"] if "variant" in frame else pd.Series(None, index=frame.index, dtype=object)
    for line, variant, change in zip(frame[columns].to_numpy(dtype=object).tolist(), named, changes, strict=True):
        patient, gene, peptide, wild, text, ic50, wt_ic50, tpm, ccf, clonal = line
        if not isinstance(peptide, str) or ic50 is None or not ic50 <= BINDER_NM or is_class_two(text):
            continue
        name = gene if isinstance(gene, str) else ""
        origin = variant if isinstance(variant, str) else f"{name} {change}" if isinstance(change, str) else ""
        key = (name, peptide, origin)
        neoantigen = peptides.setdefault(patient, {}).setdefault(key, Neoantigen(name, peptide, variant=origin))
        if isinstance(wild, str):
            neoantigen.wt_peptide = wild
        allele = short_allele(text) or (text if isinstance(text, str) else "")
        wt = math.nan if wt_ic50 is None else float(wt_ic50)
        neoantigen.affinities[allele] = min(neoantigen.affinities.get(allele, (math.inf, math.nan)), (float(ic50), wt))
        if tpm is not None and tpm == tpm:
            neoantigen.tpm = tpm if math.isnan(neoantigen.tpm) else max(neoantigen.tpm, tpm)
        if clonal is not None and clonal == clonal:
            neoantigen.clonal = bool(clonal)
        elif neoantigen.clonal is None and ccf is not None and ccf == ccf:
            neoantigen.clonal = ccf >= CLONAL_CCF
    return {p: [by[k] for k in sorted(by)] for p, by in peptides.items()}


def neoantigens(study: Study) -> dict[str, list[Neoantigen]]:
    """Return patient -> neoantigens (class I binders only); empty for class I predictions without any binder."""
    table = shared(study, "neoantigens", _table)
    rows = study.neoantigens
    listed = set(rows.loc[[not is_class_two(a) for a in rows["allele"]], "patient"])
    return {p: table.get(p, []) for p in study.patient_ids if p in listed}


def variants(peptides: Sequence[Neoantigen]) -> list[list[Neoantigen]]:
    """Return neoantigens grouped by the variant that they come from.

    Variants are distinguished by name. If the table does not name them, peptides of one gene that share five
    consecutive residues are assigned to the same variant.
    """
    groups: dict[str, list[Neoantigen]] = {}
    loose: list[list[Neoantigen]] = []
    for n in peptides:
        if n.variant:
            groups.setdefault(n.variant, []).append(n)
            continue
        joined = [g for g in loose if any(_overlap(n, other) for other in g)]
        loose = [g for g in loose if not any(g is j for j in joined)]
        loose.append([*(other for g in joined for other in g), n])
    return [*groups.values(), *loose]


def _overlap(first: Neoantigen, second: Neoantigen) -> bool:
    if first.gene != second.gene or not first.gene:
        return first.peptide == second.peptide
    pieces = {first.peptide[i : i + _SHARED] for i in range(len(first.peptide) - _SHARED + 1)}
    return any(second.peptide[i : i + _SHARED] in pieces for i in range(len(second.peptide) - _SHARED + 1))


def _clonal(group: Sequence[Neoantigen]) -> bool | None:
    """Return whether the variant of some peptides is clonal; None if this is not known."""
    stated = [n.clonal for n in group if n.clonal is not None]
    return any(stated) if stated else None


def _load(name: str, clonal: bool) -> Callable[[Study], Mapping[str, Measurement]]:
    citation = ("mcgranahan2016", "sette1994")
    kind = "clonal " if clonal else ""
    method = f"{kind.capitalize()}variants with a peptide of IC50 <= {BINDER_NM:g} nM for any class I allele".strip()

    def function(study: Study) -> dict[str, Measurement]:
        source = study.sources.get("neoantigens", ())
        measurements: dict[str, Measurement] = {}
        for patient, peptides in neoantigens(study).items():
            groups = variants(peptides)
            states = [_clonal(g) for g in groups]
            stated = [s for s in states if s is not None]
            note = f"{len(groups)} variants, {len(peptides)} binding peptides"
            if unnamed := sum(not n.variant for n in peptides):
                note += f"; {unnamed} peptides without a variant name were merged where they overlap (assumed)"
            if clonal and groups and len(stated) < len(groups):
                why = f"clonality is known for {len(stated)} of {len(groups)} variants"
                measurements[patient] = Measurement.not_assessable(
                    name,
                    "1",
                    why,
                    method=method,
                    citation=citation,
                    source=source,
                    coverage=len(stated) / len(groups),
                    low=float(sum(stated)),
                    high=float(len(groups) - sum(not k for k in stated)),
                )
                continue
            value = sum(stated) if clonal else len(groups)
            measurements[patient] = Measurement(
                name, float(value), "1", "measured", method=method, citation=citation, source=source, note=note
            )
        return measurements

    return function


def _all_fates_determined(peptides: list[Neoantigen], lost: Mapping[str, bool | None]) -> bool:
    """Return whether the fate of every allele that presents a peptide is known."""
    return all(lost.get(allele) is not None for peptide in peptides for allele in peptide.affinities)


_SETTLED = EXCLUDED | {"biallelic_loss", "biallelic_loss_subclonal"}
"""Categories in which it is known whether both copies are lost."""


def _escape(study: Study) -> dict[str, Measurement]:
    name = "neoantigen_load_escape_aware"
    citation = ("mcgranahan2017", "mcgranahan2016", "gettinger2017", "yoshihama2016")
    method = "Neoantigens remaining after loss of HLA alleles, lack of expression, and loss of B2M, TAP1 or TAP2"
    source = study.sources.get("neoantigens", ())
    lost = lost_alleles(study) if study.has("hla_loh") else {}
    genes = any(study.has(kind) for kind in ("mutations", "copy_number", "segments", "structural_variants"))
    states = gene_states(study, GENES) if genes else {}
    measurements: dict[str, Measurement] = {}
    for patient, peptides in neoantigens(study).items():
        losses = {g: loss_state(g, states[patient, g])[0] if genes else None for g in ("B2M", "TAP1", "TAP2", "NLRC5")}
        alleles = lost.get(patient)
        expressed = [n for n in peptides if math.isnan(n.tpm) or n.tpm >= EXPRESSED_TPM]
        kept = [n for n in expressed if n.presented(alleles or {})]
        total, left = len(variants(peptides)), len(variants(kept))
        notes = [f"{total} variants predicted ({len(peptides)} peptides)"]
        checks = {
            "HLA loss": alleles is not None and _all_fates_determined(peptides, alleles),
            "expression": not peptides or all(not math.isnan(n.tpm) for n in peptides),
            "B2M": losses["B2M"] in _SETTLED,
            "TAP1 and TAP2": losses["TAP1"] in _SETTLED and losses["TAP2"] in _SETTLED,
            "NLRC5": losses["NLRC5"] in _SETTLED,
        }
        if len(expressed) < len(peptides):
            notes.append(f"{len(peptides) - len(expressed)} peptides of unexpressed genes (< {EXPRESSED_TPM:g} TPM)")
        if len(kept) < len(expressed):
            notes.append(f"{len(expressed) - len(kept)} peptides only on lost HLA alleles")
        value, low, high = float(left), None, None
        gone = [g for g in ("B2M", "TAP1", "TAP2") if losses[g] == "biallelic_loss"]
        partly = [g for g in ("B2M", "TAP1", "TAP2") if losses[g] == "biallelic_loss_subclonal"]
        if gone:
            notes.append(
                f"{' and '.join(gone)} lost: no class I presentation (TAP-independent peptides are not considered)"
            )
            value = 0.0
        elif partly or (losses["NLRC5"] or "").startswith("biallelic"):
            why = (
                f"{' and '.join(partly)} lost in a subset of the cells"
                if partly
                else "NLRC5 lost: class I reduced but not absent"
            )
            notes.append(f"{why}; the load is between 0 and {left}")
            low, high = 0.0, value
        missing = [what for what, done in checks.items() if not done]
        if missing:
            notes.append(f"not assessed: {', '.join(missing)}")
        coverage = 1 - len(missing) / len(checks)
        if coverage == 0:
            why = "HLA loss, expression and presentation genes were not assessed; see neoantigen_load"
            measurements[patient] = Measurement.not_assessable(
                name, "1", why, method=method, citation=citation, source=source, coverage=0.0
            )
            continue
        measurements[patient] = Measurement(
            name,
            value,
            "1",
            "measured",
            method=method,
            citation=citation,
            source=source,
            low=low,
            high=high,
            coverage=coverage,
            note="; ".join(notes),
        )
    return measurements


for _name, _is_clonal in (("neoantigen_load", False), ("neoantigen_load_clonal", True)):
    register(
        Biomarker(
            name=_name,
            title="Clonal neoantigen load" if _is_clonal else "Neoantigen load",
            family="neoantigen",
            unit="1",
            definition=f"Number of {'clonal ' if _is_clonal else ''}variants with at least one mutated peptide that "
            f"binds any of the patient's class I alleles with IC50 <= {BINDER_NM:g} nM.",
            function=_load(_name, _is_clonal),
            needs=("neoantigens",),
            thresholds="none accepted",
            references=("mcgranahan2016", "sette1994"),
            limits="Predictions are taken as given; most predicted binders are not presented."
            + (
                f" Clonal as called by the tool, else cancer cell fraction >= {CLONAL_CCF:g} (assumed)."
                if _is_clonal
                else ""
            ),
        )
    )

register(
    Biomarker(
        name="neoantigen_load_escape_aware",
        title="Neoantigen load after escape",
        family="neoantigen",
        unit="1",
        definition="Number of variants with a neoantigen remaining after exclusion of peptides presented only by lost "
        f"HLA alleles, peptides of genes below {EXPRESSED_TPM:g} TPM, and all peptides if both copies of B2M, TAP1 or "
        "TAP2 are lost; with loss in a subset of the cells, or loss of NLRC5, an interval from 0.",
        function=_escape,
        needs=("neoantigens",),
        references=("mcgranahan2017", "gettinger2017", "yoshihama2016"),
        limits="Steps that were not assessed are listed in the note and reduce the coverage.",
    )
)
