"""A place that cannot be written to is found before anything is computed, by every command that has one."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from immunescape.cli import app
from immunescape.design.loading import list_designs
from immunescape.errors import InputError
from immunescape.files import check_file, check_folder

COMMANDS = [
    ["trial", "keynote-024", "--out"],
    ["validate", "keynote-024", "--out"],
    ["calibrate", "keynote-024", "--out"],
    ["design", "--out"],
    ["profile", "--example", "--out"],
]
FILES = [
    ["validate", "keynote-024", "--html"],
    ["claims", "--html"],
    ["sensitivity", "keynote-024", "--png"],
]


def refusal(arguments: list[str]) -> str:
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, InputError), result.output
    return str(result.exception)


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda c: c[0])
def test_a_folder_below_a_file_is_refused(arguments: list[str], tmp_path: Path, monkeypatch: Any) -> None:
    nothing_is_computed(monkeypatch)
    (tmp_path / "file").touch()
    if arguments[0] == "design":
        arguments = ["design", next(iter(list_designs())), "--out"]
    assert "is a file, not a folder" in refusal([*arguments, str(tmp_path / "file" / "out")])


@pytest.mark.parametrize("arguments", [c for c in COMMANDS if c[0] != "design"], ids=lambda c: c[0])
@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC])
def test_a_read_only_or_full_folder_is_refused(
    arguments: list[str], number: int, tmp_path: Path, monkeypatch: Any
) -> None:
    nothing_is_computed(monkeypatch)

    def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    text = refusal([*arguments, str(tmp_path / "out")])
    assert "Read-only file system" in text or "No space left on device" in text
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", FILES, ids=lambda c: c[0])
def test_a_file_in_a_folder_that_does_not_exist_is_refused(
    arguments: list[str], tmp_path: Path, monkeypatch: Any
) -> None:
    nothing_is_computed(monkeypatch)
    assert "does not exist" in refusal([*arguments, str(tmp_path / "none" / "page.html")])


def test_a_full_file_system_is_found_by_writing(tmp_path: Path, monkeypatch: Any) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full")
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: full.open("wb"))
    with pytest.raises(InputError, match="No space left on device"):
        check_folder(tmp_path)


def test_a_good_place_is_left_as_it_was(tmp_path: Path) -> None:
    check_folder(tmp_path / "a" / "b")
    check_file(tmp_path / "page.html", "--html")
    check_file(None, "--html")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="is a folder"):
        check_file(tmp_path, "--html")


def nothing_is_computed(monkeypatch: Any) -> None:
    def forbidden(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("something was computed")

    monkeypatch.setattr("immunescape.model.assembly.Model.build", forbidden)
    monkeypatch.setattr("immunescape.api.profiles.profile_study", forbidden)
