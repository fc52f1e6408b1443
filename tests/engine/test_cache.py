"""The cache of compiled models: damage is found and repaired, never loaded."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tests.engine.small import sbml

from immunescape.engine import Job
from immunescape.engine.native import cache
from immunescape.engine.native.cache import cache_folder, fetch, fingerprint, remove_spare, settle_folder
from immunescape.engine.native.engine import NativeEngine
from immunescape.errors import EngineError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMMUNESCAPE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def build(text: str, calls: list[str]):
    def fill(target: Path) -> dict[str, object]:
        calls.append(text)
        (target / "data.bin").write_text(text)
        return {"text": text}

    return fill


def test_an_entry_is_built_once():
    calls: list[str] = []
    first = fetch("k", build("one", calls))
    assert fetch("k", build("two", calls)) == first
    assert calls == ["one"]
    assert first[1] == {"text": "one"}


@pytest.mark.parametrize("damage", ["flip", "truncate", "delete", "record", "garbage"])
def test_a_damaged_entry_is_rebuilt(damage: str):
    calls: list[str] = []
    entry, _ = fetch("k", build("one", calls))
    file, record = entry / "data.bin", entry / "entry.json"
    if damage == "flip":
        file.write_text("onf")
    elif damage == "truncate":
        file.write_text("")
    elif damage == "delete":
        file.unlink()
    elif damage == "record":
        outer = json.loads(record.read_text())
        outer["body"] = outer["body"].replace("one", "six")
        record.write_text(json.dumps(outer))
    else:
        record.write_text("{nonsense")
    entry, content = fetch("k", build("two", calls))
    assert calls == ["one", "two"]
    assert content == {"text": "two"}
    assert (entry / "data.bin").read_text() == "two"


def test_a_failed_build_leaves_nothing_behind(folder: Path):
    def fail(_: Path) -> dict[str, object]:
        raise EngineError("no")

    with pytest.raises(EngineError):
        fetch("k", fail)
    assert list(folder.iterdir()) == []


@pytest.fixture
def no_spare(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("IMMUNESCAPE_SPARE_CACHE", "")


@pytest.mark.usefixtures("no_spare")
def test_a_temporary_folder_stands_in_for_one_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("IMMUNESCAPE_CACHE", str(tmp_path / "file" / "below"))
    with pytest.warns(UserWarning, match="Set IMMUNESCAPE_CACHE"):
        entry, record = fetch("k", build("one", []))
    assert record == {"text": "one"}
    assert (entry / "data.bin").read_text() == "one"


@pytest.mark.usefixtures("no_spare")
@pytest.mark.parametrize("options", ["ro", "noexec", "size=64k"])
def test_a_model_is_compiled_where_the_cache_is_no_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str):
    place = tmp_path / "mounted"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("file systems cannot be mounted here")
    try:
        monkeypatch.setenv("IMMUNESCAPE_CACHE", str(place))
        with pytest.warns(UserWarning, match="compiled models are kept in"):
            result = NativeEngine().compile(sbml({"x": (1.0, "-x")})).run(Job(1, np.array([0.0, 1.0]), ("x",)))
        assert result["x"][0, -1] == pytest.approx(np.exp(-1), rel=1e-4)
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


def test_the_platform_folder_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("IMMUNESCAPE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "immunescape"


def test_a_fingerprint_depends_on_where_parts_end():
    assert fingerprint("ab", "c") != fingerprint("a", "bc")


def test_a_damaged_library_is_compiled_again(folder: Path):
    text = sbml({"x": (1.0, "-x")})
    job = Job(1, np.array([0.0, 1.0]), ("x",))
    before = NativeEngine().compile(text).run(job)
    (library,) = folder.glob("*/model.so")
    content = bytearray(library.read_bytes())
    content[len(content) // 2] ^= 1
    library.unlink()  # the running process keeps the old file mapped
    library.write_bytes(bytes(content))
    after = NativeEngine().compile(text).run(job)
    (library,) = folder.glob("*/model.so")
    assert library.read_bytes() != bytes(content)
    np.testing.assert_array_equal(before.values, after.values)


def test_two_processes_at_once_build_an_entry_once(folder: Path):
    calls: list[str] = []
    began, go_on = threading.Event(), threading.Event()

    def slow(place: Path) -> dict[str, str]:
        began.set()
        go_on.wait(10)
        return build("text", calls)(place)

    with ThreadPoolExecutor(2) as pool:  # file locks are held by open files: threads exclude each other as processes do
        first = pool.submit(fetch, "key", slow)
        began.wait(10)
        second = pool.submit(fetch, "key", build("text", calls))
        go_on.set()
        assert first.result() == second.result()
    assert len(calls) == 1
    assert not list(folder.glob(".*"))


HOLDER = """
import time
from immunescape.engine.native import cache

def build(place):
    (place / "begun").write_text("")
    print("begun", flush=True)
    time.sleep(60)

cache.fetch("key", build)
"""


def held() -> subprocess.Popen[str]:
    """Another process that builds the entry ``key`` and does not finish."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


def test_a_killed_process_leaves_no_lock(folder: Path):
    process = held()
    try:
        assert (folder / ".key.lock").exists()
        process.kill()
        process.wait(10)
        calls: list[str] = []
        fetch("key", build("text", calls))
    finally:
        process.kill()
    assert calls == ["text"]
    assert not (folder / ".key.lock").exists()


def test_a_lock_that_is_never_given_back_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cache, "_LONGEST_BUILD", 0.2)
    process = held()
    try:
        calls: list[str] = []
        assert fetch("key", build("text", calls))[1] == {"text": "text"}
        assert process.poll() is None
    finally:
        process.kill()
        process.wait(10)
    assert calls == ["text"]


def test_a_file_system_without_locks_is_used(folder: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    calls: list[str] = []
    assert fetch("key", build("text", calls))[1] == {"text": "text"}
    assert calls == ["text"]


def test_processes_started_later_share_the_temporary_folder_and_only_use_is_told_of(tmp_path, monkeypatch, recwarn):
    not_a_folder = tmp_path / "file"
    not_a_folder.write_text("", encoding="utf-8")
    monkeypatch.setenv("IMMUNESCAPE_CACHE", str(not_a_folder / "cache"))
    monkeypatch.delenv("IMMUNESCAPE_SPARE_CACHE", raising=False)
    settle_folder()
    spare = Path(os.environ["IMMUNESCAPE_SPARE_CACHE"])
    assert spare.is_dir()
    assert not recwarn.list
    with pytest.warns(UserWarning, match=re.escape(str(spare))):
        folder, record = fetch("0" * 40, lambda folder: {"made": True})
    assert folder.parent == spare
    assert record == {"made": True}
    remove_spare()
    assert not spare.exists()
