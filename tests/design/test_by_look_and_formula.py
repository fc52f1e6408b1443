"""What a reader takes from the tables of a design: rejections by look, and a formula beside its simulation."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from immunescape.design.loading import read_design
from immunescape.design.simulation import OperatingCharacteristics, simulate
from immunescape.report.design_report import (
    boundary_figure,
    main_table,
    notes_table,
    print_designs,
    stopping_figure,
    stopping_table,
)


def survival_file(**changes: Any) -> dict[str, Any]:
    """A plain two-arm survival design of two looks."""
    return {
        "name": "plain",
        "title": "Plain",
        "kind": "group-sequential",
        "patients": 400,
        "arms": [{"name": "new", "role": "experimental"}, {"name": "old", "role": "control"}],
        "endpoints": {"os": {}},
        "accrual": {"rates": [20]},
        "looks": [{"events": 150, "endpoint": "os"}, {"events": 250, "endpoint": "os"}],
        "hypotheses": [{"name": "OS", "endpoint": "os"}],
        "scenarios": [
            {
                "name": "effect",
                "truth": [{"endpoint": "os", "median": 12}, {"endpoint": "os", "arm": "new", "hazard_ratio": 0.65}],
            }
        ],
        **changes,
    }


def simulated(content: dict[str, Any], replicates: int) -> OperatingCharacteristics:
    """A design file as written, simulated."""
    return simulate(read_design("plain.yaml", yaml.safe_dump(content)), replicates, seed=1)


@pytest.mark.parametrize("futility", [{}, {"boundaries": {"futility_hazard_ratio": [0.9]}}])
def test_rejections_by_look_add_up_to_the_power_and_the_last_look_has_its_own(futility: dict[str, Any]) -> None:
    found = simulated(survival_file(**futility), 500)
    for scenario in found.scenarios:
        summary = found.summary(scenario)
        rejected = [look["rejected"].value for look in summary["stopping"]]
        assert sum(rejected) == pytest.approx(found.reject(scenario).value)
        assert rejected[0] == summary["stopping"][0]["efficacy"].value
    row = next(r for r in stopping_table(found).rows if r["Scenario"] == "effect" and r["Look"] == 2)
    assert float(str(row["Ends with a rejection, %"]).split()[0]) > 30
    assert str(row["Stops early for efficacy, %"]).startswith("0.0")


def test_a_rejection_before_the_last_look_of_another_hypothesis_is_counted_where_the_trial_ends() -> None:
    content = survival_file(
        endpoints={"pfs": {}, "os": {}},
        looks=[{"events": 200, "endpoint": "pfs"}, {"events": 200, "endpoint": "os"}],
        hypotheses=[
            {"name": "PFS", "endpoint": "pfs", "share": 0.5, "looks": [1]},
            {"name": "OS", "endpoint": "os", "share": 0.5, "looks": [2]},
        ],
        scenarios=[
            {
                "name": "effect on PFS alone",
                "truth": [
                    {"endpoint": "pfs", "median": 6},
                    {"endpoint": "pfs", "arm": "new", "hazard_ratio": 0.6},
                    {"endpoint": "os", "median": 18},
                ],
            }
        ],
    )
    found = simulated(content, 250)
    stops = found.summary("effect on PFS alone")["stopping"]
    assert stops[0]["end"].value == 0
    assert stops[1]["rejected"].value == found.reject("effect on PFS alone").value > 0.7


def test_the_picture_of_where_trials_end_tells_rejected_from_not_rejected() -> None:
    found = simulated(survival_file(), 250)
    bars = {bar.name: list(bar.x) for bar in stopping_figure(found).data}
    assert sum(values[0] for values in bars.values()) == pytest.approx(100)
    stopped = bars["look 1, efficacy"][0]
    assert stopped + bars["ran to the end, rejected"][0] == pytest.approx(100 * found.power().value)


def test_bounds_that_all_hypotheses_share_are_one_line_of_the_picture() -> None:
    truth = [{"endpoint": "os", "median": 12}, {"endpoint": "os", "arm": "a", "hazard_ratio": 0.65}]
    content = survival_file(
        arms=[{"name": n, "role": "experimental"} for n in ("a", "b")] + [{"name": "old", "role": "control"}],
        hypotheses=[],
        kind="platform",
        looks=[],
        endpoint="os",
        scenarios=[{"name": "one works", "truth": truth}],
        patients=900,
    )
    for arm in content["arms"][:2]:
        arm["looks"] = [60, 120]
    content["platform"] = {"control_ratio": 1}
    del content["hypotheses"], content["looks"]
    assert [line.name for line in boundary_figure(simulated(content, 250)).data] == ["each hypothesis, efficacy"]
    two_looks = survival_file(
        hypotheses=[
            {"name": "OS", "endpoint": "os", "share": 0.5},
            {"name": "OS once", "endpoint": "os", "share": 0.5, "looks": [2]},
        ]
    )
    assert len(boundary_figure(simulated(two_looks, 250)).data) == 2


def test_a_formula_that_the_simulation_contradicts_is_said_to_be_off() -> None:
    arms = [{"name": "new", "role": "experimental", "allocation": 3}, {"name": "old", "role": "control"}]
    items = {str(row["Item"]): str(row["Value"]) for row in notes_table(simulated(survival_file(arms=arms), 8000)).rows}
    assert items["Formula less simulation (effect)"].startswith("-")
    items = {str(row["Item"]): row["Value"] for row in notes_table(simulated(survival_file(), 2000)).rows}
    assert "By formula (effect)" in items
    assert "Formula less simulation (effect)" not in items


def test_no_month_is_foretold_where_events_wait_for_a_visit() -> None:
    at_once, visits = (simulated(survival_file(endpoints={"os": {"visits_every": every}}), 250) for every in (0, 4))
    months = [found.summary("effect")["looks"]["months"][0].value for found in (at_once, visits)]
    assert months[1] > months[0] + 1
    formulas = [found.notes["planning"]["effect"] for found in (at_once, visits)]
    assert formulas[0]["months"][0] == pytest.approx(months[0], abs=0.3)
    assert formulas[1]["months"] == []
    assert "month" not in next(str(r["Value"]) for r in notes_table(visits).rows if "By formula" in str(r["Item"]))


def test_the_null_of_one_arm_is_not_called_a_control() -> None:
    content = {
        "name": "one-arm",
        "title": "One arm",
        "kind": "two-stage",
        "alpha": 0.05,
        "patients": 40,
        "arms": [{"name": "new", "role": "experimental"}],
        "endpoints": {"orr": {"kind": "response", "months": 3}},
        "accrual": {"rates": [4]},
        "two_stage": {"endpoint": "orr", "p0": 0.15, "p1": 0.35},
        "scenarios": [
            {"name": "works", "truth": [{"endpoint": "orr", "rate": 0.35}]},
            {"name": "null", "truth": [{"endpoint": "orr", "rate": 0.15}]},
        ],
    }
    scenarios = [str(row["Scenario"]) for row in main_table([simulated(content, 250)]).rows]
    assert not any("control" in scenario for scenario in scenarios)


def test_printed_tables_of_several_designs_name_theirs(capsys: pytest.CaptureFixture[str]) -> None:
    print_designs([simulated(survival_file(name=name), 250) for name in ("first-design", "second-design")])
    parts = capsys.readouterr().out.split("By hypothesis")
    assert parts[0].rstrip().endswith("first-design")
    assert "second-design\n\n" in parts[1]
