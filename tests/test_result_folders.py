"""Folders of results: nothing of others is overwritten or mixed with, and nothing is computed in vain."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from immunescape.cli import app
from immunescape.cli.folders import check_results_folder, refuse_foreign_file
from immunescape.cli.simulate import FILES as COURSE_FILES
from immunescape.errors import ImmunescapeError, InputError
from immunescape.profile.loading import example_folder, study_name

STUDY = str(example_folder())
HELD = {
    "result.json": ({"trial": "other-trial", "seed": 1}, "the trial 'other-trial'"),
    "design.json": ({"design": "other-design", "kind": "enrichment"}, "the design 'other-design'"),
    "profile.json": ({"schema": "2", "study": "other-study"}, "the study 'other-study'"),
    "associations.json": ({"study": "other-study", "treated": None}, "the associations of the study 'other-study'"),
    "cohort.json": ({"study": "other-study", "patients": []}, "the rankings of the study 'other-study'"),
    "course.json": ([{"regimen": 'other "drug"'}, {"regimen": "none"}], "the course under 'other \"drug\"', 'none'"),
    "twins.json": ({"patient": "other-patient"}, "the twins of the patient 'other-patient'"),
    "ranking.json": ({"patient": "other-patient"}, "the ranking of the patient 'other-patient'"),
    "credibility.json": ({"trial": "other-trial"}, "the credibility assessment of the trial 'other-trial'"),
    "reference.json": ({"format": 2, "name": "other"}, "the expression reference 'other'"),
    "calibration.json": ({"seed": 1, "effective_sample_size": 9.0}, "a calibration"),
    "ablation.json": ({"model": "0", "rounds": 2}, "an ablation of mechanisms"),
    "harness.json": ({"digest": "0"}, "a run of the harness"),
    "add_ons.json": ({"backbone": "pembrolizumab"}, "the benefit of added drugs"),
    "ensemble.json": ({"trial": "other-trial"}, "the ensemble of the trial 'other-trial'"),
    "judged.json": ({"form": 1, "pools": {}}, "judged forecasts"),
}
COMMANDS: dict[tuple[str, ...], tuple[tuple[str, ...], str]] = {
    ("trial",): (("keynote-024", "-n", "2"), "report.html"),
    ("design", "simulate"): (("pdl1-enrichment", "-r", "1"), "pdl1-enrichment.yaml"),
    ("profile",): (("--example",), "report.html"),
    ("cohort",): (("--example",), "outcomes.csv"),
    ("reference", "build"): ((STUDY,), "quantiles.csv"),
    ("twin",): (("--example",), "twins.html"),
    ("rank",): (("--example",), "ranking.html"),
    ("simulate",): (("none",), "scans.csv"),
    ("credibility",): (("keynote-024",), "credibility.md"),
    ("ensemble",): (("keynote-024",), "ensemble.json"),
    ("validate",): (("keynote-024",), ""),
    ("calibrate",): (("keynote-024",), "population_fit.csv"),
    ("harness",): (("--trials", "keynote-024"), "harness.md"),
    ("ablate",): (("-m", "adenosine"), "ablation.md"),
    ("predictions", "make"): (("harmoni-7",), ""),
    ("judge",): (("--data", STUDY), "judged.md"),
}
"""Command -> what makes it small, and a file that it writes to --out."""
TWO = ("result.json", "course.json")
CASES = [
    *((words, TWO[words == ("trial",)]) for words in COMMANDS),
    *((("simulate",), file) for file in HELD if file != "result.json"),
]
"""Every command with the result of another one, and one of them with every result."""


def every_command(group: Any, *names: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from every_command(command, *names, name)
        else:
            yield (*names, name), command


def refusal(words: tuple[str, ...], place: Path, option: str = "--out") -> str:
    arguments = COMMANDS[words][0] if words in COMMANDS else ()
    done = CliRunner().invoke(app, [*words, *arguments, option, str(place)])
    assert isinstance(done.exception, ImmunescapeError), (done.exception, done.output)
    return str(done.exception)


@pytest.fixture(autouse=True)
def nothing_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    def computed(*_: object, **__: object) -> None:
        raise AssertionError("something was computed before the place was looked at")

    monkeypatch.setattr("immunescape.engine.native.engine.NativeEngine.compile", computed)
    monkeypatch.setattr("immunescape.api.profiles.profile_study", computed)
    monkeypatch.setattr("immunescape.profile.loading.load_study", computed)


def test_the_table_has_every_command_that_writes_to_a_folder() -> None:
    program = typer.main.get_command(app)
    found = {words for words, command in every_command(program) if any("--out" in p.opts for p in command.params)}
    assert found == set(COMMANDS)


@pytest.mark.parametrize(("words", "file"), CASES, ids=lambda value: value if isinstance(value, str) else value[0])
def test_the_result_of_something_else_is_not_overwritten(words: tuple[str, ...], file: str, tmp_path: Path) -> None:
    content, said = HELD[file]
    (tmp_path / file).write_text(json.dumps(content))
    (tmp_path / "report.html").write_text("kept")
    text = refusal(words, tmp_path)
    assert said in text
    assert "--force" in text
    assert (tmp_path / "report.html").read_text() == "kept"
    assert json.loads((tmp_path / file).read_text()) == content


@pytest.mark.parametrize("words", [w for w, (_, file) in COMMANDS.items() if file], ids=lambda words: words[0])
def test_the_files_of_others_are_not_overwritten(words: tuple[str, ...], tmp_path: Path) -> None:
    name = COMMANDS[words][1]
    (tmp_path / name).write_text("day,drug\n1,pembrolizumab\n")
    (tmp_path / "notes.txt").write_text("in nobody's way")
    text = refusal(words, tmp_path)
    assert f"{name}, which immunescape may not have written" in text
    assert "notes.txt" not in text
    assert "--force" in text


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC, errno.EACCES])
def test_a_folder_that_is_read_only_or_full_is_refused(
    words: tuple[str, ...], number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    text = refusal(words, tmp_path / "new")
    assert "nothing can be written to" in text
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("words", "option"),
    [
        *((words, "--out") for words in COMMANDS),
        (("model",), "--sbml"),
        (("rank", "--example"), "--design"),
        (("sensitivity", "keynote-024"), "--png"),
        (("validate",), "--html"),
        (("claims",), "--html"),
        (("claims", "--must-not"), "--html"),
        (("predictions", "make"), "--folder"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_a_file_in_the_place_of_a_folder_is_refused(words: tuple[str, ...], option: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "file" in refusal(words, tmp_path / "file" / "below", option)
    if option == "--out":
        assert "is a file, not a folder" in refusal(words, tmp_path / "file")


@pytest.mark.parametrize(
    ("words", "option"),
    [(("model",), "--sbml"), (("rank", "--example"), "--design"), (("claims",), "--html"), (("validate",), "--html")],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_a_file_of_others_is_not_replaced(words: tuple[str, ...], option: str, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("my own work")
    assert "was not written by immunescape" in refusal(words, mine, option)
    refuse_foreign_file(mine, option, force=True)
    mine.write_text("<p>immunescape</p>")
    refuse_foreign_file(mine, option, force=False)
    refuse_foreign_file(tmp_path / "new", option, force=False)


def test_the_same_result_is_replaced_and_another_is_not(tmp_path: Path) -> None:
    (tmp_path / "profile.json").write_text(json.dumps(HELD["profile.json"][0]))
    with pytest.raises(ImmunescapeError, match="other-study"):
        check_results_folder(tmp_path, "study", "mine", force=False)
    check_results_folder(tmp_path, "study", "other-study", force=False)
    check_results_folder(tmp_path, "study", "mine", force=True)


def test_designs_and_courses_are_known_by_all_their_names(tmp_path: Path) -> None:
    (tmp_path / "design.json").write_text(json.dumps({"designs": [{"design": "a"}, {"design": "b"}]}))
    check_results_folder(tmp_path, "design", ["a", "b"], force=False)
    with pytest.raises(ImmunescapeError, match="'a', 'b'"):
        check_results_folder(tmp_path, "design", ["a"], force=False)


def test_twins_and_ranking_of_a_patient_share_a_folder(tmp_path: Path) -> None:
    (tmp_path / "twins.json").write_text(json.dumps({"patient": "P1"}))
    (tmp_path / "twins.html").write_text("twins of immunescape")
    check_results_folder(tmp_path, "patient", "P1", force=False, files=("ranking.json", "ranking.html"))
    with pytest.raises(ImmunescapeError, match="the twins of the patient 'P1'"):
        check_results_folder(tmp_path, "patient", "P2", force=False, files=("ranking.json", "ranking.html"))


def test_rankings_of_a_study_are_replaced_by_those_of_the_same_study_only(tmp_path: Path) -> None:
    words = ["rank", STUDY, "--out", str(tmp_path)]
    (tmp_path / "cohort.json").write_text(json.dumps(HELD["cohort.json"][0]))
    done = CliRunner().invoke(app, words)
    assert "contains the rankings of the study 'other-study'" in str(done.exception)
    (tmp_path / "cohort.json").write_text(json.dumps({"study": study_name(STUDY), "patients": []}))
    done = CliRunner().invoke(app, words)
    assert "something was computed" in str(done.exception), "the same study is ranked again"


def test_files_that_cannot_be_read_as_results_are_those_of_others(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_bytes(b"\xff\xfe")
    (tmp_path / "design.json").write_text("[]")
    check_results_folder(tmp_path, "trial", "mine", force=False, files=("report.html",))
    with pytest.raises(ImmunescapeError, match=r"contains result\.json, which"):
        check_results_folder(tmp_path, "trial", "mine", force=False, files=("result.json", "report.html"))


def test_a_regimen_that_cannot_be_read_comes_before_the_folder(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["simulate", "pembrolizumabb 200 mg every 3 weeks", "--out", str(tmp_path)])
    assert isinstance(done.exception, InputError)
    assert "pembrolizumab" in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_simulate_replaces_its_own_course_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    words = ["simulate", "none", "--months", "1", "--planned", "--out", str(tmp_path)]
    for _ in range(2):
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
    assert {file.name for file in tmp_path.iterdir()} == set(COURSE_FILES)
    done = CliRunner().invoke(app, [words[0], "pembrolizumab 200 mg every 3 weeks", *words[2:]])
    assert "the course under 'no treatment'" in str(done.exception)
