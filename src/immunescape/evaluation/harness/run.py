"""Runs the trials of the harness, keeps each finished one, and gathers its figures over seeds.

A finished trial is a file ``rows/<digest>.json``; the digest holds the package's files on which a simulation depends,
the protocol, the number of patients and the seed. So a run that was interrupted goes on where it stopped, and a change
of the model, or of one protocol, makes anew only what it touches.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from immunescape.errors import InputError
from immunescape.evaluation.aims import aims, error_rows, ratio_aims
from immunescape.evaluation.harness.class_effects import effects_of
from immunescape.evaluation.harness.combination_table import (
    after_inhibitor,
    combination_aims,
    combination_scores,
    scores_alone,
)
from immunescape.evaluation.harness.corrections import left_out_forecasts
from immunescape.evaluation.harness.exchange_line import lines_of
from immunescape.evaluation.harness.figures import figures
from immunescape.evaluation.harness.judging import judged_figures
from immunescape.evaluation.harness.odds_table import OddsRow, odds_aims, odds_table
from immunescape.evaluation.harness.protocols import PROBE, Deviation, Protocol, deviations, protocols
from immunescape.evaluation.harness.scoring import FigureComparison, Summary, comparisons, summaries
from immunescape.evaluation.naive import ROUND_RATIOS, Judged
from immunescape.files import check_folder, whole_file
from immunescape.release import installed_version

__all__ = ["Harness", "compare_run", "judged_groups", "run_harness"]

_ROOM = "Make room or choose another folder (--out); the same command resumes from what is stored."
FORM = 2
"""Form of a stored row: raised when the figures of a row change their meaning."""
Row = dict[str, Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class Harness:
    """What a run of the harness gave.

    Attributes
    ----------
    digest, version : of the model's files, and of the package.
    patients, seeds : as run.
    rows : trial -> pooled figures; see :func:`pooled`.
    protocols : what was run. deviations : protocol files against table rows.
    comparisons : every figure that has a published one. summaries : errors by endpoint and role, with the baselines'.
    odds : rows of odds ratios, virtual and real. fifteen : the table of fifteen odds ratios; empty without data or the
        protocol of all comers. numbers : digest of the released numbers; empty for an older run that does not state it.
    """

    digest: str
    version: str
    patients: int
    seeds: tuple[int, ...]
    rows: Mapping[str, Row]
    protocols: tuple[Protocol, ...]
    deviations: tuple[Deviation, ...]
    comparisons: tuple[FigureComparison, ...]
    summaries: tuple[Summary, ...]
    odds: tuple[dict[str, Any], ...] = field(default=())
    fifteen: tuple[OddsRow, ...] = field(default=())
    numbers: str = ""

    @cached_property
    def forecasts(self) -> tuple[FigureComparison, ...]:
        """Comparisons with hazard ratios as they would have been forecast, each trial without its own evidence."""
        return tuple(left_out_forecasts(self.protocols, self.comparisons))

    @cached_property
    def errors_of_others(self) -> Mapping[str, Mapping[str, float]]:
        """Trial -> kind of figure -> SD of the errors of the other trials."""
        from immunescape.evaluation.harness.prediction_errors import fitted_trials, left_out_errors

        return left_out_errors(self, fitted_trials())

    def to_json(self) -> dict[str, Any]:
        """Everything, as plain JSON."""
        scores, floors, correlation = combination_scores(self.protocols, self.comparisons, self.rows)
        after = after_inhibitor(self.protocols, self.comparisons)
        judged, judged_forecasts = judged_groups(self), judged_groups(self, forecasts=True)
        forecast_scores = scores_alone(self.protocols, self.forecasts)
        return {
            "digest": self.digest,
            "numbers": self.numbers,
            "version": self.version,
            "patients": self.patients,
            "seeds": list(self.seeds),
            "trials": {
                p.trial.name: {
                    "role": p.role,
                    "kind": p.kind,
                    "primary_met": p.met,
                    "checked": p.checked,
                    "counted": p.counted,
                    **self.rows[p.trial.name],
                }
                for p in self.protocols
            },
            "comparisons": [c.row() for c in self.comparisons],
            "summary": [s.row() for s in self.summaries],
            "odds": list(self.odds),
            "errors": {group: [r.row() for r in error_rows(mine)] for group, mine in judged.items()},
            "aims": {group: [a.row() for a in aims(mine)] for group, mine in judged.items()},
            "combinations": {
                "scores": [s.row() for s in scores],
                "noise_floor": [f.row() for f in floors],
                "correlation": correlation,
                "after_inhibitor": after.median_error,
                "aims": [a.row() for a in combination_aims(scores, after)],
            },
            "forecasts": {
                "comparisons": [c.row() for c in self.forecasts if c.figure in ROUND_RATIOS],
                "errors": {group: [r.row() for r in error_rows(mine)] for group, mine in judged_forecasts.items()},
                "aims": {group: [a.row() for a in ratio_aims(mine)] for group, mine in judged_forecasts.items()},
                "combinations": [s.row() for s in forecast_scores],
                "combination_aims": [a.row() for a in combination_aims(forecast_scores)],
                "exchange_lines": [line.row() for line in lines_of(self.protocols, self.comparisons)],
            },
            "fifteen_odds_ratios": {
                "rows": [r.row() for r in self.fifteen],
                "aims": [a.row() for a in odds_aims(self.fifteen)],
            },
            "class_effects": [e.row() for e in effects_of(self.protocols, self.comparisons)],
            "deviations": [d.row() for d in self.deviations],
        }


def judged_groups(run: Harness, *, forecasts: bool = False) -> dict[str, list[Judged]]:
    """Figures that aims are set for, of all trials and of those of each role; groups without any are left out.

    With `forecasts`, hazard ratios are those of :attr:`Harness.forecasts`.
    """
    compared = run.forecasts if forecasts else run.comparisons
    every = judged_figures(run.protocols, compared, run.errors_of_others, forecasts=forecasts)
    of_role = {p.trial.name: p.role for p in run.protocols}
    groups = {
        "all": every,
        **{role: [j for j in every if of_role[j.trial] == role] for role in ("calibration", "validation")},
    }
    return {name: members for name, members in groups.items() if members}


def run_harness(
    names: Sequence[str] = (),
    *,
    data: Path | None = None,
    patients: int = 100,
    seed: int = 1,
    seeds: int = 1,
    workers: int | None = None,
    out: Path | None = None,
    engine: str = "auto",
    progress: Callable[[str, int, int], None] | None = None,
) -> Harness:
    """Simulate the trials and score them.

    Parameters
    ----------
    names
        Trials to run; none runs all.
    data
        Folder with ``trials.csv``, ``combinations.csv``, ``trial_files/``, and patients (``oak/``, ``loris/``,
        ``toposcore/``, ``km/``); None scores the trials that ship.
    patients
        Virtual patients per arm; the arms of a trial share them.
    seed, seeds
        The first seed, and how many from it on.
    workers, engine
        As for a single trial.
    out
        Folder that keeps finished trials.
    progress
        Called with (trial, number of it, trials in all) when a trial is done.
    """
    from immunescape.trial.runner import model_digest, numbers_digest

    if patients < 2:
        raise InputError(f"the number of patients per arm is {patients}", hint="Use at least two.")
    if out is not None:
        check_folder(out)
    chosen = protocols(data, names)
    digest = model_digest()
    numbers = tuple(range(seed, seed + seeds))
    made: dict[str, list[Row]] = {}
    for k, protocol in enumerate(chosen):
        for number in numbers:
            made.setdefault(protocol.trial.name, []).append(
                _row(protocol, digest, patients=patients, seed=number, workers=workers, out=out, engine=engine)
            )
        if progress is not None:
            progress(protocol.trial.name, k + 1, len(chosen))
    rows = {name: pooled(of_seeds) for name, of_seeds in made.items()}
    return compare_run(
        chosen,
        rows,
        data,
        digest=digest,
        version=installed_version(),
        patients=patients,
        seeds=numbers,
        numbers=numbers_digest(),
    )


def compare_run(
    chosen: Sequence[Protocol],
    rows: Mapping[str, Row],
    data: Path | None,
    *,
    digest: str,
    version: str,
    patients: int,
    seeds: tuple[int, ...],
    numbers: str,
) -> Harness:
    """Compare a run, new or finished, with the published trials and the patients of a data folder.

    Parameters
    ----------
    chosen, rows
        Trials, and what was simulated of each.
    data
        Folder of patients' data; None compares without.
    digest, version, patients, seeds, numbers
        Of the run; see `Harness`.
    """
    from immunescape.evaluation.harness.odds import odds_rows

    compared = comparisons(chosen, rows, data)
    return Harness(
        digest=digest,
        version=version,
        patients=patients,
        seeds=seeds,
        rows=rows,
        protocols=tuple(chosen),
        deviations=tuple(deviations(chosen)),
        comparisons=tuple(compared),
        summaries=tuple(summaries(chosen, compared)),
        odds=tuple(odds_rows(rows, data)),
        fifteen=tuple(_fifteen(rows, data)),
        numbers=numbers,
    )


def _fifteen(rows: Mapping[str, Row], data: Path | None) -> list[OddsRow]:
    """The table of fifteen odds ratios from the virtual patients without selection; empty without them or data."""
    if data is None or PROBE not in rows:
        return []
    virtual = {factor: [counts] for factor, counts in rows[PROBE]["arms"][0]["odds"].items()}
    return odds_table(virtual, data)


def _row(
    protocol: Protocol, digest: str, *, patients: int, seed: int, workers: int | None, out: Path | None, engine: str
) -> Row:
    from immunescape.trial.runner import run_trial

    trial = protocol.trial
    key = hashlib.sha256(f"{FORM}\x1f{digest}\x1f{trial.text}\x1f{patients}\x1f{seed}".encode()).hexdigest()
    path = None if out is None else out / "rows" / f"{key[:20]}.json"
    if path is not None and path.is_file():
        try:
            stored: Row = json.loads(path.read_text(encoding="utf-8"))
            if stored["key"] == key:
                return stored
        except (OSError, ValueError, KeyError):
            pass  # a damaged row is made anew
    result = run_trial(trial, patients=patients, seed=seed, workers=workers, engine=engine, paired=trial.can_pair)
    row: Row = {"key": key, "trial": trial.name, "seed": seed, "wall_s": round(result.wall_s, 2), **figures(result)}
    if path is not None:
        with whole_file(path, "cannot store a finished trial", hint=_ROOM) as stream:
            stream.write(json.dumps(row, separators=(",", ":")).encode())
    return row


# --- over seeds ------------------------------------------------------------------------------------------------------


def pooled(rows: Sequence[Row]) -> Row:
    """Figures of several seeds as one: means (of logarithms for ratios and medians), errors of means, counts added."""
    first = rows[0]
    arms = []
    for k, arm in enumerate(first["arms"]):
        same = [row["arms"][k] for row in rows]
        names = [n for n in arm["figures"] if all(n in s["figures"] for s in same)]
        arms.append(
            {
                "name": arm["name"],
                "n": sum(s["n"] for s in same),
                "failed": sum(s["failed"] for s in same),
                "kind": arm["kind"],
                "figures": {n: _mean(n, [s["figures"][n] for s in same]) for n in names},
                "odds": {
                    f: [sum(v) for v in zip(*(s["odds"][f] for s in same), strict=True)]
                    for f in arm["odds"]
                    if all(f in s["odds"] for s in same)
                },
            }
        )
    return {
        "arms": arms,
        "comparison": {n: _mean(n, [row["comparison"][n] for row in rows]) for n in first["comparison"]},
        "by_seed": {
            n: [row["comparison"][n][0] for row in rows] for n in ("pfs_hr", "os_hr") if n in first["comparison"]
        },
        "helped": {n: _mean(n, [row["helped"][n] for row in rows]) for n in first["helped"]},
        "wall_s": round(sum(row["wall_s"] for row in rows), 2),
    }


def _mean(name: str, pairs: Sequence[Sequence[float | None]]) -> list[float | None]:
    """Mean over seeds and its error; None where the figure is missing for any seed."""
    values = [p[0] for p in pairs]
    if any(v is None or not math.isfinite(v) for v in values):
        return [None, None]
    errors = [p[1] for p in pairs]
    se = None if any(e is None for e in errors) else math.sqrt(sum(e * e for e in errors if e is not None)) / len(pairs)
    numbers = [float(v) for v in values if v is not None]
    if name.endswith(("_hr", "_median_months")) and min(numbers) > 0:
        return [math.exp(sum(map(math.log, numbers)) / len(numbers)), se]
    return [sum(numbers) / len(numbers), se]
