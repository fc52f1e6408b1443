"""Several records of one trial: the latest is shown, each says which model made it, and what moved between them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from immunescape.cli import app
from immunescape.errors import InputError
from immunescape.predictions import Outcome, Prediction, check_ledger, enter_outcome, open_protocols, read_predictions
from immunescape.predictions import versions as module
from immunescape.predictions.versions import MADE_WITH, earlier, latest, made_with, moved, moved_rows

NOW = {"model": "m1", "numbers": "n1", "fit": "f1", "learnt": "l1"}


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_installed", lambda: NOW)


def figure(endpoint: str, value: float | None, se: float | None = 0.03, **bounds: float | None) -> dict[str, Any]:
    return {"arm": "a", "endpoint": endpoint, "value": value, "low": 0.5, "high": 0.9, "monte_carlo_se": se} | bounds


def prediction(record: str, *figures: dict[str, Any], chance: float = 0.5, **hashes: str) -> Prediction:
    made = {"figures": list(figures), "probability_of_success": {"pfs": chance}} | (hashes or NOW)
    return Prediction(
        record=record,
        trial=record.split(".")[0],
        registry="",
        date="2026-01-02",
        question="?",
        declared="!",
        protocol="",
        forecast=made,
    )


@pytest.mark.parametrize(
    ("hashes", "word"),
    [
        (NOW, "installed"),
        (NOW | {"model": "m0"}, "same numbers"),
        (NOW | {"model": "m0", "learnt": "l0"}, "same fit"),
        (NOW | {"model": "m0", "numbers": "n0"}, "same fit"),
        (NOW | {"model": "m0", "numbers": "n0", "fit": "f0"}, "another fit"),
        ({"model": "m0"}, "another, fit not recorded"),
    ],
)
def test_a_record_says_whether_the_installed_model_made_it(hashes: dict[str, str], word: str) -> None:
    assert made_with(prediction("x.1", **hashes)) == word
    assert word in MADE_WITH


def test_the_latest_record_of_each_trial_and_the_one_before() -> None:
    records = [prediction(name) for name in ("x.1", "y.1", "x.2", "x.3")]
    assert [p.record for p in latest(records)] == ["x.3", "y.1"]
    before = [earlier(p, records) for p in records]
    assert [p and p.record for p in before] == [None, None, "x.1", "x.2"]


def test_what_moved_is_a_ratio_with_the_monte_carlo_error_of_both_or_a_difference() -> None:
    old = prediction("x.1", figure("pfs_hr", 0.8), figure("orr_pct", 40.0, 3.0, low=30.0, high=45.0), chance=0.9)
    new = prediction("x.2", figure("pfs_hr", 0.6, 0.04), figure("orr_pct", 46.0, 4.0), figure("os_hr", 0.7), chance=0.7)
    ratio, response, chance = moved(old, new)
    assert ratio["change"] == pytest.approx(0.75)
    assert ratio["monte_carlo_se"] == pytest.approx(0.05)
    assert ratio["inside"] is True
    assert (response["change"], response["monte_carlo_se"], response["inside"]) == (6.0, 5.0, False)
    assert chance["change"] == pytest.approx(-0.2)
    rows = moved_rows(old, new)
    assert [r["moved"] for r in rows] == ["× 0.75 (Monte Carlo error × 1.1)", "+6.0 (Monte Carlo error 5)", "-0.20"]
    assert [r["inside the earlier interval"] for r in rows] == ["yes", "no", "–"]


def test_a_median_that_is_not_reached_has_not_moved_by_a_number() -> None:
    old, new = (prediction(f"x.{k}", figure("os_median_months", v, None)) for k, v in ((1, 20.0), (2, None)))
    row = moved_rows(old, new)[0]
    assert (row["before"], row["now"], row["moved"]) == ("20.0", "not reached", "–")


def forecast_file(folder: Path, *options: str) -> Any:
    words = ["predictions", "make", "harmoni-7", "--folder", str(folder), "-n", "20", "--seeds", "1", *options]
    return CliRunner().invoke(app, words)


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the simulation by figures at once; returns the names of the trials that would have been simulated."""
    from dataclasses import replace

    from tests.predictions.test_ledger import forecast

    made: list[str] = []

    def simulate(trial: Any, *, patients: int, seeds: tuple[int, ...], **_: Any) -> Any:
        made.append(trial.name)
        now = module._installed()
        tables = {name: now[name] for name in ("numbers", "fit", "learnt")}
        return replace(forecast(trial.name), digest=now["model"], tables=tables, patients=patients, seeds=tuple(seeds))

    monkeypatch.setattr("immunescape.evaluation.forecast.forecast", simulate)
    return made


def test_the_same_command_again_enters_nothing_and_another_seed_or_model_a_record_beside(
    tmp_path: Path, simulated: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        assert forecast_file(tmp_path).exit_code == 0
    assert len(read_predictions(tmp_path)) == len(simulated) == 1
    assert forecast_file(tmp_path, "--seed", "5").exit_code == 0
    monkeypatch.setattr(module, "_installed", lambda: NOW | {"model": "m2", "fit": "f2"})
    assert forecast_file(tmp_path).exit_code == 0
    first, *later = read_predictions(tmp_path)
    assert len(later) == 2
    assert made_with(first) == "another fit"
    assert check_ledger(tmp_path) == []


def test_a_trial_whose_result_was_entered_is_not_predicted_again(tmp_path: Path, simulated: list[str]) -> None:
    forecast_file(tmp_path)
    made = read_predictions(tmp_path)[0].figure("pfs_hr")
    assert made is not None
    result = Outcome(
        trial="harmoni-7",
        endpoint="pfs_hr",
        arm=made["arm"],
        value=0.6,
        low=None,
        high=None,
        source="A 2027",
        entered="2027-01-01",
    )
    enter_outcome(tmp_path, result)
    again = forecast_file(tmp_path, "--seed", "2")
    assert isinstance(again.exception, InputError)
    assert "entered beside its predictions on 2027-01-01" in again.exception.message
    words = ["predictions", "make", "--folder", str(tmp_path), "-n", "20", "--seed", "2"]
    every = CliRunner().invoke(app, words)
    assert every.exit_code == 0
    assert "harmoni-7: passed over" in every.output
    assert sorted(simulated[1:]) == sorted(set(open_protocols()) - {"harmoni-7"})


def test_the_list_shows_the_latest_and_with_all_every_record(tmp_path: Path, simulated: list[str]) -> None:
    for seed in ("1", "2"):
        forecast_file(tmp_path, "--seed", seed)
    run = CliRunner()

    def listed(*words: str) -> Any:
        return json.loads(run.invoke(app, ["predictions", *words, "--folder", str(tmp_path), "--json"]).output)

    (row,) = listed()
    assert row["model"] == "installed"
    assert "PFS HR 0.70" in row["before"]
    assert len(listed("--all")) == 2
    shown = listed("show", "harmoni-7")["predictions"]
    assert [(p["made_with"], p["before"]) for p in shown] == [("installed", read_predictions(tmp_path)[0].record)]
    assert {m["endpoint"] for m in shown[0]["moved"]} >= {"pfs_hr", "P(success) pfs"}
    assert [p["moved"] is None for p in listed("show", "harmoni-7", "--all")["predictions"]] == [True, False]
    text = run.invoke(app, ["predictions", "show", "harmoni-7", "--folder", str(tmp_path)]).output
    assert "the installed model" in text
    assert "What moved since" in text
