"""What `immunescape trial keynote-024` costs, now and at an earlier commit, run in turns on one machine.

Both versions run with the same interpreter and libraries. Processor time is that of the command with all its worker
processes; on a machine that others use as well, only its ratio means something. Every pair has to give the same
patients, byte by byte.

    python benchmarks/bench_trial.py --before ccdbad0 --rounds 2
"""

from __future__ import annotations

import argparse
import ctypes
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
COMMAND = "from immunescape.cli import main; main()"


@dataclass(frozen=True)
class Case:
    """A way to call the command; `cold` gives each call a cache folder of its own, with nothing in it."""

    name: str
    options: tuple[str, ...]
    cold: bool = False
    large: bool = False


CASES = (
    Case("cold, 150 per arm, 2 workers", ("-w", "2"), cold=True),
    Case("warm, 150 per arm, 2 workers", ("-w", "2")),
    Case("warm, 150 per arm, 1 worker", ("-w", "1")),
    Case("warm, 4 per arm, 2 workers", ("-w", "2", "-n", "4")),
    Case("warm, 1,000 per arm, 2 workers", ("-w", "2", "-n", "1000"), large=True),
)


def call(source: Path, cache: Path, out: Path, options: tuple[str, ...]) -> tuple[float, float]:
    """Run the command of one version; returns seconds on the clock and of processor time."""
    environment = {**os.environ, "PYTHONPATH": str(source / "src"), "XDG_CACHE_HOME": str(cache)}
    environment.pop("IMMUNESCAPE_CACHE", None)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # processes left behind become ours, with their time
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = before.ru_utime + before.ru_stime
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "trial", "keynote-024", "-o", str(out), *options],
        env=environment,
        cwd=source,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    said = process.stderr.read().decode(errors="replace")
    _, status = os.waitpid(process.pid, 0)
    clock = time.perf_counter() - began
    while True:  # the server that workers are forked from ends after the command
        try:
            os.wait()
        except ChildProcessError:
            break
    if status:
        raise SystemExit(f"{source}: the command failed\n{said}")
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return clock, usage.ru_utime + usage.ru_stime - used


def measure(case: Case, versions: dict[str, Path], rounds: int, folder: Path) -> dict[str, list[tuple[float, float]]]:
    """Run the versions in turns."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in versions}
    tables = set()
    for number in range(rounds):
        for name, source in versions.items():
            cache = folder / (f"cold-{name}-{number}" if case.cold else f"cache-{name}")
            with tempfile.TemporaryDirectory(dir=folder) as out:
                found[name].append(call(source, cache, Path(out), case.options))
                tables.add((Path(out) / "patients.parquet").read_bytes())
    if len(tables) != 1:
        raise SystemExit(f"{case.name}: the versions give different patients")
    return found


def main() -> None:
    """Print a table in Markdown: medians of the rounds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--before", help="commit to compare with [default: none]")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large", action="store_true", help="1,000 per arm as well")
    chosen = parser.parse_args()
    versions = {"now": ROOT}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        try:
            if chosen.before:
                tree = folder / "before"
                subprocess.run(
                    ["git", "worktree", "add", "-q", "--detach", str(tree), chosen.before], cwd=ROOT, check=True
                )
                versions = {"before": tree, "now": ROOT}
            for name, source in versions.items():
                call(source, folder / f"cache-{name}", folder / f"first-{name}", ("-n", "2"))  # fills the cache
            print("| command | " + " | ".join(f"{v}: s | {v}: CPU s" for v in versions) + " | CPU, ratio |")
            print("|---|" + "---|" * (2 * len(versions) + 1))
            for case in CASES:
                if case.large and not chosen.large:
                    continue
                runs = measure(case, versions, chosen.rounds, folder)
                medians = {n: [statistics.median(r[k] for r in runs[n]) for k in (0, 1)] for n in versions}
                ratio = f"{medians['before'][1] / medians['now'][1]:.2f}" if chosen.before else "–"
                cells = " | ".join(f"{wall:.1f} | {cpu:.1f}" for wall, cpu in medians.values())
                print(f"| {case.name} | {cells} | {ratio} |", flush=True)
        finally:
            if chosen.before:
                subprocess.run(["git", "worktree", "remove", "--force", str(folder / "before")], cwd=ROOT, check=False)


if __name__ == "__main__":
    main()
