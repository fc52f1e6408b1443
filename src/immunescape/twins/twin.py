"""Twins of a patient with their course so far, and what they say of the line that the patient is on or begins."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.twins.combined import Comparison, TwinOutcomes, compared, shipped_words
from immunescape.twins.conditioning import ENOUGH, Candidates, TwinPopulation, check_number_of_twins
from immunescape.twins.courses import Courses, CourseTask, follow, joined, regimen_of, usual_regimen
from immunescape.twins.covariates import effective
from immunescape.twins.crew import Crew, crew_of
from immunescape.twins.earlier_lines import MOST_GROWN, EarlierLines
from immunescape.twins.early import EarlyCourse, early_course
from immunescape.twins.likelihood import arm_outcomes, line_log_likelihood
from immunescape.twins.recorded_patient import LineRecord, PatientRecord
from immunescape.twins.words import measured_text
from immunescape.units import DAYS_PER_MONTH

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Followed",
    "TwinResult",
    "event_days",
    "forecast",
    "made_twins",
    "ongoing_log_likelihood",
    "twin_outcomes",
    "twins_before",
    "twins_on",
    "weighted",
]

FloatArray = NDArray[np.float64]
_ATTEMPTS = 4
_MORE = 1.25
"""So many times the effective twins are drawn at diagnosis where a course will cost some of them."""
MONTH = DAYS_PER_MONTH


@dataclass(frozen=True, eq=False)
class Followed:
    """Twins that were followed through earlier lines and the arms of one task.

    Attributes
    ----------
    twins : the twins, weighted by what was known at diagnosis.
    courses : what became of them.
    weights : (n,) of the rows of `twins.table`, with earlier lines and sizes counted in.
    """

    twins: TwinPopulation
    courses: Courses
    weights: FloatArray


@dataclass(frozen=True, eq=False, kw_only=True)
class TwinResult:
    """Twins of one patient.

    Attributes
    ----------
    record : what the files say of the patient.
    twins : the twin population on the day of the decision: weights count everything up to that day.
    regimen : what the forecast is of, as text; its name in `label`.
    courses : courses of the twins on it.
    before, now : forecast before the line's first dose, and on the day of the decision (the same on day 0).
    comparison : the forecast before the first dose beside that of statistical models.
    """

    record: PatientRecord
    twins: TwinPopulation
    label: str
    regimen: str
    courses: Courses
    before: dict[str, Any]
    now: dict[str, Any]
    comparison: Comparison = field(default_factory=Comparison)

    def to_json(self) -> dict[str, Any]:
        """Plain content of the result."""
        least = self.twins.least_likely
        return {
            "patient": self.record.patient,
            "day": self.record.at,
            "line": self.record.line,
            "stratum": self.record.stratum_title,
            "seed": self.twins.seed,
            "twins": len(self.twins),
            "effective_twins": round(self.twins.effective, 1),
            "candidates": self.twins.candidates,
            "least_likely": None
            if least is None
            else {"target": least[0].target, "biomarker": least[0].biomarker, "probability": round(least[1], 4)},
            "facts": [
                {
                    "target": f.target,
                    "kind": f.kind,
                    "says": f.text,
                    "biomarker": f.biomarker,
                    "measured": f.measured,
                    "grade": f.grade,
                    "source": list(f.source),
                    "probability": round(self.twins.surprise[f.target], 4) if f.target in self.twins.surprise else None,
                }
                for f in self.twins.facts
            ],
            "not_assessable": list(self.record.open_questions),
            "lines": [
                {
                    "drugs": list(line.drugs),
                    "recorded": [drug.name for drug in line.recorded],
                    "start_day": line.start,
                    "baseline_mm": line.baseline_mm if math.isfinite(line.baseline_mm) else None,
                    "scans": [
                        {"day": s.day, "sld_mm": s.sld_mm if math.isfinite(s.sld_mm) else None, "response": s.response}
                        for s in line.scans
                    ],
                    "best_response": line.best_response,
                    "progression_day": line.progression_day if line.progressed else None,
                }
                for line in self.record.lines
            ],
            "unknown_lines": self.record.unknown_lines,
            "lines_not_simulated": [
                {"recorded": [drug.name for drug in line.recorded], "start_day": line.start}
                for line in self.record.other_lines
            ],
            "regimen": self.regimen,
            "forecast_before": self.before,
            "forecast": self.now,
            "statistical_models": {**self.comparison.to_json(), "held_out": list(shipped_words())},
            "notes": [*self.record.notes, *self.twins.notes],
        }


def forecast(patients: pd.DataFrame, weights: FloatArray, at_day: float = 0.0) -> dict[str, Any]:
    """Figures of one arm over weighted twins.

    Parameters
    ----------
    patients
        Rows of one arm, each with a weight.
    weights
        (n,) weights; they need not add up to 1.
    at_day
        Day of the line on which the patient is alive and free of progression; probabilities are from the line's start.

    Returns
    -------
    ``response``, ``pfs_6``, ``pfs_12``, ``os_6``, ``os_12``, ``os_24`` (probabilities), ``median_pfs_months``,
    ``grade3`` (toxicity of grade 3 or more) and ``stopped`` (for toxicity); those for times before `at_day` are 1.
    """
    w = weights / weights.sum()
    pfs, os_ = event_days(patients)
    order = np.argsort(pfs)
    half = np.searchsorted(np.cumsum(w[order]), 0.5)
    median = pfs[order][min(int(half), len(pfs) - 1)]
    forecasts: dict[str, Any] = {
        "response": float(w @ patients["best_response"].isin(["CR", "PR"]).to_numpy(dtype=float)),
        "grade3": float(w @ patients["grade3_day"].notna().to_numpy(dtype=float)),
        "stopped": float(w @ patients["toxicity_stop_day"].notna().to_numpy(dtype=float)),
        "median_pfs_months": float(median / MONTH) if math.isfinite(median) else None,
    }
    for name, days, months in (("pfs", pfs, (6, 12)), ("os", os_, (6, 12, 24))):
        for month in months:
            forecasts[f"{name}_{month}"] = float(w @ (days > month * MONTH)) if month * MONTH > at_day else 1.0
    return {k: None if v is None else round(v, 4) for k, v in forecasts.items()}


def event_days(patients: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Days of progression or death, and of death (n,), of rows of one arm; infinite where there was none."""
    progression, death = (
        np.asarray(patients[c].astype(float).fillna(math.inf), dtype=float) for c in ("progression_day", "death_day")
    )
    return np.minimum(progression, death), death


