"""Circulating tumour DNA: baseline, change under treatment, clearance, molecular response.

A sample below the limit of detection is left-censored: its value is the limit, with an interval from 0. Only samples
with the same assay, analyte and unit are compared; several analytes (variants) of one day are averaged, undetected ones
counting as 0 to the limit. The on-treatment sample is the first from day 14 to 70.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from immunescape.knowledge.printed_units import printed_amount, printed_unit
from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.biomarkers.registry import Biomarker, register, shared
from immunescape.profile.study import Study

__all__ = ["Level", "Pair"]

WINDOW = (14.0, 70.0)
EARLIEST = -60.0
RESPONSE = 0.5
_CITATION = ("vega2022", "anagnostou2023")


@dataclass(frozen=True)
class Level:
    """Mean level of a day: bounds, whether anything was detected, and the limit of detection."""

    day: float
    low: float
    high: float
    detected: bool
    limit: float


@dataclass(frozen=True)
class Pair:
    """Baseline and first sample on treatment of one patient, in one unit."""

    unit: str
    assay: str
    baseline: Level | None
    later: Level | None
    note: str = ""


def _day_level(day: float, rows: list[tuple[float, float, bool | None]]) -> Level | None:
    lows, highs, limits = [], [], []
    anything = False
    for value, lod, detected in rows:
        seen = (
            detected
            if detected is not None
            else (None if math.isnan(value) else value > (0 if math.isnan(lod) else lod))
        )
        if seen is None or (seen and math.isnan(value)):
            return None
        anything = anything or seen
        if not seen and math.isnan(lod):
            return None if not value == 0 else Level(day, 0.0, 0.0, False, math.nan)
        lows.append(value if seen else 0.0)
        highs.append(value if seen else lod)
        limits.append(lod)
    given = [x for x in limits if not math.isnan(x)]
    n = len(rows)
    return Level(day, sum(lows) / n, sum(highs) / n, anything, max(given) if given else math.nan)


def _pairs(study: Study) -> dict[str, Pair]:
    days: dict[str, dict[tuple[str, str], dict[float, list[tuple[float, float, bool | None]]]]] = {}
    columns = ["patient", "day", "assay", "value", "unit", "lod", "detected"]
    for patient, day, assay, value, unit, lod, detected in study.ctdna[columns].to_numpy(dtype=object).tolist():
        if day is None or math.isnan(day):
            continue
        series = (assay if isinstance(assay, str) else "", unit if isinstance(unit, str) else "")
        seen = None if detected is None or detected != detected else bool(detected)
        row = (math.nan if value is None else float(value), math.nan if lod is None else float(lod), seen)
        days.setdefault(patient, {}).setdefault(series, {}).setdefault(float(day), []).append(row)
    pair_of: dict[str, Pair] = {}
    for patient, samples in days.items():
        pairs = []
        for (assay, unit), by_day in sorted(samples.items()):
            levels = {d: _day_level(d, sorted(rows, key=str)) for d, rows in by_day.items()}
            usable = {d: level for d, level in levels.items() if level is not None}
            before = [d for d in usable if EARLIEST <= d <= 0]
            after = [d for d in usable if WINDOW[0] <= d <= WINDOW[1]]
            lost = len(levels) - len(usable)
            note = f"{lost} undetected samples without a limit of detection are left out" if lost else ""
            pairs.append(
                Pair(unit, assay, usable[max(before)] if before else None, usable[min(after)] if after else None, note)
            )
        pair_of[patient] = max(pairs, key=lambda p: (p.baseline is not None, p.later is not None))
    return pair_of


def _all(study: Study) -> Mapping[str, Pair]:
    return shared(study, "ctdna_pairs", _pairs)


def _fields(study: Study, pair: Pair, method: str) -> dict[str, object]:
    return {"method": method, "citation": _CITATION, "source": study.sources.get("ctdna", ())}


def _baseline(study: Study) -> dict[str, Measurement]:
    name, measurements = "ctdna_baseline", {}
    for patient, pair in _all(study).items():
        fields = _fields(study, pair, f"Last sample from day {EARLIEST:g} to 0")
        level = pair.baseline
        if level is None:
            why = pair.note or "no sample before treatment"
            measurements[patient] = Measurement.not_assessable(name, "as reported", why, **fields)
            continue
        below = not level.detected
        note = "; ".join(x for x in (f"unit {printed_unit(pair.unit) or 'not given'}", pair.assay, pair.note) if x)
        value = level.limit if below and not math.isnan(level.limit) else level.high
        measurements[patient] = Measurement(
            name,
            value,
            "as reported",
            "below_limit" if below else "measured",
            low=level.low,
            high=max(level.high, value),
            note=note,
            day=level.day,
            **fields,  # type: ignore[arg-type]
        )
    return measurements


def _change(pair: Pair) -> tuple[float | None, float | None, str]:
    """Return the bounds of the decline relative to baseline (negative: an increase), or why there are none."""
    if pair.baseline is None or pair.later is None:
        which = "before treatment" if pair.baseline is None else f"from day {WINDOW[0]:g} to {WINDOW[1]:g}"
        return None, None, f"no sample {which}" + (f"; {pair.note}" if pair.note else "")
    if not pair.baseline.detected:
        return None, None, "nothing was detected at baseline, so a decline is undefined"
    low, high = 1 - pair.later.high / pair.baseline.low, 1 - pair.later.low / pair.baseline.high
    return low, high, ""


def _decline(study: Study) -> dict[str, Measurement]:
    name, measurements = "ctdna_decline", {}
    for patient, pair in _all(study).items():
        fields = _fields(study, pair, "1 - first sample on treatment / baseline")
        low, high, why = _change(pair)
        if low is None or high is None or pair.later is None:
            measurements[patient] = Measurement.not_assessable(name, "fraction", why, **fields)
            continue
        note = f"day {pair.later.day:g}; a negative value is an increase"
        if not pair.later.detected:
            note += "; undetected on treatment: the value is a lower bound of the decline"
        measurements[patient] = Measurement(
            name,
            low,
            "fraction",
            "measured",
            low=low,
            high=high,
            day=pair.later.day,
            note=note,
            **fields,  # type: ignore[arg-type]
        )
    return measurements


def _cleared(study: Study) -> dict[str, Measurement]:
    name, measurements = "ctdna_cleared", {}
    for patient, pair in _all(study).items():
        fields = _fields(study, pair, "Detected at baseline and not detected on treatment")
        _, _, why = _change(pair)
        if why or pair.later is None:
            measurements[patient] = Measurement.not_assessable(name, "", why, **fields)
            continue
        note = f"day {pair.later.day:g}; limit of detection {printed_amount(f'{pair.later.limit:g}', pair.unit)}"
        measurements[patient] = Measurement(
            name,
            not pair.later.detected,
            "",
            "measured",
            day=pair.later.day,
            note=note,
            **fields,  # type: ignore[arg-type]
        )
    return measurements


def _response(study: Study) -> dict[str, Measurement]:
    name, measurements = "ctdna_molecular_response", {}
    for patient, pair in _all(study).items():
        fields = _fields(study, pair, f"Decline of at least {100 * RESPONSE:g} %, or clearance")
        low, high, why = _change(pair)
        if low is not None and high is not None and pair.later is not None:
            if low >= RESPONSE or not pair.later.detected:
                value: bool | None = True
            elif high < RESPONSE:
                value = False
            else:
                value, why = None, f"the decline is between {low:.2f} and {high:.2f}"
            if value is not None:
                note = f"day {pair.later.day:g}; decline {low:.2f}" + (f" to {high:.2f}" if high > low else "")
                measurements[patient] = Measurement(
                    name,
                    value,
                    "",
                    "measured",
                    day=pair.later.day,
                    note=note,
                    **fields,  # type: ignore[arg-type]
                )
                continue
        measurements[patient] = Measurement.not_assessable(name, "", why, **fields)
    return measurements


for _name, _title, _unit, _definition, _function, _thresholds in (
    (
        "ctdna_baseline",
        "Circulating tumour DNA at baseline",
        "as reported",
        "Level in the last sample before treatment, in the unit of the assay (see the note); left-censored at the "
        "limit of "
        "detection.",
        _baseline,
        "limit of detection of the assay",
    ),
    (
        "ctdna_decline",
        "Decline of circulating tumour DNA",
        "fraction",
        "1 minus the first level on treatment over baseline; an undetected sample gives a lower bound of the decline.",
        _decline,
        "0.5",
    ),
    (
        "ctdna_cleared",
        "Circulating tumour DNA cleared",
        "",
        "Detected at baseline and not detected in the first sample on treatment.",
        _cleared,
        "limit of detection",
    ),
    (
        "ctdna_molecular_response",
        "Molecular response of circulating tumour DNA",
        "",
        "Decline of at least 50 %, or clearance, in the first sample on treatment.",
        _response,
        "50 %",
    ),
):
    register(
        Biomarker(
            name=_name,
            title=_title,
            family="ctdna",
            unit=_unit,
            definition=_definition,
            function=_function,
            needs=("ctdna",),
            thresholds=_thresholds,
            references=_CITATION,
            limits="Assays and thresholds are not standardised; patients must survive to the second sample, so "
            "analyses must start there (landmark).",
        )
    )
