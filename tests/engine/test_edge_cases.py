"""One table of edge cases, with exact values, over all engines; what an engine cannot do is refused, never wrong."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from tests.engine.small import sbml

from immunescape.engine import FAILED, Doses, Job, Stop, get_engine
from immunescape.errors import EngineError

ENGINES = ("native", "reference", "roadrunner")
K = 0.3


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMMUNESCAPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def bolus(*doses: tuple[float, float], target: str = "A") -> Doses:
    time, amount = np.array(doses, dtype=float).T
    return Doses(time, (target,) * len(time), amount, np.zeros(len(time)))


def infusion(start: float, amount: float, duration: float, target: str = "A") -> Doses:
    return Doses(np.array([start]), (target,), np.array([amount]), np.array([duration]))


def decayed(amount: float, *since: float) -> list[float]:
    """What is left of boluses so many units of time ago; negative times have not come yet."""
    return [amount * float(np.exp(-K * s)) if s >= 0 else 0.0 for s in since]


@dataclass(frozen=True)
class Case:
    """A model, a job and the exact outputs.

    `refused` holds the word with which an engine refuses the case. libroadrunner looks at triggers at the ends of
    CVODE's steps only, which the engine cannot change: cases with `inside_steps` are not asked of it.
    """

    name: str
    model: str
    times: tuple[float, ...]
    exact: Mapping[str, list[float]]
    job: Mapping[str, Any] = field(default_factory=dict)
    error: float = 1e-5
    refused: Mapping[str, str] = field(default_factory=dict)
    inside_steps: bool = False


def elimination(*events: Mapping[str, Any], start: float = 0.0, **variables: float) -> str:
    return sbml({"A": (start, f"-{K} * A")}, variables=variables, events=list(events))


def counting(trigger: str, **options: Any) -> dict[str, Any]:
    return {"trigger": trigger, "assignments": {"n": "n + 1"}, **options}


MATH = 'xmlns="http://www.w3.org/1998/Math/MathML"'
SPECIES = f"""<sbml xmlns="http://www.sbml.org/sbml/level3/version2/core" level="3" version="2"><model>
<listOfCompartments><compartment id="V" size="4" spatialDimensions="3" constant="true"/></listOfCompartments>
<listOfSpecies>
<species id="S" compartment="V" initialConcentration="2" hasOnlySubstanceUnits="false" boundaryCondition="false"
 constant="false"/>
<species id="B" compartment="V" initialConcentration="3" hasOnlySubstanceUnits="false" boundaryCondition="true"
 constant="true"/></listOfSpecies>
