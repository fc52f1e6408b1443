"""The native engine: a model as generated C, compiled once, kept in a cache, integrated many patients at a time.

What generated code does not handle (algebraic rules, event delays and the like) goes to the reference engine, and
``compiled.backend`` says so. A patient that fails is integrated again, more carefully, before it counts as failed.
"""

from __future__ import annotations

import ctypes
import gc
import json
import logging
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from hashlib import blake2b
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.engine.api import FAILED, Compiled, Doses, Job, Result
from immunescape.engine.codegen.layout import DerivativeRequest, Layout
from immunescape.engine.jobs import warn_unresolved
from immunescape.engine.native.batch import run_batch
from immunescape.engine.native.cache import fetch, fingerprint
from immunescape.engine.native.compilers import find_toolchain
from immunescape.engine.native.dose_table import infuses_still_state
from immunescape.engine.native.library import load_library
from immunescape.engine.native.processor import machine_lanes
from immunescape.engine.native.toolchain import Build, Toolchain, library_suffix
from immunescape.errors import EngineError

if TYPE_CHECKING:
    from immunescape.engine.ir.system import System

__all__ = [
    "DelegatedModel",
    "NativeEngine",
    "NativeModel",
    "NativeSensitivities",
    "build_model",
    "generated_source",
    "system_content",
    "write_sources",
]

FloatArray = NDArray[np.float64]

_log = logging.getLogger(__name__)

_REASONS = {
    1: "took more than the permitted number of steps",
    2: "needs a step below the precision of time",
    3: "reached a value that is not a finite number",
    4: "events that trigger each other without end, or follow each other ever faster",
}
_HOPELESS = (1, 4)  # what ran out of steps or of events here would take the slow engine minutes to fail as well
_SAFE_STEPS = 10_000  # steps of the reference engine for one patient, of about a millisecond each
# Failures of one job that the slow reference engine is asked to rescue. Where more fail, the parameters as such are
# beyond the solver (a draw of assumed strengths, say), and rescue would take minutes per job to fail as well.
_SAFE_LIMIT = 4
_SHOWN = 12  # parameters named in the message about a failed patient
_TIGHTER = 0.1
_LESS_FORESIGHT, _LEAST_FORESIGHT = 1e-4, 1e-20
_RESULT_ARRAYS = ("values", "final", "status", "end_time", "steps")


