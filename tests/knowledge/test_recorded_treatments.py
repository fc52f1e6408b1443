"""Names of treatments in patients' files: what a profile takes for a checkpoint inhibitor, and for another drug."""

from __future__ import annotations

import pytest

from immunescape.knowledge.recorded_treatments import (
    load_recorded_treatments,
    named_checkpoint_inhibitors,
    names_chemotherapy,
    names_other_drug,
)
from immunescape.knowledge.tables import read_rows
from immunescape.model.registry import drugs
from immunescape.trial.covariates import DRIVERS
from immunescape.trial.toxicity import contains_class
from immunescape.twins.recorded_drugs import recorded_drug

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
        ("NIVO3+IPI1", PD1 | CTLA4),
        ("anti-PDL-1", PD1),
        ("aPD-1", PD1),
        ("HLX10 + chemo", PD1),
        ("CPI", PD1),
        ("pembrolizumab or placebo", PD1),
        ("Imfinzi after chemoradiotherapy", PD1),
        ("nivolumab, not after ipilimumab", PD1),
        ("PD-L1 inhibitor 1200 mg", PD1),
    ],
)
def test_targets_of_the_inhibitors_that_a_text_names(text: str, targets: frozenset[str]) -> None:
    assert named_checkpoint_inhibitors(text) == targets


@pytest.mark.parametrize(
    "text",
    [
        "ICI-naive",
        "IO-naïve",
        "docetaxel (ICI refused)",
        "nivolumab not given",
        "never received immunotherapy",
        "no prior checkpoint inhibitor",
        "Carbo-pem w/o ICI",
        "without any PD-1/PD-L1 inhibitor",
        "no nivolumab or ipilimumab",
        "no chemotherapy/ipilimumab",
        "docetaxel after progression on nivolumab",
        "docetaxel after 4 cycles of pembrolizumab",
        "placebo for pembrolizumab + carboplatin",
        "pembrolizumab placebo",
        "ipilimumab-free",
        "chemotherapy (PD-L1 < 1 %)",
        "PD-L1 negative: platinum doublet",
        "chemotherapy in high PD-L1",
        "PD-L1 60",
    ],
)
def test_an_inhibitor_that_was_not_given_is_none(text: str) -> None:
    assert not named_checkpoint_inhibitors(text)
    assert not named_checkpoint_inhibitors(text.upper())


@pytest.mark.parametrize("slashes", [4, 40])
def test_long_lists_after_a_negation_are_read_in_time(slashes: int) -> None:
    assert not named_checkpoint_inhibitors("no " + "x/" * slashes + "nivolumab")
    assert named_checkpoint_inhibitors("no " + "x/" * slashes + ": nivolumab")


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("Keytruda + Alimta/carbo", True),
        ("chemo-immunotherapy", True),
        ("chemoIO", True),
        ("PD-1 with platinum doublet", True),
        ("gem/cis", True),
        ("pem500", True),
        ("Keytruda, no chemo", False),
        ("pembrolizumab after chemotherapy", False),
        ("pembrolizumab after progression on platinum-based chemotherapy", False),
        ("Opdivo/Yervoy", False),
        ("osimertinib", False),
        ("", False),
    ],
)
def test_whether_a_text_names_chemotherapy(text: str, given: bool) -> None:
    assert names_chemotherapy(text) is given


def test_another_drug_with_a_usual_regimen_is_told_by_all_its_names() -> None:
    others = sorted({row["drug"] for row in read_rows("usual_regimens")} - set(INHIBITORS))
    assert len(others) > 8
    assert not [text for n in others for text in (n, *drugs()[n].synonyms) if not names_other_drug(text)]


@pytest.mark.parametrize(
    "text",
    [
        "docetaxel",
        "Platinum doublet",
        "Taxotere",
        "cis-pem",
        "Tagrisso",
        "amivantamab",
        "gefitinib",
        "EGFR TKI",
        "bevacizumab",
        "vinorelbine",
    ],
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


def test_what_a_profile_takes_for_an_inhibitor_or_chemotherapy_is_a_line_to_a_twin() -> None:
    table = load_recorded_treatments()
    inhibitors = {n for named in table.checkpoint_inhibitors.values() for n in named.names} - {"checkpoint"}
    for name in sorted(inhibitors):
        (drug,) = recorded_drug(name)
        assert contains_class(drug.drugs, "ici"), name
    for name in (*table.chemotherapy.names, *(n for named in table.for_driver.values() for n in named.names)):
        assert {drug.counts for drug in recorded_drug(name)} == {"line"}, name


@pytest.mark.parametrize(
    ("name", "driver"), [("Tarceva", "EGFR"), ("alectinib", "ALK"), ("T-DXd", "HER2"), ("crizotinib", ""), ("ICI", "")]
)
def test_the_driver_that_a_drug_is_given_for(name: str, driver: str) -> None:
    (drug,) = recorded_drug(name)
    table = load_recorded_treatments()
    assert (table.driver_of(drug.name, drug.kind) or table.driver_of(drug.registered)) == driver


def test_the_drivers_are_those_of_the_patients() -> None:
    assert set(load_recorded_treatments().for_driver) < set(DRIVERS)
