"""What happened to a patient and what was measured, in one order of days: treatments, scans, ctDNA, blood, genes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import KW_ONLY, dataclass
from typing import Any

import pandas as pd

from immunescape.profile.biomarkers.history import gene_events
from immunescape.profile.study import Study

__all__ = ["TimelineEvent", "timelines"]


@dataclass(frozen=True)
class TimelineEvent:
    """One dated thing.

    Attributes
    ----------
    kind : ``treatment``, ``response``, ``ctdna``, ``nlr``, ``lab`` or ``gene`` (what a dated sample lost).
    day, end_day : days since the first dose; the end of a treatment where it is known.
    label : drug, RECIST word, analyte, or gene with what it lost and whether that is new.
    value, unit : number where there is one.
    below_limit : True where the number is a limit of detection.
    """

    kind: str
    day: float
    label: str
    _: KW_ONLY
    value: float | None = None
    unit: str = ""
    end_day: float | None = None
    below_limit: bool = False


def _number(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


_RATIO = ("neutrophils", "lymphocytes")


def _labs(study: Study, events: dict[str, list[TimelineEvent]]) -> None:
    rows = study.labs.dropna(subset=["day", "value"])
    counts: dict[tuple[str, float], dict[str, tuple[float, str]]] = defaultdict(dict)
    for patient, day, analyte, value, unit in zip(
        rows["patient"], rows["day"], rows["analyte"], rows["value"], rows["unit"], strict=True
    ):
        name = str(analyte).lower()
        kind = "nlr" if name in ("nlr", "neutrophil_lymphocyte_ratio") else "lab"
        if name in _RATIO:
            counts[patient, float(day)][name] = (float(value), _text(unit))
            continue
        events[patient].append(TimelineEvent(kind, float(day), str(analyte), value=float(value), unit=_text(unit)))
    for (patient, day), pair in counts.items():
        if len(pair) < 2:
            continue
        (neutrophils, unit_n), (lymphocytes, unit_l) = (pair[n] for n in _RATIO)
        if unit_n == unit_l and lymphocytes > 0:
            events[patient].append(TimelineEvent("nlr", day, "NLR", value=neutrophils / lymphocytes, unit="1"))


def timelines(study: Study) -> dict[str, tuple[TimelineEvent, ...]]:
    """Dated events of every patient, in order; undated rows are left out."""
    events: dict[str, list[TimelineEvent]] = defaultdict(list)
    rows = study.treatments.dropna(subset=["start_day"])
    for patient, start, end, drug in zip(
        rows["patient"], rows["start_day"], rows["end_day"], rows["drug"], strict=True
    ):
        events[patient].append(TimelineEvent("treatment", float(start), _text(drug), end_day=_number(end)))
    rows = study.responses.dropna(subset=["day"])
    for patient, day, recist, sld in zip(rows["patient"], rows["day"], rows["recist"], rows["sld_mm"], strict=True):
        events[patient].append(TimelineEvent("response", float(day), _text(recist), value=_number(sld), unit="mm"))
    rows = study.ctdna.dropna(subset=["day"])
    for patient, day, analyte, value, unit, lod, detected in zip(
        *(rows[c] for c in ("patient", "day", "analyte", "value", "unit", "lod", "detected")), strict=True
    ):
        number, limit = _number(value), _number(lod)
        below = detected is False or (detected is not None and not pd.isna(detected) and not detected)
        shown = limit if below and limit is not None else number
        events[patient].append(
            TimelineEvent(
                "ctdna", float(day), _text(analyte) or "ctDNA", value=shown, unit=_text(unit), below_limit=bool(below)
            )
        )
    _labs(study, events)
    for patient, losses in gene_events(study).items():
        events[patient].extend(TimelineEvent("gene", e.day, e.label) for e in losses)
    return {p: tuple(sorted(events.get(p, ()), key=lambda e: (e.day, e.kind))) for p in study.patient_ids}
