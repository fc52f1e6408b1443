"""HLA class I: heterozygosity of the patient, loss of alleles in the tumour."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.biomarkers.alterations import gene_states
from immunescape.profile.biomarkers.registry import Biomarker, register, shared
from immunescape.profile.study import Study

__all__ = ["lost_alleles", "short_allele"]

LOST, BAND = 0.5, 0.7
"""An allele below `LOST` copies is lost; from there up to `BAND` it may be lost in a subset of cells, or be noise."""
_P = 0.01
LARGEST_GRANTHAM = 215.0
"""Largest distance in Grantham's matrix (cysteine to tryptophan)."""
_ALLELE = re.compile(r"(?:HLA[-_]?)?([ABC])[*_-]?(\d{2})[:_]?(\d{2,3})?", re.IGNORECASE)


def short_allele(text: object) -> str | None:
    """Return a class I allele to two fields (``A*02:01``), or None otherwise (A2 alone does not identify a protein)."""
    match = _ALLELE.match(text.strip()) if isinstance(text, str) else None
    if match is None or match.group(3) is None:
        return None
    return f"{match.group(1).upper()}*{match.group(2)}:{match.group(3)}"


def _answer(copies: float, p: float, lost: object, caller: str) -> bool | None:
    """Return whether the allele of a row is lost; None if its numbers are inconclusive."""
    if lost is not None and lost == lost:
        return bool(lost)
    if math.isnan(copies) or (caller.startswith("lohhla") and math.isnan(p)):
        return None  # LOHHLA gives no p value if too few positions distinguish the two alleles
    if copies < LOST:
        return True if math.isnan(p) or p < _P else None
    return False if copies >= BAND else None


def _lost(study: Study) -> dict[str, dict[str, bool | None]]:
    """Return patient -> allele -> lost: True, False, or None if the caller's numbers are inconclusive.

    Several rows of one allele are the two copies of a homozygous locus (retained if one copy is retained), else several
    samples (lost if one sample lost it).
    """
    rows: dict[str, dict[str, list[bool | None]]] = {}
    columns = ["patient", "allele", "copy_number", "p", "lost", "caller"]
    for patient, text, copies, p, lost, caller in study.hla_loh[columns].to_numpy(dtype=object).tolist():
        allele = short_allele(text)
        if allele is None:
            continue
        number, chance = (math.nan if x is None else float(x) for x in (copies, p))
        caller_name = caller.casefold() if isinstance(caller, str) else ""
        rows.setdefault(patient, {}).setdefault(allele, []).append(_answer(number, chance, lost, caller_name))
    lost_alleles: dict[str, dict[str, bool | None]] = {}
    for patient, alleles in rows.items():
        same = _homozygous(study, patient, alleles)
        answers = lost_alleles.setdefault(patient, {})
        for allele, seen in alleles.items():
            if allele[0] in same:
                answers[allele] = False if False in seen else (True if all(seen) else None)
            else:
                answers[allele] = True if True in seen else (None if None in seen else False)
    return lost_alleles


def _homozygous(study: Study, patient: str, alleles: Mapping[str, Sequence[object]]) -> set[str]:
    """Return the loci at which both alleles of a patient are the same, by typing or by the rows of the caller."""
    typed = shared(study, "hla_genotypes", _genotypes).get(patient, {})
    same = {locus for locus, names in typed.items() if len(names) == 1}
    for locus in {a[0] for a in alleles} - typed.keys():
        listed = [a for a in alleles if a[0] == locus]
        if len(listed) == 1 and len(alleles[listed[0]]) > 1:
            same.add(locus)
    return same


def lost_alleles(study: Study) -> dict[str, dict[str, bool | None]]:
    """Return patient -> allele (two fields) -> lost in the tumour: True, False or None (open)."""
    return shared(study, "lost_alleles", _lost)


def _genotypes(study: Study) -> dict[str, dict[str, set[str]]]:
    alleles: dict[str, dict[str, set[str]]] = {}
    counts: dict[tuple[str, str], int] = {}
    for patient, text in study.hla[["patient", "allele"]].to_numpy(dtype=object).tolist():
        allele = short_allele(text)
        if allele is not None:
            alleles.setdefault(patient, {}).setdefault(allele[0], set()).add(allele)
            counts[patient, allele[0]] = counts.get((patient, allele[0]), 0) + 1
    for patient, loci in alleles.items():
        for locus in [x for x in loci if counts[patient, x] < 2]:
            del loci[locus]
    return alleles


