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
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.trial.dosing import BodySize, DoseRecord, administered
from immunescape.trial.hazard import HazardModel, event_time, nadir_before
from immunescape.trial.lesions import MOST_SEEDS, MOST_TARGETS, LesionModel, Lesions
from immunescape.trial.recist import timepoint_responses
from immunescape.trial.regimen import PlannedDose, Regimen
from immunescape.trial.toxicity import ToxicityCourse, regimen_toxicity, simulate_toxicity
from immunescape.units import DAYS_PER_MONTH

if TYPE_CHECKING:
    from immunescape.population.fit import PopulationFit

__all__ = ["Course", "Line", "Models", "PatientStreams"]

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
    def load(cls, fit: PopulationFit | None = None) -> Models:
        """Those that ship; `fit` may move coefficients of the lesions."""
        return cls(LesionModel.load(fit), HazardModel.load())


class PatientStreams:
    """Named random streams of one patient; the same name always gives the same numbers."""

    def __init__(self, seed: int, stream: int, patient: int) -> None:
        self._key = (seed, stream, patient)
        self._made: dict[str, np.random.Generator] = {}

    def __getitem__(self, purpose: str) -> np.random.Generator:
        from immunescape.population.sampling import patient_generator

        if purpose not in self._made:
            self._made[purpose] = patient_generator(*self._key, f"trial:{purpose}")
        return self._made[purpose]


@dataclass(kw_only=True)
class Line:
    """A line of treatment (or its absence): what is given from `start` (day of the course) on, and what was seen.

    `visits` are planned scans (days from `start`); without any, nothing is assessed. `fallback` marks the time after
    progression in which the trial gives nothing. `targets` and `others` are the target lesions, the largest first, and
    the other lesions that were seen at the line's baseline; `smallest_mm` is the smallest size seen of each since.
    """

    name: str
    start: float
    regimen: Regimen
    visits: FloatArray
    doses: list[DoseRecord]
    toxicity: ToxicityCourse
    fallback: bool = False
    baseline_mm: float = math.nan
    baseline_largest_mm: float = math.nan
    days: list[float] = field(default_factory=list)
    sld_mm: list[float] = field(default_factory=list)
    largest_mm: list[float] = field(default_factory=list)
    new_lesion: list[bool] = field(default_factory=list)
    other_growth: list[bool] = field(default_factory=list)
    gone: list[bool] = field(default_factory=list)
    responses: list[str] = field(default_factory=list)
    new_lesion_left: float = math.nan
    new_lesion_day: float = math.inf
    progression: float = math.inf
    regrowth_months: float = math.nan
    response: float = math.inf
    treatment_end: float = math.inf
    targets: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    others: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    smallest_mm: FloatArray = field(default_factory=lambda: np.empty(0))


