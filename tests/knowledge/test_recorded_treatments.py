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


def lines_of(cell: str) -> tuple[list[str], list[str]]:
    """Drugs that are simulated for a cell, and its lines for which nothing is."""
    read = [drug for drug in recorded_drug(cell) if drug.counts != "never"]
    return sorted({d for drug in read for d in drug.drugs}), [d.name for d in read if not d.drugs]


RADIOTHERAPY_STEROIDS_SURGERY = (
    "RT",
    "SBRT",
    "prednisone",
    "surgery 2020",
    "dexamethasone 8 mg",
    "gamma knife",
    "Xgeva",
)


@pytest.mark.parametrize("joined", ["{} + {}", "{1}, then {0}", "{} ({})", "{}/{}", "{} with {}", "{1} & {0}"])
@pytest.mark.parametrize(
    ("drug", "drugs"),
    [
        ("Keytruda", ["pembrolizumab"]),
        ("durva", ["durvalumab"]),
        ("ICI", ["pembrolizumab"]),
        ("Tagrisso", ["osimertinib"]),
        ("carbo/taxol", ["carboplatin", "paclitaxel"]),
        ("cis/VP-16", ["cisplatin", "docetaxel"]),
    ],
)
def test_radiotherapy_surgery_and_supportive_drugs_hide_no_drug_beside_them(
    joined: str, drug: str, drugs: list
) -> None:
    for other in RADIOTHERAPY_STEROIDS_SURGERY:
        assert lines_of(joined.format(drug, other)) == (drugs, []), (drug, other)
        assert lines_of(joined.format("chemo", other)) == ([], ["chemo"])
        assert lines_of(joined.format(other, "thoracic radiotherapy")) == ([], [])


@pytest.mark.parametrize(
    "cell", ["chemo-RT", "cCRT", "CCRT", "chemoradiation", "concurrent chemoradiotherapy", "chemo XRT"]
)
def test_chemoradiotherapy_is_a_platinum_doublet(cell: str) -> None:
    assert lines_of(cell) == (["carboplatin", "paclitaxel"], [])


NOT_GIVEN = (
    "{}: no",
    "{} - no",
    "{} = N",
    "{}: none",
    "{} (no)",
    "{}: 0 cycles",
    "{}: not given",
    "{} (not given)",
    "{}: never",
    "{} not indicated",
    "{} was not tolerated",
    "{}: not yet started",
    "{}: not applicable",
    "{}: denied",
    "{} denied by insurance",
    "{}: cancelled",
    "{} declined by the patient",
    "{} refused because of age",
    "{} not approved",
    "{} could not be given",
    "no {} so far",
    "never had {}",
    "didn't receive {}",
    "hasn't received {}",
    "not eligible for {}",
    "unfit for {}",
    "not fit for {}",
    "not a candidate for {}",
    "no indication for {}",
    "lack of {}",
    "absence of prior {}",
    "patient refused {}",
    "insurance denied {}",
    "contraindication to {}",
    "unable to receive {}",
    "too frail for {}",
    "does not want {}",
    "no access to {}",
    "{}: patient refused",
)
PLANNED = (
    "{} planned",
    "{} (planned)",
    "{} pending",
    "{} pending insurance approval",
    "{} scheduled for next week",
    "{} offered",
    "{} considered",
    "{} to be started",
    "planned {}",
    "planned: {}",
    "to start {}",
    "will start {} next week",
    "scheduled for {}",
    "considered for {}",
    "candidate for {}",
    "awaiting {}",
    "tumour board recommended {}",
)


@pytest.mark.parametrize("text", [*NOT_GIVEN, *PLANNED])
def test_what_was_denied_or_planned_is_neither_a_line_nor_in_a_profile(text: str) -> None:
    for name in ("pembrolizumab", "immunotherapy", "platinum", "EGFR TKI", "chemotherapy", "Keytruda", "ramucirumab"):
        cell = text.format(name)
        assert {drug.counts for drug in recorded_drug(cell)} == {"never"}, cell
        assert lines_of(f"docetaxel; {cell}") == (["docetaxel"], [])
        assert not named_checkpoint_inhibitors(cell), cell
        assert not names_chemotherapy(cell), cell
        assert not names_other_drug(cell), cell


