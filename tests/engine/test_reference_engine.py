"""The reference engine against closed solutions, the matrix exponential and libroadrunner."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from immunescape.engine import get_engine
from immunescape.engine.api import FAILED, OK, STOPPED, Compiled, Doses, Engine, Job, Stop
from immunescape.engine.ir import expressions as ir
from immunescape.engine.ir.expressions import TIME, ZERO, Expr, func, num, sym
from immunescape.engine.ir.system import Assignment, Event, State, System
from immunescape.engine.reference.engine import ReferenceEngine
from immunescape.errors import EngineError

TIGHT = {"rtol": 1e-10, "atol": 1e-13}
X, Y, K = sym("x"), sym("y"), sym("k")


def system(rates: dict[str, tuple[float | Expr, Expr]], parameters: dict[str, float] | None = None, **parts) -> System:
    """A system from state -> (start, rate)."""
    states = tuple(State(n, num(s) if not isinstance(s, Expr) else s, r) for n, (s, r) in rates.items())
    return System("test", parameters or {}, (), states, **parts)


def compiled(*args, **kwargs) -> Compiled:
    return ReferenceEngine().compile_system(system(*args, **kwargs))


def decay(**parts) -> Compiled:
    """x' = -k x."""
    return compiled({"x": (1.0, -K * X)}, {"k": 0.5}, **parts)


def test_it_is_an_engine():
    engine = get_engine("reference")
    assert isinstance(engine, Engine)
    assert isinstance(decay(), Compiled)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(0, 2**32 - 1), st.floats(-3, 3))
def test_linear_systems_follow_the_matrix_exponential(n, seed, stretch):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(n, n)) * 10**stretch
    matrix -= np.eye(n) * (np.abs(np.linalg.eigvals(matrix)).max() + 0.1)  # stable; rates from 1e-3 to 1e3
    start = rng.normal(size=n)
    names = [f"s{i}" for i in range(n)]
    table = {
        name: (start[i], ir.add(*(num(matrix[i, j]) * sym(other) for j, other in enumerate(names))))
        for i, name in enumerate(names)
    }
    times = np.array([0.0, 0.01, 0.3, 1.0, 2.0])
    result = compiled(table).run(Job(1, times, tuple(names), **TIGHT))
    expected = np.array([expm(matrix * t) @ start for t in times])
    np.testing.assert_allclose(result.values[0], expected, rtol=1e-6, atol=1e-8 * np.abs(start).max())


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_mass_is_conserved(n, seed):
    rng = np.random.default_rng(seed)
    rates: list[Expr] = [ZERO] * n
    for _ in range(2 * n):
        a, b = rng.choice(n, 2, replace=False)
        flow = num(float(rng.lognormal(0, 2))) * sym(f"s{a}") / (1 + sym(f"s{rng.integers(n)}") ** 2)
        rates[a], rates[b] = rates[a] - flow, rates[b] + flow
    start = rng.uniform(0, 5, n)
    model = compiled({f"s{i}": (start[i], rates[i]) for i in range(n)})
    dose = Doses(np.array([0.7, 1.1]), ("s0", "s1"), np.array([2.0, 3.0]), np.array([0.0, 0.5]))
    result = model.run(Job(1, np.linspace(0, 3, 7), model.states, doses=dose, rtol=1e-9, atol=1e-11))
    given_ = np.interp(result.times, [0, 1.1, 1.6, 3], [0, 0, 3, 3]) + 2.0 * (result.times >= 0.7)
    np.testing.assert_allclose(result.values[0].sum(axis=1), start.sum() + given_, rtol=1e-8)
    assert result.values.min() > -1e-8


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 9), st.floats(0, 5), st.sampled_from([0.0, 0.25, 2.0])), max_size=6),
    st.floats(0.01, 5),
)
def test_random_doses_superpose(doses, k):
    model = decay()
    columns = np.array(doses, dtype=float).reshape(-1, 3)
    table = Doses(columns[:, 0], ("x",) * len(columns), columns[:, 1], columns[:, 2])
    times = np.linspace(0, 10, 21)
    result = model.run(Job(1, times, ("x",), parameters={"k": k}, doses=table, **TIGHT))
    expected = np.exp(-k * times)
    for start, amount, duration in columns:
        since = times - start
        if duration == 0:
            expected += np.where(since >= 0, amount * np.exp(-k * np.maximum(since, 0)), 0)
        else:
            inside = np.clip(since, 0, duration)
            after = np.maximum(since - duration, 0)
            expected += amount / duration / k * (1 - np.exp(-k * inside)) * np.exp(-k * after)
    np.testing.assert_allclose(result["x"][0], expected, rtol=1e-7, atol=1e-9)


