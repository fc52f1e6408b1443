"""Looks of a response: who has been read by then, in the boundaries and in the power by formula."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from immunescape.design.loading import read_design
from immunescape.design.planning import planning
from immunescape.design.simulation import simulate
from immunescape.report.design_report import main_table, plan_table


def response_file(looks: list[dict[str, Any]], **changes: Any) -> str:
    """Two arms of 200, response rates of 30 and 42 % read at month 3, 20 patients a month."""
    content = {
        "name": "orr",
        "title": "Response",
        "kind": "group-sequential",
        "patients": 400,
        "arms": [{"name": "new", "role": "experimental"}, {"name": "old", "role": "control"}],
        "endpoints": {"orr": {"kind": "response", "months": 3}},
        "accrual": {"rates": [20]},
        "looks": looks,
        "hypotheses": [{"name": "ORR", "endpoint": "orr", "test": {"name": "rates"}}],
        "scenarios": [
            {
                "name": "effect",
                "truth": [{"endpoint": "orr", "rate": 0.3}, {"endpoint": "orr", "arm": "new", "rate": 0.42}],
            }
        ],
    }
    return yaml.safe_dump({**content, **changes})


@pytest.mark.parametrize(
    ("looks", "read"),
    [
        ([{"patients": 200}, {"patients": 400}], (140, 340)),  # the last 60 are not read yet
        ([{"patients": 200, "follow_up": 5}, {"patients": 400, "follow_up": 5}], (240, 400)),  # 40 later ones are
    ],
)
def test_a_look_counts_who_has_been_read(looks: list[dict[str, Any]], read: tuple[int, int]) -> None:
    design = read_design("orr.yaml", response_file(looks))
    plan = design.rule.plan(design)
    assert plan["events"]["ORR"] == pytest.approx(read, rel=0.02)
    assert plan["information"]["ORR"][0] == pytest.approx(read[0] / read[1], rel=0.02)
    assert planning(design, plan, "effect") is None


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_a_printed_power_is_that_of_the_simulation(share: float) -> None:
    """Patients who are lost before the reading are no responders, in the formula as in the trial."""
    looks = [{"patients": 200, "follow_up": 3}, {"patients": 400, "follow_up": 3}]
    design = read_design("orr.yaml", response_file(looks, dropout={"share": share, "months": 6}))
    formula = planning(design, design.rule.plan(design), "effect")
    assert formula is not None
    found = simulate(design, 2000, seed=3, scenarios=["effect"]).power("effect")
    assert formula["cumulative_power"][-1] == pytest.approx(found.value, abs=3 * found.error + 0.01)


def test_tables_say_whose_events_and_that_patients_are_read() -> None:
    looks = [{"patients": 200, "follow_up": 3}, {"events": 150, "endpoint": "os"}]
    truth = [
        {"endpoint": "orr", "rate": 0.3},
        {"endpoint": "orr", "arm": "new", "rate": 0.42},
        {"endpoint": "os", "median": 12},
    ]
    content = response_file(
        looks,
        endpoints={"orr": {"kind": "response", "months": 3}, "os": {"kind": "survival"}},
        hypotheses=[
            {"name": "OS", "endpoint": "os", "share": 0.8, "looks": [2]},
            {"name": "ORR", "endpoint": "orr", "share": 0.2, "looks": [1], "test": {"name": "rates"}},
        ],
        scenarios=[{"name": "effect", "truth": truth}],
    )
    found = simulate(read_design("orr.yaml", content), 250, seed=1)
    assert "Expected events of OS" in main_table([found]).columns
    assert "Events, or patients read" in plan_table(found).columns
