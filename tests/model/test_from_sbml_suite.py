"""Models of the SBML Test Suite, read as mechanisms, change as the engine's own reading of them says."""

from __future__ import annotations

from pathlib import Path

import libsbml
import numpy as np
import pytest

from immunescape.engine.ir.calculus import evaluate
from immunescape.engine.sbml.reader import read_sbml_file
from immunescape.errors import ImmunescapeError
from immunescape.model import Model
from immunescape.model.from_sbml import mechanism_from_sbml
from immunescape.model.from_sbml.units import declared_unit
from immunescape.model.registry import get_mechanism
from immunescape.model.units import parse_unit

STAND_IN = Path(__file__).parents[1] / "data" / "stand_in" / "data" / "sbml_suite"
UNITS = {"time": "hour", "substance": "micromole", "volume": "liter"}
NEEDED = ("body", "tumour_growth")


def read(file: Path):
    """The mechanism, with units where the file states none; days in its unit of time, and amounts in its units."""
    model = libsbml.readSBMLFromFile(str(file)).getModel()
    stated = {k: getattr(model, f"get{k.capitalize()}Units")() for k in UNITS}
    units = {kind: text for kind, text in UNITS.items() if not stated[kind]}
    mechanism = mechanism_from_sbml(file, {"units": units}, name="case_of_the_suite")

    def factor(kind: str, own: str = "") -> float:
        name = own or stated[kind]
        return declared_unit(model, name, "").factor if name else parse_unit(UNITS[kind]).factor

    amounts = {s.getId(): factor("substance", s.getSubstanceUnits()) for s in model.getListOfSpecies()}
    return mechanism, factor("time"), amounts


def as_the_engine_reads(file: Path, share: float) -> tuple[dict[str, float], dict[str, float]]:
    """Values of all names away from the start, and the rates of states, in the units of the file."""
    system = read_sbml_file(file)
    values = {name: np.asarray(value) for name, value in system.parameters.items()}
    for constant in system.constants:
        values[constant.name] = evaluate([constant.expression], values)[0]
    start = evaluate([s.initial for s in system.states], values)
    states = {s.name: float(v) + share for s, v in zip(system.states, start, strict=True)}
    values |= {name: np.asarray(v) for name, v in states.items()}
    for assignment in system.assignments:
        values[assignment.name] = evaluate([assignment.expression], values)[0]
    rates = dict(zip(states, map(float, evaluate([s.rate for s in system.states], values)), strict=True))
    return {name: float(value) for name, value in values.items()}, rates


def agrees(file: Path) -> bool:
    """Whether a case can be a mechanism; where it can, every rate has to be that of the engine's reading."""
    try:
        mechanism, day, amounts = read(file)
    except ImmunescapeError:
        return False
    others = [get_mechanism(name) for name in NEEDED if name not in mechanism.requires]
    model = Model.build([*others, *map(get_mechanism, mechanism.requires), mechanism])
    values, rates = as_the_engine_reads(file, 0.1)
    factors = {s.name: amounts[s.name] for s in mechanism.states if s.name in amounts}
    base = {name: values[name] * factor for name, factor in factors.items() if name in values}
    mine = model.derivatives({**dict.fromkeys(model.states, 1.0), **base})
    for name, factor in factors.items():
        if name in rates:
            expected = rates[name] * factor / day
            assert float(mine[name]) == pytest.approx(expected, rel=1e-9, abs=1e-12 * factor / day), (
                f"{file.name}: {name}"
            )
    return True


def test_cases_of_the_suite_that_can_be_mechanisms_have_the_same_rates(shared_data):
    files = sorted((shared_data / "sbml_suite").glob("*/*-sbml-l3*.xml"))[::6]
    assert sum(agrees(file) for file in files) >= 20


def test_stand_ins_of_the_suite_have_the_same_rates_or_are_refused():
    files = sorted(STAND_IN.glob("*/*-sbml-l3*.xml"))
    assert files
    assert any([agrees(file) for file in files])
