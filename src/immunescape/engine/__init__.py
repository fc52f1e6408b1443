"""Integrates any SBML model over a batch of patients; knows no biology.

``get_engine("auto")`` gives the native engine (generated C), for which a C compiler comes with the package; where none
works it stops and says what to install. Another engine, hundreds of times slower, is used only where it is named.
"""

from __future__ import annotations

from immunescape.engine.api import FAILED, OK, STOPPED, Compiled, Doses, Engine, Job, Result, Stop
from immunescape.errors import unknown_word

__all__ = [
    "FAILED",
    "OK",
    "STOPPED",
    "Compiled",
    "Doses",
    "Engine",
    "Job",
    "Result",
    "Stop",
    "engine_names",
    "get_engine",
]

_NAMES = ("auto", "native", "cuda", "roadrunner", "reference")


def engine_names() -> tuple[str, ...]:
    """Names that `get_engine` accepts."""
    return _NAMES


def get_engine(name: str = "auto") -> Engine:
    """Return an engine by name.

    Parameters
    ----------
    name
        ``native`` (generated and compiled C), ``cuda`` (the same on an NVIDIA GPU, which was emulated only),
        ``roadrunner`` (libroadrunner, CVODE), ``reference`` (scipy; slow, every SBML construct), or ``auto``: native.

    Raises
    ------
    InputError
        For an unknown name.
    EngineError
        Where the engine asked for cannot work on this machine.
    """
    if name in ("auto", "native"):
        from immunescape.engine.native import NativeEngine

        return NativeEngine()
    if name == "cuda":
        from immunescape.engine.cuda import CudaEngine

        return CudaEngine()
    if name == "roadrunner":
        from immunescape.engine.roadrunner import RoadRunnerEngine

        return RoadRunnerEngine()
    if name == "reference":
        from immunescape.engine.reference import ReferenceEngine

        return ReferenceEngine()
    raise unknown_word("engine", name, _NAMES)
