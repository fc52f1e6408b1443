"""The native engine against closed solutions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.linalg import expm
from tests.engine.small import sbml

from immunescape.engine import OK, STOPPED, Doses, Job, Stop
from immunescape.engine.native.engine import NativeEngine
from immunescape.errors import EngineError

FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMMUNESCAPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def linear():
    n = 3
    rates = {f"x{i}": (0.0, " + ".join(f"a{i}{j} * x{j}" for j in range(n))) for i in range(n)}
    return NativeEngine().compile(sbml(rates, {f"a{i}{j}": 0.0 for i in range(n) for j in range(n)}))


def _numbers(bound: float) -> st.SearchStrategy[float]:
    """Zero or of ordinary size: scipy's expm loses the coupling of a triangular matrix whose diagonal underflows."""
    return st.floats(-bound, bound).map(lambda v: v if abs(v) > 1e-9 else 0.0)


@given(
    st.lists(_numbers(3), min_size=9, max_size=9),
    st.lists(_numbers(2), min_size=3, max_size=3),
    st.sampled_from([1.0, 1e3, 1e6]),
)
@FEW
def test_linear_systems_agree_with_the_matrix_exponential(linear, entries, start, stiffness):
    a = np.array(entries).reshape(3, 3)
    a[2] = [0.0, 0.0, -stiffness]  # a fast mode that feeds the others
    times = np.array([0.0, 1e-3, 0.3, 1.0, 2.5])
    job = Job(
        1,
        times,
        ("x0", "x1", "x2"),
        parameters={f"a{i}{j}": a[i, j] for i in range(3) for j in range(3)},
        initial={f"x{i}": start[i] for i in range(3)},
        rtol=1e-9,
        atol=1e-12,
    )
    result = linear.run(job)
    exact = np.array([expm(a * t) @ start for t in times])
    assert result.status[0] == OK
    np.testing.assert_allclose(result.values[0], exact, rtol=3e-6, atol=1e-7 * max(np.abs(exact).max(), 1e-3))


@pytest.fixture(scope="module")
def decay():
    return NativeEngine().compile(
        sbml({"x": (0.0, "-k * x"), "y": (0.0, "k * x")}, {"k": 0.5}, rules={"total": "x + y"})
    )


def _exact(times, k, doses):
    """Amount in x after boluses and infusions into x; a dose counts from its own moment on."""
    x = np.zeros(len(times))
    for time, amount, length in doses:
        since = times - time
        if length == 0:
            x += np.where(since >= 0, amount * np.exp(-k * np.maximum(since, 0)), 0)
        else:
            inside = np.clip(since, 0, length)
            x += amount / length * (np.exp(-k * np.maximum(since - inside, 0)) - np.exp(-k * np.maximum(since, 0))) / k
    return x


@given(
    st.lists(
        st.tuples(st.integers(0, 40).map(lambda i: i / 4), st.floats(0.1, 10), st.sampled_from([0.0, 0.25, 1.0, 3.3])),
        max_size=6,
    ),
    st.floats(0.05, 4.0),
)
@FEW
def test_doses_at_any_time_add_up_and_mass_is_conserved(decay, doses, k):
    times = np.linspace(0, 12, 49)  # some doses fall on output times: the value after the dose is written
    table = Doses(
        np.array([d[0] for d in doses]),
        ("x",) * len(doses),
        np.array([d[1] for d in doses]),
        np.array([d[2] for d in doses]),
    )
    result = decay.run(Job(1, times, ("x", "total"), parameters={"k": k}, doses=table, rtol=1e-8, atol=1e-10))
    scale = 1.0 + sum(d[1] for d in doses)
    np.testing.assert_allclose(result["x"][0], _exact(times, k, doses), atol=1e-6 * scale)
    given_so_far = sum(d[1] * np.where(d[2], np.clip((times - d[0]) / (d[2] or 1), 0, 1), times >= d[0]) for d in doses)
    np.testing.assert_allclose(result["total"][0], given_so_far, atol=1e-9 * scale)


