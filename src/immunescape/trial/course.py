"""The course of one patient: scans, response, progression, death and treatment along a simulated tumour volume.

A :class:`Course` is fed with pieces of the simulated trajectory (:meth:`Course.advance`). It reads the scans off them,
decides by RECIST 1.1, draws new lesions and death, and says where the present line of treatment ends, so that the
next piece can start from the model's state at that scan. Every random number comes from the patient's own named
streams: a patient's course depends on nothing but (seed, stream, number of the patient) and the tumour.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunescape.trial.dosing import BodySize, DoseRecord, administered
from immunescape.trial.hazard import HazardModel, event_time
from immunescape.trial.lesions import LesionModel, Lesions
from immunescape.trial.recist import DAYS_PER_MONTH, timepoint_responses
from immunescape.trial.regimen import PlannedDose, Regimen
from immunescape.trial.toxicity import ToxicityCourse, contains_class, regimen_toxicity, simulate_toxicity

__all__ = ["Course", "Line", "Models", "Streams"]

FloatArray = NDArray[np.float64]
AFTER_VISIT = 0.05
"""Days by which doses follow a scan of the same day: the scan is read before the dose is given."""
SHORT_CYCLE = 21.0
"""Days that count as one cycle of a drug that is taken more often than weekly."""


@dataclass(frozen=True)
class Models:
    """Endpoint models that all patients share."""

    lesions: LesionModel
    hazard: HazardModel

    @classmethod
    def load(cls) -> Models:
        """Those that ship."""
        return cls(LesionModel.load(), HazardModel.load())


class Streams:
    """Named random streams of one patient; the same name always gives the same numbers."""

    def __init__(self, seed: int, stream: int, patient: int) -> None:
        self._key = (seed, stream, patient)
        self._made: dict[str, np.random.Generator] = {}

    def __getitem__(self, purpose: str) -> np.random.Generator:
        from immunescape.population.sampling import patient_generator

        if purpose not in self._made:
            self._made[purpose] = patient_generator(*self._key, f"trial:{purpose}")
        return self._made[purpose]


@dataclass
class Line:
    """A line of treatment (or its absence): what is given from `start` (day of the course) on, and what was seen.

    `visits` are planned scans (days from `start`); without any, nothing is assessed. `fallback` marks the time after
    progression in which the trial gives nothing.
    """

    name: str
    start: float
    regimen: Regimen
    visits: FloatArray
    doses: list[DoseRecord]
    toxicity: ToxicityCourse
    fallback: bool = False
    cytotoxic: bool = False
    checkpoint_inhibitor: bool = False
    baseline_mm: float = math.nan
    baseline_largest_mm: float = math.nan
    days: list[float] = field(default_factory=list)
    sld_mm: list[float] = field(default_factory=list)
    largest_mm: list[float] = field(default_factory=list)
    new_lesion: list[bool] = field(default_factory=list)
    gone: list[bool] = field(default_factory=list)
    responses: list[str] = field(default_factory=list)
    new_lesion_left: float = math.nan
    new_lesion_day: float = math.inf
    progression: float = math.inf
    response: float = math.inf
    treatment_end: float = math.inf


class Course:
    """One patient from a state of the model on: see the module.

    Parameters
    ----------
    patient
        Covariates.
    volume_ml
        Tumour volume at day 0 of the course.
    streams, models
        The patient's random streams and the endpoint models.
    earlier_lines
        Lines before the course on which the disease progressed.
    """

    def __init__(
        self,
        patient: Mapping[str, Any],
        volume_ml: float,
        streams: Streams,
        models: Models,
        *,
        earlier_lines: int = 0,
    ) -> None:
        self.patient, self.streams, self.models = patient, streams, models
        self.earlier_lines = earlier_lines
        self.volume0 = volume_ml
        self.living0: float | None = None
        self.lesions: Lesions = models.lesions.draw(volume_ml, int(patient["n_target_lesions"]), streams["lesions"])
        self.linear_predictor = models.hazard.linear_predictor(patient)
        self.death_left = float(streams["death"].exponential())
        self.new_lesion_factor = float(patient.get("frailty_new_lesion", 1.0))
        self.day = 0.0
        self.death: float | None = None
        self.death_cause = ""
        self.lines: list[Line] = []

    @property
    def line(self) -> Line:
        """The present line."""
        return self.lines[-1]

    def start_line(
        self,
        name: str,
        start: float,
        regimen: Regimen,
        visits: FloatArray,
        horizon: float,
        *,
        fallback: bool = False,
    ) -> Line:
        """Begin a line of treatment at day `start`; doses are planned up to day `horizon` of the course."""
        until = max(horizon - start, 0.0)
        planned = regimen.planned(until) if regimen.rules else []
        cycles, end = _cycles(regimen, planned)
        course = simulate_toxicity(regimen_toxicity(regimen), cycles, end, self.streams[f"toxicity {name}"])
        doses: list[DoseRecord] = []
        if planned:
            doses = administered(
                regimen, BodySize.of(self.patient), until_days=until, changes=course.changes, planned=planned
            )
        ici = contains_class(regimen.drugs, "ici")
        cytotoxic = contains_class(regimen.drugs, "cytotoxic")
        line = Line(name, start, regimen, visits, doses, course, fallback, cytotoxic, ici)
        line.new_lesion_left = float(self.streams[f"new lesion {name}"].exponential())
        line.treatment_end = self._planned_end(line)
        self.lines.append(line)
        return line

    def _planned_end(self, line: Line) -> float:
        """Day of the course on which treatment ends by plan or toxicity: a cycle after the last dose."""
        if not line.doses:
            return line.start
        last = line.doses[-1]
        rule = line.regimen.phases[last.phase].rules[last.rule]
        end = last.time_days + float(rule.interval_days or 0)
        stop = line.toxicity.stop_day
        return line.start + (end if stop is None else min(end, stop))

    def dose_times(self, start: float, end: float) -> list[tuple[float, DoseRecord]]:
        """Doses of the present line in ``[start, end)`` (days of the course), as (days after `start`, dose)."""
        line = self.line
        found = []
        for dose in line.doses:
            day = line.start + dose.time_days
            if start - 1e-9 <= day < end - 1e-9 and day < line.treatment_end + 1e-9:
                found.append((day - start + AFTER_VISIT, dose))
        return found

    def advance(
        self,
        days: FloatArray,
        volume_ml: FloatArray,
        living_ml: FloatArray | None = None,
        *,
        stop_at_progression: bool,
    ) -> int | None:
        """Take a piece of the trajectory.

        Parameters
        ----------
        days
            (t,) days of the course; the first is the present day.
        volume_ml
            (t,) tumour volume, as scans show it.
        living_ml
            (t,) the same without scar, from which new lesions come; None: there is no scar.
        stop_at_progression
            Whether the present line ends at progression.

        Returns
        -------
        int or None
            Index of `days` at which the present line ended with progression: the next piece starts there. None: the
            piece was used to its end, or to the patient's death.
        """
        line, models = self.line, self.models
        sld = self.lesions.diameters(volume_ml / self.volume0).sum(axis=0)
        if line.visits.size:
            self._seed(line, days, self._living_mm(volume_ml if living_ml is None else living_ml))
            self._scan(line, days, volume_ml, cut=stop_at_progression)
        ends = stop_at_progression and math.isfinite(line.progression) and not line.fallback
        stop = len(days) - 1
        if ends:
            stop = min(int(np.searchsorted(days, line.progression - 1e-6)), stop)
        use = slice(0, stop + 1)
        after, earlier = self._after_progression(days)
        responding = (days >= line.response) & (days < line.progression)
        chemotherapy = line.cytotoxic & (after == 0.0) & (days < line.treatment_end)
        rate = models.hazard.rate(
            self.linear_predictor, sld, after, responding, chemotherapy, earlier_lines=self.earlier_lines + earlier
        )
        death, left = event_time(days[use], rate[use], self.death_left)
        self._decide_death(line, days[use], volume_ml[use], death)
        self.death_left = left
        self.day = float(days[stop]) if self.death is None else self.death
        if ends and self.death is None:
            line.treatment_end = min(line.treatment_end, line.progression)
            return stop
        if self.death is not None:
            line.treatment_end = min(line.treatment_end, self.death)
        return None

    def _after_progression(self, days: FloatArray) -> tuple[FloatArray, FloatArray]:
        """What progression adds to ln of the hazard (t,), and the lines of the course (t,) that ended before the one.

        Between two lines, and where nothing follows, the patient is one who has progressed on the last line given.
        """
        given = [line for line in self.lines if not line.fallback]
        found, earlier = np.zeros(len(days)), np.zeros(len(days))
        for number, line in enumerate(given):
            own = days >= line.start - 1e-9 if number else np.ones(len(days), dtype=bool)
            earlier[own] = number
            months = (line.progression - line.start) / DAYS_PER_MONTH
            added = 0.0
            if math.isfinite(months):
                added = self.models.hazard.after_progression(months, checkpoint_inhibitor=line.checkpoint_inhibitor)
            found[own] = np.where(days[own] >= line.progression, added, 0.0)
        return found, earlier

    def _decide_death(self, line: Line, days: FloatArray, volume: FloatArray, death: float | None) -> None:
        """Earliest of disease (hazard), tumour volume and fatal toxicity within the piece."""
        causes: list[tuple[float, str]] = []
        if death is not None:
            causes.append((death, "disease"))
        lethal = np.flatnonzero(volume >= self.models.hazard.lethal_volume_ml)
        if len(lethal):
            causes.append((float(days[lethal[0]]), "tumour volume"))
        toxic = line.toxicity.death_day
        if toxic is not None:
            day = line.start + toxic
            if days[0] <= day <= min(float(days[-1]), line.treatment_end + 1e-9):
                causes.append((day, "toxicity"))
        if causes:
            self.death, self.death_cause = min(causes)

    def _living_mm(self, living_ml: FloatArray) -> FloatArray:
        """Sum of diameters (t,) that the living part of the tumour would have, relative to its own at day 0."""
        if self.living0 is None:
            self.living0 = float(living_ml[0])
        return self.lesions.living_mm(living_ml / self.living0)

    def _seed(self, line: Line, days: FloatArray, living_mm: FloatArray) -> None:
        """Draw the day of the line's first new lesion."""
        inside = days >= line.start - 1e-9
        if math.isinf(line.new_lesion_day) and inside.sum() > 1:
            rate = self.models.lesions.new_lesion_rate(days, living_mm, self.new_lesion_factor)
            found, line.new_lesion_left = event_time(days[inside], rate[inside], line.new_lesion_left)
            line.new_lesion_day = math.inf if found is None else found

    def _scan(self, line: Line, days: FloatArray, volume: FloatArray, *, cut: bool) -> None:
        """Read the scans that fall into the piece, and assess them; with `cut` none after progression."""
        low, high = float(days[0]), float(days[-1])
        first_look = math.isnan(line.baseline_mm) and low - 1e-9 <= line.start <= high + 1e-9
        if math.isnan(line.baseline_mm) and not first_look:
            return
        looks = [line.start] if first_look else []
        latest = line.days[-1] if line.days else -math.inf
        for visit in (line.start + line.visits).tolist():
            if low + 1e-9 < visit <= high + 1e-9 and visit > latest:
                looks.append(visit)
                latest = visit
        if looks:
            self._measure(line, looks, days, volume, first_look=first_look)
        if line.days:
            line.responses = timepoint_responses(line.baseline_mm, line.sld_mm, line.new_lesion, line.gone)
            for day, response in zip(line.days, line.responses, strict=True):
                if response == "PD":
                    line.progression = min(line.progression, day)
                    if cut:
                        self._forget(line, line.responses.index("PD") + 1)
                    break
                if response in ("CR", "PR"):
                    line.response = min(line.response, day)

    def _measure(
        self, line: Line, looks: list[float], days: FloatArray, volume: FloatArray, *, first_look: bool
    ) -> None:
        """Measure the lesions at some days, the first of which may be the baseline."""
        model = self.models.lesions
        logs = np.interp(looks, days, np.log(np.maximum(volume, 1e-30)))
        true = self.lesions.diameters([math.exp(log) / self.volume0 for log in logs.tolist()])
        errors = self.streams[f"measurement {line.name}"].standard_normal((len(looks), 5)).T[: len(true)]
        sizes, gone = model.measure(true, errors)
        largest, _ = model.measure(true[:1], errors[:1])
        seen = zip(looks, sizes.tolist(), largest.tolist(), gone.tolist(), strict=True)
        if first_look:
            _, size, first, _ = next(seen)
            line.baseline_mm, line.baseline_largest_mm = max(size, model.too_small_mm), max(first, model.too_small_mm)
        for day, size, first, all_gone in seen:
            line.days.append(day)
            line.sld_mm.append(size)
            line.largest_mm.append(first)
            line.gone.append(all_gone)
            line.new_lesion.append(line.new_lesion_day <= day)

    @staticmethod
    def _forget(line: Line, keep: int) -> None:
        """Drop the scans after the first `keep`: the line ended before them."""
        for rows in (line.days, line.sld_mm, line.largest_mm, line.new_lesion, line.gone, line.responses):
            del rows[keep:]


def _cycles(regimen: Regimen, planned: list[PlannedDose]) -> tuple[list[float], float]:
    """Planned starts of the cycles, and the planned end of treatment: a cycle after the last dose.

    Of drugs that are taken more often than weekly, three weeks count as one cycle.
    """
    starts: dict[tuple[int, int], float] = {}
    counted: dict[tuple[int, int], float] = {}
    end = 0.0
    for dose in planned:
        rule = regimen.phases[dose.phase].rules[dose.rule]
        end = max(end, dose.time_days + float(rule.interval_days or 0))
        if rule.interval_days is not None and rule.interval_days < 7:
            last = counted.get((dose.phase, dose.rule), -math.inf)
            if dose.time_days < last + SHORT_CYCLE - 1e-6:
                continue
            counted[dose.phase, dose.rule] = dose.time_days
        key = (dose.phase, dose.cycle)
        starts[key] = min(starts.get(key, math.inf), dose.time_days)
    return sorted(set(starts.values())), end
