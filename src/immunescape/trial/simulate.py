"""One block of virtual patients through a trial: earlier lines, treatment, progression, later lines, death.

The engine integrates all patients of the block at once, in pieces of half a year with weekly outputs. After each piece
every patient's :class:`~immunescape.trial.course.Course` says how it goes on: a patient whose disease has progressed
starts the next piece at that scan, from the model's state there, with the next treatment or none. A block depends only
on the trial, the model, the seed and its own number.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.population.fit import PopulationFit
from immunescape.trial.between_lines import NONE, aim, count, eligible_at_entry, later_lines
from immunescape.trial.coefficients import coefficients
from immunescape.trial.course import Course, Models, PatientStreams
from immunescape.trial.eligibility import assign_choices
from immunescape.trial.lane_jobs import VOLUME, LaneJobs, LanePiece
from immunescape.trial.lanes import Lane, LaneMaker
from immunescape.trial.pathology import Bed
from immunescape.trial.recist import best_overall_response
from immunescape.trial.regimen import Regimen
from immunescape.trial.spec import Arm, Choice, PriorLine, Trial
from immunescape.trial.toxicity import contains_class
from immunescape.units import DAYS_PER_MONTH

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.engine.api import Compiled
    from immunescape.model.assembly import Model
    from immunescape.population.diagnosis import Grower
    from immunescape.trial.lesions import Lesions

__all__ = ["FRAILTIES", "BlockSimulator", "SimulatedArm", "SimulatedPatient", "frailty_spread"]

FloatArray = NDArray[np.float64]
PIECE_DAYS = 182.0
STEP_DAYS = 7.0
FRAILTIES = ("frailty_death", "frailty_new_lesion")
"""What patients differ in beyond the model: factors of the hazards of death and of new lesions."""
CLONE_SHARES = ("b2m_null_share_T", "hla_loh_share_T", "mhc1_silenced_share_T", "jak_null_share_T", "resistant_share_T")
"""Shares of the cells of the largest lesion that are noted where the disease progresses."""


@dataclass(frozen=True)
class SimulatedArm:
    """What a block gave for one arm: a row per patient, a row per scan of the trial's line, and the failed patients.

    `excluded` counts the candidates who did not come through the earlier lines, by reason.
    """

    arm: int
    patients: list[dict[str, Any]]
    visits: list[dict[str, Any]]
    failures: list[dict[str, Any]]
    excluded: dict[str, int] = field(default_factory=dict)


@dataclass(kw_only=True)
class SimulatedPatient:
    """A patient while being simulated: candidate number, table row, simulated tumours, course."""

    number: int
    row: dict[str, Any]
    lanes: list[Lane]
    course: Course
    horizon: float
    steps: int = 0
    """Steps of the engine in the last piece."""
    context: dict[str, Any] = field(default_factory=dict)
    failure: str = ""

    @property
    def parameters(self) -> dict[str, float]:
        """The patient's own parameters, which the first lane has."""
        return self.lanes[0].parameters


def frailty_spread(name: str) -> float:
    """Standard deviation across patients of ln of a factor in `FRAILTIES`."""
    return coefficients("os_hazard" if name == "frailty_death" else "lesions")["frailty"].value


