"""High-level amplification of MDM2, MDM4, CD274 (PD-L1) and MET."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from immunescape.knowledge.profile_records import Measurement
from immunescape.knowledge.tables import read_rows
from immunescape.profile.biomarkers.alterations import GeneState, gene_states
from immunescape.profile.biomarkers.gene_copies import PLOIDIES, sample_ploidy
from immunescape.profile.biomarkers.registry import Biomarker, register
from immunescape.profile.study import Study

__all__ = ["GENES"]

GENES: dict[str, tuple[str, float, bool, str, str]] = {
    row["name"]: (
        row["gene"],
        row.number("copies"),
        row.choice("follows_ploidy", ("yes", "no")) == "yes",
        row["source"],
        row["meaning"],
    )
    for row in read_rows("gene_amplifications")
}
"""Name -> gene, copies from which a diploid tumour is amplified, whether ploidy shifts this limit, source, meaning
(``knowledge/data/gene_amplifications.csv``)."""
LEAST_PLOIDY = 1.5
"""Ploidy below which the limit no longer falls (assumed; a near-haploid tumour is rarer than a wrong fit)."""


def _limits(limit: float, moves: bool, ploidy: float) -> tuple[float, float]:
    """Return the range of copies from which the gene counts as amplified: 4 above ploidy for a limit of 6."""
    if not moves:
        return limit, limit
    if ploidy > 0:
        above = max(ploidy, LEAST_PLOIDY) + limit - 2.0
        return above, above
    return LEAST_PLOIDY + limit - 2.0, PLOIDIES[1] + limit - 2.0


def _sample(state: GeneState, gene: str, limits: tuple[float, float], ploidy: float) -> tuple[bool | None, str]:
    """Return whether a gene is amplified in one sample, and why."""
    low, high, absolute = state.low, state.high, not math.isnan(state.total)
    relative = f" in a tumour of ploidy {ploidy:.2g}" if ploidy > 0 and not math.isnan(ploidy) else ""
    if absolute:
        low = high = state.total
        note = f"{state.total:.4g} copies{relative}"
    elif not math.isnan(low):
        note = state.copies_label or state.copies_why
    elif not math.isnan(state.discrete):
        note = f"discrete copy number {state.discrete:g}"
        if state.amplified:
            return True, note
        return (False, note) if state.enough else (None, f"{note}, but {state.content.why}")
    else:
        return None, state.copies_why or f"copy number of {gene} was not assessed"
    if low >= limits[1]:
        return True, note
    if high < limits[0] and not state.enough:
        return None, f"{note}, but {state.content.why}"
    if high < limits[0]:
        return False, note
    return (
        None,
        f"{note}: the threshold for amplification lies between {limits[0]:.3g} and {limits[1]:.3g} copies, as ploidy "
        "is not given",
    )


def _function(name: str) -> Callable[[Study], Mapping[str, Measurement]]:
    gene, limit, moves, source, _ = GENES[name]
    above = f" at ploidy 2 (ploidy + {limit - 2:g})" if moves else ""
    method = f"Discrete copy number 2, or at least {limit:g} copies{above}"

    def function(study: Study) -> dict[str, Measurement]:
        states = gene_states(study, [g for g, *_ in GENES.values()])
        ploidies = sample_ploidy(study)
        measurements: dict[str, Measurement] = {}
        for patient in study.patient_ids:
            answers = []
            for state in states[patient, gene].samples:
                ploidy = ploidies.get(state.sample, math.nan)
                answers.append(_sample(state, gene, _limits(limit, moves, ploidy), ploidy))
            looked = [a for a in answers if a[0] is not None]
            value, note = max(looked, key=lambda a: a[0] is True) if looked else answers[0]
            fields = {"method": method, "citation": (source,)}
            if value is None:
                measurements[patient] = Measurement.not_assessable(name, "", note, **fields)
            else:
                measurements[patient] = Measurement(name, value, "", "measured", note=note, **fields)  # type: ignore[arg-type]
        return measurements

    return function


def _either_mdm(study: Study) -> dict[str, Measurement]:
    name, fields = "mdm2_mdm4_amplification", {"method": "Amplification of MDM2 or MDM4", "citation": ("kato2017",)}
    first, second = _function("mdm2_amplification")(study), _function("mdm4_amplification")(study)
    states = gene_states(study, [g for g, *_ in GENES.values()])
    measurements: dict[str, Measurement] = {}
    for patient in study.patient_ids:
        a, b = first[patient], second[patient]
        unseen = not any(s.copies is True or s.copies_why for s in states[patient, "MDM4"].samples)
        note = f"MDM2: {a.note}; MDM4: {b.note}"
        if a.value is True or b.value is True:
            measurements[patient] = Measurement(name, True, "", "measured", note=note, **fields)  # type: ignore[arg-type]
        elif a.value is False and (b.value is False or unseen):
            measurements[patient] = Measurement(name, False, "", "measured", note=note, **fields)  # type: ignore[arg-type]
        else:
            measurements[patient] = Measurement.not_assessable(name, "", note, **fields)
    return measurements


register(
    Biomarker(
        name="mdm2_mdm4_amplification",
        title="MDM2 or MDM4 amplification",
        family="amplification",
        unit="",
        definition="Whether MDM2 or MDM4 is amplified. False requires MDM2; MDM4 is assessed if its copy number is "
        "given.",
        function=_either_mdm,
        needs=("copy_number", "segments"),
        thresholds="as for MDM2 and MDM4",
        references=("kato2017",),
        limits="If the copy number of MDM4 was not assessed, false refers to MDM2 only, with a note.",
    )
)

for _name, (_gene, _limit, _moves, _source, _meaning) in GENES.items():
    register(
        Biomarker(
            name=_name,
            title=f"{_gene} amplification",
            family="amplification",
            unit="",
            definition=f"Whether {_gene} is amplified: {_meaning}.",
            function=_function(_name),
            needs=("copy_number", "segments"),
            thresholds=f"discrete 2 or >= {_limit:g} copies"
            + (f" at ploidy 2; otherwise ploidy + {_limit - 2:g} (assumed)" if _moves else ""),
            references=(_source,),
            limits="Absolute thresholds need purity-corrected copy number."
            + (" The threshold of 6 copies is assumed as for CD274." if _gene.startswith("MDM") else ""),
        )
    )
