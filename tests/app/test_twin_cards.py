"""Twins and ranking in the app: what reproduces them can be run, and what the page shows is what was computed."""

from __future__ import annotations

import ast
import csv
import inspect
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

import immunescape
from immunescape.api.ranking_settings import settings_with
from immunescape.app.twin_cards import run_ranking_task, twin_code
from immunescape.cli.program import app as program
from immunescape.errors import InputError
from immunescape.twins.ranking import MARGIN, WEIGHTS

PATIENT = {"study": "", "patient": "EX 01", "at": 0.0, "twins": 250, "seed": 3}
RANK = {**PATIENT, "weights": dict(WEIGHTS), "margin": MARGIN, "options": ""}
CHANGED = {
    "study": "/tmp/somewhere",
    "at": 84.0,
    "weights": {**WEIGHTS, "toxicity": 0.3},
    "margin": 0.1,
    "options": "- {regimen: docetaxel 75 mg/m2 every 3 weeks}",
}


def called(python: str) -> dict[str, Any]:
    """Arguments of the call of immunescape in a text, bound to the function's own parameters and settings."""
    tree = ast.parse(python)
    call = next(n for n in ast.walk(tree) if isinstance(n, ast.Call) and ast.unparse(n.func).startswith("immunescape."))
    function = getattr(immunescape, ast.unparse(call.func).split(".")[1])
    values = [ast.literal_eval(a) for a in call.args]
    bound = inspect.signature(function).bind(*values, **{str(k.arg): ast.literal_eval(k.value) for k in call.keywords})
    changes = bound.arguments.pop("changes", {})
    settings_with(None, changes)  # refuses what is no setting of a ranking
    return {**bound.arguments, **changes}


def parsed(command: str) -> dict[str, Any]:
    """Parameters that the command line takes from a command."""
    words = shlex.split(command)
    group = typer.main.get_command(program)
    chosen = group.commands[words[1]]  # type: ignore[attr-defined]
    context = chosen.make_context(words[1], words[2:], parent=None)
    return dict(context.params)


@pytest.mark.parametrize("change", [{}, CHANGED])
def test_the_code_of_a_ranking_names_what_was_asked_and_nothing_that_is_the_default(change: dict[str, Any]) -> None:
    request = {**RANK, **change}
    python, command = twin_code("rank", request)
    given, words = called(python), parsed(command)
    assert given["patient"] == words["patient"] == "EX 01"
    assert (given["twins"], given["seed"]) == (words["twins"], words["seed"]) == (250, 3)
    assert given.get("at", 0.0) == words["at"] == request["at"]
    assert words["example"] is (not request["study"])
    assert ("folder" in given) is (words["folder"] is not None) is bool(request["study"])
    assert given.get("weights", WEIGHTS) == request["weights"]
    assert given.get("margin", MARGIN) == words["margin"] == request["margin"]
    assert given.get("options") == (str(words["options"]) if words["options"] else None)
    assert ("weights" in given) is bool(change)
    assert "/tmp" not in python + command


def test_the_code_of_twins_names_the_regimen_that_was_forecast() -> None:
    regimen = "docetaxel 75 mg/m2 every 3 weeks"
    python, command = twin_code("twin", {**PATIENT, "regimen": regimen})
    assert called(python)["regimen"] == parsed(command)["regimen"] == regimen
    python, command = twin_code("twin", {**PATIENT, "regimen": ""})
    assert "regimen" not in called(python)
    assert parsed(command)["regimen"] is None


def test_own_regimens_that_cannot_be_read_are_refused_before_anything_is_drawn(tmp_path: Path) -> None:
    study = one_patient(tmp_path / "study")
    request = {**RANK, "study": str(study), "patient": "P1", "options": "- {regimen: pembrolizumap 200 mg}"}
    with pytest.raises(InputError, match="pembrolizumab"):
        run_ranking_task(request, tmp_path, lambda done, total: pytest.fail("twins were drawn"))
    with pytest.raises(InputError, match="P1"):
        run_ranking_task({**request, "patient": "P2"}, tmp_path, lambda done, total: None)


@pytest.mark.slow
def test_the_page_shows_the_ranking_that_the_files_hold(tmp_path: Path) -> None:
    request = {**RANK, "study": str(one_patient(tmp_path / "study")), "patient": "P1", "twins": 40, "enough": 20}
    steps: list[tuple[int, int]] = []
    result = run_ranking_task(request, tmp_path, lambda done, total: steps.append((done, total)))
    assert steps
    assert 40 <= steps[-1][0] == steps[-1][1]
    content = json.loads(json.dumps(result, allow_nan=False))
    rows = content["tables"][0]["rows"]
    with (tmp_path / "run" / "options.csv").open(newline="") as stream:
        listed = list(csv.DictReader(stream))
    assert [r["Option"].removesuffix(" (standard)") for r in rows] == [r["option"] for r in listed]
    for row, values in zip(rows, listed, strict=True):
        assert row["Response, %"].split()[0] == f"{100 * float(values['response']):.0f}"
        assert row["Score"].split()[0] == f"{float(values['score']):.2f}"
    stored = json.loads((tmp_path / "run" / "ranking.json").read_text())
    assert stored["notice"]
    assert sum("(standard)" in r["Option"] for r in rows) == 1
    forest, *fans = content["cards"]
    assert len(forest["rows"]) == len(rows) - 1
    assert len(fans) == min(len(rows), 4)
    assert all(float(r["5 %"]) <= float(r["Median"]) <= float(r["95 %"]) for c in fans for r in c["rows"])
    assert all(len(card["alternative"]) > 40 for card in content["cards"])


def one_patient(folder: Path) -> Path:
    """A study of one patient with what a letter from the clinic says."""
    folder.mkdir()
    (folder / "manifest.yaml").write_text("study: letter\nfiles:\n  - {file: patients.csv, format: patients}\n")
    (folder / "patients.csv").write_text(
        "patient,age,sex,histology,smoking,ecog,stage\nP1,64,male,adenocarcinoma,current,1,IV\n"
    )
    return folder