def test_a_dose_at_an_output_time_shows_in_that_output():
    dose = Doses(np.array([0.0, 2.0]), ("x", "x"), np.array([10.0, 20.0]), np.zeros(2))
    result = decay().run(Job(1, np.array([0.0, 1.0, 2.0]), ("x",), parameters={"k": 0.0}, doses=dose))
    np.testing.assert_allclose(result["x"][0], [11, 11, 31])


def test_doses_are_in_model_time_and_past_ones_are_gone():
    dose = Doses(np.array([0.0, 4.0, 6.0]), ("x",) * 3, np.array([100.0, 8.0, 1.0]), np.array([0.0, 4.0, 0.0]))
    result = decay().run(Job(1, np.array([5.0, 7.0, 9.0]), ("x",), parameters={"k": 0.0}, doses=dose))
    np.testing.assert_allclose(result["x"][0], [1.0, 1.0 + 2 * 2 + 1, 1.0 + 2 * 3 + 1])


def test_patients_differ_in_parameters_starts_and_doses():
    doses = [Doses.none(), Doses(np.array([1.0]), ("x",), np.array([5.0]), np.zeros(1))]
    k, x = np.array([0.1, 0.7]), np.array([2.0, 3.0])
    job = Job(2, np.array([0.0, 1.0]), ("x", "k"), parameters={"k": k}, initial={"x": x}, doses=doses, **TIGHT)
    result = decay().run(job)
    np.testing.assert_allclose(result["x"][:, 1], [2 * np.exp(-0.1), 3 * np.exp(-0.7) + 5], rtol=1e-8)
    np.testing.assert_array_equal(result["k"], [[0.1, 0.1], [0.7, 0.7]])
    np.testing.assert_array_equal(result.final[:, 0], result["x"][:, 1])


def test_starts_follow_overridden_parameters():
    model = compiled({"x": (2 * K, ZERO)}, {"k": 1.0})
    assert model.run(Job(1, np.array([0.0, 1.0]), ("x",), parameters={"k": 4.0}))["x"][0, 1] == 8.0
    assert model.run(Job(1, np.array([0.0, 1.0]), ("x",), parameters={"k": 4.0}, initial={"x": 3.0}))["x"][0, 1] == 3.0


def test_stop_is_found_on_the_trajectory():
    model = decay(assignments=(Assignment("double", 2 * X),))
    value = np.array([1.0, 0.5, 3.0, 1e-9])
    result = model.run(Job(4, np.linspace(0, 5, 6), ("x",), stop=Stop("double", value, rising=False), **TIGHT))
    assert list(result.status) == [STOPPED, STOPPED, STOPPED, OK]
    np.testing.assert_allclose(result.end_time, [np.log(2) / 0.5, np.log(4) / 0.5, 0.0, 5.0], rtol=1e-8)
    np.testing.assert_allclose(result.final[:3, 0], [0.5, 0.25, 1.0], rtol=1e-8)
    assert np.isnan(result["x"][0, 2:]).all()
    assert np.isfinite(result["x"][0, :2]).all()
    assert np.isfinite(result["x"][2, 0])