def _unseen(study: Study, patient: str, alleles: Mapping[str, bool | None], same: set[str]) -> list[str]:
    """Return what must still be assessed before all alleles can be called retained: loci, or alleles of a locus."""
    typed = shared(study, "hla_genotypes", _genotypes).get(patient, {})
    missing = []
    for locus in sorted({"A", "B", "C"} - same):
        listed = {a for a in alleles if a[0] == locus}
        if not listed:
            missing.append(f"HLA-{locus}")
        elif locus in typed:
            missing.extend(sorted(typed[locus] - listed))
        elif len(listed) == 1:
            missing.append(f"the second allele of HLA-{locus}")
    return missing


def _loh(study: Study) -> dict[str, Measurement]:
    name, citation = "hla_loh", ("mcgranahan2017",)
    method = "Copy number of each HLA class I allele: lost as called by the tool, else below 0.5 copies with p < 0.01"
    source = study.sources.get("hla_loh", ())
    genotypes = shared(study, "hla_genotypes", _genotypes)
    truncated = _truncated(study)
    measurements: dict[str, Measurement] = {}
    fields = {"method": method, "citation": citation, "source": source}
    for patient, every in lost_alleles(study).items():
        listed = {a: [None] * int(n) for a, n in _rows_of(study, patient).items()}
        same = _homozygous(study, patient, listed)
        alleles = {a: lost for a, lost in every.items() if a[0] not in same}  # no second allele, so none to lose
        gone = sorted(a for a, lost in alleles.items() if lost)
        unclear = sorted(a for a, lost in alleles.items() if lost is None)
        missing = _unseen(study, patient, alleles, same)
        if gone:
            shown = [f"{a} (truncating mutation)" if (patient, a) in truncated else a for a in gone]
            note = f"lost: {', '.join(shown)}" + (f"; inconclusive: {', '.join(unclear)}" if unclear else "")
            measurements[patient] = Measurement(name, True, "", "measured", note=note, **fields)  # type: ignore[arg-type]
        elif len(same) == 3:
            why = "homozygous at HLA-A, -B and -C: loss of heterozygosity cannot be detected"
            measurements[patient] = Measurement.not_assessable(name, "", why, **fields)
        elif unclear:
            why = f"copy number between {LOST} and {BAND}, without significance, or missing: {', '.join(unclear)}"
            measurements[patient] = Measurement.not_assessable(name, "", why, **fields)
        elif missing:
            why = f"no loss among {', '.join(sorted(alleles)) or 'the alleles given'}, but not assessed: "
            measurements[patient] = Measurement.not_assessable(name, "", why + ", ".join(missing), **fields)
        else:
            note = f"no allele lost among {', '.join(sorted(alleles))}"
            note += f"; homozygous: {', '.join(f'HLA-{x}' for x in sorted(same))}" if same else ""
            measurements[patient] = Measurement(name, False, "", "measured", note=note, **fields)  # type: ignore[arg-type]
    for patient, loci in genotypes.items():
        if patient not in measurements and study.has("hla_loh"):
            same_all = len(loci) == 3 and all(len(a) == 1 for a in loci.values())
            if same_all:
                why = "homozygous at HLA-A, -B and -C: loss of heterozygosity cannot be detected"
                measurements[patient] = Measurement.not_assessable(name, "", why, method=method, citation=citation)
    for patient, note in _by_gene(study).items():
        if patient not in measurements or measurements[patient].value is None:
            measurements[patient] = Measurement(name, True, "", "measured", note=note, **fields)  # type: ignore[arg-type]
    return measurements


def _by_gene(study: Study) -> dict[str, str]:
    """Return patient -> loss of heterozygosity by the minor copy number of HLA-A, -B or -C at a heterozygous locus.

    It can only show a loss, not exclude one: segments do not resolve small losses of a single HLA gene.
    """
    if not any(study.has(kind) for kind in ("copy_number", "segments")):
        return {}
    states = gene_states(study, ("HLA-A", "HLA-B", "HLA-C"))
    typed = shared(study, "hla_genotypes", _genotypes)
    homozygous = {}
    for patient in study.patient_ids:
        lost = [
            f"HLA-{locus} ({s.minor:.2g} of {s.total:.3g} copies are of the minor allele)"
            for locus in "ABC"
            for s in states[patient, f"HLA-{locus}"].samples
            if s.minor < LOST and len(typed.get(patient, {}).get(locus, ("", ""))) == 2
        ]
        if lost:
            homozygous[patient] = f"loss of heterozygosity by copy number of {', '.join(dict.fromkeys(lost))}"
    return homozygous