def test_the_interpolant_is_accurate_for_a_fast_state_between_steps():
    text = sbml({"fast": (0.0, "-1e4 * (fast - slow)"), "slow": (1.0, "-0.1 * slow")})
    times = np.concatenate([[0.0], np.geomspace(1e-6, 10, 300)])
    result = NativeEngine().compile(text).run(Job(1, times, ("fast", "slow"), rtol=1e-6, atol=1e-9))
    ratio = 1e4 / (1e4 - 0.1)
    exact = ratio * (np.exp(-0.1 * times) - np.exp(-1e4 * times))
    assert np.abs(result["fast"][0] - exact).max() < 2e-6
    assert result.steps[0] < 100


@pytest.mark.parametrize("method", ["rodas5p", "rodasp"])
def test_a_stiff_oscillator_converges_at_the_order_of_the_method(method):
    model = NativeEngine(method=method).compile(
        sbml({"u": (2.0, "v"), "v": (0.0, "mu * ((1 - u*u) * v) - u")}, {"mu": 5.0})
    )
    times = np.linspace(0, 11, 56)
    tight = model.run(Job(1, times, ("u",), rtol=1e-11, atol=1e-13))
    errors = [
        np.abs(model.run(Job(1, times, ("u",), rtol=r, atol=r * 1e-2))["u"] - tight["u"]).max()
        for r in (1e-4, 1e-6, 1e-8)
    ]
    assert errors[0] < 1e-2
    assert errors[1] < 1e-4
    assert errors[2] < 1e-6


def test_a_rising_and_a_falling_stop_end_where_the_quantity_crosses():
    model = NativeEngine().compile(sbml({"c": (1.0, "g * c")}, {"g": 0.1}, rules={"diameter": "(6 * c / pi) ^ (1/3)"}))
    targets = np.array([2.0, 3.0, 5.0, 0.5])
    job = Job(4, np.linspace(0, 100, 11), ("diameter",), stop=Stop("diameter", targets), rtol=1e-9, atol=1e-12)
    result = model.run(job)
    exact = np.log(np.pi / 6 * targets[:3] ** 3) / 0.1
    assert (result.status == STOPPED).all()
    np.testing.assert_allclose(result.end_time[:3], exact, rtol=1e-8)
    np.testing.assert_allclose(result.final[:3, 0], np.pi / 6 * targets[:3] ** 3, rtol=1e-7)
    assert result.end_time[3] == 0.0  # beyond it from the start
    for i in range(3):
        assert np.isfinite(result.values[i, job.times <= exact[i], 0]).all()
        assert np.isnan(result.values[i, job.times > exact[i], 0]).all()
    falling = model.run(
        Job(1, job.times, ("c",), parameters={"g": -0.2}, stop=Stop("c", np.array([0.25]), rising=False), rtol=1e-9)
    )
    assert falling.end_time[0] == pytest.approx(np.log(4) / 0.2, rel=1e-7)


def test_until_ends_each_patient_at_its_own_time(decay):
    until = np.array([0.0, 2.5, 4.0, 99.0])
    result = decay.run(Job(4, np.arange(6.0), ("x",), initial={"x": 8.0}, until=until, rtol=1e-9, atol=1e-12))
    np.testing.assert_array_equal(result.end_time, [0.0, 2.5, 4.0, 5.0])
    np.testing.assert_allclose(result.final[:, 0], 8 * np.exp(-0.5 * np.minimum(until, 5)), rtol=1e-7)
    np.testing.assert_array_equal(np.isfinite(result["x"]).sum(axis=1), [1, 3, 5, 6])


def test_an_eradicated_clone_is_set_to_zero_at_the_root_and_stays_there():
    text = sbml(
        {"clone": (50.0, "-0.3 * clone"), "other": (1.0, "0.1 * clone")},
        events=[{"trigger": "clone < 1", "assignments": {"clone": "0"}}],
    )
    times = np.linspace(0, 30, 61)
    result = NativeEngine().compile(text).run(Job(1, times, ("clone", "other"), rtol=1e-9, atol=1e-12))
    moment = np.log(50) / 0.3
    np.testing.assert_allclose(result["clone"][0], np.where(times < moment, 50 * np.exp(-0.3 * times), 0), rtol=1e-7)
    assert (result["clone"][0][times > moment] == 0).all()
    assert result["other"][0][-1] == pytest.approx(1 + 49 / 3, rel=1e-8)


