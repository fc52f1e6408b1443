"""Runs trials that have published results and scores them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immunescape.errors import InputError
from immunescape.evaluation.aims import aims, error_rows
from immunescape.evaluation.cohort_response import ResponseRow, response_rows, size_rows
from immunescape.evaluation.facts import ModelFact, facts
from immunescape.evaluation.lesion_comparison import COMPARISONS, LesionArm, compare_lesions
from immunescape.evaluation.naive import Judged, judged_scores
from immunescape.evaluation.patient_data import HOW, PatientData
from immunescape.evaluation.scoreboard import Score, published_ratios, score_trial, summarise
from immunescape.evaluation.trial_classes import ROLES, roles
from immunescape.files import check_folder
from immunescape.release import installed_version

if TYPE_CHECKING:
    from immunescape.trial.result import TrialResult
    from immunescape.trial.spec import Trial

__all__ = ["Validation", "validate"]


@dataclass(frozen=True, eq=False)
class Validation:
    """Scored trials: their results, every figure, how they were run; and patients of a data folder beside virtual ones.

    Attributes
    ----------
    results, scores : the trials, and every published figure beside its prediction.
    patients, seed : as they were run.
    kinetics : single lesions, group by group. response_by_pdl1, response_by_size : response in strata of PD-L1 and of
        the sum of diameters; all empty without data.
    notes : what of the comparison with patients was left out, and why.
    named : whether the trials were named; else all that ship were run.
    """

    results: tuple[TrialResult, ...]
    scores: tuple[Score, ...]
    patients: int | None
    seed: int
    _: KW_ONLY
    kinetics: tuple[LesionArm, ...] = ()
    response_by_pdl1: tuple[ResponseRow, ...] = ()
    response_by_size: tuple[ResponseRow, ...] = ()
    notes: tuple[str, ...] = ()
    named: bool = False

    def summary(self) -> dict[str, dict[str, Any]]:
        """Errors by role; see :func:`immunescape.evaluation.scoreboard.summarise`."""
        return summarise(self.scores, published_ratios())

    def judged(self) -> dict[str, list[Judged]]:
        """Role -> figures with which naive predictors and aims are compared; roles without any are left out."""
        every = judged_scores(self.scores, [r.trial for r in self.results])
        of_trial = {s.trial: s.role for s in self.scores}
        groups = {role: [j for j in every if of_trial[j.trial] == role] for role in ROLES}
        return {role: members for role, members in groups.items() if members}

    def facts(self) -> list[ModelFact]:
        """Facts of the review that can be looked up in these trials; of named trials, in no other population."""
        looked_up = facts({r.trial.name: r for r in self.results})
        if not self.named:
            return looked_up
        general = {fact.id for fact in facts({})}
        return [fact for fact in looked_up if fact.id not in general and fact.predicted is not None]

    def to_json(self) -> dict[str, Any]:
        """Content of ``immunescape validate --json``: one row per trial, arm and endpoint, and the summary."""
        from immunescape.trial.runner import model_digest

        judged = self.judged()
        return {
            "model": model_digest(),
            "version": installed_version(),
            "seed": self.seed,
            "patients": self.patients,
            "rows": [s.row() for s in self.scores],
            "failed": {r.trial.name: sum(int(a["failed"]) for a in r.arms) for r in self.results},
            "summary": self.summary(),
            "errors": {role: [r.row() for r in error_rows(mine)] for role, mine in judged.items()},
            "aims": {role: [a.row() for a in aims(mine)] for role, mine in judged.items()},
            "facts": [f.row() for f in self.facts()],
            "kinetics": [r.row() for arm in self.kinetics for r in arm.rows],
            "response_by_pdl1": [r.row() for r in self.response_by_pdl1],
            "response_by_size": [r.row() for r in self.response_by_size],
            "notes": list(self.notes),
        }


def validate(
    names: Sequence[str | Path] = (),
    *,
    patients: int | None = None,
    seed: int = 1,
    workers: int | None = None,
    out: Path | None = None,
    data: Path | None = None,
    engine: str = "auto",
    cluster: Any = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Validation:
    """Simulate trials and compare them with their published results.

    Parameters
    ----------
    names
        Trials that ship or YAML files with a `published:` block; none takes all that ship with a role.
    patients
        Virtual patients per arm; None takes each protocol's numbers. The arms of a trial share them, so that chance
        nearly cancels in the predicted hazard ratios; intervals draw each arm apart.
    seed, workers, engine, cluster
        As for a single trial.
    out
        Folder that keeps finished blocks, a folder for each trial, so that an interrupted run resumes.
    data
        Folder of patients' data to compare with (``tumour_kinetics/``, ``loris/``, ``oak/``; see
        :mod:`immunescape.evaluation.patient_data`). Where no trial is named, those that only the lesions need are
        simulated too; they are not scored.
    progress
        Called with (trial, patients done, patients in all).

    Raises
    ------
    InputError
        For an unknown trial, one without published results, or data that cannot be read (before anything is
        simulated).
    """
    from immunescape.trial.runner import run_trial

    if out is not None:
        check_folder(out)
    scored = _scored_trials(names)
    patients_data = None if data is None else PatientData.read(data)
    further = [] if patients_data is None or names else _trials_of_lesions(patients_data, scored)
    results, scores = [], []
    for number, trial in enumerate([*scored, *further]):
        size = patients if patients is not None else max(arm.n for arm in trial.arms)
        name = trial.name

        def tell(done: int, total: int, name: str = name) -> None:
            if progress:
                progress(name, done, total)

        result = run_trial(
            trial,
            patients=size,
            seed=seed,
            workers=workers,
            out=None if out is None else out / name,
            engine=engine,
            paired=trial.can_pair,
            progress=tell,
            cluster=cluster,
        )
        results.append(result)
        if number < len(scored):
            scores.extend(score_trial(result, seed=seed))
    validation = Validation(tuple(results), tuple(scores), patients, seed, named=bool(names))
    if validation.named and patients_data is None:
        return validation
    return replace(validation, notes=(HOW,)) if patients_data is None else _beside_patients(validation, patients_data)


def _scored_trials(names: Sequence[str | Path]) -> list[Trial]:
    """Trials by name, or all that ship with a role; one without published results is refused."""
    from immunescape.trial.loading import list_trials, load_trial

    shipped = {name for name in list_trials() if name in roles()}
    trials = [load_trial(name) for name in (names or sorted(shipped))]
    for trial in trials:
        if trial.published is None:
            raise InputError(
                f"trial '{trial.name}' has nothing to be scored against",
                hint="Add a `published:` block to its file; `immunescape trial --template` shows one.",
            )
    return trials


def _trials_of_lesions(data: PatientData, scored: Sequence[Trial]) -> list[Trial]:
    """Further trials that only the comparison of lesions needs."""
    from immunescape.trial.loading import load_trial

    needed = {arm[0] for c in COMPARISONS if c.file in data.lesions for arm in c.arms}
    return [load_trial(name) for name in sorted(needed - {t.name for t in scored})]


def _beside_patients(validation: Validation, data: PatientData) -> Validation:
    """Add the comparison with the patients of a data folder."""
    results = {r.trial.name: r for r in validation.results}
    notes = list(data.notes)
    kinetics = compare_lesions(data.lesions, results)
    compared = {arm.comparison.name for arm in kinetics}
    if left := [c.name for c in COMPARISONS if c.file in data.lesions and c.name not in compared]:
        notes.append(f"Lesions left out, as their trials were not simulated: {'; '.join(left)}.")
    by_pdl1 = () if data.cohort is None else response_rows(data.cohort, results)
    by_size = size_rows(data.by_size, results)
    return replace(
        validation, kinetics=kinetics, response_by_pdl1=by_pdl1, response_by_size=by_size, notes=tuple(notes)
    )
