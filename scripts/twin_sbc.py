"""Simulation-based calibration of twins given a course: ranks of the truth among its twins must be uniform.

    python scripts/twin_sbc.py                          # 600 virtual patients, up to 200 of them as the truth
    python scripts/twin_sbc.py --pool 1200 --patients 400 --seed 2 --json sbc.json

Virtual patients of the whole population are simulated on a first line of pembrolizumab, and on docetaxel after it.
Each in turn is taken for a patient whose files hold its first line, with errors drawn as the likelihood assumes them;
all others, with the weights that the command `twin` gives them, are its twins. The rank of the truth among draws of
its twins is then uniform if the twins are right: for parameters, for what was measured and for what comes later.

======================== ======================================================================================
condition                what the twins know
======================== ======================================================================================
earlier line, sizes      sizes on the scans of the first line, day of progression, sum of diameters before the next
earlier line, response   best response and day of progression; no sizes
ongoing line, day 84     sizes on two scans of the first line, and no progression up to the second
======================== ======================================================================================

Patients are chosen by what was measured alone: their course is of the kind, and enough of their twins are effective.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.trial.coefficients import coefficients
from immunescape.twins.conditioning import Candidates
from immunescape.twins.courses import Courses, CourseTask, follow, usual_regimen
from immunescape.twins.covariates import effective
from immunescape.twins.earlier_lines import EarlierLines
from immunescape.twins.likelihood import scan_error, size_fact
from immunescape.twins.recorded_patient import LineRecord, PatientRecord, Scan
from immunescape.twins.twin import event_days, ongoing_log_likelihood

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.trial.recorded_lines import LineOutcome

FloatArray = NDArray[np.float64]
FIRST, NEXT = "pembrolizumab", "docetaxel"
DAYS = tuple(42.0 * k for k in range(1, 10))
"""Days of the scans on the first line."""
AT = 84.0
"""Day of the decision while the first line goes on."""
CONDITIONS = ("earlier line, sizes", "earlier line, response", "ongoing line, day 84")
DRAWS = 7
"""Draws of a patient's twins among which the truth is ranked: eight ranks."""
ENOUGH = 25.0
"""Effective twins from which on a patient counts: draws from fewer of them are not independent enough."""
WORDS = ("CR", "PR", "SD", "PD")
FLOOR = 0.05


@dataclass(frozen=True, eq=False)
class Pool:
    """Virtual patients of the population with their courses.

    Attributes
    ----------
    table : n patients at diagnosis, all of whom could be followed while their first line goes on.
    earlier : the first line as one that is over, and the next one after it.
    ongoing : the first line as one that goes on.
    later : condition -> what is ranked -> (n,) of each patient.
    """

    table: pd.DataFrame
    earlier: Courses
    ongoing: Courses
    later: Mapping[str, Mapping[str, FloatArray]]


def made_pool(patients: int, seed: int, workers: int = 1) -> Pool:
    """Grow and follow the virtual patients."""
    candidates = Candidates("nobody", (), first=patients, seed=seed, workers=workers)
    candidates.grow_until(1.0)
    table = candidates.drawn(patients).table
    scans = tuple(Scan(day, math.nan, "") for day in DAYS)
    line = LineRecord((FIRST,), 0.0, DAYS[-1] + 1.0, math.nan, scans, math.inf)
    first, following = ((name, usual_regimen((name,))) for name in (FIRST, NEXT))
    earlier = follow(
        CourseTask(seed, (following,), history=(line,), months=12.0, scan_days=DAYS[:1], line=2), table, workers=workers
    )
    ongoing = follow(CourseTask(seed, (first,), months=12.0, scan_days=DAYS[:3]), table, workers=workers)
    table = table.loc[[i for i in table.index if i in set(ongoing.patients["id"])]]
    shared = {name: table[f"p:{name}"].to_numpy(dtype=float) for name in ("k_kill", "k_growth")}
    history = earlier.history[0]
    last = [
        min(history[i].changes.items(), default=(0.0, math.nan))[1] if i in history else math.nan for i in table.index
    ]
    after = {**shared, "change on the first scan": np.array(last), **next_line(earlier, table, 42.0)}
    now = {**shared, **next_line(ongoing, table, 126.0)}
    return Pool(
        table,
        earlier,
        ongoing,
        dict(zip(CONDITIONS, (after, after, now), strict=True)),
    )


