"""Files appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from immunescape.errors import ImmunescapeError, InputError
from immunescape.files import whole_file


def test_a_file_gets_its_name_when_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.txt"
    with whole_file(path, "cannot write", hint="") as file:
        file.write(b"one")
        assert not path.exists()
    assert path.read_bytes() == b"one"
    assert list(path.parent.iterdir()) == [path]


def test_what_fails_midway_leaves_the_old_file_and_no_part(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    with pytest.raises(TypeError), whole_file(path, "cannot write", hint="") as file:
        file.writelines([b"ne", "w"])  # type: ignore[list-item]
    with pytest.raises(ImmunescapeError, match="cannot write: disk full"), whole_file(path, "cannot write", hint=""):
        raise OSError(28, "disk full")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_error_says_what_where_and_what_next(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    path = tmp_path / "file" / "a.txt"  # below a file no folder can be made
    with pytest.raises(InputError) as caught, whole_file(path, "cannot keep it", hint="Elsewhere.", error=InputError):
        pass
    assert caught.value.message.startswith("cannot keep it: ")
    assert caught.value.where == str(path)
    assert caught.value.hint == "Elsewhere."
    gone = tmp_path / "none" / "a.txt"
    with pytest.raises(ImmunescapeError, match="here: cannot keep it"):
        with whole_file(gone, "cannot keep it", hint="", where="here", parents=False):
            pass
    assert not gone.parent.exists()