class Course:
    """One patient from a state of the model on: see the module.

    Parameters
    ----------
    patient
        Covariates.
    volume_ml
        Tumour volume at day 0 of the course; of several lanes, (lanes,).
    streams, models
        The patient's random streams and the endpoint models.
    earlier_lines
        Lines before the course on which the disease progressed.
    lesions
        The patient's lesions, which follow the lanes; None: target lesions that share one lane, and drawn new lesions.
    previous
        The course that this one goes on from: the lesions stay, with their scars, and those seen are known.
    """

    def __init__(
        self,
        patient: Mapping[str, Any],
        volume_ml: float | FloatArray,
        streams: PatientStreams,
        models: Models,
        *,
        earlier_lines: int = 0,
        lesions: Lesions | None = None,
        previous: Course | None = None,
    ) -> None:
        self.patient, self.streams, self.models = patient, streams, models
        self.earlier_lines = earlier_lines
        volume = np.atleast_1d(np.asarray(volume_ml, dtype=np.float64))
        self.lesions: Lesions
        self.reference: FloatArray
        self.peak: FloatArray
        self.reader: FloatArray
        self.seen: FloatArray
        self.drawn_lesions: bool
        if previous is not None:
            self.lesions = previous.lesions
            self.reference, self.drawn_lesions = previous.reference, previous.drawn_lesions
            self.peak, self.reader = previous.peak, previous.reader
            self.seen = np.where(previous.seen < math.inf, -math.inf, math.inf)
        else:
            self.drawn_lesions = lesions is None
            if lesions is None:
                count = int(patient["n_target_lesions"])
                lesions = models.lesions.split(float(volume[0]), count, streams["lesions"])
            self.lesions, self.reference = lesions, volume
            self.peak = np.ones(len(lesions))
            self.reader = streams["reader"].standard_normal(MOST_TARGETS + MOST_SEEDS)[: len(lesions)]
            self.seen = np.where(lesions.at_diagnosis, -math.inf, math.inf)
        self.volume0 = float(self._total_ml(volume[:, None])[0])
        self.entry_mm = self._diameters(volume[:, None])[:, 0]
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

    @property
    def measurable(self) -> bool:
        """Whether a lesion is large enough to be a target lesion (RECIST 1.1)."""
        return bool(self.entry_mm.max() >= self.models.lesions.minimum_target_mm - 1e-9)

    @property
    def entry_sld_mm(self) -> float:
        """True sum of diameters of the target lesions as they are at day 0 of the course."""
        large = np.sort(self.entry_mm[self.entry_mm >= self.models.lesions.minimum_target_mm - 1e-9])[::-1]
        return float(large[:MOST_TARGETS].sum())

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
        course = simulate_toxicity(
            regimen_toxicity(regimen), cycles, end, self.streams[f"toxicity {name}"], _first_doses(regimen, planned)
        )
        doses: list[DoseRecord] = []
        if planned:
            doses = administered(
                regimen, BodySize.of(self.patient), until_days=until, changes=course.changes, planned=planned
            )
        line = Line(
            name=name, start=start, regimen=regimen, visits=visits, doses=doses, toxicity=course, fallback=fallback
        )
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
        times = []
        for dose in line.doses:
            day = line.start + dose.time_days
            if start - 1e-9 <= day < end - 1e-9 and day < line.treatment_end + 1e-9:
                times.append((day - start + AFTER_VISIT, dose))
        return times

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
            (t,) tumour volume, as scans show it; of several lanes, (lanes, t).
        living_ml
            The same without scar, from which drawn new lesions come; None: there is no scar.
        stop_at_progression
            Whether the present line ends at progression.

        Returns
        -------
        int or None
            Index of `days` at which the present line ended with progression: the next piece starts there. None: the
            piece was used to its end, or to the patient's death.
        """
        line, models = self.line, self.models
        volume_ml = np.atleast_2d(volume_ml)
        if line.visits.size:
            if self.drawn_lesions:
                living = volume_ml if living_ml is None else np.atleast_2d(living_ml)
                self._seed(line, days, self.lesions.living_mm(living / self.reference[:, None]))
            self._scan(line, days, volume_ml, cut=stop_at_progression)
        sld = self._visible_mm(days, volume_ml)
        ends = stop_at_progression and math.isfinite(line.progression) and not line.fallback
        stop = len(days) - 1
        if ends:
            stop = min(int(np.searchsorted(days, line.progression - 1e-6)), stop)
        use = slice(0, stop + 1)
        after, earlier = self._after_progression(days)
        responding = (days >= line.response) & (days < line.progression)
        rate = models.hazard.rate(
            self.linear_predictor, sld, after, responding, earlier_lines=self.earlier_lines + earlier
        )
        death, left = event_time(days[use], rate[use], self.death_left)
        self._decide_death(line, days[use], self._total_ml(volume_ml[:, use]), death)
        self.death_left = left
        self.peak = np.maximum(self.peak, self.lesions.growth(volume_ml[:, use] / self.reference[:, None]).max(axis=1))
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
        reached, earlier = np.zeros(len(days)), np.zeros(len(days))
        for number, line in enumerate(given):
            since_line = days >= line.start - 1e-9 if number else np.ones(len(days), dtype=bool)
            earlier[since_line] = number
            added = 0.0
            if math.isfinite(line.progression):
                added = self.models.hazard.after_progression(line.regrowth_months)
            reached[since_line] = np.where(days[since_line] >= line.progression, added, 0.0)
        return reached, earlier

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

    def _total_ml(self, volume_ml: FloatArray) -> FloatArray:
        """Volume (t,) of all lesions, from those of the lanes (lanes, t)."""
        if len(volume_ml) == 1 and self.drawn_lesions:
            return np.asarray(volume_ml[0])
        return np.asarray(self.lesions.volume_ml @ self.lesions.growth(volume_ml / self.reference[:, None]))

    def _diameters(self, volume_ml: FloatArray) -> FloatArray:
        """True diameters (k, t) of the lesions, scar included."""
        return self.lesions.diameters(volume_ml / self.reference[:, None], self.peak)

    def _visible_mm(self, days: FloatArray, volume_ml: FloatArray) -> FloatArray:
        """True sum of diameters (t,) of the lesions that scans have shown, or would show."""
        true = self._diameters(volume_ml)
        visible = (true >= self.lesions.seen_from_mm[:, None]) | (days[None, :] >= self.seen[:, None])
        return np.asarray(np.where(visible, true, 0.0).sum(axis=0))

    def _seed(self, line: Line, days: FloatArray, living_mm: FloatArray) -> None:
        """Draw the day of the line's first new lesion."""
        inside = days >= line.start - 1e-9
        if math.isinf(line.new_lesion_day) and inside.sum() > 1:
            rate = self.models.lesions.new_lesion_rate(days, living_mm, self.new_lesion_factor)
            seeded, line.new_lesion_left = event_time(days[inside], rate[inside], line.new_lesion_left)
            line.new_lesion_day = math.inf if seeded is None else seeded

    def _scan(self, line: Line, days: FloatArray, volume: FloatArray, *, cut: bool) -> None:
        """Read the scans that fall into the piece, and assess them; with `cut` none after progression."""
        noise = self.streams[f"measurement {line.name}"]
        diameters = self._diameters(volume)

        def look(day: float) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
            """True and measured diameters (k,) of the lesions, and which of them are gone."""
            true = np.array([np.interp(day, days, diameter) for diameter in diameters])
            errors = noise.standard_normal(MOST_TARGETS + MOST_SEEDS)[: len(true)]
            size, gone = self.models.lesions.measure(true[:, None], errors[:, None], self.reader)
            return true, size[:, 0], gone[:, 0]

        low, high = float(days[0]), float(days[-1])
        if math.isnan(line.baseline_mm) and low - 1e-9 <= line.start <= high + 1e-9:
            self._begin(line, *look(line.start))
        if math.isnan(line.baseline_mm):
            return
        for visit in line.start + line.visits:
            if not low + 1e-9 < visit <= high + 1e-9 or (line.days and visit <= line.days[-1]):
                continue
            self._read(line, float(visit), *look(float(visit)))
        if line.days:
            progressed = [a or b for a, b in zip(line.new_lesion, line.other_growth, strict=True)]
            line.responses = timepoint_responses(line.baseline_mm, line.sld_mm, progressed, line.gone)
            for number, (day, response) in enumerate(zip(line.days, line.responses, strict=True)):
                if response == "PD":
                    if day < line.progression:
                        line.progression = day
                        nadir = nadir_before([line.baseline_mm, *line.sld_mm[:number]])
                        line.regrowth_months = (day - [line.start, *line.days][nadir]) / DAYS_PER_MONTH
                    if cut:
                        self._forget(line, line.responses.index("PD") + 1)
                    break
                if response in ("CR", "PR"):
                    line.response = min(line.response, day)

    def _begin(self, line: Line, true: FloatArray, size: FloatArray, gone: NDArray[np.bool_]) -> None:
        """Baseline of a line: the largest measurable lesions are its targets, the others that are seen are followed.

        Where nothing can be measured, the largest lesion stands for a target.
        """
        self.seen[(true >= self.lesions.seen_from_mm) & (self.seen > line.start)] = line.start
        shown = np.flatnonzero((self.seen <= line.start) & ~gone)
        if not len(shown):
            shown = np.array([int(np.argmax(true))])
        shown = shown[np.argsort(-true[shown], kind="stable")]
        measurable = shown[true[shown] >= self.models.lesions.minimum_target_mm]
        line.targets = measurable[:MOST_TARGETS] if len(measurable) else shown[:1]
        line.others = np.setdiff1d(shown, line.targets)
        line.smallest_mm = size.copy()
        floor = self.models.lesions.too_small_mm
        line.baseline_mm = max(float(size[line.targets].sum()), floor)
        line.baseline_largest_mm = max(float(size[line.targets[0]]), floor)

    def _read(self, line: Line, day: float, true: FloatArray, size: FloatArray, gone: NDArray[np.bool_]) -> None:
        """One scan: target lesions, growth of the others, new lesions.

        Other lesions have progressed unequivocally where one is measurable and has grown as much as RECIST asks of
        the sum of the targets (``eisenhauer2009`` leaves the amount to judgement).
        """
        new = (true >= self.lesions.seen_from_mm) & (self.seen > day)
        self.seen[new] = day
        line.days.append(day)
        line.sld_mm.append(float(size[line.targets].sum()))
        line.largest_mm.append(float(size[line.targets[0]]))
        # a lesion that had gone before the line and is back is new as well
        back = (self.seen <= line.start) & (true >= self.models.lesions.too_small_mm)
        back[line.targets] = back[line.others] = False
        later = bool((line.new_lesion and line.new_lesion[-1]) or new.any() or back.any())
        line.new_lesion.append(later or line.new_lesion_day <= day)
        grown, smallest = size[line.others], line.smallest_mm[line.others]
        limit = self.models.lesions.minimum_target_mm
        line.other_growth.append(bool(((grown >= limit) & (grown >= 1.2 * smallest) & (grown >= smallest + 5.0)).any()))
        line.smallest_mm = np.minimum(line.smallest_mm, size)
        line.gone.append(bool(gone[line.targets].all() and gone[line.others].all()))

    def _forget(self, line: Line, keep: int) -> None:
        """Drop the scans after the first `keep`: the line ended before them."""
        self.seen[np.isfinite(self.seen) & (self.seen > line.days[keep - 1])] = math.inf
        for rows in (
            line.days,
            line.sld_mm,
            line.largest_mm,
            line.new_lesion,
            line.other_growth,
            line.gone,
            line.responses,
        ):
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


def _first_doses(regimen: Regimen, planned: list[PlannedDose]) -> dict[str, float]:
    """Day of the first planned dose of each drug."""
    first: dict[str, float] = {}
    for dose in planned:
        drug = regimen.phases[dose.phase].rules[dose.rule].drug
        first[drug] = min(first.get(drug, math.inf), dose.time_days)
    return first
