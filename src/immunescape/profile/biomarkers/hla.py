"""HLA class I: heterozygosity of the patient, loss of alleles in the tumour."""

from __future__ import annotations

import math
import re

from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.biomarkers.registry import Biomarker, register, shared
from immunescape.profile.study import Study

__all__ = ["lost_alleles", "short_allele"]

LOST, BAND = 0.5, 0.7
"""An allele below `LOST` copies is lost; from there up to `BAND` it is lost in part of the cells, or noise."""
_P = 0.01
_ALLELE = re.compile(r"(?:HLA[-_]?)?([ABC])[*_-]?(\d{2})[:_]?(\d{2,3})?", re.IGNORECASE)


def short_allele(text: object) -> str | None:
    """Return a class I allele to two fields (``A*02:01``), or None where it is none (A2 alone names no protein)."""
    found = _ALLELE.match(text.strip()) if isinstance(text, str) else None
    if found is None or found.group(3) is None:
        return None
    return f"{found.group(1).upper()}*{found.group(2)}:{found.group(3)}"


def _lost(study: Study) -> dict[str, dict[str, bool | None]]:
    """Return patient -> allele -> lost: True, False, or None where the caller's numbers leave it open."""
    found: dict[str, dict[str, bool | None]] = {}
    columns = ["patient", "allele", "copy_number", "p", "lost"]
    for patient, text, copies, p, lost in study.hla_loh[columns].to_numpy(dtype=object).tolist():
        allele = short_allele(text)
        if allele is None:
            continue
        answer: bool | None = None
        if lost is not None and lost == lost:
            answer = bool(lost)
        elif copies is not None and not math.isnan(copies):
            significant = p is None or math.isnan(p) or p < _P
            if copies < LOST:
                answer = True if significant else None
            elif copies >= BAND:
                answer = False
        known = found.setdefault(patient, {})
        known[allele] = answer if known.get(allele) is None else known[allele] or answer
    return found


def lost_alleles(study: Study) -> dict[str, dict[str, bool | None]]:
    """Return patient -> allele (two fields) -> lost in the tumour: True, False or None (open)."""
    return shared(study, "lost_alleles", _lost)


def _genotypes(study: Study) -> dict[str, dict[str, set[str]]]:
    found: dict[str, dict[str, set[str]]] = {}
    counts: dict[tuple[str, str], int] = {}
    for patient, text in study.hla[["patient", "allele"]].to_numpy(dtype=object).tolist():
        allele = short_allele(text)
        if allele is not None:
            found.setdefault(patient, {}).setdefault(allele[0], set()).add(allele)
            counts[patient, allele[0]] = counts.get((patient, allele[0]), 0) + 1
    for patient, loci in found.items():
        for locus in [x for x in loci if counts[patient, x] < 2]:
            del loci[locus]
    return found


def _loh(study: Study) -> dict[str, Measurement]:
    name, citation = "hla_loh", ("mcgranahan2017",)
    method = "Copy number of each HLA class I allele: as the caller says, else below 0.5 copies with p < 0.01"
    source = study.sources.get("hla_loh", ())
    genotypes = shared(study, "hla_genotypes", _genotypes)
    found: dict[str, Measurement] = {}
    for patient, alleles in lost_alleles(study).items():
        gone = sorted(a for a, lost in alleles.items() if lost)
        unclear = sorted(a for a, lost in alleles.items() if lost is None)
        fields = {"method": method, "citation": citation, "source": source}
        if gone:
            note = f"lost: {', '.join(gone)}" + (f"; open: {', '.join(unclear)}" if unclear else "")
            found[patient] = Measurement(name, True, "", "measured", note=note, **fields)  # type: ignore[arg-type]
        elif unclear:
            why = f"copy number between {LOST} and {BAND}, or not significant, or missing: {', '.join(unclear)}"
            found[patient] = Measurement.not_assessable(name, "", why, **fields)
        else:
            note = f"no allele lost among {', '.join(sorted(alleles))}"
            found[patient] = Measurement(name, False, "", "measured", note=note, **fields)  # type: ignore[arg-type]
    for patient, loci in genotypes.items():
        if patient not in found and study.has("hla_loh"):
            same = len(loci) == 3 and all(len(a) == 1 for a in loci.values())
            if same:
                why = "homozygous at HLA-A, -B and -C: loss of heterozygosity cannot be seen"
                found[patient] = Measurement.not_assessable(name, "", why, method=method, citation=citation)
    return found


def _heterozygosity(study: Study) -> dict[str, Measurement]:
    name, citation = "hla_heterozygosity", ("chowell2018",)
    method = "Number of HLA class I loci (A, B, C) with two different alleles at two fields"
    source = study.sources.get("hla", ())
    found: dict[str, Measurement] = {}
    for patient, loci in shared(study, "hla_genotypes", _genotypes).items():
        if len(loci) < 3:
            missing = ", ".join(sorted({"A", "B", "C"} - loci.keys()))
            found[patient] = Measurement.not_assessable(
                name,
                "1",
                f"two alleles at two fields are not given for HLA-{missing}",
                method=method,
                citation=citation,
                source=source,
                coverage=len(loci) / 3,
            )
            continue
        count = sum(len(a) == 2 for a in loci.values())
        listed = ", ".join(sorted(a for alleles in loci.values() for a in alleles))
        found[patient] = Measurement(
            name,
            float(count),
            "1",
            "measured",
            method=method,
            citation=citation,
            source=source,
            note=listed,
            coverage=1.0,
        )
    return found


register(
    Biomarker(
        name="hla_loh",
        title="HLA class I loss of heterozygosity",
        family="hla",
        unit="",
        definition="Whether the tumour lost at least one HLA class I allele.",
        function=_loh,
        needs=("hla_loh",),
        thresholds="allele below 0.5 copies with p < 0.01; 0.5 to 0.7 copies is left open",
        references=("mcgranahan2017",),
        limits="Low purity hides it; patients homozygous at all loci are not assessable.",
    )
)
register(
    Biomarker(
        name="hla_heterozygosity",
        title="HLA class I heterozygosity",
        family="hla",
        unit="1",
        definition="Number of loci among HLA-A, -B and -C with two different alleles (0 to 3).",
        function=_heterozygosity,
        needs=("hla",),
        thresholds="3 (fully heterozygous)",
        references=("chowell2018",),
    )
)
