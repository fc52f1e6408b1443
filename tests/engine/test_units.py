"""Results do not depend on the unit of a model's amounts, in any engine, with nothing said of tolerances."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.engine.small import sbml

from immunescape.engine import Compiled, Doses, Job, get_engine
from immunescape.engine.jobs import ToleranceWarning
from immunescape.errors import EngineError

ENGINES = ("native", "reference", "roadrunner")
TIMES = np.linspace(0, 80, 41)


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMMUNESCAPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


GLOBAL_ERROR = {"native": 1e-5, "reference": 1e-5, "roadrunner": 5e-5}
"""Largest error at rtol 1e-6; CVODE's errors add up to more, 2.4e-5 in every unit."""


@pytest.fixture(scope="module", params=ENGINES)
def binding(request) -> tuple[Compiled, float]:
    """A drug that binds its receptor: one reactant in hundredfold excess, the complex absent at first."""
    text = sbml(
        {
            "A": (0.0, "-k * A * B + 0.5 * C - 0.1 * A"),
            "B": (0.0, "-k * A * B + 0.5 * C + 0.05 * C"),
            "C": (0.0, "k * A * B - 0.5 * C - 0.05 * C"),
        },
        {"k": 1.0, "unit": 1.0},
        initial={"A": "100 * unit", "B": "unit"},
    )
    return get_engine(request.param).compile(text), GLOBAL_ERROR[request.param]


def _relative(model: Compiled, unit: float, **job) -> np.ndarray:
    result = model.run(Job(1, TIMES, ("A", "B", "C"), parameters={"unit": unit, "k": 100 / unit}, **job))
    assert result.failed == 0, result.messages
    return result.values[0] / unit


@given(st.integers(-24, 24))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_changing_the_unit_of_amounts_changes_no_relative_result(binding, power):
    model, bound = binding
    exact = _relative(model, 1.0, rtol=1e-10)
    error = np.abs(_relative(model, 10.0**power) - exact) / np.abs(exact).max(axis=0)
    assert error.max() < bound


@pytest.mark.parametrize("engine", ENGINES)
def test_growth_from_a_trace_is_followed_to_saturation(engine):
    model = get_engine(engine).compile(sbml({"x": (1e-12, "x * (1 - x)")}))
    times = np.linspace(0, 60, 61)
    got = model.run(Job(1, times, ("x",)))["x"][0]
    exact = 1 / (1 + (1e12 - 1) * np.exp(-times))
    assert np.abs(got - exact).max() < 3e-5


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_a_cascade_that_starts_empty_needs_few_steps(engine):
    states = {"x0": (1e-18, "-x0")} | {f"x{i}": (0.0, f"x{i - 1} - x{i}") for i in range(1, 12)}
    times = np.linspace(0, 30, 31)
    result = get_engine(engine).compile(sbml(states)).run(Job(1, times, ("x11",)))
    exact = 1e-18 * times**11 / 39916800 * np.exp(-times)
    assert np.abs(result["x11"][0] - exact).max() < 1e-5 * exact.max()
    assert result.steps[0] < 400


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_a_state_that_decays_to_nothing_costs_no_steps(engine):
    model = get_engine(engine).compile(sbml({"x": (1e9, "-x"), "y": (0.0, "1e-12 * x - y")}))
    short, long = (int(model.run(Job(1, np.array([0.0, t]), ("x",))).steps[0]) for t in (60.0, 6000.0))
    assert long < 2 * short


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_a_tolerance_wider_than_a_state_is_told(engine):
    model = get_engine(engine).compile(sbml({"x": (1e-12, "-x"), "y": (1.0, "-y")}))
    job = Job(1, np.array([0.0, 1.0]), ("x",), atol=1e-9)
    with pytest.warns(ToleranceWarning, match="a tenth of the largest value"):
        assert dict(model.run(job).unresolved) == {"x": 1e-9}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not model.run(Job(1, np.array([0.0, 1.0]), ("x",))).unresolved


@pytest.mark.parametrize("engine", ENGINES)
def test_an_infusion_that_began_before_the_start_goes_on(engine):
    model = get_engine(engine).compile(sbml({"A": (0.0, "-0.3 * A")}))
    dose = Doses(np.array([-1.0]), ("A",), np.array([9.0]), np.array([3.0]))
    times = np.arange(5.0)
    got = model.run(Job(1, times, ("A",), doses=dose, rtol=1e-8))["A"][0]
    inside = np.minimum(times, 2.0)
    exact = 10 * (1 - np.exp(-0.3 * inside)) * np.exp(-0.3 * (times - inside))
    np.testing.assert_allclose(got, exact, atol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"until": np.array([np.nan])}, "NaN"),
        ({"until": np.ones(3)}, "shape"),
        ({"rtol": 0.0}, "rtol"),
        ({"rtol": -1e-3}, "rtol"),
        ({"rtol": np.nan}, "rtol"),
        ({"atol": -1.0}, "zero or more"),
    ],
)
def test_what_no_engine_can_do_is_refused_alike(engine, change, word):
    model = get_engine(engine).compile(sbml({"A": (1.0, "-A")}))
    with pytest.raises(EngineError, match=word):
        model.run(Job(1, np.array([0.0, 1.0]), ("A",), **change))
