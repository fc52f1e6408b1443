"""Steps after doses: small first steps grow fast, and a patient's later doses start where the first led."""

from __future__ import annotations

import numpy as np
import pytest
from tests.engine.small import sbml

from immunescape.engine import Doses, Job
from immunescape.engine.native.engine import NativeEngine

_DAYS = np.arange(0.0, 211.0, 7.0)


def _model() -> str:
    """A drug that is infused into nothing, and a receptor that it binds within minutes."""
    return sbml(
        {
            "drug": (0.0, "-2 * drug - 300 * drug * free + 5 * bound"),
            "bound": (0.0, "300 * drug * free - 5 * bound - 0.1 * bound"),
        },
        rules={"free": "1 - bound"},
    )


def _infusions(number: int, amount: float = 3.0) -> Doses:
    return Doses(0.05 + 21.0 * np.arange(number), ("drug",) * number, np.full(number, amount), np.full(number, 0.02))


def _values(doses: Doses) -> np.ndarray:
    job = Job(1, _DAYS, ("drug", "bound"), doses=doses, rtol=1e-6, atol=1e-12)
    return NativeEngine(lanes=1).compile(_model()).run(job).values[0]


@pytest.mark.parametrize("rtol", [1e-4, 1e-6])
def test_the_first_seconds_of_an_infusion_take_few_steps_and_of_a_later_one_only_one(rtol: float) -> None:
    starts = np.array([0.05, 21.05, 189.05])
    until = np.concatenate([starts, starts + 1e-4])  # 1e-4 days are 9 seconds
    job = Job(6, np.array([0.0, 200.0]), ("drug",), doses=_infusions(10), rtol=rtol, atol=1e-9, until=until)
    steps = NativeEngine().compile(_model()).run(job).steps
    first, second, last = steps[3:] - steps[:3]
    assert first <= 6  # six times longer at most from step to step, they would be 17
    assert second == last == 1


def test_what_is_remembered_changes_no_digit_that_the_tolerance_shows() -> None:
    remembered = _values(_infusions(10))
    doses = _infusions(10)
    # the same doses, each as two of half the amount: another pattern every second time
    halves = Doses(
        np.repeat(doses.time, 1 + np.arange(10) % 2),
        ("drug",) * 15,
        np.repeat(doses.amount / (1 + np.arange(10) % 2), 1 + np.arange(10) % 2),
        np.full(15, 0.02),
    )
    other = _values(halves)
    np.testing.assert_allclose(remembered, other, rtol=1e-5, atol=1e-9)


def test_a_dose_far_larger_than_those_before_is_as_exact() -> None:
    doses = _infusions(6)
    growing = Doses(doses.time, doses.target, doses.amount * 10.0 ** np.arange(-4, 2), doses.duration)
    values = _values(growing)
    job = Job(1, _DAYS, ("drug", "bound"), doses=growing, rtol=1e-11, atol=1e-15)
    exact = NativeEngine(lanes=1, method="rodasp").compile(_model()).run(job).values[0]
    assert np.max(np.abs(values - exact) / np.abs(exact).max(axis=0)) < 1e-5


def test_a_patient_remembers_nothing_of_the_one_before_in_its_lane() -> None:
    model = NativeEngine(lanes=1).compile(_model())
    tables = [_infusions(10, amount) for amount in (3.0, 1e-3, 30.0, 3.0)]
    together = model.run(Job(4, _DAYS, ("drug",), doses=tables, rtol=1e-5))
    for k, table in enumerate(tables):
        alone = model.run(Job(1, _DAYS, ("drug",), doses=[table], rtol=1e-5))
        assert np.array_equal(alone.values[0], together.values[k])
        assert alone.steps[0] == together.steps[k]


@pytest.mark.parametrize("kinds", [9, 12])
def test_more_patterns_than_are_remembered_do_no_harm(kinds: int) -> None:
    states = {f"x{k}": (0.0, f"-{k + 1} * x{k}") for k in range(kinds)}
    days = np.arange(3.0 * kinds)
    doses = Doses(days, tuple(f"x{k % kinds}" for k in range(len(days))), np.ones(len(days)), np.zeros(len(days)))
    model = NativeEngine().compile(sbml(states))
    result = model.run(Job(1, np.array([0.0, 3.0 * kinds]), tuple(states), doses=doses, rtol=1e-8))
    left = 3.0 * kinds - days
    exact = [np.sum(np.exp(-(k + 1) * left[k::kinds])) for k in range(kinds)]
    np.testing.assert_allclose(result.values[0, 1], exact, rtol=1e-6)
