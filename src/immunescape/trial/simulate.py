"""One block of virtual patients through a trial: earlier lines, treatment, progression, later lines, death.

The engine integrates all patients of the block at once, in pieces of half a year with weekly outputs. After each piece
every patient's :class:`~immunescape.trial.course.Course` says how it goes on: a patient whose disease has progressed
starts the next piece at that scan, from the model's state there, with the next treatment or none. A block depends only
on the trial, the model, the seed and its own number.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.population.fit import PopulationFit
from immunescape.trial.coefficients import coefficients
from immunescape.trial.course import Course, Models, Streams
from immunescape.trial.eligibility import assign_choices
from immunescape.trial.recist import DAYS_PER_MONTH, best_overall_response
from immunescape.trial.regimen import Regimen
from immunescape.trial.spec import Arm, Choice, PriorLine, Trial
from immunescape.trial.toxicity import contains_class

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.engine.api import Compiled
    from immunescape.model.assembly import Model

__all__ = ["FRAILTIES", "ArmBlock", "BlockSimulator", "SimulatedPatient", "frailty_spread"]

FloatArray = NDArray[np.float64]
PIECE_DAYS = 182.0
STEP_DAYS = 7.0
VOLUME, LIVING = "V_scan_T", "V_T"
"""Tumour volume on scans, and without the scar that radiation leaves."""
NONE = Regimen()
FRAILTIES = ("frailty_death", "frailty_new_lesion")
"""What patients differ in beyond the model: factors of the hazards of death and of new lesions."""


@dataclass(frozen=True)
class ArmBlock:
    """What a block gave for one arm: a row per patient, a row per scan of the trial's line, and the failed patients."""

    arm: int
    patients: list[dict[str, Any]]
    visits: list[dict[str, Any]]
    failures: list[dict[str, Any]]


