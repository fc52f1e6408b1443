"""What could run without end, or be read otherwise than it is written, ends soon with a clear word."""

from __future__ import annotations

import time

import numpy as np
import pytest
from tests.engine.small import sbml

from immunescape.engine import FAILED, Job, Stop, get_engine
from immunescape.engine.native.engine import NativeEngine, NativeModel
from immunescape.engine.sbml.reader import read_sbml
from immunescape.errors import EngineError

MATH = 'xmlns="http://www.w3.org/1998/Math/MathML"'
HEAD = '<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1"><model>'
ENDS = np.array([0.0, 2.0])


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMMUNESCAPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def engine_called(name: str):
    return NativeEngine(lanes=1) if name == "native" else get_engine(name)


def parameters(*items: tuple[str, float]) -> str:
    inner = "".join(f'<parameter id="{n}" value="{v}" constant="false"/>' for n, v in items)
    return f"<listOfParameters>{inner}</listOfParameters>"


def rate(math: str, variable: str = "x") -> str:
    return f'<rateRule variable="{variable}"><math {MATH}>{math}</math></rateRule>'


def ruled(math: str) -> str:
    return f"{HEAD}{parameters(('x', 0.0))}<listOfRules>{rate(math)}</listOfRules></model></sbml>"


def nested_functions(depth: int) -> str:
    """Functions of which each calls the one before twice, with other arguments."""
    bodies = ["<ci>a</ci>"]
    for i in range(depth):
        calls = "".join(f"<apply><ci>f{i}</ci><apply><{f}/><ci>a</ci></apply></apply>" for f in ("sin", "cos"))
        bodies.append(f"<apply><plus/>{calls}</apply>")
    functions = "".join(
        f'<functionDefinition id="f{i}"><math {MATH}><lambda><bvar><ci>a</ci></bvar>{body}</lambda></math>'
        "</functionDefinition>"
        for i, body in enumerate(bodies)
    )
    call = rate(f"<apply><ci>f{depth}</ci><ci>x</ci></apply>")
    return (
        f"{HEAD}<listOfFunctionDefinitions>{functions}</listOfFunctionDefinitions>{parameters(('x', 0.0))}"
        f"<listOfRules>{call}</listOfRules></model></sbml>"
    )


def test_functions_that_grow_at_each_level_are_refused_in_time():
    assert len(read_sbml(nested_functions(5)).states) == 1
    begin = time.process_time()
    with pytest.raises(EngineError, match="20,000 parts"):
        read_sbml(nested_functions(30))
    assert time.process_time() - begin < 15


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize(
    ("model", "moment"),
    [
        (sbml({"x": (1.0, "-1")}, events=[{"trigger": "x < 0.5", "assignments": {"x": "0.5 + 1e-12"}}]), 0.5),
        # a ball that keeps half of its speed rests after 3 times its first fall, sqrt(2 h / g)
        (
            sbml(
                {"h": (1.0, "v"), "v": (0.0, "-9.81")},
                events=[{"trigger": "h < 0", "assignments": {"v": "-0.5 * v", "h": "0"}}],
            ),
            3 * np.sqrt(2 / 9.81),
        ),
    ],
    ids=["threshold", "ball"],
)
def test_events_ever_closer_to_each_other_end_a_patient(engine, model, moment):
    begin = time.process_time()
    compiled = engine_called(engine).compile(model)
    result = compiled.run(Job(1, ENDS, compiled.states))
    assert result.status[0] == FAILED
    assert "ever faster" in result.messages[0]
    assert result.end_time[0] == pytest.approx(moment, rel=1e-4)
    assert time.process_time() - begin < 20


def test_many_events_far_enough_apart_are_no_failure():
    model = sbml(
        {"x": (0.0, "1")},
        variables={"n": 0.0},
        events=[{"trigger": "x >= 1", "assignments": {"x": "x - 1", "n": "n + 1"}}],
    )
    result = NativeEngine(lanes=1).compile(model).run(Job(1, np.array([0.0, 1500.5]), ("n",)))
    assert result["n"][0, 1] == 1500.0


def test_what_ran_out_of_a_large_number_of_steps_is_not_tried_again(monkeypatch):
    def never(self, job):
        raise AssertionError

    monkeypatch.setattr(NativeModel, "_reference", never)
    model = NativeEngine(lanes=1).compile(sbml({"x": (0.0, "cos(1e5 * time) * 1e5")}))
    result = model.run(Job(1, np.array([0.0, 500.0]), ("x",), max_steps=10_001))
    assert "permitted number of steps" in result.messages[0]


