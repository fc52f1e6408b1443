"""Times 10,000 replicates of a 500-patient group-sequential survival trial with 3 looks, beside two other ways.

The others run fewer replicates and are scaled: a plain loop over lifelines' log-rank test, and rpact's
``getSimulationSurvival`` (R with rpact; left out where there is none). Run::

    python benchmarks/bench_design.py [--replicates 10000] [--workers 2] [--out table.md]
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import time
from pathlib import Path

import numpy as np

from immunescape.design.cohort import Milestone
from immunescape.design.group_sequential import GroupSequential, Hypothesis
from immunescape.design.records import Arm, Design
from immunescape.design.simulation import simulate
from immunescape.design.survival_model import Accrual, PiecewiseExponential
from immunescape.design.truth import Endpoint, Generator

EVENTS = (150, 225, 300)
BOUNDS = (2.9626, 2.3590, 2.0141)


def design() -> Design:
    control = PiecewiseExponential.from_median(12)
    truth = Generator(
        ("new", "control"),
        ("all",),
        (1.0,),
        {("new", "all", "os"): control.with_effect(0.75), ("control", "all", "os"): control},
    )
    return Design(
        name="benchmark",
        arms=(Arm("new"), Arm("control", "control")),
        endpoints=(Endpoint("os"),),
        patients=500,
        accrual=Accrual((500 / 24,), (24.0,)),
        looks=tuple(Milestone(events=n, endpoint="os") for n in EVENTS),
        truths={"alternative": truth},
        rule=GroupSequential((Hypothesis("OS", "os"),)),
    )


def plain_loop(replicates: int) -> float:
    """Power by a loop over trials with lifelines' log-rank test."""
    from lifelines.statistics import logrank_test

    rng = np.random.default_rng(1)
    won = 0
    for _ in range(replicates):
        entry = np.sort(rng.uniform(0, 24, 500))
        arm = rng.permutation(np.repeat([True, False], 250))
        month = rng.exponential(np.where(arm, 12 / np.log(2) / 0.75, 12 / np.log(2)))
        calendar = np.sort(entry + month)
        for events, bound in zip(EVENTS, BOUNDS, strict=True):
            cut = calendar[events - 1]
            use = entry < cut
            followed = cut - entry
            time_, event = np.minimum(month, followed)[use], (month <= followed)[use]
            a = arm[use]
            test = logrank_test(time_[a], time_[~a], event[a], event[~a])
            benefit = event[a].sum() / time_[a].sum() < event[~a].sum() / time_[~a].sum()
            if benefit and np.sqrt(test.test_statistic) >= bound:
                won += 1
                break
    return won / replicates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=10_000)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--loop", type=int, default=150, help="replicates of the lifelines loop")
    parser.add_argument("--rpact", type=int, default=2000, help="replicates of rpact")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    n = args.replicates
    rows = []
    for workers in args.workers:
        count = n if workers == 1 else 4 * n  # a short run stays in one process; a longer one shows what processes give
        began = time.perf_counter()
        result = simulate(design(), count, seed=1, workers=workers, scenarios=["alternative"])
        seconds = time.perf_counter() - began
        name = f"immunescape, {workers} process{'es' * (workers > 1)}"
        rows.append((name, count, seconds, seconds * n / count, result.power().value))
    began = time.perf_counter()
    power = plain_loop(args.loop)
    seconds = time.perf_counter() - began
    rows.append(("plain loop over lifelines, 1 process", args.loop, seconds, seconds * n / args.loop, power))
    script = Path(__file__).with_name("design_rpact.R")
    try:
        found = subprocess.run(["Rscript", str(script), str(args.rpact)], capture_output=True, text=True, check=True)
        took, power_, version = found.stdout.split()
        rows.append(
            (
                f"rpact {version} getSimulationSurvival",
                args.rpact,
                float(took),
                float(took) * n / args.rpact,
                float(power_),
            )
        )
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        print(f"rpact left out: {error}")
    load = os.getloadavg()[0]
    lines = [
        f"{platform.machine()}, {os.cpu_count()} cores, load average {load:.1f} at the end, "
        f"Python {platform.python_version()}",
        "",
        f"| way | replicates run | seconds | seconds for {n:,} | power |",
        "|---|---|---|---|---|",
        *[f"| {name} | {k:,} | {s:.1f} | {t:.1f} | {p:.3f} |" for name, k, s, t, p in rows],
    ]
    text = "\n".join(lines)
    print(text)
    if args.out:
        args.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