<listOfParameters><parameter id="k" value="0.5" constant="true"/></listOfParameters>
<listOfReactions><reaction id="r" reversible="false"><listOfReactants><speciesReference species="S" stoichiometry="1"
constant="true"/></listOfReactants><kineticLaw><math {MATH}><apply><times/><ci>k</ci><ci>S</ci><ci>V</ci></apply></math>
</kineticLaw></reaction></listOfReactions></model></sbml>"""
E1 = float(np.exp(-0.5))


def binding(unit: float) -> str:
    """Irreversible binding of equal amounts: 1 / (1 + k x0 t) of each is left."""
    rate = f"-{1.0 / unit!r} * A * B"
    return sbml({"A": (unit, rate), "B": (unit, rate), "C": (0.0, rate[1:])})


UNITS = {"native": 1e-5, "reference": 1e-5, "roadrunner": 5e-5}

CASES = [
    Case("infusion begun before the start", elimination(), (0.0, 1.0, 2.0, 3.0),
         {"A": [0.0, *(10 * (1 - np.exp(-K * t)) for t in (1, 2)), 10 * (1 - np.exp(-2 * K)) * np.exp(-K)]},
         {"doses": infusion(-1.0, 9.0, 3.0)}),
    Case("infusion over before the start", elimination(start=1.0), (5.0, 6.0), {"A": decayed(1.0, 0, 1)},
         {"doses": infusion(0.0, 9.0, 3.0)}),
    Case("infusion begun before the start, with events", elimination(counting("A > 3"), n=0.0), (0.0, 1.0, 2.0, 3.0),
         {"A": [0.0, *(10 * (1 - np.exp(-K * t)) for t in (1, 2)), 10 * (1 - np.exp(-2 * K)) * np.exp(-K)],
          "n": [0.0, 0.0, 1.0, 1.0]},
         {"doses": infusion(-1.0, 9.0, 3.0)}),
    Case("a dose that crosses a threshold fires", elimination(counting("A > 50"), n=0.0), (0.0, 1.0, 5.0, 7.0),
         {"n": [0, 1, 1, 2], "A": [0.0, 60.0, *np.add(decayed(60.0, 4, 6), decayed(60.0, -1, 1))]},
         {"doses": bolus((1.0, 60.0), (6.0, 60.0))}),
    Case("doses at one time act together", elimination(counting("A > 50"), n=0.0), (0.0, 1.0, 2.0), {"n": [0, 1, 1]},
         {"doses": bolus((1.0, 30.0), (1.0, 30.0))}),
    Case("a dose that crosses a threshold starts a delay",
         elimination(counting("A > 50", delay="0.5"), n=0.0), (0.0, 1.0, 1.4, 1.6), {"n": [0, 0, 0, 1]},
         {"doses": bolus((1.0, 60.0))}),
    Case("an event at a dose's time sees the state after",
         elimination({"trigger": "time >= 5", "assignments": {"hi": "A"}}, hi=0.0), (0.0, 4.0, 5.0, 6.0),
         {"hi": [0.0, 0.0, 10.0, 10.0], "A": decayed(10.0, -5, -1, 0, 1)}, {"doses": bolus((5.0, 10.0))}),
    Case("true at the start, initially false, fires once",
         elimination(counting("A > 0.5", initial_value=False), start=1.0, n=0.0), (0.0, 1.0, 2.0), {"n": [1, 1, 1]}),
    Case("true at the start, initially true, does not fire",
         elimination(counting("A > 0.5"), start=1.0, n=0.0), (0.0, 1.0, 2.0), {"n": [0, 0, 0]}),
    Case("true at a later start, initially false, fires once",
         elimination(counting("A > 0.5", initial_value=False), start=1.0, n=0.0), (2.0, 3.0, 4.0), {"n": [1, 1, 1]}),
    Case("true at a start in the past, fires once, after a delay",
         elimination(counting("time >= -3", initial_value=False, delay="0.5"), start=1.0, n=0.0),
         (-2.0, -1.6, -1.4, 1.0), {"n": [0, 0, 1, 1]}),
    Case("a dose into a state that only events change",
         elimination({"trigger": "time >= 2", "assignments": {"n": "n + 1"}}, n=0.0), (0.0, 1.0, 3.0),
         {"n": [0.0, 5.0, 6.0]}, {"doses": bolus((1.0, 5.0), target="n")}),
    Case("a window of the trigger between outputs",
         sbml({"S": (0.0, "0.4")}, variables={"n": 0.0, "when": 0.0},
              events=[{"trigger": "S > 0.18 && S < 0.19", "assignments": {"n": "n + 1", "when": "time"}}]),
         (0.0, 1.0), {"n": [0.0, 1.0], "when": [0.0, 0.45]}, inside_steps=True),
    Case("each crossing of a sine", sbml({"x": (0.0, "cos(time)")}, variables={"n": 0.0}, events=[counting("x > 0.9")]),
         (0.0, 100.0), {"n": [0.0, 16.0]}),
    Case("amount and concentration, compartment, constant species, parameter", SPECIES, (0.0, 1.0),
         {"S": [8.0, 8 * E1], "[S]": [2.0, 2 * E1], "V": [4.0, 4.0], "B": [12.0, 12.0], "[B]": [3.0, 3.0],
          "k": [0.5, 0.5]}),
    Case("another volume, the same start of concentrations", SPECIES, (0.0, 1.0),
         {"S": [4.0, 4 * E1], "[S]": [2.0, 2 * E1], "V": [2.0, 2.0], "B": [6.0, 6.0]}, {"parameters": {"V": 2.0}}),
    Case("a bolus into a concentration is an amount", SPECIES, (0.0, 1.0), {"S": [16.0, 16 * E1], "[S]": [4.0, 4 * E1]},
         {"doses": bolus((0.0, 8.0), target="S")}),
    *(Case(f"binding of {unit:g}", binding(unit), (0.0, 1.0, 100.0),
           {"A": [unit, unit / 2, unit / 101], "C": [0.0, unit / 2, unit * 100 / 101]})
      for unit in (1e-9, 1e-12, 1e-21)),
    Case("a stop that a dose passes", elimination(), (0.0, 1.0, 2.0, 3.0), {"A": [0.0, 0.0, 60.0, np.nan]},
         {"doses": bolus((2.0, 60.0)), "stop": Stop("A", np.array([50.0]))}),
    Case("a stop after an event",
         elimination({"trigger": "time >= 1.5", "assignments": {"A": "A + 4"}}), (0.0, 1.0, 2.0, 3.0),
         {"A": [0.0, 0.0, np.nan, np.nan]}, {"stop": Stop("A", np.array([3.0]))}),
    Case("until ends between outputs, with events", elimination(counting("A > 50"), start=1.0, n=0.0),
         (0.0, 1.0, 2.0), {"A": [*decayed(1.0, 0, 1), np.nan], "n": [0, 0, np.nan]}, {"until": np.array([1.5])}),
]  # fmt: skip


@functools.cache
def compiled(engine: str, model: str):
    return get_engine(engine).compile(model)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_edge_case(case, engine):
    def run():
        return compiled(engine, case.model).run(Job(1, np.array(case.times), tuple(case.exact), **case.job))

    if engine in case.refused:
        with pytest.raises(EngineError, match=case.refused[engine]):
            run()
        return
    if engine == "roadrunner" and case.inside_steps:
        pytest.skip("libroadrunner sees triggers at the ends of steps only")
    result = run()
    assert not np.any(result.status == FAILED), result.messages
    for name, exact in case.exact.items():
        scale = np.nanmax(np.abs(exact)) or 1.0
        np.testing.assert_allclose(result[name][0] / scale, np.divide(exact, scale), atol=5 * case.error, err_msg=name)
