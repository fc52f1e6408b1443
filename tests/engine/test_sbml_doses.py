"""Doses as events of an SBML document."""

from __future__ import annotations

import libsbml
import numpy as np
import pytest

from immunescape.engine import Job, get_engine
from immunescape.engine.sbml.dose_events import add_dose_event


def document(only_substance: bool) -> libsbml.SBMLDocument:
    """A species in a compartment of 4 litres, 8 at the start, that nothing changes; a parameter of 1."""
    document = libsbml.SBMLDocument(3, 2)
    model = document.createModel()
    compartment = model.createCompartment()
    compartment.setId("V")
    compartment.setConstant(True)
    compartment.setSize(4.0)
    species = model.createSpecies()
    species.setId("x")
    species.setCompartment("V")
    species.setInitialAmount(8.0)
    species.setHasOnlySubstanceUnits(only_substance)
    species.setBoundaryCondition(False)
    species.setConstant(False)
    parameter = model.createParameter()
    parameter.setId("p")
    parameter.setValue(1.0)
    parameter.setConstant(False)
    return document


@pytest.mark.parametrize(("only_substance", "at_start", "after"), [(True, 8.0, 18.0), (False, 8.0, 18.0)])
def test_a_dose_is_added_to_the_amount_whatever_its_symbol_stands_for(
    only_substance: bool, at_start: float, after: float
) -> None:
    text = document(only_substance)
    add_dose_event(text.getModel(), 0, 2.0, "x", 10.0)
    job = Job(1, np.array([0.0, 1.0, 3.0]), ("x",))
    values = get_engine("reference").compile(libsbml.writeSBMLToString(text)).run(job).values[0, :, 0]
    amounts = values if only_substance else values * 4.0 if values[0] == at_start / 4.0 else values
    np.testing.assert_allclose(amounts, [at_start, at_start, after])


def test_a_dose_at_the_start_is_given_and_a_negative_one_takes_away() -> None:
    text = document(True)
    add_dose_event(text.getModel(), 0, 0.0, "p", 2.0)
    add_dose_event(text.getModel(), 1, 1.5, "p", -0.5)
    job = Job(1, np.array([1.0, 2.0]), ("p",))
    values = get_engine("reference").compile(libsbml.writeSBMLToString(text)).run(job).values[0, :, 0]
    np.testing.assert_allclose(values, [3.0, 2.5])
    assert [text.getModel().getEvent(k).getId() for k in range(2)] == ["dose_0", "dose_1"]
