"""A C compiler and how it makes shared libraries."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from immunescape.engine.native.cache import cache_folder
from immunescape.engine.native.processor import fused_flags
from immunescape.errors import EngineError

__all__ = ["INSTALL_HINT", "Build", "Toolchain", "library_suffix"]

COMMON_FLAGS = ("-std=gnu11", "-fPIC", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-w")
_EFFORT = (
    "-O1",
    "-fno-dse",
    "-fno-tree-dse",
    "-fno-tree-fre",
    "-fno-tree-ccp",
    "-fno-tree-dominator-opts",
    "-fno-tree-pta",
    "-fno-tree-sink",
    "-fno-ipa-modref",
    "-fno-asynchronous-unwind-tables",
)
"""Of gcc: straight-line code without repetitions gains nothing from more, and is compiled in a third of the time."""
VECTOR_FLAGS = {8: ("-mavx512f", "-mavx512dq", "-mavx512vl", "-mprefer-vector-width=512"), 4: ("-mavx2",), 2: (), 1: ()}
INSTALL_HINT = (
    "Install the compiler package that immunescape uses: pip install 'ziglang>=0.17,<0.18', or a C compiler of the "
    "system (gcc or clang)."
)
_LIMIT = 600  # seconds that one compilation may take


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
        return any(argument == "ziglang" or Path(argument).stem == "zig" for argument in self.command)

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
                f"the C compiler could not be run: {error}", where=shlex.join(self.command), hint=INSTALL_HINT
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
