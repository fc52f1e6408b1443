"""Finds a C compiler: the system's, else the one in the ``ziglang`` wheel, and turns a C file into a shared library."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from immunescape.errors import EngineError

__all__ = ["Build", "Toolchain", "find_toolchain", "machine_lanes"]

_FLAGS = ("-std=gnu11", "-fPIC", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-w")
_EFFORT = (
    "-O1", "-fno-dse", "-fno-tree-dse", "-fno-tree-fre", "-fno-tree-ccp", "-fno-tree-dominator-opts", "-fno-tree-pta",
    "-fno-tree-sink", "-fno-ipa-modref", "-fno-asynchronous-unwind-tables",
)  # fmt: skip
"""Of gcc: straight-line code without repetitions gains nothing from more, and is compiled in a third of the time."""
_TARGETS = {8: ("-mavx512f", "-mavx512dq", "-mavx512vl", "-mprefer-vector-width=512"), 4: ("-mavx2",), 2: (), 1: ()}
_ZIG_TARGETS = {8: ("-mcpu=x86_64_v4",), 4: ("-mcpu=x86_64_v3",), 2: ("-mcpu=x86_64",), 1: ("-mcpu=x86_64",)}
_HINT = "Install a C compiler (gcc or clang), or the one that comes as a wheel: pip install 'immunescape[compiler]'."
_LIMIT = 600  # seconds that one compilation may take


@dataclass(frozen=True)
class Toolchain:
    """A C compiler.

    Attributes
    ----------
    command : how it is called. version : first line of what it says about itself; part of the cache's key.
    """

    command: tuple[str, ...]
    version: str

    @property
    def is_zig(self) -> bool:
        """Whether this is the compiler of the ``ziglang`` wheel."""
        return "ziglang" in self.command

    @property
    def is_gcc(self) -> bool:
        """Whether this is gcc."""
        return not self.is_zig and "clang" not in self.version.lower()

    def flags(self, lanes: int) -> tuple[str, ...]:
        """Options for a library with so many lanes."""
        common = (*_FLAGS, *(_EFFORT if self.is_gcc else ("-O2",)))
        if platform.machine().lower() not in ("x86_64", "amd64"):
            return (*common, *(("-fno-sanitize=all",) if self.is_zig else ()))
        if self.is_zig:
            return (*common, "-fno-sanitize=all", *_ZIG_TARGETS[lanes])
        return (*common, *_TARGETS[lanes])

    def build(self, sources: Sequence[Path], library: Path, lanes: int) -> None:
        """Compile C files side by side and link them; headers lie beside the sources, objects are removed.

        Raises
        ------
        EngineError
            Where the compiler fails, with what it said first.
        """
        with Build(self, library, lanes) as running:
            for source in sources:
                running.add(source)

    def _call(self, arguments: Sequence[str]) -> None:
        try:
            done = subprocess.run(
                [*self.command, *arguments], capture_output=True, text=True, timeout=_LIMIT, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EngineError(
                f"the C compiler could not be run: {error}", where=" ".join(self.command), hint=_HINT
            ) from None
        if done.returncode != 0:
            errors = [line for line in done.stderr.splitlines() if "error" in line] or [done.stderr.strip()[-500:]]
            raise EngineError(
                f"the C compiler failed (exit {done.returncode}): {errors[0][:500]}",
                where=" ".join(self.command),
                hint="Use another compiler (environment variable CC), or the engine 'roadrunner'.",
            )


class Build:
    """A library in the making: files are compiled as they are added, as many at once as there are processors.

    Leaving the context waits for them, links them and removes the objects; after an error it only waits.

    Parameters
    ----------
    toolchain
        The compiler.
    library
        The file to make.
    lanes
        Doubles in a vector.
    """

    def __init__(self, toolchain: Toolchain, library: Path, lanes: int) -> None:
        self._call, self._library = toolchain._call, library
        self._flags = [*toolchain.flags(lanes), f"-DW={lanes}"]
        self._pool = ThreadPoolExecutor(max(os.cpu_count() or 1, 1))
        self._objects: list[tuple[Path, Future[None]]] = []

    def add(self, source: Path) -> None:
        """Start to compile a file."""
        made = source.with_suffix(".o")
        self._objects.append((made, self._pool.submit(self._call, [*self._flags, "-c", str(source), "-o", str(made)])))

    def __enter__(self) -> Build:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=error is not None)
        if error is not None:
            return
        for _, compiled in self._objects:
            compiled.result()
        objects = [made for made, _ in self._objects]
        self._call([*self._flags, "-shared", *map(str, objects), "-o", str(self._library), "-lm"])
        for made in objects:
            made.unlink()


def find_toolchain() -> Toolchain:
    """Return the compiler to use: ``$CC``, else cc, gcc or clang on the path, else ``python -m ziglang cc``.

    Raises
    ------
    EngineError
        Where there is none, with what to install.
    """
    named = os.environ.get("CC")
    for name in (named,) if named else ("cc", "gcc", "clang"):
        path = shutil.which(name)
        if path:
            version = _version((path,))
            if version:
                return Toolchain((path,), version)
    if _has_ziglang():
        command = (sys.executable, "-m", "ziglang", "cc")
        version = _version(command)
        if version:
            return Toolchain(command, version)
    raise EngineError("the native engine needs a C compiler, and none was found", hint=_HINT)


def _has_ziglang() -> bool:
    from importlib.util import find_spec

    return find_spec("ziglang") is not None


@cache
def _version(command: tuple[str, ...]) -> str:
    """First line of ``--version``; empty where the command does not work. Asked once in a process."""
    try:
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.splitlines()[0].strip() if done.returncode == 0 and done.stdout else ""


@cache
def machine_lanes() -> int:
    """Doubles in the widest vector of this processor: 8 (AVX-512), 4 (AVX2) or 2."""
    flags = _cpu_flags()
    if {"avx512f", "avx512dq", "avx512vl"} <= flags:
        return 8
    return 4 if "avx2" in flags else 2


def _cpu_flags() -> set[str]:
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith(("flags", "Features")):
                    return set(line.split(":", 1)[1].split())
    except OSError:
        pass
    return set()
