"""Versions of the engine in one run, taken in turns: processor time, steps and error.

    python benchmarks/compare_engines.py NAME=SRC [NAME=SRC ...] [--model FILE.xml] [--rtol 1e-6] [--patients 64]
        [--repeats 9] [--lanes 4] [--environment NAME:VARIABLE=VALUE ...]

SRC is the ``src`` folder of a checkout. Without ``--model`` the published 50-state model of ``bench_engine.py`` is
integrated (400 days, 20 doses, 401 outputs of 9 observables), else the file, for 400 days without doses.
Each version runs in a process of its own; all take one turn before any takes the next, so that other work on the
machine hits all alike. Printed are the shortest turn of each, its ratio to the first version's, and the median of the
ratios of turns that stand beside each other.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

_ROOT = Path(__file__).resolve().parents[1]


def work(options: argparse.Namespace) -> None:
    """One version: a turn for each line on the standard input."""
    import time

    from immunescape.engine.native.engine import NativeEngine
    from immunescape.engine.oracle.bench import Workload

    sys.path[:0] = [str(_ROOT), str(Path(__file__).parent)]
    if options.model:
        text, load = options.model.read_text(encoding="utf-8"), Workload(np.linspace(0.0, 400.0, 401))
    else:
        from bench_engine import example1

        text, load = example1()
    model = NativeEngine(lanes=options.lanes).compile(text)
    tight = model.run(load.job(model, 4, 1e-10)).values  # type: ignore[arg-type]
    scale = np.abs(tight).max(axis=(0, 1))
    scale[scale == 0] = 1.0
    job = load.job(model, options.patients, options.rtol)
    for _ in sys.stdin:
        started = time.process_time()
        result = model.run(job)
        seconds = time.process_time() - started
        error = np.max(np.abs(result.values[:4] - tight) / scale)
        print(seconds / job.n * 1e3, result.steps.mean(), error, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("versions", nargs="*", metavar="NAME=SRC")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--rtol", type=float, default=1e-6)
    parser.add_argument("--patients", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--lanes", type=int)
    parser.add_argument("--environment", action="append", default=[], metavar="NAME:VARIABLE=VALUE")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options)
        return
    settings: dict[str, dict[str, str]] = {}
    for entry in options.environment:
        name, _, assignment = entry.partition(":")
        variable, _, value = assignment.partition("=")
        settings.setdefault(name, {})[variable] = value
    workers: dict[str, Any] = {}
    for version in options.versions:
        name, _, source = version.partition("=")
        environment = {**os.environ, **settings.get(name, {}), "PYTHONPATH": source}
        workers[name] = subprocess.Popen(
            [sys.executable, __file__, "--work", *sys.argv[1:]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
    turns: dict[str, list[tuple[float, ...]]] = {name: [] for name in workers}
    for _ in range(options.repeats + 1):
        for name, worker in workers.items():
            worker.stdin.write("go\n")
            worker.stdin.flush()
            turns[name].append(tuple(map(float, worker.stdout.readline().split())))
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()
    first = np.array([turn[0] for turn in next(iter(turns.values()))[1:]])
    print(f"{'version':<16}{'ms/patient':>12}{'ratio':>8}{'median':>8}{'steps':>9}{'max error':>11}")
    for name, rows in turns.items():
        times = np.array([turn[0] for turn in rows[1:]])
        print(
            f"{name:<16}{times.min():>12.3f}{times.min() / first.min():>8.3f}{np.median(times / first):>8.3f}"
            f"{rows[0][1]:>9.1f}{rows[0][2]:>11.1e}"
        )


if __name__ == "__main__":
    main()
