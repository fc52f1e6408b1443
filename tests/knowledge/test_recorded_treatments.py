"""Names of treatments in patients' files: what a profile takes for a checkpoint inhibitor, and for another drug."""

from __future__ import annotations

import pytest

from immunescape.knowledge.recorded_treatments import (
    load_recorded_treatments,
    named_checkpoint_inhibitors,
    names_other_drug,
)
from immunescape.model.registry import drugs
from immunescape.trial.toxicity import contains_class

NO_INHIBITOR_ALONE = ("relatlimab", "tiragolumab", "cobolimab")
"""Antibodies to LAG-3, TIGIT and TIM-3: resistance is not defined for them."""
INHIBITORS = sorted(n for n in drugs() if contains_class((n,), "ici") and n not in NO_INHIBITOR_ALONE)
PD1, CTLA4 = frozenset({"PD-(L)1"}), frozenset({"CTLA-4"})


@pytest.mark.parametrize("name", INHIBITORS)
def test_every_inhibitor_of_the_model_is_one_to_a_profile_by_all_its_names(name: str) -> None:
    for text in (name, *drugs()[name].synonyms):
        for written in (text, text.lower(), text.upper(), f"{text} 200 mg", f"chemotherapy/{text}"):
            assert named_checkpoint_inhibitors(written), written


def test_no_other_drug_of_the_model_is_one() -> None:
    others = [n for n in drugs() if n not in INHIBITORS]
    assert len(others) > 40
    for name in others:
        for text in (name, *drugs()[name].synonyms):
            assert not named_checkpoint_inhibitors(text), text


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("Keytruda + Alimta", PD1),
        ("Opdivo/Yervoy", PD1 | CTLA4),
        ("nivo_ipi", PD1 | CTLA4),
        ("PD-1/PD-L1 Inhibitor", PD1),
        ("anti CTLA4", CTLA4),
        ("Cadonilimab", PD1 | CTLA4),
        ("chemo-IO", PD1),
        ("no ICI", frozenset()),
        ("non-ICI", frozenset()),
        ("docetaxel after anti-PD-1", frozenset()),
        ("cisplatin-pemetrexed", frozenset()),
        ("clinician's choice", frozenset()),
        ("placebo", frozenset()),
        ("", frozenset()),
    ],
)
def test_targets_of_the_inhibitors_that_a_text_names(text: str, targets: frozenset[str]) -> None:
    assert named_checkpoint_inhibitors(text) == targets


@pytest.mark.parametrize(
    "text", ["docetaxel", "Platinum doublet", "gefitinib", "EGFR TKI", "bevacizumab", "vinorelbine"]
)
def test_a_drug_that_is_no_inhibitor_is_told(text: str) -> None:
    assert names_other_drug(text)
    assert not named_checkpoint_inhibitors(text)


@pytest.mark.parametrize("text", ["", "combination", "monotherapy", "clinical trial", "study drug", "arm A", "unknown"])
def test_words_that_tell_nothing_are_neither(text: str) -> None:
    assert not names_other_drug(text)
    assert not named_checkpoint_inhibitors(text)


def test_kinds_of_inhibitors_are_kinds_of_stand_ins() -> None:
    table = load_recorded_treatments()
    kinds = {s.kind for s in table.stand_ins}
    assert {k for i in table.checkpoint_inhibitors.values() for k in i.kinds} <= kinds
