"""A prediction is one row: its ratios with intervals, its chance, and what was published later."""

from __future__ import annotations

from dataclasses import replace

from immunescape.app.evidence import prediction_rows
from immunescape.predictions import Outcome, Prediction, read_predictions
from immunescape.predictions.summary import figure_text, outcome_text, summary_rows


def prediction(trial: str) -> Prediction:
    figure = {"arm": "a / b", "endpoint": "pfs_hr", "value": 0.7, "low": 0.5, "high": None}
    return Prediction(
        record="r",
        trial=trial,
        registry="",
        date="2026-01-02",
        question="?",
        declared="!",
        protocol="",
        forecast={"figures": [figure], "probability_of_success": {"pfs": 0.666}, "model": "another"},
    )


def test_a_row_holds_the_interval_the_chance_and_the_result_of_its_own_trial() -> None:
    result = Outcome(
        trial="x", endpoint="pfs_hr", arm="a / b", value=0.61, low=0.5, high=0.75, source="A 2027", entered="2027-01-01"
    )
    first, second = summary_rows([prediction("x"), prediction("y")], [result])
    assert first["PFS HR"] == "0.70 (0.50 to not reached)"
    assert first["OS HR"] == "–"
    assert first["P(success)"] == "pfs 0.67"
    assert first["published"] == "pfs_hr 0.61 (0.5 to 0.75), A 2027"
    assert second["published"] == "–"


def test_chances_of_several_arms_stand_by_endpoint() -> None:
    of_two = replace(
        prediction("x"),
        forecast={
            **prediction("x").forecast,
            "probability_of_success": {"pfs, a and b": 0.72, "os, a and b": 0.56, "pfs, a": 0.33, "os, a": 0.26},
        },
    )
    assert summary_rows([of_two], [])[0]["P(success)"] == "pfs 0.72 / 0.33, os 0.56 / 0.26"


def test_medians_have_one_digit_and_results_without_interval_none() -> None:
    assert (
        figure_text({"endpoint": "os_median_months", "value": 17.26, "low": 15, "high": 20.04}) == "17.3 (15.0 to 20.0)"
    )
    assert (
        outcome_text(
            Outcome(
                trial="x", endpoint="os_hr", arm="a", value=0.8, low=None, high=None, source="B", entered="2027-01-01"
            )
        )
        == "0.8, B"
    )
    reached = Outcome(
        trial="x",
        endpoint="os_median_months",
        arm="a",
        value=30.0,
        low=24.5,
        high=None,
        source="B",
        entered="2027-01-01",
    )
    assert outcome_text(reached) == "30 (24.5 to not given), B"


def test_the_app_shows_the_latest_predictions_that_ship() -> None:
    assert [r["trial"] for r in prediction_rows()] == list(dict.fromkeys(p.trial for p in read_predictions()))
