"""Baseline blood values of each patient, one unit per analyte, for the response model and the blood scores."""

from __future__ import annotations

import math
from collections.abc import Mapping

from immunescape.profile.biomarkers.blood import baseline_labs
from immunescape.profile.study import Study

__all__ = ["UNITS", "blood_values", "lipi_points"]

UNITS: Mapping[str, str] = {
    "albumin": "g/L",
    "ldh": "U/L",
    "ldh_upper_limit": "U/L",
    "neutrophils": "10^9/L",
    "lymphocytes": "10^9/L",
    "leukocytes": "10^9/L",
    "platelets": "10^9/L",
    "hemoglobin": "g/L",
    "crp": "mg/L",
    "nlr": "ratio",
}
"""Analyte -> unit that is needed; a value in another unit, or in none, is left out."""


def blood_values(study: Study) -> dict[str, dict[str, float]]:
    """Patient -> analyte -> baseline value (last of days -60 to 0), and ``lipi`` where its parts are there."""
    found: dict[str, dict[str, float]] = {}
    labs = baseline_labs(study)
    for analyte, unit in UNITS.items():
        for patient, lab in labs.get(analyte, {}).items():
            if isinstance(lab, tuple) and lab[2] == unit:
                found.setdefault(patient, {})[analyte] = lab[0]
    for values in found.values():
        parts = [values.get(n, math.nan) for n in ("neutrophils", "leukocytes", "ldh", "ldh_upper_limit")]
        if (points := lipi_points(*parts)) is not None:
            values["lipi"] = float(points)
    return found


def lipi_points(neutrophils: float, leukocytes: float, ldh: float, ldh_upper_limit: float) -> int | None:
    """Points of the lung immune prognostic index (mezquita2018): derived NLR above 3, LDH above the upper limit.

    The derived ratio is neutrophils over other leukocytes. None where a value is missing or cannot be (neutrophils
    above leukocytes).
    """
    values = (neutrophils, leukocytes, ldh, ldh_upper_limit)
    if any(math.isnan(v) for v in values) or leukocytes <= neutrophils or ldh_upper_limit <= 0:
        return None
    return int(neutrophils / (leukocytes - neutrophils) > 3) + int(ldh > ldh_upper_limit)
