"""Design files: strict reading, refusals with line and reason, the examples that ship, the command and its folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from immunescape.api import designs
from immunescape.api.designs import designs_table, run_designs
from immunescape.design.loading import (
    design_schema,
    design_template,
    list_designs,
    load_design,
    read_design,
    resolve,
)
from immunescape.design.simulation import simulate
from immunescape.errors import InputError

SHIPPED = ("keynote-024-group-sequential", "mechanism-matched-platform", "pdl1-enrichment")


def changed(old: str, new: str) -> str:
    """The template with one piece replaced."""
    text = design_template()
    assert old in text
    return text.replace(old, new)


def test_shipped_designs_fit_the_schema() -> None:
    assert tuple(list_designs()) == SHIPPED
    schema = design_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for name in SHIPPED:
        jsonschema.validate(yaml.safe_load(resolve(name)[1]), schema)
    assert {r["kind"] for r in designs_table()} == {"group-sequential", "platform", "enrichment"}


def test_template_loads() -> None:
    found = read_design("template", design_template())
    assert found.patients == 450
    assert [look.events for look in found.looks] == [232, 332]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "replicates"), [("pdl1-enrichment", 3000), ("mechanism-matched-platform", 1500)])
def test_shipped_examples_hold_their_level(name: str, replicates: int) -> None:
    error = simulate(load_design(name), replicates, seed=7, scenarios=["null"]).type_one_error
    assert error is not None
    assert error.value <= 0.025 + 0.005 + 2 * error.error


@pytest.mark.slow
def test_keynote_example_runs_on_virtual_patients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way with a small pool: virtual trial, kept table, simulated design."""
    monkeypatch.setenv("IMMUNESCAPE_CACHE", str(tmp_path))
    text = resolve("keynote-024-group-sequential")[1].replace("patients: 3200", "patients: 40")
    found = read_design("small.yaml", text, workers=1)
    assert len(list((tmp_path / "pools").glob("*.parquet"))) == 1
    again = read_design("small.yaml", text, workers=1)
    result = simulate(again, 250, seed=1)
    assert found.truths["virtual population"].size("pembrolizumab") == 40  # type: ignore[attr-defined]
    assert any("is small for this effect" in w for w in result.warnings)
    assert result.notes["pool"]["virtual population"]["power_error"]["OS"] > 0.05
    assert "verdict" in result.notes["naive_truth"]["virtual population"]
    looks = [(r["hypothesis"], r["look"]) for r in result.to_json()["plan"]]
    assert looks == [("PFS", 2), ("OS", 2), ("OS", 3), ("ORR", 1)]
    assert result.notes["pool"]["virtual population"]["hazard_ratios"]["os: pembrolizumab"]["log_se"] > 0.1


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("patients: 450", "patient: 450", "Did you mean 'patients'"),
        ("kind: group-sequential #", "kind: group-sequentail #", "Did you mean 'group-sequential'"),
        ("{events: 332, endpoint: os}", "{events: 232, endpoint: os}", "do not increase in information"),
        ("endpoint: os, test:", "endpoint: ox, test:", "unknown endpoint 'ox'"),
        ("{family: lan-demets-obrien-fleming}", "{futility: [3.0]}", "lies above the efficacy bound"),
        ("alpha: 0.025", "alpha: 0.7", "less than 0.5"),
        ("arm: combination, rate: 0.45", "arm: combinaton, rate: 0.45", "Did you mean 'combination'"),
        ("median: 14}", "median: 14, rate: 0.2}", "exactly one of"),
        ("share: 0.05, months: 12", "share: 1.0, months: 12", "dropout share"),
        ("{events: 232, endpoint: os}", "{events: 232, months: 12, endpoint: os}", "exactly one of events"),
        ("starts: [0, 3, 6]", "starts: [0, 3, 3]", "starts at its own month"),
        (
            "test: {name: log-rank}}",
            "test: {name: log-rank}}\n  - {name: OS2, endpoint: os}",
            "alpha is spent twice",
        ),
        (
            "hypotheses:",
            "enrichment:\n  populations: [{name: all, strata: [all]}]\nhypotheses:",
            "its type I error is not controlled",
        ),
    ],
)
def test_wrong_files_are_refused_with_line_and_reason(old: str, new: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        read_design("my.yaml", changed(old, new))
    assert words in str(caught.value)
    assert "my.yaml, line " in str(caught.value) or "problems" in str(caught.value)


def test_unnames_of_same_trial_are_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'pdl1-enrichment'"):
        designs.load_design("pdl1-enrichmnt")
    with pytest.raises(InputError, match="no such file"):
        designs.load_design("nowhere/my.yaml")


def test_other_kinds_of_files(tmp_path: Path) -> None:
    base: dict[str, Any] = {
        "name": "other",
        "title": "Other",
        "patients": 120,
        "arms": [
            {"name": "a", "role": "experimental"},
            {"name": "b", "role": "experimental"},
            {"name": "c", "role": "control"},
        ],
        "endpoints": {"orr": {"kind": "response", "months": 2}},
        "accrual": {"rates": [10]},
        "scenarios": [
            {"name": "real", "truth": [{"endpoint": "orr", "rate": 0.2}, {"endpoint": "orr", "arm": "a", "rate": 0.5}]},
        ],
    }
    looks = [{"patients": 60, "follow_up": 2}, {"patients": 120, "follow_up": 2}]
    bayes = {
        **base,
        "kind": "bayesian",
        "looks": looks,
        "bayesian": {"endpoint": "orr", "calibration": 500, "adaptive": True},
    }
    found = simulate(read_design("b.yaml", yaml.safe_dump(bayes)), 250, seed=1)
    assert found.power().value > 0.5
    arms = {**base, "kind": "multi-arm", "looks": looks, "endpoint": "orr", "test": {"name": "rates"}}
    found = simulate(read_design("m.yaml", yaml.safe_dump(arms)), 250, seed=1)
    assert found.power().value > 0.5
    rates = {k: v for k, v in arms.items() if k not in ("endpoint", "test")} | {
        "kind": "group-sequential",
        "arms": [base["arms"][0], base["arms"][2]],
        "hypotheses": [{"name": "ORR", "endpoint": "orr", "test": {"name": "rates"}}],
    }
    found = simulate(read_design("r.yaml", yaml.safe_dump(rates)), 1000, seed=1)
    assert found.notes["planning"]["real"]["cumulative_power"][-1] == pytest.approx(found.power().value, abs=0.03)
    one = {
        **base,
        "kind": "two-stage",
        "arms": base["arms"][:1],
        "alpha": 0.05,
        "two_stage": {"endpoint": "orr", "p0": 0.2, "p1": 0.4},
        "scenarios": [
            {"name": n, "truth": [{"endpoint": "orr", "rate": p}]} for n, p in (("target", 0.4), ("null", 0.2))
        ],
    }
    read = read_design("t.yaml", yaml.safe_dump(one))
    assert (read.rule.simon.r1, read.rule.simon.n1, read.rule.simon.r, read.rule.simon.n) == (3, 13, 12, 43)  # type: ignore[attr-defined]
    watched = {k: v for k, v in one.items() if k != "two_stage"} | {
        "kind": "bop2",
        "alpha": 0.1,
        "bop2": {"endpoint": "orr", "p0": 0.2, "p1": 0.4},
        "looks": [{"patients": n, "follow_up": 2} for n in (10, 20, 40)],
    }
    result = simulate(read_design("w.yaml", yaml.safe_dump(watched)), 2000, seed=1)
    assert abs(result.power("target").value - result.plan["power"]) < 4 * result.power("target").error
    assert result.type_one_error is not None
    assert abs(result.type_one_error.value - result.plan["alpha"]) < 4 * result.type_one_error.error
    doses = {
        "name": "escalation",
        "title": "Escalation",
        "kind": "dose-finding",
        "alpha": None,
        "patients": 30,
        "arms": [{"name": f"dose {k}", "role": "experimental"} for k in range(1, 5)],
        "endpoints": {"dlt": {"kind": "response", "months": 1}},
        "accrual": {"rates": [3]},
        "dose_finding": {"endpoint": "dlt", "target": 0.3},
        "scenarios": [
            {
                "name": "third",
                "truth": [
                    {"endpoint": "dlt", "arm": f"dose {k + 1}", "rate": p} for k, p in enumerate((0.05, 0.12, 0.3, 0.5))
                ],
            }
        ],
    }
    result = simulate(read_design("d.yaml", yaml.safe_dump(doses)), 1000, seed=1)
    assert result.type_one_error is None
    recommended = result.summary("third")["reject"]
    assert max(recommended, key=lambda n: recommended[n].value) == "recommended: dose 3"
    from immunescape.api.designs import DesignRun

    saved = DesignRun((result,)).save(tmp_path)
    assert "De-escalate" in saved[-1].read_text(encoding="utf-8")
    with pytest.raises(InputError, match="belongs to a 'bayesian' design"):
        read_design("m.yaml", yaml.safe_dump({**arms, "bayesian": bayes["bayesian"]}))


@pytest.mark.slow
def test_command_writes_a_folder_that_reproduces_itself(tmp_path: Path) -> None:
    from immunescape.cli import app

    file = tmp_path / "my.yaml"
    file.write_text(changed("events: 232", "events: 100").replace("events: 332", "events: 150"), encoding="utf-8")
    out = tmp_path / "out"
    arguments = [
        "design",
        str(file),
        "--replicates",
        "250",
        "--seed",
        "3",
        "--workers",
        "1",
        "--out",
        str(out),
        "--json",
    ]
    ran = CliRunner().invoke(app, arguments)
    assert ran.exit_code == 0, ran.output
    content = json.loads((out / "design.json").read_text(encoding="utf-8"))
    assert json.loads(ran.stdout)["scenarios"] == content["scenarios"]
    assert content["type_one_error"]["low"] <= content["type_one_error"]["value"] <= content["type_one_error"]["high"]
    assert [r["look"] for r in content["plan"]] == [1, 2]
    simulated = content["scenarios"]["delayed effect"]["reject_any"]
    formula = content["notes"]["planning"]["delayed effect"]["cumulative_power"][-1]
    assert formula == pytest.approx(simulated["value"], abs=4 * simulated["se"])
    report = (out / "report.html").read_text(encoding="utf-8")
    assert "Operating characteristics" in report
    assert "is delayed" in report
    assert "http://" not in report.split("</script>")[-1]
    subprocess.run([sys.executable, str(out / "reproduce.py")], check=True, capture_output=True, timeout=120)
    repeated = json.loads((out / "repeated" / "design.json").read_text(encoding="utf-8"))
    assert repeated["scenarios"] == content["scenarios"]


def test_designs_side_by_side(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text(design_template(), encoding="utf-8")
    second.write_text(
        changed("name: log-rank}", "name: fleming-harrington, gamma: 1}").replace("my-design", "weighted"),
        encoding="utf-8",
    )
    run = run_designs([first, second], 250, seed=1, workers=1, out=tmp_path / "out")
    rows = run.to_json()["comparison"]
    assert {r["design"] for r in rows} == {"my-design", "weighted"}
    assert rows[1]["difference"]["se"] < 0.03
    assert (tmp_path / "out" / "weighted.yaml").is_file()
    assert "Side by side" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    with pytest.raises(InputError, match="names of their own"):
        run_designs([first, first], 250)
