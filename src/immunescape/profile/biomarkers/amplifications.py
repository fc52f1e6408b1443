"""High-level amplification of MDM2, CD274 (PD-L1) and MET."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.biomarkers.alterations import gene_states
from immunescape.profile.biomarkers.registry import Biomarker, register
from immunescape.profile.study import Study

__all__ = ["GENES"]

GENES: dict[str, tuple[str, float, str, str]] = {
    "mdm2_amplification": ("MDM2", 6.0, "kato2017", "goes with fast progression under checkpoint inhibitors"),
    "cd274_amplification": ("CD274", 6.0, "goodman2018", "PD-L1 by gene dose"),
    "met_amplification": ("MET", 10.0, "wolf2020", "target of MET inhibitors at 10 copies or more"),
}
"""Name -> gene, copies from which it is amplified, source, what it means."""


def _function(name: str) -> Callable[[Study], Mapping[str, Measurement]]:
    gene, limit, source, _ = GENES[name]
    method = f"Discrete copy number 2, or at least {limit:g} copies"

    def function(study: Study) -> dict[str, Measurement]:
        states = gene_states(study, [g for g, *_ in GENES.values()])
        found: dict[str, Measurement] = {}
        for patient in study.patient_ids:
            state = states[patient, gene]
            fields = {"method": method, "citation": (source,)}
            if not math.isnan(state.total):
                note = f"{state.total:.4g} copies"
                value: bool | None = bool(state.total >= limit)
            elif not math.isnan(state.discrete):
                note, value = f"discrete copy number {state.discrete:g}", bool(state.amplified)
            elif state.copies is True:
                note, value = "no copy-number change listed", False
            else:
                why = "is not on the panel" if state.copies is False else "may not be on the panel"
                note, value = f"copy number of {gene} {why}", None
            if value is None:
                found[patient] = Measurement.not_assessable(name, "", note, **fields)
            else:
                found[patient] = Measurement(name, value, "", "measured", note=note, **fields)  # type: ignore[arg-type]
        return found

    return function


for _name, (_gene, _limit, _source, _meaning) in GENES.items():
    register(
        Biomarker(
            name=_name,
            title=f"{_gene} amplification",
            family="amplification",
            unit="",
            definition=f"Whether {_gene} is amplified: {_meaning}.",
            function=_function(_name),
            needs=("copy_number",),
            thresholds=f"discrete 2 or >= {_limit:g} copies",
            references=(_source,),
            limits="Absolute thresholds need purity-corrected copy number."
            + (" The threshold of 6 copies is assumed as for CD274." if _gene == "MDM2" else ""),
        )
    )
