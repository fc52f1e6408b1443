"""Finds a C compiler, the system's or the one that comes with the package, and makes shared libraries with it."""

from __future__ import annotations

import multiprocessing
import os
import platform
import shlex
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from immunescape.engine.cache import CacheError, cache_folder, fetch, fingerprint
from immunescape.engine.library import load_library
from immunescape.engine.processor import fused_flags, machine_lanes
from immunescape.errors import EngineError

__all__ = ["Build", "Toolchain", "compiler_command", "find_toolchain", "library_suffix", "machine_lanes"]

COMMON_FLAGS = ("-std=gnu11", "-fPIC", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-w")
_EFFORT = (
    "-O1", "-fno-dse", "-fno-tree-dse", "-fno-tree-fre", "-fno-tree-ccp", "-fno-tree-dominator-opts", "-fno-tree-pta",
    "-fno-tree-sink", "-fno-ipa-modref", "-fno-asynchronous-unwind-tables",
)  # fmt: skip
"""Of gcc: straight-line code without repetitions gains nothing from more, and is compiled in a third of the time."""
VECTOR_FLAGS = {8: ("-mavx512f", "-mavx512dq", "-mavx512vl", "-mprefer-vector-width=512"), 4: ("-mavx2",), 2: (), 1: ()}
_HINT = (
    "Install the compiler that immunescape brings along: pip install 'ziglang>=0.17,<0.18', or a C compiler of the "
    "system (gcc or clang)."
)
_LIMIT = 600  # seconds that one compilation may take
_TRIAL_PIECE = """#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
typedef double V __attribute__((vector_size(16)));
double immunescape_works(double x) { V v = {x, 1.0}; v = v * v; return sin(v[0]) + v[1]; }
"""


def library_suffix() -> str:
    """Ending of a shared library on this platform."""
    return {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")


@dataclass(frozen=True)
class Toolchain:
    """A C compiler of the system.

    Attributes
    ----------
    command : how it is called. version : first line of what it says about itself; part of the cache's key.
    """

    command: tuple[str, ...]
    version: str

    @property
    def is_zig(self) -> bool:
        """Whether this is the compiler of the ``ziglang`` wheel."""
        return any(word == "ziglang" or Path(word).stem == "zig" for word in self.command)

    @property
    def is_gcc(self) -> bool:
        """Whether this is gcc."""
        return not self.is_zig and "clang" not in self.version.lower()

    def flags(self, lanes: int) -> tuple[str, ...]:
        """Options for a library with so many lanes."""
        options = [*COMMON_FLAGS, *(_EFFORT if self.is_gcc else ("-O2",))]
        if self.is_zig:
            options.append("-fno-sanitize=all")
        if platform.machine().lower() in ("x86_64", "amd64"):
            options += [*VECTOR_FLAGS[lanes], *fused_flags()]
        return tuple(options)

    def compile_command(self, source: Path, made: Path, lanes: int) -> list[str]:
        """Call that turns a C file into an object."""
        return [*self.command, *self.flags(lanes), f"-DW={lanes}", "-c", str(source), "-o", str(made)]

    def link_command(self, objects: Sequence[Path], library: Path, lanes: int) -> list[str]:
        """Call that makes objects a shared library."""
        return [*self.command, *self.flags(lanes), "-shared", *map(str, objects), "-o", str(library), "-lm"]

    def link(self, objects: Sequence[Path], library: Path, lanes: int) -> None:
        """Make objects a shared library; an `EngineError` says what the linker complained of first."""
        self.call(self.link_command(objects, library, lanes))

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

    def call(self, command: Sequence[str]) -> None:
        """Run the compiler or the linker; an `EngineError` says what it complained of first."""
        # zig keeps what its linker for Windows and macOS needs in a cache of its own, by default in the home folder
        environment = {"ZIG_GLOBAL_CACHE_DIR": str(cache_folder() / "zig"), **os.environ}
        try:
            done = subprocess.run(
                list(command), capture_output=True, text=True, timeout=_LIMIT, check=False, env=environment
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EngineError(
                f"the C compiler could not be run: {error}", where=shlex.join(self.command), hint=_HINT
            ) from None
        if done.returncode != 0:
            errors = [line for line in done.stderr.splitlines() if "error" in line] or [done.stderr.strip()[-500:]]
            raise EngineError(
                f"the C compiler failed (exit {done.returncode}): {errors[0][:500]}",
                where=shlex.join(self.command),
                hint="Name another compiler in the environment variable CC, or unset CC.",
            )


class Build:
    """A library in the making: files are compiled as they are added, as many at once as there are processors.

    Leaving the context waits for them, links them (if any) and removes the objects; after an error it only waits.

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
        self._toolchain, self._library, self._lanes = toolchain, library, lanes
        self._pool = ThreadPoolExecutor(max(os.cpu_count() or 1, 1))
        self._objects: list[tuple[Path, Future[None]]] = []

    def add(self, source: Path) -> None:
        """Start to compile a file."""
        made = source.with_suffix(".o")
        command = self._toolchain.compile_command(source, made, self._lanes)
        self._objects.append((made, self._pool.submit(self._toolchain.call, command)))

    def __enter__(self) -> Build:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=error is not None)
        if error is not None:
            return
        for _, compiled in self._objects:
            compiled.result()
        if not self._objects:
            return
        objects = [made for made, _ in self._objects]
        self._toolchain.link(objects, self._library, self._lanes)
        for made in objects:
            made.unlink()


def find_toolchain() -> Toolchain:
    """Return the first compiler that works: ``$CC``, then the system's and the one that comes with the package.

    On Linux the system's (cc, gcc, clang) comes before the package's, elsewhere after it. ``CC=ziglang`` names the
    package's. A compiler works if it makes a library that this process can load; the answer is kept in the cache.

    Raises
    ------
    EngineError
        Where there is none, with what to install.
    """
    named = os.environ.get("CC", "").strip()
    if named:
        chosen = _shipped() if named == "ziglang" else _of_system(named)
        if chosen is not None and _works(chosen):
            return chosen
        if multiprocessing.parent_process() is None:  # once, not by every worker
            warnings.warn(f"CC={named!r} is not a C compiler that works here; another one is looked for", stacklevel=2)
    for chosen in _candidates():
        if chosen is not None and _works(chosen):
            return chosen
    raise EngineError("the native engine needs a C compiler, and none was found", hint=_HINT)


def _candidates() -> Iterator[Toolchain | None]:
    if sys.platform.startswith("linux"):
        yield from (_of_system(name) for name in ("cc", "gcc", "clang"))
        yield _shipped()
        return
    yield _shipped()
    # gcc for Windows does not align its stack for AVX; macOS without developer tools has a cc that opens a dialogue
    yield from (_of_system(name) for name in (("clang",) if sys.platform == "win32" else ("cc", "gcc", "clang")))


def compiler_command(text: str) -> tuple[str, ...] | None:
    """Program and options that ``$CC`` stands for: a path (spaces are allowed), or words as a shell reads them.

    Returns
    -------
    None where there is no such program.
    """
    whole = shutil.which(text)
    if whole:
        return (whole,)
    try:
        words = shlex.split(text, posix=os.name == "posix")
    except ValueError:  # a quotation mark without its partner
        return None
    program = shutil.which(words[0].strip("\"'")) if words else None
    return (program, *words[1:]) if program else None


def _of_system(text: str) -> Toolchain | None:
    command = compiler_command(text)
    version = _version(command) if command else ""
    return Toolchain(command, version) if command and version else None


def _shipped() -> Toolchain | None:
    if not _has_ziglang():
        return None
    from immunescape.engine.shipped import shipped_compiler

    try:
        return shipped_compiler()
    except EngineError:
        return None


def _has_ziglang() -> bool:
    from importlib.util import find_spec

    return find_spec("ziglang") is not None


@cache
def _works(toolchain: Toolchain) -> bool:
    """Whether a library comes out that can be loaded: a driver without headers or linker says its version, too."""

    def build(folder: Path) -> dict[str, bool]:
        source, library = folder / "works.c", folder / f"works{library_suffix()}"
        source.write_text(_TRIAL_PIECE, encoding="utf-8")
        toolchain.build([source], library, 1)
        load_library(library)
        return {"works": True}

    try:
        fetch(fingerprint("works", toolchain.version, *toolchain.command, *toolchain.flags(1), _TRIAL_PIECE), build)
    except CacheError:
        raise
    except EngineError:
        return False
    return True


@cache
def _version(command: tuple[str, ...]) -> str:
    """First line of ``--version``; empty where the command does not work. Asked once in a process."""
    try:
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.splitlines()[0].strip() if done.returncode == 0 and done.stdout else ""