@pytest.mark.parametrize(
    "cell",
    [
        "no chemotherapy, nivolumab",
        "no RT or surgery; nivolumab",
        "nivolumab: no response",
        "nivolumab (no progression)",
        "no progression on nivolumab",
        "nivolumab - not effective",
        "nivolumab, no RT",
        "nivolumab; RT planned",
        "nivolumab (planned 4 cycles)",
        "nivolumab 4 of 6 planned cycles",
        "nivolumab to be continued",
        "status post nivolumab",
        "nivolumab (refused chemotherapy)",
        "nivolumab (not candidate for chemo)",
        "patient declined chemotherapy, received nivolumab",
        "platinum-refractory: nivolumab",
        "cisplatin-ineligible: nivolumab",
        "nivolumab for PD-L1 negative tumour",
        "nivolumab no. 4",
        "nivolumab: yes",
    ],
)
def test_a_drug_that_was_given_is_not_denied_by_what_is_said_of_another_thing(cell: str) -> None:
    assert lines_of(cell) == (["nivolumab"], [])
    assert named_checkpoint_inhibitors(cell) == PD1
    assert not names_chemotherapy(cell)


@pytest.mark.parametrize(
    "cell",
    [
        "carboplatin + pemetrexed planned",
        "carbo/pem: no",
        "carboplatin or pemetrexed: not given",
        "no chemotherapy, immunotherapy or TKI",
        "never received carboplatin, nivolumab, or osimertinib",
        "neither chemotherapy nor ICI",
    ],
)
def test_a_denial_or_plan_of_a_regimen_is_of_all_its_drugs(cell: str) -> None:
    assert lines_of(cell) == ([], [])
    assert not names_chemotherapy(cell)


@pytest.mark.parametrize(
    ("words", "named", "drugs"),
    [
        ("immunotherapy", "nivolumab", ["nivolumab"]),
        ("PD-1 inhibitor", "nivolumab", ["nivolumab"]),
        ("checkpoint inhibitors", "nivo/ipi", ["ipilimumab", "nivolumab"]),
        ("dual checkpoint blockade", "durvalumab + tremelimumab", ["durvalumab", "tremelimumab"]),
        ("anti-PD-L1", "durvalumab", ["durvalumab"]),
        ("PD-(L)1 inhibitor", "Imfinzi", ["durvalumab"]),
        ("CTLA-4 antibody", "tremelimumab", ["tremelimumab"]),
        ("taxane", "paclitaxel", ["paclitaxel"]),
        ("platinum", "cisplatin", ["cisplatin"]),
        ("platinum doublet", "cisplatin/gemcitabine", ["cisplatin", "gemcitabine"]),
        ("platinum-based chemotherapy", "cisplatin + pemetrexed", ["cisplatin", "pemetrexed"]),
        ("chemotherapy", "docetaxel", ["docetaxel"]),
        ("chemo-IO", "carboplatin, pemetrexed, nivolumab", ["carboplatin", "nivolumab", "pemetrexed"]),
        ("chemo-IO", "cemiplimab", ["carboplatin", "cemiplimab", "paclitaxel"]),
        ("chemoradiotherapy", "cisplatin", ["cisplatin"]),
        ("CRT", "cisplatin/etoposide", ["cisplatin", "docetaxel"]),
        ("EGFR TKI", "erlotinib", ["osimertinib"]),
        ("KRAS inhibitor", "adagrasib", ["adagrasib"]),
        ("anti-VEGF", "bevacizumab", ["bevacizumab"]),
        ("Opdualag", "nivolumab", ["nivolumab"]),
        ("clinical trial", "nivolumab", ["nivolumab"]),
    ],
)
def test_a_word_for_a_class_adds_nothing_to_a_drug_of_it(words: str, named: str, drugs: list[str]) -> None:
    for cell in (f"{words} ({named})", f"{words}: {named}", f"{words} - {named}", f"{named} ({words})"):
        assert lines_of(cell) == (drugs, []), cell