def twin_outcomes(patients: pd.DataFrame, weights: FloatArray) -> TwinOutcomes:
    """Outcomes of weighted twins on one arm, as they are combined with statistical forecasts."""
    progression, death = event_days(patients)
    response = np.asarray(patients["best_response"].isin(["CR", "PR"]), dtype=float)
    return TwinOutcomes(weights, response, progression / MONTH, death / MONTH)


def twins_on(
    record: PatientRecord,
    arms: tuple[tuple[str, str], ...],
    *,
    twins: int = 400,
    seed: int = 1,
    workers: int | Crew = 1,
    engine: str = "auto",
    region: str = "western",
    months: float = 36.0,
    enough: int = ENOUGH,
    progress: Callable[[int, int], None] | None = None,
    lesions: str = "several",
) -> Followed:
    """Draw twins of a patient and follow them through earlier lines and some arms, until enough are effective.

    Parameters
    ----------
    record
        What is known of the patient.
    arms
        (name, regimen text) of each arm.
    twins, seed, workers, engine, region, enough
        See `immunescape.twins.conditioning.condition`.
    months
        Follow-up of the arms.
    progress
        Called with (effective candidates, those required) while candidates are grown, and with (twins done, all twins)
        while a batch is followed.
    lesions
        See `CourseTask`.

    Raises
    ------
    InputError
        Where too few twins had such a course.
    """
    check_number_of_twins(twins, enough)
    ongoing = record.ongoing
    task = _task(record, arms, seed=seed, months=months, region=region, engine=engine, lesions=lesions)
    # a course that is still going on will cost some of the twins
    more = 1.0 if ongoing is None else _MORE
    target, number = math.ceil(more * enough), math.ceil(more * twins)
    with crew_of(workers) as crew:
        draw = _drawing(record, task, first=number, enough=enough, crew=crew, progress=progress)
        made: list[Courses] = []
        for _ in range(_ATTEMPTS):
            population, more_to_draw = draw(number, target)
            done = {i for courses in made for i in (*_ids(courses), *(j for j, _ in courses.lost))}
            new = population.table.loc[[i for i in population.table.index.tolist() if i not in done]]
            if len(new):
                made.append(follow(task, new, workers=crew, progress=progress))
            courses = _of_twins(joined(made), population)
            ids = population.table.index.to_numpy()
            logs = np.where(np.isin(ids, list(_ids(courses))), 0.0, -math.inf)
            if ongoing is not None:
                logs = logs + ongoing_log_likelihood(record, ongoing, ids, courses)
                if population.ahead is not None:  # the sizes count once, by the courses
                    logs = logs - population.ahead
            weights = population.weights * np.exp(logs)
            ess = effective(weights)
            if ongoing is None or ess >= enough:
                break
            if not more_to_draw:
                raise _few_on_the_line(record, ongoing, population, ess, enough)
            factor = min(max(1.3 * enough / max(ess, 1.0), 1.5), 4.0)
            target, number = math.ceil(factor * target), math.ceil(factor * number)
        else:
            assert ongoing is not None  # without one the first attempt is the last
            raise _few_on_the_line(record, ongoing, population, ess, enough)
        if not weights.sum() > 0.0:
            raise InputError(
                f"none of {len(population)} twins could be followed on {', '.join(name for name, _ in arms)}",
                hint="Choose another seed (--seed), or leave out the regimen that fails.",
            )
        population = replace(population, weights=weights / weights.sum(), effective=min(ess, population.effective))
        return Followed(population, courses, weights)


