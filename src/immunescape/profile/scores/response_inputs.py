"""Inputs of the response model: their units, plausible range and scale, and how each comes from a patient's profile."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from immunescape.errors import InputError, unknown_word
from immunescape.knowledge.profile_records import Measurement
from immunescape.knowledge.recorded_treatments import (
    named_checkpoint_inhibitors,
    names_chemotherapy,
    names_other_drug,
)
from immunescape.profile.scores.blood_values import further_column
from immunescape.profile.scores.response_model import Observed, ResponseModel

__all__ = ["INPUTS", "SETTING", "Input", "inputs_of", "observe"]

_TRUE = ("yes", "true", "y", "1", "1.0", "present")
_FALSE = ("no", "false", "n", "0", "0.0", "absent")


@dataclass(frozen=True)
class Input:
    """One input: title, unit, plausible range (``truth`` values: 0 and 1), scale that the model is linear on."""

    title: str
    unit: str
    low: float
    high: float
    scale: str = "identity"

    @property
    def is_truth(self) -> bool:
        """Whether it is true or false."""
        return self.unit == "truth"

    def transformed(self, value: float) -> float:
        """Return the value on the model's scale."""
        return {"identity": value, "log": math.log(max(value, 0.05)), "sqrt": math.sqrt(max(value, 0.0))}[self.scale]


def _truth(title: str) -> Input:
    return Input(title, "truth", 0.0, 1.0)


INPUTS: Mapping[str, Input] = {
    "prior_therapy": _truth("Earlier systemic therapy"),
    "chemotherapy": _truth("With chemotherapy"),
    "ctla4": _truth("With a CTLA-4 antibody"),
    "squamous": _truth("Squamous histology"),
    "age": Input("Age", "years", 18, 110),
    "male": _truth("Male"),
    "ecog": Input("ECOG performance status", "points", 0, 4),
    "never_smoker": _truth("Never smoked"),
    "pdl1": Input("PD-L1 tumour proportion score", "percent", 0, 100),
    "tmb": Input("Tumour mutational burden", "1/Mb", 0, 1000),
    "blood_tmb": Input("Mutational burden in plasma", "1/Mb", 0, 1000),
    "nlr": Input("Neutrophil-to-lymphocyte ratio", "1", 0, 300, "log"),
    "albumin": Input("Albumin", "g/L", 10, 70),
    "lipi": Input("LIPI (dNLR > 3, LDH above normal)", "points", 0, 2),
    "hemoglobin": Input("Haemoglobin", "g/L", 30, 250),
    "platelets": Input("Platelets", "10^9/L", 1, 3000, "log"),
    "bmi": Input("Body mass index", "kg/m^2", 10, 90, "log"),
    "hla_loh": _truth("Loss of heterozygosity of HLA class I"),
    "metastatic_sites": Input("Metastatic sites", "sites", 0, 20),
    "liver_metastases": _truth("Liver metastases"),
    "brain_metastases": _truth("Brain metastases"),
    "sld": Input("Sum of target lesions", "mm", 5, 1000, "log"),
    "antibiotics": _truth("Antibiotics around the first dose"),
    "toposcore_class": _truth("TOPOSCORE SIG2+ (favourable)"),
    "egfr": _truth("EGFR activating mutation"),
    "kras": _truth("KRAS activating mutation"),
    "stk11": _truth("STK11 inactivated"),
    "keap1": _truth("KEAP1 inactivated"),
}
"""Input -> what it is. The order is that of the shipped table."""

SETTING = ("prior_therapy", "chemotherapy", "ctla4", "squamous")
"""Inputs that say for which treatment and tumour the probability is asked for."""


