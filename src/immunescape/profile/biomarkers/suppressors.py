"""Tumour suppressors associated with resistance, and their co-mutation with KRAS."""

from __future__ import annotations

import re

from immunescape.knowledge.profile_records import Measurement
from immunescape.knowledge.tables import read_rows
from immunescape.profile.biomarkers.alterations import Hit, gene_states
from immunescape.profile.biomarkers.driver_rules import match, residue
from immunescape.profile.biomarkers.loss import INACTIVATED, LOSS_STATES, loss_function, loss_state
from immunescape.profile.biomarkers.registry import Biomarker, register
from immunescape.profile.biomarkers.words import state_words
from immunescape.profile.study import Study

__all__ = ["COMUTATION_CLASSES", "EXTRA", "GENES"]

GENES = ("STK11", "KEAP1", "TP53", "RBM10", "SMARCA4", "PTEN")
_LOOKED_UP = (*GENES, "KRAS")
COMUTATION_CLASSES = ("kras_wild_type", "KRAS", "KRAS+STK11", "KRAS+KEAP1", "KRAS+STK11+KEAP1")


def _tp53(hit: Hit) -> bool:
    """Missense changes of the DNA-binding domain (residues 102-292) inactivate p53."""
    position = residue(hit.protein)
    return hit.classification.startswith("Missense") and position is not None and 102 <= position <= 292


def _pten(hit: Hit) -> bool:
    """Missense changes of the hotspot R130 inactivate the phosphatase."""
    return bool(re.fullmatch(r"(p\.)?R130[A-Z]", hit.protein))


EXTRA = {"TP53": _tp53, "PTEN": _pten}
_DETAILS = {
    row["gene"]: (row.sources, row["description"]) for row in read_rows("gene_losses") if row["family"] == "suppressor"
}
"""Gene -> sources, what its loss means or how it is counted (``knowledge/data/gene_losses.csv``)."""


def _comutation(study: Study) -> dict[str, Measurement]:
    name, method = "kras_comutation", "Listed KRAS mutations; truncating hits or deletions of STK11 and KEAP1"
    citation = ("skoulidis2018", "arbour2018")
    states = gene_states(study, _LOOKED_UP)
    measurements: dict[str, Measurement] = {}
    for patient in study.patient_ids:
        kras = states[patient, "KRAS"]
        listed = [h for h in kras.hits if match("KRAS", h)]
        losses = {g: loss_state(g, states[patient, g])[0] for g in ("STK11", "KEAP1")}
        lost = [g for g, w in losses.items() if w in INACTIVATED]
        unseen = [
            g
            for g, w in losses.items()
            if w is None or w in ("no_mutation_copies_unseen", "variant_of_unknown_significance")
        ]
        value: str | None
        if not listed and kras.sequenced is not True:
            value, note = None, "KRAS is not on the panel, or the panel's genes are not known"
        elif not listed:
            value, note = "kras_wild_type", "no listed KRAS mutation"
            if not kras.enough:
                value, note = None, f"no listed KRAS mutation, but {kras.content.why}"
        elif unseen and not lost:
            value, note = None, f"KRAS is mutated, but {' and '.join(unseen)} could not be assessed"
        else:
            value = "+".join(["KRAS", *lost])
            note = "; ".join([*(h.label for h in listed), *(f"{g} {state_words(losses[g] or '')}" for g in lost)])
        if value is None:
            measurements[patient] = Measurement.not_assessable(name, "", note, method=method, citation=citation)
        else:
            measurements[patient] = Measurement(
                name, value, "", "measured", method=method, citation=citation, note=note
            )
    return measurements


for _gene in GENES:
    _citation, _note = _DETAILS[_gene]
    register(
        Biomarker(
            name=f"{_gene.lower()}_status",
            title=f"{_gene} loss",
            family="suppressor",
            unit="",
            definition=f"State of the tumour suppressor {_gene}; {_note}.",
            function=loss_function(f"{_gene.lower()}_status", _gene, _LOOKED_UP, _citation, EXTRA.get(_gene)),
            needs=("mutations", "copy_number", "segments", "structural_variants"),
            words=LOSS_STATES,
            thresholds="homozygous deletion below 0.5 copies (discrete <= -1.5); 0.5 to 0.7 copies: subclonal",
            references=_citation,
            limits="Published cohorts often count any protein-altering change, which includes variants of unknown "
            "significance; without allele-specific copy number, a single hit is reported as monoallelic.",
        )
    )

register(
    Biomarker(
        name="kras_comutation",
        title="KRAS with STK11 and KEAP1",
        family="suppressor",
        unit="",
        definition="Activating KRAS mutation alone or with an inactivating alteration of STK11 or KEAP1.",
        function=_comutation,
        needs=("mutations",),
        words=COMUTATION_CLASSES,
        references=("skoulidis2018", "arbour2018"),
    )
)
