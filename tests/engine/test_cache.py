"""The cache of compiled models: damage is found and repaired, never loaded."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tests.engine.small import sbml

from immunescape.engine import Job
from immunescape.engine.cache import cache_folder, fetch, fingerprint
from immunescape.engine.native import NativeEngine
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


def test_an_unwritable_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("IMMUNESCAPE_CACHE", str(tmp_path / "file" / "below"))
    with pytest.raises(EngineError, match="IMMUNESCAPE_CACHE"):
        fetch("k", build("one", []))


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