def observe(name: str, value: Any, model: ResponseModel, where: str | None = None) -> Observed | None:
    """Put one value, in its unit, on the model's scale; None where the value is missing.

    Parameters
    ----------
    name
        One of `INPUTS`.
    value
        A number in the input's unit, a truth value (or yes, no, 0, 1), or for ``pdl1`` one of the model's classes
        (``<1``, ``1-49``, ``>=50``, ``>=1``).
    model
        The response model.
    where
        What an error names, e.g. ``"patients.csv, row 3"``.

    Raises
    ------
    InputError
        For an input that is not known, a word that is none of its classes, and a number out of range.
    """
    if name not in INPUTS:
        raise unknown_word("input", name, INPUTS, where=where)
    kind = INPUTS[name]
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    text = str(value).strip()
    if text == "" or text.casefold() in ("na", "nan", "none"):
        return None
    classes = model.classes.get(name, {})
    level = re.sub(r"\s*%|\s+(?=\d)", "", text)
    if level in classes or text in classes:
        mean, variance = classes[level if level in classes else text]
        return Observed(mean, class_variance=variance)
    if kind.is_truth:
        if text.casefold() not in _TRUE + _FALSE:
            raise InputError(f"{name} is '{text}'", where=where, hint="Give yes or no (or 1, 0, true, false).")
        return Observed(float(text.casefold() in _TRUE))
    try:
        number = float(value)
    except (TypeError, ValueError):
        alternatives = f" or one of {', '.join(classes)}" if classes else ""
        raise InputError(
            f"{name} is '{text}'", where=where, hint=f"Give a number in {kind.unit}{alternatives}."
        ) from None
    if not kind.low <= number <= kind.high:
        raise InputError(
            f"{name} of {number:g} is outside {kind.low:g} to {kind.high:g} {kind.unit}",
            where=where,
            hint=f"Give it in {kind.unit}.",
        )
    return Observed(kind.transformed(number))


_MUTANT = {"egfr": "egfr_status", "kras": "kras_status", "stk11": "stk11_status", "keap1": "keap1_status"}
_LOSS = {
    "activating": 1.0,
    "biallelic_loss": 1.0,
    "biallelic_loss_subclonal": 1.0,
    "mutation_second_allele_unseen": 1.0,
    "no_mutation_copies_unseen": 0.0,
    "haploid_loss": 0.0,
    "wild_type": 0.0,
}
"""State of a gene -> whether it counts as mutated; the cohorts know mutations alone. Other states say nothing."""
_LABS = ("albumin", "hemoglobin", "platelets")


def _treatment(row: Mapping[str, Any], drugs: tuple[str, ...]) -> dict[str, Any]:
    """Whether a CTLA-4 antibody or chemotherapy goes with the checkpoint inhibitor; empty where none is named."""
    named = [str(row.get(c)) for c in ("treatment", "treatment_class", "arm") if isinstance(row.get(c), str)]
    text = " ; ".join((*named, *drugs)).casefold()
    targets = named_checkpoint_inhibitors(text)
    if not targets and ("monotherapy" not in text or names_other_drug(text)):
        return {}
    ctla4, chemo = "CTLA-4" in targets, names_chemotherapy(text)
    if "combination" in text and not (ctla4 or chemo):
        return {}
    return {"ctla4": ctla4, "chemotherapy": chemo}


_NOT_SQUAMOUS = re.compile(r"non[- ]?squam|^adeno(?!squam)|\badenoca|luad|large|sarcomatoid|pleomorphic")
_SQUAMOUS = re.compile(r"(?<!adeno)squam|lusc|epidermoid")
_EVER = re.compile(r"former|current|\bever\b|\bex-?|^smoker|^yes$|previous|reformed")
_NEVER = re.compile(r"^never|non[- ]?smoker|^no$|lifelong non")


def _matched(text: str, no: re.Pattern[str], yes: re.Pattern[str]) -> bool | None:
    """False or True where the text matches the first or the second pattern, None where neither."""
    return False if no.search(text) else True if yes.search(text) else None