def test_until_ends_each_patient():
    result = decay().run(Job(2, np.array([0.0, 1.0, 2.0]), ("x",), until=np.array([1.5, 9.0]), **TIGHT))
    np.testing.assert_allclose(result.end_time, [1.5, 2.0])
    np.testing.assert_allclose(result.final[:, 0], np.exp([-0.75, -1.0]), rtol=1e-8)
    assert np.isnan(result["x"][0, 2])
    assert list(result.status) == [OK, OK]


def test_a_patient_that_fails_is_reported_and_disturbs_nobody():
    model = compiled({"x": (1.0, K * X * X)}, {"k": 1.0})  # x = 1 / (1 - k t): infinite at t = 1 / k
    result = model.run(Job(3, np.array([0.0, 0.9, 2.0]), ("x",), parameters={"k": np.array([0.1, 1.0, -1.0])}, **TIGHT))
    assert list(result.status) == [OK, FAILED, OK]
    assert set(result.messages) == {1}
    assert "time 1" in result.messages[1]
    assert np.isfinite(result["x"][1, 1])
    assert np.isnan(result["x"][1, 2])
    assert 0.9 <= result.end_time[1] <= 1.0001
    np.testing.assert_allclose(result["x"][[0, 2], 2], [1 / 0.8, 1 / 3], rtol=1e-8)


def test_step_limit_counts_as_failure():
    result = decay().run(Job(1, np.array([0.0, 5.0]), ("x",), max_steps=3, **TIGHT))
    assert result.status[0] == FAILED
    assert "3 steps" in result.messages[0]


def test_tolerance_of_one_state():
    model = compiled({"x": (1.0, -X), "y": (1.0, -Y)})
    steps = [
        int(model.run(Job(1, np.array([0.0, 30.0]), ("x",), rtol=1e-12, atol={"x": a, "y": 1.0})).steps[0])
        for a in (1.0, 1e-12)
    ]
    assert steps[0] < steps[1]
    with pytest.raises(EngineError, match="'z'"):
        model.run(Job(1, np.array([0.0, 1.0]), ("x",), atol={"z": 1.0}))


def test_stiff_and_tight():
    # Robertson's problem; reference values of y3 from Hairer & Wanner, Solving ODEs II, at t = 1e11: 0.9999999791665152
    a, b, c = (sym(n) for n in "abc")
    r1, r2, r3 = 0.04 * a, 1e4 * b * c, 3e7 * b * b
    model = compiled({"a": (1.0, r2 - r1), "b": (0.0, r1 - r2 - r3), "c": (0.0, r3)})
    result = model.run(Job(1, np.array([0.0, 40.0, 1e11]), ("a", "c"), rtol=1e-10, atol=1e-16))
    assert result["a"][0, 1] == pytest.approx(0.7158270688, rel=1e-8)
    assert result["c"][0, 2] == pytest.approx(0.9999999791665152, rel=1e-9)


def test_event_resets_at_the_crossing():
    # x' = 1, back to 0 whenever it reaches 1: x is the fractional part of time
    event = Event("reset", ir.compare("ge", X, num(1)), (("x", ZERO),))
    times = np.array([0.0, 0.3, 0.99, 1.01, 1.5, 2.25, 3.75])
    result = compiled({"x": (0.0, num(1))}, events=(event,)).run(Job(1, times, ("x",), **TIGHT))
    np.testing.assert_allclose(result["x"][0], times % 1, atol=1e-8)


def test_delays_persistence_and_time_of_values():
    # y rises with time; the trigger holds on (1, 2); the execution comes 1.5 later.
    trigger = ir.land(ir.compare("gt", Y, num(1)), ir.compare("lt", Y, num(2)))

    def run(**options) -> np.ndarray:
        event = Event("e", trigger, (("x", Y),), delay=num(1.5), **options)
        model = compiled({"x": (0.0, ZERO), "y": (0.0, num(1))}, events=(event,))
        return model.run(Job(1, np.array([0.0, 2.4, 2.6, 3.0]), ("x",), **TIGHT))["x"][0]

    np.testing.assert_allclose(run(), [0, 0, 1, 1], atol=1e-8)
    np.testing.assert_allclose(run(use_trigger_values=False), [0, 0, 2.5, 2.5], atol=1e-8)
    np.testing.assert_allclose(run(persistent=False), [0, 0, 0, 0], atol=1e-8)


