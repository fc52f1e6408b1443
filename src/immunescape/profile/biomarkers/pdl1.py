"""PD-L1 by immunohistochemistry: tumour proportion score, other scores, and the guideline stratum.

SP142 scores tumour cells (TC) and immune cells (IC) and stains fewer tumour cells than 22C3, 28-8 and SP263: its TC is
not a tumour proportion score and is never converted into one. The share of stained tumour cells by another clone is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.biomarkers.registry import Biomarker, register, shared
from immunescape.profile.study import Study

__all__ = ["PDL1_STRATA"]

PDL1_STRATA = ("<1%", "1-49%", ">=50%")
_CLONES = ("22C3", "28-8", "SP263", "SP142", "73-10", "E1L3N")
_RANGE = re.compile(r"(\d+(?:\.\d+)?)\s*%?\s*(?:-|–|to)\s*(\d+(?:\.\d+)?)")
_BOUND = re.compile(r"(>=|≥|>|<=|≤|<)\s*(\d+(?:\.\d+)?)")
_SP142 = {
    "TC": {0: (0, 1), 1: (1, 5), 2: (5, 50), 3: (50, 100)},
    "IC": {0: (0, 1), 1: (1, 5), 2: (5, 10), 3: (10, 100)},
}
_REFERENCES = ("hendriks2023", "tsao2018")
Score = tuple[float | None, float, float, str, str, str | None, float | None]
"""Value, its interval, antibody clone, name of the assay, sample, day."""


def clone_of(assay: object) -> str:
    """Return the antibody clone given in the name of an assay, or ''."""
    text = re.sub(r"[\s_]", "", assay).upper() if isinstance(assay, str) else ""
    return next((c for c in _CLONES if c.replace("-", "") in text.replace("-", "")), "")


def _bounds(value: float, category: object, score: str, clone: str) -> tuple[float | None, float, float] | None:
    """Return value and interval in percent from a number or a category; None if there is neither."""
    if not math.isnan(value):
        return value, value, value
    text = category.strip() if isinstance(category, str) else ""
    level = re.fullmatch(r"(TC|IC)?\s*([0-3])", text.upper())
    if level and score in ("tc", "ic") and clone == "SP142":
        low, high = _SP142[score.upper()][int(level.group(2))]
        return None, low, high
    if match := _RANGE.search(text):
        return None, float(match.group(1)), float(match.group(2))
    if match := _BOUND.search(text):
        number = float(match.group(2))
        below = math.nextafter(number, 0.0) if match.group(1) == "<" else number
        return (None, number, 100.0) if match.group(1) in (">=", "≥", ">") else (None, 0.0, below)
    return (None, 0.0, 1.0) if text.casefold() in ("negative", "neg") else None


def _scores(study: Study) -> dict[str, dict[str, list[Score]]]:
    """Return score (tps, cps, tc, ic) -> patient -> its values, largest first."""
    scores_by_kind: dict[str, dict[str, list[Score]]] = {"tps": {}, "cps": {}, "tc": {}, "ic": {}, "unknown": {}}
    columns = ["patient", "sample", "assay", "score", "value_percent", "category", "day"]
    for patient, sample, assay, score, value, category, day in study.pdl1[columns].to_numpy(dtype=object).tolist():
        clone = clone_of(assay)
        score_name = score.strip().casefold() if isinstance(score, str) else ""
        bounds = _bounds(float("nan") if value is None else float(value), category, score_name, clone)
        if bounds is None:
            continue
        name = assay if isinstance(assay, str) else ""
        where = sample if isinstance(sample, str) else None
        at = None if day is None or math.isnan(day) else float(day)
        entry: Score = (*bounds, clone, name, where, at)
        scores_by_kind[score_name if score_name in scores_by_kind else "unknown"].setdefault(patient, []).append(entry)
        if score_name == "tc" and clone and clone != "SP142":
            scores_by_kind["tps"].setdefault(patient, []).append(entry)
    for scores in scores_by_kind.values():
        for entries in scores.values():
            entries.sort(key=lambda e: (-e[1], -e[2], e[3], e[4], e[5] or "", e[6] or 0.0))
    return scores_by_kind


def _same_day(study: Study, by_patient: dict[str, dict[str, list[Score]]]) -> dict[str, dict[str, list[Score]]]:
    """Keep the values of one day if every value of a patient has a day: the last up to day 0, else the first.

    The day is that of the PD-L1 table, else that of the sample.
    """
    days = {
        s: float(d)
        for s, d in zip(study.samples["sample"], study.samples["day"], strict=True)
        if d is not None and not math.isnan(d)
    }
    for scores in by_patient.values():
        for patient, entries in scores.items():
            dated = [e[6] if e[6] is not None else days.get(e[5]) if e[5] else None for e in entries]
            stated = {d for d in dated if d is not None}
            if None in dated or len(stated) < 2:
                continue
            before = [d for d in stated if d <= 0]
            day = max(before) if before else min(stated)
            scores[patient] = [e for e, d in zip(entries, dated, strict=True) if d == day]
    return by_patient


def _contradiction(entries: list[Score]) -> str:
    """Return why the values of one day are inconsistent: they fall into different strata; '' if they are consistent."""
    strata = {_stratum_of(low, high, value is not None) for value, low, high, *_ in entries} - {None}
    if len(strata) < 2:
        return ""
    shown = ", ".join(f"{e[1]:g} %" if e[0] is not None else f"{e[1]:g} to {e[2]:g} %" for e in entries)
    return f"the values of the same day contradict each other: {shown}"


def _all(study: Study) -> dict[str, dict[str, list[Score]]]:
    return shared(study, "pdl1_scores", lambda s: _same_day(s, _scores(s)))


def _describe(entries: list[Score]) -> str:
    value, low, high, clone, assay, *_ = entries[0]
    text = f"clone {clone}" if clone else f"clone not stated{f' ({assay})' if assay else ''}"
    if value is None:
        text += f"; reported as a category, {low:g} to {high:g} %"
    if len(entries) > 1:
        shown = ", ".join(f"{e[1]:g} %" if e[0] is not None else f"{e[1]:g} to {e[2]:g} %" for e in entries)
        text += f"; highest of {len(entries)} values ({shown})"
    return text


def _percent(name: str, score: str) -> Callable[[Study], Mapping[str, Measurement]]:
    method = f"Immunohistochemistry, {score.upper()} as scored by the pathologist; the highest of several samples"

    def function(study: Study) -> dict[str, Measurement]:
        measurements: dict[str, Measurement] = {}
        source = study.sources.get("pdl1", ())
        scores = _all(study)
        for patient, entries in scores[score].items():
            value, low, high, _, _, sample, _ = entries[0]
            note = _describe(entries)
            clash = _contradiction(entries) if score in ("tps", "tc") else ""
            if value is None or clash:
                why = clash or f"only a category is reported, {low:g} to {high:g} %"
                low = min(e[1] for e in entries) if clash else low
                high = max(e[2] for e in entries) if clash else high
                measurements[patient] = Measurement.not_assessable(
                    name,
                    "percent",
                    why,
                    method=method,
                    citation=_REFERENCES,
                    low=low,
                    high=high,
                    source=source,
                    sample=sample,
                )
            else:
                measurements[patient] = Measurement(
                    name,
                    value,
                    "percent",
                    "measured",
                    method=method,
                    citation=_REFERENCES,
                    note=note,
                    source=source,
                    sample=sample,
                )
        others = {p for s, by in scores.items() if s != score for p in by} - measurements.keys()
        for patient in others:
            kinds = [s.upper() for s, by in scores.items() if patient in by and s != "unknown"]
            why = (
                f"PD-L1 is reported as {' and '.join(kinds)}, not as {score.upper()}"
                if kinds
                else "the type of score is not stated"
            )
            measurements[patient] = Measurement.not_assessable(
                name, "percent", why, method=method, citation=_REFERENCES
            )
        return measurements

    return function


def _stratum_of(low: float, high: float, exact: bool) -> str | None:
    if low >= 50:
        return ">=50%"
    if low >= 1 and (high < 50 or (not exact and high <= 50)):
        return "1-49%"
    return "<1%" if high < 1 or (not exact and high <= 1) else None


def _sp142_stratum(tumour: list[Score], immune: list[Score]) -> tuple[str | None, str]:
    """Return the stratum by the SP142 rule of atezolizumab: TC >= 50 % or IC >= 10 %; TC or IC >= 1 %."""
    tc = tumour[0][1:3] if tumour else None
    ic = immune[0][1:3] if immune else None
    seen = f"SP142: TC {_span(tc)}, IC {_span(ic)}"
    if (tc and tc[0] >= 50) or (ic and ic[0] >= 10):
        return ">=50%", f"{seen}; high by the rule TC >= 50 % or IC >= 10 %, which is not a tumour proportion score"
    if tc is None or ic is None:
        return None, f"{seen}; the SP142 rule requires both"
    if tc[0] >= 1 or ic[0] >= 1:
        return "1-49%", f"{seen}; TC or IC at least 1 %, and neither is high"
    return "<1%", seen


def _span(bounds: tuple[float, float] | None) -> str:
    if bounds is None:
        return "not given"
    return f"{bounds[0]:g} %" if bounds[0] == bounds[1] else f"{bounds[0]:g}-{bounds[1]:g} %"


def _stratum(study: Study) -> dict[str, Measurement]:
    name, method = "pdl1_stratum", "Guideline strata of the tumour proportion score; SP142 by its own rule"
    citation = ("hendriks2023", "herbst2020")
    scores = _all(study)
    source = study.sources.get("pdl1", ())
    measurements: dict[str, Measurement] = {}
    for patient in study.patient_ids:
        entries = scores["tps"].get(patient)
        stratum: str | None = None
        note = ""
        if entries:
            value, low, high, *_ = entries[0]
            stratum = _stratum_of(low, high, value is not None)
            note = _describe(entries) if stratum else f"the category {low:g} to {high:g} % spans several strata"
            if clash := _contradiction(entries):
                stratum, note = None, clash
        else:
            tumour, immune = ([e for e in scores[s].get(patient, []) if e[3] == "SP142"] for s in ("tc", "ic"))
            if tumour or immune:
                stratum, note = _sp142_stratum(tumour, immune)
            elif any(patient in scores[s] for s in scores):
                note = "neither a tumour proportion score nor SP142 TC and IC scores are given"
            else:
                continue
        if stratum is None:
            measurements[patient] = Measurement.not_assessable(
                name, "", note, method=method, citation=citation, source=source
            )
        else:
            measurements[patient] = Measurement(
                name, stratum, "", "measured", method=method, citation=citation, note=note, source=source
            )
    return measurements


def _tps_stratum(name: str, lowest: bool) -> Callable[[Study], Mapping[str, Measurement]]:
    method = (
        f"Stratum of the {'lowest' if lowest else 'highest'} tumour proportion score of the day; categories included"
    )

    def function(study: Study) -> dict[str, Measurement]:
        measurements: dict[str, Measurement] = {}
        fields = {"method": method, "citation": _REFERENCES, "source": study.sources.get("pdl1", ())}
        for patient, entries in _all(study)["tps"].items():
            value, low, high, *_ = entries[-1 if lowest else 0]
            stratum = _stratum_of(low, high, value is not None)
            if stratum is None:
                why = f"the category {low:g} to {high:g} % spans several strata"
                measurements[patient] = Measurement.not_assessable(name, "", why, **fields)
            else:
                measurements[patient] = Measurement(name, stratum, "", "measured", note=_describe(entries), **fields)  # type: ignore[arg-type]
        return measurements

    return function


for _name, _lowest in (("pdl1_tps_stratum", False), ("pdl1_tps_stratum_lowest", True)):
    register(
        Biomarker(
            name=_name,
            title=f"Stratum of the {'lowest' if _lowest else 'highest'} PD-L1 tumour proportion score",
            family="pdl1",
            unit="",
            definition="Stratum (below 1 %, 1 to 49 %, 50 % or more) of the tumour proportion score, reported as a "
            "number or as a category; SP142 gives none. If several values of one day differ, the lowest and the "
            "highest are reported separately, so that a contradiction is visible.",
            function=_tps_stratum(_name, _lowest),
            needs=("pdl1",),
            words=PDL1_STRATA,
            thresholds="1 and 50 %",
            references=_REFERENCES,
            limits="Varies between samples, sites and pathologists; the clone is given in the note.",
        )
    )

for _score, _title in (
    ("tps", "tumour proportion score"),
    ("cps", "combined positive score"),
    ("tc", "share of stained tumour cells"),
    ("ic", "share of tumour area covered by stained immune cells"),
):
    register(
        Biomarker(
            name=f"pdl1_{_score}",
            title=f"PD-L1 {_title}",
            family="pdl1",
            unit="percent",
            definition=f"PD-L1 {_title}, as scored; a share of stained tumour cells by 22C3, 28-8 or SP263 counts as "
            "tumour proportion score, one by SP142 does not."
            if _score in ("tps", "tc")
            else f"PD-L1 {_title}, as scored.",
            function=_percent(f"pdl1_{_score}", _score),
            needs=("pdl1",),
            thresholds="1 and 50 %" if _score in ("tps", "tc") else "1 and 10 %",
            references=_REFERENCES,
            limits="Varies between samples, sites and pathologists; the clone is given in the note.",
        )
    )

register(
    Biomarker(
        name="pdl1_stratum",
        title="PD-L1 stratum",
        family="pdl1",
        unit="",
        definition="Guideline stratum: below 1 %, 1 to 49 %, 50 % or more. SP142 has its own rule: TC >= 50 % or "
        "IC >= 10 % is high, TC or IC >= 1 % positive.",
        function=_stratum,
        needs=("pdl1",),
        words=PDL1_STRATA,
        thresholds="1 and 50 % (SP142: TC 50 %, IC 10 %)",
        references=("hendriks2023", "herbst2020", "tsao2018"),
        limits="SP142 and the other clones assign different patients to the strata.",
    )
)
