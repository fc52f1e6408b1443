"""Times the engines side by side: same model, patients, tolerances and outputs; errors against a tight run.

Other simulators run in processes of their own, which end when the time is up, so that one that needs minutes to load a
model does not hold up the rest.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunescape.engine import get_engine
from immunescape.engine.api import FAILED, Compiled, Doses, Job, Result
from immunescape.engine.jobs import ToleranceWarning
from immunescape.engine.native.engine import NativeEngine, NativeModel, build_model
from immunescape.engine.oracle.peers import PEERS, installed_peers
from immunescape.engine.oracle.roadrunner_document import document_of, written_out
from immunescape.errors import EngineError

__all__ = ["Workload", "bench_engine", "format_bench"]

_CHECKED = 4  # patients whose trajectories are compared
_SLOW = 4  # patients given to an engine without lanes
_LIMIT = 50.0  # seconds for everything, so that the command ends within a minute
_SETUP = {
    "native": "generated C, one core, processor time of the whole call",
    "roadrunner": "libroadrunner behind this package's engine: LLJIT without optimisation, doses between calls",
    "reference": "scipy behind this package's engine",
}
_REPEATS = 3
_VARIED = 7
_LOOSER = tuple(10.0 ** (-k / 6) for k in range(14, 43))  # from 5e-3 to 1e-7


@dataclass(frozen=True)
class Workload:
    """What every engine integrates.

    Attributes
    ----------
    times : output times. outputs : what is returned (empty: the first states). doses : of every patient.
    varied : parameters that differ between patients (empty: the first positive ones), log-normal with `spread`.
    atol : absolute tolerance.
    """

    times: NDArray[np.float64]
    outputs: tuple[str, ...] = ()
    doses: Doses | None = None
    varied: tuple[str, ...] = ()
    spread: float = 0.1
    atol: float = 1e-8

    def job(self, model: Compiled, n: int, rtol: float) -> Job:
        """The first `n` patients; the same ones whatever `n` is."""
        outputs = self.outputs or model.states[:10]
        positive = [name for name, value in model.parameters.items() if value > 0]
        varied = self.varied or tuple(positive[:: max(1, len(positive) // _VARIED)][:_VARIED])
        factors = np.exp(self.spread * np.random.default_rng(1).standard_normal((max(n, 1), len(varied))))
        parameters = {name: model.parameters[name] * factors[:n, k] for k, name in enumerate(varied)}
        return Job(n, self.times, outputs, parameters=parameters, doses=self.doses, rtol=rtol, atol=self.atol)


def bench_engine(
    sbml: str,
    name: str,
    *,
    patients: int = 256,
    rtol: float = 1e-6,
    workload: Workload | None = None,
    engines: Sequence[str] | None = None,
    limit: float = _LIMIT,
) -> dict[str, Any]:
    """Measure the engines on one model.

    Parameters
    ----------
    sbml, name
        The model and what it is called in the report.
    patients
        Patients for the native engine with lanes; engines without lanes get a few of the same ones.
    rtol
        Relative tolerance of all engines.
    workload
        What is integrated; by default 400 time units with 401 outputs of the first ten states, without doses.
    engines
        Others to measure beside the native engine: those of `PEERS` (by default all), ``roadrunner`` and ``reference``
        (this package's own engines). A patient that an engine cannot integrate counts under `failed`, with the reason
        under `message`; an engine that is not installed or not done in time is listed under `not_run`.
    limit
        Seconds on the clock after which no other simulator is waited for.

    Returns
    -------
    ``{"model", "rtol", "patients", "engines": [{"engine", "processes", "ms_per_patient", "max_error", "compile_s"}],
    "not_run", "setup", "reference_error", "operations"}``. `max_error` is the largest error of any output over its
    largest absolute value; `reference_error` the same between two tight runs with different methods. Milliseconds are
    of processor time for one process (so that other work on the machine disturbs little), of the clock for several;
    `compile_s` is of the clock for ours, of processor time for others. `not_run` and `setup` map engines to why they
    were not run, and to how they were used.

    Raises
    ------
    EngineError
        Where the model cannot be compiled to native code.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ToleranceWarning)  # all get one absolute tolerance, whatever suits the model
        return _bench(
            sbml,
            name,
            patients=patients,
            rtol=rtol,
            workload=workload,
            engines=PEERS if engines is None else engines,
            limit=limit,
        )


