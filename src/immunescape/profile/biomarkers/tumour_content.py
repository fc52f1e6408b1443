"""Whether the tumour content of a sample is sufficient to conclude that an alteration is absent.

It is if the reported (or derived) purity is at least `LOW_PURITY`, or if two somatic mutations, or one listed driver,
have an allele frequency of at least `EVIDENT_VAF`, as clonal heterozygous mutations have at that purity, or if a long
segment has a log2 ratio as low as that of one lost copy at that purity. In the absence of all of these, an unaltered
gene is not assessable: an unreported purity is treated like a low one.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable

from immunescape.profile.biomarkers.driver_rules import driver_rules, match
from immunescape.profile.biomarkers.gene_copies import sample_purity
from immunescape.profile.biomarkers.gene_state import INFRAME, NONSYNONYMOUS, UNKNOWN_CONTENT, Hit, TumourContent
from immunescape.profile.biomarkers.registry import shared
from immunescape.profile.biomarkers.variant_effects import single_letter_code, variant_effect
from immunescape.profile.study import Study

__all__ = ["EVIDENT_VAF", "LOW_PURITY", "patient_content", "tumour_contents"]

LOW_PURITY = 0.2
"""Purity below which an unaltered gene is not assessable (assumed; callers and panels state 10 to 30 %)."""
EVIDENT_VAF = LOW_PURITY / 2
"""Allele frequency of a clonal heterozygous mutation at that purity, in a diploid tumour."""

LOSS_LOG2, LOSS_BASES, LOSS_PROBES = -0.2, 1e7, 20.0
"""Log2 ratio, length and probes of a segment that demonstrates tumour cells (assumed; loss of one of two copies gives
-0.15 at a purity of 0.2, and noise of single probes averages out)."""


def _evident(study: Study) -> dict[str, str]:
    """Return sample (or patient, for rows without a sample) -> evidence of tumour cells in its reads."""
    frame = study.mutations
    rows = frame[(frame["vaf"] >= EVIDENT_VAF) & (frame["germline"] != True)]  # noqa: E712
    rows = rows[rows["classification"].isin(NONSYNONYMOUS)]
    rules = driver_rules()
    seen: dict[str, list[str]] = defaultdict(list)
    sure: set[str] = set()
    columns = ["sample", "patient", "gene", "classification", "protein_change", "start", "vaf"]
    for sample, patient, gene, kind, protein, start, vaf in rows[columns].to_numpy(dtype=object).tolist():
        owner = str(sample) if isinstance(sample, str) else str(patient)
        change = single_letter_code(protein) if isinstance(protein, str) else ""
        if kind in INFRAME and not change:  # it may be a polymorphism
            continue
        effect = variant_effect(gene, kind, change) if isinstance(gene, str) else None
        if effect is not None and effect.effect == "benign":  # most are germline
            continue
        label = f"{gene} {change or kind} at {vaf:.2f}"
        if label in seen[owner]:
            continue
        seen[owner].append(label)
        if gene in rules and match(
            gene,
            Hit(
                label=label,
                loss=False,
                subclonal=False,
                germline=False,
                classification=kind,
                protein=change,
                row="",
                start=float(start),
            ),
        ):
            sure.add(owner)
            seen[owner].insert(0, seen[owner].pop())
    return {o: "; ".join(labels[:2]) for o, labels in seen.items() if len(labels) >= 2 or o in sure}


def _lost_segments(study: Study) -> dict[str, str]:
    """Return sample -> a long segment that only a lost copy in tumour cells can explain."""
    frame = study.segments
    rows = frame[
        (frame["seg_mean"] <= LOSS_LOG2)
        & (frame["end"] - frame["start"] >= LOSS_BASES)
        & (frame["num_mark"] >= LOSS_PROBES)
        & ~frame["chrom"].isin(("X", "Y", "MT"))
    ]
    evidence: dict[str, str] = {}
    for sample, chrom, mean in rows.sort_values("seg_mean")[["sample", "chrom", "seg_mean"]].to_numpy(dtype=object):
        evidence.setdefault(str(sample), f"a long segment of chromosome {chrom} at log2 {mean:.2f}")
    return evidence


def _content(study: Study) -> dict[str, TumourContent]:
    purity = sample_purity(study)
    reads = _lost_segments(study) if study.has("segments") else {}
    reads |= _evident(study) if study.has("mutations") else {}
    drivers = {}
    for name in {*purity, *reads}:
        p = purity.get(name, math.nan)
        if p >= LOW_PURITY:
            drivers[name] = TumourContent(True, f"purity {p:.2g}", p)
        elif name in reads:
            drivers[name] = TumourContent(True, f"tumour cells are evident from {reads[name]}", p)
        elif p == p:
            drivers[name] = TumourContent(False, f"at a tumour purity of {p:.2g} an alteration may be missed", p)
    return drivers


def tumour_contents(study: Study) -> Callable[[str], TumourContent]:
    """Return the function that gives the tumour content of a sample (or of a patient without named samples)."""
    contents = shared(study, "tumour_content", _content)
    return lambda sample: contents.get(sample, UNKNOWN_CONTENT)


def patient_content(study: Study) -> dict[str, TumourContent]:
    """Return patient -> the most informative tumour content of any sample; for findings that any sample may provide."""
    content = tumour_contents(study)
    content_of = {p: content(p) for p in study.patient_ids}
    order = {True: 2, False: 1, None: 0}
    for patient, sample in study.samples[["patient", "sample"]].to_numpy(dtype=object).tolist():
        of_sample = content(str(sample))
        if patient in content_of and order[of_sample.enough] > order[content_of[patient].enough]:
            content_of[patient] = of_sample
    return content_of
