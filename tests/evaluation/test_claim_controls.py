"""Controls of the claims: mediators that lie between, bystanders that do not, verdicts that can come out either way."""

from __future__ import annotations

import pytest

from immunescape.evaluation.claim_controls import changed_owners, controls_of
from immunescape.evaluation.claim_results import Checked, ClaimsResult, of_all_seeds
from immunescape.evaluation.claims import observed, run_claims
from immunescape.evaluation.dependency import Dependencies
from immunescape.evaluation.effects import Effect
from immunescape.evaluation.summary import full_model
from immunescape.knowledge.claim_records import Claim, load_claims


@pytest.fixture(scope="module")
def graph() -> Dependencies:
    return Dependencies(full_model())


def claim(**fields) -> Claim:
    base = {
        "id": "a-claim",
        "at": ["1.1"],
        "text": "Something moves something.",
        "mechanism": ["mhc1"],
        "observe": "V_T",
        "day": 28,
        "expect": "increase",
    }
    return Claim.model_validate(base | fields)


def test_no_control_switches_off_the_change_or_what_is_looked_at(graph: Dependencies) -> None:
    checked = 0
    for each in load_claims():
        if each.kind == "context":
            continue
        target = observed(each.observe)[1]
        controls = controls_of(each, graph, target)
        ends = changed_owners((each.change, each.against), graph) | {graph.owner(target)}
        assert not ends & ({*controls.mediators, controls.bystander} - {""}), each.id
        checked += bool(controls.mediators)
    assert checked >= 150


def test_a_mediator_lies_on_a_way_and_a_bystander_does_not(graph: Dependencies) -> None:
    for each in load_claims():
        if each.kind == "context":
            continue
        target = observed(each.observe)[1]
        controls = controls_of(each, graph, target)
        if not controls.mediators and not controls.bystander:
            continue
        from immunescape.evaluation.claim_controls import changed_nodes

        detours = graph.owners_by_detour(changed_nodes(each, graph), target)
        assert all(detours[m] <= 2 for m in controls.mediators), each.id
        assert detours.get(controls.bystander, 99) >= 4, each.id


def test_the_bystander_follows_from_the_id_alone(graph: Dependencies) -> None:
    first = controls_of(claim(change={"set": {"k_IFNg_sec": "x4"}}, observe="MHC1_T"), graph, "MHC1_T")
    again = controls_of(claim(change={"set": {"k_IFNg_sec": "x0.1"}}, observe="MHC1_T"), graph, "MHC1_T")
    assert first.bystander
    assert first.bystander == again.bystander


def test_a_mediator_carries_an_effect_and_a_bystander_does_not() -> None:
    """Interferon-gamma raises PD-L1, which lowers killing: by PD-1, and not by the flora of the gut."""
    stated = claim(
        change={"set": {"pdl1_tumour": "x4"}}, mechanism=["checkpoints_pd1"], observe="kill_rate", expect="decrease"
    )
    row = run_claims([stated], patients=6, seed=1).claims[0]
    assert row.holds
    assert row.beside is None or row.unmoved


def checked(name: str, holds: bool, value: float, steps: int = 1) -> Checked:
    return Checked(
        claim(id=name, change={"set": {"k_IFNg_sec": "x4"}}),
        effect=Effect(value, value * 0.99, value * 1.01, 10, "ratio"),
        holds=holds,
        steps=steps,
    )


def test_a_claim_holds_where_it_holds_with_every_seed() -> None:
    runs = [
        ClaimsResult([checked("a", True, 1.5), checked("b", True, 1.5)], 10, 1),
        ClaimsResult([checked("a", True, 1.4), checked("b", False, 1.01)], 10, 2),
    ]
    joined = of_all_seeds(runs)
    assert [r.holds for r in joined.claims] == [True, False]
    assert joined.claims[1].seeds == {1: True, 2: False}
    assert joined.counts()["seed_dependent"] == 1
    assert joined.to_json()["seeds"] == [1, 2]


def test_three_steps_make_an_effect_emergent_and_small_ones_are_shown_apart() -> None:
    result = ClaimsResult([checked("a", True, 1.03, 2), checked("b", True, 1.5, 3)], 10, 1)
    assert [r.path for r in result.claims] == ["wired", "emergent"]
    assert result.counts()["hold_by_less_than_5_percent"] == 1
