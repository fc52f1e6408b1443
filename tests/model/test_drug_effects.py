"""What `show` and the pages list of a drug: its own numbers, and those of its effect in the tables of mechanisms."""

from __future__ import annotations

import pytest

from immunescape.api.model import show, shown
from immunescape.api.model_names import name_facts, names_of_the_model
from immunescape.model import Model
from immunescape.model.composition import SERIES_EXPONENT, series_exponent
from immunescape.model.describe import parameter_table, summary
from immunescape.model.drug_effects import citation_keys_of, effect_parameters
from immunescape.model.registry import get_drug
from immunescape.report.pages import page
from immunescape.report.reference_pages import drug_page


@pytest.mark.parametrize(
    ("drug", "held"),
    [
        ("olaparib", {"k_kill_parp", "r_dna_parp", "r_dna_lethal", "r_radio_parp", "ddr_deficient"}),
        ("ceralasertib", {"k_kill_atr", "r_dna_atr", "r_dna_lethal", "r_radio_atr", "ddr_deficient"}),
        ("levofloxacin", {"k_antibiotic", "s_pathobionts"}),
        ("decitabine", {"mhc1_silenced_level", "antigen_kept"}),
        ("relatlimab", {"r_held_LAG3"}),
        ("gefitinib", {"egfr_mutant"}),  # and not what active EGFR does to the tumour
        ("celecoxib", set()),
    ],
)
def test_parameters_of_an_effect_are_those_that_multiply_what_the_drug_causes(drug: str, held: set[str]) -> None:
    alone = Model.build(drugs=[drug], check_units=False)
    assert set(effect_parameters(alone, drug)) == held
    others = Model.build(drugs=[drug, "azd1390", "docetaxel"], check_units=False)
    assert set(effect_parameters(others, drug)) == held  # whatever else is given


def test_a_drug_is_shown_with_the_parameters_of_its_effect_and_their_sources(capsys) -> None:
    facts = shown("olaparib")
    held = {row["name"]: row for row in facts["effect_parameters"]}
    assert held["k_kill_parp"]["mechanism"] == "dna_damage"
    assert (held["k_kill_parp"]["value"], held["k_kill_parp"]["unit"]) == (0.0061, "1/day")
    assert {"besse2024", "labelolaparib"} <= set(facts["references"])
    assert "effect_parameters" not in shown("dna_damage")
    show("olaparib")
    printed = capsys.readouterr().out
    assert "Parameters of its effect in the tables of mechanisms" in printed
    assert "r_dna_parp" in printed
    assert "[besse2024]" in printed
    model = Model.build(drugs=["olaparib"], check_units=False)
    assert "besse2024" in citation_keys_of(model, get_drug("olaparib"))
    for text in (drug_page("olaparib", model), page(model, get_drug("olaparib"), None, "")):
        assert "k_kill_parp" in text
        assert "Ablation: acts through mechanisms tested" in text


def test_the_exponent_of_capacities_in_series_is_shown_and_listed_though_it_is_a_number_of_the_equations(
    capsys,
) -> None:
    facts = name_facts(SERIES_EXPONENT)
    assert facts is not None
    assert (facts["value"], facts["grade"]) == (series_exponent().value, "assumed")
    assert "f_killing" in facts["used_in"]
    assert SERIES_EXPONENT in names_of_the_model()
    show(SERIES_EXPONENT)
    assert "cannot be set" in capsys.readouterr().out
    model = Model.build(drugs=[])
    assert SERIES_EXPONENT in [row["name"] for row in parameter_table(model)]
    multiplied = Model.build(drugs=[], specificity="none")
    assert SERIES_EXPONENT not in [row["name"] for row in parameter_table(multiplied)]
    listed = len(parameter_table(model))
    assert f"{listed} parameters:" in summary(model)


def test_a_parameter_is_shown_with_its_spread_and_what_the_fit_makes_of_it(capsys) -> None:
    show("k_growth")
    printed = capsys.readouterr().out
    assert "across patients: lognormal, SD of ln 0.45, 0.002 to 0.04" in printed
    assert "moved by the population fit" in printed
    show("activity_glycolysis")
    printed = capsys.readouterr().out
    assert "sparse, active in 35 % of patients, 0.05 of the mean in the others, SD of ln 0.4" in printed
    assert "moved by the population fit" not in printed


def test_the_example_of_a_drugs_parameter_gives_the_drug(capsys) -> None:
    show("cl_olaparib")
    assert "simulate 'olaparib 300 mg twice daily" in capsys.readouterr().out
    show("killing")
    show("k_kill")
    assert "simulate 'pembrolizumab 200 mg every 3 weeks' --set k_kill=x2" in capsys.readouterr().out
