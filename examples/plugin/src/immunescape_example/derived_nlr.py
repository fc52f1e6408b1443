"""Derived neutrophil-to-lymphocyte ratio, for files without lymphocyte counts."""

from __future__ import annotations

from collections.abc import Mapping

from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.biomarkers.blood import baseline_labs
from immunescape.profile.biomarkers.registry import Biomarker
from immunescape.profile.study import Study

NAME, UNIT = "dnlr", "10^9/L"


def derived_nlr(study: Study) -> Mapping[str, Measurement]:
    """Neutrophils over all other leukocytes of the same day, at baseline."""
    labs = baseline_labs(study)
    neutrophils, leukocytes = labs.get("neutrophils", {}), labs.get("leukocytes", {})
    measured: dict[str, Measurement] = {}
    for patient in {*neutrophils, *leukocytes}:
        a, b = neutrophils.get(patient), leukocytes.get(patient)
        why = ""
        if not isinstance(a, tuple) or not isinstance(b, tuple):
            why = "; ".join(x for x in (a, b) if isinstance(x, str)) or "neutrophils or leukocytes are missing"
        elif a[2] != UNIT or b[2] != UNIT:
            why = f"units are '{a[2]}' and '{b[2]}', not {UNIT}"
        elif a[1] != b[1]:
            why = f"neutrophils are from day {a[1]:g}, leukocytes from day {b[1]:g}"
        elif b[0] <= a[0]:
            why = f"{a[0]:g} neutrophils of {b[0]:g} leukocytes leave no other cells"
        if why:
            measured[patient] = Measurement.not_assessable(NAME, "1", why)
            continue
        assert isinstance(a, tuple)
        assert isinstance(b, tuple)
        measured[patient] = Measurement(
            NAME,
            a[0] / (b[0] - a[0]),
            "1",
            "measured",
            method="Neutrophils / (leukocytes - neutrophils), same day",
            citation=("mezquita2018",),
            source=study.sources.get("labs", ()),
            day=a[1],
        )
    return measured


BIOMARKER = Biomarker(
    name=NAME,
    title="Derived neutrophil-to-lymphocyte ratio",
    family="blood",
    unit="1",
    definition="Neutrophils over all other leukocytes at baseline, from one day.",
    function=derived_nlr,
    needs=("labs",),
    thresholds="3",
    references=("mezquita2018",),
    limits="The other leukocytes are not only lymphocytes; increased by steroids and infection.",
)
