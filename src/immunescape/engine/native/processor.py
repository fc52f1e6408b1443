"""How wide this processor's vectors are, asked of the system: Linux, Windows and macOS each in its own way."""

from __future__ import annotations

import ctypes
import platform
import sys
from functools import cache

__all__ = ["fused_flags", "machine_lanes"]

_WINDOWS_AVX2 = 40  # PF_AVX2_INSTRUCTIONS_AVAILABLE in winnt.h


@cache
def machine_lanes() -> int:
    """Doubles in the widest vector of this processor: 8 (AVX-512), 4 (AVX2) or 2 (SSE2, NEON)."""
    flags = _cpu_flags()
    if {"avx512f", "avx512dq", "avx512vl"} <= flags:
        return 8
    return 4 if "avx2" in flags else 2


@cache
def fused_flags() -> tuple[str, ...]:
    """Compiler options for instructions that multiply and add with one rounding, where this processor has them.

    Only x86-64 needs an option. All processors of the kind that have AVX2 have these instructions as well but a few of
    VIA; where the system does not tell (Windows), AVX2 stands for both.
    """
    flags = _cpu_flags()
    return ("-mfma",) if "fma" in flags or (sys.platform == "win32" and "avx2" in flags) else ()


def _cpu_flags() -> set[str]:
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return set()
    try:
        if sys.platform == "win32":
            return {"avx2"} if ctypes.windll.kernel32.IsProcessorFeaturePresent(_WINDOWS_AVX2) else set()
        if sys.platform == "darwin":
            names = {"avx2_0": "avx2", **{flag: flag for flag in ("avx512f", "avx512dq", "avx512vl", "fma")}}
            return {flag for name, flag in names.items() if _has_option(name)}
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("flags"):
                    return set(line.split(":", 1)[1].split())
    except (OSError, AttributeError):
        pass
    return set()


def _has_option(name: str) -> bool:
    """Whether macOS says that the processor has something."""
    value, size = ctypes.c_int(0), ctypes.c_size_t(ctypes.sizeof(ctypes.c_int))
    asked = f"hw.optional.{name}".encode()
    failed = ctypes.CDLL(None).sysctlbyname(asked, ctypes.byref(value), ctypes.byref(size), None, ctypes.c_size_t(0))
    return not failed and value.value != 0
