"""History and monitoring from files by the command `twin`: what lines, scans and blood do to the forecast.

Growing and following twins takes minutes, so twins whose courses are known stand in for the simulated ones; reading,
weights, forecast and output are the real ones.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from immunescape.cli.program import app
from immunescape.trial.recorded_lines import LineOutcome
from immunescape.twins import earlier_lines
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
        "patient,day,recist,sld_mm",
        "P1,-505,,90",
        "P1,-440,PR,50",
        "P1,-260,PR,45",
        "P1,-80,PD,75",
        "P1,-2,,80",
        "P1,42,SD,78",
        "P1,84,SD,76",
    ],
    "ctdna": [
        "patient,day,assay,analyte,value,unit,lod,detected",
        "P1,0,panel,max VAF,4,VAF percent,0.05,yes",
        "P1,42,panel,max VAF,3,VAF percent,0.05,yes",
    ],
    "labs": ["patient,day,analyte,value,unit", "P1,0,nlr,4,1", "P1,42,nlr,6,1"],
}


class Grown:
    """Candidates of whom every second is a lasting one; growing more costs nothing."""

    def __init__(self, patient: str, facts: tuple, seed: int) -> None:
        self.patient, self.facts, self.seed, self.grown, self.effective = patient, facts, seed, 0, 0.0

    def grow_until(self, effective: float, most: int = 6144) -> bool:
        self.grown = min(max(self.grown, int(effective), N), most)
        self.effective = float(self.grown)
        return self.effective >= effective

    def drawn(self, twins: int) -> TwinPopulation:
        n = min(twins, self.grown)
        table = pd.DataFrame({"lasting": np.arange(n) % 2 == 0}, index=pd.RangeIndex(n, name="id"))
        return TwinPopulation(
            patient=self.patient,
            table=table,
            weights=np.full(n, 1 / n),
            facts=self.facts,
            effective=float(n),
            candidates=self.grown,
            surprise={},
            seed=self.seed,
        )


class World:
    """Twins of two kinds: lasting ones respond long to every line, the others progress at the first scan."""

    def __init__(self) -> None:
        self.courses: list[object] = []
        self.tasks: list[object] = []
        self.given: list[tuple[bool, ...]] = []  # twins that were followed on a regimen: lasting or not

    def candidates(self, patient, facts, *, first, seed, course, **_):
        self.courses.append(course)
        return Grown(patient, tuple(facts), seed)

    def follow(self, task, table, **_) -> Courses:
        self.tasks.append(task)
        lasting = {int(i): bool(x) for i, x in table["lasting"].items()}
        history = tuple(
            {
                i: LineOutcome(400.0, np.inf, "PR", {60.0: 0.55, 240.0: 0.5, 420.0: 0.85})
                if x
                else LineOutcome(60.0, np.inf, "PD", {60.0: 1.4})
                for i, x in lasting.items()
            }
            for _ in task.history
        )
        self.given.append(() if task.to_entry else tuple(lasting.values()))
        arm = task.arms[0][0]
        rows = [
            {
                "id": i,
                "arm": arm,
                "best_response": "PR" if x else "PD",
                "sld_mm_baseline": 80.0,
                "progression_day": 300.0 if x else 60.0,
                "death_day": 700.0 if x else 200.0,
                "grade3_day": None,
                "toxicity_stop_day": None,
            }
            for i, x in lasting.items()
        ]
        scans = [
            {"id": i, "arm": arm, "day": day, "change_pct": 100 * (ratio - 1)}
            for i, x in lasting.items()
            for day, ratio in (((42.0, 0.97), (84.0, 0.95)) if x else ((42.0, 1.1), (84.0, 1.5)))
        ]
        return Courses(pd.DataFrame(rows), pd.DataFrame(scans), history)


@pytest.fixture
def world(monkeypatch) -> World:
    made = World()
    monkeypatch.setattr(module, "Candidates", made.candidates)
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
        {
            "drugs": ["pembrolizumab"],
            "recorded": ["pembrolizumab"],
            "start_day": -500.0,
            "baseline_mm": 90.0,
            "scans": [
                {"day": -440.0, "sld_mm": 50.0, "response": "PR"},
                {"day": -260.0, "sld_mm": 45.0, "response": "PR"},
                {"day": -80.0, "sld_mm": 75.0, "response": "PD"},
            ],
            "best_response": "PR",
            "progression_day": -80.0,
        }
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
    only = {
        **FILES,
        "treatments": [FILES["treatments"][0], FILES["treatments"][2]],
        "responses": [FILES["responses"][0], *FILES["responses"][5:]],
    }
    folder = written(tmp_path / "s", only, lines=0)
    start = shown(folder, tmp_path)
    assert start["forecast"]["os_12"] == pytest.approx(0.5, abs=0.01)
    later = shown(folder, tmp_path, "--at", "90")
    assert later["forecast_before"]["os_12"] == pytest.approx(0.5, abs=0.01)
    assert later["forecast"]["os_12"] > 0.8
    early = shown(folder, tmp_path, "--at", "41")
    assert early["forecast"]["os_12"] == pytest.approx(0.5, abs=0.01)  # the scan of day 42 is not there yet


def test_scans_and_ctdna_of_a_first_line_are_given_to_the_growing_of_the_twins(world, tmp_path):
    only = {
        **FILES,
        "treatments": [FILES["treatments"][0], FILES["treatments"][2]],
        "responses": [FILES["responses"][0], *FILES["responses"][5:]],
    }
    shown(written(tmp_path / "s", only, lines=0), tmp_path, "--at", "90")
    course = world.courses[-1]
    assert [f.biomarker for f in course.facts] == ["scan on day 42", "scan on day 84", "ctDNA on day 42"]
    assert course.facts[2].value == pytest.approx(np.log(3 / 4))
    assert world.courses[0] is None  # the forecast before the first dose knows neither


ON_FIRST_LINE = {
    **FILES,
    "treatments": [FILES["treatments"][0], FILES["treatments"][2]],
    "responses": [FILES["responses"][0], *FILES["responses"][5:]],
}


class Thin(Grown):
    """Candidates of whom eight make an effective one."""

    def grow_until(self, effective: float, most: int = 6144) -> bool:
        super().grow_until(8 * effective, most)
        self.effective = self.grown / 8
        return self.effective >= effective


@pytest.fixture
def rare(world, monkeypatch) -> World:
    """Twins of whom one in fifty has the patient's course."""
    follow = world.follow

    def few(task, table, **settings):
        return follow(task, table.assign(lasting=table.index % 50 == 0), **settings)

    monkeypatch.setattr(module, "follow", few)
    return world


