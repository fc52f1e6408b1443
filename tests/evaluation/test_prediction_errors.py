"""What a finished run teaches: evidence of added drugs, and errors of predictions beyond chance."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from immunescape.cli import app
from immunescape.evaluation import posterior
from immunescape.evaluation.harness.prediction_errors import (
    _moments,
    fitted_trials,
    left_out_errors,
    prediction_errors,
    tables,
)
from immunescape.evaluation.harness.stored import read_run
from immunescape.knowledge.tables import parse_rows
from immunescape.trial.loading import load_trial

NAMES = ("keynote-024", "keynote-189", "checkmate-017", "checkmate-057", "oak", "impower150", "pacific")


def run_file(folder, ratio: float, response: float = 0.0):
    """A run whose hazard ratios are the published ones times a factor, and whose response is off by some points."""
    trials = {}
    for name in NAMES:
        trial = load_trial(name)
        arms = [
            {
                "name": a.name,
                "n": 1000,
                "failed": 0,
                "kind": "",
                "odds": {},
                "figures": {"orr_pct": [trial.published.arm(a.name).orr_pct + response, 0.5]},
            }
            for a in trial.arms
        ]
        ratios = {f: [getattr(trial.published, f) * ratio, 0.01] for f in ("pfs_hr", "os_hr")}
        trials[name] = {"arms": arms, "comparison": ratios, "helped": {}, "wall_s": 1.0}
    path = folder / "harness.json"
    path.write_text(json.dumps({"digest": "d" * 12, "version": "0", "patients": 9, "seeds": [1], "trials": trials}))
    return path


def by_kind(run, fitted=()):
    return {(e.comparison, e.kind): e for e in prediction_errors(run, fitted)}


def test_predictions_that_are_right_leave_no_error_and_a_common_bias_is_found(tmp_path):
    exact = by_kind(read_run(run_file(tmp_path, 1.0), None))
    assert exact["all", "orr"].sd == 0.0
    assert exact["all", "orr"].figures == 14
    assert exact["inhibitor against chemotherapy", "hr"].sd < 0.1
    off = by_kind(read_run(run_file(tmp_path, 0.6), None))
    against = off["inhibitor against chemotherapy", "hr"]
    assert against.bias == pytest.approx(math.log(0.6))
    assert against.sd == pytest.approx(-math.log(0.6), abs=0.12)
    assert against.sd > off["inhibitor added", "hr"].sd  # what adds a drug is shrunk by the other trials


def test_trials_that_were_fitted_count_only_where_there_are_too_few_others(tmp_path):
    run = read_run(run_file(tmp_path, 0.6), None)
    every = by_kind(run)["inhibitor against chemotherapy", "hr"]
    assert (every.figures, every.unseen) == (8, 8)
    some = by_kind(run, ("oak", "checkmate-017"))["inhibitor against chemotherapy", "hr"]
    assert (some.figures, some.unseen) == (4, 4)
    few = by_kind(run, ("oak", "checkmate-017", "checkmate-057"))["inhibitor against chemotherapy", "hr"]
    assert (few.figures, few.unseen) == (8, 2)


def test_errors_beyond_chance_are_found_again():
    rng = np.random.default_rng(4)
    rows = [(f"t{k}", True, rng.normal(0.0, math.hypot(0.3, 0.2)), 0.2**2) for k in range(4000)]
    variance, bias, n, unseen = _moments(rows)
    assert math.sqrt(variance) == pytest.approx(0.3, abs=0.02)
    assert bias == pytest.approx(0.0, abs=0.02)
    assert n == unseen == 4000


def test_the_tables_are_written_from_a_finished_run_and_read_by_predictions(tmp_path, monkeypatch):
    path = run_file(tmp_path, 0.6)
    answer = CliRunner().invoke(
        app, ["harness", "--from", str(path), "--out", str(tmp_path / "o"), "--tables", str(tmp_path / "t")]
    )
    assert answer.exit_code == 0, answer.exception
    rows = parse_rows((tmp_path / "t" / "class_evidence.csv").read_text(), None, "class_evidence.csv")
    assert {(r["trial"], r["drug_class"]) for r in rows} == {
        ("keynote-189", "anti-PD-1 antibody"),
        ("impower150", "anti-PD-L1 antibody"),
    }
    errors = parse_rows((tmp_path / "t" / "prediction_errors.csv").read_text(), None, "prediction_errors.csv")
    monkeypatch.setattr("immunescape.knowledge.tables.read_rows", lambda name: errors)
    cached = (posterior._prediction_errors, posterior.errors_of_this_fit)
    for function in cached:
        function.cache_clear()
    try:
        told = posterior.shipped_discrepancy("inhibitor against chemotherapy")
        assert posterior.errors_of_this_fit()
    finally:
        for function in cached:
            function.cache_clear()
    row = next(r for r in errors if (r["comparison"], r["kind"]) == ("inhibitor against chemotherapy", "hr"))
    assert told["hr"] == row.number("sd")
    refused = CliRunner().invoke(app, ["harness", "--tables", str(tmp_path / "t")])
    assert refused.exit_code != 0
    assert "--from" in str(refused.exception)


def test_the_same_run_gives_the_same_tables_and_names_its_numbers(tmp_path):
    run = read_run(run_file(tmp_path, 0.8), None)
    assert tables(run, fitted_trials()) == tables(run, fitted_trials())
    assert "harness run, " in tables(run, ())["class_evidence.csv"]  # an older run does not state its numbers
    stated = replace(run, numbers="d" * 64)
    assert "run of numbers dddddddddddd" in tables(stated, ())["class_evidence.csv"]
    assert {"keynote-024", "oak"} <= fitted_trials()


def test_the_error_of_a_trial_is_that_of_the_others(tmp_path):
    run = read_run(run_file(tmp_path, 0.6), None)
    before = left_out_errors(run, ())
    far = [
        replace(c, published=c.published * 3) if c.trial == "oak" and c.figure == "pfs_hr" else c
        for c in run.comparisons
    ]
    after = left_out_errors(replace(run, comparisons=tuple(far)), ())
    assert after["oak"] == before["oak"]
    assert after["checkmate-017"]["hr"] > before["checkmate-017"]["hr"]
    assert after["checkmate-017"]["forecast_pfs_hr"] > before["checkmate-017"]["forecast_pfs_hr"]
