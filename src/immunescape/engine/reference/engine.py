"""The reference engine: slow, tight and complete. Other engines are checked against it.

Each patient is integrated with LSODA (Radau where it fails) between the moments at which something jumps: doses,
events, and changes of branch in formulas, which are located to the last digit on the integrator's own dense output.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from immunescape.engine.api import FAILED, OK, Doses, Job, Result
from immunescape.engine.ir.system import System
from immunescape.engine.jobs import absolute_tolerances, check_job, dose_tables, infused_states, warn_unresolved
from immunescape.engine.reference.events import EventTable
from immunescape.engine.reference.patient import Patient, PatientJob
from immunescape.engine.reference.problem import Problem
from immunescape.engine.sbml.reader import read_sbml
from immunescape.errors import EngineError, unknown_word

__all__ = ["ReferenceCompiled", "ReferenceEngine"]

FloatArray = NDArray[np.float64]
_SERIAL = threading.Lock()
"""LSODA keeps its state in one place in some versions of scipy, and cannot run in two threads."""


class ReferenceEngine:
    """Integrates one patient after the other in Python, with the full semantics of SBML."""

    name = "reference"

    def compile(self, sbml: str) -> ReferenceCompiled:
        """Make an SBML document (text) ready to run."""
        return self.compile_system(read_sbml(sbml))

    def compile_system(self, system: System) -> ReferenceCompiled:
        """Make a system ready to run."""
        return ReferenceCompiled(system)


class ReferenceCompiled:
    """A system that the reference engine has made ready to run."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.states: tuple[str, ...] = system.state_names
        self.quantities: tuple[str, ...] = system.quantities
        self.parameters: Mapping[str, float] = system.defaults
        self._infused: frozenset[str] = frozenset()
        self._problem = Problem(system)
        self._events = EventTable(self._problem)

    def run(self, job: Job, *, progress: Callable[[int], None] | None = None) -> Result:
        """Integrate a batch of patients, one after the other.

        Raises
        ------
        EngineError
            For unknown names or values that do not fit the job. A patient that fails is reported in the result.
        """
        job = check_job(job, self.states)
        infused = infused_states(job) & {s.name for s in self.system.states if s.rate.is_num(0.0)}
        if infused - self._infused:  # they move after all, and what watches them has to be followed
            self._infused |= infused
            self._problem = Problem(self.system, self._infused)
            self._events = EventTable(self._problem)
        times = job.times
        n, system = job.n, self.system
        constants, start = system.resolve(n, job.parameters, job.initial, float(times[0]))
        output = self._problem.outputs(job.outputs)
        clock = self._problem.clock
        if job.stop is not None:
            clock = clock + self._problem.clock_of([system.value(job.stop.quantity)])
        moments = clock.moments(n, system.defaults, job.parameters, float(times[0]), float(times[-1]))
        atol = absolute_tolerances(job, self.states)
        doses = self._doses(job)
        until = np.full(n, times[-1]) if job.until is None else job.until
        threshold = None if job.stop is None else job.stop.value
        watch = None if job.stop is None else self._problem.outputs([job.stop.quantity])
        values = np.full((n, len(times), len(job.outputs)), np.nan)
        final = start.copy()
        status = np.full(n, OK, dtype=np.int8)
        end_time = np.full(n, times[0])
        steps = np.zeros(n, dtype=np.int64)
        messages: dict[int, str] = {}
        unresolved: dict[str, float] = {}
        for i in range(n):
            plan = PatientJob(
                times=times,
                end=min(float(until[i]), float(times[-1])),
                doses=doses[i],
                moments=moments[i][0],
                rtol=job.rtol,
                atol=atol,
                max_steps=job.max_steps,
                output=output,
                width=len(job.outputs),
                watch=watch,
                threshold=float(threshold[i]) if threshold is not None else 0.0,
                rising=job.stop.rising if job.stop is not None else True,
            )
            with _SERIAL:
                patient = Patient(self._problem, self._events, plan, constants[i], start[i])
                status[i] = patient.run()
            values[i] = patient.values
            final[i] = patient.x[: len(system.states)]
            end_time[i], steps[i] = patient.t, patient.steps
            top = patient.top
            unseen = (top > 0) & (atol > 0.1 * top)
            unresolved |= {self.states[k]: float(atol[k]) for k in np.flatnonzero(unseen)}
            if status[i] == FAILED:
                messages[i] = patient.message
            if progress is not None:
                progress(1)
        warn_unresolved(job, unresolved)
        return Result(
            times=times,
            outputs=job.outputs,
            values=values,
            states=self.states,
            final=final,
            status=status,
            end_time=end_time,
            steps=steps,
            messages=messages,
            unresolved=unresolved,
        )

    def _doses(self, job: Job) -> Sequence[tuple[FloatArray, ...]]:
        """Doses of each patient as columns: start, index of the state, amount, duration; of past ones what is left."""
        tables = dose_tables(job)
        compiled_of: dict[int, tuple[FloatArray, ...]] = {}
        for table in tables:
            if id(table) not in compiled_of:
                compiled_of[id(table)] = self._dose_columns(table, float(job.times[0]))
        return [compiled_of[id(table)] for table in tables]

    def _dose_columns(self, table: Doses, origin: float) -> tuple[FloatArray, ...]:
        for name in table.target:
            if name not in self.states:
                raise unknown_word("dosed state", name, self.states, error=EngineError)
        index = np.array([self.states.index(name) for name in table.target], dtype=float)
        columns = [np.asarray(c, dtype=float) for c in (table.time, table.amount, table.duration)]
        start, amount, duration = columns
        end = start + duration
        share = np.ones_like(start)
        late = (duration > 0) & (start < origin)
        share[late] = (end[late] - origin) / duration[late]
        keep = np.where(duration > 0, end > origin, start >= origin)
        start = np.maximum(start, origin)
        return start[keep], index[keep], (amount * share)[keep], (end - start)[keep]