def test_where_few_twins_have_the_course_of_an_ongoing_line_more_are_drawn(rare, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "Candidates", lambda patient, facts, *, seed, **_: Thin(patient, tuple(facts), seed))
    found = shown(written(tmp_path / "s", ON_FIRST_LINE, lines=0), tmp_path, "--at", "90")
    assert found["effective_twins"] >= 200
    assert found["candidates"] > 6144  # as many as would be grown without a course
    assert found["forecast"]["os_12"] > 5 * found["forecast_before"]["os_12"]


def test_a_refused_course_of_an_ongoing_line_says_how_many_agree_and_how_many_are_needed(rare, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_GROWN", 400)
    result = twin(written(tmp_path / "s", ON_FIRST_LINE, lines=0), tmp_path, "--at", "90")
    assert result.exit_code != 0
    said = str(result.exception)
    assert re.match(r"of 400 twins from 400 candidates, \d\d effective ones agree with the course on docetaxel", said)
    assert "up to day 90; 200 are needed" in said


def test_what_is_not_used_is_said(world, tmp_path):
    notes = " ".join(shown(written(tmp_path / "s"), tmp_path, "--at", "90")["notes"])
    assert "blood taken after day 0 is not used (neutrophil-to-lymphocyte ratio)" in notes
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
        return replace(
            made,
            history=tuple({i: LineOutcome(1.0, 1.0, "PD", {}) for i in h} for h in made.history),
            patients=made.patients.head(0).assign(id=[], arm=[]),
        )

    monkeypatch.setattr(module, "follow", dead)
    monkeypatch.setattr(earlier_lines, "MOST_GROWN", 1600)
    result = twin(written(tmp_path / "s"), tmp_path)
    assert result.exit_code != 0
    assert "twins" in str(result.exception)


def test_only_twins_that_agree_with_the_earlier_lines_are_followed_on_the_regimen(world, tmp_path):
    found = shown(written(tmp_path / "s"), tmp_path, "-n", "250")
    assert found["effective_twins"] >= 200
    assert sum(task.to_entry for task in world.tasks) >= 1
    on_the_regimen = [lasting for given in world.given for lasting in given]
    assert all(on_the_regimen)
    assert len(on_the_regimen) <= 250


def test_where_few_candidates_come_through_the_earlier_lines_more_are_taken(world, tmp_path, monkeypatch):
    follow = world.follow

    def most_die(task, table, **settings):
        made = follow(task, table, **settings)
        if not task.to_entry:
            return made
        alive = made.patients[made.patients["id"] % 16 == 0]
        return replace(made, patients=alive, excluded={"died in an earlier line": len(table) - len(alive)})

    monkeypatch.setattr(module, "follow", most_die)
    counted = {**FILES, "treatments": [FILES["treatments"][0], FILES["treatments"][2]]}
    found = shown(written(tmp_path / "s", counted, lines=2), tmp_path, "-n", "250")
    assert found["unknown_lines"] == 2
    assert found["effective_twins"] >= 200
    assert found["candidates"] > 16 * 200


def refused(folder, tmp_path) -> str:
    result = twin(folder, tmp_path)
    assert result.exit_code != 0
    error = result.exception
    return f"{error} {getattr(error, 'hint', '')} {result.output}"


def drawn_wide(made: Courses) -> Courses:
    """Courses of which no two are alike: sizes and scans of twins differ by their own numbers."""
    z = {i: float(np.random.default_rng(i).standard_normal()) for i in made.patients["id"].tolist()}
    sizes = [80.0 * np.exp(0.4 * z[i]) for i in made.patients["id"].tolist()]
    lines = tuple({i: replace(o, changes={60.0: np.exp(0.3 * z[i])}) for i, o in h.items()} for h in made.history)
    return replace(made, patients=made.patients.assign(sld_mm_baseline=sizes), history=lines)


@pytest.fixture
def wide(world, monkeypatch) -> World:
    follow = world.follow
    monkeypatch.setattr(module, "follow", lambda task, table, **settings: drawn_wide(follow(task, table, **settings)))
    monkeypatch.setattr(earlier_lines, "MOST_GROWN", 1600)
    return world


def test_a_size_that_no_twin_has_after_the_earlier_lines_is_named_with_what_to_do(wide, tmp_path):
    counted = {
        **FILES,
        "treatments": [FILES["treatments"][0], FILES["treatments"][2]],
        "responses": ["patient,day,recist,sld_mm", "P1,-2,,600"],
    }
    said = refused(written(tmp_path / "s", counted, lines=2), tmp_path)
    assert "the sum of diameters before this line (600 mm)" in said
    assert "the twins are not conditioned on it" in said


def test_a_size_that_few_twins_have_after_the_earlier_lines_is_said_to_be_unlikely(wide, tmp_path):
    counted = {
        **FILES,
        "treatments": [FILES["treatments"][0], FILES["treatments"][2]],
        "responses": ["patient,day,recist,sld_mm", "P1,-2,,190"],
    }
    found = shown(written(tmp_path / "s", counted, lines=2), tmp_path)
    assert found["least_likely"]["biomarker"] == "sum of diameters before this line"
    assert found["least_likely"]["probability"] == pytest.approx(0.067, abs=0.02)  # |z| of ln(190/80) over 0.47


def test_lines_without_names_that_nobody_survives_are_named_with_what_to_do(world, tmp_path, monkeypatch):
    follow = world.follow

    def dead(task, table, **settings):
        made = follow(task, table, **settings)
        return replace(made, patients=made.patients.head(0), excluded={"died in an earlier line": len(table)})

    monkeypatch.setattr(module, "follow", dead)
    monkeypatch.setattr(earlier_lines, "MOST_GROWN", 1600)
    counted = {**FILES, "treatments": [FILES["treatments"][0], FILES["treatments"][2]]}
    said = refused(written(tmp_path / "s", counted, lines=2), tmp_path)
    assert "died in an earlier line" in said
    assert "Name the drugs and days of the earlier lines" in said


def test_a_recorded_line_that_no_twin_has_is_named(wide, tmp_path):
    odd = {**FILES, "responses": [FILES["responses"][0], "P1,-505,,90", "P1,-440,PR,12", "P1,-80,PD,"]}
    assert "the course on pembrolizumab from day -500" in refused(written(tmp_path / "s", odd), tmp_path)