def _bench(
    sbml: str, name: str, *, patients: int, rtol: float, workload: Workload | None, engines: Iterable[str], limit: float
) -> dict[str, Any]:
    began = time.monotonic()
    work = workload or Workload(np.linspace(0.0, 400.0, 401))
    seconds, counts = _compile_time(sbml)
    lanes = NativeEngine().compile(sbml)
    if not isinstance(lanes, NativeModel):
        raise EngineError(f"the model is not compiled: {getattr(lanes, 'backend', '')}", where=name)
    tight = lanes.run(work.job(lanes, _CHECKED, 1e-9))
    other = NativeEngine(method="rodasp").compile(sbml).run(work.job(lanes, _CHECKED, 1e-9))
    scale = np.nanmax(np.abs(tight.values), axis=(0, 1))
    scale[scale == 0] = 1.0

    def error(result: Result) -> float:
        size = min(_CHECKED, len(result.values))
        return float(np.max(np.abs(result.values[:size] - tight.values[:size]) / scale))

    rows: list[dict[str, Any]] = []
    not_run: dict[str, str] = {}

    def row(label: str, taken: _Taken, n: int, compile_s: float, tolerance: float, processes: int = 1) -> None:
        made = {"engine": label, "processes": processes, "rtol": tolerance, "compile_s": compile_s}
        made |= {"ms_per_patient": 1e3 * taken.seconds / n, "max_error": error(taken.result), "failed": 0}
        if failed := int(np.sum(taken.result.status == FAILED)):
            message = next(iter(taken.result.messages.values()), "")
            made |= {"failed": failed, "ms_per_patient": None, "max_error": None, "message": message}
        rows.append(made)

    def add(label: str, model: Compiled, n: int, tolerance: float = rtol, processes: int = 1) -> None:
        job = work.job(lanes, n, tolerance)
        now = time.process_time if processes == 1 else time.perf_counter
        row(label, _shortest(lambda: model.run(job), now), n, seconds, tolerance, processes)

    width = NativeEngine().lanes
    add("native, scalar", NativeEngine(lanes=1).compile(sbml), max(_CHECKED, patients // 8))
    add(f"native, {width} lanes", lanes, patients)
    add(f"native, {width} lanes", NativeEngine(threads=2).compile(sbml), 2 * patients, processes=2)
    for engine in engines:
        if engine in PEERS and engine not in installed_peers():
            not_run[engine] = f"not installed (pip install {PEERS[engine][1].package})"
            continue
        left = limit - (time.monotonic() - began)
        if left <= 0:
            not_run[engine] = f"the {limit:g} s were over before its turn (--limit gives more)"
            continue
        taken = _alone(engine, sbml, work.job(lanes, 1, rtol), work.job(lanes, _SLOW, rtol), left)
        if isinstance(taken, str):
            not_run[engine] = taken
            continue
        row(engine, taken, _SLOW, taken.load_seconds, rtol)
        if rows[-1]["failed"]:
            continue
        goal = rows[-1]["max_error"]
        for looser in _LOOSER:
            if error(lanes.run(work.job(lanes, _CHECKED, looser))) <= goal:
                add(f"native, {width} lanes, at the error of {engine}", lanes, patients, looser)
                break
    return {
        "model": name,
        "rtol": rtol,
        "patients": patients,
        "engines": rows,
        "not_run": not_run,
        "setup": {
            name: _SETUP[name] if name in _SETUP else PEERS[name][1].setup
            for name in dict.fromkeys(str(r["engine"]).split(",")[0] for r in rows)
        },
        "written_out": written_out(document_of(sbml).getModel()),
        "reference_error": error(other),
        "operations": counts,
        "steps": float(np.mean(lanes.run(work.job(lanes, _CHECKED, rtol)).steps)),
    }


@dataclass(frozen=True)
class _Taken:
    """What a run took: the shortest of several, in seconds, with its result; seconds to load the model."""

    seconds: float
    result: Result
    load_seconds: float = 0.0


def _shortest(action: Callable[[], Result], now: Callable[[], float], repeats: int = _REPEATS) -> _Taken:
    best, result = np.inf, None
    for _ in range(repeats):
        started = now()
        result = action()
        best = min(best, now() - started)
    assert result is not None
    return _Taken(best, result)


def _alone(engine: str, sbml: str, first: Job, job: Job, limit: float) -> _Taken | str:
    """Measure another simulator in a process of its own; why not, where it does not come to an end."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_measure, args=(theirs, engine, sbml, first, job), daemon=True)
    process.start()
    theirs.close()
    started = time.monotonic()
    try:
        if ours.poll(limit):
            answer: _Taken | str = ours.recv()
            return answer
        return f"not done after {time.monotonic() - started:.0f} s (--limit gives more)"
    except EOFError:
        process.join()
        return f"its process ended with code {process.exitcode}"
    finally:
        process.kill()
        process.join()
        ours.close()


def _measure(pipe: Connection, engine: str, sbml: str, first: Job, job: Job) -> None:
    try:
        started = time.process_time()
        model: Any = PEERS[engine][1](sbml) if engine in PEERS else get_engine(engine).compile(sbml)
        model.run(first)  # a library compiles at the first course
        loaded = time.process_time() - started
        taken = _shortest(lambda: model.run(job), time.process_time)
        pipe.send(_Taken(taken.seconds, taken.result, loaded))
    except Exception as error:  # the libraries' own exceptions are of many kinds
        pipe.send(" ".join(f"{type(error).__name__}: {error}".split())[:200])


def _compile_time(sbml: str) -> tuple[float, dict[str, int]]:
    """Seconds from SBML text to a library, without the cache, and counts of operations."""
    engine = NativeEngine()
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        record = build_model(sbml, Path(folder), engine)
        seconds = time.perf_counter() - started
    if "unsupported" in record:
        raise EngineError(f"the model is not compiled to native code: {record['unsupported']}")
    return seconds, dict(record["layout"]["counts"])


def format_bench(report: dict[str, Any]) -> str:
    """The report as a table, with each engine's speed over the first other simulator's, and how each was used."""
    rows = report["engines"]
    base = next((r["ms_per_patient"] for r in rows if not r["engine"].startswith("native") and not r["failed"]), None)
    lines = [
        f"{report['model']}: {report['operations']['states']} states, {report['patients']} patients, "
        f"about {report['steps']:.0f} steps at rtol {report['rtol']:g}",
        f"{'engine':<44}{'processes':>10}{'rtol':>9}{'ms/patient':>12}{'max error':>11}{'compile s':>11}{'times':>8}",
    ]
    for row in rows:
        if row["failed"]:
            lines.append(f"{row['engine']:<44}{row['processes']:>10}{row['rtol']:>9.0e}  failed: {row['message']}")
            continue
        times = f"{base / row['ms_per_patient']:.1f}" if base else ""
        lines.append(
            f"{row['engine']:<44}{row['processes']:>10}{row['rtol']:>9.0e}{row['ms_per_patient']:>12.3f}"
            f"{row['max_error']:>11.1e}{row['compile_s']:>11.2f}{times:>8}"
        )
    for engine, reason in report["not_run"].items():
        lines.append(f"{engine:<44}not run: {reason}")
    lines.append(f"two tight runs with different methods differ by {report['reference_error']:.1e}")
    lines.append(
        f"Milliseconds are of processor time, with two processes of the clock; others integrate {_SLOW} patients."
    )
    lines += [f"  {engine}: {how}" for engine, how in report["setup"].items()]
    if any(r["engine"] == "libroadrunner" for r in rows) and report["written_out"] > 10 * report["operations"]["rates"]:
        lines.append(
            f"  libroadrunner writes each rule out wherever it is used: {report['written_out']:,} parts in place of "
            f"{report['operations']['rates']:,} operations"
        )
    return "\n".join(lines)
