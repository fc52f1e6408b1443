"""Times the engines side by side: same model, patients, tolerances and outputs; errors against a tight run."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunescape.engine import get_engine
from immunescape.engine.api import FAILED, Compiled, Doses, Job, Result
from immunescape.engine.native import NativeEngine, NativeModel, build_model
from immunescape.engine.peers import PEERS, installed_peers
from immunescape.engine.roadrunner import RoadRunnerModel
from immunescape.errors import EngineError

__all__ = ["Workload", "bench_engine", "format_bench"]

_CHECKED = 4  # patients whose trajectories are compared
_SLOW = 4  # patients given to an engine without lanes
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
        return Job(n, self.times, outputs, parameters, doses=self.doses, rtol=rtol, atol=self.atol)


def bench_engine(
    sbml: str,
    name: str,
    *,
    patients: int = 256,
    rtol: float = 1e-6,
    workload: Workload | None = None,
    engines: Sequence[str] | None = None,
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
        Others to measure beside the native engine: ``roadrunner``, ``reference``, ``copasi``, ``amici``. By default
        those but the reference that are installed. A patient that an engine cannot integrate counts
        under `failed`, with the reason under `message`.

    Returns
    -------
    ``{"model", "rtol", "patients", "engines": [{"engine", "processes", "ms_per_patient", "max_error", "compile_s"}],
    "reference_error", "operations"}``. `max_error` is the largest error of any output over its largest absolute value;
    `reference_error` the same between two tight runs with different methods. Milliseconds are of processor time for one
    process (so that other work on the machine disturbs little) and of the clock on the wall for several.

    Raises
    ------
    EngineError
        Where the model cannot be compiled to native code.
    """
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
    if engines is None:
        engines = (*(("roadrunner",) if find_spec("roadrunner") else ()), *installed_peers())

    def add(label: str, model: Compiled, n: int, compile_s: float, processes: int = 1, tolerance: float = rtol) -> None:
        job = work.job(lanes, n, tolerance)
        duration, result = _clock(lambda: model.run(job), time.process_time if processes == 1 else time.perf_counter)
        row = {
            "engine": label,
            "processes": processes,
            "ms_per_patient": 1e3 * duration / n,
            "max_error": error(result),
        }
        row |= {"compile_s": compile_s, "rtol": tolerance, "failed": int(np.sum(result.status == FAILED))}
        if row["failed"]:
            row |= {"ms_per_patient": None, "max_error": None, "message": next(iter(result.messages.values()), "")}
        rows.append(row)

    width = NativeEngine().lanes
    add("native, scalar", NativeEngine(lanes=1).compile(sbml), max(_CHECKED, patients // 8), seconds)
    add(f"native, {width} lanes", lanes, patients, seconds)
    add(f"native, {width} lanes", NativeEngine(threads=2).compile(sbml), 2 * patients, seconds, 2)
    for engine in engines:
        started = time.perf_counter()
        model: Any = PEERS[engine][1](sbml) if engine in PEERS else get_engine(engine).compile(sbml)
        if engine in PEERS:  # a library compiles at the first course
            model.run(work.job(lanes, 1, rtol))
        add(engine, model, _SLOW, time.perf_counter() - started)
        if isinstance(model, RoadRunnerModel):
            rows[-1]["written_out"] = model.written_out
        if rows[-1]["failed"]:
            continue
        goal = rows[-1]["max_error"]
        for looser in _LOOSER:
            if error(lanes.run(work.job(lanes, _CHECKED, looser))) <= goal:
                add(f"native, {width} lanes, at the error of {engine}", lanes, patients, seconds, 1, looser)
                break
    return {
        "model": name,
        "rtol": rtol,
        "patients": patients,
        "engines": rows,
        "reference_error": error(other),
        "operations": counts,
        "steps": float(np.mean(lanes.run(work.job(lanes, _CHECKED, rtol)).steps)),
    }


def _clock(action: Callable[[], Result], now: Callable[[], float]) -> tuple[float, Result]:
    """Shortest of several runs, in seconds, and the result."""
    best, result = np.inf, None
    for _ in range(_REPEATS):
        started = now()
        result = action()
        best = min(best, now() - started)
    assert result is not None
    return best, result


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
    """The report as a table, with each engine's speed over the first other engine's."""
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
        if row.get("written_out", 0) > 10 * report["operations"]["rates"]:
            lines.append(
                f"  {row['engine']} writes each rule out wherever it is used: {row['written_out']:,} parts in place of "
                f"{report['operations']['rates']:,} operations"
            )
    lines.append(f"two tight runs with different methods differ by {report['reference_error']:.1e}")
    return "\n".join(lines)
