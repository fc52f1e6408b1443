"""What twins are conditioned on, in words: biomarkers, covariates and columns of files as readers know them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from immunescape.model.drugs._titles import sentence_case

if TYPE_CHECKING:
    from immunescape.twins.facts import Fact

__all__ = ["biomarker_title", "measured_text", "mechanism_title", "titles_text"]


def biomarker_title(name: str) -> str:
    """Title of a biomarker or covariate; a name that is neither, such as a clinical column, without its underscores."""
    from immunescape.profile.biomarkers.registry import BIOMARKERS
    from immunescape.profile.biomarkers.words import measurement_title
    from immunescape.trial.covariates import COVARIATES

    if name not in BIOMARKERS.all() and name in COVARIATES:
        return sentence_case(COVARIATES[name].meaning)
    return measurement_title(name)


def mechanism_title(name: str) -> str:
    """Title of a resistance mechanism of the profile; of another name, its words."""
    from immunescape.knowledge.mechanism_rules import load_rules

    rule = load_rules().mechanisms.get(name)
    return name.replace("_", " ") if rule is None else rule.title


def titles_text(fact: Fact) -> str:
    """Titles of the biomarkers that a fact comes from; where it names none, of what it speaks of."""
    return ", ".join(biomarker_title(name) for name in (fact.biomarker or fact.target).split(", "))


def measured_text(fact: Fact) -> str:
    """What was measured: titles of the biomarkers, and their values in words; '' where a fact names no biomarker."""
    titles = titles_text(fact) if fact.biomarker else ""
    values = ", ".join(_value(value) for value in fact.measured.split(", "))
    return ": ".join(text for text in (titles, values) if text)


_TRUTH = {"True": "yes", "False": "no"}


def _value(value: str) -> str:
    from immunescape.knowledge.printed_units import printed_amount
    from immunescape.profile.biomarkers.words import state_words

    if value in _TRUTH:
        return _TRUTH[value]
    if value.endswith(".0") and value[:-2].isdigit():  # a grade such as ECOG, of a column that lacks some values
        return value[:-2]
    if "percentile" in value:  # of a reference, whose name stays as it is
        return value
    number, _, unit = value.partition(" ")
    try:
        float(number)
    except ValueError:
        return state_words(value)
    return printed_amount(number, unit)
