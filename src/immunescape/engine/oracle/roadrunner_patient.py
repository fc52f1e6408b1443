"""Integrates one patient after the other on a model that libroadrunner has loaded."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunescape.engine.api import OK, STOPPED, Doses, Job
from immunescape.engine.oracle.roadrunner_document import INFUSION, NEVER, START, dose_names

__all__ = ["EventfulPatient", "PlainPatient", "StateChange", "dose_changes"]

FloatArray = NDArray[np.float64]

_REFINEMENTS = 4  # each narrows a stop's bracket 64-fold
_JUST_BEFORE = 1e-12
"""Share of the job by which a dose comes early in a model with events, so that events at its time see what follows."""


@dataclass(frozen=True, order=True)
class StateChange:
    """What happens at a moment: `value` is added to a state (kind ``amount``) or to its input (kind ``rate``).

    Of kind ``turn`` are moments at which an input jumps by itself.
    """

    time: float
    target: str
    kind: str
    value: float


def dose_changes(doses: Doses, start: float) -> list[StateChange]:
    """Turn doses into changes, in order of time.

    What is over at the start is left out; an infusion that runs then begins there, at its own rate.
    """
    changes: list[StateChange] = []
    for time, target, amount, length in zip(doses.time, doses.target, doses.amount, doses.duration, strict=True):
        if (time + length <= start) if length > 0 else (time < start):
            continue
        if length > 0:
            changes.append(StateChange(float(max(time, start)), target, "rate", float(amount / length)))
            changes.append(StateChange(float(time + length), target, "rate", -float(amount / length)))
        else:
            changes.append(StateChange(float(time), target, "amount", float(amount)))
    together: dict[tuple[float, str, str], float] = {}
    for change in changes:  # what is given at one time acts at once
        key = (change.time, change.target, change.kind)
        together[key] = together.get(key, 0.0) + change.value
    return sorted(StateChange(time, target, kind, value) for (time, target, kind), value in together.items())


@dataclass(frozen=True, eq=False, kw_only=True)
class PatientInputs:
    """What a patient is integrated with.

    Attributes
    ----------
    parameters, initial : values by the names that libroadrunner has for them.
    changes : doses, and moments at which inputs turn. stop : value of the watched quantity, or None. until : end.
    """

    parameters: Mapping[str, float]
    initial: Mapping[str, float]
    changes: Sequence[StateChange]
    stop: float | None
    until: float


class _Patient:
    """What both ways of integrating share.

    Attributes
    ----------
    reached : time up to which the last patient came. touched : parameters that were overridden last.
    slots : state and kind of each dose that is an event of the model.
    variables : values at the start of parameters and compartments that change while the model runs.
    fires_at_start : whether an event may fire at the start of the job.
    """

    def __init__(
        self,
        runner: Any,
        states: tuple[str, ...],
        defaults: Mapping[str, float],
        job: Job,
        outputs: Sequence[str],
        watched: str | None,
    ) -> None:
        self.runner, self.states, self.defaults, self.job = runner, states, defaults, job
        self.times = job.times
        self.outputs, self.watched = outputs, watched
        self.columns = [*outputs, *([watched, *states] if watched is not None else [])]
        self.reached = float(self.times[0])
        self.touched: set[str] = set()
        self.slots: tuple[tuple[str, str], ...] = ()
        self.variables: Mapping[str, float] = {}
        self.fires_at_start = False

    def take_over(self, other: _Patient) -> None:
        """Work on the same loaded model as another patient."""
        self.touched, self.slots, self.variables = other.touched, other.slots, other.variables
        self.fires_at_start = other.fires_at_start

    def begin(self, inputs: PatientInputs) -> None:
        """Give the model a patient's parameters and starting values."""
        runner, parameters = self.runner, inputs.parameters
        for name, value in self.variables.items():  # a reset leaves parameters that events or rules change as they are
            runner[name] = value
        for name in self.touched - set(parameters):
            runner[name] = self.defaults[name]
        self.touched = set(parameters)
        for name, value in parameters.items():
            runner[name] = value
        runner.reset()
        for name, value in (*parameters.items(), *inputs.initial.items()):
            runner[name] = value
        runner.timeCourseSelections = ["time", *self.columns]

    def simulate(self, grid: FloatArray) -> FloatArray:
        """Rows of the columns at the times of a grid.

        Raises
        ------
        FloatingPointError
            Where an output is not a finite number.
        """
        rows = np.asarray(self.runner.simulate(times=grid.tolist()))[:, 1:]
        if not np.all(np.isfinite(rows[:, : max(len(self.outputs), 1)])):
            raise FloatingPointError(f"not a finite number between time {grid[0]:g} and {grid[-1]:g}")
        return rows


