"""Finding a C compiler, and doing without one."""

from __future__ import annotations

import importlib.util
import shutil

import numpy as np
import pytest
from tests.engine.small import sbml

from immunescape.engine import Job, get_engine, toolchain
from immunescape.engine.analysis import analyse
from immunescape.engine.codegen import generate, headers
from immunescape.engine.native import NativeEngine
from immunescape.engine.sbml_reader import read_sbml
from immunescape.errors import EngineError


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(shutil, "which", lambda name, **_: None)
    monkeypatch.setattr(toolchain, "_has_ziglang", lambda: False)


@pytest.mark.usefixtures("no_compiler")
def test_without_a_compiler_the_message_says_how_to_get_one():
    with pytest.raises(EngineError, match="pip install 'ziglang"):
        get_engine("native")


@pytest.mark.usefixtures("no_compiler")
def test_without_a_compiler_no_slower_engine_takes_over():
    with pytest.raises(EngineError, match="none was found"):
        get_engine("auto")


def test_a_compiler_that_does_not_work_is_passed_over_with_a_warning(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CC", "/bin/false")
    monkeypatch.setattr(toolchain, "_candidates", lambda: iter(()))
    with pytest.warns(UserWarning, match="CC='/bin/false'"), pytest.raises(EngineError, match="none was found"):
        toolchain.find_toolchain()


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")
def test_cc_may_hold_options_quotation_marks_and_spaces(tmp_path, monkeypatch: pytest.MonkeyPatch):
    place = tmp_path / "my tools"
    place.mkdir()
    (place / "gcc").symlink_to(shutil.which("gcc"))
    for text in ("gcc -m64", "env gcc", f"'{place}/gcc' -m64", f"{place}/gcc"):
        monkeypatch.setenv("CC", text)
        assert "gcc" in " ".join(toolchain.find_toolchain().command)


def test_a_failing_compilation_is_reported(tmp_path):
    source = tmp_path / "bad.c"
    source.write_text("int f( {")
    with pytest.raises(EngineError, match="compiler failed"):
        toolchain.find_toolchain().build([source], tmp_path / "bad.so", 1)


def test_more_lanes_than_the_processor_has_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("immunescape.engine.native.machine_lanes", lambda: 2)
    with pytest.raises(EngineError, match="at most 2"):
        NativeEngine(lanes=8)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="the wheel ziglang is not installed")
def test_the_compiler_from_the_wheel_gives_the_same_bits(tmp_path, monkeypatch: pytest.MonkeyPatch):
    text = sbml({"x": (1.0, "-k * x ^ 1.3"), "y": (0.5, "exp(-x) - y / (y + x)")}, {"k": 0.7})
    job = Job(5, np.linspace(0, 9, 10), ("x", "y"), {"k": np.linspace(0.1, 2, 5)})
    monkeypatch.setenv("IMMUNESCAPE_CACHE", str(tmp_path))
    system = NativeEngine()
    monkeypatch.setattr(shutil, "which", lambda name, **_: None)
    monkeypatch.delenv("CC", raising=False)
    wheel = NativeEngine()
    assert wheel.toolchain.is_zig
    results = [engine.compile(text).run(job) for engine in (system, wheel)]
    np.testing.assert_array_equal(results[0].values, results[1].values)


@pytest.mark.slow  # the first link for Windows and macOS builds parts of their C libraries
@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="the wheel ziglang is not installed")
@pytest.mark.parametrize(
    ("name", "magic"),
    [("aarch64-linux", b"\x7fELF"), ("aarch64-macos", b"\xcf\xfa\xed\xfe")],
)
def test_the_compiler_of_the_package_compiles_for_other_platforms(tmp_path, name: str, magic: bytes):
    from immunescape.engine.shipped import shipped_compiler

    compiler = shipped_compiler(name)
    for header, content in headers().items():
        (tmp_path / header).write_text(content)
    sources = []

    def emit(file: str, content: str) -> None:
        (tmp_path / file).write_text(content)
        sources.append(tmp_path / file)

    generate(
        analyse(read_sbml(sbml({"x": (1.0, "-k * sin(x) ^ 1.3")}, {"k": 0.7}))),
        method="rodas5p",
        wanted=None,
        emit=emit,
    )
    library = tmp_path / f"model{compiler.suffix}"
    compiler.build(sources, library, 2)
    assert library.read_bytes().startswith(magic)
