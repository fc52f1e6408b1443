"""What twins were conditioned on is said as a reader of the field would say it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from tests.report.test_twin_report import NOTICE, made

from immunescape.knowledge.profile_records import Measurement
from immunescape.knowledge.profile_to_model import profile_links
from immunescape.report.fact_text import condition_text, fact_rows, target_text
from immunescape.report.twin_report import write_ranking, write_twins
from immunescape.report.twin_text import print_ranking, print_twins
from immunescape.twins.facts import Fact, facts_of_measurements
from immunescape.twins.words import biomarker_title, measured_text

FACTS = {
    "KRAS G12C: True": (
        Fact("kras_g12c", "covariate", allowed=(True,), biomarker="kras_g12c", measured="True"),
        "KRAS G12C mutation: yes",
        "KRAS G12C: yes",
    ),
    "driver excluded by two genes": (
        Fact("driver", "covariate", allowed=("none",), biomarker="egfr_status, alk_status", measured="wild_type"),
        "Oncogenic driver: none",
        "EGFR mutation, ALK fusion: wild type",
    ),
    "tumour mutational burden": (
        Fact(
            "tmb_mut_mb",
            "covariate",
            value=8.75,
            spread=0.29,
            scale="sd_ln",
            biomarker="tmb",
            measured="8.75 1/megabase",
        ),
        "Tumour mutational burden: 8.75 /Mb (× or ÷ 1.3)",
        "Tumour mutational burden: 8.75 /Mb",
    ),
    "age": (
        Fact("age", "covariate", value=59.0, spread=0.5, scale="sd", biomarker="age", measured="59 years"),
        "Age: 59 years (± 0.5 years)",
        "Age: 59 years",
    ),
    "ratio without unit": (
        Fact("nlr", "covariate", value=2.59, spread=0.25, scale="sd_ln", biomarker="nlr", measured="2.588 1"),
        "Ratio of neutrophils to lymphocytes: 2.59 (× or ÷ 1.3)",
        "Neutrophil-to-lymphocyte ratio: 2.588",
    ),
    "below the limit": (
        Fact("nlr", "covariate", value=2.0, spread=0.25, scale="sd_ln", below=True, biomarker="nlr", measured="2"),
        "Ratio of neutrophils to lymphocytes: below 2 (× or ÷ 1.3)",
        "Neutrophil-to-lymphocyte ratio: 2",
    ),
    "grade of a column that lacks some values": (
        Fact("ecog", "covariate", allowed=(1,), biomarker="ecog", measured="1.0"),
        "ECOG performance status: 1",
        "ECOG performance status: 1",
    ),
    "stratum": (
        Fact("pdl1_tps", "covariate", low=1.0, high=50.0, biomarker="pdl1_stratum", measured="1-49%"),
        "PD-L1 tumour proportion score: 1 to 50 %",
        "PD-L1 stratum: 1-49 %",
    ),
    "density in the model": (
        Fact(
            "CD8_density_T",
            "observable",
            value=3.2e7,
            spread=0.3,
            scale="sd_ln",
            biomarker="space_cd8_density_tumour",
            measured="320 cell/mm2",
        ),
        "Tumour-specific CD8 T cells of all states in the tumour: 3.2e+07 cells/mL (× or ÷ 1.3)",
        "CD8 T cells per area of tumour: 320 cells/mm²",
    ),
    "score of the model": (
        Fact(
            "B_density_T",
            "observable",
            value=1.08,
            spread=0.8,
            scale="score",
            biomarker="cell_score_b",
            measured="86th percentile of made-up_tpm@26",
        ),
        "B cells in the tumour: normal score 1.08 (± 0.8)",
        "B-cell score: 86th percentile of made-up_tpm@26",
    ),
}


@pytest.mark.parametrize("name", FACTS)
def test_a_fact_is_said_in_words(name):
    fact, condition, measured = FACTS[name]
    assert condition_text(fact) == condition
    assert measured_text(fact) == measured


@pytest.mark.parametrize("percentile", [1.0, 2.2, 11.0, 12.4, 53.0, 73.0, 90.6, 99.0])
def test_a_percentile_has_the_ending_of_its_number(percentile):
    link = next(link for link in profile_links() if link.transformation == "percentile")
    about = {"percentile": percentile, "reference": "a cohort"}
    measured = Measurement(link.biomarker, 1.0, "", "measured", method="score", **about)
    (fact,) = facts_of_measurements({link.biomarker: measured})
    ending = {"1": "st", "2": "nd", "3": "rd"}
    number = str(round(percentile))
    expected = "th" if number in ("11", "12") else ending.get(number[-1], "th")
    assert fact.measured == f"{number}{expected} percentile of a cohort"


def test_every_biomarker_that_conditions_twins_has_a_title():
    for link in profile_links():
        assert not re.search("[a-z]_", biomarker_title(link.biomarker)), link.biomarker


def test_every_target_that_conditions_twins_has_words_and_a_printed_unit():
    for link in profile_links():
        name, unit = target_text(Fact(link.target, link.kind))
        assert name != link.target, link.target
        assert "_" not in name, link.target
        assert not re.search("liter|dimensionless|gram", unit), (link.target, unit)


def test_pages_and_terminal_name_measurements_alike(tmp_path, capsys):
    facts = tuple(fact for fact, *_ in FACTS.values())
    ranked, twins = made()
    record = replace(twins.record, open_questions=("stk11_status", "sc_treg_of_t"))
    conditioned = replace(twins.twins, facts=facts)
    twins = replace(twins, record=record, twins=conditioned)
    ranked = replace(ranked, record=record, followed=replace(ranked.followed, twins=conditioned))
    print_twins(twins)
    print_ranking(ranked)
    printed = capsys.readouterr().out
    pages = [
        write(result, tmp_path / "page.html", NOTICE).read_text(encoding="utf-8").split("Conditioned on")[-1]
        for write, result in ((write_twins, twins), (write_ranking, ranked))
    ]
    for text in (*pages, printed):
        assert "kras_g12c" not in text
        assert "stk11_status" not in text
        assert "STK11 loss" in text
    for page in pages:
        for row in fact_rows(conditioned, ("a", "b", "c", "d")):
            assert row["a"] in page
            assert row["b"] in page