class NativeEngine:
    """Engine ``native``.

    Parameters
    ----------
    lanes
        Patients side by side in one vector: 1, 2, 4 or 8; None takes what this processor has. Results do not
        depend on it.
    threads
        Threads that share a batch. Results do not depend on it.
    method
        ``rodas5p`` (order 5) or ``rodasp`` (order 4).
    rescue
        Hand patients that fail twice to the reference engine, which is slow: minutes each for a large model.

    Raises
    ------
    EngineError
        Where there is no C compiler; the message says how to get one.
    """

    name = "native"

    def __init__(
        self, *, lanes: int | None = None, threads: int = 1, method: str = "rodas5p", rescue: bool = True
    ) -> None:
        if lanes not in (None, 1, 2, 4, 8):
            raise EngineError(f"{lanes} lanes cannot be compiled", hint="Use 1, 2, 4 or 8.")
        if lanes is not None and lanes > machine_lanes():
            raise EngineError(
                f"this processor has no vectors of {lanes} doubles", hint=f"Use at most {machine_lanes()}."
            )
        self.lanes = lanes or machine_lanes()
        self.threads = threads
        self.rescue = rescue
        self.method = method
        self.toolchain = find_toolchain()

    def compile(self, sbml: str, *, read: Callable[[], System] | None = None) -> Compiled:
        """Make an SBML document (text) ready to run; from the cache where it was compiled before.

        Parameters
        ----------
        sbml
            The document.
        read
            Gives the system that the document describes, where there is a shorter way than to read it.
        """
        return self._compile(sbml, read or (lambda: _read(sbml)))

    def compile_system(self, system: System) -> Compiled:
        """Make a system that was read already ready to run."""
        return self._compile(system_content(system), lambda: system)

    def compile_sensitivities(
        self, sbml: str, parameters: Sequence[str], outputs: Sequence[str]
    ) -> NativeSensitivities:
        """Make a model ready to run together with the derivatives of some outputs by some parameters.

        Parameters
        ----------
        sbml
            The document (text).
        parameters
            Names of parameters. What follows from them (initial assignments) is taken into account.
        outputs
            Names of the outputs, which are also the outputs of every job.

        Raises
        ------
        EngineError
            For an unknown name, or a construct that generated code does not handle.
        """
        derivatives = DerivativeRequest(tuple(parameters), tuple(outputs))
        content = "\n".join([sbml, "derivatives", *derivatives.parameters, "of", *derivatives.outputs])
        key = _key(content, self.toolchain, self.lanes, self.method)
        entry, record = fetch(
            key, lambda folder: _build(_read(sbml), folder, self.toolchain, self.lanes, self.method, derivatives)
        )
        if "unsupported" in record:
            raise EngineError(f"no derivatives for a model with {record['unsupported']}")
        model = NativeModel(lambda: _read(sbml), entry, Layout.from_record(record["layout"]), self.threads)
        return NativeSensitivities(model, derivatives.parameters, derivatives.outputs)

    def _compile(self, content: str, system: Callable[[], System]) -> Compiled:
        key = _key(content, self.toolchain, self.lanes, self.method)
        entry, record = fetch(key, lambda folder: _build(system(), folder, self.toolchain, self.lanes, self.method))
        if "unsupported" in record:
            return DelegatedModel(system(), record["unsupported"])
        return NativeModel(system, entry, Layout.from_record(record["layout"]), self.threads, self.rescue)


class DelegatedModel:
    """A model that the reference engine runs, because generated code does not handle something in it."""

    def __init__(self, system: System, reason: str) -> None:
        from immunescape.engine.reference.engine import ReferenceEngine

        model = self._model = ReferenceEngine().compile_system(system)
        self.backend = f"reference ({reason})"
        self.states, self.quantities, self.parameters = model.states, model.quantities, model.parameters

    def run(self, job: Job, *, progress: Callable[[int], None] | None = None) -> Result:
        """Integrate a batch with the reference engine."""
        return self._model.run(job, progress=progress)


