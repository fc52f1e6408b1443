"""The comparison of simulators: what is not installed or not done in time is said, and all agree on one problem."""

from __future__ import annotations

import time

import numpy as np
import pytest
from tests.engine.small import sbml

from immunescape.engine import Doses, Job
from immunescape.engine.native.engine import NativeEngine
from immunescape.engine.oracle import bench as module
from immunescape.engine.oracle.bench import Workload, bench_engine, format_bench
from immunescape.engine.oracle.peers import PEERS, installed_peers
from immunescape.engine.oracle.peers_sundae import Callbacks
from immunescape.errors import EngineError

TEXT = sbml(
    {"a": (1.0, "-k * a + b ^ 2 / (1 + a)"), "b": (2.0, "k * a - m * b"), "c": (0.0, "m * b - exp(-a) * c")},
    {"k": 0.7, "m": 0.2},
    rules={"total": "a + b + 2 * c"},
)
WORK = Workload(
    np.linspace(0.0, 20.0, 21),
    ("a", "total"),
    Doses(np.array([0.0, 7.5]), ("a",) * 2, np.array([1.0, 2.0]), np.zeros(2)),
)


def test_simulators_that_are_not_installed_are_listed_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "installed_peers", lambda: ())
    report = bench_engine(TEXT, "small", patients=8, workload=WORK)
    assert set(report["not_run"]) == set(PEERS)
    assert "copasi                                      not run: not installed (pip install copasi-basico)" in (
        format_bench(report)
    )


def test_a_simulator_that_is_not_done_in_time_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    job = WORK.job(NativeEngine().compile(TEXT), 1, 1e-6)
    started = time.monotonic()
    answer = module._alone("reference", TEXT, job, job, 0.05)
    assert isinstance(answer, str)
    assert answer.startswith("not done after")
    assert time.monotonic() - started < 10


def test_an_engine_that_fails_says_why() -> None:
    job = WORK.job(NativeEngine().compile(TEXT), 1, 1e-6)
    answer = module._alone("reference", "<sbml>", job, job, 60.0)
    assert isinstance(answer, str)
    assert "Error" in answer


def test_compiled_callbacks_give_the_rates_and_their_derivatives(tmp_path) -> None:
    made = Callbacks(TEXT, tmp_path)
    made.start(0.0, {"k": 0.5})
    np.testing.assert_array_equal(made.x, [1.0, 2.0, 0.0])
    x, rates, matrix = np.array([0.4, 1.5, 2.0]), np.empty(3), np.empty((3, 3))
    made.rates(0.0, x, rates)
    a, b, c = x
    np.testing.assert_allclose(
        rates, [-0.5 * a + b**2 / (1 + a), 0.5 * a - 0.2 * b, 0.2 * b - np.exp(-a) * c], rtol=1e-14
    )
    made.jacobian(0.0, x, rates, matrix)
    exact = [[-0.5 - b**2 / (1 + a) ** 2, 2 * b / (1 + a), 0], [0.5, -0.2, 0], [np.exp(-a) * c, 0.2, -np.exp(-a)]]
    np.testing.assert_allclose(matrix, exact, rtol=1e-13)
    total = made.read(0.0, x, np.ones(len(made.q), dtype=np.uint8))[made.layout.quantities.index("total")]
    assert total == pytest.approx(a + b + 2 * c, rel=1e-14)


def test_callbacks_for_a_model_with_events_are_refused(tmp_path) -> None:
    text = sbml({"x": (1.0, "-x")}, events=[{"trigger": "x < 0.5", "assignments": {"x": "2"}}])
    with pytest.raises(EngineError, match="neither events nor"):
        Callbacks(text, tmp_path)


@pytest.mark.parametrize("name", ["libroadrunner", "scikit-sundae"])
def test_an_installed_simulator_gives_our_values_with_doses(name: str) -> None:
    if name not in installed_peers():
        pytest.skip(f"{name} is not installed")
    ours = NativeEngine().compile(TEXT)
    job = Job(
        2, WORK.times, WORK.outputs, parameters={"k": np.array([0.7, 0.4])}, doses=WORK.doses, rtol=1e-9, atol=1e-12
    )
    theirs = PEERS[name][1](TEXT).run(job)
    assert theirs.failed == 0, dict(theirs.messages)
    np.testing.assert_allclose(theirs.values, ours.run(job).values, rtol=1e-6)
