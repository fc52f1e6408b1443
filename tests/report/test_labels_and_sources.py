"""Tables say what a mechanism was tested by, and credit no source with a value that it did not give."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from immunescape.evaluation.credibility import _graded
from immunescape.evaluation.mechanism_labels import label_text, owner_label, short_label
from immunescape.model.toxicity import toxicity_facts
from immunescape.report.reference_pages import drug_page, mechanism_page
from immunescape.report.sensitivity_report import sensitivity_table
from immunescape.report.tables import cited, toxicity_rows
from immunescape.report.uncertainty_report import audit_table
from immunescape.trial.loading import load_trial

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
