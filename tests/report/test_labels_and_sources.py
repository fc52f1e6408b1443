"""Tables say what a mechanism was tested by, and credit no source with a value that it did not give."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from immunescape.app.evidence import claim_rows
from immunescape.app.patient_figures import step_rows
from immunescape.evaluation.claim_controls import Controls
from immunescape.evaluation.claim_results import Checked
from immunescape.evaluation.credibility import _graded
from immunescape.evaluation.effects import Effect
from immunescape.evaluation.mechanism_labels import (
    explanation,
    label_text,
    labelled,
    owner_label,
    short_label,
    step_mechanism,
    through_text,
    title_labelled,
)
from immunescape.knowledge.claim_records import load_claims
from immunescape.model import Model
from immunescape.model.registry import get_drug
from immunescape.model.toxicity import toxicity_facts
from immunescape.patients.relief import LimitingStep, reliefs
from immunescape.report.claims_report import claims_table
from immunescape.report.reference_pages import drug_page, mechanism_page
from immunescape.report.sensitivity_report import sensitivity_table
from immunescape.report.tables import cited, grades_table, toxicity_rows
from immunescape.report.uncertainty_report import audit_table
from immunescape.trial.loading import load_trial
from immunescape.twins.steps import cycle_steps

INDEX = {"mu_star": 0.2, "ci": [0.1, 0.3], "mu": 0.1, "effect": 0.1, "rms": 0.2}
OUTPUTS = {name: INDEX for name in ("orr", "change_week_9", "change_week_18")}


def row(parameter: str, mechanism: str, basis: str) -> dict:
    return {"parameter": parameter, "mechanism": mechanism, "basis": basis, "grade": basis.split(",")[0], **OUTPUTS}


ROWS = [
    row("r_help", "helper_t", "assumed, direction from borst2018"),
    row("k_kill", "killing", "fitted"),
    row("r_growth_anlotinib", "anlotinib", "assumed"),
]


@pytest.mark.parametrize("table", [sensitivity_table, audit_table], ids=["morris", "each"])
def test_sensitivity_says_what_each_mechanism_was_tested_by_and_what_its_value_rests_on(table) -> None:
    result = SimpleNamespace(top=lambda n, grade="": ROWS, method="morris")
    shown = {r["Parameter"]: r for r in table(result).rows}
    assert shown["r_help"]["Tested"] == short_label("helper_t") == "by nothing"
    assert shown["k_kill"]["Tested"] == "by trials"
    assert shown["r_growth_anlotinib"]["Tested"] == "–"  # of a drug, not of a mechanism
    assert shown["r_help"]["Basis"] == "assumed, direction from borst2018"


def test_a_report_lists_each_drug_with_what_it_acts_through_and_what_tested_that() -> None:
    model = Model.build(drugs=["olaparib", "pembrolizumab"], check_units=False)
    tested = {r["Mechanism or drug"]: r["Tested"] for r in grades_table(model).rows}
    assert tested["Pembrolizumab"] == "by trials: checkpoints_pd1"
    assert tested["Olaparib"] == "by claims only: dna_damage; by patients' data: cd8"
    assert tested["CD4 helper T cells"] == "by nothing"


def test_the_sign_of_a_mean_effect_is_given_where_there_is_one() -> None:
    effects = {name: {**OUTPUTS[name], "mu": mean} for name, mean in zip(OUTPUTS, (0.0, 0.3, -0.3), strict=True)}
    shown = sensitivity_table(SimpleNamespace(top=lambda n: [{**ROWS[0], **effects}], method="morris")).rows[0]  # type: ignore[arg-type]
    assert [str(cell)[-1] for cell in list(shown.values())[-3:]] == [")", "+", "−"]


def test_a_credibility_assessment_labels_the_mechanisms_of_what_matters() -> None:
    sensitive = SimpleNamespace(top=lambda n: [{"parameter": "r_help"}, {"parameter": "size_at_diagnosis_x"}])
    helper, other = _graded(load_trial("keynote-024"), sensitive)  # type: ignore[arg-type]
    assert (helper["Tested"], helper["Source"]) == ("by nothing", "direction from borst2018")
    assert (other["Tested"], other["Source"]) == ("–", "–")
    assert owner_label("pembrolizumab") == "–"


def test_the_pages_of_mechanisms_and_drugs_keep_direction_and_number_apart() -> None:
    page = mechanism_page("helper_t")
    assert f"Ablation: {label_text('helper_t')}" in page.replace("\\", "")
    assert "assumed | direction from `borst2018`" in page
    assert "fitted | `robertsontessi2012`" in page
    fact = next(f for f in toxicity_facts() if f.grade == "assumed" and f.sources and "+" not in f.regimen)
    drug = "pembrolizumab"
    rows = [r for r in toxicity_rows([drug]) if r["grade"] == "assumed"]
    assert rows
    assert all(r["source"] == "assumed" or r["source"].startswith("direction from") for r in rows)
    assert cited(fact.grade, fact.sources).startswith("direction from ")
    assert cited("measured", ("a2001", "b2002")) == "a2001; b2002"
    assert cited("assumed", ()) == cited("assumed", ("assumed",)) == "assumed"
    assert "| assumed | `" not in drug_page(drug)


def test_a_mechanism_is_named_with_what_it_was_tested_by_in_one_word_and_a_drug_alone() -> None:
    assert labelled("killing") == "killing [trials]"
    assert labelled("helper_t") == "helper_t [nothing]"
    assert labelled("tumour_growth") == "tumour_growth [–]"
    assert labelled("pembrolizumab") == "pembrolizumab"
    assert labelled("") == ""
    assert all(f"{word}:" in explanation() for word in ("trials", "data", "claims", "nothing", "–"))


def test_outdated_labels_are_told_with_the_explanation(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "other parameters" not in explanation()
    monkeypatch.setattr("immunescape.evaluation.mechanism_labels._released_numbers", lambda: "0" * 64)
    assert "All labels were measured with other parameters" in explanation()


def test_the_report_of_claims_labels_what_was_switched_off() -> None:
    claim = next(c for c in load_claims() if c.kind != "context")
    moved = Effect(1.2, 1.1, 1.3, 20, "ratio")
    controls = Controls(mediators=("killing", "helper_t"), bystander="lipids")
    checked = Checked(claim, effect=moved, controls=controls, off=moved, beside=moved)
    shown = claims_table([checked]).rows[0]
    assert str(shown["Mediator off"]).startswith("killing [trials], helper_t [nothing]: 1.2")
    assert str(shown["Bystander off"]).startswith("lipids [claims]: 1.2")
    assert checked.to_json()["tested"] == {"killing": "trials", "helper_t": "nothing", "lipids": "claims"}


def test_every_step_of_the_cycle_belongs_to_a_mechanism_whose_label_stands_beside_it() -> None:
    steps = {r.step for r in reliefs()} | set(cycle_steps())
    assert {s: step_mechanism(s) for s in sorted(steps)} == {
        "antigen": "neoantigen",
        "infiltration": "cd8",
        "killing": "killing",
        "persistence": "exhaustion",
        "presentation": "mhc1",
        "priming": "dendritic_cells",
        "recognition": "mhc1",
    }
    assert step_mechanism("growth") == ""
    rows = step_rows([LimitingStep("none", 6.0, 10.0, {r.step: 1.0 for r in reliefs()})])
    assert [r["Mechanism"] for r in rows if r["Step"] == "Killing"] == [
        "Killing of cancer cells by CD8 T cells [trials]"
    ]


def test_the_claims_of_the_app_name_their_mechanisms_with_labels() -> None:
    named = [r["Mechanisms"] for r in claim_rows() if r["Mechanisms"] != "–"]
    assert len(named) > 100
    assert any("killing [trials]" in text for text in named)


def test_a_drug_is_shown_with_all_that_it_acts_through_by_what_tested_it() -> None:
    assert through_text(get_drug("pembrolizumab")) == "by trials: checkpoints_pd1"
    assert through_text(get_drug("epacadostat")) == "by patients' data: tryptophan"
    assert "cannot be switched off: tumour_growth" in through_text(get_drug("pemetrexed"))
    assert through_text(get_drug("epacadostat"), titles=True) == "by patients' data: Tryptophan and kynurenine"
    carboplatin = through_text(get_drug("carboplatin"), titles=True)
    assert "Dendritic cells + Response to DNA damage" in carboplatin  # titles may contain commas
    assert title_labelled("helper_t") == "CD4 helper T cells [nothing]"
    assert title_labelled("pembrolizumab") == ""
