"""libroadrunner as an engine: what it makes of nested rules."""

from __future__ import annotations

import math

import numpy as np
import pytest

from immunescape.engine import Job, get_engine
from immunescape.engine.oracle import roadrunner

MATH = 'xmlns="http://www.w3.org/1998/Math/MathML"'


def nested(depth: int) -> str:
    """A decay whose rate constant is doubled by each of so many rules."""
    names = [f"a{i}" for i in range(depth)]
    rules = "".join(
        f'<assignmentRule variable="{name}"><math {MATH}><apply><plus/><ci>{below}</ci><ci>{below}</ci></apply></math>'
        "</assignmentRule>"
        for below, name in zip(["k", *names], names, strict=False)
    )
    parameters = "".join(f'<parameter id="{name}" constant="false"/>' for name in names)
    return f"""<sbml xmlns="http://www.sbml.org/sbml/level3/version2/core" level="3" version="2"><model>
    <listOfCompartments><compartment id="c" size="1" spatialDimensions="3" constant="true"/></listOfCompartments>
    <listOfSpecies><species id="X" compartment="c" initialAmount="1" hasOnlySubstanceUnits="true"
    boundaryCondition="false" constant="false"/></listOfSpecies>
    <listOfParameters><parameter id="k" value="0.01" constant="true"/>{parameters}</listOfParameters>
    <listOfRules>{rules}</listOfRules>
    <listOfReactions><reaction id="r" reversible="false"><listOfReactants><speciesReference species="X"
    stoichiometry="1" constant="true"/></listOfReactants><kineticLaw><math {MATH}><apply><times/>
    <ci>{names[-1]}</ci><ci>X</ci></apply></math></kineticLaw></reaction></listOfReactions></model></sbml>"""


def test_parts_double_with_each_rule() -> None:
    model = get_engine("roadrunner").compile(nested(6))
    assert isinstance(model, roadrunner.RoadRunnerModel)
    assert model.written_out == 2 + 2**7 - 1  # the product, its state, and a binary tree of sums
    result = model.run(Job(1, np.array([0.0, 1.0]), ("X",), rtol=1e-8))
    assert result["X"][0, -1] == pytest.approx(math.exp(-0.64), rel=1e-6)


def test_a_model_that_takes_minutes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roadrunner, "_MANY", 100)
    with pytest.warns(UserWarning, match="129 operations for this model"):
        get_engine("roadrunner").compile(nested(6))
