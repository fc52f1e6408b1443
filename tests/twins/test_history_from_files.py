"""History and monitoring from files by the command `twin`: what lines, scans and blood do to the forecast.

Growing and following twins takes minutes, so twins whose courses are known stand in for the simulated ones; reading,
weights, forecast and output are the real ones.
"""

from __future__ import annotations

import json
import random
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from immunescape.cli.program import app
from immunescape.trial.recorded_lines import LineOutcome
from immunescape.twins import twin as module
from immunescape.twins.conditioning import TwinPopulation
from immunescape.twins.courses import Courses

N = 400
PATIENTS = "patient,age,sex,histology,ecog,prior_lines\nP1,62,female,adenocarcinoma,1,{lines}\n"
MANIFEST = """study: history
files:
  - {file: patients.csv, format: patients}
  - {file: treatments.csv, format: treatments}
  - {file: responses.csv, format: responses}
  - {file: ctdna.csv, format: ctdna}
  - {file: labs.csv, format: labs}
"""
FILES = {
    "treatments": ["patient,start_day,end_day,drug,line", "P1,-500,-80,pembrolizumab,1", "P1,0,300,docetaxel,2"],
    "responses": [
        "patient,day,recist,sld_mm", "P1,-505,,90", "P1,-440,PR,50", "P1,-260,PR,45", "P1,-80,PD,75", "P1,-2,,80",
        "P1,42,SD,78", "P1,84,SD,76",
    ],
    "ctdna": ["patient,day,assay,analyte,value,unit,lod,detected", "P1,0,panel,max VAF,4,VAF percent,0.05,yes",
              "P1,42,panel,max VAF,3,VAF percent,0.05,yes"],
    "labs": ["patient,day,analyte,value,unit", "P1,0,nlr,4,1", "P1,42,nlr,6,1"],
}  # fmt: skip


class World:
    """Twins of two kinds: lasting ones respond long to every line, the others progress at the first scan."""

    def __init__(self) -> None:
        self.courses: list[object] = []
        self.tasks: list[object] = []

    def condition(self, patient, facts, *, twins, seed, course, **_) -> TwinPopulation:
        self.courses.append(course)
        table = pd.DataFrame({"lasting": np.arange(N) % 2 == 0}, index=pd.RangeIndex(N, name="id"))
        return TwinPopulation(
            patient=patient,
            table=table,
            weights=np.full(N, 1 / N),
            facts=tuple(facts),
            effective=float(N),
            candidates=N,
            surprise={},
            seed=seed,
        )

    def follow(self, task, table, **_) -> Courses:
        self.tasks.append(task)
        lasting = {int(i): bool(x) for i, x in table["lasting"].items()}
        history = tuple(
            {
                i: LineOutcome(400.0, np.inf, "PR", {60.0: 0.55, 240.0: 0.5, 420.0: 0.85})
                if x else LineOutcome(60.0, np.inf, "PD", {60.0: 1.4})
                for i, x in lasting.items()
            }
            for _ in task.history
        )  # fmt: skip
        arm = task.arms[0][0]
        rows = [
            {
                "id": i, "arm": arm, "best_response": "PR" if x else "PD", "sld_mm_baseline": 80.0,
                "progression_day": 300.0 if x else 60.0, "death_day": 700.0 if x else 200.0, "grade3_day": None,
                "toxicity_stop_day": None,
            }
            for i, x in lasting.items()
        ]  # fmt: skip
        scans = [
            {"id": i, "arm": arm, "day": day, "change_pct": 100 * (ratio - 1)}
            for i, x in lasting.items()
            for day, ratio in (((42.0, 0.97), (84.0, 0.95)) if x else ((42.0, 1.1), (84.0, 1.5)))
        ]
        return Courses(pd.DataFrame(rows), pd.DataFrame(scans), history)


@pytest.fixture
def world(monkeypatch) -> World:
    made = World()
    monkeypatch.setattr(module, "condition", made.condition)
    monkeypatch.setattr(module, "follow", made.follow)
    return made


def written(folder, files=FILES, lines: int = 1, seed: int | None = None):
    folder.mkdir(exist_ok=True)
    (folder / "manifest.yaml").write_text(MANIFEST)
    (folder / "patients.csv").write_text(PATIENTS.format(lines=lines))
    for name, (head, *rows) in files.items():
        own = list(rows)
        if seed is not None:
            random.Random(seed).shuffle(own)
        (folder / f"{name}.csv").write_text("\n".join([head, *own]) + "\n")
    return folder


def twin(folder, tmp_path, *arguments: str):
    command = ["twin", str(folder), "--patient", "P1", "-w", "1", "--out", str(tmp_path / "out"), "--json", *arguments]
    return CliRunner().invoke(app, command)


def shown(folder, tmp_path, *arguments: str) -> dict:
    result = twin(folder, tmp_path, *arguments)
    assert result.exit_code == 0, result.output + str(result.exception)
    return json.loads(result.stdout[result.stdout.index("{") :])