def test_events_change_parameters_cascade_and_may_fire_at_the_start():
    text = sbml(
        {"x": (0.0, "k")},
        variables={"k": 1.0, "n": 0.0, "first": 0.0},
        events=[
            {"trigger": "x >= 2", "assignments": {"k": "3"}},
            {"trigger": "k > 2", "assignments": {"n": "n + 1"}},
            {"trigger": "time >= 5", "assignments": {"x": "0"}},
            {"trigger": "x < 1e9", "assignments": {"first": "7"}, "initial_value": False},
        ],
    )
    times = np.arange(8.0)
    result = NativeEngine().compile(text).run(Job(1, times, ("x", "k", "n", "first"), rtol=1e-9, atol=1e-12))
    np.testing.assert_allclose(result["x"][0], [0, 1, 2, 5, 8, 0, 3, 6], atol=1e-8)
    np.testing.assert_array_equal(result["k"][0], [1, 1, 3, 3, 3, 3, 3, 3])
    np.testing.assert_array_equal(result["n"][0], [0, 0, 1, 1, 1, 1, 1, 1])
    np.testing.assert_array_equal(result["first"][0], np.full(8, 7))


def test_rates_may_depend_on_time_and_switch_at_moments_and_values():
    text = sbml(
        {
            "s": (0.0, "cos(w * time)"),
            "p": (0.0, "piecewise(1, time < until, 0)"),
            "q": (0.0, "piecewise(2, q < 3, 0.5)"),
        },
        {"w": 2.0, "until": 3.3},
    )
    model = NativeEngine().compile(text)
    assert model.backend == "native"
    times = np.linspace(0, 6, 25)
    result = model.run(Job(1, times, ("s", "p", "q"), rtol=1e-9, atol=1e-12))
    np.testing.assert_allclose(result["s"][0], np.sin(2 * times) / 2, atol=1e-7)
    np.testing.assert_allclose(result["p"][0], np.minimum(times, 3.3), atol=1e-9)
    np.testing.assert_allclose(result["q"][0], np.where(times < 1.5, 2 * times, 3 + (times - 1.5) / 2), atol=1e-8)


def test_elementary_functions_agree_with_numpy():
    formulas = {
        "e": ("exp(u)", np.exp),
        "l": ("ln(u + 3)", lambda u: np.log(u + 3)),
        "g": ("log10(u + 3)", lambda u: np.log10(u + 3)),
        "r": ("sqrt(u + 3)", lambda u: np.sqrt(u + 3)),
        "c": ("u ^ 3", lambda u: u**3),
        "h": ("abs(u) ^ n", lambda u: np.abs(u) ** 2.7),
        "i": ("1 / (u - 9) ^ 2", lambda u: (u - 9) ** -2.0),
        "m": ("max(u, 0.5) - min(u, 0.2)", lambda u: np.maximum(u, 0.5) - np.minimum(u, 0.2)),
        "t": ("tanh(u) + sin(u) * cos(u)", lambda u: np.tanh(u) + np.sin(u) * np.cos(u)),
        "f": ("floor(u) + ceil(u / 3)", lambda u: np.floor(u) + np.ceil(u / 3)),
        "d": ("2 ^ u", lambda u: 2.0**u),
        "s": ("u ^ k", lambda u: u**2.0),
        "b": ("piecewise(1, (u > -1) && !(u > 1), -1)", lambda u: np.where((u > -1) & ~(u > 1), 1, -1)),
    }
    text = sbml({"u": (-2.0, "1")}, {"n": 2.7, "k": 2.0}, rules={k: v[0] for k, v in formulas.items()})
    times = np.linspace(0, 4, 41) + np.where(np.arange(41) > 0, 0.013, 0)
    result = NativeEngine().compile(text).run(Job(1, times, ("u", *formulas), rtol=1e-10, atol=1e-12))
    u = result["u"][0]
    np.testing.assert_allclose(u, times - 2, atol=1e-9)
    for name, (_, function) in formulas.items():
        np.testing.assert_allclose(result[name][0], function(u), rtol=1e-12, atol=1e-13, err_msg=name)


