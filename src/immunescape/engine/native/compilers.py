"""Finds a C compiler that works: the system's or the one that comes with the package."""

from __future__ import annotations

import multiprocessing
import os
import shlex
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from immunescape.engine.native.cache import CacheError, fetch, fingerprint
from immunescape.engine.native.library import load_library
from immunescape.engine.native.shipped import shipped_compiler
from immunescape.engine.native.toolchain import INSTALL_HINT, Toolchain, library_suffix
from immunescape.errors import EngineError

__all__ = ["compiler_command", "find_toolchain"]

_TRIAL_PIECE = """#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
typedef double V __attribute__((vector_size(16)));
double immunescape_works(double x) { V v = {x, 1.0}; v = v * v; return sin(v[0]) + v[1]; }
"""


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
    raise EngineError("the native engine needs a C compiler, and none was found", hint=INSTALL_HINT)


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
    try:
        return shipped_compiler()
    except EngineError:
        return None


def _has_ziglang() -> bool:
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
