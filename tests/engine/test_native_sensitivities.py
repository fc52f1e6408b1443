"""Derivatives by parameters: against closed solutions and against differences between tight runs."""

from __future__ import annotations

import numpy as np
import pytest
from tests.engine.small import sbml

from immunescape.engine import Doses, Job
from immunescape.engine.native.engine import NativeEngine
from immunescape.errors import EngineError


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMMUNESCAPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def test_decay_has_the_derivatives_of_its_closed_solution():
    text = sbml({"x": (0.0, "-k * x")}, {"k": 0.5, "a": 3.0}, initial={"x": "a * k"}, rules={"y": "x * k + a"})
    model = NativeEngine().compile_sensitivities(text, ("k", "a"), ("x", "y"))
    times = np.linspace(0, 6, 25)
    k, a = np.array([0.5, 1.3]), 3.0
    result, s = model.run(Job(2, times, ("x", "y"), parameters={"k": k}, rtol=1e-9, atol=1e-12))
    decay = np.exp(-k[:, None] * times)
    np.testing.assert_allclose(result["x"], a * k[:, None] * decay, rtol=1e-7)
    by_k = a * decay * (1 - k[:, None] * times)
    by_a = k[:, None] * decay
    np.testing.assert_allclose(s[:, :, 0, 0], by_k, atol=1e-7)
    np.testing.assert_allclose(s[:, :, 0, 1], by_a, atol=1e-8)
    np.testing.assert_allclose(s[:, :, 1, 0], by_k * k[:, None] + result["x"], atol=1e-7)
    np.testing.assert_allclose(s[:, :, 1, 1], by_a * k[:, None] + 1, atol=1e-8)


STIFF = sbml(
    {
        "c": (100.0, "g * c * ln(k / (c + 1)) - kill * c * t / (t + c + 1) * occupied ^ h"),
        "t": (5.0, "1 + 0.3 * t * c / (c + 50) - 0.2 * t * (1 + 0.3 * sin(w * time))"),
        "drug": (0.0, "-0.1 * drug - 1e5 * (drug * free - kd * bound)"),
        "bound": (0.0, "1e5 * (drug * free - kd * bound) - 0.05 * bound"),
    },
    {"g": 0.1, "k": 5000.0, "kill": 1.5, "h": 1.7, "kd": 0.2, "w": 0.6},
    rules={"free": "1 - bound", "occupied": "bound / (bound + 0.3)"},
)
DOSES = Doses(np.array([0.0, 4.0, 12.5]), ("drug",) * 3, np.array([0.5, 1.0, 0.8]), np.array([0.0, 0.0, 2.0]))


@pytest.mark.parametrize("method", ["rodas5p", "rodasp"])
def test_a_stiff_model_with_doses_agrees_with_differences(method):
    names, outputs = ("g", "kill", "h", "kd", "w"), ("c", "t", "occupied")
    engine = NativeEngine(method=method)
    times = np.linspace(0, 20, 21)
    model = engine.compile_sensitivities(STIFF, names, outputs)
    _, s = model.run(Job(1, times, outputs, doses=DOSES, rtol=1e-8, atol=1e-11))
    plain = engine.compile(STIFF)
    for m, name in enumerate(names):
        value, step = plain.parameters[name], 1e-4 * plain.parameters[name]
        pair = Job(
            2,
            times,
            outputs,
            parameters={name: np.array([value - step, value + step])},
            doses=DOSES,
            rtol=1e-11,
            atol=1e-13,
        )
        values = plain.run(pair).values
        difference = (values[1] - values[0]) / (2 * step)
        scale = np.abs(difference).max(axis=0) + 1e-3 * np.abs(values).max(axis=(0, 1)) / value  # some are exactly zero
        assert (np.abs(s[0, :, :, m] - difference) / scale).max() < 5e-5, name


def test_values_are_the_same_bits_with_and_without_derivatives():
    job = Job(3, np.linspace(0, 20, 21), ("c", "bound"), parameters={"g": np.array([0.05, 0.1, 0.2])}, doses=DOSES)
    plain = NativeEngine().compile(STIFF).run(job)
    result, s = NativeEngine().compile_sensitivities(STIFF, ("kd",), ("c", "bound")).run(job)
    np.testing.assert_array_equal(result.values, plain.values)
    _, scalar = NativeEngine(lanes=1).compile_sensitivities(STIFF, ("kd",), ("c", "bound")).run(job)
    np.testing.assert_array_equal(s, scalar)


def test_after_an_event_the_derivatives_are_not_pretended_to_be_known():
    text = sbml({"x": (10.0, "-k * x")}, {"k": 1.0}, events=[{"trigger": "x < 1", "assignments": {"x": "0"}}])
    times = np.linspace(0, 5, 11)
    result, s = NativeEngine().compile_sensitivities(text, ("k",), ("x",)).run(Job(1, times, ("x",), rtol=1e-9))
    before = times < np.log(10)
    np.testing.assert_allclose(s[0, before, 0, 0], -times[before] * result["x"][0][before], rtol=1e-6)
    assert np.isnan(s[0, ~before, 0, 0]).all()


def test_unnames_of_same_trial_and_other_outputs_are_refused():
    engine = NativeEngine()
    with pytest.raises(EngineError, match=r"kil.*\n.*kill"):
        engine.compile_sensitivities(STIFF, ("kil",), ("c",))
    model = engine.compile_sensitivities(STIFF, ("kill",), ("c",))
    with pytest.raises(EngineError, match="compiled"):
        model.run(Job(1, np.array([0.0, 1.0]), ("t",)))


@pytest.mark.parametrize("rate", ["piecewise(1, time < p, 0)", "piecewise(1, rem(time, p) < 1, 0)", "floor(p * time)"])
def test_moments_of_switching_that_follow_a_parameter_are_refused(rate):
    with pytest.raises(EngineError, match="depends on a parameter"):
        NativeEngine(lanes=1).compile_sensitivities(sbml({"x": (0.0, rate)}, {"p": 3.0}), ("p",), ("x",))


def test_a_pulse_whose_width_is_a_parameter():
    text = sbml({"x": (0.0, "exp(-((time - 500) / w)^2)")}, {"w": 0.05})
    job = Job(1, np.array([0.0, 1000.0]), ("x",))
    _, s = NativeEngine(lanes=1).compile_sensitivities(text, ("w",), ("x",)).run(job)
    assert s[0, 1, 0, 0] == pytest.approx(np.sqrt(np.pi), rel=1e-4)
