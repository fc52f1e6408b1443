"""Whether the tumour retains any of the MHC class I heavy chains (HLA-A, -B and -C), by copy number."""

from __future__ import annotations

from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.biomarkers.alterations import GeneState, gene_states
from immunescape.profile.biomarkers.hla import lost_alleles
from immunescape.profile.biomarkers.loss import EXCLUDED, loss_state
from immunescape.profile.biomarkers.pathways import GENES as PATHWAY_GENES
from immunescape.profile.biomarkers.registry import Biomarker, register
from immunescape.profile.study import Study

__all__ = ["HEAVY_CHAINS", "STATES"]

HEAVY_CHAINS = ("HLA-A", "HLA-B", "HLA-C")
BETWEEN = "MDC1"
"""A gene between HLA-A and HLA-C: a single deletion of all three also removes it."""
STATES = ("lost", "lost_subclonal", "kept")
_GENES = (*HEAVY_CHAINS, BETWEEN)


def _kept(state: GeneState) -> bool:
    """Return whether at least one copy is known to be left in the tumour cells."""
    if state.copies is not True or state.deleted or state.partly_deleted:
        return False
    return state.total == state.total or state.enough  # relative copy number is uninformative at low tumour content


def _sample(states: dict[str, GeneState]) -> tuple[str | None, str]:
    chains = [states[g] for g in HEAVY_CHAINS]
    if all(s.deleted for s in chains):
        return "lost", "HLA-A, -B and -C: no copy retained"
    if all(s.deleted or s.partly_deleted for s in chains):
        return "lost_subclonal", "HLA-A, -B and -C: no copy retained in a subset of the cells"
    kept = [g for g in HEAVY_CHAINS if _kept(states[g])]
    if kept:
        return "kept", f"a copy of {', '.join(kept)} is retained"
    if _kept(states[BETWEEN]):
        return "kept", f"a copy of {BETWEEN}, which lies between HLA-A and HLA-C, is retained"
    return None, "copy number of HLA-A, -B and -C was not assessed"


def _doubtful(states: dict[str, GeneState]) -> bool:
    """Return whether the data suggest a loss of heavy chains without proving it."""
    return any(s.deleted or s.partly_deleted or s.suspect for s in (states[g] for g in HEAVY_CHAINS))


def _chains(study: Study) -> dict[str, Measurement]:
    name, citation = "hla_heavy_chains", ("mcgranahan2017",)
    method = "Copy number of HLA-A, -B and -C"
    states = gene_states(study, _GENES)
    alleles = lost_alleles(study) if study.has("hla_loh") else {}
    measurements: dict[str, Measurement] = {}
    for patient in study.patient_ids:
        samples = zip(*(states[patient, g].samples for g in _GENES), strict=True)
        answers = [_sample(dict(zip(_GENES, each, strict=True))) for each in samples]
        assessed = [a for a in answers if a[0] is not None]
        verdict, note = min(assessed, key=lambda a: STATES.index(a[0] or "kept")) if assessed else answers[0]
        left = sorted(a for a, lost in alleles.get(patient, {}).items() if lost is False)
        if verdict is None and left:
            verdict, note = "kept", f"allele retained: {', '.join(left)}"
        fields = {"method": method, "citation": citation}
        if verdict is None:
            measurements[patient] = Measurement.not_assessable(name, "", note, **fields)
        else:
            measurements[patient] = Measurement(name, verdict, "", "measured", note=note, **fields)  # type: ignore[arg-type]
    return measurements


def _genes(study: Study) -> dict[str, Measurement]:
    name, citation = "mhc1_genes", ("sadefeldman2017", "gettinger2017")
    method = "Loss of B2M and copy number of HLA-A, -B and -C"
    states, chains, copies = gene_states(study, PATHWAY_GENES), _chains(study), gene_states(study, _GENES)
    measurements: dict[str, Measurement] = {}
    for patient in study.patient_ids:
        verdict, reason, _ = loss_state("B2M", states[patient, "B2M"])
        chain = chains[patient]
        note = f"B2M: {reason}; heavy chains: {chain.note}"
        fields = {"method": method, "citation": citation}
        value: str | None = None
        if verdict == "biallelic_loss" or chain.value == "lost":
            value = "lost"
        elif verdict == "biallelic_loss_subclonal" or chain.value == "lost_subclonal":
            value = "lost_subclonal"
        elif verdict in EXCLUDED and chain.value == "kept":
            value = "kept"
        elif verdict in EXCLUDED and not _doubtful({g: copies[patient, g] for g in HEAVY_CHAINS}):
            value = "b2m_kept"
        if value is None:
            measurements[patient] = Measurement.not_assessable(name, "", note, **fields)
        else:
            measurements[patient] = Measurement(name, value, "", "measured", note=note, **fields)  # type: ignore[arg-type]
    return measurements


register(
    Biomarker(
        name="mhc1_genes",
        title="Genes of surface MHC class I",
        family="pathway",
        unit="",
        definition="Whether every copy of B2M, or of all heavy chains, is lost. `kept`: a copy of B2M and of a heavy "
        "chain is retained; `b2m_kept`: a copy of B2M is retained, and the copy number of the heavy chains was not "
        "assessed.",
        function=_genes,
        needs=("mutations", "copy_number", "segments", "structural_variants"),
        words=("lost", "lost_subclonal", "kept", "b2m_kept"),
        references=("sadefeldman2017", "gettinger2017"),
        limits="Loss of all heavy chains is assumed to be rare compared with loss of B2M, so that `b2m_kept` counts as "
        "absent; the note states what was not assessed.",
    )
)
register(
    Biomarker(
        name="hla_heavy_chains",
        title="MHC class I heavy chains",
        family="hla",
        unit="",
        definition="Whether every copy of HLA-A, -B and -C is lost, in all or a subset of the tumour cells, or at "
        "least one is retained.",
        function=_chains,
        needs=("copy_number", "segments", "hla_loh"),
        words=STATES,
        thresholds="as for other genes: below 0.5 copies lost, 0.5 to 0.7 lost in a subset of the cells",
        references=("mcgranahan2017",),
        limits="Copy number only: a heavy chain inactivated by mutation counts as retained. If none of the three was "
        "measured, a gene between HLA-A and HLA-C is used as a proxy (assumed: a single deletion removes all).",
    )
)
