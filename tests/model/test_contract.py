"""The contract that every registered mechanism and drug keeps; a new one is tested here by being registered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libsbml
import numpy as np
import pytest
from mathml_oracle import by_libsbml
from numpy.typing import NDArray

from immunescape.model import Mechanism, Model, registry
from immunescape.model.expressions import evaluate
from immunescape.model.reference_strengths import reference_id, strength_id, strengths_from_state
from immunescape.model.selection import closures
from immunescape.testing import contract

NAMES = [*registry.mechanisms(), *registry.drugs()]
EVERY: dict[str, Mechanism] = {**registry.mechanisms(), **registry.drugs()}
every_name = pytest.mark.parametrize("name", NAMES)

State = dict[str, float]


@dataclass(frozen=True)
class Full:
    """The model of everything that is registered, compiled, and its untreated reference patient after a year."""

    model: Model
    compiled: Any
    grown: State
    growth: NDArray[np.float64]


@pytest.fixture(scope="module")
def full() -> Full:
    from immunescape.engine import get_engine
    from immunescape.engine.api import Job

    model = Model.build(drugs=registry.drugs())
    compiled = get_engine("auto").compile(model.to_sbml())
    assert set(compiled.states) == set(model.states)
    job = Job(n=1, times=np.linspace(0, 360, 181), outputs=tuple(model.states), atol=model.atol())
    result = compiled.run(job)
    assert result.failed == 0, dict(result.messages)
    grown = dict(zip(result.states, map(float, result.final[0]), strict=True))
    return Full(model, compiled, grown, result.values[0])


@pytest.fixture(scope="module")
def baseline(full: Full) -> State:
    """The untreated reference patient at diagnosis."""
    from immunescape.engine import get_engine
    from immunescape.population.diagnosis import Grower

    diameter = np.array([full.model.parameters["diameter_diagnosis"].base])
    growth = Grower(full.model, get_engine("auto")).grow({}, diameter)
    assert growth.reached[0], "the reference tumour never reaches its diameter at diagnosis"
    return {n: float(v[0]) for n, v in growth.states.items()}


def off_set(name: str) -> set[str]:
    """Return a mechanism and all that requires it: what is absent when it is."""
    return contract.off_set(name, EVERY.values())


def disturbed(full: Full, seed: int) -> State:
    """Return the grown state with every amount moved by up to threefold, and some of every drug."""
    return contract.disturbed(full.model, full.grown, seed)


@every_name
def test_loads_with_no_more_than_it_requires(name: str) -> None:
    """Units are checked on the way; nothing is used that is not required."""
    needed = closures(EVERY.values())[name]
    model = Model.build([m for m in registry.mechanisms() if m in needed], [d for d in registry.drugs() if d in needed])
    assert name in {m.name for m in (*model.mechanisms, *model.drugs)}
    y = model.initial()
    numbers = [*y.values(), *model.evaluate(y).values(), *model.derivatives(y).values()]
    assert np.all(np.isfinite(numbers))


@every_name
def test_every_parameter_has_source_and_grade(name: str) -> None:
    contract.require_sourced(EVERY[name])


@every_name
def test_says_what_it_is_and_cites_what_exists(name: str) -> None:
    contract.require_cited(EVERY[name])


@pytest.mark.parametrize("name", list(registry.drugs()))
def test_drug_can_be_dosed(name: str) -> None:
    drug = registry.get_drug(name)
    contract.require_dosable(drug)
    assert all(registry.get_drug(s) is drug for s in drug.synonyms)


@every_name
def test_absence_is_exact(full: Full, name: str) -> None:
    """A model without it has the same rates and quantities as the model in which its switch is 0."""
    gone = off_set(name)
    without = Model.build(
        [m for m in registry.mechanisms() if m not in gone],
        [d for d in registry.drugs() if d not in gone],
        check_units=False,  # of the whole and of each part they are checked elsewhere
    )
    contract.require_absence_exact(full.model, without, gone, full.grown)


@every_name
def test_states_stay_non_negative_by_their_equations(full: Full, name: str) -> None:
    """Where a state is zero its rate of change is not below zero, whatever the others are."""
    contract.require_non_negative(full.model, name, full.grown)


@every_name
def test_stays_finite_where_its_states_are_zero(full: Full, name: str) -> None:
    contract.require_finite_at_zero(full.model, EVERY[name], full.grown)


@every_name
def test_states_stay_non_negative_in_simulation(full: Full, name: str) -> None:
    """For a year of growth, and for six weeks with the drug (a mechanism: with its switch off)."""
    from immunescape.engine.api import Doses, Job

    atol = full.model.atol()
    states = list(full.model.states)
    reached = full.growth[~np.isnan(full.growth).any(axis=1)]
    own = [s.name for s in full.model.states.values() if s.owner == name]
    doses, parameters = Doses.none(), {f"switch_{name}": 0.0}
    if name in registry.drugs():
        drug = registry.drugs()[name]
        without_mass = 100 * max(drug.dose_amounts.values(), default=0.0)
        amount = 200e6 / drug.molar_mass if drug.molar_mass else without_mass  # 200 mg in nanomole
        times = np.array([0.0, 21.0])
        doses, parameters = Doses(times, (drug.dose_state,) * 2, np.full(2, amount), np.zeros(2)), {}
    job = Job(
        n=1,
        times=np.linspace(0, 42, 85),
        outputs=tuple(states),
        parameters=parameters,
        initial=full.grown,
        doses=doses,
        atol=atol,
    )
    result = full.compiled.run(job)
    assert result.failed == 0, dict(result.messages)
    for values, columns in ((reached, own), (result.values[0], states)):
        for state in columns:
            low = float(values[:, states.index(state)].min())
            scale = float(np.abs(values[:, states.index(state)]).max())
            assert low >= -(10 * atol[state] + 1e-6 * scale), f"{state} reaches {low:g}"
    if name in registry.drugs():
        assert result.values[0][:, states.index(registry.drugs()[name].dose_state)].max() > 0


@pytest.fixture(scope="module")
def document(full: Full) -> libsbml.SBMLDocument:
    return libsbml.readSBMLFromString(full.model.to_sbml())


def test_sbml_of_everything_is_consistent_units_included(document: libsbml.SBMLDocument) -> None:
    document.setConsistencyChecks(libsbml.LIBSBML_CAT_UNITS_CONSISTENCY, True)
    document.setConsistencyChecks(libsbml.LIBSBML_CAT_MODELING_PRACTICE, False)
    document.checkConsistency()
    assert [document.getError(i).getMessage() for i in range(document.getNumErrors())] == []


@every_name
def test_sbml_round_trip(full: Full, document: libsbml.SBMLDocument, name: str) -> None:
    """What libsbml reads back gives, for every reaction and quantity, the value that the model gives."""
    model, read = full.model, document.getModel()
    y = disturbed(full, 5)
    values = {n: p.base for n, p in model.parameters.items()} | y | model.evaluate(y)
    values |= {p.getId(): p.getValue() for p in read.getListOfParameters() if p.getId().startswith("conversion_")}
    for key, parameter in model.parameters.items():
        if parameter.owner == name:
            assert read.getParameter(key).getValue() == parameter.base
    for key, quantity in model.quantities.items():
        if quantity.owner == name:
            found = by_libsbml(read.getAssignmentRuleByVariable(key).getMath(), values.__getitem__)
            assert found == pytest.approx(float(values[key]), rel=1e-9, abs=1e-300), key
    for key, reaction in model.reactions.items():
        if reaction.owner == name:
            found = by_libsbml(read.getReaction(key).getKineticLaw().getMath(), values.__getitem__)
            expected = float(evaluate(reaction.rate, values.__getitem__))
            assert found == pytest.approx(expected, rel=1e-9, abs=1e-300), key
            for side, species in (
                (reaction.reactants, read.getReaction(key).getListOfReactants()),
                (reaction.products, read.getReaction(key).getListOfProducts()),
            ):
                assert {r.getSpecies(): r.getStoichiometry() for r in species} == dict(side)
    for state in model.states.values():
        if state.owner == name:
            species = read.getSpecies(state.name)
            assert species.getHasOnlySubstanceUnits()
            assert species.getCompartment() == state.compartment


@every_name
def test_leaves_the_reference_baseline_where_it_was(full: Full, baseline: State, name: str) -> None:
    """At the reference baseline every factor is 1, with this mechanism and without it."""
    with_it = full.model.evaluate(baseline)
    without = full.model.evaluate(baseline, {f"switch_{g}": 0.0 for g in off_set(name)})
    mine = {k[0] for k in full.model.modulations if k[2] == name}
    for process in mine:
        assert float(with_it[f"f_{process}"]) == pytest.approx(1, abs=2e-3), process
        # T cells take room in the tumour: without those that neoantigens bring, densities are a per cent higher
        assert float(without[f"f_{process}"]) == pytest.approx(1, abs=2e-2 if name == "neoantigen" else 2e-3), process


def test_stored_reference_strengths_are_those_of_the_reference_patient(full: Full, baseline: State) -> None:
    assert full.model.missing_strengths == (), "compute the reference strengths anew"
    found = strengths_from_state(full.model, full.model.evaluate(baseline))
    drugs = set(registry.drugs())
    for key, value in found.items():
        stored = full.model.parameters[reference_id(key)].base
        if key[2] in drugs:
            assert value == stored == 0, f"{strength_id(key)} acts without the drug"
        assert (1 + value) == pytest.approx(1 + stored, rel=1e-3), key


def test_size(full: Full) -> None:
    """About two states a drug beyond the 85 or so without any: at most 310 with 100 drugs."""
    assert len(full.model.drugs) <= 100
    assert len(full.model.states) <= 310
    assert len(Model.build(check_units=False).states) < 100


PATIENTS = 4


@pytest.fixture(scope="module")
def treated(full: Full) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Every mechanism switched off, and every drug given, over the same virtual patients for six weeks: one job."""
    from immunescape.engine import get_engine
    from immunescape.engine.api import Doses, Job
    from immunescape.population.population import Population

    people = Population.generate(Model.build(check_units=False), PATIENTS, seed=7, engine=get_engine("auto"))
    own, initial = people.parameters(full.model), people.initial(full.model)
    n = PATIENTS * len(NAMES)
    parameters = {k: np.tile(v, len(NAMES)) for k, v in own.items() if k in full.compiled.parameters}
    doses: list[Doses] = []
    for k, name in enumerate(NAMES):
        table = Doses.none()
        if name in registry.drugs():
            drug = registry.drugs()[name]
            amount = 200e6 / drug.molar_mass if drug.molar_mass else 100 * max(drug.dose_amounts.values())
            table = Doses(np.array([0.0, 21.0]), (drug.dose_state,) * 2, np.full(2, amount), np.zeros(2))
        else:
            for gone in off_set(name):
                switch = parameters.setdefault(f"switch_{gone}", np.ones(n))
                switch[k * PATIENTS : (k + 1) * PATIENTS] = 0.0
        doses += [table] * PATIENTS
    outputs = ("V_T", "C_total", *full.model.states)
    result = full.compiled.run(
        Job(
            n=n,
            times=np.array([0.0, 0.02, 22.0, 42.0]),
            outputs=outputs,
            parameters=parameters,
            initial={k: np.tile(v, len(NAMES)) for k, v in initial.items()},
            doses=doses,
            rtol=1e-4,
            atol=full.model.atol(),
        )
    )
    assert result.failed == 0, {NAMES[i // PATIENTS]: text for i, text in result.messages.items()}
    shape = (len(NAMES), PATIENTS, 4, len(outputs))
    values = result.values.reshape(shape)
    return {name: {o: values[k, :, :, j] for j, o in enumerate(outputs)} for k, name in enumerate(NAMES)}


@every_name
def test_short_run_over_a_population(full: Full, treated: dict[str, dict[str, NDArray[np.float64]]], name: str) -> None:
    """Each patient comes through: numbers are finite, cells are not negative; a drug that is given is there."""
    mine = treated[name]
    if not off_set(name) & {"body", "tumour_growth"} or name in registry.drugs():
        assert np.all(mine["V_T"] > 0)
    for output, values in mine.items():
        assert np.all(np.isfinite(values)), output
        if output.startswith(("C_", "CD8_", "Treg_", "NK_")):
            assert values.min() >= -1.0, output
    if name in registry.drugs():
        state = registry.drugs()[name].dose_state
        assert np.all(mine[state][:, 1] > 0), "the dose does not arrive"
        others = [mine[s] for d in registry.drugs().values() if d.name != name for s in (d.dose_state,)]
        assert max(float(np.abs(v).max()) for v in others) < 1e-6, "another drug is there, too"


def test_bibliography_of_everything(full: Full) -> None:
    keys = [line.split("]")[0].removeprefix("[") for line in full.model.cite().splitlines()]
    assert keys == full.model.citation_keys()
