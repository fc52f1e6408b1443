"""Integrates any SBML model over a batch of patients; knows no biology.

``get_engine("auto")`` gives the native engine (generated C), for which a C compiler comes with the package; where none
works it stops and says what to install. Another engine, hundreds of times slower, is used only where it is named.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from immunescape.engine.api import FAILED, OK, STOPPED, Compiled, Doses, Engine, Job, Result, Stop
from immunescape.registry import Registry

__all__ = [
    "ENGINES",
    "FAILED",
    "OK",
    "STOPPED",
    "Compiled",
    "Doses",
    "Engine",
    "EngineKind",
    "Job",
    "Result",
    "Stop",
    "engine_names",
    "get_engine",
]


@dataclass(frozen=True)
class EngineKind:
    """An engine by name, what it is, and how it is made (imported only then)."""

    name: str
    title: str
    make: Callable[[], Engine]


def _native() -> Engine:
    from immunescape.engine.native.engine import NativeEngine

    return NativeEngine()


def _cuda() -> Engine:
    from immunescape.engine.cuda.engine import CudaEngine

    return CudaEngine()


def _roadrunner() -> Engine:
    from immunescape.engine.oracle.roadrunner import RoadRunnerEngine

    return RoadRunnerEngine()


def _reference() -> Engine:
    from immunescape.engine.reference.engine import ReferenceEngine

    return ReferenceEngine()


ENGINES = Registry("engine", EngineKind, tags=lambda e: {"title": e.title})
"""Every engine; ``auto`` is the native one."""
for _kind in (
    EngineKind("auto", "native", _native),
    EngineKind("native", "generated and compiled C", _native),
    EngineKind("cuda", "the same on an NVIDIA GPU", _cuda),
    EngineKind("roadrunner", "libroadrunner, CVODE", _roadrunner),
    EngineKind("reference", "scipy; slow, every SBML construct", _reference),
):
    ENGINES.add(_kind)


def engine_names() -> tuple[str, ...]:
    """Names that `get_engine` accepts."""
    return tuple(ENGINES.all())


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
    return ENGINES.get(name).make()
