"""Folders of results: nothing of another trial, design or study is overwritten, and nothing is computed in vain."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from immunescape.cli import app
from immunescape.cli.folders import refuse_other
from immunescape.errors import ImmunescapeError

HELD = {
    "result.json": {"immunescape": "0.1.0", "trial": "other-trial"},
    "design.json": {"designs": [{"name": "other-design"}]},
    "profile.json": {"schema": "2", "study": "other-study"},
}
COMMANDS = (
    ("trial", "keynote-024", "-n", "2"),
    ("design", "pdl1-enrichment", "-r", "1"),
    ("profile", "--example"),
    ("cohort", "--example"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
@pytest.mark.parametrize("file", HELD)
def test_the_result_of_something_else_is_not_overwritten(words, file: str, tmp_path: Path) -> None:
    if (words[0] in ("profile", "cohort")) and file == "profile.json":
        pytest.skip("the name of the study is known when it is read: the next test")
    (tmp_path / file).write_text(json.dumps(HELD[file]))
    (tmp_path / "report.html").write_text("kept")
    done = CliRunner().invoke(app, [*words, "--out", str(tmp_path)])
    assert isinstance(done.exception, ImmunescapeError)
    text = str(done.exception)
    assert "other-" in text
    assert "--force" in text
    assert (tmp_path / "report.html").read_text() == "kept"
    assert json.loads((tmp_path / file).read_text()) == HELD[file]


def test_another_study_is_refused_and_the_same_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "profile.json").write_text(json.dumps(HELD["profile.json"]))
    with pytest.raises(ImmunescapeError, match="other-study"):
        refuse_other(tmp_path, "study", "mine", force=False)
    refuse_other(tmp_path, "study", "other-study", force=False)
    refuse_other(tmp_path, "study", "mine", force=True)


def test_files_that_are_no_result_do_not_stand_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_bytes(b"\xff\xfe")
    (tmp_path / "design.json").write_text("[]")
    refuse_other(tmp_path, "trial", "mine", force=False)


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("model",), "--sbml"),
        (("rank", "--example"), "--design"),
        (("sensitivity", "keynote-024"), "--png"),
        (("validate",), "--html"),
        (("claims",), "--html"),
        (("claims", "--must-not"), "--html"),
        (("trial", "keynote-024"), "--out"),
        (("design", "pdl1-enrichment"), "--out"),
        (("profile", "--example"), "--out"),
        (("cohort", "--example"), "--out"),
        (("twin", "--example"), "--out"),
        (("rank", "--example"), "--out"),
        (("simulate", "none"), "--out"),
        (("credibility", "keynote-024"), "--out"),
        (("ensemble", "keynote-024"), "--out"),
        (("validate", "keynote-024"), "--out"),
        (("calibrate", "keynote-024"), "--out"),
        (("harness", "--trials", "keynote-024"), "--out"),
        (("ablate", "-m", "adenosine"), "--out"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_a_place_that_cannot_be_written_is_refused_before_anything_is_computed(
    words: tuple[str, ...], option: str, tmp_path: Path, monkeypatch
) -> None:
    def computed(*_: object, **__: object) -> None:
        raise AssertionError("a model was compiled before the place was looked at")

    monkeypatch.setattr("immunescape.engine.native.engine.NativeEngine.compile", computed)
    (tmp_path / "file").write_text("")
    done = CliRunner().invoke(app, [*words, option, str(tmp_path / "file" / "below")])
    assert isinstance(done.exception, ImmunescapeError), (done.exception, done.output)
    assert "file" in str(done.exception)