class PlainPatient(_Patient):
    """A patient of a model without events, integrated piece by piece between doses."""

    def integrate(self, inputs: PatientInputs, values: FloatArray, final: FloatArray) -> tuple[int, float]:
        """Integrate to the end or the stop; fills `values` (t, k) and `final`; returns status and end time."""
        runner, job, times = self.runner, self.job, self.times
        changes, stop, until = inputs.changes, inputs.stop, inputs.until
        start = float(times[0])
        self.reached = start
        self.begin(inputs)
        for target in {change.target for change in changes if change.kind == "rate"}:
            runner[INFUSION + target] = 0.0
        edges = sorted({start, until, *[c.time for c in changes if start < c.time < until]})
        width = len(self.outputs)
        for change in changes:
            if change.time == start:
                self._apply(change)
        if until <= start:
            values[0] = [runner[name] for name in self.outputs]
        for a, b in itertools.pairwise(edges):
            inside = times[(times > a) & (times < b)]
            grid = np.concatenate([[a], inside, [b]])
            rows = self.simulate(grid)
            where = np.searchsorted(times, grid)
            for row, column, t in zip(rows, where, grid, strict=True):
                if column < len(times) and times[column] == t:
                    values[column] = row[:width]
            if job.stop is not None and stop is not None:
                hit = _first_crossing(rows[:, width], stop, job.stop.rising)
                if hit is not None:
                    t_stop = self._refine(grid, rows, hit, stop, final)
                    values[times > t_stop] = np.nan
                    self.reached = t_stop
                    return STOPPED, t_stop
            self.reached = float(b)
            for change in changes:
                if change.time == b and b <= until:
                    self._apply(change)
            column = int(np.searchsorted(times, b))
            if column < len(times) and times[column] == b:
                values[column] = [runner[name] for name in self.outputs]
        final[:] = [runner[name] for name in self.states]
        return OK, until

    def _apply(self, change: StateChange) -> None:
        if change.kind == "turn":
            return
        name = INFUSION + change.target if change.kind == "rate" else change.target
        value = float(self.runner[name]) + change.value
        if change.kind == "rate" and abs(value) < 1e-9 * abs(change.value):
            value = 0.0
        self.runner[name] = value

    def _refine(self, grid: FloatArray, rows: FloatArray, hit: int, stop: float, final: FloatArray) -> float:
        """Narrow the bracket ``grid[hit-1], grid[hit]`` of the stop; leaves the model and `final` at the stop."""
        assert self.job.stop is not None
        width, rising = len(self.outputs), self.job.stop.rising
        state = slice(width + 1, None)
        if hit == 0:
            final[:] = rows[0, state]
            return float(grid[0])
        low, high, before = float(grid[hit - 1]), float(grid[hit]), rows[hit - 1]
        for _ in range(_REFINEMENTS):
            for name, value in zip(self.states, before[state], strict=True):
                self.runner[name] = value
            fine = np.linspace(low, high, 65)
            if fine[1] <= fine[0]:
                break
            sub = np.asarray(self.runner.simulate(times=fine.tolist()))[:, 1:]
            k = _first_crossing(sub[:, width], stop, rising)
            if k is None:  # the crossing lies at the very end, within the tolerance of the integrator
                k = 64
            if k == 0:
                final[:] = sub[0][state]
                return low
            low, high, before, after = float(fine[k - 1]), float(fine[k]), sub[k - 1], sub[k]
        return _between(low, high, before=before, after=after, width=width, stop=stop, final=final)


