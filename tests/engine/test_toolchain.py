"""Finding a C compiler, and doing without one."""

from __future__ import annotations

import importlib.util
import shutil

import numpy as np
import pytest
from tests.engine.small import sbml

from immunescape.engine import Job, get_engine, toolchain
from immunescape.engine.native import NativeEngine
from immunescape.errors import EngineError


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(shutil, "which", lambda name, **_: None)
    monkeypatch.setattr(toolchain, "_has_ziglang", lambda: False)


@pytest.mark.usefixtures("no_compiler")
def test_without_a_compiler_the_message_says_how_to_get_one():
    with pytest.raises(EngineError, match=r"pip install 'immunescape\[compiler\]'"):
        get_engine("native")


@pytest.mark.usefixtures("no_compiler")
def test_without_a_compiler_libroadrunner_takes_over_with_a_warning():
    with pytest.warns(UserWarning, match="falling back to libroadrunner"):
        engine = get_engine("auto")
    assert engine.name == "roadrunner"


def test_a_compiler_that_does_not_work_is_passed_over(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CC", "/bin/false")
    monkeypatch.setattr(toolchain, "_has_ziglang", lambda: False)
    with pytest.raises(EngineError, match="none was found"):
        toolchain.find_toolchain()


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
