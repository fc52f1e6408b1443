"""The command that computes sizes: against rpact's figures, exact integration, and its own inverse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from immunescape.cli import app
from immunescape.design.loading import design_template
from immunescape.design.recursion import exit_probabilities
from immunescape.errors import InputError


def size(*arguments: str) -> dict[str, Any]:
    ran = CliRunner().invoke(app, ["design", "size", *arguments, "--json"], catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    return dict(json.loads(ran.stdout))


def test_survival_sizes_equal_rpact(rpact: dict[str, Any]) -> None:
    for row in rpact["survival"][:6]:
        found = size(
            "survival",
            "--hazard-ratio",
            str(row["hr"]),
            "--median",
            str(row["median"]),
            "--accrual",
            str(row["accrual"]),
            "--follow-up",
            str(row["followUp"]),
            "--ratio",
            str(row["ratio"]),
            "--looks",
            ",".join(str(f) for f in np.atleast_1d(row["fraction"])),
        )
        assert found["events"] == pytest.approx(row["events"], rel=1e-3)
        assert found["patients"] == pytest.approx(row["patients"], rel=1e-3)
        assert found["looks"][-1]["cumulative_alpha"] == pytest.approx(0.025, abs=1e-6)
        assert found["looks"][-1]["cumulative_power"] == pytest.approx(0.9, abs=1e-6)


def test_rates_equal_rpact(rpact: dict[str, Any]) -> None:
    for row in rpact["rates"][:4]:
        looks = ",".join(str(f) for f in np.atleast_1d(row["fraction"]))
        found = size(
            "rates",
            "--rates",
            f"{row['pi1']},{row['pi2']}",
            "--power",
            "0.8",
            "--ratio",
            str(row["ratio"]),
            "--looks",
            looks,
        )
        assert found["patients"] == pytest.approx(row["patients"], rel=1e-3)


def test_non_inferiority_size_is_schoenfelds() -> None:
    found = size("survival", "--hazard-ratio", "1", "--median", "12", "--margin", "1.25", "--power", "0.9")
    expected = 4 * ((stats.norm.isf(0.025) + stats.norm.isf(0.1)) / np.log(1.25)) ** 2
    assert found["events"] == pytest.approx(expected, rel=1e-9)
    bound = found["looks"][0]["efficacy_hazard_ratio"]
    assert bound == pytest.approx(1.25 * np.exp(-stats.norm.isf(0.025) * 2 / np.sqrt(expected)))


@pytest.mark.parametrize("binding", [False, True])
def test_futility_costs_events_and_the_size_has_its_power(binding: bool) -> None:
    common = ("survival", "--hazard-ratio", "0.7", "--median", "12", "--looks", "0.5,1")
    plain = size(*common)
    extra = ("--futility", "lan-demets-pocock", *(("--binding",) if binding else ()))
    stopped = size(*common, *extra)
    assert stopped["events"] > plain["events"]
    rows = stopped["looks"]
    upper, lower = [r["efficacy_z"] for r in rows], [rows[0]["futility_z"], rows[1]["efficacy_z"]]
    drift = -np.log(0.7) * np.sqrt(stopped["events"]) / 2
    assert exit_probabilities(upper, [0.5, 1], lower=lower, theta=drift).upper.sum() == pytest.approx(0.9, abs=1e-6)
    under_null = exit_probabilities(upper, [0.5, 1], lower=[lower[0] if binding else -np.inf, -np.inf]).upper.sum()
    assert under_null == pytest.approx(0.025, abs=1e-6)


def test_power_of_a_given_size() -> None:
    found = size(
        "survival",
        "--hazard-ratio",
        "0.7",
        "--median",
        "14",
        "--events",
        "332",
        "--patients",
        "435",
        "--looks",
        "0.7,1",
    )
    assert found["power"] == pytest.approx(0.8974, abs=2e-3)
    assert size("means", "--difference", "0.5", "--patients", "172")["power"] == pytest.approx(0.9065, abs=2e-3)


def test_a_design_file_is_sized_without_a_simulation(tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_text(design_template(), encoding="utf-8")
    found = size(str(file))["delayed effect"]
    assert 0.5 < found["cumulative_power"][-1] < 1
    assert found["size_for_power"]["0.9"]["events"] > found["size_for_power"]["0.8"]["events"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["survival", "--median", "12"], "needs --hazard-ratio"),
        (["survival", "--hazard-ratio", "0.7", "--median", "12", "--looks", "half"], "numbers separated by commas"),
        (["survival", "--hazard-ratio", "0.7", "--median", "12", "--events", "300", "--patients", "200"], "one event"),
        (["survival", "--hazard-ratio", "1.3", "--median", "12", "--margin", "1.2"], "beyond the margin"),
        (["rates", "--rates", "0.4"], "two numbers"),
        (["rates", "--rates", "0.4,0.2", "--family", "pokock", "--looks", "0.5,1"], "Did you mean 'pocock'"),
        (["survivel"], "(?s)unknown design 'survivel'.*Did you mean 'survival'"),
        (["survival", "--hazard-ratio", "1.3", "--median", "12"], "is a harm"),
    ],
)
def test_wrong_requests_are_refused(arguments: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        CliRunner().invoke(app, ["design", "size", *arguments], catch_exceptions=False)


SURVIVAL = ["survival", "--hazard-ratio", "0.7", "--median", "12"]
RATES = ["rates", "--rates", "0.45,0.25"]


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        ([*SURVIVAL, "--rates", "0.4,0.2"], "--rates"),
        ([*SURVIVAL, "--family", "pocock"], "--family"),
        ([*SURVIVAL, "--futility", "lan-demets-pocock"], "--futility"),
        ([*SURVIVAL, "--looks", "0.6,1", "--binding"], "--binding"),
        ([*SURVIVAL, "--looks", "0.6,1", "--futility-parameter", "-2"], "--futility-parameter"),
        ([*SURVIVAL, "--looks", "0.6,1", "--family", "pocock", "--parameter", "3"], "--parameter"),
        ([*SURVIVAL, "--events", "250", "--patients", "400", "--power", "0.8"], "--power"),
        ([*SURVIVAL, "--events", "250", "--patients", "400", "--follow-up", "3"], "--follow-up"),
        ([*RATES, "--events", "100"], "--events"),
        ([*RATES, "--margin", "1.2"], "--margin"),
        (["means", "--difference", "0.5", "--median", "12"], "--median"),
        (["pdl1-enrichment", "--hazard-ratio", "0.5"], "--hazard-ratio"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(arguments: list[str], option: str) -> None:
    with pytest.raises(InputError, match=f"{option} would be ignored"):
        CliRunner().invoke(app, ["design", "size", *arguments], catch_exceptions=False)


def test_the_short_form_still_simulates() -> None:
    ran = CliRunner().invoke(app, ["design", "--template"])
    assert ran.exit_code == 0
    assert ran.stdout.startswith("# A design file.")


def test_the_script_for_reviewers_states_the_design(tmp_path: Path) -> None:
    """Boundaries, power and months that R is asked for are those of the plan; brackets close."""
    import re

    import yaml

    from immunescape.api.designs import DesignRun
    from immunescape.design.loading import read_design
    from immunescape.design.simulation import simulate

    content = yaml.safe_load(design_template())
    content["boundaries"] = {"family": "hwang-shih-decani", "parameter": -4, "futility": [0.3]}
    content["scenarios"].append(
        {
            "name": "constant",
            "truth": [
                {"endpoint": "os", "median": 14},
                {"endpoint": "os", "arm": "combination", "hazard_ratio": 0.7},
                {"endpoint": "orr", "rate": 0.3},
            ],
        }
    )
    result = simulate(read_design("my.yaml", yaml.safe_dump(content)), 250, seed=1)
    paths = DesignRun((result,)).save(tmp_path)
    assert tmp_path / "review.R" in paths
    text = (tmp_path / "review.R").read_text(encoding="utf-8")
    code = re.sub(r'"[^"]*"', "", text)
    assert code.count("(") == code.count(")")
    assert 'typeOfDesign = "asHSD", gammaA = -4' in text
    assert "futilityBounds = c(0.3), bindingFutility = FALSE" in text
    stated = [float(x) for x in re.search(r"criticalValues, c\(([^)]*)\)", text).group(1).split(",")]  # type: ignore[union-attr]
    assert stated == pytest.approx(list(result.plan["bounds"]["OS"]), abs=1e-8)
    power = result.notes["planning"]["constant"]["cumulative_power"][-1]
    assert f"power$overallReject, {power:.10g}" in text
    assert "define_fail_rate(duration = c(3, Inf)" in text
    assert "hr = c(1, 0.6)" in text
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "The same bounds on other scales" in report
    assert "Hazard ratio over all trials" in report


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["survival", "--hazard-ratio", "0.7", "--median", "12", "--alpha", "1e-12"], "must lie between 1e-09 and 0.5"),
        (
            ["rates", "--rates", "0.45,0.25", "--looks", "0.5,1", "--family", "wang-tsiatis"],
            "--family wang-tsiatis needs --parameter",
        ),
        (
            ["rates", "--rates", "0.45,0.25", "--looks", "0.5,1", "--futility", "hwang-shih-decani"],
            "--futility hwang-shih-decani needs --futility-parameter",
        ),
        (["rates", "--rates", "0.45,0.25", "--patients", "3"], "fewer than 10 in an arm"),
        (["means", "--difference", "0.5", "--patients", "40", "--ratio", "9"], "fewer than 10 in an arm"),
    ],
)
def test_sizes_that_mean_nothing_are_refused(arguments: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        size(*arguments)
