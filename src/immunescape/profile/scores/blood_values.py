"""Baseline blood values of each patient, one unit per analyte, for the response model and the blood scores."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from immunescape.profile.biomarkers.blood import baseline_labs
from immunescape.profile.biomarkers.registry import biomarkers
from immunescape.profile.study import Study

__all__ = ["UNITS", "blood_values", "further_column", "half_of_lipi", "lipi_points"]

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
_BODY = {"bmi": (10.0, 90.0), "metastatic_sites": (0.0, 20.0)}
"""Columns of the patients table that blood scores use, and their plausible range (assumed)."""


def blood_values(study: Study) -> dict[str, dict[str, float]]:
    """Patient -> analyte -> baseline value (last of days -60 to 0).

    With ``nlr`` as the biomarker has it, ``bmi`` and ``metastatic_sites`` from the patients table, and ``lipi`` where
    its parts are there.
    """
    blood: dict[str, dict[str, float]] = {}
    labs = baseline_labs(study)
    for analyte, unit in UNITS.items():
        for patient, lab in labs.get(analyte, {}).items():
            if isinstance(lab, tuple) and lab[2] == unit:
                blood.setdefault(patient, {})[analyte] = lab[0]
    for patient, nlr in _ratios(study).items():
        blood.setdefault(patient, {})["nlr"] = nlr
    for row in study.patients.to_dict("records"):
        for name, (low, high) in _BODY.items():
            value = _float(further_column(row, name))
            if low <= value <= high:
                blood.setdefault(str(row["patient"]), {})[name] = value
    for values in blood.values():
        counts = [values.get(n, math.nan) for n in ("neutrophils", "leukocytes", "ldh", "ldh_upper_limit")]
        if (points := lipi_points(*counts)) is not None:
            values["lipi"] = float(points)
    return blood


def _ratios(study: Study) -> dict[str, float]:
    """NLR as the biomarker gives it: as reported, else from counts of one day."""
    rows = biomarkers()["nlr"].function(study)
    return {p: float(m.value) for p, m in rows.items() if isinstance(m.value, float)}


_ALIASES = {
    "bmi": ("bmi", "body_mass_index"),
    "metastatic_sites": ("metastatic_sites", "number_metastatic_sites", "n_metastatic_sites", "metsites"),
    "liver_metastases": ("liver_metastases", "liver_mets", "m1_liver"),
    "brain_metastases": ("brain_metastases", "brain_mets", "m1_brain"),
}


def further_column(row: Mapping[Any, Any], name: str) -> Any:
    """Value of a further column of the patients table, whatever its case and its usual names; None where missing."""
    for column, value in row.items():
        if str(column).strip().casefold().replace(" ", "_") in _ALIASES[name] and value is not None and value == value:
            return value
    return None


def _float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def lipi_points(neutrophils: float, leukocytes: float, ldh: float, ldh_upper_limit: float) -> int | None:
    """Points of the lung immune prognostic index (mezquita2018): derived NLR above 3, LDH above the upper limit.

    The derived ratio is neutrophils over other leukocytes. None where a value is missing or cannot be (neutrophils
    above leukocytes).
    """
    values = (neutrophils, leukocytes, ldh, ldh_upper_limit)
    if any(math.isnan(v) for v in values) or leukocytes <= neutrophils or ldh_upper_limit <= 0:
        return None
    return int(round(neutrophils / (leukocytes - neutrophils), 9) > 3) + int(ldh > ldh_upper_limit)


def half_of_lipi(values: Mapping[str, float]) -> str | None:
    """Which half of LIPI is known where the other is not: a class of the response model's ``lipi``, or None."""
    ldh, upper = values.get("ldh", math.nan), values.get("ldh_upper_limit", math.nan)
    if ldh >= 0 and upper > 0:
        return "LDH above normal" if ldh > upper else "LDH normal"
    neutrophils, leukocytes = values.get("neutrophils", math.nan), values.get("leukocytes", math.nan)
    if neutrophils >= 0 and leukocytes > neutrophils:
        return "dNLR above 3" if round(neutrophils / (leukocytes - neutrophils), 9) > 3 else "dNLR up to 3"
    return None
