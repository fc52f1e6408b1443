"""Scales on which the response model takes its inputs, and how each comes from a patient's profile."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.scores.response_model import Observed

__all__ = ["TITLES", "inputs_of", "pdl1", "pdl1_class", "sp142_class", "tissue_tmb", "blood_tmb"]

TITLES: Mapping[str, str] = {
    "prior_therapy": "Earlier systemic therapy",
    "ctla4": "With a CTLA-4 antibody",
    "chemotherapy": "With chemotherapy",
    "squamous": "Squamous histology",
    "age": "Age",
    "male": "Male",
    "ecog": "ECOG performance status",
    "never_smoker": "Never smoked",
    "pdl1": "PD-L1",
    "tmb": "Tumour mutational burden",
    "nlr": "Neutrophil-to-lymphocyte ratio",
    "albumin": "Albumin",
    "hemoglobin": "Haemoglobin",
    "platelets": "Platelets",
    "bmi": "Body mass index",
    "hla_loh": "Loss of heterozygosity of HLA",
    "liver": "Liver metastases",
    "brain": "Brain metastases",
    "sites": "Metastatic sites",
    "sld": "Sum of target lesions",
    "antibiotics": "Antibiotics around the first dose",
    "toposcore": "TOPOSCORE class",
    "akkermansia": "Akkermansia in stool",
    "egfr": "EGFR mutation",
    "kras": "KRAS mutation",
    "stk11": "STK11 mutation",
    "keap1": "KEAP1 mutation",
}
"""Input -> title. Which of them the model uses stands in ``response_inputs.csv``."""

_CLASS = {"negative": (0.22, 0.05), "low": (2.70, 0.60), "high": (4.35, 0.04), "positive": (3.50, 1.00)}
"""Class of TPS (< 1, 1-49, >= 50, >= 1 %) -> mean and variance of ln(1 + TPS) within it. Within the classes of the
training patients of the LORIS cohorts the means are 0.0, 2.6 and 4.4; the variances are widened (assumed)."""
_SP142 = {"TC0 and IC0": (1.2, 2.3), "TC1/2 or IC1/2": (2.2, 2.6), "TC3 or IC3": (3.6, 1.6), "TC1/2/3 or IC1/2/3": (2.5, 2.6)}
"""SP142 stains fewer tumour cells and scores immune cells as well: an imprecise statement on TPS (assumed; half or so
of the variance of ln(1 + TPS) is left)."""


def pdl1(tps: float) -> Observed:
    """TPS (percent), on ``ln(1 + TPS)``."""
    return Observed(math.log1p(tps))


def pdl1_class(name: str) -> Observed:
    """Class of TPS: ``negative`` (< 1 %), ``low`` (1-49 %), ``high`` (>= 50 %) or ``positive`` (>= 1 %)."""
    return Observed(*_CLASS[name])


def sp142_class(name: str) -> Observed:
    """Class by SP142 (tumour and immune cells), as an imprecise statement on TPS."""
    return Observed(*_SP142[name])


def tissue_tmb(per_mb: float) -> Observed:
    """Mutations per Mb of tumour tissue, on ``ln(1 + x)``."""
    return Observed(math.log1p(per_mb))


def blood_tmb(per_mb: float) -> Observed:
    """Mutations per Mb in plasma: an imprecise statement on the burden of tissue.

    The error's variance is 0.8 on ``ln(1 + x)``, so that the two correlate with about 0.6 (assumed, as recalled from
    the comparison in gandara2018).
    """
    return Observed(math.log1p(per_mb), 0.8)


def _number(m: Measurement | None) -> float | None:
    if m is None or m.value is None or isinstance(m.value, (str, bool)):
        return None
    return float(m.value)


def _truth(value: Any) -> float | None:
    word = "" if value is None or value != value else str(value).strip().casefold()
    if word in ("yes", "true", "1", "1.0", "y", "present"):
        return 1.0
    return 0.0 if word in ("no", "false", "0", "0.0", "n", "absent") else None


def _clinical(row: Mapping[str, Any]) -> dict[str, float | None]:
    def number(name: str) -> float | None:
        try:
            value = float(row.get(name, math.nan))
        except (TypeError, ValueError):
            return None
        return value if math.isfinite(value) else None

    def word(name: str) -> str:
        value = row.get(name)
        return value.casefold() if isinstance(value, str) else ""

    prior, ecog, bmi, sites = number("prior_lines"), number("ecog"), number("bmi"), number("metastatic_sites")
    histology, smoking, sex = word("histology"), word("smoking"), word("sex")
    return {
        "prior_therapy": None if prior is None else float(prior > 0),
        "squamous": None if not histology else float("squam" in histology and "non" not in histology),
        "age": number("age"),
        "male": {"male": 1.0, "m": 1.0, "female": 0.0, "f": 0.0}.get(sex),
        "ecog": None if ecog is None else min(ecog, 2.0),
        "never_smoker": None if smoking in ("", "unknown") else float(smoking.startswith("never")),
        "bmi": math.log(bmi) if bmi is not None and 8 < bmi < 100 else None,
        "sites": None if sites is None else min(sites, 6.0),
        "liver": _truth(row.get("liver_metastases")),
        "brain": _truth(row.get("brain_metastases")),
    }


_CHEMOTHERAPY = ("platin", "pemetrexed", "paclitaxel", "gemcitabine", "chemo", "docetaxel")
_CTLA4 = ("ipilimumab", "tremelimumab", "ctla")


def _treatment(row: Mapping[str, Any], drugs: tuple[str, ...]) -> dict[str, float | None]:
    """Whether a CTLA-4 antibody or chemotherapy goes with it; None where the regimen is not named."""
    named = " ".join(str(row.get(c)) for c in ("treatment", "treatment_class") if isinstance(row.get(c), str))
    text = " ".join((named, *drugs)).casefold()
    if not text.strip():
        return {"ctla4": None, "chemotherapy": None}
    ctla4, chemo = any(w in text for w in _CTLA4), any(w in text for w in _CHEMOTHERAPY)
    unclear = "combination" in text and not (ctla4 or chemo)
    return {"ctla4": None if unclear else float(ctla4), "chemotherapy": None if unclear else float(chemo)}


_MUTANT = {"egfr": "egfr_status", "kras": "kras_status", "stk11": "stk11_status", "keap1": "keap1_status"}
_WILD = ("wild_type", "negative", "absent")


def inputs_of(
    biomarkers: Mapping[str, Measurement], row: Mapping[str, Any], drugs: tuple[str, ...] = ()
) -> dict[str, Observed]:
    """Inputs of one patient that were measured, on the model's scales.

    Parameters
    ----------
    biomarkers
        Biomarker -> measurement.
    row
        The patient's row of the patients table.
    drugs
        Drugs that are given from day 0 on.
    """
    found: dict[str, Observed] = {}
    for name, value in (_clinical(row) | _treatment(row, drugs)).items():
        if value is not None:
            found[name] = Observed(value)
    tps = biomarkers.get("pdl1_tps")
    value = _number(tps)
    stratum = biomarkers.get("pdl1_stratum")
    if value is not None and tps is not None and tps.status != "below_limit":
        found["pdl1"] = pdl1(value)
    elif value is not None and value <= 1:
        found["pdl1"] = pdl1_class("negative")
    elif stratum is not None and isinstance(stratum.value, str):
        text = stratum.value
        name = "high" if "50" in text and "49" not in text else "low" if "49" in text else "negative"
        found["pdl1"] = pdl1_class(name)
    if (value := _number(biomarkers.get("tmb"))) is not None:
        found["tmb"] = tissue_tmb(value)
    if (value := _number(biomarkers.get("nlr"))) is not None and value > 0:
        found["nlr"] = Observed(math.log(value))
    for name in ("albumin", "hemoglobin", "platelets"):
        if (value := _number(biomarkers.get(name))) is not None and value > 0:
            found[name] = Observed(math.log(value) if name == "platelets" else value)
    loss = biomarkers.get("hla_loh")
    if loss is not None and loss.value is not None and not isinstance(loss.value, float):
        truth = _truth(loss.value)
        if truth is not None:
            found["hla_loh"] = Observed(truth)
    around = biomarkers.get("antibiotics_window")
    if around is not None and isinstance(around.value, str):
        found["antibiotics"] = Observed(0.0 if around.value in ("none", "no") else 1.0)
    gut = biomarkers.get("toposcore_class")
    if gut is not None and isinstance(gut.value, str):
        word = gut.value.upper()
        found["toposcore"] = Observed(1.0 if "SIG2" in word else -1.0 if "SIG1" in word else 0.0)
    for name, biomarker in _MUTANT.items():
        m = biomarkers.get(biomarker)
        if m is not None and isinstance(m.value, str) and "unknown" not in m.value and "monoallelic" not in m.value:
            found[name] = Observed(0.0 if m.value in _WILD else 1.0)
    return found
