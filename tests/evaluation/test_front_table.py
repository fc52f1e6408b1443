"""The table of the front page: means over seeds with their errors, PFS and OS apart, what had been seen."""

from __future__ import annotations

import importlib.util
import json
import math
import statistics
from pathlib import Path
from types import ModuleType

import pytest

from immunescape.evaluation.harness.stored import read_run
from immunescape.trial.loading import load_trial


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "front_table", Path(__file__).parents[2] / "scripts" / "front_table.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(tmp_path, n: int):
    trials = {}
    for name in ("keynote-024", "keynote-010"):
        figures = {"orr_pct": [41.23, 1.1], "pfs_median_months": [5.0, 0.1], "os_median_months": [None, None]}
        trials[name] = {
            "arms": [
                {"name": a.name, "n": n, "failed": 1, "kind": "", "figures": figures, "odds": {}}
                for a in load_trial(name).arms
            ],
            "comparison": {"pfs_hr": [0.62, 0.9], "os_hr": [0.75, 0.05]},
            "helped": {},
            "wall_s": 1.0,
            "by_seed": {"pfs_hr": [0.6, 0.62, 0.64], "os_hr": [0.74, 0.76]},
        }
    path = tmp_path / "harness.json"
    path.write_text(
        json.dumps({"digest": "f" * 12, "version": "0", "patients": n // 3, "seeds": [1, 2, 3], "trials": trials})
    )
    return read_run(path, None)


def test_the_tables_hold_n_errors_published_figures_and_what_had_been_seen(tmp_path):
    text = script().tables(run(tmp_path, 2001))
    figures = "41.2 (1.1) | 44.8 | 5.0 (0.5) | 10.3 | not reached | 30.0 | fitted to |"
    assert f"| keynote-024 | pembrolizumab | 2001 | 1 | {figures}" in text
    error = statistics.stdev(map(math.log, (0.6, 0.62, 0.64))) / math.sqrt(3) * 0.62
    assert f"| keynote-024 | PFS | 2001 + 2001 | 0.62 ({error:.2f}) | 0.50 (0.37–0.68) | fitted to |" in text
    assert "| keynote-010 | OS | 2001 + 2001 | 0.75 (0.04) | 0.71 (0.58–0.88) | not fitted to, but looked at" in text
    assert "toxicity rates of later trials" in text
    assert "Provisional" not in text
    assert "Provisional: 300 patients per arm" in script().tables(run(tmp_path, 300))


def test_two_seeds_tell_no_error_between_seeds():
    module = script()
    assert module.ratio_error([0.7, 0.8], 0.05) == 0.05
    assert module.ratio_error([0.7, None, 0.8, 0.9], 0.05) == pytest.approx(
        statistics.stdev(map(math.log, (0.7, 0.8, 0.9))) / math.sqrt(3)
    )
