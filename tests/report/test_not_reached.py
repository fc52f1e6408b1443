"""A median that patients lived beyond is not reached; a dash is what was not published or cannot be."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from immunescape.report.harness_report import _of_arm
from immunescape.report.scoreboard_report import value_with_interval
from immunescape.report.tables import results_table


def shown(**of_arm: Any) -> dict[str, dict[str, str]]:
    """Rows of the table of results by endpoint, for one arm of a trial without published figures."""
    arm = {"name": "A", "n": 20, "orr_pct": 40.0, "orr_ci": [20.0, 64.0], **of_arm}
    result: Any = SimpleNamespace(trial=SimpleNamespace(published=None, resection_day=None), arms=[arm])
    return {str(row["Endpoint"]).partition(",")[0]: row for row in results_table(result).rows}


@pytest.mark.parametrize(
    ("arm", "endpoint", "expected"),
    [
        (
            {"os_median_months": None, "os_median_ci": [12.3, None]},
            "Overall survival",
            "not reached (12.3 to not reached)",
        ),
        ({"os_median_months": None, "os_median_ci": [None, None]}, "Overall survival", "not reached"),
        ({"os_median_months": 15.0, "os_median_ci": [9.0, None]}, "Overall survival", "15.0 (9.0 to not reached)"),
        ({"dor_median_months": None, "dor_median_ci": [None, None]}, "Duration of response", "not reached"),
        ({"dor_median_months": None, "orr_pct": 0.0}, "Duration of response", "–"),
        ({"os_median_months": None, "n": 0}, "Overall survival", "–"),
        ({"grade3_pct": None}, "Grade 3 or higher toxicity (%)", "–"),
    ],
)
def test_a_predicted_median_that_is_not_there_is_not_reached(arm, endpoint, expected):
    assert shown(**arm)[endpoint]["Predicted (95 % interval)"] == expected
    assert shown(**arm)[endpoint]["Published"] == "–"


def test_scoreboard_and_harness_say_it_alike():
    assert value_with_interval(None, 10.5, None, 1) == "not reached (10.5 to not reached)"
    assert value_with_interval(17.4, 4.7, None, 1) == "17.4 (4.7 to not reached)"
    assert value_with_interval(None, None, None, 1) == "–"
    arm = {"n": 20, "figures": {"os_median_months": [None, None], "orr_pct": [0.0, 0.0], "dor_median_months": [None]}}
    assert _of_arm(arm, "os_median_months", 1) == "not reached"
    assert _of_arm(arm, "dor_median_months", 1) == "–"
    assert _of_arm(arm, "toxic_death_pct", 1) == "–"
    assert _of_arm(arm, "orr_pct", 0) == "0"