def test_priorities_order_simultaneous_events():
    when = ir.compare("ge", TIME, num(1))
    events = tuple(
        Event(name, when, (("x", value),), priority=num(rank), use_trigger_values=False)
        for name, value, rank in [("add", X + 3, 1.0), ("double", X * 2, 5.0)]
    )
    result = compiled({"x": (1.0, ZERO)}, events=events).run(Job(1, np.array([0.0, 1.0]), ("x",)))
    assert result["x"][0, 1] == 5.0


def test_strict_comparison_with_time_acts_after_the_moment():
    def run(op: str) -> list[float]:
        event = Event("e", ir.compare(op, TIME, num(1)), (("x", num(7)),))
        model = compiled({"x": (0.0, ZERO)}, events=(event,))
        return model.run(Job(1, np.array([0.0, 1.0, 1.5]), ("x",)))["x"][0].tolist()

    assert run("ge") == [0, 7, 7]
    assert run("gt") == [0, 0, 7]


def test_event_at_the_start_needs_an_initial_value_of_false():
    def run(initial_value: bool) -> float:
        event = Event("e", ir.compare("ge", TIME, ZERO), (("x", num(7)),), initial_value=initial_value)
        return float(compiled({"x": (0.0, ZERO)}, events=(event,)).run(Job(1, np.array([0.0, 1.0]), ("x",)))["x"][0, 0])

    assert run(True) == 0.0
    assert run(False) == 7.0


def test_a_short_pulse_in_time_is_not_stepped_over():
    pulse = ir.if_(ir.land(ir.compare("ge", TIME, num(50)), ir.compare("lt", TIME, num(50.001))), num(1000), ZERO)
    result = compiled({"x": (0.0, pulse)}).run(Job(1, np.array([0.0, 100.0]), ("x",), **TIGHT))
    assert result["x"][0, 1] == pytest.approx(1.0, rel=1e-9)


def test_events_without_end_are_a_failure():
    events = (
        Event("up", ir.compare("lt", X, num(1)), (("x", num(2)),), initial_value=False),
        Event("down", ir.compare("gt", X, num(1)), (("x", num(0)),), initial_value=False),
    )
    result = compiled({"x": (0.0, ZERO)}, events=events).run(Job(1, np.array([0.0, 1.0]), ("x",)))
    assert result.status[0] == FAILED
    assert "events" in result.messages[0]


def test_algebraic_variable_follows_its_equation():
    # x' = -z with z^3 = x: x^(2/3) falls linearly, x = (1 - 2 t / 3)^(3/2)
    z = sym("z")
    model = compiled({"x": (1.0, -z)}, algebraic=(Assignment("z", num(1)),), residuals=(z**3 - X,))
    times = np.linspace(0, 1, 5)
    result = model.run(Job(1, times, ("x", "z"), **TIGHT))
    np.testing.assert_allclose(result["x"][0], (1 - 2 * times / 3) ** 1.5, rtol=1e-8)
    np.testing.assert_allclose(result["z"][0], (1 - 2 * times / 3) ** 0.5, rtol=1e-8)


