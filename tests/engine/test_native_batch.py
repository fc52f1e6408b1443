"""Batches: neighbours, lanes, threads, failures and interrupts leave a patient's result as it was, bit for bit."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from tests.engine.small import sbml

from immunescape.engine import FAILED, OK, Doses, Job, Stop
from immunescape.engine.native.engine import NativeEngine
from immunescape.engine.native.processor import machine_lanes
from immunescape.errors import EngineError

N = 21
TIMES = np.linspace(0, 30, 16)
WIDTHS = [w for w in (1, 2, 4, 8) if w <= machine_lanes()]


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMMUNESCAPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def model_text() -> str:
    """Tumour, T cells and drug: Hill terms, exp and ln, a stiff binding, an event, a time switch."""
    return sbml(
        {
            "c": (100.0, "g * c * ln(k / (c + 1)) - kill * c * t / (t + c + 1) * occupied ^ h"),
            "t": (5.0, "piecewise(2, time < 11, 1) + 0.3 * t * c / (c + 50) - 0.2 * t"),
            "drug": (0.0, "-0.1 * drug - 1e5 * (drug * free - 0.2 * bound)"),
            "bound": (0.0, "1e5 * (drug * free - 0.2 * bound) - 0.05 * bound"),
        },
        {"g": 0.1, "k": 5000.0, "kill": 1.5, "h": 1.7},
        rules={"free": "exp(-0.01 * time) + 1 - bound", "occupied": "bound / (bound + 0.3)", "ratio": "t / (c + 1)"},
        events=[{"trigger": "c < 1", "assignments": {"c": "0"}}],
    )


def doses_of(i: int) -> Doses:
    time, amount = np.array([0.0, 4.0 * (i % 3), 12.5]), np.array([0.5, 1.0, 0.3 * i])
    return Doses(time, ("drug",) * 3, amount, np.array([0.0, 0.0, float(i % 4)]))


def job(n: int = N) -> Job:
    rng = np.random.default_rng(3)
    return Job(
        n,
        TIMES,
        ("c", "t", "ratio", "free"),
        parameters={"g": 0.1 * np.exp(0.5 * rng.standard_normal(n)), "kill": rng.uniform(0.2, 6, n)},
        initial={"t": rng.uniform(1, 20, n)},
        doses=[doses_of(i) for i in range(n)],
        stop=Stop("c", np.full(n, 900.0)),
        until=rng.uniform(20, 40, n),
        atol={"bound": 1e-10, "c": 1e-6},
    )


@pytest.fixture(scope="module")
def scalar():
    result = NativeEngine(lanes=1).compile(model_text()).run(job())
    assert set(result.status) == {0, 1}  # some stop, some run to their end
    assert (result["c"] == 0).any()  # and some tumours are eradicated
    return result


FIELDS = ("values", "final", "status", "end_time", "steps")


def same(a, b, rows=slice(None)) -> bool:
    return all(np.array_equal(getattr(a, m)[rows], getattr(b, m), equal_nan=True) for m in FIELDS)


@pytest.mark.parametrize("lanes", WIDTHS)
@pytest.mark.parametrize("threads", [1, 3])
def test_results_do_not_depend_on_lanes_or_threads(scalar, lanes, threads):
    model = NativeEngine(lanes=lanes, threads=threads).compile(model_text())
    assert model.backend == "native"
    assert same(scalar, model.run(job()))


@pytest.mark.parametrize("lanes", WIDTHS[1:])
def test_a_patient_alone_equals_the_patient_in_a_batch(scalar, lanes):
    model = NativeEngine(lanes=lanes).compile(model_text())
    whole = job()
    for i in (0, 7, 20):
        one = replace(
            whole,
            n=1,
            parameters={k: v[i : i + 1] for k, v in whole.parameters.items()},
            initial={"t": whole.initial["t"][[i]]},
            doses=[whole.doses[i]],
            stop=Stop("c", np.array([900.0])),
            until=whole.until[[i]],
        )
        assert same(scalar, model.run(one), slice(i, i + 1))


@pytest.mark.parametrize("lanes", WIDTHS)
def test_a_patient_in_whom_nothing_is_left_ends_there_and_the_others_stay_the_same(scalar, lanes):
    ended = NativeEngine(lanes=lanes).compile(model_text()).run(replace(job(), gone=("c",)))
    extinct = (scalar["c"] == 0).any(axis=1)
    assert 0 < extinct.sum() < N
    for i in range(N):
        if not extinct[i]:
            assert all(np.array_equal(getattr(ended, m)[i], getattr(scalar, m)[i], equal_nan=True) for m in FIELDS)
            continue
        assert (ended.status[i], ended.final[i, ended.states.index("c")]) == (OK, 0.0)
        assert ended.steps[i] < scalar.steps[i]
        past = TIMES > ended.end_time[i]
        assert past.any()
        assert np.isnan(ended.values[i, past]).all()
        assert np.array_equal(ended.values[i, ~past], scalar.values[i, ~past])
        assert (scalar["c"][i, ~past] > 0).all()  # it ended at the event, not later


def test_all_states_named_must_be_zero_and_known(scalar):
    model = NativeEngine().compile(model_text())
    assert same(scalar, model.run(replace(job(), gone=("c", "t"))))  # T cells never are
    with pytest.raises(EngineError, match="unknown state 'cc'"):
        model.run(replace(job(), gone=("cc",)))


@pytest.fixture(scope="module")
def explosive():
    """Some patients reach infinity at a finite time: x' = b x^2 - d x."""
    return NativeEngine().compile(sbml({"x": (1.0, "b * x^2 - d * x"), "y": (1.0, "-x * y")}, {"b": 0.0, "d": 1.0}))


