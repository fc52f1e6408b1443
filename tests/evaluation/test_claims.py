"""A few fast claims on toy and real models; a false one does not hold."""

import html
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from immunescape.errors import ImmunescapeError, InputError
from immunescape.evaluation.claims import check_names, plan, run_claims, select_claims
from immunescape.evaluation.dependency import Dependencies
from immunescape.evaluation.mechanism_labels import explanation
from immunescape.evaluation.scenarios import Library, drug_groups, scenario
from immunescape.evaluation.summary import full_model
from immunescape.knowledge.claim_records import Setting, load_claims, read_claims
from immunescape.report.claims_report import summary_lines

FEW = """chapter: few
claims:
- id: interferon-raises-mhc1
  at: ["12.3"]
  text: Interferon-gamma raises MHC-I.
  mechanism: ifn_gamma
  change: {set: {k_IFNg_sec: x4}}
  observe: MHC1_T
  day: 14
  expect: increase
- id: false
  at: ["12.3"]
  text: Interferon-gamma lowers MHC-I, which is false.
  mechanism: ifn_gamma
  change: {set: {k_IFNg_sec: x4}}
  observe: MHC1_T
  day: 14
  expect: decrease
- id: pdl1-engages
  at: ["2.13"]
  text: More PD-L1 engages more PD-1.
  mechanism: checkpoints_pd1
  change: {set: {pdl1_tumour: x3}}
  observe: PD1_engaged_T
  expect: increase
- id: unknown-parameter
  at: ["2.13"]
  text: A parameter that is misspelt.
  mechanism: checkpoints_pd1
  change: {set: {pdl1_tumor: x3}}
  observe: PD1_engaged_T
  expect: increase
- id: words
  at: ["1.1"]
  text: A statement for no simulation.
  kind: context
  reason: It is a definition.
"""


@pytest.fixture(scope="module")
def result():
    return run_claims(read_claims("few.yaml", FEW.replace("id: false", "id: false-one")), patients=8, seed=1)


def row(result, name):
    return next(r for r in result.claims if r.claim.id == name)


def test_a_true_claim_holds_and_fails_reversed(result):
    found = row(result, "interferon-raises-mhc1")
    assert found.holds
    assert found.reversed_fails
    assert found.reversed.value < 1
    assert found.effect.n == 8


def test_switching_off_what_is_changed_is_no_control(result):
    found = row(result, "interferon-raises-mhc1")  # its mechanism owns the parameter that is changed
    assert "ifn_gamma" not in found.controls.mediators
    assert not found.controls.named


def test_a_false_claim_does_not_hold(result):
    assert row(result, "false-one").holds is False


def test_wired_and_emergent_come_from_the_graph(result):
    assert row(result, "pdl1-engages").path == "wired"
    assert row(result, "interferon-raises-mhc1").path == "wired"  # two steps are no emergence
    assert row(result, "interferon-raises-mhc1").steps == 2


def test_what_cannot_be_tested_is_said(result):
    assert "pdl1_tumour" in row(result, "unknown-parameter").untestable
    counts = result.counts()
    assert counts["tested"] == 3
    assert counts["not_testable"] == 1
    assert counts["context"] == 1


def test_json_has_the_agreed_fields(result):
    text = json.dumps(result.to_json(), allow_nan=False)
    first = json.loads(text)["claims"][0]
    assert set(first["tested"]) == {m for m in (*first["mediators"], first["bystander"]) if m}
    for claim in json.loads(text)["claims"]:
        assert {"id", "reference", "kind", "holds", "effect", "ci"} <= set(claim)


def test_report_is_written(result, tmp_path):
    from immunescape.report.claims_report import write_claims

    text = write_claims(result, tmp_path / "claims.html", "notice").read_text(encoding="utf-8")
    assert "interferon-raises-mhc1" in text
    assert explanation() in html.unescape(text)
    assert "Coverage" in text