def test_a_rate_that_is_no_number_is_named():
    result = compiled({"x": (0.0, num(1)), "y": (1.0, func("ln", X - 1))}).run(Job(1, np.array([0.0, 1.0]), ("x",)))
    assert result.status[0] == FAILED
    assert "rate of y" in result.messages[0]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"outputs": ("y",)}, "'y'"),
        ({"parameters": {"kk": 1.0}}, "'kk'"),
        ({"initial": {"y": 1.0}}, "'y'"),
        ({"doses": Doses(np.zeros(1), ("y",), np.ones(1), np.zeros(1))}, "'y'"),
        ({"doses": Doses(np.zeros(1), ("x",), np.ones(1), -np.ones(1))}, "negative"),
        ({"doses": Doses(np.zeros(2), ("x",), np.ones(1), np.zeros(1))}, "length"),
        ({"doses": [Doses.none()] * 3}, "3 dose tables"),
        ({"parameters": {"k": np.ones(3)}}, "shape"),
        ({"times": np.array([1.0, 0.0])}, "increase"),
        ({"stop": Stop("y", np.ones(1))}, "'y'"),
        ({"until": np.ones(2)}, "shape"),
    ],
)
def test_jobs_that_do_not_fit_are_refused(change, word):
    with pytest.raises(EngineError, match=word):
        decay().run(Job(**{"n": 1, "times": np.array([0.0, 1.0]), "outputs": ("x",)} | change))


def test_progress_counts_patients():
    seen: list[int] = []
    decay().run(Job(5, np.array([0.0, 1.0]), ("x",)), progress=seen.append)
    assert sum(seen) == 5


BRUSSELATOR = """<?xml version="1.0" encoding="UTF-8"?>
<sbml xmlns="http://www.sbml.org/sbml/level3/version2/core" level="3" version="2"><model id="brusselator">
<listOfCompartments><compartment id="V" spatialDimensions="3" size="2" constant="true"/></listOfCompartments>
<listOfSpecies>
<species id="X" compartment="V" initialAmount="2"
 hasOnlySubstanceUnits="false" boundaryCondition="false" constant="false"/>
<species id="Y" compartment="V" initialAmount="6"
 hasOnlySubstanceUnits="false" boundaryCondition="false" constant="false"/>
</listOfSpecies>
<listOfParameters><parameter id="b" value="3" constant="true"/></listOfParameters>
<listOfRules><rateRule variable="Y"><math xmlns="http://www.w3.org/1998/Math/MathML"><apply><minus/>
<apply><times/><ci>b</ci><ci>X</ci></apply>
<apply><times/><apply><power/><ci>X</ci><cn>2</cn></apply><ci>Y</ci></apply></apply></math></rateRule>
<rateRule variable="X"><math xmlns="http://www.w3.org/1998/Math/MathML"><apply><plus/><cn>1</cn>
<apply><times/><apply><power/><ci>X</ci><cn>2</cn></apply><ci>Y</ci></apply>
<apply><times/><cn>-1</cn><apply><plus/><ci>b</ci><cn>1</cn></apply><ci>X</ci></apply></apply></math></rateRule>
</listOfRules>
<listOfEvents><event id="E" useValuesFromTriggerTime="true"><trigger initialValue="true" persistent="true">
<math xmlns="http://www.w3.org/1998/Math/MathML"><apply><gt/><ci>X</ci><cn>2.5</cn></apply></math></trigger>
<listOfEventAssignments><eventAssignment variable="Y"><math xmlns="http://www.w3.org/1998/Math/MathML">
<apply><divide/><ci>Y</ci><cn>2</cn></apply></math></eventAssignment></listOfEventAssignments></event></listOfEvents>
</model></sbml>"""


def test_against_libroadrunner():
    import roadrunner

    oracle = roadrunner.RoadRunner(BRUSSELATOR)
    oracle.integrator.relative_tolerance, oracle.integrator.absolute_tolerance = 1e-10, 1e-12
    oracle.b = 3.2
    oracle.timeCourseSelections = ["time", "X", "[Y]"]
    times = np.linspace(0, 20, 81)
    expected = np.asarray(oracle.simulate(times=times.tolist()))[:, 1:]
    result = ReferenceEngine().compile(BRUSSELATOR).run(Job(1, times, ("X", "[Y]"), parameters={"b": 3.2}, **TIGHT))
    np.testing.assert_allclose(result.values[0], expected, rtol=2e-5, atol=1e-7)