def next_line(courses: Courses, table: pd.DataFrame, day: float) -> dict[str, FloatArray]:
    """What comes later on the arm: change on the scan of a day (infinite after progression), progression, death."""
    rows = courses.patients.set_index("id").reindex(table.index)
    progression, death = event_days(rows)
    here = courses.scans[courses.scans["day"] == day].set_index("id")["change_pct"].reindex(table.index)
    return {
        f"change on the scan of day {day:g} of the arm": here.fillna(math.inf).to_numpy(dtype=float),
        "progression or death on the arm": progression,
        "death on the arm": death,
    }


def seen_size(change: float, rng: np.random.Generator) -> float:
    """Sum of diameters (mm) as measured, after a baseline of 100 mm, where the truth is `change`."""
    return 100.0 * math.exp(math.log(max(change, FLOOR)) + scan_error() * rng.standard_normal())


def seen_progression(outcome: LineOutcome, rng: np.random.Generator) -> float:
    """Day of the scan on which progression or death, missed by its error, is seen; infinite where there is none."""
    error = coefficients("twin_errors")["progression_discrepancy"].value
    day = min(outcome.progression_day, outcome.death_day) * math.exp(error * rng.standard_normal())
    return next((d for d in DAYS if d >= day), math.inf)


def earlier_record(
    outcome: LineOutcome, entry_mm: float, rng: np.random.Generator, sizes: bool
) -> PatientRecord | None:
    """Files of a patient whose first line is over; None where it did not end with progression on a scan."""
    progression = seen_progression(outcome, rng)
    right = rng.random() < coefficients("twin_errors")["response_agreement"].value
    word = outcome.best_response if right else str(rng.choice([w for w in WORDS if w != outcome.best_response]))
    if not math.isfinite(progression):
        return None
    days = [d for d in DAYS if d <= progression]
    if sizes:
        seen = [seen_size(outcome.changes[d], rng) if d in outcome.changes else math.nan for d in days]
        scans = tuple(Scan(d, mm, "") for d, mm in zip(days, seen, strict=True))
    else:
        # the best word of the line stands on one scan, so that no other contradicts it
        scans = tuple(Scan(d, math.nan, word if k == 0 else "") for k, d in enumerate(days))
    line = LineRecord((FIRST,), 0.0, progression, 100.0 if sizes else math.nan, scans, progression)
    entry = size_fact(entry_mm)
    entry_seen = entry_mm * math.exp(entry.spread * rng.standard_normal()) if sizes else math.nan
    return PatientRecord("simulated", 0.0, (), lines=(line,), entry_mm=entry_seen)


def earlier_logs(pool: Pool, record: PatientRecord) -> FloatArray:
    """Ln likelihood (n,) of the course of a patient whose first line is over, in all virtual patients."""
    task = CourseTask(0, ((NEXT, usual_regimen((NEXT,))),), history=record.history, line=2)
    lines = EarlierLines(record, task, follower=lambda *_, **__: pool.earlier)
    return np.asarray(np.sum(list(lines.terms(pool.table).values()), axis=0))


def ongoing_record(seen: Mapping[float, float], progression: float, rng: np.random.Generator) -> PatientRecord | None:
    """Files of a patient whose first line goes on at day `AT`; None where it does not."""
    error = coefficients("twin_errors")["progression_discrepancy"].value
    days = [d for d in DAYS if d <= AT]
    if progression * math.exp(error * rng.standard_normal()) <= AT or any(d not in seen for d in days):
        return None
    scans = tuple(Scan(d, seen_size(seen[d], rng), "") for d in days)
    line = LineRecord((FIRST,), 0.0, math.inf, 100.0, scans, math.inf)
    return PatientRecord("simulated", AT, (), lines=(line,))