class EventfulPatient(_Patient):
    """A patient of a model with events, integrated in one go: doses are events of the model."""

    def integrate(self, inputs: PatientInputs, values: FloatArray, final: FloatArray) -> tuple[int, float]:
        """Integrate to the end or the stop; fills `values` (t, k) and `final`; returns status and end time."""
        times, width = self.times, len(self.outputs)
        stop, until = inputs.stop, inputs.until
        start = float(times[0])
        self.reached = start
        grid = np.append(times[times < until], until)

        def rows_at(grid: FloatArray) -> FloatArray:
            return self._rows(inputs, grid)

        rows = rows_at(grid) if until > start else rows_at(np.array([start, float(times[1])]))[:1]
        end, status = until, OK
        hit = None
        if self.job.stop is not None and stop is not None:
            hit = _first_crossing(rows[:, width], stop, self.job.stop.rising)
        if hit is not None and self.job.stop is not None and stop is not None:
            status, end = STOPPED, float(grid[hit])
            if hit > 0:
                low, high = float(grid[hit - 1]), end
                fine, sub = grid, rows
                k = hit
                for _ in range(_REFINEMENTS):
                    mesh = np.linspace(low, high, 65)
                    if not np.all(np.diff(mesh) > 0):
                        break
                    fine = np.concatenate([times[times < low], mesh])
                    sub = rows_at(fine)
                    beyond = _first_crossing(sub[:, width], stop, self.job.stop.rising)
                    k = len(fine) - 1 if beyond is None else max(beyond, 1)
                    low, high = float(fine[k - 1]), float(fine[k])
                end = _between(low, high, before=sub[k - 1], after=sub[k], width=width, stop=stop, final=final)
            else:
                final[:] = rows[0, width + 1 :]
        shown = grid <= end
        reached = times[: int(np.count_nonzero(times <= end))]
        values[: len(reached)] = rows[: len(grid)][shown, :width][: len(reached)]
        if hit is None:
            final[:] = [self.runner[name] for name in self.states]
        self.reached = end
        return status, end

    def _rows(self, inputs: PatientInputs, grid: FloatArray) -> FloatArray:
        """Rows at the times of a grid, from the start of the job on."""
        runner, start, span = self.runner, float(self.times[0]), float(self.times[-1] - self.times[0])
        early = max(_JUST_BEFORE * span, 64.0 * float(np.spacing(np.abs(self.times).max())))
        self.begin(inputs)
        for target in {change.target for change in inputs.changes if change.kind == "rate"}:
            runner[INFUSION + target] = 0.0
        vacant: dict[tuple[str, str], list[int]] = {}
        for slot, key in enumerate(self.slots):
            vacant.setdefault(key, []).append(slot)
            runner[dose_names(slot)[0]] = NEVER
        for change in inputs.changes:
            if change.time <= start:
                name = INFUSION + change.target if change.kind == "rate" else change.target
                runner[name] = float(runner[name]) + change.value
                continue
            time, amount = dose_names(vacant[change.target, change.kind].pop(0))
            runner[time], runner[amount] = change.time - early, change.value
        if not self.fires_at_start:
            return self.simulate(grid)
        runner[START] = start
        return self.simulate(np.concatenate([[start - early], grid]))[1:]


def _between(
    low: float, high: float, *, before: FloatArray, after: FloatArray, width: int, stop: float, final: FloatArray
) -> float:
    """Time of the stop by linear interpolation in a narrow bracket; `final` gets the states there."""
    state = slice(width + 1, None)
    share = (stop - before[width]) / (after[width] - before[width]) if after[width] != before[width] else 1.0
    share = float(np.clip(share, 0.0, 1.0))
    final[:] = before[state] + share * (after[state] - before[state])
    return low + share * (high - low)


def _first_crossing(x: FloatArray, value: float, rising: bool) -> int | None:
    beyond = np.flatnonzero(x >= value if rising else x <= value)
    return int(beyond[0]) if len(beyond) else None