class NativeModel:
    """A compiled model.

    Attributes
    ----------
    states, quantities, parameters : see `immunescape.engine.api.Compiled`.
    backend : ``native``. layout : where values are kept, with counts of operations.
    rescued : patients that failed at first and were integrated on the safe path, over all runs.
    source : the generated C file.
    """

    backend = "native"

    def __init__(
        self,
        system: Callable[[], System],
        folder: Path,
        layout: Layout,
        threads: int,
        rescue: bool = True,
        *,
        function: Any = None,
    ) -> None:
        self._system = system
        self.rescue = rescue
        self.layout = layout
        self.states: tuple[str, ...] = layout.states
        self.quantities: tuple[str, ...] = layout.names
        self.parameters: Mapping[str, float] = dict(layout.defaults)
        self.threads = threads
        self.rescued = 0
        self.source = folder / "model.c"
        if function is None:
            function = load_library(folder / f"model{library_suffix()}").immunescape_run
            function.restype = ctypes.c_int
        self._run = function

    def run(self, job: Job, *, progress: Callable[[int], None] | None = None) -> Result:
        """Integrate a batch; failed patients are tried again on the safe path and then named in `Result.messages`."""
        if infuses_still_state(self.layout, job):
            return self._reference(job)
        outcome = run_batch(self._run, self.layout, job, threads=self.threads, progress=progress)
        result = outcome.result
        warn_unresolved(job, result.unresolved)
        foresight, coarse = 1.0, np.flatnonzero(outcome.coarse)
        while len(coarse) and foresight > _LEAST_FORESIGHT:
            foresight *= _LESS_FORESIGHT
            again = run_batch(self._run, self.layout, _subset(job, coarse), threads=self.threads, foresight=foresight)
            for name in _RESULT_ARRAYS:
                getattr(result, name)[coarse] = getattr(again.result, name)
            outcome.code[coarse] = again.code
            coarse = coarse[again.coarse]
        failed = np.flatnonzero(result.status == FAILED)
        if not len(failed):
            return result
        messages = {int(i): _message(job, int(i), int(outcome.code[i]), float(result.end_time[i])) for i in failed}
        hopeless = _HOPELESS if job.max_steps > _SAFE_STEPS else _HOPELESS[1:]
        lost = np.isin(outcome.code[failed], hopeless)
        left = failed[~lost]
        if len(left):
            left = self._again(job, left, result, lambda subset: self._tighter(subset))
        if self.rescue and job.rescue and 0 < len(left) <= _SAFE_LIMIT:
            left = self._again(job, left, result, self._patiently)
        kept = {int(i): messages[int(i)] for i in sorted([*failed[lost], *left])}
        self.rescued += len(failed) - len(kept)
        _log.info("%d of %d patients failed; %d of them were rescued", len(failed), job.n, len(failed) - len(kept))
        return replace(result, messages=kept)

    def _tighter(self, job: Job) -> Result:
        atol = job.atol
        if atol is not None:
            atol = {k: v * _TIGHTER for k, v in atol.items()} if isinstance(atol, Mapping) else atol * _TIGHTER
        return run_batch(
            self._run, self.layout, replace(job, rtol=job.rtol * _TIGHTER, atol=atol), threads=self.threads
        ).result

    def _reference(self, job: Job) -> Result:
        from immunescape.engine.reference.engine import ReferenceEngine

        return ReferenceEngine().compile_system(self._system()).run(job)

    def _patiently(self, job: Job) -> Result:
        return self._reference(replace(job, max_steps=min(job.max_steps, _SAFE_STEPS)))

    def _again(self, job: Job, which: Any, result: Result, run: Callable[[Job], Result]) -> Any:
        """Integrate some patients otherwise and put what succeeds into the result; returns those that failed again."""
        try:
            again = run(_subset(job, which))
        except EngineError as error:
            _log.info("safe path: %s", error)
            return which
        good = again.status != FAILED
        for name in _RESULT_ARRAYS:
            getattr(result, name)[which[good]] = getattr(again, name)[good]
        return which[~good]


@dataclass(frozen=True)
class NativeSensitivities:
    """A model compiled with derivatives of its outputs by parameters.

    Attributes
    ----------
    model : the model. parameters : m names. outputs : k names.
    """

    model: NativeModel
    parameters: tuple[str, ...]
    outputs: tuple[str, ...]

    def run(self, job: Job, *, progress: Callable[[int], None] | None = None) -> tuple[Result, FloatArray]:
        """Integrate a batch.

        Returns
        -------
        The result, and the derivatives (n, t, k, m): NaN where the values are, and from an event on whose moment may
        depend on the parameters. Doses count as fixed.

        Raises
        ------
        EngineError
            If the job's outputs are not those that were compiled.
        """
        if tuple(job.outputs) != self.outputs:
            raise EngineError(f"outputs {job.outputs} where {self.outputs} were compiled with derivatives")
        values = np.full((job.n, len(job.times), len(self.outputs), len(self.parameters)), np.nan)
        model = self.model
        outcome = run_batch(model._run, model.layout, job, threads=model.threads, progress=progress, derivatives=values)
        failed = np.flatnonzero(outcome.result.status == FAILED)
        messages = {
            int(i): _message(job, int(i), int(outcome.code[i]), float(outcome.result.end_time[i])) for i in failed
        }
        return replace(outcome.result, messages=messages), values