def ongoing_logs(pool: Pool, record: PatientRecord) -> FloatArray:
    """Ln likelihood (n,) of the course of a patient whose first line goes on, in all virtual patients."""
    line = record.ongoing
    assert line is not None
    return ongoing_log_likelihood(record, line, pool.table.index.to_numpy(), pool.ongoing)


def ranks(pool: Pool, condition: str, patients: int, seed: int) -> tuple[dict[str, list[int]], int, list[float]]:
    """Ranks of the truth for a condition.

    Returns
    -------
    What is ranked -> rank (0 to `DRAWS`) of each patient; patients with too few twins; effective twins of the others.
    """
    place = CONDITIONS.index(condition)
    rng = np.random.default_rng([seed, 41, place])
    entry = pool.earlier.patients.drop_duplicates("id").set_index("id")["sld_mm_baseline"]
    progression = dict(zip(pool.ongoing.patients["id"], event_days(pool.ongoing.patients)[0], strict=True))
    death = dict(zip(pool.ongoing.patients["id"], event_days(pool.ongoing.patients)[1], strict=True))
    scans: dict[int, dict[float, float]] = {}
    for i, day, change in zip(*(pool.ongoing.scans[c] for c in ("id", "day", "change_pct")), strict=True):
        scans.setdefault(int(i), {})[float(day)] = 1.0 + float(change) / 100.0
    found: dict[str, list[int]] = {name: [] for name in pool.later[condition]}
    few, sizes_of = 0, []
    for k, i in enumerate(pool.table.index.tolist()):
        if len(sizes_of) == patients:
            break
        if place == 2:
            own = ongoing_record(scans.get(i, {}), progression[i], rng) if death[i] > AT else None
            logs = None if own is None else ongoing_logs(pool, own)
        else:
            there = i in entry.index
            record = earlier_record(pool.earlier.history[0][i], float(entry[i]), rng, place == 0) if there else None
            logs = None if record is None else earlier_logs(pool, record)
        if logs is None:
            continue
        logs[k] = -math.inf  # nobody is a twin of himself
        weights = np.exp(logs - max(float(logs.max()), -1e300))
        ess = effective(weights)
        if ess < ENOUGH:
            few += 1
            continue
        sizes_of.append(ess)
        drawn = rng.choice(len(weights), DRAWS, p=weights / weights.sum())
        for name, values in pool.later[condition].items():
            below, ties = int((values[drawn] < values[k]).sum()), int((values[drawn] == values[k]).sum())
            found[name].append(below + int(rng.integers(0, ties + 1)))
    return found, few, sizes_of


def uniform(found: list[int]) -> tuple[list[int], float]:
    """Counts of the ranks, and the probability of counts as uneven if ranks are uniform (chi-square)."""
    from scipy.stats import chisquare

    counts = np.bincount(np.array(found, dtype=int), minlength=DRAWS + 1)
    return counts.tolist(), float(chisquare(counts).pvalue)


def calibrated(pool: Pool, patients: int, seed: int) -> list[dict[str, Any]]:
    """A row for each condition and ranked quantity."""
    rows = []
    for condition in CONDITIONS:
        found, few, ess = ranks(pool, condition, patients, seed)
        for name, values in found.items():
            counts, p = uniform(values)
            rows.append(
                {
                    "condition": condition,
                    "quantity": name,
                    "patients": len(values),
                    "too_few_twins": few,
                    "median_effective": round(float(np.median(ess)), 1) if ess else 0.0,
                    "counts": counts,
                    "p": round(p, 4),
                }
            )
    return rows


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", type=int, default=600, help="virtual patients that are simulated")
    parser.add_argument("--patients", type=int, default=200, help="of whom so many are the truth, at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", type=Path, help="file for the rows")
    args = parser.parse_args()
    rows = calibrated(made_pool(args.pool, args.seed, args.workers), args.patients, args.seed)
    print("| condition | ranked | patients | median effective twins | counts of ranks | p |")
    print("|---|---|---|---|---|---|")
    for r in rows:
        counts = " ".join(map(str, r["counts"]))
        print(
            f"| {r['condition']} | {r['quantity']} | {r['patients']} | {r['median_effective']} | {counts} | {r['p']} |"
        )
    if args.json is not None:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
