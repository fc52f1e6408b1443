"""The C compiler that comes with the package: clang and its linker, as the wheel ``ziglang`` carries them.

The wheel's ``zig cc`` would build parts of a C library first, which takes seconds; clang inside it (``zig clang``)
starts at once. Generated code includes four headers of the C library, of which `kernels/standard` declares what it
needs, and finds the functions in the running process. So nothing of the system's development files is needed, and
libraries for other platforms can be built as well.
"""

from __future__ import annotations

import platform
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from immunescape.engine.native.processor import fused_flags
from immunescape.engine.native.toolchain import COMMON_FLAGS, VECTOR_FLAGS, Toolchain
from immunescape.errors import EngineError

__all__ = ["TARGETS", "BuildTarget", "ShippedCompiler", "shipped_compiler"]

_STANDARD = Path(__file__).parents[1] / "codegen" / "c" / "kernels" / "standard"


@dataclass(frozen=True)
class BuildTarget:
    """A platform to build for.

    Attributes
    ----------
    triple : clang's name of it. linked_as : zig's name of it. suffix : of a shared library there.
    """

    triple: str
    linked_as: str
    suffix: str

    @property
    def is_elf(self) -> bool:
        """Whether the linker may leave the C library's functions to the process that loads the library."""
        return self.suffix == ".so"


TARGETS = {
    "x86_64-linux": BuildTarget("x86_64-unknown-linux-gnu", "x86_64-linux-gnu", ".so"),
    "aarch64-linux": BuildTarget("aarch64-unknown-linux-gnu", "aarch64-linux-gnu", ".so"),
    "x86_64-windows": BuildTarget("x86_64-unknown-windows-gnu", "x86_64-windows-gnu", ".dll"),
    "aarch64-windows": BuildTarget("aarch64-unknown-windows-gnu", "aarch64-windows-gnu", ".dll"),
    "x86_64-macos": BuildTarget("x86_64-apple-macosx11.0.0", "x86_64-macos", ".dylib"),
    "aarch64-macos": BuildTarget("arm64-apple-macosx11.0.0", "aarch64-macos", ".dylib"),
}
"""Platforms by processor and system."""


@dataclass(frozen=True)
class ShippedCompiler(Toolchain):
    """clang of the wheel ``ziglang``, for one platform."""

    target: BuildTarget = TARGETS["x86_64-linux"]

    @property
    def is_zig(self) -> bool:
        """Whether this is the compiler of the ``ziglang`` wheel."""
        return True

    @property
    def suffix(self) -> str:
        """Of shared libraries."""
        return self.target.suffix

    def flags(self, lanes: int) -> tuple[str, ...]:
        """Options for a library with so many lanes.

        ``-O1``: more effort takes a third longer to compile and gives the same speed, because the generated code is
        straight and holds no repetition.
        """
        options = [f"--target={self.target.triple}", "-nostdinc", "-isystem", str(_STANDARD), *COMMON_FLAGS, "-O1"]
        if self.target.suffix == ".dll":
            options.remove("-fPIC")  # all code is, on Windows
        if self.target.triple.startswith("x86_64"):
            options += [*VECTOR_FLAGS[lanes], *fused_flags()]
        elif self.target.is_elf:
            options.append("-mno-outline-atomics")  # else calls a helper that only the compiler's own library has
        return tuple(options)

    def compile_command(self, source: Path, made: Path, lanes: int) -> list[str]:
        """Call that turns a C file into an object."""
        return [*self.command, "clang", *self.flags(lanes), f"-DW={lanes}", "-c", str(source), "-o", str(made)]

    def link_command(self, objects: Sequence[Path], library: Path, lanes: int) -> list[str]:
        """Call that makes objects a shared library."""
        if self.target.is_elf:
            return [*self.command, "ld.lld", "-shared", *map(str, objects), "-o", str(library)]
        # Libraries of Windows and macOS name the library of each function that they import: zig's own linker knows
        # them, but builds parts of the C library first.
        return [
            *self.command,
            "cc",
            "-target",
            self.target.linked_as,
            "-shared",
            *map(str, objects),
            "-o",
            str(library),
        ]

    def link(self, objects: Sequence[Path], library: Path, lanes: int) -> None:
        """Make objects a shared library.

        For Windows on x86-64 the C library's functions are declared as those of ``ucrtbase.dll``, a part of Windows, so
        that nothing of it needs to be built; other systems see `link_command`.
        """
        if self.target is not TARGETS["x86_64-windows"]:
            super().link(objects, library, lanes)
            return
        with tempfile.TemporaryDirectory(dir=library.parent) as folder:
            names, stubs, probe = (Path(folder) / name for name in ("c.def", "c.lib", "probe.o"))
            names.write_text("\n".join(["LIBRARY ucrtbase.dll", "EXPORTS", *_declared()]) + "\n", encoding="utf-8")
            self.call([*self.command, "dlltool", "-m", "i386:x86-64", "-d", str(names), "-l", str(stubs)])
            source = str(_STANDARD / "stack_probe.h")
            self.call([*self.command, "clang", *self.flags(lanes), "-x", "c", "-c", source, "-o", str(probe)])
            linker = [*self.command, "lld-link", "-lldmingw", "-dll", "-noentry", f"-out:{library}"]
            self.call([*linker, *map(str, objects), str(probe), str(stubs)])


def _declared() -> list[str]:
    """Functions of the C library that generated code may call: those that the headers in `kernels/standard` declare."""
    included: set[str] = set()
    for header in ("math.h", "stdlib.h", "string.h"):
        text = (_STANDARD / header).read_text(encoding="utf-8")
        included.update(
            re.findall(r"(?:^|[ *])([a-z_][a-z0-9_]*)\((?:double|int|size_t|void|const)\b", text, flags=re.M)
        )
    return sorted(included - {"aligned_alloc", "free", "release"})  # these become _aligned_malloc and _aligned_free


@cache
def shipped_compiler(target: str | None = None) -> ShippedCompiler:
    """Return the compiler in the wheel ``ziglang``.

    Parameters
    ----------
    target
        One of `TARGETS`; None is this machine.

    Raises
    ------
    EngineError
        Where the wheel is missing, or holds no compiler for this platform.
    """
    spec = find_spec("ziglang")
    if spec is None or not spec.submodule_search_locations:
        raise EngineError("the package ziglang is not installed", hint="Install it: pip install 'ziglang>=0.17,<0.18'.")
    program = Path(next(iter(spec.submodule_search_locations))) / ("zig.exe" if sys.platform == "win32" else "zig")
    if target is None:
        machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
        system = {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux")
        target = f"{machine}-{system}"
    if target not in TARGETS or not program.is_file():
        raise EngineError(f"no compiler for {target} in the package ziglang", where=str(program))
    from importlib.metadata import PackageNotFoundError, version

    try:
        release = version("ziglang")
    except PackageNotFoundError:  # unpacked by hand
        release = f"{program.stat().st_size} {program.stat().st_mtime_ns}"
    return ShippedCompiler((str(program),), f"clang of ziglang {release}", TARGETS[target])