class BlockSimulator:
    """Simulates patients of one trial with one compiled model.

    Parameters
    ----------
    trial, model, compiled
        The trial, its model and the model made ready by an engine.
    seed
        Seed of the run.
    rtol
        Relative tolerance of the integration.
    fit
        How distributions across patients are moved; None takes the fit that ships.
    grower
        Gives what grows lesions to diagnosis; a trial of several lesions needs it.
    """

    def __init__(
        self,
        trial: Trial,
        model: Model,
        compiled: Compiled,
        seed: int,
        rtol: float = 1e-6,
        fit: PopulationFit | None = None,
        *,
        grower: Callable[[], Grower] | None = None,
    ) -> None:
        from immunescape.model.registry import drugs

        self.trial, self.model, self.compiled, self.seed, self.rtol = trial, model, compiled, seed, rtol
        self.fit = PopulationFit.shipped() if fit is None else fit
        self.models = Models.load(self.fit)
        self.numbers = {name: c.value for name, c in coefficients("trial_conduct").items()}
        self.piece_days = PIECE_DAYS
        """Days that are integrated at a time."""
        self._volume_ml = model.scale(VOLUME)
        self._jobs = LaneJobs(model, compiled, drugs(), rtol)
        self._lanes: LaneMaker | None = None
        self.shared: frozenset[str] = frozenset()
        """Parameters that all lesions of a patient have from the patient."""
        self.absent: tuple[str, ...] = ()
        """Clones that no lesion has at diagnosis."""
        if trial.lesions == "several":
            if grower is None:
                raise InputError("a trial of several lesions needs a grower", hint="Pass `grower`.")
            self._lanes = LaneMaker(model, compiled.states, grower, seed, self.fit, self.models.lesions)

    # --- patients ---------------------------------------------------------------------------------------------------

    def run(self, table: pd.DataFrame, arms: Sequence[int], stream: int) -> list[SimulatedArm]:
        """Simulate the patients of a population block (rows of `Block.table`) in each of the arms."""
        if not len(table):
            return [SimulatedArm(arm, [], [], []) for arm in arms]
        return [self._run_arm(table, arm, stream) for arm in arms]

    def _run_arm(self, table: pd.DataFrame, arm_index: int, stream: int) -> SimulatedArm:
        arm = self.trial.arms[arm_index]
        excluded: dict[str, int] = {}
        patients, failures = self.follow(table, arm_index, stream, excluded)
        self._clones(patients)
        rows, visits = [], []
        for p in patients:
            if p.failure:
                failures.append(_failure(p, arm.name))
                continue
            row, scans = self.collect(p, arm)
            rows.append(row)
            visits.extend(scans)
        return SimulatedArm(arm_index, rows, visits, failures, excluded)

    def entrants(
        self, table: pd.DataFrame, stream: int, arm: str = "", excluded: dict[str, int] | None = None
    ) -> tuple[list[SimulatedPatient], list[dict[str, Any]]]:
        """Patients at the start of the trial's own line, after its earlier lines, and the failures among them.

        Those who do not enter are counted in `excluded`, by reason.
        """
        excluded = {} if excluded is None else excluded
        failures: list[dict[str, Any]] = []
        patients = self._at_diagnosis(table, stream)
        for number, line in enumerate(self.trial.prior):
            patients = self._run_in(
                patients, line, number=number, table=table, failures=failures, arm=arm, excluded=excluded
            )
        if self.trial.prior:
            patients = eligible_at_entry(self, patients, excluded)
        return patients, failures

    def follow(
        self, table: pd.DataFrame, arm_index: int, stream: int, excluded: dict[str, int] | None = None
    ) -> tuple[list[SimulatedPatient], list[dict[str, Any]]]:
        """Take patients at diagnosis through one arm; those whose integration failed say so, the others are done.

        Parameters
        ----------
        table : rows of patients, as in `Block.table`.
        arm_index : number of the arm.
        stream : stream of the patients.
        excluded : counts those who do not enter, by reason.

        Returns
        -------
        tuple
            The patients who entered, and the failures before entry.
        """
        arm = self.trial.arms[arm_index]
        patients, failures = self.entrants(table, stream, arm.name, excluded)
        self.treat(patients, arm, table)
        return patients, failures

    def treat(self, patients: list[SimulatedPatient], arm: Arm, table: pd.DataFrame) -> None:
        """Take patients who have entered (see :meth:`entrants`) through an arm and what follows it."""
        self._randomise(patients, arm, table)
        self._integrate(patients, arm)
        later_lines(self, patients, arm)

    def _at_diagnosis(self, table: pd.DataFrame, stream: int) -> list[SimulatedPatient]:
        numbers = table.select_dtypes("float64")  # nearly all of some hundred columns, at once
        cells = dict(zip(map(str, numbers.columns), numbers.to_numpy().T, strict=True))

        def column(name: str) -> FloatArray:
            return cells[name] if name in cells else table[name].to_numpy(dtype=float)

        names = [c for c in table.columns if c.startswith("p:") and c[2:] in self.model.parameters]
        names = [c for c in names if c[2:] in self.compiled.parameters]
        values = {c[2:]: np.asarray(self.model.to_base(c[2:], column(c))) for c in names}
        states = np.zeros((len(table), len(self.compiled.states)))
        for k, state in enumerate(self.compiled.states):
            if f"x:{state}" in table.columns:
                states[:, k] = column(f"x:{state}")
        volumes = self._volumes(values, states)
        patients = []
        keep = [c for c in table.columns if not c.startswith("x:")]
        frailties = self._frailties(table, stream)
        columns = [
            *(cells[c].tolist() if c in cells else _plain_column(table[c]) for c in keep),
            *(f.tolist() for f in frailties.values()),
        ]
        keep = [*(str(c) for c in keep), *frailties]
        owns = zip(*(v.tolist() for v in values.values()), strict=True) if values else [()] * len(table)
        for i, (number, shown, at_growth) in enumerate(
            zip(table.index.tolist(), zip(*columns, strict=True), owns, strict=True)
        ):
            row = dict(zip(keep, shown, strict=True))
            streams = PatientStreams(self.seed, stream, number)
            lesions = self._lesions(row, float(volumes[i]), streams)
            several = 1 if lesions is None else lesions.lanes
            course = Course(row, np.full(several, volumes[i]), streams, self.models, lesions=lesions)
            mine = dict(zip(values, at_growth, strict=True))
            patients.append(
                SimulatedPatient(
                    number=number, row=row, lanes=[Lane(mine, states[i].copy())], course=course, horizon=0.0
                )
            )
        if self._lanes is not None:
            lesions_of = [p.course.lesions for p in patients]
            mine_of = [p.parameters for p in patients]
            made = self._lanes.lanes(table, lesions_of, mine_of, states, stream, shared=self.shared, absent=self.absent)
            for p, lanes in zip(patients, made, strict=True):
                p.lanes = lanes
        return patients

    def _lesions(self, row: dict[str, Any], volume: float, streams: PatientStreams) -> Lesions | None:
        """The patient's lesions; None where they share one simulated tumour."""
        if self._lanes is None:
            return None
        model, count = self.models.lesions, int(row["n_target_lesions"])
        factor = float(row["frailty_new_lesion"])
        return model.spread_out(volume, count, factor, streams["lesions"], streams["micrometastases"])

    def _frailties(self, table: pd.DataFrame, stream: int) -> dict[str, FloatArray]:
        """Factors (mean 1 before the population fit) of each patient's hazards of death and of new lesions."""
        draws = np.array([PatientStreams(self.seed, stream, int(i))["frailty"].standard_normal(2) for i in table.index])
        frailties = {}
        for name, z in zip(FRAILTIES, draws.T, strict=True):
            spread = frailty_spread(name)
            frailties[name] = np.exp(spread * self.fit.move(name, z, table) - 0.5 * spread**2)
        return frailties

    def _volumes(self, values: dict[str, FloatArray], states: FloatArray) -> FloatArray:
        """Tumour volumes (mL) at given states."""
        from immunescape.model.values import evaluate_quantities

        named = dict(zip(self.compiled.states, states.T, strict=True))
        volumes = evaluate_quantities(self.model, named, values, 0.0, (VOLUME,))[VOLUME]
        return np.broadcast_to(np.asarray(volumes, dtype=float) * self._volume_ml, (len(states),))

    # --- earlier lines ----------------------------------------------------------------------------------------------

    def _run_in(
        self,
        patients: list[SimulatedPatient],
        line: PriorLine,
        *,
        number: int,
        table: pd.DataFrame,
        failures: list[dict[str, Any]],
        arm: str,
        excluded: dict[str, int],
    ) -> list[SimulatedPatient]:
        """Simulate a line before the trial; keep those who end it as the trial asks, at the trial's day 0."""
        name = f"prior {number + 1}"
        passing: list[SimulatedPatient] = []
        if line.share < 1.0:
            had = {p.number: float(p.course.streams[f"had {name}"].uniform()) < line.share for p in patients}
            passing = [p for p in patients if not had[p.number]]
            patients = [p for p in patients if had[p.number]]
        horizon = line.months * DAYS_PER_MONTH
        every = self.numbers["run_in_visit_interval"]
        visits = np.arange(every, horizon + 1e-9, every)
        regimens = self._choose(line.choices, patients, name)
        for p, regimen in zip(patients, regimens, strict=True):
            p.horizon = horizon
            p.course.start_line(name, 0.0, regimen, visits, horizon)
            aim(self, p, regimen)
        self._integrate(patients, None)
        kept = []
        for p in patients:
            progressed = math.isfinite(p.course.line.progression)
            if p.failure:
                failures.append(_failure(p, arm))
            elif p.course.death is not None:
                count(excluded, "died in an earlier line")
            elif progressed == (line.outcome == "progressed"):
                kept.append(p)
            else:
                count(excluded, "progressed in an earlier line" if progressed else "did not progress in time")
        if line.washout_days > 0 and kept:
            self._rest(kept, line.washout_days)
        good = []
        for p, volume in zip(kept, self._lane_volumes(kept), strict=True):
            if p.failure:
                failures.append(_failure(p, arm))
                continue
            p.context[name] = p.course.day
            earlier = p.course.earlier_lines + (line.outcome == "progressed")
            p.course = Course(p.row, volume, p.course.streams, self.models, earlier_lines=earlier, previous=p.course)
            good.append(p)
        return sorted([*good, *passing], key=lambda p: p.number)

    def _lane_volumes(self, patients: Sequence[SimulatedPatient]) -> list[FloatArray]:
        """Volumes (mL) of the lanes of each patient."""
        lanes = [lane for p in patients for lane in p.lanes]
        if not lanes:
            return []
        values = {k: np.array([lane.parameters[k] for lane in lanes]) for k in lanes[0].parameters}
        volumes = self._volumes(values, np.array([lane.state for lane in lanes]))
        ends = np.cumsum([len(p.lanes) for p in patients])[:-1]
        return [np.asarray(volumes_of_patient) for volumes_of_patient in np.split(volumes, ends)]

    def _rest(self, patients: list[SimulatedPatient], days: float) -> None:
        """Let time pass without treatment."""
        pieces = self._jobs.run([p.lanes for p in patients], np.array([0.0, days]), [[] for _ in patients])
        for p, piece in zip(patients, pieces, strict=True):
            if piece.failure is not None:
                p.failure = p.failure or f"day {p.course.day + piece.failure[0]:.1f}: {piece.failure[1]}"
            self._take(p, piece, -1)

    @staticmethod
    def _take(p: SimulatedPatient, piece: LanePiece, index: int) -> None:
        """Keep the states of a patient's lanes at an output."""
        if not piece.take(p.lanes, index):
            p.failure = p.failure or f"day {p.course.day:.1f}: the state is not finite"

    # --- the trial --------------------------------------------------------------------------------------------------

    def _choose(self, choices: Sequence[Choice], patients: Sequence[SimulatedPatient], name: str) -> list[Regimen]:
        if not patients:
            return []
        if len(choices) == 1 and not choices[0].when:
            return [choices[0].regimen] * len(patients)
        import pandas as pd

        draws = np.array([p.course.streams[f"regimen {name}"].uniform() for p in patients])
        used = sorted({criterion.covariate for choice in choices for criterion in choice.when})
        rows = pd.DataFrame({name: [p.row[name] for p in patients] for name in used}, index=range(len(patients)))
        return [choices[k].regimen for k in assign_choices(choices, rows, draws, where=self.trial.file or None)]

    def _randomise(self, patients: list[SimulatedPatient], arm: Arm, table: pd.DataFrame) -> None:
        follow_up = self.trial.follow_up_months * DAYS_PER_MONTH
        for p, regimen in zip(patients, self._choose(arm.choices, patients, "trial"), strict=True):
            streams = p.course.streams
            p.context["entry_months"] = float(streams["entry"].uniform()) * self.trial.accrual_months
            p.context["dropout_day"] = (
                float(streams["dropout"].exponential()) * DAYS_PER_MONTH / self.numbers["dropout"]
            )
            beyond = float(streams["beyond progression"].uniform()) < arm.beyond_progression
            p.context["stop"] = arm.stop_at_progression and not beyond
            p.horizon = min(follow_up, p.context["dropout_day"])
            p.course.start_line("trial", 0.0, regimen, self._visits(streams, "trial"), p.horizon)
            aim(self, p, regimen)

    def _visits(self, streams: PatientStreams, line: str) -> FloatArray:
        """Days of the scans of a line: the protocol's, each moved within its window."""
        planned = self.trial.visits.times(self.trial.follow_up_months * DAYS_PER_MONTH)
        limit = self.numbers["visit_window"]
        moved = 0.5 * limit * streams[f"visits {line}"].standard_normal(len(planned))
        return np.maximum(planned + np.rint(np.clip(moved, -limit, limit)), 1.0)

    # --- integration ------------------------------------------------------------------------------------------------

    def _integrate(self, patients: list[SimulatedPatient], arm: Arm | None) -> None:
        """Drive all patients to death, the end of their follow-up, or (before the trial, `arm` None) progression."""
        active = [p for p in patients if not p.failure]
        while active:
            longest = max(p.horizon - p.course.day for p in active)
            if longest <= 0.0:  # the follow-up of all of them ended with their last line
                return
            span = min(self.piece_days, math.ceil(longest / STEP_DAYS) * STEP_DAYS)
            times = np.arange(0.0, span + 1e-9, STEP_DAYS)
            given = {p.number: p.course.dose_times(p.course.day, p.course.day + span) for p in active}
            # the longest first, so that no lane of the engine works on while the others have nothing left to do
            active.sort(key=lambda p: (p.steps, len(given[p.number])), reverse=True)
            pieces = self._jobs.run([p.lanes for p in active], times, [given[p.number] for p in active])
            remaining = []
            for p, piece in zip(active, pieces, strict=True):
                start = p.course.day
                if piece.failure is not None:
                    p.failure = f"day {start + piece.failure[0]:.1f}: {piece.failure[1]}"
                    continue
                volume, living = piece.volume_ml, piece.living_ml
                if not np.isfinite(volume).all():
                    p.failure = f"day {start:.1f}: the tumour volume is not finite"
                    continue
                stop_here = bool(p.context.get("stop", True)) if arm is not None else True
                if arm is not None and self.trial.resection_day is not None and len(p.course.lines) == 1:
                    bed = p.context.setdefault("bed", Bed(self.trial.resection_day))
                    bed.follow(start + times, piece.cells[0])  # of the tumour that is resected
                ended = p.course.advance(start + times, volume, living, stop_at_progression=stop_here)
                self._take(p, piece, -1 if ended is None else ended)
                p.steps = piece.steps
                if p.course.death is not None or p.failure:
                    continue
                if ended is not None:
                    if arm is not None and len(p.course.lines) == 1:
                        p.context["at progression"] = self._largest(p)
                    if arm is None or len(p.course.lines) == 1:
                        continue  # what follows the trial's line is decided when it is known who progressed
                    p.course.start_line("after", p.course.day, NONE, np.empty(0), p.horizon, fallback=True)
                if p.course.day < p.horizon - 1e-6:
                    remaining.append(p)
            active = remaining

    # --- results ----------------------------------------------------------------------------------------------------

    @staticmethod
    def _largest(p: SimulatedPatient) -> tuple[dict[str, float], FloatArray]:
        """Parameters and state of the lane of the patient's largest living lesion."""
        lesions = p.course.lesions
        size = np.array([lane.last[1] for lane in p.lanes])
        if lesions is not None and len(p.lanes) > 1:  # lanes have the size of the whole tumour, not of their lesions
            lane_volume = np.zeros(len(p.lanes))
            np.maximum.at(lane_volume, lesions.lane, lesions.volume_ml)
            size = size * lane_volume
        lane = p.lanes[int(np.argmax(size))]
        return lane.parameters, lane.state.copy()

    def _clones(self, patients: Sequence[SimulatedPatient]) -> None:
        """Note the shares of resistant clones at progression on the trial's line."""
        from immunescape.model.values import evaluate_quantities

        names = tuple(n for n in CLONE_SHARES if n in self.model.quantities)
        seen = [p for p in patients if "at progression" in p.context and not p.failure]
        if not names or not seen:
            return
        at_progression = [p.context["at progression"] for p in seen]
        values = {
            k: np.array([clones_of_patient[k] for clones_of_patient, _ in at_progression]) for k in at_progression[0][0]
        }
        states = dict(zip(self.compiled.states, np.array([state for _, state in at_progression]).T, strict=True))
        shares = evaluate_quantities(self.model, states, values, 0.0, names)
        for k, p in enumerate(seen):
            p.context["clones"] = {
                n: float(np.broadcast_to(np.asarray(shares[n], dtype=float), len(seen))[k]) for n in names
            }

    def collect(self, p: SimulatedPatient, arm: Arm) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The patient's row, and the rows of the scans of the trial's own line."""
        course, line = p.course, p.course.lines[0]
        last = math.inf if course.death is None else course.death
        seen = [k for k, day in enumerate(line.days) if day <= min(last, p.horizon)]
        days = [line.days[k] for k in seen]
        words = [line.responses[k] for k in seen]
        scans: list[dict[str, Any]] = [
            {
                "id": p.number,
                "arm": arm.name,
                "day": line.days[k],
                "sld_mm": line.sld_mm[k],
                "largest_mm": line.largest_mm[k],
                "change_pct": 100.0 * (line.sld_mm[k] / line.baseline_mm - 1.0),
                "new_lesion": line.new_lesion[k],
                "response": line.responses[k],
            }
            for k in seen
        ]
        end = min(line.treatment_end, last, p.horizon)
        events = line.toxicity.before(end + 1e-9)
        given = [dose for dose in line.doses if dose.time_days < end - 1e-9]
        later = next((after for after in course.lines[1:] if not after.fallback), None)
        confirm = self.trial.endpoints.confirmation
        resection = self.trial.resection_day
        operated = resection is not None and resection <= min(last, p.horizon) and resection < line.progression
        bed = p.context.get("bed")
        progression = next((d for d, w in zip(days, words, strict=True) if w == "PD"), None)
        # A scan of progression after the end of follow-up is not seen, nor are the clones found at it.
        clones = {} if progression is None else p.context.get("clones", {})
        pathology = {} if resection is None else {"viable_share_pct": 100.0 * bed.share if operated and bed else None}
        row = {
            **{k: v for k, v in p.row.items()},
            "id": p.number,
            "arm": arm.name,
            "regimen": str(line.regimen),
            "volume_ml_baseline": course.volume0,
            "sld_mm_baseline": line.baseline_mm,
            "largest_mm_baseline": line.baseline_largest_mm,
            "target_lesions": len(line.targets),
            "best_response": best_overall_response(days, words, confirm=confirm),
            "best_change_pct": min((s["change_pct"] for s in scans), default=None),
            "progression_day": progression,
            "progression_new_lesion": next((s["new_lesion"] for s in scans if s["response"] == "PD"), None),
            "death_day": course.death,
            "death_cause": course.death_cause or None,
            "dropout_day": p.context["dropout_day"],
            "follow_up_day": self.trial.follow_up_months * DAYS_PER_MONTH,
            "entry_months": p.context["entry_months"],
            "treatment_end_day": end,
            "doses": len(given),
            "grade3_day": events[0].day if events else None,
            "grade3_events": len(events),
            "toxicity_stop_day": next((e.day for e in events if e.outcome != "continue"), None),
            "late_cycles": sum(c.kind == "delay" and c.time_days <= end for c in line.toxicity.changes),
            "dose_reduced": any(c.kind == "reduce" and c.time_days <= end for c in line.toxicity.changes),
            "checkpoint_inhibitor": contains_class(line.regimen.drugs, "ici"),
            "ici_with_chemotherapy": contains_class(line.regimen.drugs, "ici")
            and contains_class(line.regimen.drugs, "cytotoxic"),
            "next_line": None if later is None else later.name,
            "next_line_regimen": None if later is None else str(later.regimen),
            "next_line_day": None if later is None else later.start,
            "lesion_draws": ";".join(str(lane.draw) for lane in p.lanes[1:]),
            **{f"progression:{n}": clones.get(n) for n in CLONE_SHARES if n in self.model.quantities},
            **pathology,
            **{f"{name}_days": day for name, day in p.context.items() if name.startswith("prior")},
        }
        return row, scans


def _failure(p: SimulatedPatient, arm: str) -> dict[str, Any]:
    return {"id": p.number, "arm": arm, "reason": p.failure, "parameters": json.loads(json.dumps(p.parameters))}


def _plain_column(column: pd.Series) -> list[Any]:
    """Values of a column as Python's own; a column of objects may hold numpy scalars."""
    values = column.tolist()
    if column.dtype == object:
        return [v.item() if isinstance(v, np.generic) else v for v in values]
    return values
