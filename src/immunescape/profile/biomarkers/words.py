"""Measurements as readers of the field write them: titles, states and values in words.

Names such as ``kyn_trp`` and ``biallelic_loss`` are for rules, tables and JSON; what a person reads comes from here.
"""

from __future__ import annotations

import re

from immunescape.knowledge.printed_units import printed_amount
from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.biomarkers.registry import BIOMARKERS

__all__ = [
    "analyte_title",
    "measurement_title",
    "state_words",
    "value_words",
    "within_sentence",
]

_STATES = {
    "biallelic_loss_subclonal": "subclonal biallelic loss",
    "lost_subclonal": "lost in a subclone",
    "mutation_second_allele_unseen": "mutation, second allele not assessed",
    "no_mutation_copies_unseen": "no mutation, copy number not assessed",
    "b2m_kept": "B2M kept, heavy chains not assessed",
    "kras_wild_type": "KRAS wild type",
    "<1%": "< 1 %",
    "1-49%": "1-49 %",
    ">=50%": "≥ 50 %",
}
"""States that would not read well without their underscores alone."""

_PROPER = frozenset({"Akkermansia", "Shannon", "Simpson"})
"""First words of titles that keep their capital within a sentence, beside abbreviations."""


def measurement_title(name: str) -> str:
    """Title of a biomarker; a name that none has, without its underscores and with an initial capital."""
    record = BIOMARKERS.all().get(name)
    text = str(record.title) if record is not None else name.replace("_", " ")
    return text if text[1:2].isupper() else text[:1].upper() + text[1:]  # cGAS keeps its small letter


_ANALYTES = {
    "ldh_upper_limit": "Lactate dehydrogenase, upper limit of normal",
    "crp": "C-reactive protein",
    "hemoglobin": "Haemoglobin",
}
"""Analytes of blood that are no biomarkers, where the word of the table would not do."""


def analyte_title(name: str) -> str:
    """Title of an analyte of the table of laboratory values: ``treg`` is Regulatory T cells in blood."""
    registered = BIOMARKERS.all()
    return _ANALYTES.get(name) or measurement_title(f"{name}_blood" if f"{name}_blood" in registered else name)


def within_sentence(title: str) -> str:
    """Return a title as it stands within a sentence: only abbreviations, symbols and names keep their capital."""
    first = title.partition(" ")[0]
    plain = first.partition("-")[0]  # T-cell, CD8, cGAS–STING and Akkermansia keep their capitals
    if len(plain) > 1 and plain.isalpha() and plain[1:].islower() and plain not in _PROPER:
        return first.lower() + title.removeprefix(first)
    return title


def state_words(state: str | bool) -> str:
    """Return a state or a truth value in words: ``wild_type`` is wild type, True is yes."""
    if isinstance(state, bool):
        return "yes" if state else "no"
    # a variant such as E746_A750del is written with its underscore
    plain = re.sub(r"(?<=[a-z0-9])_(?=[a-z0-9])", " ", state)
    return _STATES.get(state, plain)


def value_words(m: Measurement) -> str:
    """Return the value of a measurement with its unit, interval and percentile."""
    if m.value is None:
        return "not assessable"
    if isinstance(m.value, str | bool):
        return state_words(m.value)
    if m.status == "below_limit":
        return f"below {printed_amount(f'{m.value:.4g}', m.unit)}"
    interval = f" ({m.low:.3g} to {m.high:.3g})" if m.low is not None and m.high is not None else ""
    place = f", percentile {m.percentile:.0f}" if m.percentile is not None else ""
    return f"{printed_amount(f'{m.value:.4g}{interval}', m.unit)}{place}"
