"""Events and stops whose whole course lies inside one step of the native engine."""

from __future__ import annotations

import numpy as np
import pytest
from tests.engine.small import sbml

from immunescape.engine import STOPPED, Job, Stop
from immunescape.engine.native.engine import NativeEngine
from immunescape.engine.native.processor import machine_lanes

ENDS = np.array([0.0, 100.0])


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMMUNESCAPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.mark.parametrize("threshold", [0.9, 0.99, 0.999])
def test_every_crossing_of_a_sine_fires(threshold):
    event = {"trigger": f"x > {threshold}", "assignments": {"n": "n + 1"}}
    model = NativeEngine().compile(sbml({"x": (0.0, "cos(time)")}, variables={"n": 0.0}, events=[event]))
    counts = [model.run(Job(1, ENDS, ("n",), rtol=rtol))["n"][0, 1] for rtol in (1e-3, 1e-4, 1e-5, 1e-6)]
    assert counts == [16.0] * 4


@pytest.mark.parametrize(("rtol", "error"), [(1e-3, 5e-3), (1e-4, 1e-3), (1e-6, 1e-5)])
def test_a_stop_near_the_peak_of_an_oscillation_is_met(rtol, error):
    model = NativeEngine().compile(sbml({"x": (0.0, "y"), "y": (1.0, "-x")}))
    result = model.run(Job(1, ENDS, ("x",), rtol=rtol, stop=Stop("x", np.array([0.9999]))))
    assert result.status[0] == STOPPED
    assert result.end_time[0] == pytest.approx(np.arcsin(0.9999), abs=error)


def test_a_window_between_two_thresholds_is_seen():
    event = {"trigger": "S > 0.18 && S < 0.19", "assignments": {"n": "n + 1", "when": "time"}}
    model = NativeEngine().compile(sbml({"S": (0.0, "0.4")}, variables={"n": 0.0, "when": 0.0}, events=[event]))
    values = model.run(Job(1, np.array([0.0, 1.0]), ("n", "when"))).values[0, 1]
    np.testing.assert_allclose(values, [1.0, 0.45], atol=1e-9)


def test_a_trigger_that_ends_and_comes_back_within_a_step_fires_again():
    event = {"trigger": "S < 0.1 || S > 0.12", "assignments": {"n": "n + 1"}}
    model = NativeEngine().compile(sbml({"S": (0.0, "0.4")}, variables={"n": 0.0}, events=[event]))
    assert model.run(Job(1, np.array([0.0, 1.0]), ("n",)))["n"][0, 1] == 1.0


@pytest.mark.parametrize(("rtol", "all_of_them"), [(1e-3, False), (1e-4, True)])
def test_a_threshold_is_counted_on_the_course_that_was_computed(rtol, all_of_them):
    """At rtol 1e-3 an oscillation loses so much of its size that its later peaks stay below the threshold.

    How many stay above it there depends on the last digits of the processor's arithmetic.
    """
    event = {"trigger": "x > 0.999", "assignments": {"n": "n + 1"}}
    states = {"x": (0.0, "y"), "y": (1.0, "-x")}
    model = NativeEngine(lanes=1).compile(sbml(states, variables={"n": 0.0}, events=[event]))
    result = model.run(Job(1, np.linspace(0, 100, 20001), ("n", "x"), rtol=rtol))
    x = result["x"][0]
    peaks = np.flatnonzero((x[1:-1] > x[:-2]) & (x[1:-1] >= x[2:])) + 1
    assert result["n"][0, -1] == np.count_nonzero(x[peaks] > 0.999)
    assert (result["n"][0, -1] == 16.0) == all_of_them


@pytest.mark.parametrize("lanes", [1, machine_lanes()])
def test_events_closer_than_the_precision_of_time_both_fire(lanes):
    """Two clones of nearly one size die out at nearly one time: rounding may put a crossing on either side of it."""
    n, rng = 400, np.random.default_rng(1)
    a, k = rng.uniform(1.5, 4.0, n), rng.uniform(0.03, 0.1, n)
    b = a + np.spacing(a) * rng.integers(-8, 9, n)
    text = sbml(
        {name: (1.0, f"-k * {name} * (1 + 0.1 * sin(time))") for name in ("a", "b")},
        {"k": 1.0},
        events=[{"trigger": f"{name} < 1", "assignments": {name: "0"}} for name in ("a", "b")],
    )
    job = Job(n, np.linspace(0.0, 60.0, 5), ("a", "b"), parameters={"k": k}, initial={"a": a, "b": b}, max_steps=3000)
    result = NativeEngine(lanes=lanes).compile(text).run(job)
    assert not result.failed, dict(result.messages)
    assert result.steps.max() < 200
    assert (result.values[:, -1] == 0.0).all()


def test_steps_that_crossings_cut_short_count_towards_the_limit():
    event = {"trigger": "x > 1", "assignments": {"x": "1 - 1e-6"}}  # a million times a day
    job = Job(1, np.array([0.0, 100.0]), ("x",), max_steps=500)
    result = NativeEngine(lanes=1, rescue=False).compile(sbml({"x": (0.0, "1")}, events=[event])).run(job)
    assert result.failed == 1
    assert result.steps[0] <= 500
    assert "more than the permitted number of steps" in result.messages[0]