@pytest.mark.parametrize(
    ("cell", "drugs", "others"),
    [
        ("nivolumab + anti-CTLA-4", ["ipilimumab", "nivolumab"], []),
        ("ipilimumab + PD-1 antibody", ["ipilimumab", "pembrolizumab"], []),
        ("platinum + pemetrexed", ["carboplatin", "pemetrexed"], []),
        ("platinum doublet + pembrolizumab", ["carboplatin", "paclitaxel", "pembrolizumab"], []),
        ("osimertinib + MET TKI", ["osimertinib"], ["MET TKI"]),
        ("nivolumab + chemotherapy", ["nivolumab"], ["chemotherapy"]),
        ("carboplatin + study drug", ["carboplatin"], ["study drug"]),
    ],
)
def test_a_word_for_another_class_is_kept_beside_a_drug(cell: str, drugs: list[str], others: list[str]) -> None:
    assert lines_of(cell) == (drugs, others)


@pytest.mark.parametrize(
    ("cell", "drugs"),
    [
        ("cisplatin 75 mg/m2 + gemcitabine 1,250 mg/m2 d1,8", ["cisplatin", "gemcitabine"]),
        ("cisplatin 75 mg/m² D1 / vinorelbine 25 mg/m^2 D1,D8 q21d", ["cisplatin", "docetaxel"]),
        ("carboplatin AUC 5, paclitaxel 175 mg/m2 x 4", ["carboplatin", "paclitaxel"]),
        ("nivolumab/ipilimumab 480/160 mg q3w", ["ipilimumab", "nivolumab"]),
        ("nivo 3 mg/kg + ipi 1 mg/kg", ["ipilimumab", "nivolumab"]),
        ("nivo 240 mg q2w -> 480 mg q4w", ["nivolumab"]),
        ("osimertinib 80 mg/day, ongoing", ["osimertinib"]),
        ("docetaxel 75mg/m2 days 1, 8 and 15; stopped for toxicity", ["docetaxel"]),
        ("pembrolizumab 200mg, 4 cycles, progressed", ["pembrolizumab"]),
        ("nivolumab 240 mg w/o chemotherapy", ["nivolumab"]),
        ("pembrolizumab400mg every 6 weeks / 12 months", ["pembrolizumab"]),
    ],
)
def test_doses_days_and_remarks_are_no_drugs(cell: str, drugs: list[str]) -> None:
    assert lines_of(cell) == (drugs, [])


@pytest.mark.parametrize(
    "cell", ["XY-12 50 mg/m2", "docetaxel + XY-12", "docetaxel plus XY-12 10 mg", "docetaxel, XY-12"]
)
def test_an_unknown_drug_is_named_beside_doses_and_others(cell: str) -> None:
    assert any(name.startswith("XY-12") for name in lines_of(cell)[1])


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        *((f"{before}{word}{after}", word) for word in ("chemotherapy", "chemo") for before, after in (
            ("", " x 4 cycles"), ("", " NOS"), ("", " (unknown)"), ("", "?"), ("", " x4"), ("first-line ", ""),
            ("2nd line ", ""), ("adjuvant ", ""), ("cytotoxic ", " (2019)"), ("", ", regimen not recorded"),
        )),
        ("phase I trial", "trial"),
        ("ALKi", "ALKi"),
        ("anti-EGFR mAb", "anti-EGFR"),
        ("3rd gen TKI", "TKI"),
        ("MET TKI", "MET TKI"),
        ("novel HER2 inhibitor 20 mg", "HER2 inhibitor"),
        ("Alecensa 600 mg", "Alecensa"),
        ("Rozlytrek 600 mg daily", "Rozlytrek"),
        ("Imdelltra", "Imdelltra"),
        ("Augtyro", "Augtyro"),
        ("everolimus 10 mg", "everolimus"),
    ],
)  # fmt: skip
def test_words_and_brands_of_treatments_against_the_tumour_are_lines_without_a_number(cell: str, line: str) -> None:
    (read,) = recorded_drug(cell)
    assert (read.name, read.counts, read.drugs) == (line, "line", ())