def _few_on_the_line(
    record: PatientRecord, line: LineRecord, population: TwinPopulation, ess: float, enough: int
) -> InputError:
    """Say that too few twins had the course of a line that goes on, with what the population finds least likely."""
    least = population.least_likely
    unusual = "" if least is None else f"; least likely: {measured_text(least[0])} ({100 * least[1]:.2g} % of patients)"
    return InputError(
        f"of {len(population)} twins from {population.candidates} candidates, {ess:.0f} effective ones agree with the "
        f"course on {line.title} up to day {record.at:g}; {enough} are needed{unusual}",
        hint="Check the days and sums of diameters of the scans. A course that the model cannot reproduce gives no "
        "forecast.",
    )


def twins_before(
    record: PatientRecord,
    regimen: str,
    *,
    twins: int = 400,
    seed: int = 1,
    workers: int | Crew = 1,
    engine: str = "auto",
    region: str = "western",
    enough: int = ENOUGH,
) -> TwinPopulation:
    """Draw twins of a patient, taken through earlier lines, and follow them no further.

    Parameters
    ----------
    record, twins, seed, workers, engine, region, enough
        See `twins_on`.
    regimen
        Regimen text of what would follow: its drugs are in the model.

    Raises
    ------
    InputError
        Where too few twins are effective.
    """
    check_number_of_twins(twins, enough)
    task = _task(record, (("next", regimen),), seed=seed, months=36.0, region=region, engine=engine, lesions="several")
    with crew_of(workers) as crew:
        return _drawing(record, task, first=twins, enough=enough, crew=crew)(twins, enough)[0]


def _earlier(record: PatientRecord) -> bool:
    """Whether there were lines before the one that is decided on or goes on."""
    return bool(record.history or record.unknown_lines)


def _drawing(
    record: PatientRecord,
    task: CourseTask,
    *,
    first: int,
    enough: int,
    crew: Crew,
    progress: Callable[[int, int], None] | None = None,
) -> Callable[[int, float], tuple[TwinPopulation, bool]]:
    """Return what draws so many twins, and tells whether so many are effective; it grows more candidates at each call.

    Where no more candidates may be grown, it draws from those that there are, unless fewer than `enough` are effective.
    """
    candidates = Candidates(
        record.patient,
        record.facts,
        first=first,
        seed=task.seed,
        workers=crew,
        engine=task.engine,
        course=None if _earlier(record) else _course_from_diagnosis(record),
        region="east_asian" if task.region == "east_asian" else "western",
        progress=progress,
    )
    lines = EarlierLines(record, task, workers=crew, follower=follow, progress=progress) if _earlier(record) else None

    def drawn(number: int, target: float) -> tuple[TwinPopulation, bool]:
        if lines is not None:
            return lines.drawn(candidates, number, target, least=enough)
        reached = candidates.grow_until(target) if record.ongoing is None else candidates.grow_until(target, MOST_GROWN)
        if candidates.effective < enough:
            raise candidates.refusal(enough)
        return candidates.drawn(number), reached

    return drawn


def _course_from_diagnosis(record: PatientRecord) -> EarlyCourse | None:
    """Scans and ctDNA of a first line that is going on: they condition the twins while these are drawn."""
    ongoing = record.ongoing
    if ongoing is None:
        return None
    return early_course(
        usual_regimen(ongoing.drugs),
        ongoing.baseline_mm,
        [(s.day - ongoing.start, s.sld_mm) for s in ongoing.scans],
        [replace(c, day=c.day - ongoing.start) for c in record.ctdna if c.day >= ongoing.start - 7.0],
    )


