"""The command line, run as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "160", "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-m", "immunescape.cli", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
        timeout=540,
        check=False,
    )


def test_help_names_every_command_and_starts_without_the_heavy_libraries():
    code = (
        "import sys; from typer.testing import CliRunner; from immunescape.cli import app;"
        "out = CliRunner().invoke(app, ['--help']).output;"
        "heavy = {'numpy', 'pandas', 'scipy', 'sympy', 'roadrunner', 'plotly', 'pint', 'libsbml'} & set(sys.modules);"
        "print(sorted(heavy)); print(out)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    first, _, text = done.stdout.partition("\n")
    assert first == "[]"
    for command in ("trial", "trials", "drugs", "mechanisms", "show", "model", "check-sbml", "bench"):
        assert command in text


@pytest.mark.parametrize("command", ["trials", "drugs", "mechanisms"])
def test_lists_are_json(command):
    done = run(command, "--json")
    assert done.returncode == 0, done.stderr
    names = [row["name"] for row in json.loads(done.stdout)]
    assert {"trials": "keynote-024", "drugs": "pembrolizumab", "mechanisms": "tumour_growth"}[command] in names


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("trial", "keynote-24"), "keynote-024"),
        (("trial", "no_such_file.yaml"), "no_such_file.yaml"),
        (("trial",), "--template"),
        (("show", "pembrolizumb"), "pembrolizumab"),
        (("model", "--drugs", "nivolumb"), "nivolumab"),
        (("trial", "keynote-024", "--engine", "roadruner"), "roadrunner"),
        (("check-sbml", "no_such_folder"), "no_such_folder"),
    ],
)
def test_a_mistake_exits_with_2_and_names_the_nearest_word(arguments, expected):
    done = run(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["keynote-024", "pembrolizumab", "Keytruda", "checkpoints_pd1", "carboplatin"])
def test_show(name):
    done = run("show", name)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 10


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("k_kill", ("parameter of killing", "unit: ", "grade: ", "used in: ", "--set k_kill=x2")),
        ("CD8_T", ("quantity of", "equation: CD8_T = ", "--observe CD8_T")),
        ("C_sensitive", ("state of", "d(C_sensitive)/dt = ", "--observe C_sensitive")),
        ("switch_mdsc", ("0: as if absent", "--set switch_mdsc=0")),
    ],
)
def test_show_explains_a_name_of_the_model(name, expected, capsys):
    from immunescape.api.model import show, shown

    show(name)
    text = capsys.readouterr().out
    for words in expected:
        assert words in text
    facts = shown(name)
    json.dumps(facts)
    assert facts["name"] == name
    assert facts["used_in"]


def test_model_prints_grades_equations_citations_and_writes_sbml(tmp_path):
    done = run("model", "--drugs", "pembrolizumab")
    assert done.returncode == 0, done.stderr
    assert "measured" in done.stdout
    assert "assumed" in done.stdout
    file = tmp_path / "model.xml"
    done = run("model", "--drugs", "pembrolizumab", "--sbml", str(file), "--equations", "--cite")
    assert done.returncode == 0, done.stderr
    assert "d(C_sensitive)/dt" in done.stdout
    assert "doi" in done.stdout.lower() or "PMID" in done.stdout
    assert file.read_text(encoding="utf-8").startswith("<?xml")
    done = run("model", "--sbml", str(tmp_path / "no" / "folder.xml"))
    assert done.returncode == 2
    assert "does not exist" in done.stderr


def test_template_and_schema_load_again(tmp_path):
    import jsonschema
    import yaml

    template = run("trial", "--template").stdout
    schema = json.loads(run("trial", "--schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load(template), schema)


@pytest.mark.slow
def test_a_trial_writes_its_files_and_a_rerun_is_bit_identical(tmp_path):
    done = run("trial", "keynote-024", "--patients", "6", "--seed", "3", "--workers", "1", "--out", str(tmp_path / "a"))
    assert done.returncode == 0, done.stderr
    assert "Predicted beside published" in done.stdout
    assert {p.name for p in (tmp_path / "a").iterdir()} >= {"result.json", "patients.parquet", "report.html"}
    again = run(
        "trial",
        "keynote-024",
        "--patients",
        "6",
        "--seed",
        "3",
        "--workers",
        "2",
        "--out",
        str(tmp_path / "b"),
        "--json",
    )
    assert again.returncode == 0, again.stderr
    first = json.loads((tmp_path / "a" / "result.json").read_text())
    second = json.loads(again.stdout)
    for content in (first, second):
        del content["wall_s"], content["provenance"]["date"]
    assert first == second
    assert [arm["name"] for arm in first["arms"]] == ["pembrolizumab", "platinum doublet"]
    assert (tmp_path / "a" / "patients.parquet").read_bytes() == (tmp_path / "b" / "patients.parquet").read_bytes()
    started = time.perf_counter()
    resumed = run("trial", "keynote-024", "--patients", "6", "--seed", "3", "--out", str(tmp_path / "a"), "--json")
    assert resumed.returncode == 0
    third = json.loads(resumed.stdout)
    del third["wall_s"], third["provenance"]["date"]
    assert third == first
    assert time.perf_counter() - started < 120


def test_the_package_runs_as_a_module_as_well() -> None:
    out = subprocess.run(
        [sys.executable, "-m", "immunescape", "drugs", "--no-such"], capture_output=True, text=True, check=False
    )
    assert out.returncode == 2
    assert "--no-such" in out.stderr
