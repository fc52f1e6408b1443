"""What twins were conditioned on, in words: names of measurements as readers know them, genes as HGNC writes them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from immunescape.knowledge.printed_units import printed_unit
from immunescape.model.drugs._titles import sentence_case
from immunescape.profile.biomarkers.words import state_words
from immunescape.twins.words import measured_text, titles_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from immunescape.twins.conditioning import TwinPopulation
    from immunescape.twins.facts import Fact

__all__ = ["condition_text", "fact_rows", "least_likely_text", "share_text", "target_text"]

_WORDS = {
    "f_b2m_null": "Share of cancer cells without B2M",
    "f_hla_loh": "Share of cancer cells with HLA loss of heterozygosity",
    "f_jak_null": "Share of cancer cells without JAK1 or JAK2",
    "Kyn_blood": "Kynurenine in blood",
    "treg_share_of_T_cells": "Regulatory T cells as a share of T cells in the tumour",
    "sum of diameters before this line": "Sum of diameters before this line",
    "infiltration": "CD8 T cells in the tumour per cell in blood",
    "killing_per_cell": "Killing per CD8 T cell in the tumour",
    "persistent_share": "Share of CD8 T cells in the tumour that are not exhausted",
}
"""Parameters, and observables made of several: the model's own declarations have no short name for them."""


def _error(fact: Fact, unit: str) -> str:
    if fact.scale == "sd_ln":
        return f"× or ÷ {math.exp(fact.spread):.2g}"
    return f"± {fact.spread:.2g}{unit}"


def target_text(fact: Fact) -> tuple[str, str]:
    """What a fact speaks of in words, and its unit as it is printed ('' for none)."""
    from immunescape.population.reference_baseline import prepared_model
    from immunescape.trial.covariates import COVARIATES

    name, unit = fact.target, ""
    if fact.kind == "covariate" and name in COVARIATES:
        return sentence_case(COVARIATES[name].meaning), printed_unit(COVARIATES[name].unit)
    if fact.kind == "observable" and name in prepared_model(()).observables:
        declared = prepared_model(()).observables[name]
        name, unit = declared.meaning, declared.unit
    elif fact.kind == "parameter" and name in prepared_model(()).parameters:
        unit = prepared_model(()).parameters[name].unit
    if name.startswith("sum of diameters"):
        unit = "mm"
    return _WORDS.get(name, name), printed_unit(unit)


def condition_text(fact: Fact) -> str:
    """What the measurement demands of twins, in words with its unit."""
    from immunescape.trial.covariates import level_words

    name, unit = target_text(fact)
    unit = f" {unit}" if unit and fact.scale != "score" else ""
    if fact.allowed:
        levels = [state_words(level_words(a)) for a in fact.allowed]
        return f"{name}: {' or '.join(levels)}"
    if fact.value is None:
        return f"{name}: {fact.low:g} to {fact.high:g}{unit}"
    score = "normal score " if fact.scale == "score" else ""
    return f"{name}: {score}{'below ' if fact.below else ''}{fact.value:.3g}{unit} ({_error(fact, unit)})"


def share_text(share: float) -> str:
    """A share in per cent with two digits, whole from 10 % on."""
    return f"{100 * share:.0f} %" if share >= 0.0995 else f"{100 * share:.2g} %"


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
        share = share_text(twins.surprise[fact.target]) if fact.target in twins.surprise else "–"
        rows.append(dict(zip(headings, (condition_text(fact), measured_text(fact), fact.grade, share), strict=True)))
    return rows


def least_likely_text(twins: TwinPopulation) -> str:
    """The measurement that the population finds least likely, with its probability; '' without measurements."""
    least = twins.least_likely
    if least is None:
        return ""
    fact, share = least
    return f"Least likely in the population: {titles_text(fact)} ({share_text(share)})."
