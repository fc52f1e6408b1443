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
from immunescape.engine.native.engine import NativeEngine
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
    CVODE's steps only: in cases with `inside_steps` it may fail, with a message that says so.
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


LOCAL_RATE = f"""<sbml xmlns="http://www.sbml.org/sbml/level3/version2/core" level="3" version="2"><model>
<listOfCompartments><compartment id="V" size="1" spatialDimensions="3" constant="true"/></listOfCompartments>
<listOfSpecies><species id="S" compartment="V" initialAmount="1" hasOnlySubstanceUnits="true" boundaryCondition="false"
 constant="false"/></listOfSpecies><listOfReactions><reaction id="r" reversible="false"><listOfReactants>
<speciesReference species="S" stoichiometry="1" constant="true"/></listOfReactants><kineticLaw><math {MATH}><apply>
<plus/><apply><times/><ci>k</ci><ci>S</ci></apply><apply><csymbol encoding="text"
definitionURL="http://www.sbml.org/sbml/symbols/rateOf">rateOf</csymbol><ci>k</ci></apply></apply></math>
<listOfLocalParameters><localParameter id="k" value="0.5"/></listOfLocalParameters></kineticLaw></reaction>
</listOfReactions></model></sbml>"""


def ruled(math: str) -> str:
    return f"""<sbml xmlns="http://www.sbml.org/sbml/level3/version2/core" level="3" version="2"
xmlns:sbml="http://www.sbml.org/sbml/level3/version2/core"><model><listOfParameters><parameter id="x" value="0"
constant="false"/></listOfParameters><listOfRules><rateRule variable="x"><math {MATH}>{math}</math></rateRule>
</listOfRules></model></sbml>"""


NUMBERS = ruled(
    '<apply><plus/><cn type="integer" sbml:units="dimensionless"> 7 </cn><cn type="rational">1<sep/>3</cn>'
    '<cn type="e-notation" sbml:units="dimensionless">2<sep/>-3</cn><cn>1.5</cn><cn type="integer">100000000000</cn>'
    "</apply>"
)


def driven(rate: str, parameters: Mapping[str, float] | None = None) -> str:
    return sbml({"x": (0.0, rate)}, parameters)


def binding(unit: float) -> str:
    """Irreversible binding of equal amounts: 1 / (1 + k x0 t) of each is left."""
    rate = f"-{1.0 / unit!r} * A * B"
    return sbml({"A": (unit, rate), "B": (unit, rate), "C": (0.0, rate[1:])})


UNITS = {"native": 1e-5, "reference": 1e-5, "roadrunner": 5e-5}