@pytest.mark.parametrize("engine", ["native", "reference", "roadrunner"])
@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"stop": Stop("A", np.array([np.nan]))}, "NaN"),
        ({"stop": Stop("A", np.ones(3))}, "shape"),
        ({"stop": Stop("Q", np.ones(1))}, "'Q'"),
        ({"until": np.array([0.5, 0.5])}, "shape"),
        ({"until": "soon"}, "until"),
        ({"rtol": np.array([1e-3, 1e-3])}, "rtol"),
        ({"rtol": 1.0}, "rtol"),
        ({"max_steps": 0}, "max_steps"),
    ],
)
def test_jobs_are_refused_alike(engine, change, word):
    model = engine_called(engine).compile(sbml({"A": (1.0, "-A")}))
    with pytest.raises(EngineError, match=word):
        model.run(Job(1, ENDS, ("A",), **change))


@pytest.mark.parametrize(
    "number",
    [
        '<cn>1;system("id")</cn>',
        "<cn>0x10</cn>",
        '<cn type="integer">7.5</cn>',
        "<cn>1,5</cn>",
        "<cn>1e</cn>",
        '<cn type="rational">1</cn>',
        '<cn type="e-notation">2<sep/>1.5</cn>',
        '<cn type="complex">1<sep/>2</cn>',
    ],
)
def test_what_is_no_number_is_refused(number):
    with pytest.raises(EngineError, match="is not a number of type"):
        read_sbml(ruled(number))


@pytest.mark.parametrize(
    ("number", "value"),
    [
        ("<cn> 3.5 </cn>", 3.5),
        ("<cn>-.5e2</cn>", -50.0),
        ('<cn type="rational">1<sep/>3</cn>', 1 / 3),
        ('<cn type="e-notation"> 2 <sep/> -3 </cn>', 0.002),
        ('<cn type="integer">-12345678901</cn>', -12345678901.0),
    ],
)
def test_numbers_of_all_types_are_read(number, value):
    assert read_sbml(ruled(number)).rates[0].value == value


def test_a_name_that_is_given_twice_is_refused():
    rules = f"<listOfRules>{rate('<cn>1</cn>')}</listOfRules>"
    with pytest.raises(EngineError, match="'x' is given to two parts"):
        read_sbml(f"{HEAD}{parameters(('x', 1.0), ('x', 2.0))}{rules}</model></sbml>")


def test_two_rules_for_one_name_are_refused():
    rules = f"<listOfRules>{rate('<cn>1</cn>')}{rate('<cn>2</cn>')}</listOfRules>"
    with pytest.raises(EngineError, match="two rules determine 'x'"):
        read_sbml(f"{HEAD}{parameters(('x', 1.0))}{rules}</model></sbml>")


def fast_reactions(*pairs: tuple[str, str]) -> str:
    """Reversible fast reactions of rate ``from - 2 to``."""
    names = sorted({n for pair in pairs for n in pair})
    species = "".join(
        f'<species id="{n}" compartment="c" initialAmount="{i + 1}" hasOnlySubstanceUnits="true" '
        'boundaryCondition="false" constant="false"/>'
        for i, n in enumerate(names)
    )

    def reference(name: str) -> str:
        return f'<speciesReference species="{name}" stoichiometry="1" constant="true"/>'

    reactions = "".join(
        f'<reaction id="r{i}" reversible="true" fast="true"><listOfReactants>{reference(a)}</listOfReactants>'
        f"<listOfProducts>{reference(b)}</listOfProducts><kineticLaw><math {MATH}><apply><minus/><ci>{a}</ci>"
        f"<apply><times/><cn>2</cn><ci>{b}</ci></apply></apply></math></kineticLaw></reaction>"
        for i, (a, b) in enumerate(pairs)
    )
    return (
        f'{HEAD}<listOfCompartments><compartment id="c" size="1" spatialDimensions="3" constant="true"/>'
        f"</listOfCompartments><listOfSpecies>{species}</listOfSpecies><listOfReactions>{reactions}</listOfReactions>"
        "</model></sbml>"
    )


def test_fast_reactions_in_a_line_are_at_equilibrium_from_the_start():
    model = NativeEngine(lanes=1).compile(fast_reactions(("A", "B"), ("B", "C")))
    result = model.run(Job(1, ENDS, ("A", "B", "C")))
    np.testing.assert_allclose(result.values[0], [[24 / 7, 12 / 7, 6 / 7]] * 2, rtol=1e-6)


def test_fast_reactions_in_a_circle_are_refused():
    with pytest.raises(EngineError, match="in a circle"):
        read_sbml(fast_reactions(("A", "B"), ("B", "C"), ("C", "A")))