def test_hill_terms_have_finite_derivatives_at_zero():
    text = sbml({"a": (0.0, "a ^ n / (a ^ n + 1) - a"), "b": (0.0, "a ^ 1.5 + in - b")}, {"n": 2.5, "in": 1.0})
    result = NativeEngine().compile(text).run(Job(1, np.array([0.0, 1.0]), ("a", "b"), rtol=1e-9, atol=1e-12))
    np.testing.assert_allclose(result.values[0, 1], [0.0, 1 - np.exp(-1)], atol=1e-9)


def test_initial_assignments_follow_overridden_parameters_and_initial_values_win():
    text = sbml({"x": (0.0, "0 * x - k * x")}, {"k": 0.0, "x0": 4.0}, initial={"x": "x0 * 2"}, variables={"z": 1.0})
    model = NativeEngine().compile(text)
    times = np.array([0.0, 1.0])
    assert model.run(Job(1, times, ("x",)))["x"][0, 0] == 8.0
    np.testing.assert_array_equal(
        model.run(Job(2, times, ("x",), parameters={"x0": np.array([1.0, 2.0])}))["x"][:, 0], [2.0, 4.0]
    )
    assert model.run(Job(1, times, ("x",), parameters={"x0": 1.0}, initial={"x": 5.0}))["x"][0, 0] == 5.0


def test_what_cannot_be_generated_goes_to_the_reference_engine():
    text = sbml({"x": (0.0, "1")}, events=[{"trigger": "x >= 1", "delay": "0.5", "assignments": {"x": "0"}}])
    model = NativeEngine().compile(text)
    assert model.backend == "reference (event delays)"
    result = model.run(Job(1, np.array([0.0, 1.25, 1.75]), ("x",)))
    np.testing.assert_allclose(result["x"][0], [0.0, 1.25, 0.25], atol=1e-6)


def test_misspelt_names_are_answered_with_the_nearest_word(decay):
    times = np.array([0.0, 1.0])
    with pytest.raises(EngineError, match=r"totl.*\n.*total"):
        decay.run(Job(1, times, ("totl",)))
    with pytest.raises(EngineError, match="unknown parameter"):
        decay.run(Job(1, times, ("x",), parameters={"kk": 1.0}))
    with pytest.raises(EngineError, match="dosed state"):
        decay.run(Job(1, times, ("x",), doses=Doses(np.zeros(1), ("z",), np.ones(1), np.zeros(1))))
    with pytest.raises(EngineError, match="increasing"):
        decay.run(Job(1, np.array([1.0, 0.0]), ("x",)))


def test_generated_code_holds_no_name_from_the_model():
    text = sbml({"sinister_name": (1.0, "-evil * sinister_name")}, {"evil": 1.0})
    model = NativeEngine().compile(text)
    source = Path(model.source).read_text()
    assert "sinister_name" not in source
    assert "evil" not in source


def test_growth_that_meets_zero_pivots_stays_accurate():
    """With x' = a x the factorisation's pivot 1 / (h gamma) - a passes through 0 as the step grows."""
    model = NativeEngine().compile(
        sbml({"x": (1.0, "a * x + b * y"), "y": (1.0, "b * x + a * y")}, {"a": 1.0, "b": 0.0})
    )
    a = np.geomspace(0.05, 20.0, 64)
    for b in (0.0, 0.5):
        result = model.run(Job(n=64, times=np.array([0.0, 1.0]), outputs=("x", "y"), parameters={"a": a, "b": b * a}))
        assert result.failed == 0, result.messages
        np.testing.assert_allclose(result["x"][:, 1], np.exp(a * (1 + b)), rtol=1e-4)
