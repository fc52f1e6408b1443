"""Defects of DNA damage response and repair."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import immunescape.knowledge
from immunescape.knowledge.profile_records import Measurement
from immunescape.knowledge.tables import read_rows
from immunescape.profile.biomarkers.alterations import gene_states
from immunescape.profile.biomarkers.loss import EXCLUDED, loss_state
from immunescape.profile.biomarkers.registry import Biomarker, register
from immunescape.profile.biomarkers.words import state_words
from immunescape.profile.study import Study

__all__ = ["ddr_genes"]

TABLE = Path(immunescape.knowledge.__file__).parent / "data" / "ddr_genes.csv"


@lru_cache(maxsize=1)
def ddr_genes() -> dict[str, str]:
    """Return the genes of DNA damage response and repair: gene -> pathway."""
    return {row["gene"]: row["pathway"] for row in read_rows("ddr_genes")}


def _defect(study: Study) -> dict[str, Measurement]:
    genes = ddr_genes()
    states = gene_states(study, genes)
    name, method = "ddr_defect", f"A deleterious alteration or deletion in any of {len(genes)} genes"
    measurements: dict[str, Measurement] = {}
    for patient in study.patient_ids:
        hit, unknown, unseen = [], [], []
        rows: list[str] = []
        for gene, pathway in genes.items():
            state = states[patient, gene]
            loss, reason, _ = loss_state(gene, state)
            # a hit with few reads counts here: a defect makes the call "absent", and unreported reads are no better
            if (loss or "").startswith("biallelic") or state.losses or any(h.weak and h.destroys for h in state.hits):
                hit.append(f"{gene} ({state_words(pathway)}): {state_words(loss or 'one hit')}, {reason}")
                rows.extend(h.row for h in state.hits)
            elif loss not in EXCLUDED:
                unseen.append(gene)
                if state.hits:
                    unknown.append(gene)
        coverage = 1 - len(unseen) / len(genes)
        doubtful = f"; of unknown significance: {', '.join(unknown)}" if unknown else ""
        if hit:
            value: bool | None = True
            note = "; ".join(hit) + doubtful
        elif not unseen:
            value, note = False, f"no deleterious alteration{doubtful}"
        else:
            note = f"no deleterious alteration in {len(genes) - len(unseen)} of {len(genes)} genes; not assessable: "
            note += ", ".join(unseen[:6]) + (" …" if len(unseen) > 6 else "") + doubtful
            value = None
        if value is None:
            measurements[patient] = Measurement.not_assessable(
                name, "", note, method=method, citation=("teo2018",), coverage=coverage
            )
        else:
            measurements[patient] = Measurement(
                name,
                value,
                "",
                "measured",
                method=method,
                citation=("teo2018",),
                coverage=coverage,
                note=note,
                source=tuple(dict.fromkeys(rows)),
            )
    return measurements


register(
    Biomarker(
        name="ddr_defect",
        title="DNA damage response defect",
        family="ddr",
        unit="",
        definition="Whether any of 34 genes of DNA damage response and repair has a deleterious alteration: a "
        "truncating, splice-site or structural variant, or a homozygous deletion.",
        function=_defect,
        needs=("mutations", "copy_number", "segments", "structural_variants"),
        thresholds="one deleterious alteration",
        references=("teo2018",),
        limits="The gene set was associated with benefit in urothelial cancer; a single hit does not prove that repair "
        "is deficient. False only if sequence and copy number of all 34 genes were assessed, without a variant of "
        "unknown significance.",
    )
)