@dataclass
class SimulatedPatient:
    """A patient while being simulated: candidate number, table row, engine state (base units), course."""

    number: int
    row: dict[str, Any]
    parameters: dict[str, float]
    state: FloatArray
    course: Course
    horizon: float
    steps: int = 0
    """Steps of the engine in the last piece."""
    context: dict[str, Any] = field(default_factory=dict)
    failure: str = ""


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
    """

    def __init__(
        self,
        trial: Trial,
        model: Model,
        compiled: Compiled,
        seed: int,
        rtol: float = 1e-6,
        fit: PopulationFit | None = None,
    ) -> None:
        from immunescape.model.registry import drugs

        self.trial, self.model, self.compiled, self.seed, self.rtol = trial, model, compiled, seed, rtol
        self.models = Models.load()
        self.fit = PopulationFit.shipped() if fit is None else fit
        self.numbers = {name: c.value for name, c in coefficients("trial_conduct").items()}
        self._drugs = drugs()
        self._atol = model.atol()
        self._outputs = (VOLUME, LIVING, *compiled.states)
        self._places = np.array([self._outputs.index(s) for s in compiled.states])
        self._volume_ml = model.scale(VOLUME)

    # --- patients ---------------------------------------------------------------------------------------------------

    def run(self, table: pd.DataFrame, arms: Sequence[int], stream: int) -> list[ArmBlock]:
        """Simulate the patients of a population block (rows of `Block.table`) in each of the arms."""
        if not len(table):
            return [ArmBlock(arm, [], [], []) for arm in arms]
        return [self._run_arm(table, arm, stream) for arm in arms]

    def _run_arm(self, table: pd.DataFrame, arm_index: int, stream: int) -> ArmBlock:
        arm = self.trial.arms[arm_index]
        failures: list[dict[str, Any]] = []
        patients = self._at_diagnosis(table, stream)
        for number, line in enumerate(self.trial.prior):
            patients = self._run_in(patients, line, number, table, failures, arm.name)
        self._randomise(patients, arm, table)
        self._integrate(patients, arm)
        rows, visits = [], []
        for p in patients:
            if p.failure:
                failures.append(_failure(p, arm.name))
                continue
            row, scans = self._collect(p, arm)
            rows.append(row)
            visits.extend(scans)
        return ArmBlock(arm_index, rows, visits, failures)

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
        for i, (number, shown, own) in enumerate(
            zip(table.index.tolist(), zip(*columns, strict=True), owns, strict=True)
        ):
            row = dict(zip(keep, shown, strict=True))
            streams = Streams(self.seed, stream, number)
            course = Course(row, float(volumes[i]), streams, self.models)
            mine = dict(zip(values, own, strict=True))
            patients.append(SimulatedPatient(number, row, mine, states[i].copy(), course, 0.0))
        return patients

    def _frailties(self, table: pd.DataFrame, stream: int) -> dict[str, FloatArray]:
        """Factors (mean 1 before the population fit) of each patient's hazards of death and of new lesions."""
        draws = np.array([Streams(self.seed, stream, int(i))["frailty"].standard_normal(2) for i in table.index])
        found = {}
        for name, z in zip(FRAILTIES, draws.T, strict=True):
            own = frailty_spread(name)
            found[name] = np.exp(own * self.fit.move(name, z, table) - 0.5 * own**2)
        return found

    def _volumes(self, values: dict[str, FloatArray], states: FloatArray) -> FloatArray:
        """Tumour volumes (mL) at given states."""
        from immunescape.model.values import evaluate_quantities

        named = dict(zip(self.compiled.states, states.T, strict=True))
        found = evaluate_quantities(self.model, named, values, 0.0, (VOLUME,))[VOLUME]
        return np.broadcast_to(np.asarray(found, dtype=float) * self._volume_ml, (len(states),))

    # --- earlier lines ----------------------------------------------------------------------------------------------

    def _run_in(
        self,
        patients: list[SimulatedPatient],
        line: PriorLine,
        number: int,
        table: pd.DataFrame,
        failures: list[dict[str, Any]],
        arm: str,
    ) -> list[SimulatedPatient]:
        """Simulate a line before the trial; keep those who end it as the trial asks, at the trial's day 0."""
        name = f"prior {number + 1}"
        horizon = line.months * DAYS_PER_MONTH
        every = self.numbers["run_in_visit_interval"]
        visits = np.arange(every, horizon + 1e-9, every)
        regimens = self._choose(line.choices, patients, name)
        for p, regimen in zip(patients, regimens, strict=True):
            p.horizon = horizon
            p.course.start_line(name, 0.0, regimen, visits, horizon)
        self._integrate(patients, None)
        kept = []
        for p in patients:
            progressed = math.isfinite(p.course.line.progression)
            if p.failure:
                failures.append(_failure(p, arm))
            elif p.course.death is None and progressed == (line.outcome == "progressed"):
                kept.append(p)
        if line.washout_days > 0 and kept:
            self._rest(kept, line.washout_days)
        values = {k: np.array([p.parameters[k] for p in kept]) for k in (kept[0].parameters if kept else {})}
        volumes = self._volumes(values, np.array([p.state for p in kept])) if kept else np.empty(0)
        good = []
        for p, volume in zip(kept, volumes, strict=True):
            if p.failure:
                failures.append(_failure(p, arm))
                continue
            p.context[name] = p.course.day
            earlier = p.course.earlier_lines + (line.outcome == "progressed")
            p.course = Course(p.row, float(volume), p.course.streams, self.models, earlier_lines=earlier)
            good.append(p)
        return good

    def _rest(self, patients: list[SimulatedPatient], days: float) -> None:
        """Let time pass without treatment."""
        result = self._job(patients, np.array([0.0, days]), [[] for _ in patients])
        for i, p in enumerate(patients):
            self._take(p, result, i, -1)

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

    def _visits(self, streams: Streams, line: str) -> FloatArray:
        """Days of the scans of a line: the protocol's, each moved within its window."""
        planned = self.trial.visits.times(self.trial.follow_up_months * DAYS_PER_MONTH)
        limit = self.numbers["visit_window"]
        moved = 0.5 * limit * streams[f"visits {line}"].standard_normal(len(planned))
        return np.maximum(planned + np.rint(np.clip(moved, -limit, limit)), 1.0)

    def _next_line(self, p: SimulatedPatient, arm: Arm | None) -> None:
        """What follows progression: crossover, later therapy, or nothing."""
        course = p.course
        gap = self.numbers["next_line_gap"]
        if arm is not None and len(course.lines) == 1:
            streams = course.streams
            cross = arm.crossover
            draw, later = float(streams["crossover"].uniform()), float(streams["subsequent"].uniform())
            share = self.numbers["crossover_progressed_share"]
            choices: tuple[Choice, ...] = ()
            name = ""
            if cross is not None and draw < cross.probability(share):
                choices, name = cross.choices, "crossover"
            else:
                for option in arm.subsequent:
                    chance = option.probability(share)
                    if later < chance:
                        choices, name = option.choices, "subsequent"
                        break
                    later -= chance
            if choices:
                regimen = self._choose(choices, [p], name)[0]
                course.start_line(name, course.day + gap, regimen, self._visits(streams, name), p.horizon)
                p.context["stop"] = True
                return
        course.start_line("after", course.day, NONE, np.empty(0), p.horizon, fallback=True)

    # --- integration ------------------------------------------------------------------------------------------------

    def _integrate(self, patients: list[SimulatedPatient], arm: Arm | None) -> None:
        """Drive all patients to death, the end of their follow-up, or (before the trial, `arm` None) progression."""
        active = [p for p in patients if not p.failure]
        while active:
            longest = max(p.horizon - p.course.day for p in active)
            span = min(PIECE_DAYS, math.ceil(longest / STEP_DAYS) * STEP_DAYS)
            times = np.arange(0.0, span + 1e-9, STEP_DAYS)
            given = {p.number: p.course.dose_times(p.course.day, p.course.day + span) for p in active}
            # the longest first, so that no lane of the engine works on while the others have nothing left to do
            active.sort(key=lambda p: (p.steps, len(given[p.number])), reverse=True)
            doses = [given[p.number] for p in active]
            result = self._job(active, times, doses)
            remaining = []
            for i, p in enumerate(active):
                if int(result.status[i]) == 2:
                    p.failure = (
                        f"day {p.course.day + float(result.end_time[i]):.1f}: {result.messages.get(i, 'failed')}"
                    )
                    continue
                start = p.course.day
                volume = result.values[i, :, 0] * self._volume_ml
                if not np.isfinite(volume).all():
                    p.failure = f"day {start:.1f}: the tumour volume is not finite"
                    continue
                stop_here = bool(p.context.get("stop", True)) if arm is not None else True
                living = result.values[i, :, 1] * self._volume_ml
                ended = p.course.advance(start + times, volume, living, stop_at_progression=stop_here)
                self._take(p, result, i, -1 if ended is None else ended)
                p.steps = int(result.steps[i])
                if p.course.death is not None or p.failure:
                    continue
                if ended is not None:
                    if arm is None:
                        continue
                    self._next_line(p, arm)
                if p.course.day < p.horizon - 1e-6:
                    remaining.append(p)
            active = remaining

    def _job(self, patients: Sequence[SimulatedPatient], times: FloatArray, doses: Sequence[Any]) -> Any:
        from immunescape.engine.api import Job
        from immunescape.trial.dosing import to_doses

        tables = []
        for given in doses:
            tables.append(to_doses([dose.at(time) for time, dose in given], self._drugs))
        names = sorted(patients[0].parameters)
        values = np.array([[p.parameters[k] for k in names] for p in patients])
        states = np.array([p.state for p in patients])
        job = Job(
            n=len(patients),
            times=times,
            outputs=self._outputs,
            parameters={k: values[:, j] for j, k in enumerate(names)},
            initial={s: states[:, k] for k, s in enumerate(self.compiled.states)},
            doses=tables,
            rtol=self.rtol,
            atol=self._atol,
        )
        return self.compiled.run(job)

    def _take(self, p: SimulatedPatient, result: Any, i: int, index: int) -> None:
        """Keep the model's state at an output."""
        state = result.values[i, index, self._places]
        if not np.isfinite(state).all():
            p.failure = p.failure or f"day {p.course.day:.1f}: the state is not finite"
        p.state = np.maximum(state, 0.0)

    # --- results ----------------------------------------------------------------------------------------------------

    def _collect(self, p: SimulatedPatient, arm: Arm) -> tuple[dict[str, Any], list[dict[str, Any]]]:
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
        later = course.lines[1] if len(course.lines) > 1 and not course.lines[1].fallback else None
        confirm = self.trial.endpoints.confirmation
        row = {
            **{k: v for k, v in p.row.items()},
            "id": p.number,
            "arm": arm.name,
            "regimen": str(line.regimen),
            "volume_ml_baseline": course.volume0,
            "sld_mm_baseline": line.baseline_mm,
            "largest_mm_baseline": line.baseline_largest_mm,
            "target_lesions": len(course.lesions.diameter_mm),
            "best_response": best_overall_response(days, words, confirm=confirm),
            "best_change_pct": min((s["change_pct"] for s in scans), default=None),
            "progression_day": next((d for d, w in zip(days, words, strict=True) if w == "PD"), None),
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
