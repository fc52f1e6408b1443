"""Measures what a population fit gives where fits of sums cannot look: best response in full, duration, relapse, cells.

::

    python scripts/lesion_gates.py --fit FIT.csv --patients 160 --seed 101 --seeds 3 --out FOLDER

Without ``--fit`` the fit that ships is measured. KEYNOTE-024 is simulated with every seed, the other trials with the
first. Finished patients are kept in the folder; the JSON goes to standard output.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

TRIALS = ("oak", "pacific", "keynote-189")
RESPONSE_WORDS = ("CR", "PR", "SD", "PD", "NE")


def measure(
    fit_file: Path | None, patients: int, seed: int, seeds: int, workers: int, out: Path | None, also: list[Path]
) -> dict[str, Any]:
    """Figures of the trials, by name."""
    from immunescape.population.fit import PopulationFit
    from immunescape.trial.loading import load_trial
    from immunescape.trial.runner import run_trial

    fit = None if fit_file is None else PopulationFit.read(fit_file)
    found: dict[str, Any] = {}
    runs = [(name, seed) for name in TRIALS] + [("keynote-024", seed + k) for k in range(seeds)]
    runs += [(str(path), seed) for path in also]
    for name, number in runs:
        trial = load_trial(name)
        folder = None if out is None else out / trial.name / str(number)
        result = run_trial(
            trial, patients=patients, seed=number, workers=workers, fit=fit, paired=trial.can_pair, out=folder
        )
        found.setdefault(trial.name, []).append(_figures(result) | {"seed": number, "wall_s": round(result.wall_s, 1)})
    return found


def _figures(result: Any) -> dict[str, Any]:
    from immunescape.stats.survival import median_survival
    from immunescape.trial.analysis import best_at_cut

    out: dict[str, Any] = {"hr": {k: result.comparison.get(k) for k in ("pfs_hr", "os_hr", "os_hr_same_course")}}
    for arm in result.trial.arms:
        rows = result.patients[result.patients["arm"] == arm.name]
        scans = result.visits[result.visits["arm"] == arm.name]
        best = np.array(best_at_cut(result.trial, rows, scans))
        has = rows["dor_months"].notna()
        late = (rows["best_response"].isin(("CR", "PR")) | (rows["pfs_months"] >= 6.0)).to_numpy()
        share = rows["progression:b2m_null_share_T"].to_numpy(dtype=float)
        seen = np.isfinite(share)
        own: dict[str, Any] = {word: round(100 * float((best == word).mean()), 1) for word in RESPONSE_WORDS}
        own |= {
            "n": len(rows),
            "dor_months": median_survival(rows.loc[has, "dor_months"].astype(float), rows.loc[has, "dor_event"]).value,
            "pfs_months": median_survival(rows["pfs_months"], rows["pfs_event"]).value,
            "os_months": median_survival(rows["os_months"], rows["os_event"]).value,
            "pfs_pct": {m: _at(rows["pfs_months"], rows["pfs_event"], m) for m in (3, 6, 9, 12, 18)},
            "b2m_pct": [int((share[seen] >= 0.2).sum()), int(seen.sum())],
            "b2m_late_pct": [int((share[seen & late] >= 0.2).sum()), int((seen & late).sum())],
            "pseudoprogression": _pseudo(rows, scans),
        }
        for name in ("CD8_CD4_ratio", "Treg_CD8_ratio", "M1_M2_ratio"):
            own[name] = round(float(rows[f"b:{name}"].median()), 3)
        out[arm.name] = own
    return out


def _at(months: Any, events: Any, at: float) -> float:
    from immunescape.evaluation.weighting import weighted_survival

    t, e = months.to_numpy(dtype=float), events.to_numpy(dtype=float)
    return round(100 * float(weighted_survival(t, e, np.full(len(t), 1 / len(t)), np.array([at]))[0]), 1)


def _pseudo(rows: Any, scans: Any) -> list[int]:
    """Responders whose sum of diameters first rose by 20 %, and all responders."""
    responders = set(rows.loc[rows["best_response"].isin(("CR", "PR")), "id"])
    rose = 0
    for _, own in scans[scans["id"].isin(responders)].groupby("id"):
        own = own.sort_values("day")
        answered = own["response"].isin(("CR", "PR"))
        first = own.loc[answered, "day"].min() if answered.any() else math.inf
        rose += bool((own.loc[own["day"] < first, "change_pct"] >= 20.0).any())
    return [rose, len(responders)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", type=Path)
    parser.add_argument("--patients", type=int, default=160)
    parser.add_argument("--seed", type=int, default=101)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--also", type=Path, action="append", default=[], help="a further trial file")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    print(
        json.dumps(
            measure(given.fit, given.patients, given.seed, given.seeds, given.workers, given.out, given.also), indent=1
        )
    )


if __name__ == "__main__":
    main()