def _clinical(row: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs from the patients table; further columns count where they have the input's name."""

    def text_of(name: str) -> str:
        value = row.get(name)
        return value.casefold().strip() if isinstance(value, str) else ""

    values: dict[str, Any] = {"age": row.get("age"), "ecog": row.get("ecog")}
    prior = row.get("prior_lines")
    if prior is not None and prior == prior:
        values["prior_therapy"] = float(prior) > 0
    histology, smoking, sex = text_of("histology"), text_of("smoking"), text_of("sex")
    values["squamous"] = _matched(histology, _NOT_SQUAMOUS, _SQUAMOUS)
    values["never_smoker"] = _matched(smoking, _EVER, _NEVER)
    values["male"] = {"male": True, "m": True, "female": False, "f": False}.get(sex)
    for name in ("bmi", "metastatic_sites", "liver_metastases", "brain_metastases"):
        values[name] = further_column(row, name)
    return values


_SP142 = {"<1%": "SP142 TC0 and IC0", "1-49%": "SP142 TC1/2 or IC1/2", ">=50%": "SP142 TC3 or IC3"}


def _pdl1_class(m: Measurement | None) -> str | None:
    """Class of PD-L1 where there is no single number: its stratum, by SP142's own classes, or at least 1 %."""
    if m is None:
        return None
    if isinstance(m.value, str):
        return _SP142.get(m.value, m.value) if m.note.startswith("SP142") else m.value
    spanned = re.search(r"category (\d+)(?:\.\d+)? to 100 % spans", m.note)
    return ">=1" if spanned and int(spanned.group(1)) >= 1 else None


def _number(m: Measurement | None) -> float | None:
    if m is None or m.value is None or isinstance(m.value, (str, bool)) or m.status == "below_limit":
        return None
    return float(m.value)


def inputs_of(
    biomarkers: Mapping[str, Measurement],
    row: Mapping[str, Any],
    model: ResponseModel,
    *,
    drugs: tuple[str, ...] = (),
    labs: Mapping[str, Any] | None = None,
    where: str | None = None,
) -> tuple[dict[str, Observed], dict[str, str], tuple[str, ...]]:
    """Inputs of one patient that were measured.

    Parameters
    ----------
    biomarkers
        Biomarker -> measurement.
    row
        The patient's row of the patients table.
    model
        The response model.
    drugs
        Drugs that are given from day 0 on.
    labs
        Analyte -> baseline value in the input's unit, and ``lipi`` and ``sld`` where they are known.
    where
        What a refusal names.

    Returns
    -------
    (inputs, values, refused)
        Values on the model's scale; the same in words; why a value was left out (implausible).
    """
    plain = _clinical(row) | _treatment(row, drugs)
    plain |= {n: (labs or {}).get(n) for n in (*_LABS, "lipi", "sld")}
    plain["pdl1"] = _number(biomarkers.get("pdl1_tps"))
    if plain["pdl1"] is None:
        plain["pdl1"] = _pdl1_class(biomarkers.get("pdl1_stratum"))
    for name in ("tmb", "nlr"):
        plain[name] = _number(biomarkers.get(name))
    albumin = biomarkers.get("albumin")
    if (value := _number(albumin)) is not None and albumin is not None:
        plain["albumin"] = value * {"g/L": 1.0, "g/dL": 10.0}.get(albumin.unit, math.nan)
    loss = biomarkers.get("hla_loh")
    if loss is not None and isinstance(loss.value, bool):
        plain["hla_loh"] = loss.value
    around = biomarkers.get("antibiotics_window")
    if around is not None and isinstance(around.value, str):
        plain["antibiotics"] = around.value != "none"
    gut = biomarkers.get("toposcore_class")
    if gut is not None and isinstance(gut.value, str):
        plain["toposcore_class"] = "SIG2" in gut.value.upper()
    for name, biomarker in _MUTANT.items():
        m = biomarkers.get(biomarker)
        if m is not None and isinstance(m.value, str):
            plain[name] = _LOSS.get(m.value)
    seen: dict[str, Observed] = {}
    values: dict[str, str] = {}
    refused: list[str] = []
    for name in INPUTS:
        value = plain.get(name)
        try:
            observed = observe(name, value, model, where)
        except InputError as error:
            refused.append(error.message)
            continue
        if observed is not None:
            seen[name] = observed
            values[name] = _said(name, value)
    return seen, values, tuple(refused)


def _said(name: str, value: Any) -> str:
    kind = INPUTS[name]
    if kind.is_truth:
        return "yes" if str(value).casefold() in _TRUE else "no"
    if isinstance(value, str):
        return value
    unit = "" if kind.unit in ("1", "points", "sites") else f" {kind.unit}"
    return f"{float(value):.4g}{unit}".replace(" percent", " %")
