"""Competing risks: incidence as by theory, cause-specific and subdistribution tests, and a file that asks for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import yaml

from immunescape.design.cohort import Streams
from immunescape.design.loading import read_design
from immunescape.design.simulation import simulate
from immunescape.errors import InputError


def content(precluded: str = "censored", death_ratio: float = 1.0, progression_ratio: float = 1.0) -> dict[str, Any]:
    """Time to progression (hazard 0.06 per month) with death without progression (0.03) as the competing event."""
    return {
        "name": "competing",
        "title": "Competing",
        "kind": "group-sequential",
        "patients": 500,
        "arms": [{"name": "new", "role": "experimental"}, {"name": "old", "role": "control"}],
        "endpoints": {
            "ttp": {"kind": "survival", "competing": "death", "precluded": precluded},
            "death": {"kind": "survival"},
        },
        "accrual": {"rates": [25]},
        "looks": [{"events": 130, "endpoint": "ttp"}, {"events": 200, "endpoint": "ttp"}],
        "hypotheses": [{"name": "TTP", "endpoint": "ttp"}],
        "scenarios": [
            {
                "name": "real",
                "truth": [
                    {"endpoint": "ttp", "hazards": [0.06]},
                    {"endpoint": "death", "hazards": [0.03]},
                    {"endpoint": "ttp", "arm": "new", "hazard_ratio": progression_ratio},
                    {"endpoint": "death", "arm": "new", "hazard_ratio": death_ratio},
                ],
            }
        ],
    }


def read(**changes: Any) -> Any:
    return read_design("competing.yaml", yaml.safe_dump(content(**changes)))


@pytest.mark.parametrize("precluded", ["censored", "kept"])
def test_incidence_is_that_of_two_hazards(precluded: str) -> None:
    design = read(precluded=precluded)
    cohort = design.cohort(design.truths["real"], Streams(1, 0, 200))
    time = cohort.outcomes["ttp"].time
    for month in (6.0, 18.0, 60.0):
        expected = 0.06 / 0.09 * (1 - np.exp(-0.09 * month))
        assert float((time <= month).mean()) == pytest.approx(expected, abs=0.006)
    view = cohort.view("ttp", np.full(200, 60.0))
    followed = 60.0 - cohort.entry
    dead = cohort.outcomes["death"].time
    first = np.isinf(time) & (dead < followed)
    ends = dead if precluded == "censored" else followed
    np.testing.assert_allclose(view.time[first], ends[first])


def test_more_deaths_do_not_pass_for_less_progression_in_the_cause_specific_test() -> None:
    """Deaths rise, progression stays: cause-specific holds its level, the subdistribution sees fewer progressions."""
    cause, sub = (
        simulate(read(precluded=p, death_ratio=2.5), 500, seed=3, scenarios=["real"]).power()
        for p in ("censored", "kept")
    )
    assert cause.value <= 0.025 + 4 * np.sqrt(0.025 / 500)
    assert sub.value > 0.15


@pytest.mark.parametrize("precluded", ["censored", "kept"])
def test_both_tests_hold_their_level_and_find_an_effect(precluded: str) -> None:
    found = simulate(read(precluded=precluded, progression_ratio=0.6), 500, seed=4)
    assert found.type_one_error is not None
    assert found.type_one_error.value <= 0.025 + 4 * np.sqrt(0.025 / 500)
    assert found.power().value > 0.75
    assert "planning" not in found.notes  # Schoenfeld's formula counts events that a competing one takes away


def test_unknown_competing_events_are_refused() -> None:
    wrong = content()
    wrong["endpoints"]["ttp"]["competing"] = "deth"
    with pytest.raises(InputError, match="Did you mean 'death'"):
        read_design("competing.yaml", yaml.safe_dump(wrong))
    wrong["endpoints"] = {"ttp": {"precluded": "kept"}, "death": {}}
    with pytest.raises(InputError, match="'precluded' requires 'competing'"):
        read_design("competing.yaml", yaml.safe_dump(wrong))
