"""Values in the past (the symbol ``delay``) against solutions by the method of steps."""

from __future__ import annotations

import numpy as np
import pytest
from tests.engine.small import sbml

from immunescape.engine import FAILED, Doses, Job, get_engine
from immunescape.engine.reference.engine import ReferenceEngine
from immunescape.errors import EngineError

TIGHT = {"rtol": 1e-8}
FALLING = sbml({"x": (1.0, "-delay(x, lag)")}, {"lag": 1.0})


def run(model: str, times: list[float], *outputs: str, **job) -> np.ndarray:
    result = ReferenceEngine().compile(model).run(Job(1, np.array(times), outputs, **TIGHT, **job))
    assert result.failed == 0, result.messages
    return result.values[0]


def falling(t: np.ndarray, lag: float) -> np.ndarray:
    """Solution of x'(t) = -x(t - lag), x = 1 up to 0: sum of (-1)^k (t - (k - 1) lag)^k / k!."""
    total, factorial = np.ones_like(t), 1.0
    for k in range(1, 40):
        factorial *= k
        total += (-1.0) ** k * np.maximum(t - (k - 1) * lag, 0.0) ** k / factorial
    return total


@pytest.mark.parametrize("lag", [0.3, 1.0, 1.5, 7.0])
def test_a_delayed_decay_follows_the_method_of_steps(lag):
    times = np.linspace(0, 10, 41)
    got = run(FALLING, times.tolist(), "x", parameters={"lag": lag})[:, 0]
    exact = falling(times, lag)
    assert np.abs(got - exact).max() < 2e-6 * np.abs(exact).max()


def test_a_jump_comes_back_after_the_delay():
    model = sbml(
        {"x": (0.0, "delay(u, 1)")}, variables={"u": 0.0}, events=[{"trigger": "time >= 2", "assignments": {"u": "3"}}]
    )
    np.testing.assert_allclose(run(model, [0.0, 2.9, 3.0, 4.0, 10.0], "x")[:, 0], [0, 0, 0, 3, 21], atol=1e-6)


def test_a_dose_comes_back_after_the_delay():
    model = sbml({"x": (0.0, "0"), "y": (0.0, "delay(x, 2.5)")})
    dose = Doses(np.array([1.0]), ("x",), np.array([4.0]), np.zeros(1))
    np.testing.assert_allclose(run(model, [0.0, 3.4, 4.5, 6.5], "y", doses=dose)[:, 0], [0, 0, 4, 12], atol=1e-6)


def test_a_trigger_may_look_back():
    model = sbml(
        {"x": (0.0, "1")},
        variables={"when": 0.0},
        events=[{"trigger": "delay(x, 1.25) > 2", "assignments": {"when": "time"}}],
    )
    assert run(model, [0.0, 10.0], "when")[1, 0] == pytest.approx(3.25, abs=1e-6)


def test_outputs_may_look_back_across_many_steps_and_before_the_start():
    model = sbml({"x": (1.0, "x")}, rules={"past": "delay(x, 0.75)", "long_past": "delay(past, 0.5)"})
    got = run(model, [0.0, 0.5, 1.0, 2.0], "past", "long_past")
    np.testing.assert_allclose(got[:, 0], [1, 1, np.exp(0.25), np.exp(1.25)], rtol=1e-6)
    np.testing.assert_allclose(got[:, 1], [1, 1, 1, np.exp(0.75)], rtol=1e-6)


def test_formulas_of_time_hold_before_the_start():
    model = sbml({"x": (0.0, "1")}, rules={"u": "time^2", "past": "delay(u, 3)"})
    np.testing.assert_allclose(run(model, [0.0, 1.0, 5.0], "past")[:, 0], [9, 4, 4])


def test_a_delay_may_follow_time():
    model = sbml({"x": (0.0, "1")}, rules={"half": "delay(x, time / 2)"})
    np.testing.assert_allclose(run(model, [0.0, 1.0, 8.0], "half")[:, 0], [0, 0.5, 4], atol=1e-9)


def test_a_look_into_the_future_fails_with_a_word():
    result = ReferenceEngine().compile(FALLING).run(Job(1, np.array([0.0, 1.0]), ("x",), parameters={"lag": -1.0}))
    assert result.status[0] == FAILED
    assert "future" in result.messages[0]


def test_a_value_given_by_its_own_past_fails_with_a_word():
    model = sbml({"x": (0.0, "1")}, rules={"y": "1 + delay(y, 1)"})
    result = ReferenceEngine().compile(model).run(Job(1, np.array([0.0, 1.0]), ("y",)))
    assert "without a beginning" in result.messages[0]


def test_native_hands_delays_over_and_says_so():
    model = get_engine("native").compile(FALLING)
    assert "reference" in model.backend
    assert "delay" in model.backend
    assert model.run(Job(1, np.array([0.0, 1.5]), ("x",), **TIGHT))["x"][0, 1] == pytest.approx(-0.375, abs=1e-6)


@pytest.mark.parametrize("model", [FALLING, sbml({"x": (0.0, "1")}, rules={"y": "delay(x, 1)"})])
def test_libroadrunner_refuses_delays(model):
    with pytest.raises(EngineError, match="delay"):
        get_engine("roadrunner").compile(model)