def _rows_of(study: Study, patient: str) -> dict[str, int]:
    """Return allele -> number of rows that a patient has for it."""

    def count(whole: Study) -> dict[str, dict[str, int]]:
        counts: dict[str, dict[str, int]] = {}
        for owner, text in whole.hla_loh[["patient", "allele"]].to_numpy(dtype=object).tolist():
            allele = short_allele(text)
            if allele is not None:
                by = counts.setdefault(owner, {})
                by[allele] = by.get(allele, 0) + 1
        return counts

    return shared(study, "hla_loh_rows", count).get(patient, {})


def _truncated(study: Study) -> set[tuple[str, str]]:
    """Return (patient, allele) where the caller found a truncating somatic mutation in the allele."""
    frame = study.hla_loh
    if "truncating" not in frame.columns:
        return set()
    pairs = frame.loc[frame["truncating"] == True, ["patient", "allele"]].to_numpy(dtype=object).tolist()  # noqa: E712
    return {(p, a) for p, text in pairs if (a := short_allele(text)) is not None}


def _heterozygosity(study: Study) -> dict[str, Measurement]:
    name, citation = "hla_heterozygosity", ("chowell2018",)
    method = "Number of HLA class I loci (A, B, C) with two different alleles at two fields"
    source = study.sources.get("hla", ())
    measurements: dict[str, Measurement] = {}
    for patient, loci in shared(study, "hla_genotypes", _genotypes).items():
        if len(loci) < 3:
            missing = ", ".join(sorted({"A", "B", "C"} - loci.keys()))
            measurements[patient] = Measurement.not_assessable(
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
        measurements[patient] = Measurement(
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
    return measurements


_HED = ("hla_evolutionary_divergence", "hed", "mean_hed", "hla_divergence", "hed_class_i", "hed_mean")


def _divergence(study: Study) -> dict[str, Measurement]:
    name, citation = "hla_evolutionary_divergence", ("pierini2018", "chowell2019")
    column = next((c for c in study.patients.columns if str(c).casefold().replace(" ", "_") in _HED), None)
    measurements: dict[str, Measurement] = {}
    if column is None:
        return measurements
    fields = {"method": "As reported in the patients table", "citation": citation}
    source = study.sources.get("patients", ())
    for patient, value in zip(study.patients["patient"], study.patients[column], strict=True):
        try:
            number = math.nan if value is None else float(value)
        except (TypeError, ValueError):
            number = math.nan
        if math.isnan(number):
            continue
        if not 0 <= number <= LARGEST_GRANTHAM:
            why = f"{number:g} in '{column}' is not a mean Grantham distance (0 to {LARGEST_GRANTHAM:g})"
            measurements[patient] = Measurement.not_assessable(name, "1", why, **fields)
            continue
        note = f"as reported in '{column}'; how it was computed is not known"
        fields_of = {**fields, "source": source, "note": note}
        measurements[patient] = Measurement(name, number, "1", "measured", **fields_of)  # type: ignore[arg-type]
    return measurements


register(
    Biomarker(
        name="hla_loh",
        title="HLA class I loss of heterozygosity",
        family="hla",
        unit="",
        definition="Whether the tumour has lost at least one HLA class I allele of a heterozygous locus, by copy "
        "number or by a truncating somatic mutation of that allele, or the minor copy number of the gene is 0 and the "
        "locus is not homozygous by typing. To exclude a loss, both alleles of HLA-A, -B and -C must have been "
        "assessed, unless the locus is homozygous by typing.",
        function=_loh,
        needs=("hla_loh", "copy_number", "segments"),
        thresholds="allele below 0.5 copies with p < 0.01; 0.5 to 0.7 copies is inconclusive",
        references=("mcgranahan2017",),
        limits="Low purity can mask a loss; patients homozygous at all loci are not assessable. Zero copies of every "
        "allele are taken to mean that no tumour sample was analysed.",
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
register(
    Biomarker(
        name="hla_evolutionary_divergence",
        title="HLA class I evolutionary divergence",
        family="hla",
        unit="1",
        definition="Mean Grantham distance between the peptide-binding domains of the two alleles, over HLA-A, -B and "
        "-C, as reported in a column `hla_evolutionary_divergence` or `HED` of the patients table.",
        function=_divergence,
        needs=("patients",),
        thresholds="none accepted",
        references=("pierini2018", "chowell2019"),
        limits="Taken as reported: the HLA allele sequences from which it is computed are not included.",
    )
)