def test_an_earlier_line_with_its_scans_conditions_the_twins(world, tmp_path):
    found = shown(written(tmp_path / "s"), tmp_path)
    assert found["lines"] == [
        {"drugs": ["pembrolizumab"], "start_day": -500.0, "best_response": "PR", "progression_day": -80.0}
    ]
    assert found["line"] == 2
    assert world.tasks[0].history[0].drugs == ("pembrolizumab",)
    assert "docetaxel" in found["regimen"]
    assert found["forecast"]["os_12"] > 0.95  # only the lasting twins had such a course


def test_a_line_that_failed_at_once_favours_the_other_twins(world, tmp_path):
    failed = {
        **FILES,
        "treatments": [FILES["treatments"][0], "P1,-160,-90,pembrolizumab,1", FILES["treatments"][2]],
        "responses": [FILES["responses"][0], "P1,-165,,60", "P1,-98,PD,86", "P1,-2,,92"],
    }
    assert shown(written(tmp_path / "s", failed), tmp_path)["forecast"]["os_12"] < 0.05


def test_without_scans_the_days_of_a_line_still_say_how_long_it_lasted(world, tmp_path):
    bare = {**FILES, "responses": ["patient,day,recist", "P1,-440,PR", "P1,-80,PD"]}
    assert shown(written(tmp_path / "s", bare), tmp_path)["forecast"]["os_12"] > 0.9


def test_on_a_later_day_scans_of_the_line_move_the_forecast_and_nothing_later_is_read(world, tmp_path):
    only = {**FILES, "treatments": [FILES["treatments"][0], FILES["treatments"][2]],
            "responses": [FILES["responses"][0], *FILES["responses"][5:]]}  # fmt: skip
    folder = written(tmp_path / "s", only, lines=0)
    start = shown(folder, tmp_path)
    assert start["forecast"]["os_12"] == pytest.approx(0.5, abs=0.01)
    later = shown(folder, tmp_path, "--at", "90")
    assert later["forecast_before"]["os_12"] == pytest.approx(0.5, abs=0.01)
    assert later["forecast"]["os_12"] > 0.8
    early = shown(folder, tmp_path, "--at", "41")
    assert early["forecast"]["os_12"] == pytest.approx(0.5, abs=0.01)  # the scan of day 42 is not there yet


def test_scans_and_ctdna_of_a_first_line_are_given_to_the_growing_of_the_twins(world, tmp_path):
    only = {**FILES, "treatments": [FILES["treatments"][0], FILES["treatments"][2]],
            "responses": [FILES["responses"][0], *FILES["responses"][5:]]}  # fmt: skip
    shown(written(tmp_path / "s", only, lines=0), tmp_path, "--at", "90")
    course = world.courses[-1]
    assert [f.biomarker for f in course.facts] == ["scan on day 42", "scan on day 84", "ctDNA on day 42"]
    assert course.facts[2].value == pytest.approx(np.log(3 / 4))
    assert world.courses[0] is None  # the forecast before the first dose knows neither


def test_what_is_not_used_is_said(world, tmp_path):
    notes = " ".join(shown(written(tmp_path / "s"), tmp_path, "--at", "90")["notes"])
    assert "blood taken after day 0 is not used (nlr)" in notes
    assert "ctDNA on a line after an earlier one is not used" in notes


def test_neither_the_order_of_rows_nor_that_of_files_matters(world, tmp_path):
    one = shown(written(tmp_path / "a"), tmp_path, "--at", "90")
    other = written(tmp_path / "b", dict(reversed(FILES.items())), seed=5)
    lines = MANIFEST.splitlines()
    (other / "manifest.yaml").write_text("\n".join([*lines[:2], *reversed(lines[2:])]) + "\n")
    assert shown(other, tmp_path, "--at", "90") == one


@pytest.mark.parametrize(
    ("kind", "rows", "message"),
    [
        ("responses", ["P1,-505,,9.0", "P1,-440,PR,5.0", "P1,-80,PD,7.5", "P1,-2,,8"], "measurable lesion"),
        ("responses", ["P1,-505,,90", "P1,-440,PR,50", "P1,-80,PD,750", "P1,-2,,800"], "750 mm on day -80"),
        ("labs", ["P1,0,albumin,3.8,g/L"], "albumin"),
    ],
)
def test_a_wrong_unit_is_caught_before_anything_is_conditioned(world, tmp_path, kind, rows, message):
    files = {**FILES, kind: [FILES[kind][0], *rows]}
    result = twin(written(tmp_path / "s", files), tmp_path)
    assert result.exit_code != 0
    assert message in str(result.exception) + result.output
    assert not world.tasks


def test_a_course_that_no_twin_has_is_refused_with_the_reason(world, tmp_path, monkeypatch):
    nobody = world.follow

    def dead(task, table, **settings):
        made = nobody(task, table, **settings)
        return replace(made, history=tuple({i: LineOutcome(1.0, 1.0, "PD", {}) for i in h} for h in made.history),
                       patients=made.patients.head(0).assign(id=[], arm=[]))  # fmt: skip

    monkeypatch.setattr(module, "follow", dead)
    result = twin(written(tmp_path / "s"), tmp_path)
    assert result.exit_code != 0
    assert "twins" in str(result.exception)
