"""Antibiotics around the first dose of immunotherapy."""

from __future__ import annotations

import math
import re

import pandas as pd

from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.biomarkers.registry import Biomarker, register
from immunescape.profile.study import Study

__all__ = ["ANTIBIOTICS_LEVELS", "WINDOW", "is_antibiotic"]

WINDOW = (-60.0, 30.0)
ANTIBIOTICS_LEVELS = ("none", "before", "after", "before_and_after", "exposed")
_COLUMNS = ("antibiotics", "atb", "antibiotic_use")
_YES, _NO = {"yes", "y", "1", "1.0", "true"}, {"no", "n", "0", "0.0", "false"}
_STEMS = re.compile(
    r"cillin|^cef|^ceph|penem$|floxacin|cycline$|^doxy|thromycin|azactam|aztreonam|vancomycin|clindamycin|linezolid|"
    r"metronidazole|trimethoprim|sulfamethoxazole|co-?trimoxazole|gentamicin|amikacin|tobramycin|nitrofurantoin|"
    r"fosfomycin|colistin|rifa(?:mp|xim)|teicoplanin|daptomycin|tigecycline|augmentin|tazobactam|antibiotic",
    re.IGNORECASE,
)


def is_antibiotic(drug: object) -> bool:
    """Return whether a drug's name is that of an antibacterial (by generic name or stem)."""
    return isinstance(drug, str) and any(_STEMS.search(token) for token in re.split(r"[\s/+,;]+", drug.strip()))


def _listed(study: Study) -> dict[str, tuple[bool, bool]]:
    """Return patient -> (a course before, a course after the first dose) inside the window."""
    exposures: dict[str, tuple[bool, bool]] = {}
    frame = study.treatments
    if frame.empty:
        return exposures
    names = {d: is_antibiotic(d) for d in frame["drug"].unique()}
    chosen = frame[frame["drug"].map(names)]
    for patient, start, end in chosen[["patient", "start_day", "end_day"]].to_numpy(dtype=object).tolist():
        if start is None or math.isnan(start):
            continue
        last = start if end is None or math.isnan(end) else end
        before = start < 0 and last >= WINDOW[0]
        after = last >= 0 and start <= WINDOW[1]
        if before or after:
            old = exposures.get(patient, (False, False))
            exposures[patient] = (old[0] or before, old[1] or after)
    return exposures


def _declared(study: Study) -> dict[str, bool]:
    named = {str(c).casefold(): c for c in study.patients.columns}
    column = next((named[c] for c in _COLUMNS if c in named), None)
    if column is None:
        return {}
    declared_of: dict[str, bool] = {}
    for patient, value in zip(study.patients["patient"], study.patients[column], strict=True):
        answer = "" if pd.isna(value) else str(value).strip().casefold()
        if answer in _YES | _NO:
            declared_of[patient] = answer in _YES
    return declared_of


def _window(study: Study) -> dict[str, Measurement]:
    name = "antibiotics_window"
    fields = {
        "method": f"Antibacterial drugs from day {WINDOW[0]:g} to {WINDOW[1]:g}; the absence of a record does not mean "
        "that none were given",
        "citation": ("derosa2018", "routy2018"),
    }
    listed, declared = _listed(study), _declared(study)
    measurements: dict[str, Measurement] = {}
    for patient in study.patient_ids:
        before, after = listed.get(patient, (False, False))
        if before or after:
            window = "before_and_after" if before and after else "before" if before else "after"
            note, source = "a course is recorded among the treatments", study.sources.get("treatments", ())
        elif patient in declared:
            window = "exposed" if declared[patient] else "none"
            note, source = "as stated in the patients table; the days are not known", study.sources.get("patients", ())
        else:
            why = (
                "no antibiotic is listed, and the patients table does not state that none were given (column "
                "antibiotics)"
            )
            measurements[patient] = Measurement.not_assessable(name, "", why, **fields)
            continue
        measurements[patient] = Measurement(name, window, "", "measured", note=note, source=source, **fields)  # type: ignore[arg-type]
    return measurements


register(
    Biomarker(
        name="antibiotics_window",
        title="Antibiotics around the start of immunotherapy",
        family="microbiome",
        unit="",
        definition=f"Antibacterial drugs in the {-WINDOW[0]:g} days before or the {WINDOW[1]:g} days after the first "
        "dose; 'exposed' if only the patients table states exposure; 'none' only if it states that there was none.",
        function=_window,
        needs=("treatments", "patients"),
        words=ANTIBIOTICS_LEVELS,
        thresholds="day -60 to 30",
        references=("derosa2018", "routy2018"),
        limits="Infection itself is associated with worse outcomes.",
    )
)
