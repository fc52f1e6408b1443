"""Tumour mutational burden, with its exact Poisson interval, aware of the panel."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy.special import gammaincinv

from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.biomarkers.alterations import NONSYNONYMOUS
from immunescape.profile.biomarkers.registry import Biomarker, register, shared
from immunescape.profile.study import Panel, Study

__all__ = ["poisson_interval", "tumour_sample"]

_CITATION = ("merino2020", "garwood1936")
_SILENT = ("Silent", "Synonymous_Mutation")


def poisson_interval(count: int, level: float = 0.95) -> tuple[float, float]:
    """Return Garwood's exact interval of a Poisson mean.

    Parameters
    ----------
    count
        Observed number of events.
    level
        Confidence level.
    """
    tail = (1 - level) / 2
    low = float(gammaincinv(count, tail)) if count else 0.0
    return low, float(gammaincinv(count + 1, 1 - tail))


_interval = lru_cache(maxsize=4096)(poisson_interval)


def tumour_sample(study: Study) -> dict[str, tuple[str, int]]:
    """Return the sample whose mutations represent each patient, and how many samples were sequenced.

    The last sample before or at the start of immunotherapy if days are known, else the first by name. Samples listed as
    not sequenced are excluded.
    """
    looked = study.assessed.get("mutations")
    rows: dict[str, list[tuple[float, str]]] = {}
    for patient, sample, day in study.samples[["patient", "sample", "day"]].to_numpy(dtype=object).tolist():
        if looked is None or sample in looked:
            rows.setdefault(patient, []).append((math.nan if day is None else float(day), sample))
    chosen: dict[str, tuple[str, int]] = {}
    for patient, variants in rows.items():
        before = [r for r in variants if r[0] <= 0]
        best = max(before) if before else min(variants, key=lambda r: (math.isnan(r[0]), r[0], r[1]))
        chosen[patient] = (best[1], len(variants))
    return chosen


def _counts(study: Study) -> dict[str, tuple[int, int]]:
    """Return sample -> (nonsynonymous, synonymous) distinct somatic mutations."""
    frame = study.mutations
    somatic = frame[np.array([g is not True for g in frame["germline"]], dtype=bool)]
    distinct = somatic.drop_duplicates(["sample", "gene", "chrom", "start", "ref", "alt", "protein_change"])
    kind = distinct["classification"]
    counted = (
        distinct.assign(changes=(kind.isin(NONSYNONYMOUS)).astype(int), silent=kind.isin(_SILENT).astype(int))
        .groupby("sample")[["changes", "silent"]]
        .sum()
    )
    return {str(s): (int(a), int(b)) for s, (a, b) in zip(counted.index, counted.to_numpy(), strict=True)}


def _panels(study: Study) -> dict[str, Panel | None]:
    return {
        sample: study.panels.get(panel) if isinstance(panel, str) else None
        for sample, panel in zip(study.samples["sample"], study.samples["panel"], strict=True)
    }


def _count(study: Study) -> dict[str, Measurement]:
    name, method = "tmb_nonsynonymous_count", "Distinct somatic mutations that alter the protein or a splice site"
    if not study.has("mutations"):
        return {}
    counts = shared(study, "tmb_counts", _counts)
    panels, listed = _panels(study), study.assessed.get("mutations", frozenset())
    source = study.sources.get("mutations", ())
    measurements: dict[str, Measurement] = {}
    for patient, (sample, number) in shared(study, "tumour_sample", tumour_sample).items():
        if sample not in counts and panels.get(sample) is None and sample not in listed:
            why = f"sample {sample} has no mutation and is not known to have been sequenced"
            measurements[patient] = Measurement.not_assessable(
                name, "1", why, method=method, citation=_CITATION, sample=sample
            )
            continue
        changes, silent = counts.get(sample, (0, 0))
        note = f"{silent} synonymous mutations in the file are not counted"
        if number > 1:
            note += f"; sample {sample} of {number}"
        measurements[patient] = Measurement(
            name,
            float(changes),
            "1",
            "measured",
            method=method,
            citation=_CITATION,
            source=source,
            note=note,
            sample=sample,
        )
    return measurements


def _reported(study: Study) -> dict[str, tuple[float, str]]:
    chosen = shared(study, "tumour_sample", tumour_sample)
    frame = study.samples[["sample", "patient", "tmb"]]
    frame = frame[frame["tmb"].notna()]
    values = {s: (p, float(v)) for s, p, v in frame.to_numpy(dtype=object).tolist()}
    rates: dict[str, tuple[float, str]] = {}
    for sample in sorted(values):
        patient, value = values[sample]
        if patient not in rates or chosen.get(patient, ("", 0))[0] == sample:
            rates[patient] = (value, sample)
    return rates


def _tmb(study: Study) -> dict[str, Measurement]:
    name, unit = "tmb", "1/megabase"
    method = "Nonsynonymous mutations per megabase of the sequenced coding region; exact Poisson interval"
    panels = _panels(study)
    given = _reported(study)
    counts = shared(study, "tmb_counts", _counts) if study.has("mutations") else {}
    chosen = shared(study, "tumour_sample", tumour_sample) if study.has("mutations") else {}
    measurements: dict[str, Measurement] = {}
    for patient in study.patient_ids:
        sample = chosen[patient][0] if patient in chosen else None
        panel = panels.get(sample) if sample else None
        reported = given.get(patient)
        if sample and panel is not None and panel.megabases:
            changes = counts.get(sample, (0, 0))[0]
            low, high = _interval(changes)
            region = "exome" if panel.whole_exome else f"panel {panel.name}"
            note = (
                f"{changes} mutations in {panel.megabases:g} Mb ({region}); synonymous mutations are not counted; not "
                "converted to another panel or to exome scale"
            )
            value = changes / panel.megabases
            if reported and not low <= reported[0] * panel.megabases <= high:
                note += f"; the file reports {reported[0]:.3g}, outside the interval"
            elif reported:
                note += f"; the file reports {reported[0]:.3g}"
            measurements[patient] = Measurement(
                name,
                value,
                unit,
                "measured",
                method=method,
                citation=_CITATION,
                low=low / panel.megabases,
                high=high / panel.megabases,
                source=study.sources.get("mutations", ()),
                note=note,
                sample=sample,
            )
        elif reported:
            measurements[patient] = Measurement(
                name,
                reported[0],
                unit,
                "measured",
                method="As reported in the file",
                citation=("merino2020",),
                source=study.sources.get("samples", ()),
                sample=reported[1],
                note="as reported; panel, filters and handling of synonymous mutations are those of the "
                "reporting laboratory",
            )
        elif sample:
            lack = (
                "the sample's panel is not known"
                if panel is None
                else f"the size of panel {panel.name} in megabases is not known"
            )
            measurements[patient] = Measurement.not_assessable(
                name, unit, lack, method=method, citation=_CITATION, sample=sample
            )
    return measurements


register(
    Biomarker(
        name="tmb",
        title="Tumour mutational burden",
        family="tmb",
        unit="1/megabase",
        definition="Distinct somatic nonsynonymous mutations (missense, truncating, in-frame, splice-site, start and "
        "stop) per megabase of the sequenced coding region. Synonymous, promoter and germline variants are not "
        "counted. Panel-based values are not converted to exome scale. If the size of the panel is not known, only a "
        "value reported in the file is used.",
        function=_tmb,
        needs=("mutations", "samples"),
        thresholds="10 1/megabase",
        references=("merino2020", "zehir2017", "garwood1936"),
        limits="Panels differ in design and filters; the interval reflects the count alone.",
    )
)
register(
    Biomarker(
        name="tmb_nonsynonymous_count",
        title="Nonsynonymous mutations",
        family="tmb",
        unit="1",
        definition="Distinct somatic nonsynonymous mutations of the tumour sample.",
        function=_count,
        needs=("mutations",),
        references=("merino2020",),
        limits="Not comparable between panels of different size.",
    )
)
