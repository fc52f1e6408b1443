"""Oncogenic drivers: EGFR, KRAS, BRAF, ERBB2, MET by mutation; ALK, ROS1, RET, NTRK by rearrangement.

Activating changes are those listed with their source in ``knowledge/data/driver_alterations.csv``; any other
protein-altering change is reported as a variant of unknown significance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.biomarkers.alterations import GeneState, gene_states
from immunescape.profile.biomarkers.driver_rules import driver_rules, match
from immunescape.profile.biomarkers.registry import Biomarker, register, shared
from immunescape.profile.biomarkers.tumour_content import patient_content
from immunescape.profile.biomarkers.words import state_words
from immunescape.profile.study import Study

__all__ = ["DRIVER_STATES", "FUSION_GENES", "FUSION_STATES", "MUTATION_GENES"]

DRIVER_STATES = ("activating", "variant_of_unknown_significance", "wild_type")
FUSION_STATES = ("fusion", "variant_of_unknown_significance", "wild_type")
MUTATION_GENES = ("EGFR", "KRAS", "BRAF", "ERBB2", "MET")
FUSION_GENES = ("ALK", "ROS1", "RET", "NTRK1", "NTRK2", "NTRK3")
_REFERENCES = ("hendriks2023o", "mazieres2019")
_METHOD = "Listed activating alterations"
Function = Callable[[Study], Mapping[str, Measurement]]
Classified = tuple[str | None, tuple[str, ...], tuple[str, ...], str, tuple[str, ...]]


def _unseen(gene: str, state: GeneState) -> str:
    why = (
        "is not on the panel"
        if state.sequenced is False
        else "may not be on the panel, as the panel's genes are not known"
    )
    return f"{gene} {why}"


def _classify(gene: str, state: GeneState) -> Classified:
    """Return status, classes, protein changes, note and rows of one gene."""
    points = [h for h in state.hits if h.classification != "Structural_Variant" and not h.germline]
    listed = [(h, kind) for h in points if (kind := match(gene, h))]
    if listed:
        note = "; ".join(f"{h.label} ({state_words(kind)}{', subclonal' if h.subclonal else ''})" for h, kind in listed)
        classes = tuple(dict.fromkeys(kind for _, kind in listed))
        changes = tuple(h.protein.removeprefix("p.") for h, _ in listed)
        return "activating", classes, changes, note, tuple(h.row for h, _ in listed)
    if points:
        note = "; ".join(h.label for h in points) + ": not listed as activating"
        return "variant_of_unknown_significance", (), (), note, tuple(h.row for h in points)
    if state.sequenced is True:
        note = "no protein-altering change found" + (f" ({'; '.join(state.benign)}: benign)" if state.benign else "")
        if not state.enough:
            return None, (), (), f"{note}, but {state.content.why}", ()
        return "wild_type", (), (), note, ()
    return None, (), (), _unseen(gene, state), ()


def _classified(study: Study) -> dict[str, dict[str, Classified]]:
    states = gene_states(study, MUTATION_GENES)
    return {g: {p: _classify(g, states[p, g]) for p in study.patient_ids} for g in MUTATION_GENES}


def _all(study: Study, gene: str) -> dict[str, Classified]:
    return shared(study, "driver_classes", _classified)[gene]


def _mutation_status(name: str, gene: str) -> Function:
    def function(study: Study) -> dict[str, Measurement]:
        measurements: dict[str, Measurement] = {}
        for patient, (call, _, _, note, rows) in _all(study, gene).items():
            if call is None:
                measurements[patient] = Measurement.not_assessable(name, "", note, method=_METHOD, citation=_REFERENCES)
            else:
                measurements[patient] = Measurement(
                    name, call, "", "measured", method=_METHOD, citation=_REFERENCES, note=note, source=rows
                )
        return measurements

    return function


def _egfr_alteration(study: Study) -> dict[str, Measurement]:
    name, measurements = "egfr_alteration", {}
    for patient, (call, classes, _, note, rows) in _all(study, "EGFR").items():
        if call is None:
            measurements[patient] = Measurement.not_assessable(name, "", note, method=_METHOD, citation=_REFERENCES)
            continue
        value = "+".join(sorted(classes)) or "none"
        measurements[patient] = Measurement(
            name, value, "", "measured", method=_METHOD, citation=_REFERENCES, note=note, source=rows
        )
    return measurements


def _has(name: str, gene: str, holds: Callable[[Classified], bool], citation: tuple[str, ...]) -> Function:
    """Whether one alteration of a gene was found."""

    def function(study: Study) -> dict[str, Measurement]:
        measurements: dict[str, Measurement] = {}
        for patient, classified in _all(study, gene).items():
            call, _, _, note, rows = classified
            if call is None:
                measurements[patient] = Measurement.not_assessable(name, "", note, method=_METHOD, citation=citation)
            else:
                measurements[patient] = Measurement(
                    name, holds(classified), "", "measured", method=_METHOD, citation=citation, note=note, source=rows
                )
        return measurements

    return function


def _fusion_status(name: str, gene: str) -> Function:
    partners = {p for rule in driver_rules()[gene] if rule.rule == "partner" for p in rule.values}
    method = "Rearrangement with a known partner"

    def function(study: Study) -> dict[str, Measurement]:
        frame = study.structural_variants
        source = study.sources.get("structural_variants", ())
        events: dict[str, list[tuple[bool, str]]] = {}
        for gene_column, other in (("gene1", "gene2"), ("gene2", "gene1")):
            rows = frame[frame[gene_column] == gene]
            for patient, partner, event in zip(rows["patient"], rows[other], rows["event"], strict=True):
                label = f"{gene}–{partner}" if isinstance(partner, str) and partner else f"{gene} rearrangement"
                detail = f" ({event})" if isinstance(event, str) and event else ""
                events.setdefault(patient, []).append((partner in partners, label + detail))
        for gene1, gene2, patient in frame[["gene1", "gene2", "patient"]].to_numpy(dtype=object).tolist():
            given = [g for g in (gene1, gene2) if isinstance(g, str) and g]
            if len(given) == 1 and given[0] in partners and given[0] != gene:
                label = f"{given[0]} rearrangement with an unreported partner, which may be {gene}"
                events.setdefault(patient, []).append((False, label))
        looked, contents = study.covered(gene, "structural_variants"), patient_content(study)
        measurements: dict[str, Measurement] = {}
        for patient in study.patient_ids:
            seen = sorted(set(events.get(patient, ())), reverse=True)
            if not seen and looked[patient] is not True:
                off = looked[patient] is False
                why = "is not on the panel" if off else "may not be on the panel for rearrangements"
                measurements[patient] = Measurement.not_assessable(
                    name, "", f"{gene} {why}", method=method, citation=_REFERENCES
                )
                continue
            if not seen and contents[patient].enough is not True:
                why = f"no rearrangement found, but {contents[patient].why}"
                measurements[patient] = Measurement.not_assessable(name, "", why, method=method, citation=_REFERENCES)
                continue
            with_partner = [text for is_partner, text in seen if is_partner]
            if with_partner:
                call, note = "fusion", "; ".join(with_partner)
            elif seen:
                call = "variant_of_unknown_significance"
                note = "; ".join(text for _, text in seen) + ": no known partner"
            else:
                call, note = "wild_type", "no rearrangement found"
            measurements[patient] = Measurement(
                name,
                call,
                "",
                "measured",
                method=method,
                citation=_REFERENCES,
                note=note,
                source=source if seen else (),
            )
        return measurements

    return function


for _gene in MUTATION_GENES:
    register(
        Biomarker(
            name=f"{_gene.lower()}_status",
            title=f"{_gene} mutation",
            family="driver",
            unit="",
            definition=f"Whether {_gene} carries a listed activating alteration.",
            function=_mutation_status(f"{_gene.lower()}_status", _gene),
            needs=("mutations",),
            words=DRIVER_STATES,
            thresholds="alterations listed in driver_alterations.csv",
            references=(*_REFERENCES, "chang2016"),
            limits="Germline and benign variants are excluded; a change that is not listed is of unknown "
            "significance. Wild type requires sufficient tumour content.",
        )
    )

for _gene in FUSION_GENES:
    register(
        Biomarker(
            name=f"{_gene.lower()}_status",
            title=f"{_gene} fusion",
            family="driver",
            unit="",
            definition=f"Whether {_gene} is rearranged with a known partner.",
            function=_fusion_status(f"{_gene.lower()}_status", _gene),
            needs=("structural_variants",),
            words=FUSION_STATES,
            thresholds="partners listed in driver_alterations.csv",
            references=_REFERENCES,
            limits="DNA panels detect only breakpoints in tiled introns; a breakpoint without a known partner is of "
            "unknown significance.",
        )
    )

register(
    Biomarker(
        name="egfr_alteration",
        title="EGFR alteration class",
        family="driver",
        unit="",
        definition="Class of the activating EGFR change: exon_19_deletion, L858R, exon_20_insertion, uncommon, T790M, "
        "several joined by +, or none.",
        function=_egfr_alteration,
        needs=("mutations",),
        thresholds="alterations listed in driver_alterations.csv",
        references=_REFERENCES,
    )
)
register(
    Biomarker(
        name="kras_g12c",
        title="KRAS G12C",
        family="driver",
        unit="",
        definition="Whether KRAS p.G12C was found.",
        function=_has("kras_g12c", "KRAS", lambda c: "G12C" in c[2], ("skoulidis2021",)),
        needs=("mutations",),
        references=("skoulidis2021",),
    )
)
register(
    Biomarker(
        name="braf_v600",
        title="BRAF V600",
        family="driver",
        unit="",
        definition="Whether an alteration of BRAF V600 (V600E and others) was found, a target of approved drugs.",
        function=_has("braf_v600", "BRAF", lambda c: "V600" in c[1], ("hendriks2023o",)),
        needs=("mutations",),
        references=("hendriks2023o",),
    )
)