def _subset(job: Job, which: Any) -> Job:
    """The job of some of its patients."""

    def pick(value: Any) -> Any:
        array = np.asarray(value, dtype=float)
        return array[which] if array.shape == (job.n,) else value

    return replace(
        job,
        n=len(which),
        parameters={k: pick(v) for k, v in job.parameters.items()},
        initial={k: pick(v) for k, v in job.initial.items()},
        doses=job.doses if job.doses is None or isinstance(job.doses, Doses) else [job.doses[int(i)] for i in which],
        stop=None if job.stop is None else replace(job.stop, value=np.asarray(pick(job.stop.value))),
        until=None if job.until is None else pick(job.until),
    )


def _message(job: Job, i: int, code: int, time: float) -> str:
    overrides = {**job.parameters, **job.initial}
    values = [
        f"{name}={float(np.broadcast_to(np.asarray(v, dtype=float), (job.n,))[i]):.6g}" for name, v in overrides.items()
    ]
    shown = ", ".join(values[:_SHOWN]) + (f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else "")
    return f"{_REASONS.get(code, 'failed')} at time {time:g}" + (f" ({shown})" if shown else "")


def _read(sbml: str) -> System:
    from immunescape.engine.sbml.reader import read_sbml

    return read_sbml(sbml)


def build_model(sbml: str, folder: Path, engine: NativeEngine) -> dict[str, Any]:
    """Read and compile SBML text into `folder`, past the cache; returns the record that the cache would keep."""
    return _build(_read(sbml), folder, engine.toolchain, engine.lanes, engine.method)


def system_content(system: System) -> str:
    """Text that stands for a system with its values."""
    parts = [system.digest, json.dumps(dict(system.parameters))]
    parts += [f"{c.name} {c.expression.digest.hex()}" for c in system.constants]
    parts += [f"{s.name} {s.initial.digest.hex()}" for s in system.states]
    return "\n".join(parts)


def _key(sbml: str, toolchain: Toolchain, lanes: int, method: str) -> str:
    settings = [toolchain.version, *toolchain.command, *toolchain.flags(lanes), platform.machine(), str(lanes), method]
    return fingerprint(sbml, generated_source(), json.dumps(settings))


@cache
def generated_source() -> str:
    """Fingerprint of everything that generated code follows from."""
    hasher = blake2b(digest_size=16)
    for name, file in sorted(_files(resources.files("immunescape.engine"))):
        if name.endswith((".py", ".h")):
            hasher.update(name.encode() + b"\0" + file.read_bytes())
    return hasher.hexdigest()


def _files(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    """Files in a folder of the package and in its folders, each with its path below that folder."""
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _files(entry, f"{prefix}{entry.name}/")
        else:
            yield f"{prefix}{entry.name}", entry


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the search for reference cycles, which takes a third of the time where a million tuples are alive."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _build(
    system: System,
    folder: Path,
    toolchain: Toolchain,
    lanes: int,
    method: str,
    derivatives: DerivativeRequest | None = None,
) -> dict[str, Any]:
    """Analyse, generate and compile a model into `folder`."""
    with Build(toolchain, folder / f"model{library_suffix()}", lanes) as running:
        return write_sources(system, folder, method, derivatives, lambda name: running.add(folder / name))


def write_sources(
    system: System, folder: Path, method: str, derivatives: DerivativeRequest | None, written: Callable[[str], None]
) -> dict[str, Any]:
    """Analyse a system and write its C files.

    Parameters
    ----------
    written
        Called with the name of each C file as soon as it is there; the headers that it includes lie beside it.

    Returns
    -------
    The record for the cache: the layout, or what generated code does not handle.
    """
    from immunescape.engine.codegen.c.generate import generate, headers
    from immunescape.engine.ir.analysis import analyse

    with _uncollected():
        plan = analyse(system)
        if isinstance(plan, str):
            return {"unsupported": plan}
        for name, content in headers().items():
            (folder / name).write_text(content, encoding="utf-8")

        def emit(name: str, content: str) -> None:
            (folder / name).write_text(content, encoding="utf-8")
            written(name)

        _, layout = generate(plan, method=method, derivatives=derivatives, emit=emit)
    return {"layout": layout.record()}
