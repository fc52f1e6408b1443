"""T cell receptor repertoire: richness, Hill numbers and clonality, at one fixed depth.

Richness increases with sequencing depth, so every value refers to `DEPTH` productive templates of one T cell receptor
locus: TRB if it is deep enough, else the locus with the most templates; immunoglobulin loci are never counted. Values
are rarefied exactly in larger samples, extrapolated from at least half that depth, and not assessable below. Clones are
defined by identical junctions (amino acids). No value depends on other patients.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.biomarkers.diversity import coverage, hill_at
from immunescape.profile.biomarkers.registry import Biomarker, register, shared
from immunescape.profile.receptor_loci import T_CELL_LOCI
from immunescape.profile.study import Study

__all__ = ["DEPTH"]

DEPTH = 1000
"""Number of templates to which values refer (assumed: low enough for most bulk samples)."""


@dataclass(frozen=True)
class Repertoire:
    """Counts of the clones of one sample."""

    sample: str | None
    day: float | None
    locus: str
    counts: NDArray[np.float64]
    samples: int
    others: str = ""


def _repertoires(study: Study) -> dict[str, Repertoire]:
    """Return patient -> the repertoire at baseline: the last sample up to day 0, else the first by day and name."""
    frame = study.tcr
    usable = frame[np.array([p is not False for p in frame["productive"]], dtype=bool)]
    usable = usable[usable["junction_aa"].notna() & (usable["duplicate_count"] > 0)]
    usable = usable.assign(sample=usable["sample"].fillna(""), locus=usable["locus"].fillna("TRB"))
    usable = usable[usable["locus"].isin(T_CELL_LOCI)]
    summed = usable.groupby(["patient", "sample", "day", "locus", "junction_aa"], dropna=False)["duplicate_count"].sum()
    groups: dict[tuple[str, str, float, str], list[float]] = {}
    for (patient, sample, day, locus, _), count in zip(summed.index, summed.to_numpy(), strict=True):
        day_or_nan = math.nan if day != day else float(day)  # the same NaN object, so that equal keys compare equal
        groups.setdefault((patient, sample, day_or_nan, locus), []).append(float(count))
    by_patient: dict[str, list[tuple[str, float, str]]] = {}
    for patient, sample, day, locus in groups:
        by_patient.setdefault(patient, []).append((sample, day, locus))
    repertoires: dict[str, Repertoire] = {}
    for patient, keys in by_patient.items():
        templates: dict[str, float] = {}
        for key in keys:
            templates[key[2]] = max(templates.get(key[2], 0.0), sum(groups[patient, *key]))
        deep = templates.get("TRB", 0.0) >= DEPTH / 2
        locus = "TRB" if deep else max(templates, key=lambda x: (templates[x], x == "TRB", x))
        others = ", ".join(f"{x} {n:g}" for x, n in sorted(templates.items()) if x != locus)
        of_locus = [k for k in keys if k[2] == locus]
        before = [k for k in of_locus if k[1] <= 0]
        best = (
            max(before, key=lambda k: (k[1], k[0]))
            if before
            else min(of_locus, key=lambda k: (math.isnan(k[1]), 0 if math.isnan(k[1]) else k[1], k[0]))
        )
        counts = np.sort(np.array(groups[patient, *best]))
        day = None if math.isnan(best[1]) else float(best[1])
        repertoires[patient] = Repertoire(best[0] or None, day, locus, counts, len({k[0] for k in of_locus}), others)
    return repertoires


def _values(study: Study) -> dict[str, tuple[float, float, float]]:
    """Return patient -> Hill numbers 0, 1 and 2 at `DEPTH`, if the sample is deep enough and has integer counts."""
    indices: dict[str, tuple[float, float, float]] = {}
    for patient, r in shared(study, "repertoires", _repertoires).items():
        if r.counts.sum() >= DEPTH / 2 and np.array_equal(r.counts, np.round(r.counts)):
            indices[patient] = (hill_at(r.counts, 0, DEPTH), hill_at(r.counts, 1, DEPTH), hill_at(r.counts, 2, DEPTH))
    return indices


def _value(hills: tuple[float, float, float], what: str) -> float:
    if what == "clonality":
        return 1 - math.log(hills[1]) / math.log(hills[0]) if hills[0] > 1 else 1.0
    return hills[int(what)]


def _function(name: str, what: str) -> Callable[[Study], Mapping[str, Measurement]]:
    citation = ("chao2014", "hill1973")
    method = f"At {DEPTH} productive templates: rarefied, or extrapolated from at least {DEPTH // 2}"

    def function(study: Study) -> dict[str, Measurement]:
        measurements: dict[str, Measurement] = {}
        fields = {"method": method, "citation": citation, "source": study.sources.get("tcr", ())}
        hills = shared(study, "hill_numbers", _values)
        for patient, r in shared(study, "repertoires", _repertoires).items():
            n = float(r.counts.sum())
            fields |= {"sample": r.sample, "day": r.day}  # type: ignore[dict-item]
            if not np.array_equal(r.counts, np.round(r.counts)):
                why = "counts are not integers (frequencies cannot be rarefied)"
                measurements[patient] = Measurement.not_assessable(name, "1", why, **fields)
                continue
            if n < DEPTH / 2:
                why = f"{n:g} templates; {DEPTH // 2} are needed"
                measurements[patient] = Measurement.not_assessable(name, "1", why, **fields)
                continue
            seen = coverage(r.counts)
            note = f"{r.locus}, {r.counts.size} clones among {n:g} templates; sample coverage {seen:.3f}"
            if n < DEPTH:
                note += "; extrapolated"
            if r.others:
                note += f"; templates of other loci, not counted: {r.others}"
            if r.samples > 1:
                note += f"; one of {r.samples} samples"
            measurements[patient] = Measurement(
                name,
                _value(hills[patient], what),
                "1",
                "measured",
                note=note,
                coverage=seen,
                **fields,  # type: ignore[arg-type]
            )
        return measurements

    return function


for _name, _what, _title, _definition in (
    (
        "tcr_richness",
        "0",
        "T cell receptor richness",
        f"Expected number of clones among {DEPTH} templates (Hill number 0).",
    ),
    (
        "tcr_hill_1",
        "1",
        "T cell receptor diversity, order 1",
        "Effective number of clones: exponential of Shannon entropy.",
    ),
    ("tcr_hill_2", "2", "T cell receptor diversity, order 2", "Effective number of dominant clones: inverse Simpson."),
    (
        "tcr_clonality",
        "clonality",
        "T cell receptor clonality",
        "1 minus the ratio of Shannon entropy to the logarithm of richness.",
    ),
):
    register(
        Biomarker(
            name=_name,
            title=_title,
            family="tcr",
            unit="1",
            definition=f"{_definition} At {DEPTH} productive templates of the baseline sample.",
            function=_function(_name, _what),
            needs=("tcr",),
            thresholds="none accepted",
            references=("chao2014", "hill1973", "han2020"),
            limits="Blood and tumour repertoires differ; reads are templates only with molecular barcodes.",
        )
    )
