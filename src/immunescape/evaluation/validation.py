"""Runs trials that have published results and scores them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immunescape.errors import InputError
from immunescape.evaluation.facts import Fact, facts
from immunescape.evaluation.scoreboard import Score, roles, score_trial, summarise

if TYPE_CHECKING:
    from immunescape.trial.result import TrialResult

__all__ = ["Validation", "validate"]


@dataclass(frozen=True, eq=False)
class Validation:
    """Scored trials: their results, every figure, how they were run."""

    results: tuple[TrialResult, ...]
    scores: tuple[Score, ...]
    patients: int | None
    seed: int

    def summary(self) -> dict[str, dict[str, Any]]:
        """Errors by role; see :func:`immunescape.evaluation.scoreboard.summarise`."""
        return summarise(self.scores)

    def facts(self) -> list[Fact]:
        """Facts of the review that can be looked up in these trials."""
        return facts({r.trial.name: r for r in self.results})

    def to_json(self) -> dict[str, Any]:
        """Content of ``immunescape validate --json``: one row per trial, arm and endpoint, and the summary."""
        return {
            "seed": self.seed,
            "patients": self.patients,
            "rows": [s.row() for s in self.scores],
            "failed": {r.trial.name: sum(int(a["failed"]) for a in r.arms) for r in self.results},
            "summary": self.summary(),
            "facts": [f.row() for f in self.facts()],
        }


def validate(
    names: Sequence[str | Path] = (),
    *,
    patients: int | None = None,
    seed: int = 1,
    workers: int | None = None,
    out: Path | None = None,
    engine: str = "auto",
    progress: Callable[[str, int, int], None] | None = None,
) -> Validation:
    """Simulate trials and hold them against their published results.

    Parameters
    ----------
    names
        Trials that ship or YAML files with a `published:` block; none takes all that ship with a role.
    patients
        Virtual patients per arm; None takes each protocol's numbers.
    seed, workers, engine
        As for a single trial.
    out
        Folder that keeps finished blocks, a folder for each trial, so that an interrupted run resumes.
    progress
        Called with (trial, patients done, patients in all).

    Raises
    ------
    InputError
        For an unknown trial, or one without published results (before anything is simulated).
    """
    from immunescape.trial.runner import run_trial
    from immunescape.trial.spec import list_trials, load_trial

    shipped = {name for name in list_trials() if name in roles()}
    trials = [load_trial(name) for name in (names or sorted(shipped))]
    for trial in trials:
        if trial.published is None:
            raise InputError(
                f"trial '{trial.name}' has nothing to be scored against",
                hint="Add a `published:` block to its file; `immunescape trial --template` shows one.",
            )
    results, scores = [], []
    for trial in trials:
        size = patients if patients is not None else max(arm.n for arm in trial.arms)
        name = trial.name

        def tell(done: int, total: int, name: str = name) -> None:
            if progress:
                progress(name, done, total)

        result = run_trial(
            trial, patients=size, seed=seed, workers=workers, out=None if out is None else out / name, engine=engine,
            progress=tell,
        )  # fmt: skip
        results.append(result)
        scores.extend(score_trial(result, seed=seed))
    return Validation(tuple(results), tuple(scores), patients, seed)