def _task(
    record: PatientRecord,
    arms: tuple[tuple[str, str], ...],
    *,
    seed: int,
    months: float,
    region: str,
    engine: str,
    lesions: str,
) -> CourseTask:
    """What the twins of a patient get: the earlier lines as they were, then each of the arms."""
    driver = next((f.allowed[0] for f in record.facts if f.target == "driver" and len(f.allowed) == 1), "none")
    ongoing = record.ongoing
    return CourseTask(
        seed,
        arms,
        history=record.history,
        unknown_lines=record.unknown_lines,
        driver=str(driver),
        months=months,
        scan_days=tuple(s.day - ongoing.start for s in ongoing.scans) if ongoing is not None else (),
        line=record.line,
        region=region,
        engine=engine,
        lesions=lesions,
    )


def _ids(courses: Courses) -> set[int]:
    """Numbers of the twins that were followed on an arm."""
    return {int(i) for i in courses.patients["id"].unique()} if len(courses.patients) else set()


def _of_twins(courses: Courses, population: TwinPopulation) -> Courses:
    """Courses of those who are in the population."""
    keep = set(population.table.index.tolist())
    if keep >= _ids(courses):
        return courses
    patients, scans = (t[t["id"].isin(keep)] if len(t) else t for t in (courses.patients, courses.scans))
    history = tuple({i: o for i, o in line.items() if i in keep} for line in courses.history)
    lost = tuple(x for x in courses.lost if x[0] in keep)
    return replace(courses, patients=patients, scans=scans, history=history, lost=lost)


def ongoing_log_likelihood(record: PatientRecord, line: LineRecord, ids: NDArray[Any], courses: Courses) -> FloatArray:
    """What the present line says of each twin (n,), up to the day of the decision: sizes on scans, no progression."""
    patients, scans = courses.patients, courses.scans
    seen: dict[int, dict[float, float]] = {}
    if len(scans):
        for i, day, change in zip(scans["id"], scans["day"], scans["change_pct"], strict=True):
            seen.setdefault(int(i), {})[float(day)] = 1.0 + float(change) / 100.0
    outcomes = arm_outcomes([{str(k): v for k, v in r.items()} for r in patients.to_dict("records")], seen)
    until = record.at - line.start
    total = np.full(len(ids), -math.inf)
    for k, i in enumerate(ids):
        outcome = outcomes.get(int(i))
        if outcome is not None and outcome.death_day > until:
            total[k] = line_log_likelihood(line, outcome, record.at)
    return total


def made_twins(
    record: PatientRecord,
    label: str,
    regimen: str,
    *,
    twins: int = 400,
    seed: int = 1,
    workers: int | Crew = 1,
    engine: str = "auto",
    region: str = "western",
    enough: int = ENOUGH,
    progress: Callable[[int, int], None] | None = None,
) -> TwinResult:
    """Twins of a patient, and the forecast of a regimen before its first dose and on the day of the decision.

    Parameters
    ----------
    record
        What is known.
    label, regimen
        What the patient is on, or begins.
    twins, seed, workers, engine, region, enough, progress
        See `twins_on`.
    """
    arms = ((label, regimen),)
    ongoing = record.ongoing
    start = record if ongoing is None else replace(record, lines=record.history, ctdna=(), planned=ongoing)
    with crew_of(workers) as crew:

        def followed_on(patient: PatientRecord) -> Followed:
            return twins_on(
                patient,
                arms,
                twins=twins,
                seed=seed,
                workers=crew,
                engine=engine,
                region=region,
                enough=enough,
                progress=progress,
            )

        followed = followed_on(start)
        before = now = forecast(*weighted(followed))
        comparison = compared(start, regimen_of(regimen).drugs, twin_outcomes(*weighted(followed)))
        if ongoing is not None:
            followed = followed_on(record)
            now = forecast(*weighted(followed), ongoing.last_day - ongoing.start)
    return TwinResult(
        record=record,
        twins=followed.twins,
        label=label,
        regimen=regimen,
        courses=followed.courses,
        before=before,
        now=now,
        comparison=comparison,
    )


def weighted(followed: Followed, arm: str | None = None) -> tuple[pd.DataFrame, FloatArray]:
    """Rows of an arm (the only one where None), and the weight of each."""
    rows = followed.courses.patients
    rows = rows if arm is None else rows[rows["arm"] == arm]
    by = dict(zip(followed.twins.table.index.tolist(), followed.weights.tolist(), strict=True))
    return rows, np.array([by[i] for i in rows["id"].tolist()])