def test_scenarios_of_settings_add_up():
    one = scenario([Setting(set={"a": "x2"}, off="m"), Setting(set={"a": "x3", "b": 1.0}, off="n")])
    assert one.factors == (("a", 6.0),)
    assert one.values == (("b", 1.0),)
    assert one.off == ("m", "n")
    assert one.inverse_factors(["a"]).factors == (("a", 1 / 6),)


def test_every_combination_of_drugs_finds_a_model():
    wanted = {i: drugs for i, drugs in enumerate([("a", "b"), ("c",), ("a", "d", "e"), ("f", "b"), ()])}
    groups = drug_groups(wanted, most=3)
    assert all(any(set(d) <= set(g) for g in groups) for d in wanted.values())
    assert all(len(g) <= 3 for g in groups)


def test_graph_counts_reactions_and_modulations():
    graph = Dependencies(full_model())
    assert graph.steps(["pdl1_tumour"], "PDL1_T") == 0
    assert graph.steps(["pdl1_tumour"], "f_killing") == 1
    assert graph.steps(["k_IFNg_sec"], "IFNg_T") == 1
    assert graph.steps(["no_such_node"], "V_T") is None


def test_selection_by_id_chapter_and_error():
    first = load_claims()[0]
    assert first in select_claims(first.chapter)
    assert select_claims([first.id]) == [first]
    with pytest.raises(InputError, match="claim or chapter"):
        select_claims("no-such-claim-at-all")


def test_claims_name_what_exists_or_are_refused_with_the_nearest_name():
    model = full_model()
    wrong, good = {}, 0
    for claim in load_claims():
        if claim.kind == "context":
            continue
        try:
            check_names(claim, model)
            plan(claim)
            good += 1
        except ImmunescapeError as error:
            wrong[claim.id] = error
    assert good >= 200
    assert all("unknown" in str(error) for error in wrong.values()), wrong  # nothing worse than what is not there


def test_a_pathological_response_is_judged_by_the_tumour_bed_that_there_was():
    from immunescape.evaluation.claims import pathological_response

    course = np.array([[100.0, 90.0, 9.0], [100.0, 400.0, 38.0], [100.0, 100.0, 11.0], [100.0, 50.0, np.nan]])
    major = pathological_response(course[:, -1], course, 0.10)
    assert major[:3].tolist() == [1.0, 1.0, 0.0]
    assert np.isnan(major[3])
    assert pathological_response(course[:, -1], course, 0.001)[:3].tolist() == [0.0, 0.0, 0.0]


def test_later_forms_may_go_without_controls():
    chosen = select_claims("lactate-treg")
    library: Library = {}
    with_controls = run_claims(chosen, patients=4, seed=1, library=library)
    without = run_claims(chosen, patients=4, seed=1, library=library, uncontrolled={"lactate-treg"})
    assert with_controls.claims[0].controls.mediators
    assert not without.claims[0].controls.mediators
    assert without.claims[0].off is None
    assert without.claims[0].effect == with_controls.claims[0].effect


@pytest.mark.parametrize(
    "words",
    [
        ["--coverage", "--html", "x.html"],
        ["--changes", "--html", "x.html"],
        ["--changes", "--seeds", "2"],
        ["--only", " "],
    ],
)
def test_options_that_would_do_nothing_are_refused(words):
    from immunescape.cli import app

    result = CliRunner().invoke(app, ["claims", *words])
    assert result.exit_code != 0
    assert isinstance(result.exception, InputError | SystemExit)


def test_changes_of_some_claims_alone_can_be_listed():
    from immunescape.cli import app

    result = CliRunner().invoke(app, ["claims", "--changes", "--json", "--only", "lung-treg"])
    assert [row["Claim"] for row in json.loads(result.stdout)] == ["lung-treg"]


def test_a_claim_whose_set_up_is_not_locked_is_named(result):
    result.unlocked = ("false-one",)
    assert result.to_json()["set_up_not_locked"] == ["false-one"]
    assert "false-one" in summary_lines(result)[-1]
    result.unlocked = ()
    assert not any("not locked" in line for line in summary_lines(result))