CASES = [
    Case(
        "infusion begun before the start",
        elimination(),
        (0.0, 1.0, 2.0, 3.0),
        {"A": [0.0, *(10 * (1 - np.exp(-K * t)) for t in (1, 2)), 10 * (1 - np.exp(-2 * K)) * np.exp(-K)]},
        {"doses": infusion(-1.0, 9.0, 3.0)},
    ),
    Case(
        "infusion over before the start",
        elimination(start=1.0),
        (5.0, 6.0),
        {"A": decayed(1.0, 0, 1)},
        {"doses": infusion(0.0, 9.0, 3.0)},
    ),
    Case(
        "infusion begun before the start, with events",
        elimination(counting("A > 3"), n=0.0),
        (0.0, 1.0, 2.0, 3.0),
        {
            "A": [0.0, *(10 * (1 - np.exp(-K * t)) for t in (1, 2)), 10 * (1 - np.exp(-2 * K)) * np.exp(-K)],
            "n": [0.0, 0.0, 1.0, 1.0],
        },
        {"doses": infusion(-1.0, 9.0, 3.0)},
    ),
    Case(
        "a dose that crosses a threshold fires",
        elimination(counting("A > 50"), n=0.0),
        (0.0, 1.0, 5.0, 7.0),
        {"n": [0, 1, 1, 2], "A": [0.0, 60.0, *np.add(decayed(60.0, 4, 6), decayed(60.0, -1, 1))]},
        {"doses": bolus((1.0, 60.0), (6.0, 60.0))},
    ),
    Case(
        "doses at one time act together",
        elimination(counting("A > 50"), n=0.0),
        (0.0, 1.0, 2.0),
        {"n": [0, 1, 1]},
        {"doses": bolus((1.0, 30.0), (1.0, 30.0))},
    ),
    Case(
        "a dose that crosses a threshold starts a delay",
        elimination(counting("A > 50", delay="0.5"), n=0.0),
        (0.0, 1.0, 1.4, 1.6),
        {"n": [0, 0, 0, 1]},
        {"doses": bolus((1.0, 60.0))},
    ),
    Case(
        "an event at a dose's time sees the state after",
        elimination({"trigger": "time >= 5", "assignments": {"hi": "A"}}, hi=0.0),
        (0.0, 4.0, 5.0, 6.0),
        {"hi": [0.0, 0.0, 10.0, 10.0], "A": decayed(10.0, -5, -1, 0, 1)},
        {"doses": bolus((5.0, 10.0))},
    ),
    Case(
        "true at the start, initially false, fires once",
        elimination(counting("A > 0.5", initial_value=False), start=1.0, n=0.0),
        (0.0, 1.0, 2.0),
        {"n": [1, 1, 1]},
    ),
    Case(
        "true at the start, initially true, does not fire",
        elimination(counting("A > 0.5"), start=1.0, n=0.0),
        (0.0, 1.0, 2.0),
        {"n": [0, 0, 0]},
    ),
    Case(
        "true at a later start, initially false, fires once",
        elimination(counting("A > 0.5", initial_value=False), start=1.0, n=0.0),
        (2.0, 3.0, 4.0),
        {"n": [1, 1, 1]},
    ),
    Case(
        "true at a start in the past, fires once, after a delay",
        elimination(counting("time >= -3", initial_value=False, delay="0.5"), start=1.0, n=0.0),
        (-2.0, -1.6, -1.4, 1.0),
        {"n": [0, 0, 1, 1]},
    ),
    Case(
        "a dose into a state that only events change",
        elimination({"trigger": "time >= 2", "assignments": {"n": "n + 1"}}, n=0.0),
        (0.0, 1.0, 3.0),
        {"n": [0.0, 5.0, 6.0]},
        {"doses": bolus((1.0, 5.0), target="n")},
    ),
    Case(
        "a window of the trigger between outputs",
        sbml(
            {"S": (0.0, "0.4")},
            variables={"n": 0.0, "when": 0.0},
            events=[{"trigger": "S > 0.18 && S < 0.19", "assignments": {"n": "n + 1", "when": "time"}}],
        ),
        (0.0, 1.0),
        {"n": [0.0, 1.0], "when": [0.0, 0.45]},
        inside_steps=True,
    ),
    Case(
        "each crossing of a sine",
        sbml({"x": (0.0, "cos(time)")}, variables={"n": 0.0}, events=[counting("x > 0.9")]),
        (0.0, 100.0),
        {"n": [0.0, 16.0]},
    ),
    Case(
        "each crossing of a sine of time",
        sbml({"x": (0.0, "1")}, variables={"n": 0.0}, events=[counting("sin(time) > 0.999")]),
        (0.0, 100.0),
        {"n": [0.0, 16.0]},
        refused={"roadrunner": "triggers"},
    ),
    Case(
        "each day of a step function of time",
        sbml({"x": (0.0, "1")}, variables={"n": 0.0}, events=[counting("time - floor(time) >= 0.5")]),
        (0.0, 40.2),
        {"n": [0.0, 40.0]},
        refused={"roadrunner": "triggers"},
    ),
    Case(
        "an input that switches with a sine of time",
        driven("piecewise(1, sin(time) > 0.99, 0)"),
        (0.0, 20 * np.pi),
        {"x": [0.0, 20 * float(np.arccos(0.99))]},
    ),
    Case(
        "an input given by remainders", driven("piecewise(1, rem(time, 24) < 1, 0)"), (0.0, 240.0), {"x": [0.0, 10.0]}
    ),
    Case(
        "an input given by floors, period from a parameter",
        driven("piecewise(1, time - p * floor(time / p) < 1, 0)", {"p": 24.0}),
        (0.0, 240.0),
        {"x": [0.0, 20.0]},
        {"parameters": {"p": 12.0}},
    ),
    Case("an input that steps up", driven("ceil(time / 10)"), (0.0, 100.0), {"x": [0.0, 550.0]}),
    Case("a sawtooth", driven("time - floor(time)"), (0.0, 10.0), {"x": [0.0, 5.0]}),
    Case(
        "a short window of time",
        driven("piecewise(1e4, time > 3.0001 && time < 3.0002, 0)"),
        (0.0, 10.0),
        {"x": [0.0, 1.0]},
        error=1e-4,
    ),
    Case(
        "a short window of a curve of time",
        driven("piecewise(1, time^2 > 250000 && time^2 < 250001, 0)"),
        (0.0, 1000.0),
        {"x": [0.0, float(np.sqrt(250001) - 500)]},
        error=1e-4,
    ),
    Case("rectified sines", driven("abs(sin(time)) + max(0, cos(time))"), (0.0, 20 * np.pi), {"x": [0.0, 60.0]}),
    Case(
        "a Gaussian narrower than a step",
        driven("exp(-((time - 500) / 0.05)^2) / (0.05 * sqrt(pi))"),
        (0.0, 1000.0),
        {"x": [0.0, 1.0]},
        refused={"roadrunner": "short"},
    ),
    Case(
        "two Gaussians",
        driven(
            "exp(-((time - 500) / 0.05)^2) / (0.05 * sqrt(pi)) + 3 * exp(-((time - c) / 0.01)^2) / (0.01 * sqrt(pi))",
            {"c": 600.0},
        ),
        (0.0, 1000.0),
        {"x": [0.0, 4.0]},
        {"parameters": {"c": 123.4}},
        refused={"roadrunner": "short"},
    ),
    Case(
        "a train of pulses",
        driven("exp(1e4 * (cos(2 * pi * (time - 0.5)) - 1)) * 100 * sqrt(2 * pi)"),
        (0.0, 20.0),
        {"x": [0.0, 20 * (1 + 1 / 8e4)]},
        error=4e-5,
        refused={"roadrunner": "short"},
    ),
    Case(
        "a Lorentzian and a triangle",
        driven("1 / (1 + ((time - 333.3) / 0.01)^2) / (0.01 * pi) + max(0, 1 - abs((time - 700) / 0.01)) / 0.01"),
        (0.0, 1000.0),
        {"x": [0.0, 2 - 0.01 / np.pi * (1 / 333.3 + 1 / 666.7)]},
        error=1e-5,
        refused={"roadrunner": "short"},
    ),
    Case(
        "a pulse of two sigmoids",
        driven("(tanh((time - 500) / 0.01) - tanh((time - 500.1) / 0.01)) / 0.2"),
        (0.0, 1000.0),
        {"x": [0.0, 1.0]},
        error=1e-5,
        refused={"roadrunner": "short"},
    ),
    Case(
        "a pulse that the state modulates",
        sbml({"x": (1.0, "-x * exp(-((time - 500) / 0.05)^2) / (0.05 * sqrt(pi))")}),
        (-100.0, 1000.0),
        {"x": [1.0, float(np.exp(-1))]},
        error=1e-5,
        refused={"roadrunner": "short"},
    ),
    Case(
        "a short wave that begins and ends",
        driven("piecewise(sin(2 * pi * (time - 50) / 0.02)^2 / 0.01, time >= 50 && time < 50.02, 0)"),
        (0.0, 100.0),
        {"x": [0.0, 1.0]},
        error=2e-5,
        refused={"roadrunner": "short"},
    ),
    Case(
        "a stop in a short pulse of time",
        sbml({"x": (0.0, "1")}, rules={"u": "exp(-((time - 500) / 0.05)^2)"}),
        (0.0, 400.0, 800.0),
        {"x": [0.0, 400.0, np.nan]},
        {"stop": Stop("u", np.array([0.5]))},
        refused={"roadrunner": "triggers"},
    ),
    Case(
        "a threshold that is met at an output time",
        sbml({"x": (1.0, "-1")}, variables={"n": 0.0}, events=[counting("x <= 0")]),
        (0.0, 0.5, 1.0, 1.5),
        {"n": [0, 0, 1, 1]},
    ),
    Case(
        "a pulse within a trigger",
        sbml(
            {"x": (0.0, "1")},
            variables={"n": 0.0},
            events=[counting("x + 1000 * exp(-((time - 500) / 0.05)^2) > 1400")],
        ),
        (0.0, 800.0),
        {"n": [0.0, 1.0]},
        refused={"roadrunner": "triggers"},
    ),
    Case(
        "a sum of 500 terms",
        sbml(
            {"x": (0.0, " + ".join(f"k{i}" for i in range(500)) + " - 500 * x")}, {f"k{i}": 1.0 + i for i in range(500)}
        ),
        (0.0, 1.0),
        {"x": [0.0, 250.5]},
    ),
    Case(
        "a difference of 400 terms",
        sbml({"x": (0.0, "k0 - " + " - ".join(f"k{i}" for i in range(1, 400)))}, {f"k{i}": 1.0 for i in range(400)}),
        (0.0, 1.0),
        {"x": [0.0, -398.0]},
    ),
    Case("the rate of a parameter of a reaction", LOCAL_RATE, (0.0, 1.0), {"S": [1.0, E1]}),
    Case("numbers in all notations", NUMBERS, (0.0, 1.0), {"x": [0.0, 7 + 1 / 3 + 0.002 + 1.5 + 1e11]}, error=1e-9),
    Case(
        "amount and concentration, compartment, constant species, parameter",
        SPECIES,
        (0.0, 1.0),
        {
            "S": [8.0, 8 * E1],
            "[S]": [2.0, 2 * E1],
            "V": [4.0, 4.0],
            "B": [12.0, 12.0],
            "[B]": [3.0, 3.0],
            "k": [0.5, 0.5],
        },
    ),
    Case(
        "another volume, the same start of concentrations",
        SPECIES,
        (0.0, 1.0),
        {"S": [4.0, 4 * E1], "[S]": [2.0, 2 * E1], "V": [2.0, 2.0], "B": [6.0, 6.0]},
        {"parameters": {"V": 2.0}},
    ),
    Case(
        "a bolus into a concentration is an amount",
        SPECIES,
        (0.0, 1.0),
        {"S": [16.0, 16 * E1], "[S]": [4.0, 4 * E1]},
        {"doses": bolus((0.0, 8.0), target="S")},
    ),
    *(
        Case(
            f"binding of {unit:g}",
            binding(unit),
            (0.0, 1.0, 100.0),
            {"A": [unit, unit / 2, unit / 101], "C": [0.0, unit / 2, unit * 100 / 101]},
        )
        for unit in (1e-9, 1e-12, 1e-21)
    ),
    Case(
        "a slope that is infinite at the start",
        sbml({"x": (0.0, "1 - sqrt(x)")}),
        (0.0, 1.0),
        {"x": [0.0, 0.487609561]},
    ),  # t = -2 (s + log(1 - s)), s = sqrt(x)
    Case(
        "a depot that empties as a square root, filled later",
        sbml({"A": (0.0, "-sqrt(A)")}),
        (0.0, 1.0, 2.0),
        {"A": [0.0, 4.0, 2.25]},
        {"doses": bolus((1.0, 4.0))},
    ),
    *(
        Case(
            f"a window given by {name}",
            sbml({"S": (0.0, "0.4")}, variables={"n": 0.0}, events=[counting(trigger)]),
            (0.0, 10.0),
            {"n": [0.0, 1.0]},
            inside_steps=True,
        )
        for name, trigger in (
            ("abs", "abs(S - 1.85) < 0.005"),
            ("max", "max(S - 1.855, 1.845 - S) < 0"),
            ("min within a sum", "1 + min(S - 1.845, 1.855 - S) > 1"),
        )
    ),
    Case(
        "an event that watches a state which only an infusion moves",
        sbml({"A": (0.0, "0")}, variables={"when": 0.0}, events=[{"trigger": "A > 1.9", "assignments": {"when": "A"}}]),
        (0.0, 1.0, 3.0),
        {"A": [0.0, 1.0, 3.0], "when": [0.0, 0.0, 1.9]},
        {"doses": infusion(0.0, 3.0, 3.0)},
    ),
    Case(
        "a window that an infused state passes",
        sbml({"A": (0.0, "0"), "y": (0.0, "1")}, variables={"n": 0.0}, events=[counting("A > 1.9 && A < 1.91")]),
        (0.0, 1.0, 3.0),
        {"n": [0.0, 0.0, 1.0]},
        {"doses": infusion(0.0, 3.0, 3.0)},
        inside_steps=True,
    ),
    Case(
        "a dose at the start belongs to the state there",
        elimination(counting("A > 5"), n=0.0),
        (0.0, 1.0),
        {"n": [0.0, 0.0], "A": decayed(10.0, 0, 1)},
        {"doses": bolus((0.0, 10.0))},
    ),
    Case(
        "doses at one time that cancel",
        elimination(counting("A > 5"), n=0.0),
        (0.0, 1.0, 2.0),
        {"n": [0, 0, 0]},
        {"doses": bolus((1.0, 6.0), (1.0, -6.0))},
    ),
    Case(
        "until before the start", elimination(start=1.0), (0.0, 1.0), {"A": [1.0, np.nan]}, {"until": np.array([-1.0])}
    ),
    Case(
        "an event that waits for equality",
        sbml({"x": (0.0, "1")}, variables={"n": 0.0}, events=[counting("x == 5")]),
        (0.0, 10.0),
        {"n": [0.0, 1.0]},
        refused={"native": "equal", "reference": "equal", "roadrunner": "equal|triggers"},
    ),
    Case(
        "a pulse that an event puts off",
        sbml(
            {"x": (0.0, "piecewise(100, time > s && time < s + 0.01, 0)")},
            variables={"s": 50.0},
            events=[{"trigger": "time > 10", "assignments": {"s": "70"}}],
        ),
        (0.0, 60.0, 100.0),
        {"x": [0.0, 0.0, 1.0]},
        refused={"roadrunner": "switch with time"},
    ),
    Case(
        "a stop at a short peak",
        sbml({"x": (0.0, "y"), "y": (1.0, "-x")}),
        (0.0, 1.0, 10.0),
        {"x": [0.0, float(np.sin(1)), np.nan]},
        {"stop": Stop("x", np.array([0.9999]))},
        inside_steps=True,
    ),
    Case(
        "a stop that a dose passes",
        elimination(),
        (0.0, 1.0, 2.0, 3.0),
        {"A": [0.0, 0.0, 60.0, np.nan]},
        {"doses": bolus((2.0, 60.0)), "stop": Stop("A", np.array([50.0]))},
    ),
    Case(
        "a stop after an event",
        elimination({"trigger": "time >= 1.5", "assignments": {"A": "A + 4"}}),
        (0.0, 1.0, 2.0, 3.0),
        {"A": [0.0, 0.0, np.nan, np.nan]},
        {"stop": Stop("A", np.array([3.0]))},
    ),
    Case(
        "until ends between outputs, with events",
        elimination(counting("A > 50"), start=1.0, n=0.0),
        (0.0, 1.0, 2.0),
        {"A": [*decayed(1.0, 0, 1), np.nan], "n": [0, 0, np.nan]},
        {"until": np.array([1.5])},
    ),
]


