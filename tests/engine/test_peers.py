"""What is measured beside our engine: doses as events must be the same doses."""

from __future__ import annotations

import libsbml
import numpy as np
import pytest
from tests.engine.small import sbml

from immunescape.engine import Doses, Job, get_engine
from immunescape.engine.oracle.peers import PEERS, installed_peers, with_dose_events
from immunescape.errors import EngineError


def test_a_bolus_written_as_an_event_is_the_same_bolus() -> None:
    text = sbml({"x": (1.0, "-k * x")}, {"k": 0.5})
    doses = Doses(np.array([0.0, 1.0, 2.5]), ("x",) * 3, np.array([2.0, 3.0, 0.5]), np.zeros(3))
    times = np.linspace(0, 4, 9)
    engine = get_engine("roadrunner")
    as_doses = engine.compile(text).run(Job(1, times, ("x",), doses=doses, rtol=1e-9, atol=1e-12))
    as_events = engine.compile(with_dose_events(text, doses)).run(Job(1, times, ("x",), rtol=1e-9, atol=1e-12))
    np.testing.assert_allclose(as_events.values, as_doses.values, rtol=1e-6)


def test_an_infusion_is_refused() -> None:
    doses = Doses(np.array([0.0]), ("x",), np.array([2.0]), np.array([0.1]))
    with pytest.raises(EngineError, match="boluses"):
        with_dose_events(sbml({"x": (1.0, "-k * x")}, {"k": 0.5}), doses)


def test_a_dose_is_an_amount_where_the_name_is_a_concentration() -> None:
    document = libsbml.readSBMLFromString(_decaying_species())
    document.getModel().getSpecies("x").setHasOnlySubstanceUnits(False)
    doses = Doses(np.array([1.0]), ("x",), np.array([6.0]), np.zeros(1))
    text = with_dose_events(libsbml.writeSBMLToString(document), doses)
    result = (
        get_engine("reference").compile(text).run(Job(1, np.array([0.0, 1.0]), ("x",), parameters={"decay_rate": 0.0}))
    )
    np.testing.assert_allclose(result["x"][0], [1.0, 7.0], rtol=1e-9)


def _decaying_species() -> str:
    document = libsbml.SBMLDocument(3, 2)
    model = document.createModel()
    compartment = model.createCompartment()
    compartment.setId("V")
    compartment.setSize(2.0)
    compartment.setConstant(True)
    species = model.createSpecies()
    species.setId("x")
    species.setCompartment("V")
    species.setInitialAmount(1.0)
    species.setHasOnlySubstanceUnits(True)
    species.setBoundaryCondition(False)
    species.setConstant(False)
    k = model.createParameter()
    k.setId("decay_rate")
    k.setValue(0.5)
    k.setConstant(True)
    reaction = model.createReaction()
    reaction.setId("decay")
    reaction.setReversible(False)
    reactant = reaction.createReactant()
    reactant.setSpecies("x")
    reactant.setStoichiometry(1)
    reactant.setConstant(True)
    reaction.createKineticLaw().setMath(libsbml.parseL3Formula("decay_rate * x"))
    return str(libsbml.writeSBMLToString(document))


@pytest.mark.parametrize("name", PEERS)
def test_an_installed_library_agrees_with_the_closed_solution(name: str) -> None:
    if name not in installed_peers():
        pytest.skip(f"{name} is not installed")
    model = PEERS[name][1](_decaying_species())
    times = np.linspace(0, 4, 9)
    result = model.run(Job(2, times, ("x",), parameters={"decay_rate": np.array([0.5, 1.0])}, rtol=1e-8, atol=1e-10))
    assert result.failed == 0, dict(result.messages)
    np.testing.assert_allclose(result.values[:, :, 0], np.exp(-np.outer([0.5, 1.0], times)), rtol=1e-5)
