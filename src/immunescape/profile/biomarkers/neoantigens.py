"""Neoantigen load: all, clonal, and what is left after the tumour's ways out.

Predictions (peptide, allele, affinity) are taken as given. A neoantigen is a mutated peptide that binds at least one of
the patient's class I alleles with IC50 of at most 500 nM. Escape-aware load takes away peptides that only lost alleles
present, peptides whose gene is not expressed, and all of them where B2M, TAP1 or TAP2 lost both copies.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.biomarkers.alterations import CLONAL_CCF, gene_states
from immunescape.profile.biomarkers.hla import lost_alleles, short_allele
from immunescape.profile.biomarkers.loss import EXCLUDED, loss_word
from immunescape.profile.biomarkers.pathways import GENES
from immunescape.profile.biomarkers.registry import Biomarker, register, shared
from immunescape.profile.study import Study

__all__ = ["BINDER_NM", "EXPRESSED_TPM", "Neoantigen", "neoantigens"]

BINDER_NM = 500.0
EXPRESSED_TPM = 1.0
"""A gene below it counts as not expressed (assumed)."""


@dataclass
class Neoantigen:
    """One mutated peptide of one patient, with the alleles that bind it."""

    gene: str
    peptide: str
    wt_peptide: str = ""
    affinities: dict[str, tuple[float, float]] = field(default_factory=dict)
    tpm: float = float("nan")
    clonal: bool | None = None

    def presented(self, lost: Mapping[str, bool | None]) -> bool:
        """Tell whether an allele that binds it is kept."""
        return any(not lost.get(allele) for allele in self.affinities)


def _table(study: Study) -> dict[str, list[Neoantigen]]:
    found: dict[str, dict[tuple[str, str], Neoantigen]] = {}
    columns = ["patient", "gene", "peptide", "wt_peptide", "allele", "ic50_nm", "wt_ic50_nm", "tpm", "ccf", "clonal"]
    for line in study.neoantigens[columns].to_numpy(dtype=object).tolist():
        patient, gene, peptide, wild, text, ic50, wt_ic50, tpm, ccf, clonal = line
        if not isinstance(peptide, str) or ic50 is None or not ic50 <= BINDER_NM:
            continue
        name = gene if isinstance(gene, str) else ""
        one = found.setdefault(patient, {}).setdefault((name, peptide), Neoantigen(name, peptide))
        if isinstance(wild, str):
            one.wt_peptide = wild
        allele = short_allele(text) or (text if isinstance(text, str) else "")
        wt = math.nan if wt_ic50 is None else float(wt_ic50)
        one.affinities[allele] = min(one.affinities.get(allele, (math.inf, math.nan)), (float(ic50), wt))
        if tpm is not None and tpm == tpm:
            one.tpm = tpm if math.isnan(one.tpm) else max(one.tpm, tpm)
        if clonal is not None and clonal == clonal:
            one.clonal = bool(clonal)
        elif one.clonal is None and ccf is not None and ccf == ccf:
            one.clonal = ccf >= CLONAL_CCF
    return {p: [by[k] for k in sorted(by)] for p, by in found.items()}


def neoantigens(study: Study) -> dict[str, list[Neoantigen]]:
    """Return patient -> neoantigens (binders only); a patient with rows but no binder has none."""
    table = shared(study, "neoantigens", _table)
    listed = set(study.neoantigens["patient"])
    return {p: table.get(p, []) for p in study.patient_ids if p in listed}


def _load(name: str, clonal: bool) -> Callable[[Study], Mapping[str, Measurement]]:
    citation = ("mcgranahan2016", "sette1994")
    kind = "clonal " if clonal else ""
    method = f"Distinct {kind}mutated peptides with IC50 <= {BINDER_NM:g} nM for any class I allele"

    def function(study: Study) -> dict[str, Measurement]:
        source = study.sources.get("neoantigens", ())
        found: dict[str, Measurement] = {}
        for patient, peptides in neoantigens(study).items():
            known = [n for n in peptides if n.clonal is not None]
            if clonal and peptides and len(known) < len(peptides):
                why = f"clonality is known for {len(known)} of {len(peptides)} peptides"
                found[patient] = Measurement.not_assessable(
                    name,
                    "1",
                    why,
                    method=method,
                    citation=citation,
                    source=source,
                    coverage=len(known) / len(peptides),
                    low=float(sum(bool(n.clonal) for n in known)),
                    high=float(len(peptides) - sum(n.clonal is False for n in known)),
                )
                continue
            value = sum(bool(n.clonal) for n in known) if clonal else len(peptides)
            found[patient] = Measurement(
                name, float(value), "1", "measured", method=method, citation=citation, source=source
            )
        return found

    return function


def _told(peptides: list[Neoantigen], lost: Mapping[str, bool | None]) -> bool:
    """Tell whether the fate of every allele that presents a peptide is known."""
    return all(lost.get(allele) is not None for peptide in peptides for allele in peptide.affinities)


_SETTLED = EXCLUDED | {"biallelic_loss", "biallelic_loss_subclonal"}
"""Words under which it is known whether both copies are gone."""


def _escape(study: Study) -> dict[str, Measurement]:
    name = "neoantigen_load_escape_aware"
    citation = ("mcgranahan2017", "mcgranahan2016", "gettinger2017", "yoshihama2016")
    method = "Neoantigens left after lost HLA alleles, unexpressed genes and loss of B2M, TAP1 or TAP2"
    source = study.sources.get("neoantigens", ())
    lost = lost_alleles(study) if study.has("hla_loh") else {}
    genes = any(study.has(kind) for kind in ("mutations", "copy_number", "segments", "structural_variants"))
    states = gene_states(study, GENES) if genes else {}
    found: dict[str, Measurement] = {}
    for patient, peptides in neoantigens(study).items():
        words = {g: loss_word(g, states[patient, g])[0] if genes else None for g in ("B2M", "TAP1", "TAP2", "NLRC5")}
        alleles = lost.get(patient)
        expressed = [n for n in peptides if math.isnan(n.tpm) or n.tpm >= EXPRESSED_TPM]
        kept = [n for n in expressed if n.presented(alleles or {})]
        notes = [f"{len(peptides)} predicted"]
        checks = {
            "HLA loss": alleles is not None and _told(peptides, alleles),
            "expression": not peptides or all(not math.isnan(n.tpm) for n in peptides),
            "B2M": words["B2M"] in _SETTLED,
            "TAP1 and TAP2": words["TAP1"] in _SETTLED and words["TAP2"] in _SETTLED,
            "NLRC5": words["NLRC5"] in _SETTLED,
        }
        if len(expressed) < len(peptides):
            notes.append(f"{len(peptides) - len(expressed)} not expressed (< {EXPRESSED_TPM:g} TPM)")
        if len(kept) < len(expressed):
            notes.append(f"{len(expressed) - len(kept)} only on lost HLA alleles")
        value, low, high = float(len(kept)), None, None
        gone = [g for g in ("B2M", "TAP1", "TAP2") if words[g] == "biallelic_loss"]
        partly = [g for g in ("B2M", "TAP1", "TAP2") if words[g] == "biallelic_loss_subclonal"]
        if gone:
            notes.append(f"{' and '.join(gone)} lost: no class I presentation (TAP-independent peptides are left out)")
            value = 0.0
        elif partly or (words["NLRC5"] or "").startswith("biallelic"):
            why = (
                f"{' and '.join(partly)} lost in part of the cells" if partly else "NLRC5 lost: less class I, not none"
            )
            notes.append(f"{why}, so between 0 and {len(kept)}")
            low, high = 0.0, value
        missing = [what for what, done in checks.items() if not done]
        if missing:
            notes.append(f"not looked at: {', '.join(missing)}")
        coverage = 1 - len(missing) / len(checks)
        if coverage == 0:
            why = "nothing is known of HLA loss, expression or presentation genes; see neoantigen_load"
            found[patient] = Measurement.not_assessable(
                name, "1", why, method=method, citation=citation, source=source, coverage=0.0
            )
            continue
        found[patient] = Measurement(
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
    return found


for _name, _clonal in (("neoantigen_load", False), ("neoantigen_load_clonal", True)):
    register(
        Biomarker(
            name=_name,
            title="Clonal neoantigen load" if _clonal else "Neoantigen load",
            family="neoantigen",
            unit="1",
            definition=f"Number of distinct {'clonal ' if _clonal else ''}mutated peptides that bind any of the "
            f"patient's class I alleles with IC50 <= {BINDER_NM:g} nM.",
            function=_load(_name, _clonal),
            needs=("neoantigens",),
            thresholds="none accepted",
            references=("mcgranahan2016", "sette1994"),
            limits="Predictions are taken as given; most predicted binders are not presented."
            + (f" Clonal by the caller, else cancer cell fraction >= {CLONAL_CCF:g} (assumed)." if _clonal else ""),
        )
    )

register(
    Biomarker(
        name="neoantigen_load_escape_aware",
        title="Neoantigen load after escape",
        family="neoantigen",
        unit="1",
        definition="Neoantigens left after taking away those that only lost HLA alleles present, those of genes below "
        f"{EXPRESSED_TPM:g} TPM, and all where B2M, TAP1 or TAP2 lost both copies; with loss in part of the cells, or "
        "of NLRC5, an interval from 0.",
        function=_escape,
        needs=("neoantigens",),
        references=("mcgranahan2017", "gettinger2017", "yoshihama2016"),
        limits="What was not looked at is named in the note and lowers the coverage.",
    )
)
