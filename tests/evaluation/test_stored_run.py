"""A finished run of the harness is judged again from its file, without a simulation."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from immunescape.cli import app
from immunescape.errors import InputError
from immunescape.evaluation.harness.run import pooled
from immunescape.evaluation.harness.stored import read_run
from immunescape.trial.loading import load_trial


def arm(name: str, orr: float, pfs: float, os: float) -> dict:
    figures = {
        "orr_pct": [orr, 4.0],
        "pfs_median_months": [pfs, 0.1],
        "os_median_months": [os, 0.1],
        "os_12_pct": [50.0, 5.0],
    }
    return {"name": name, "n": 100, "failed": 0, "kind": "", "figures": figures, "odds": {}}


def run_of(*names: str) -> dict:
    trials = {}
    for name in names:
        arms = [arm(a.name, 30.0 + 5 * k, 6.0, 14.0) for k, a in enumerate(load_trial(name).arms)]
        ratios = {"pfs_hr": [0.6, 0.1], "os_hr": [0.8, 0.12], "orr_difference": [-5.0, 6.0]}
        trials[name] = {"arms": arms, "comparison": ratios, "helped": {}, "wall_s": 1.0}
    return {"digest": "0" * 12, "version": "0", "patients": 100, "seeds": [1], "trials": trials}


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "run" / "harness.json"
    path.parent.mkdir()
    path.write_text(json.dumps(run_of("keynote-024", "keynote-189", "checkmate-057", "oak", "keynote-010")))
    return path


def test_a_finished_run_is_reported_with_baselines_aims_and_combinations(stored, tmp_path, monkeypatch):
    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("simulated")

    monkeypatch.setattr("immunescape.trial.runner.run_trial", forbidden)
    answer = CliRunner().invoke(app, ["harness", "--from", str(stored), "--out", str(tmp_path / "judged"), "--json"])
    assert answer.exit_code == 0, answer.exception
    made = json.loads((tmp_path / "judged" / "harness.json").read_text())
    errors = {(r["figure"], r["predictor"]): r for r in made["errors"]["all"]}
    published = {"keynote-024": 0.5, "keynote-189": 0.48, "checkmate-057": 0.92, "oak": 0.95, "keynote-010": 0.88}
    assert errors["pfs_hr", "model"]["n"] == len(published)
    assert errors["orr_pct", "last trial"]["n"] == errors["orr_pct", "model"]["n"] == 10
    assert {a["met"] for a in made["aims"]["validation"]} <= {True, False, None}
    assert made["trials"]["oak"]["arms"] == run_of("oak")["trials"]["oak"]["arms"]
    text = (tmp_path / "judged" / "harness.md").read_text()
    assert "## Aims" in text
    assert "| validation | PFS hazard ratio: median absolute error of ln at most 0.12 | 0.383 | 1 | missed |" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--trials", "oak"), "--trials would have no effect with --from"),
        (("-n", "500", "--seeds", "3"), "--patients and --seeds would have no effect with --from"),
        (("--engine", "reference", "-w", "2"), "--workers and --engine would have no effect with --from"),
        (("--page", "my.md"), "--page would have no effect without --record"),
    ],
)
def test_options_of_a_simulation_are_refused_with_a_finished_run(stored, tmp_path, words, said):
    answer = CliRunner().invoke(app, ["harness", "--from", str(stored), "--out", str(tmp_path / "judged"), *words])
    assert answer.exit_code != 0
    assert said in str(answer.exception)
    assert not (tmp_path / "judged").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", ("not a JSON file",)),
        ("[]", ("not a run of the harness",)),
        ('{"digest": "a"}', ("not a run of the harness", "trials")),
        (json.dumps({**run_of("oak"), "trials": {"oka": run_of("oak")["trials"]["oak"]}}), ("oak",)),
        (
            json.dumps({**run_of("oak"), "trials": {"oak": run_of("keynote-024")["trials"]["keynote-024"]}}),
            ("the arms of 'oak'", "pembrolizumab"),
        ),
    ],
)
def test_a_file_that_is_no_finished_run_is_refused_with_its_name(tmp_path, text, words):
    path = tmp_path / "harness.json"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_run(path, None)
    for word in words:
        assert word in str(caught.value)
    with pytest.raises(InputError, match="cannot be read"):
        read_run(tmp_path / "absent.json", None)


def test_ratios_of_each_seed_are_kept_beside_their_mean():
    rows = [
        {"arms": [], "comparison": {"pfs_hr": [v, 0.1], "orr_difference": [1.0, 1.0]}, "helped": {}, "wall_s": 1.0}
        for v in (0.5, 0.8)
    ]
    assert pooled(rows)["by_seed"] == {"pfs_hr": [0.5, 0.8]}
