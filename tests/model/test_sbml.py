"""The SBML: valid for libsbml with its units, and the same mathematics as the model for libroadrunner."""

from __future__ import annotations

import libsbml
import numpy as np
import pytest
import roadrunner
from scipy.integrate import solve_ivp
from toys import Toys

from immunescape.model import Model, Quantity


def problems(sbml: str) -> list[str]:
    """Return every error and every unit warning of libsbml's consistency check."""
    document = libsbml.readSBMLFromString(sbml)
    document.setConsistencyChecks(libsbml.LIBSBML_CAT_UNITS_CONSISTENCY, True)
    document.setConsistencyChecks(libsbml.LIBSBML_CAT_MODELING_PRACTICE, False)
    document.checkConsistency()
    return [document.getError(i).getMessage() for i in range(document.getNumErrors())]


@pytest.fixture
def model(toys: Toys) -> Model:
    return Model.build(toys.mechanisms, (toys.drug,), strengths={("killing", "cytokine", "toy_suppression"): 50.0})


def test_is_consistent_units_included(model: Model) -> None:
    assert problems(model.to_sbml()) == []


def test_libsbml_would_have_seen_a_wrong_unit(toys: Toys) -> None:
    from dataclasses import replace

    wrong = replace(toys.killing, quantities=(Quantity("q", "T_T * k_kill + T_T", "cell", "wrong"),))
    mechanisms = [wrong if m.name == wrong.name else m for m in toys.mechanisms]
    assert problems(Model.build(mechanisms, check_units=False).to_sbml(unreferenced=True))


def test_everything_has_units_and_its_own_name(model: Model) -> None:
    document = libsbml.readSBMLFromString(model.to_sbml()).getModel()
    assert (document.getLevel(), document.getVersion()) == (3, 2)
    species = {s.getId(): s for s in document.getListOfSpecies()}
    assert list(species) == list(model.states)
    assert all(s.getHasOnlySubstanceUnits() and s.isSetSubstanceUnits() for s in species.values())
    parameters = {p.getId(): p for p in document.getListOfParameters()}
    assert {*model.parameters, *model.quantities} <= set(parameters)
    assert all(p.isSetUnits() for p in parameters.values())
    for name, parameter in model.parameters.items():
        assert parameters[name].getValue() == parameter.base
    assert [r.getId() for r in document.getListOfReactions()] == list(model.reactions)
    rules = {r.getVariable() for r in document.getListOfRules()}
    assert rules == {*model.quantities, "tumour"}
    assert document.getCompartment("central").getSize() == 5000


def test_libroadrunner_computes_what_the_model_says(model: Model) -> None:
    runner = roadrunner.RoadRunner(model.to_sbml())
    y = model.initial()
    y["toymab_C"] = 1000.0
    y["S_T"] = 1e-4
    for name, value in y.items():
        runner.setValue(f"init({name})", value)
    runner.reset()
    quantities = model.evaluate(y)
    rates = model.derivatives(y)
    for name, value in quantities.items():
        assert runner.getValue(name) == pytest.approx(float(value), rel=1e-12), name
    for name, value in rates.items():
        assert runner.getValue(f"{name}'") == pytest.approx(float(value), rel=1e-9), name


def test_trajectory_equals_scipy_and_the_clone_dies_out(model: Model) -> None:
    runner = roadrunner.RoadRunner(model.to_sbml())
    runner.integrator.relative_tolerance = 1e-9
    runner.setValue("init(toymab_C)", 90000.0)
    runner.reset()
    states = list(model.states)
    y0 = {**model.initial(), "toymab_C": 90000.0}

    def right(time: float, y: np.ndarray) -> list[float]:
        rates = model.derivatives(dict(zip(states, y, strict=True)), time=time)
        return [float(rates[s]) for s in states]

    def dies(time: float, y: np.ndarray) -> float:
        return float(y[states.index("C_sensitive")] - 1)

    dies.terminal = True  # type: ignore[attr-defined]
    times = np.linspace(0, 12, 13)
    oracle = solve_ivp(right, (0, 12), [float(y0[s]) for s in states], "BDF", times, rtol=1e-8, atol=1e-6, events=dies)
    end = float(oracle.t_events[0][0]) if len(oracle.t_events[0]) else np.inf
    assert 5 < end < 12, "the drug should wipe out the sensitive clone"
    result = runner.simulate(0, 12, 13, ["time", *states])
    before = times < end
    for i, state in enumerate(states):
        np.testing.assert_allclose(
            result[before, 1 + i], oracle.y[i][before[: oracle.y.shape[1]]], rtol=1e-5, atol=1e-3, err_msg=state
        )
    after = result[~before, 1 + states.index("C_sensitive")]
    assert np.all(after == 0)
    assert np.all(result[:, 1 + states.index("C_resistant")] > 1e3)
