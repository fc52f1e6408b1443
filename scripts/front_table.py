"""Runs the trials that ship with many patients over several seeds, and prints the table of the front page.

How to run it (the same command resumes; finished trials and seeds are kept in the folder)::

    python scripts/front_table.py --patients 250 --seeds 8 --out FOLDER             # 2,000 patients per arm
    python scripts/front_table.py --patients 250 --seeds 8 --out FOLDER --trials keynote-024

Means over the seeds (geometric for medians and hazard ratios) with their standard errors; hazard ratios of PFS and OS
apart. The error of a hazard ratio is that between seeds where there are three or more, as the arms of a trial share
their patients; else that of Cox's model. What was known of a trial when the model was made is said in a column of its
own.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from immunescape.console import markdown_table
from immunescape.evaluation.harness import Harness, run_harness
from immunescape.evaluation.scoreboard import roles

LEAST_PATIENTS = 2000
SEEN = {
    "calibration": "fitted to",
    "validation": "not fitted to, but looked at between versions",
}
"""Role -> what was known of the trial."""
DECLARED = (
    "Seen when the model was made, beside the trials that were fitted to: toxicity rates of later trials (grade 3"
    " events, discontinuation; `toxicity.csv`), the avidity of ivonescimab for its targets, the assumed strengths of"
    " mechanisms, and strategies whose evidence names the outcome of trials (`strategies.yaml`)."
)


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _figure(pair: Sequence[float | None], digits: int, logarithmic: bool) -> str:
    """``value (SE)``; the error of a logarithm is brought to the figure's own scale."""
    value, se = pair
    if value is None:
        return "not reached"
    error = None if se is None else se * value if logarithmic else se
    return f"{value:.{digits}f} ({_number(error, digits)})"


def ratio_error(by_seed: Sequence[float | None], pooled: float | None) -> float | None:
    """Standard error of the mean ln hazard ratio: between seeds where there are three or more, else as pooled."""
    logs = [math.log(v) for v in by_seed if v]
    if len(logs) >= 3:
        return statistics.stdev(logs) / math.sqrt(len(logs))
    return pooled


def tables(run: Harness) -> str:
    """Markdown of both tables, arms and hazard ratios, with what had been seen."""
    arms: list[tuple[Any, ...]] = []
    ratios: list[tuple[Any, ...]] = []
    for protocol in run.protocols:
        trial, row = protocol.trial, run.rows[protocol.trial.name]
        published = trial.published
        for arm in row["arms"]:
            told = None if published is None else published.arm(arm["name"])
            f = arm["figures"]
            arms.append(
                (
                    trial.name,
                    arm["name"],
                    arm["n"],
                    arm["failed"],
                    _figure(f["orr_pct"], 1, False),
                    _number(told and told.orr_pct, 1),
                    _figure(f["pfs_median_months"], 1, True),
                    _number(told and told.pfs_median_months, 1),
                    _figure(f["os_median_months"], 1, True),
                    _number(told and told.os_median_months, 1),
                    SEEN.get(protocol.role, protocol.role),
                )
            )
        for figure, word in (("pfs_hr", "PFS"), ("os_hr", "OS")):
            if figure not in row["comparison"]:
                continue
            value, pooled = row["comparison"][figure]
            se = ratio_error(row.get("by_seed", {}).get(figure, ()), pooled)
            told_ratio = None if published is None else getattr(published, figure)
            interval = None if published is None else getattr(published, f"{figure}_ci")
            shown = _number(told_ratio, 2) + (f" ({interval[0]:.2f}–{interval[1]:.2f})" if interval else "")
            n = " + ".join(str(a["n"]) for a in (row["arms"][0], row["arms"][-1]))
            seen = SEEN.get(protocol.role, protocol.role)
            ratios.append((trial.name, word, n, _figure((value, se), 2, True), shown, seen))
    least = min(arm["n"] for row in run.rows.values() for arm in row["arms"])
    note = "" if least >= LEAST_PATIENTS else f" Provisional: {least} patients per arm, fewer than {LEAST_PATIENTS}."
    lines = [
        f"Model {run.digest[:12]}; {run.patients} patients per arm and seed, {len(run.seeds)} seeds; in brackets the"
        f" Monte Carlo standard error.{note}",
        "",
        *markdown_table(
            (
                "trial",
                "arm",
                "n",
                "failed",
                "response, % (SE)",
                "published",
                "median PFS, months (SE)",
                "published",
                "median OS, months (SE)",
                "published",
                "what had been seen",
            ),
            arms,
        ),
        *markdown_table(
            ("trial", "hazard ratio", "n", "predicted (SE)", "published (95 %)", "what had been seen"), ratios
        ),
        DECLARED,
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the trials and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--trials", default="", help="comma-separated [default: all that ship with a role]")
    parser.add_argument("--patients", type=int, default=250, help="per arm and seed")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1, help="the first")
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--out", type=Path, required=True, help="folder that keeps finished trials and seeds")
    given = parser.parse_args(arguments)
    names = [name.strip() for name in given.trials.split(",") if name.strip()] or sorted(roles())

    def tell(trial: str, done: int, total: int) -> None:
        print(f"{done} of {total}: {trial}", file=sys.stderr, flush=True)

    run = run_harness(
        names,
        patients=given.patients,
        seed=given.seed,
        seeds=given.seeds,
        workers=given.workers,
        out=given.out,
        progress=tell,
    )
    print(tables(run))


if __name__ == "__main__":
    main()