@pytest.mark.parametrize(
    ("cell", "drugs", "others"),
    [
        ("pembrolizumab then chemo", ["pembrolizumab"], ["chemo"]),
        ("pembrolizumab followed by chemotherapy", ["pembrolizumab"], ["chemotherapy"]),
        ("CCRT then durvalumab", ["carboplatin", "durvalumab", "paclitaxel"], []),
        ("chemotherapy followed by docetaxel", ["docetaxel"], ["chemotherapy"]),
        ("ICI -> atezolizumab (trial)", ["atezolizumab", "pembrolizumab"], []),
        ("carboplatin/pemetrexed then pemetrexed", ["carboplatin", "pemetrexed"], []),
        ("Xalkori -> Lorbrena", [], ["Xalkori", "Lorbrena"]),
        ("Tafinlar 150 mg + Mekinist 2 mg", [], ["Tafinlar", "Mekinist"]),
        ("carboplatin/paclitaxel > docetaxel", ["carboplatin", "docetaxel", "paclitaxel"], []),
        ("gefitinib, switched to osimertinib", ["osimertinib"], []),
    ],
)
def test_treatments_one_after_another_are_all_read(cell: str, drugs: list[str], others: list[str]) -> None:
    assert lines_of(cell) == (drugs, others)


@pytest.mark.parametrize(
    ("name", "drugs"),
    [
        ("Lumykras", ["sotorasib"]),
        ("Zirabev", ["bevacizumab"]),
        ("recombinant human endostatin", ["bevacizumab"]),
        ("nab-pac", ["nab_paclitaxel"]),
        ("CarboTaxol", ["carboplatin", "paclitaxel"]),
        ("HER3-DXd", ["datopotamab_deruxtecan"]),
        ("Conmana", ["osimertinib"]),
        *((name, ["docetaxel"]) for name in ("VP-16", "VNR", "TS-1", "5-FU", "Xeloda", "ifosfamide", "bleomycin")),
    ],
)
def test_further_brands_and_short_forms_have_a_stand_in(name: str, drugs: list[str]) -> None:
    assert lines_of(f"{name} 100 mg") == (drugs, [])


@pytest.mark.parametrize(
    "cell",
    [
        "denosumab 120 mg", "Zometa", "zoledronic acid 4 mg", "adalimumab", "rituximab", "ustekinumab", "secukinumab",
        "romosozumab", "alirocumab", "nirsevimab", "dupilumab 300 mg", "N/A", "NA", "-", "--", "Not applicable", "none",
        "no treatment yet", "no prior lines", "PD-L1 TPS 60%", "EGFR negative", "KRAS G12C", "TMB 12 mut/Mb", "SRS",
        "whole brain irradiation", "VATS lobectomy", "palliative care only", "amoxicillin 500 mg",
    ],
)  # fmt: skip
def test_what_is_no_treatment_against_the_tumour_is_no_line_whatever_its_number(cell: str) -> None:
    assert {drug.counts for drug in recorded_drug(cell)} == {"never"}


def test_an_unknown_treatment_is_left_to_the_number_of_its_line() -> None:
    assert [drug.counts for drug in recorded_drug("unknown")] == ["numbered"]


def test_words_for_classes_are_no_names_of_drugs() -> None:
    table = load_recorded_treatments()
    words = {w for s in table.stand_ins for w in s.words} | set(table.against_cancer.general_names)
    names = {n for s in table.stand_ins for n in s.names} | set(table.against_cancer.names) | set(drugs())
    assert not words & names
    assert all(s.names or s.words for s in table.stand_ins)
    assert {table.driver_of(n) for n in ("taletrectinib", "Augtyro", "ROS1 inhibitor", "ALK TKI")} == {"ROS1", "ALK"}
    assert {table.driver_of(n) for n in ("crizotinib", "entrectinib", "KRAS inhibitor", "TKI", "anti-EGFR")} == {""}