def test_failing_patients_are_isolated_reported_and_counted(explosive):
    b = np.array([0.5, 2.0, 0.5, 0.1, 3.0, 0.9, 0.0, 0.3, 0.2, 2.5, 0.4])
    times = np.linspace(0, 3, 13)
    base = Job(len(b), times, ("x", "y"), parameters={"b": b}, max_steps=20_000)
    result = explosive.run(base)
    bad = b > 1
    np.testing.assert_array_equal(result.status, np.where(bad, FAILED, OK))
    assert result.failed == 3
    assert set(result.messages) == set(np.flatnonzero(bad))
    for i in np.flatnonzero(bad):
        blow_up = np.log(b[i] / (b[i] - 1))
        assert result.end_time[i] == pytest.approx(blow_up, rel=1e-3)
        assert f"b={b[i]:.6g}" in result.messages[i]
        assert "time" in result.messages[i]
        assert np.isfinite(result.values[i, times < blow_up * 0.99]).all()
        assert np.isnan(result.values[i, times > blow_up * 1.01]).all()
    good = np.flatnonzero(~bad)
    alone = explosive.run(replace(base, n=len(good), parameters={"b": b[good]}))
    assert same(result, alone, good)


def test_a_patient_that_fails_once_is_rescued_on_the_safe_path(explosive, monkeypatch):
    steps = Job(2, np.array([0.0, 2.0]), ("x",), parameters={"b": np.array([0.1, 0.2])})
    plain = explosive.run(steps)
    before = explosive.rescued
    hard = replace(steps, max_steps=int(plain.steps[1]) - 1)  # the second patient needs one step more
    first = replace(hard, rtol=1e-6)
    tighter = explosive._tighter
    monkeypatch.setattr(explosive, "_tighter", lambda part: tighter(replace(part, max_steps=10_000)))
    result = explosive.run(first)
    assert (result.status == OK).all()
    assert not result.messages
    assert explosive.rescued > before
    np.testing.assert_allclose(result.final, plain.final, rtol=1e-5)


@pytest.mark.parametrize(("failing", "asked"), [(4, [4]), (5, [])])
def test_the_slow_engine_is_asked_where_few_of_a_job_fail(failing, asked, explosive, monkeypatch):
    seen: list[int] = []
    patiently = explosive._patiently
    monkeypatch.setattr(explosive, "_patiently", lambda part: (seen.append(part.n), patiently(part))[1])
    b = np.array([3.0] * failing + [0.5] * 8)
    result = explosive.run(Job(len(b), np.linspace(0, 3, 4), ("x",), parameters={"b": b}, max_steps=20_000))
    assert (seen, result.failed) == (asked, failing)


def test_a_job_may_forgo_the_slow_engine(explosive, monkeypatch):
    monkeypatch.setattr(explosive, "_patiently", lambda part: pytest.fail("the slow engine was asked"))
    parameters = {"b": np.array([3.0, 0.5])}
    result = explosive.run(Job(2, np.linspace(0, 3, 4), ("x",), parameters=parameters, max_steps=20_000, rescue=False))
    assert result.failed == 1


def test_a_start_that_is_not_a_number_fails_at_once(explosive):
    result = explosive.run(Job(3, np.array([0.0, 1.0]), ("x",), initial={"x": np.array([1.0, np.nan, 2.0])}))
    np.testing.assert_array_equal(result.status, [OK, FAILED, OK])
    assert "not a finite number" in result.messages[1]


def test_the_step_limit_counts(explosive):
    result = explosive.run(Job(1, np.array([0.0, 1.0]), ("x",), max_steps=3))
    assert result.status[0] == FAILED
    assert "steps" in result.messages[0]


def test_an_interrupt_stops_the_threads_and_leaves_the_model_usable():
    model = NativeEngine(threads=2).compile(model_text())
    before = threading.active_count()
    calls = []

    def interrupt(done: int) -> None:
        calls.append(done)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.run(replace(job(20_000), doses=None), progress=interrupt)
    assert len(calls) == 1
    assert threading.active_count() == before
    assert (model.run(job(4)).status != FAILED).all()


def test_progress_adds_up_to_the_number_of_patients():
    model = NativeEngine().compile(model_text())
    seen: list[int] = []
    model.run(replace(job(500), doses=None), progress=seen.append)
    assert sum(seen) == 500


def test_an_empty_batch_gives_an_empty_result(explosive):
    result = explosive.run(Job(0, np.array([0.0, 1.0]), ("x",)))
    assert result.values.shape == (0, 2, 1)


def test_overlapping_infusions_add_and_end_exactly():
    model = NativeEngine().compile(sbml({"x": (0.0, "0 * k")}, {"k": 1.0}))
    doses = Doses(np.array([1.0, 2.0, 2.5]), ("x",) * 3, np.array([0.3, 0.7, 0.1]), np.array([3.0, 1.0, 0.3]))
    still = model.run(Job(1, np.array([0.0, 5.0]), ("x",), doses=doses))["x"][0, 1]
    assert still == pytest.approx(1.1, abs=1e-9)  # by the reference engine
    assert model.run(Job(1, np.array([0.0, 5.0]), ("x",), doses=replace(doses, duration=np.zeros(3))))["x"][
        0, 1
    ] == pytest.approx(1.1)
    moving = NativeEngine().compile(sbml({"x": (0.0, "k * (1 - time / 1e9)")}, {"k": 0.0}))
    x = moving.run(Job(1, np.array([0.0, 1.0, 2.25, 2.65, 4.0, 9.0]), ("x",), doses=doses))["x"][0]
    np.testing.assert_allclose(x, [0, 0, 0.125 + 0.175, 0.165 + 0.455 + 0.05, 1.1, 1.1], atol=1e-12)
