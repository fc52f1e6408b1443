"""Finding a C compiler, and doing without one."""

from __future__ import annotations

import ctypes
import importlib.util
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.engine.small import sbml

from immunescape.engine import Job, get_engine
from immunescape.engine.codegen.c.generate import generate, headers
from immunescape.engine.ir.analysis import analyse
from immunescape.engine.native import compilers, shipped
from immunescape.engine.native.engine import NativeEngine
from immunescape.engine.sbml.reader import read_sbml
from immunescape.errors import EngineError


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(shutil, "which", lambda name, **_: None)
    monkeypatch.setattr(compilers, "_has_ziglang", lambda: False)


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
    monkeypatch.setattr(compilers, "_candidates", lambda: iter(()))
    with pytest.warns(UserWarning, match="CC='/bin/false'"), pytest.raises(EngineError, match="none was found"):
        compilers.find_toolchain()


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")
def test_cc_may_hold_options_quotation_marks_and_spaces(tmp_path, monkeypatch: pytest.MonkeyPatch):
    place = tmp_path / "my tools"
    place.mkdir()
    (place / "gcc").symlink_to(shutil.which("gcc"))
    for text in ("gcc -m64", "env gcc", f"'{place}/gcc' -m64", f"{place}/gcc"):
        monkeypatch.setenv("CC", text)
        assert "gcc" in " ".join(compilers.find_toolchain().command)


def test_a_failing_compilation_is_reported(tmp_path):
    source = tmp_path / "bad.c"
    source.write_text("int f( {")
    with pytest.raises(EngineError, match="compiler failed"):
        compilers.find_toolchain().build([source], tmp_path / "bad.so", 1)


def test_more_lanes_than_the_processor_has_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("immunescape.engine.native.engine.machine_lanes", lambda: 2)
    with pytest.raises(EngineError, match="at most 2"):
        NativeEngine(lanes=8)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="the wheel ziglang is not installed")
def test_the_compiler_from_the_wheel_gives_the_same_bits(tmp_path, monkeypatch: pytest.MonkeyPatch):
    text = sbml({"x": (1.0, "-k * x ^ 1.3"), "y": (0.5, "exp(-x) - y / (y + x)")}, {"k": 0.7})
    job = Job(5, np.linspace(0, 9, 10), ("x", "y"), parameters={"k": np.linspace(0.1, 2, 5)})
    monkeypatch.setenv("IMMUNESCAPE_CACHE", str(tmp_path))
    system = NativeEngine()
    monkeypatch.setattr(shutil, "which", lambda name, **_: None)
    monkeypatch.delenv("CC", raising=False)
    wheel = NativeEngine()
    assert wheel.toolchain.is_zig
    results = [engine.compile(text).run(job) for engine in (system, wheel)]
    np.testing.assert_array_equal(results[0].values, results[1].values)


def written(folder) -> list:
    """Generated C of a small model, with the headers beside it."""
    for header, content in headers().items():
        (folder / header).write_text(content)
    sources = []

    def emit(file: str, content: str) -> None:
        (folder / file).write_text(content)
        sources.append(folder / file)

    text = sbml({"x": (1.0, "-k * sin(x) ^ 1.3"), "y": (0.5, "exp(-x) - y / (y + tanh(x))")}, {"k": 0.7})
    generate(analyse(read_sbml(text)), method="rodas5p", derivatives=None, emit=emit)
    return sources


has_wheel = pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="the wheel ziglang is not installed")


@has_wheel
@pytest.mark.parametrize(
    ("name", "lanes", "magic"),
    [
        ("aarch64-linux", 2, b"\x7fELF"),
        ("x86_64-windows", 4, b"MZ"),
        # the first link for macOS builds parts of its C library
        pytest.param("aarch64-macos", 2, b"\xcf\xfa\xed\xfe", marks=[pytest.mark.slow, pytest.mark.nightly]),
    ],
)
def test_the_compiler_of_the_package_compiles_for_other_platforms(tmp_path, name: str, lanes: int, magic: bytes):
    compiler = shipped.shipped_compiler(name)
    library = tmp_path / f"model{compiler.suffix}"
    compiler.build(written(tmp_path), library, lanes)
    content = library.read_bytes()
    assert content.startswith(magic)
    assert b"immunescape_run" in content
    if name.endswith("windows"):  # it needs no library but one that is part of Windows
        assert {x.lower() for x in re.findall(rb"[\w.-]+\.dll", content, flags=re.I)} == {b"ucrtbase.dll", b"model.dll"}
        assert sorted(p.suffix for p in tmp_path.iterdir() if p.suffix not in (".c", ".h")) == [".dll"]


@has_wheel
def test_vectors_of_two_become_neon_on_arm(tmp_path):
    compiler = shipped.shipped_compiler("aarch64-macos")
    source = next(s for s in written(tmp_path) if s.name == "stage.c")
    assembly = tmp_path / "stage.s"
    command = compiler.compile_command(source, assembly, 2)
    compiler.call(["-S" if word == "-c" else word for word in command])
    text = assembly.read_text()
    for operation in ("fmul", "fadd"):
        assert re.search(rf"{operation}(\.2d\s+v|\s+v\d+\.2d)", text), operation


def test_functions_that_a_library_for_windows_imports_are_those_that_the_headers_declare():
    found = shipped._declared()
    assert {"sin", "pow", "fma", "memset", "memcpy", "memcmp", "_aligned_malloc", "_aligned_free", "lgamma"} <= set(
        found
    )
    assert not {"free", "aligned_alloc", "isnan", "double"} & set(found)


@pytest.mark.skipif(
    platform.machine() != "x86_64" or sys.platform == "win32" or shutil.which("cc") is None, reason="x86-64 and cc"
)
def test_the_probe_of_the_stack_touches_every_page_and_changes_no_register(tmp_path):
    probe = Path(shipped.__file__).parents[1] / "codegen" / "c" / "kernels" / "standard" / "stack_probe.h"
    (tmp_path / "use.c").write_text(f"""#include "{probe}"
    long use(long size) {{ /* 0, or what differs afterwards */
        long rax = size, rcx = 0x1234567, rsp, after;
        __asm__ volatile("movq %%rsp, %2; subq $256, %%rsp; call ___chkstk_ms; addq $256, %%rsp; movq %%rsp, %3"
                         : "+a"(rax), "+c"(rcx), "=&r"(rsp), "=&r"(after) : : "memory", "cc");
        return (rax != size) + 2 * (rcx != 0x1234567) + 4 * (rsp != after);
    }}""")
    library = tmp_path / "use.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, tmp_path / "use.c"], check=True)
    use = ctypes.CDLL(str(library)).use
    use.argtypes, use.restype = [ctypes.c_long], ctypes.c_long
    assert [use(size) for size in (0, 1, 4095, 4096, 4097, 100_000)] == [0] * 6
