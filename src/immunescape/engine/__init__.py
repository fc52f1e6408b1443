"""Integrates any SBML model over a batch of patients; knows no biology.

``get_engine("auto")`` gives the fastest engine that works on this machine: the native one (generated C) where a C
compiler is at hand, else libroadrunner, with a warning that says how to get the faster one.
"""

from __future__ import annotations

import warnings

from immunescape.engine.api import FAILED, OK, STOPPED, Compiled, Doses, Engine, Job, Result, Stop
from immunescape.errors import EngineError, unknown_word

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

_NAMES = ("auto", "native", "roadrunner", "reference")


def engine_names() -> tuple[str, ...]:
    """Names that `get_engine` accepts."""
    return _NAMES


def get_engine(name: str = "auto") -> Engine:
    """Return an engine by name.

    Parameters
    ----------
    name
        ``native`` (generated and compiled C), ``roadrunner`` (libroadrunner, CVODE), ``reference`` (scipy; slow, every
        SBML construct), or ``auto``: native where a C compiler is found, else roadrunner.

    Raises
    ------
    InputError
        For an unknown name.
    EngineError
        Where the engine asked for cannot work on this machine.
    """
    if name == "auto":
        try:
            return get_engine("native")
        except EngineError as error:
            warnings.warn(f"falling back to libroadrunner, about 20 times slower: {error}", stacklevel=2)
            return get_engine("roadrunner")
    if name == "native":
        from immunescape.engine.native import NativeEngine

        return NativeEngine()
    if name == "roadrunner":
        from immunescape.engine.roadrunner import RoadRunnerEngine

        return RoadRunnerEngine()
    if name == "reference":
        from immunescape.engine.reference import ReferenceEngine

        return ReferenceEngine()
    raise unknown_word("engine", name, _NAMES)
