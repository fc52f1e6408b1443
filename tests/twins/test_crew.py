"""A crew makes tasks in order and keeps its processes between steps; results do not depend on their number."""

from __future__ import annotations

import os

import pytest

from immunescape.twins.crew import Crew, crew_of


def test_results_come_in_the_order_of_the_tasks_whatever_the_number_of_processes():
    tasks = [(k,) for k in range(5)]
    told: list[int] = []
    with Crew(2) as crew:
        assert crew.make("task", str, tasks, keep=lambda place, _: told.append(place)) == ["0", "1", "2", "3", "4"]
    assert sorted(told) == [0, 1, 2, 3, 4]
    assert Crew(1).make("task", str, tasks) == ["0", "1", "2", "3", "4"]
    assert Crew(2).make("task", str, []) == []


def test_processes_are_kept_between_steps_and_by_whoever_borrows_the_crew():
    with Crew(1 + 1) as crew:
        first = set(crew.make("task", os.getpid, [()] * 6))
        with crew_of(crew) as same:
            second = set(same.make("task", os.getpid, [()] * 6))
        third = set(crew.make("task", os.getpid, [()] * 6))
        assert len(first | second | third) <= 2
        assert os.getpid() not in first


def test_an_error_of_a_task_reaches_the_caller_and_the_crew_can_go_on():
    with Crew(2) as crew:
        with pytest.raises(ValueError, match="invalid literal"):
            crew.make("task", int, [("1",), ("x",), ("3",)])
        assert crew.make("task", int, [("1",), ("2",)]) == [1, 2]
