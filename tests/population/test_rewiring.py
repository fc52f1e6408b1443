"""Models that are wrong on purpose: exact where nothing is switched on, and wrong in one place where something is."""

from __future__ import annotations

import pytest

from immunescape.errors import InputError
from immunescape.model.assembly import Model
from immunescape.model.reference_strengths import reference_id, strength_id
from immunescape.population.rewiring import Rewiring, modulation_keys, rewire

MDSC = Rewiring("reverse", "killing/mdsc/mdsc")
STRONG = Rewiring("as_strong_as", "killing/metabolic/tryptophan", "killing/pd1/checkpoints_pd1")
LIKE = Rewiring("clone_like", "b2m_null", "resistant")
WIRE = Rewiring("wire", "growth", "trop2_level", "promotes", 0.4)
EVERY = (MDSC, STRONG, LIKE, WIRE)


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.build(check_units=False, specificity="none")  # factors of pathways multiply


@pytest.fixture(scope="module")
def wrong(model: Model) -> Model:
    return rewire(model, EVERY)


def quantities(of: Model, **changed: float) -> dict:
    states = of.initial(changed)
    states["C_sensitive"], states["MDSC_T"], states["CD8_eff_T"] = 1e9, 3e7, 1e8
    return of.evaluate(states, changed)


def test_with_every_gate_shut_it_is_the_model_it_was_made_of(model: Model, wrong: Model) -> None:
    before, after = quantities(model), quantities(wrong)
    assert set(before) == set(after)
    for name, value in before.items():
        assert after[name] == pytest.approx(value, rel=1e-12, abs=1e-300), name


def test_a_reversed_modulation_acts_as_strongly_the_other_way(model: Model, wrong: Model) -> None:
    key = ("killing", "mdsc", "mdsc")
    right, turned = quantities(model), quantities(wrong, **{MDSC.gate: 1.0})
    factor = (1 + model.parameters[reference_id(key)].base) / (1 + right[strength_id(key)])
    assert turned["f_killing"] / right["f_killing"] == pytest.approx(factor**-2, rel=1e-9)
    assert turned["f_reactivation"] == pytest.approx(right["f_reactivation"])


def test_a_modulation_takes_the_reference_strength_of_another(model: Model, wrong: Model) -> None:
    right, strong = quantities(model), quantities(wrong, **{STRONG.gate: 1.0})
    keys = [k for k in model.modulations if k[:2] == ("killing", "metabolic")]
    x0 = {k: model.parameters[reference_id(k)].base for k in keys}
    mine = ("killing", "metabolic", "tryptophan")
    more = model.parameters[reference_id(("killing", "pd1", "checkpoints_pd1"))].base / x0[mine]
    weights = {k: more if k == mine else 1.0 for k in keys}

    def pathway(w: dict) -> float:
        return (1 + sum(w[k] * x0[k] for k in keys)) / (1 + sum(w[k] * right[strength_id(k)] for k in keys))

    expected = pathway(weights) / pathway(dict.fromkeys(keys, 1.0))
    assert strong["f_killing"] / right["f_killing"] == pytest.approx(expected, rel=1e-9)


def test_a_clone_takes_the_traits_of_another_and_loses_its_defect(model: Model, wrong: Model) -> None:
    right, like = quantities(model), quantities(wrong, **{LIKE.gate: 1.0})
    assert right["mhc1_b2m_null"] == 0.0
    assert like["mhc1_b2m_null"] == 1.0
    assert like["chemo_sensitivity_b2m_null"] == pytest.approx(1 / model.parameters["r_resist"].base)
    assert like["chemo_sensitivity_hla_loh"] == 1.0


def test_clones_that_are_alike_in_a_ring_take_the_traits_of_the_right_model(model: Model) -> None:
    ring = [Rewiring("clone_like", a, b) for a, b in (("b2m_null", "hla_loh"), ("hla_loh", "b2m_null"))]
    both = quantities(rewire(model, ring), **{change.gate: 1.0 for change in ring})
    right = quantities(model)
    assert both["mhc1_hla_loh"] == right["mhc1_b2m_null"] == 0.0
    assert both["haplotypes_b2m_null"] == pytest.approx(right["haplotypes_hla_loh"])


def test_a_wire_leaves_the_reference_and_moves_with_its_source(wrong: Model) -> None:
    shut = quantities(wrong)
    assert quantities(wrong, **{WIRE.gate: 1.0})["f_growth"] == pytest.approx(shut["f_growth"])
    tripled = quantities(wrong, trop2_level=3.0, **{WIRE.gate: 1.0})
    assert tripled["f_growth"] / shut["f_growth"] == pytest.approx((1 + 3 * 0.4) / 1.4)


def test_a_wire_from_a_quantity_asks_for_its_value_in_the_reference_patient(model: Model) -> None:
    wire = Rewiring("wire", "growth", "VEGF_T", "promotes", 0.4)
    with pytest.raises(InputError, match="VEGF_T"):
        rewire(model, [wire])
    right = quantities(model)
    usual = right["VEGF_T"] / 2
    double = rewire(model, [wire], lambda: {"VEGF_T": usual})
    factor = quantities(double, **{wire.gate: 1.0})["f_growth"] / right["f_growth"]
    assert factor == pytest.approx((1 + 2 * 0.4) / 1.4)


def test_an_unknown_modulation_is_refused_with_the_nearest(model: Model) -> None:
    with pytest.raises(InputError, match="killing/mdsc/mdsc"):
        modulation_keys("killing/mdsc/mdcs", model.modulations)
    assert len(modulation_keys("mdsc", model.modulations)) > 1