@functools.cache
def compiled(engine: str, model: str):
    return (NativeEngine(lanes=1) if engine == "native" else get_engine(engine)).compile(model)  # one lane: same bits


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_edge_case(case, engine):
    def run():
        return compiled(engine, case.model).run(Job(1, np.array(case.times), tuple(case.exact), **case.job))

    if engine in case.refused:
        with pytest.raises(EngineError, match=case.refused[engine]):
            run()
        return
    result = run()
    if engine == "roadrunner" and case.inside_steps and np.any(result.status == FAILED):
        assert "shorter steps" in result.messages[0]
        return
    assert not np.any(result.status == FAILED), result.messages
    for name, exact in case.exact.items():
        scale = np.nanmax(np.abs(exact)) or 1.0
        np.testing.assert_allclose(result[name][0] / scale, np.divide(exact, scale), atol=5 * case.error, err_msg=name)


def test_libroadrunner_refuses_other_parameters_where_a_stoichiometry_follows_from_them():
    model = f"""<sbml xmlns="http://www.sbml.org/sbml/level3/version2/core" level="3" version="2"><model>
<listOfCompartments><compartment id="V" size="1" spatialDimensions="3" constant="true"/></listOfCompartments>
<listOfSpecies><species id="S" compartment="V" initialAmount="1" hasOnlySubstanceUnits="true" boundaryCondition="false"
 constant="false"/></listOfSpecies><listOfParameters><parameter id="p" value="6" constant="true"/></listOfParameters>
<listOfInitialAssignments><initialAssignment symbol="n"><math {MATH}><ci>p</ci></math></initialAssignment>
</listOfInitialAssignments><listOfReactions><reaction id="r" reversible="false"><listOfReactants><speciesReference
 id="n" species="S" constant="false"/></listOfReactants><kineticLaw><math {MATH}><apply><times/><cn>0.1</cn><ci>S</ci>
</apply></math></kineticLaw></reaction></listOfReactions></model></sbml>"""
    job = Job(1, np.array([0.0, 1.0]), ("S",), parameters={"p": 2.0})
    for engine in ("native", "reference"):
        np.testing.assert_allclose(compiled(engine, model).run(job)["S"][0], [1.0, np.exp(-0.2)], rtol=1e-5)
    with pytest.raises(EngineError, match="stoichiometry 'n'"):
        compiled("roadrunner", model).run(job)
