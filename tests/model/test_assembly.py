"""Assembly with tiny mechanisms: what is made of the declarations, exact absence, and every refusal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toys import Toys, table

from immunescape.errors import ImmunescapeError, InputError, ModelError
from immunescape.model import Contribution, Event, Model, Modulation, Pool, Quantity, Reaction, State, registry
from immunescape.model.declarations import Clone, Mechanism
from immunescape.model.expansion import explicit_names, write_out
from immunescape.model.expressions import write
from immunescape.model.reference_strengths import (
    load_strengths,
    settle_strengths,
    strengths_from_state,
    write_strengths,
)

KEY = ("killing", "cytokine", "toy_suppression")


def build(toys: Toys, *changed: Mechanism, drugs: bool = True) -> Model:
    mechanisms = {m.name: m for m in (*toys.mechanisms, *changed)}
    return Model.build(mechanisms.values(), (toys.drug,) if drugs else (), specificity="none")


def states(model: Model, seed: int = 0) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    scale = {"cell": 1e8, "nanomole": 10.0}
    return {n: float(scale[s.unit] * rng.uniform(0.1, 1)) for n, s in model.states.items()}


def test_clones_are_written_out(toys: Toys) -> None:
    model = build(toys)
    assert {"C_sensitive", "C_resistant"} <= set(model.states)
    assert write(model.quantities["C_total"].expression) == "C_sensitive + C_resistant"
    assert model.reactions["kill_resistant"].reactants == {"C_resistant": 1}
    y = model.initial()
    assert y["C_resistant"] == pytest.approx(1e6)
    assert y["C_sensitive"] == pytest.approx(99e6)
    q = model.evaluate(y)
    assert q["chemo_sensitivity_sensitive"] == 1
    assert q["chemo_sensitivity_resistant"] == 0.1
    assert [c.name for c in model.clones] == ["sensitive", "resistant"]


def test_write_out() -> None:
    assert write_out("SUM(x_{clone} * (1 + y_{clone})) / z_{clone}", "a", ["a", "b"], "here") == (
        "((x_a * (1 + y_a)) + (x_b * (1 + y_b))) / z_a"
    )
    assert write_out("SUM(x_{clone})", "", [], "here") == "(0)"
    assert explicit_names(["k * C_{clone} + C_a / f_{clone}_x"]) == {"k", "C_a"}


def test_units_are_converted_once(toys: Toys) -> None:
    model = build(toys)
    y = {**model.initial(), "toymab_C": 10.0}
    q = model.evaluate(y)
    assert q["conc_toymab"] * model.scale("conc_toymab") == pytest.approx(10e-9 * 146e3 / 5 * 1e3)  # ug/mL
    volume_ml = 1 + 2572e-12 * 1e8
    assert q["V_T"] == pytest.approx(volume_ml)
    assert q["diameter_T"] * model.scale("diameter_T") == pytest.approx(10 * 2 * (3 * volume_ml / 4 / np.pi) ** (1 / 3))
    secreted = 3 * 24 / 25e3 * volume_ml  # ng/h/mL of 25 kDa, per day, in nmol
    assert model.derivatives(y)["S_T"] == pytest.approx(secreted)
    assert model.to_base("k_cl_toymab", 0.3) == pytest.approx(300)
    assert model.atol()["S_T"] == 1e-12
    assert model.atol()["C_sensitive"] == 1e-3
    assert model.unit("conc_toymab") == "microgram/milliliter"


def test_parameters_per_patient_broadcast(toys: Toys) -> None:
    model = build(toys)
    f = np.array([0.0, 0.5])
    y = model.initial({"f_resistant": f})
    np.testing.assert_allclose(y["C_resistant"], 1e8 * f)
    with pytest.raises(InputError, match="Did you mean 'f_resistant'"):
        model.initial({"f_resistent": 1.0})


@pytest.mark.parametrize("name", ["toy_resistance", "toy_killing", "toy_suppression", "toymab"])
def test_absence_is_exact(toys: Toys, name: str) -> None:
    strengths = {KEY: 0.7}
    every = (*toys.mechanisms, toys.drug)
    full = Model.build(every[:-1], every[-1:], strengths=strengths)
    left = [m for m in every[:-1] if m.name != name]
    without = Model.build(left, [toys.drug] if name != "toymab" else [], strengths=strengths)
    off = {f"switch_{name}": 0.0}
    y0, y1 = full.initial(off), without.initial()
    assert all(y0[s] == y1[s] for s in without.states)
    y = states(full)
    if name == "toy_resistance":
        y["C_resistant"] = 0.0  # its own state stays where its initial value put it
    d0, d1 = full.derivatives(y, off), without.derivatives({s: y[s] for s in without.states})
    q0, q1 = full.evaluate(y, off), without.evaluate({s: y[s] for s in without.states})
    for s in without.states:
        assert d0[s] == d1[s], s
    for q in without.quantities:
        assert q0[q] == q1[q], q
    acting = full.derivatives(y)  # and the switch does something
    assert any(acting[s] != d0[s] for s in without.states)


def test_factor_is_one_at_the_reference_and_moves_the_right_way(toys: Toys) -> None:
    model = build(toys)
    assert model.missing_strengths == (KEY,)
    with pytest.raises(ModelError, match="no reference strength is stored for killing"):
        model.to_sbml()
    y = states(model)
    x = model.evaluate(y)
    strengths = strengths_from_state(model, x)
    reference = Model.build(toys.mechanisms, strengths=strengths)
    y0 = {s: y[s] for s in reference.states}
    assert reference.evaluate(y0)["f_killing"] == pytest.approx(1, rel=1e-12)
    assert reference.missing_strengths == ()
    assert reference.evaluate({**y0, "S_T": 3 * y["S_T"]})["f_killing"] < 1
    promoting = replace(toys.suppression, modulations=(Modulation("killing", "p", "promotes", "S_conc / K_S"),))
    other = Model.build((*toys.mechanisms[:3], promoting), strengths={("killing", "p", "toy_suppression"): 2.0})
    q = other.evaluate({**y0, "S_T": 3 * y["S_T"]})
    assert q["f_killing"] == pytest.approx((1 + q["x_killing_p_toy_suppression"]) / 3)


def test_one_pathway_shares_one_saturation_and_pathways_multiply(toys: Toys) -> None:
    def more(name: str, pathway: str) -> Mechanism:
        modulation = Modulation("killing", pathway, "inhibits", "2 * S_conc / K_S")
        return Mechanism(
            name=name,
            title=name,
            summary=name,
            references=(),
            parameters="",
            requires=("toy_suppression",),
            modulations=(modulation,),
        )

    y = states(build(toys))
    x = build(toys).evaluate(y)["x_killing_cytokine_toy_suppression"]
    shared = build(toys, more("second", "cytokine")).evaluate(y)["f_killing"]
    apart = build(toys, more("second", "other")).evaluate(y)["f_killing"]
    assert shared == pytest.approx(1 / (1 + 3 * x))
    assert apart == pytest.approx(1 / (1 + x) / (1 + 2 * x))


def test_strengths_are_kept_in_a_file(toys: Toys, tmp_path: Path) -> None:
    file = write_strengths({KEY: 0.123456789, ("a", "b", "c"): 2.0}, tmp_path / "strengths.csv")
    assert load_strengths(file) == {KEY: 0.123456789, ("a", "b", "c"): 2.0}
    assert load_strengths(tmp_path / "none.csv") == {}
    file.write_text(file.read_text().replace("2\n", "-2\n"))
    with pytest.raises(ModelError, match="line 2"):
        load_strengths(file)
    with pytest.raises(ModelError, match="missing"):
        strengths_from_state(build(toys), {})


def test_strengths_settle(toys: Toys) -> None:
    """The level of the suppressor depends on the factor it lowers; the settled strength solves x = 3 (1 + x) / 7."""
    model = build(toys, drugs=False)
    name = "x_killing_cytokine_toy_suppression"

    def baseline(overrides: Mapping[str, float]) -> dict[str, float]:
        return {name: 3 * (1 + overrides["X0_killing_cytokine_toy_suppression"]) / 7}

    assert settle_strengths(model, baseline)[KEY] == pytest.approx(0.75, rel=1e-5)
    with pytest.raises(ModelError, match="do not settle; killing / cytokine"):
        settle_strengths(model, lambda o: {name: 2 * (1 + o["X0_killing_cytokine_toy_suppression"])})


def test_quantities_come_in_order(toys: Toys) -> None:
    seen: set[str] = set()
    model = build(toys)
    from immunescape.model.expressions import names

    for name, quantity in model.quantities.items():
        assert {n for n in names(quantity.expression) if n in model.quantities} <= seen
        seen.add(name)


def test_acting_on_what_a_mechanism_that_is_left_out_owns_is_dropped(
    toys: Toys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "mechanisms", lambda: {toys.growth.name: toys.growth})
    with pytest.raises(ModelError, match="unknown process 'killing'"):
        Model.build([toys.growth, toys.suppression])
    monkeypatch.setattr(registry, "mechanisms", lambda: {m.name: m for m in toys.mechanisms})
    model = Model.build([toys.growth, toys.suppression])
    assert not {"f_killing", "x_killing_cytokine_toy_suppression"} & set(model.quantities)
    assert model.modulations == ()
    drug = Model.build([], [replace(toys.drug, parameters=toys.drug.parameters)])
    assert list(drug.states) == ["toymab_C"]
    late = add(toys.suppression, quantities=Quantity("q", "T_T", "cell", ""))
    with pytest.raises(ModelError, match="uses 'T_T' of 'toy_killing', which is not in this model"):
        Model.build([toys.growth, late])


def test_requirements(toys: Toys) -> None:
    with pytest.raises(ModelError) as caught:
        Model.build(toys.mechanisms, without=("toy_growth",))
    text = str(caught.value)
    assert "requires 'toy_growth'" in text
    assert all(n in text for n in ("toy_resistance", "toy_killing", "toy_suppression"))
    with pytest.raises(InputError, match="Did you mean 'toy_killing'"):
        Model.build(toys.mechanisms, without=("toy_kiling",))
    with pytest.raises(ModelError, match="unknown mechanism 'toy_grwth'"):
        build(toys, replace(toys.killing, requires=("toy_grwth",)))
    with pytest.raises(InputError, match="lists of names"):
        Model.build("toy_growth")


def test_drug_by_synonym(toys: Toys) -> None:
    model = build(toys)
    assert model.drug("TOYVANT").name == "toymab"
    with pytest.raises(InputError, match="Did you mean 'toymab'"):
        model.drug("toymap")


def add(mechanism: Mechanism, **more: object) -> Mechanism:
    return replace(mechanism, **{k: (*getattr(mechanism, k), v) for k, v in more.items()})  # type: ignore[arg-type]


CASES = {
    "misspelt name": (
        lambda t: add(t.killing, quantities=Quantity("q", "k_kil * 2", "1/day", "")),
        ["toy_killing", "quantity 'q'", "unknown name 'k_kil'", "k_kill"],
    ),
    "name of another without requiring it": (
        lambda t: add(t.suppression, quantities=Quantity("q", "T_T", "cell", "")),
        ["toy_suppression", "uses 'T_T' of 'toy_killing' without requiring it", "Add 'toy_killing'"],
    ),
    "clone of another without requiring it": (
        lambda t: add(t.killing, quantities=Quantity("q", "C_resistant", "cell", "")),
        ["toy_killing", "C_resistant", "toy_resistance"],
    ),
    "units of a rate": (
        lambda t: add(t.killing, reactions=Reaction("r", "k_kill", "", products={"T_T": 1})),
        ["toy_killing", "rate of reaction 'r'", "1/day", "cell/day"],
    ),
    "units of a sum": (
        lambda t: add(t.killing, quantities=Quantity("q", "T_T + k_kill", "cell", "")),
        ["toy_killing", "T_T + k_kill", "cell", "1/day"],
    ),
    "units of an initial value": (
        lambda t: add(t.killing, states=State("X_T", "cell", "tumour", "", initial="k_T")),
        ["toy_killing", "initial value of state 'X_T'"],
    ),
    "number as initial value": (
        lambda t: add(t.killing, states=State("X_T", "cell", "tumour", "", initial="100")),
        ["initial value of state 'X_T'", "`100`", "cell"],
    ),
    "units of a strength": (
        lambda t: add(t.suppression, modulations=Modulation("killing", "c2", "inhibits", "S_conc")),
        ["toy_suppression", "dimensionless"],
    ),
    "units of a contribution": (
        lambda t: add(t.killing, contributions=Contribution("chemo_kill", "T_T")),
        ["chemo_kill", "1/day"],
    ),
    "two kinds of amount": (
        lambda t: add(
            replace(t.killing, requires=("toy_growth", "toy_suppression")),
            reactions=Reaction("r", "k_T * T_T", "", {"T_T": 1}, {"S_T": 1}),
        ),
        ["not the same kind of amount", "reaction 'r'"],
    ),
    "unknown state": (
        lambda t: add(t.killing, reactions=Reaction("r", "k_T * T_T", "", {"T_TT": 1})),
        ["unknown state 'T_TT'", "T_T"],
    ),
    "unknown process": (
        lambda t: add(t.suppression, modulations=Modulation("kiling", "c", "inhibits", "S_conc / K_S")),
        ["unknown process 'kiling'", "killing"],
    ),
    "unknown pool": (
        lambda t: add(t.killing, contributions=Contribution("chemo_kil", "k_T")),
        ["unknown pool 'chemo_kil'", "chemo_kill"],
    ),
    "unknown trait": (
        lambda t: replace(t.resistance, clones=(replace(t.resistance.clones[0], traits={"chemo_sens": "1"}),)),
        ["unknown trait 'chemo_sens'", "chemo_sensitivity"],
    ),
    "duplicate name": (
        lambda t: add(t.killing, quantities=Quantity("C_total", "0", "cell", "")),
        ["'C_total' is used twice", "toy_growth", "toy_killing"],
    ),
    "duplicate clone": (
        lambda t: add(t.resistance, clones=Clone("sensitive", "", "f_resistant")),
        ["clone 'sensitive'", "toy_growth", "toy_resistance"],
    ),
    "two clones that take the rest": (
        lambda t: add(t.resistance, clones=Clone("other", "")),
        ["exactly one clone", "sensitive", "other"],
    ),
    "reserved name": (
        lambda t: add(t.killing, quantities=Quantity("exp", "0", "cell", "")),
        ["'exp' is not a valid name"],
    ),
    "circle": (
        lambda t: add(
            add(t.killing, quantities=Quantity("q1", "q2", "cell", "")), quantities=Quantity("q2", "q1", "cell", "")
        ),
        ["depends on itself", "q1", "q2"],
    ),
    "clone left open": (
        lambda t: add(t.killing, quantities=Quantity("q", "C_{clone}", "cell", "")),
        ["has no clone to refer to", "SUM(...)"],
    ),
    "unknown compartment": (
        lambda t: add(t.killing, states=State("X", "cell", "lymph_node", "")),
        ["defines the compartment 'lymph_node'"],
    ),
    "a concentration as state": (
        lambda t: add(t.killing, states=State("X", "nanomolar", "tumour", "")),
        ["not that of an amount", "'nanomolar'"],
    ),
    "pathway in two directions": (
        lambda t: add(t.suppression, modulations=Modulation("killing", "cytokine", "promotes", "S_conc / K_S")),
        ["both inhibits and promotes"],
    ),
    "pool of another unit": (
        lambda t: add(t.killing, pools=Pool("chemo_kill", "1/hour", "")),
        ["chemo_kill", "1/hour"],
    ),
    "event without comparison": (
        lambda t: add(t.killing, events=Event("e", "T_T", {"T_T": "0"})),
        ["trigger of event 'e'", "comparison"],
    ),
    "volume that is none": (
        lambda t: replace(t.killing, compartments={"lymph_node": "k_T"}),
        ["not a volume"],
    ),
    "bad stoichiometry": (
        lambda t: add(t.killing, reactions=Reaction("r", "k_T * T_T", "", {"T_T": -1})),
        ["stoichiometry"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_refuses_and_says_where(toys: Toys, case: str) -> None:
    change, words = CASES[case]
    with pytest.raises(ImmunescapeError) as caught:
        build(toys, change(toys))
    for word in words:
        assert word in str(caught.value)


def test_duplicate_parameters_name_both_tables(toys: Toys, tmp_path: Path) -> None:
    path = table(tmp_path, "again", "k_T,1,1/day,,,,,assumed,assumed,\n")
    other = Mechanism(name="again", title="", summary="", references=(), parameters=path)
    with pytest.raises(ModelError) as caught:
        build(toys, other)
    assert "killing.csv" in str(caught.value)
    assert "again.csv" in str(caught.value)


def test_units_can_be_left_unchecked(toys: Toys) -> None:
    wrong = add(toys.killing, quantities=Quantity("q", "T_T + k_kill", "cell", ""))
    model = Model.build([m if m.name != "toy_killing" else wrong for m in toys.mechanisms], check_units=False)
    assert "q" in model.quantities


def test_event_on_a_foreign_state_obeys_the_switch(toys: Toys) -> None:
    event = Event("burst", "S_T > 5", {"T_T": "0", "C_sensitive": "C_start"})
    model = build(toys, replace(add(toys.suppression, events=event), requires=("toy_growth", "toy_killing")))
    found = {k: write(v) for k, v in model.events["burst"].assignments.items()}
    assert found == {
        "T_T": "(1 - switch_toy_suppression) * T_T",
        "C_sensitive": "switch_toy_suppression * C_start + (1 - switch_toy_suppression) * C_sensitive",
    }


def test_text_of_a_model(toys: Toys) -> None:
    model = build(toys)
    text = model.equations()
    assert "d(C_resistant)/dt = growth_resistant - chemo_resistant + mutation - kill_resistant" in text
    assert "T_T(0) = s_T / k_T" in text
    assert "Growth" not in model.equations("toy_killing")
    keys = [line.split("]")[0][1:] for line in model.cite().splitlines()]
    assert keys == model.citation_keys() == ["alpha2001", "delta2003", "gamma2002"]
    assert "unused1999" not in model.cite("bibtex")
    assert "@article{delta2003" in model.cite("bibtex")
    assert build(toys, drugs=False).citation_keys() == ["alpha2001", "gamma2002"]
    assert "9 measured, 7 fitted, 6 assumed" in model.describe()
    bad = replace(toys.killing, references=("gama2002",))
    with pytest.raises(InputError, match="Did you mean 'gamma2002'") as caught:
        build(toys, bad).cite()
    assert "toy_killing" in str(caught.value)


def test_a_model_is_assembled_and_written_once_in_a_process_and_travels_without_what_follows_from_it():
    import pickle

    from immunescape.model.stored import registered_model, untreated_model

    model = registered_model(("pembrolizumab",))
    assert registered_model(("pembrolizumab",)) is model
    assert model.to_sbml() is model.to_sbml()
    untreated = untreated_model(model)
    assert untreated is untreated_model(model)
    assert untreated is untreated_model(untreated)
    assert not untreated.drugs
    assert untreated.to_sbml() == Model.build(model.mechanisms, check_units=False).to_sbml()
    copy = pickle.loads(pickle.dumps(model))
    assert "_sbml" not in vars(copy)
    assert copy.to_sbml() == model.to_sbml() == Model.build(drugs=["pembrolizumab"], check_units=False).to_sbml()
