"""What twins were conditioned on, in words: names of measurements as readers know them, genes as HGNC writes them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from immunescape.model.drugs._titles import sentence_case

if TYPE_CHECKING:
    from collections.abc import Sequence

    from immunescape.twins.conditioning import TwinPopulation
    from immunescape.twins.facts import Fact

__all__ = ["biomarker_title", "condition_text", "fact_rows", "least_likely_text", "measured_text", "target_text"]

_UNITS = {
    "year": "years",
    "1/Mb": "/Mb",
    "dimensionless": "",
    "cell/milliliter": "cells/mL",
    "picomole/liter": "pmol/L",
    "micromole/liter": "µmol/L",
    "millimole/liter": "mmol/L",
}
_SHORT_UNITS = {" percent": " %", " 1/megabase": " /Mb", " 1": ""}
"""Units of measurements as they are printed; the unit ``1`` is none."""
_TRUTH = {"True": "yes", "False": "no"}
_WORDS = {
    "f_b2m_null": "Share of cancer cells without B2M",
    "f_hla_loh": "Share of cancer cells with HLA loss of heterozygosity",
    "f_jak_null": "Share of cancer cells without JAK1 or JAK2",
    "Kyn_blood": "Kynurenine in blood",
    "treg_share_of_T_cells": "Regulatory T cells as a share of T cells in the tumour",
    "infiltration": "CD8 T cells in the tumour per cell in blood",
    "killing_per_cell": "Killing per CD8 T cell in the tumour",
    "persistent_share": "Share of CD8 T cells in the tumour that are not exhausted",
}
"""Parameters, and observables made of several: the model's own declarations have no short name for them."""


def biomarker_title(name: str) -> str:
    """Title of a biomarker; a name that is none, such as a clinical column, without its underscores."""
    from immunescape.profile.biomarkers import biomarkers
    from immunescape.trial.covariates import COVARIATES

    if name in biomarkers():
        return str(biomarkers()[name].title)
    meaning = COVARIATES[name].meaning if name in COVARIATES else name.replace("_", " ")
    return sentence_case(meaning)


def measured_text(fact: Fact) -> str:
    """What was measured: titles of the biomarkers, and their values in words."""
    titles = ", ".join(biomarker_title(name) for name in fact.biomarker.split(", ") if name)
    values = []
    for value in fact.measured.split(", "):
        value = _TRUTH.get(value, value.replace("_", " ") if "percentile" not in value else value)
        if value.endswith(".0") and value[:-2].isdigit():  # a grade such as ECOG, of a column that lacks some values
            value = value[:-2]
        for unit, short in _SHORT_UNITS.items():
            if value.endswith(unit):
                value = value.removesuffix(unit) + short
        values.append(value)
    return ": ".join(text for text in (titles, ", ".join(values)) if text)


def _error(fact: Fact, unit: str) -> str:
    if fact.scale == "sd_ln":
        return f"times or over {math.exp(fact.spread):.2g}"
    return f"± {fact.spread:.2g}{unit}"


def target_text(fact: Fact) -> tuple[str, str]:
    """What a fact speaks of in words, and its unit as it is printed ('' for none)."""
    from immunescape.population.reference_baseline import prepared_model
    from immunescape.trial.covariates import COVARIATES

    name, unit = fact.target, ""
    if fact.kind == "covariate" and name in COVARIATES:
        return sentence_case(COVARIATES[name].meaning), _UNITS.get(COVARIATES[name].unit, COVARIATES[name].unit)
    if fact.kind == "observable" and name in prepared_model(()).observables:
        declared = prepared_model(()).observables[name]
        name, unit = declared.meaning, declared.unit
    elif fact.kind == "parameter" and name in prepared_model(()).parameters:
        unit = prepared_model(()).parameters[name].unit
    return _WORDS.get(name, name), _UNITS.get(unit, unit)


def condition_text(fact: Fact) -> str:
    """What the measurement demands of twins, in words with its unit."""
    name, unit = target_text(fact)
    unit = f" {unit}" if unit and fact.scale != "score" else ""
    if fact.allowed:
        levels = [("yes" if a else "no") if isinstance(a, bool) else str(a) for a in fact.allowed]
        return f"{name}: {' or '.join(levels)}"
    if fact.value is None:
        return f"{name}: {fact.low:g} to {fact.high:g}{unit}"
    score = "normal score " if fact.scale == "score" else ""
    return f"{name}: {score}{'below ' if fact.below else ''}{fact.value:.3g}{unit} ({_error(fact, unit)})"


def fact_rows(twins: TwinPopulation, headings: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of what twins were conditioned on.

    Parameters
    ----------
    twins
        Twins of a patient.
    headings
        Headings of four columns: condition, what was measured, grade of the error of measurement, and the share of
        comparable patients who are at least as extreme.
    """
    rows = []
    for fact in twins.facts:
        share = f"{100 * twins.surprise[fact.target]:.2g} %" if fact.target in twins.surprise else "–"
        rows.append(dict(zip(headings, (condition_text(fact), measured_text(fact), fact.grade, share), strict=True)))
    return rows


def least_likely_text(twins: TwinPopulation) -> str:
    """The measurement that the population finds least likely, with its probability; '' without measurements."""
    least = twins.least_likely
    if least is None:
        return ""
    fact, share = least
    name = ", ".join(biomarker_title(n) for n in (fact.biomarker or fact.target).split(", "))
    return f"Least likely in the population: {name} ({100 * share:.2g} %)."
