"""libroadrunner (CVODE) behind the engine interface: the oracle. It comes with the extra ``oracle``.

Each patient is integrated on its own. In a model without events that is done piece by piece between doses; in one with
events doses become events too, so that libroadrunner itself sees what they set off.
"""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunescape.engine.api import FAILED, OK, Doses, Job, Result
from immunescape.engine.ir.analysis import substituted_constants
from immunescape.engine.ir.calculus import free_symbols, substitute
from immunescape.engine.ir.expressions import COMPARISONS, TIME, Expr, postorder, sym
from immunescape.engine.ir.system import System
from immunescape.engine.ir.time_features import CLOCK, TimeFeatures, time_features
from immunescape.engine.jobs import TOLERANCE_SHARE, check_job, dose_tables
from immunescape.engine.oracle.roadrunner_document import document_of, prepared, written_out
from immunescape.engine.oracle.roadrunner_patient import (
    EventfulPatient,
    PatientInputs,
    PlainPatient,
    StateChange,
    dose_changes,
)
from immunescape.engine.sbml.reader import plain_numbers, read_sbml
from immunescape.errors import EngineError, unknown_word

__all__ = ["RoadRunnerEngine", "RoadRunnerModel"]

FloatArray = NDArray[np.float64]
AnyPatient = EventfulPatient | PlainPatient

_SHORT_STEP, _SAME = 1e-3, 0.02
"""A model with events that watch states is integrated twice, the second time with steps of at most this share of the
job; both must agree to within the second number of each output's largest value."""
_OTHER_COURSE = (
    "libroadrunner looks at triggers at the ends of its steps only, and with shorter steps this patient takes another "
    "course; use the engine 'native' or 'reference'"
)
_MANY = 300_000  # parts of rate laws from which on loading takes minutes


class RoadRunnerEngine:
    """Engine ``roadrunner``."""

    name = "roadrunner"

    def compile(self, sbml: str) -> RoadRunnerModel:
        """Load an SBML document (text)."""
        return RoadRunnerModel(sbml)


class RoadRunnerModel:
    """An SBML model loaded into libroadrunner.

    Attributes
    ----------
    states, quantities, parameters : see `immunescape.engine.api.Compiled`.
    written_out : parts of the rate laws after each assignment rule is written out wherever it is used, as libroadrunner
        does: what it evaluates at each point.
    """

    def __init__(self, sbml: str) -> None:
        sbml = plain_numbers(sbml)
        self._sbml = sbml
        self._loaded: dict[tuple[object, ...], Any] = {}
        self._touched: dict[int, set[str]] = {}
        self._variables: dict[int, dict[str, float]] = {}
        model = document_of(sbml).getModel()
        self._has_events = model.getNumEvents() > 0
        starts = {item.getSymbol() for item in model.getListOfInitialAssignments()}
        self._derived_stoichiometry = [
            reference.getId()
            for reaction in model.getListOfReactions()
            for reference in (*reaction.getListOfReactants(), *reaction.getListOfProducts())
            if reference.getId() in starts or (reference.isSetStoichiometryMath() and not reference.getId())
        ]
        self._system = read_sbml(sbml)
        _refuse(model, self._system)
        events = self._system.events
        self._watches_states = any(_watches(self._system, event.trigger) for event in events)
        self._needs_its_past = any(e.delay is not None or not e.initial_value or not e.persistent for e in events)
        self._species = {s.name for s in self._system.species}
        self.states: tuple[str, ...] = self._system.state_names
        self._clock = _clock(self._system, self._system.rates, linear=True)
        triggers = [event.trigger for event in events]
        self._unseen = bool(_clock(self._system, triggers, linear=False).features) or any(
            node.op in ("eq", "ne") for node in postorder(triggers)
        )
        altered = {name for event in events for name, _ in event.assignments}
        self._altered_times = any(
            node.op in COMPARISONS and altered & free_symbols(node) and TIME in postorder([node])
            for node in postorder(_written(self._system, self._system.rates))
        )
        self.quantities: tuple[str, ...] = self._system.quantities
        self.written_out = written_out(model)
        if self.written_out > _MANY:
            warnings.warn(
                "libroadrunner expands rules wherever they are used: "
                f"{self.written_out:,} operations for this model, which takes minutes to load",
                stacklevel=3,
            )
        self._runner(frozenset(), ())
        self.parameters: Mapping[str, float] = self._system.defaults

    def _runner(self, infused: frozenset[str], slots: tuple[tuple[str, str], ...]) -> Any:
        key = (infused, slots)
        if key not in self._loaded:
            # CVODE warns of first steps below the resolution of time where an infusion starts or ends, and goes on.
            os.environ.setdefault("SUNLOGGER_WARNING_FILENAME", os.devnull)
            try:
                import roadrunner
            except ImportError as error:
                raise EngineError(
                    f"the engine 'roadrunner' needs libroadrunner, which cannot be imported: {error}",
                    hint="Install it: pip install 'immunescape[oracle]', or use the engine 'native'.",
                ) from None

            roadrunner.Logger.setLevel(roadrunner.Logger.LOG_FATAL)
            text = prepared(self._sbml, sorted(infused), slots, events=self._has_events)
            try:
                self._loaded[key] = roadrunner.RoadRunner(text, _quick_load(roadrunner))
            except RuntimeError as error:
                raise EngineError(f"libroadrunner cannot load this model: {error}") from error
            runner = self._loaded[key]
            self._variables[id(runner)] = {
                name: float(runner[name]) for name in self.states if name not in self._species
            }
        return self._loaded[key]

    def _check_names(self, kind: str, names: Iterable[str], valid: Iterable[str]) -> None:
        valid = set(valid)
        for name in names:
            if name not in valid:
                raise unknown_word(kind, name, valid, error=EngineError)

    def _selection(self, name: str) -> str:
        """What libroadrunner calls an output."""
        self._system.value(name)
        if name.startswith("rateOf("):
            raise EngineError(
                f"libroadrunner cannot give '{name}'", hint="Use the engine 'native' or 'reference' for it."
            )
        return name.replace(".", "_") if name in self.parameters else name

    def _resized(self, job: Job) -> dict[str, FloatArray]:
        """Starting amounts of the species in compartments that the job resizes, which libroadrunner would keep."""
        members = [s.name for s in self._system.species if s.compartment in job.parameters]
        if not members:
            return {}
        constants, start = self._system.resolve(job.n, job.parameters, {}, float(job.times[0]))
        columns = dict(zip(self._system.constant_names, constants.T, strict=True))
        columns |= dict(zip(self.states, start.T, strict=True))
        return {name: columns[name] for name in members if name in columns and name not in job.parameters}

    def _moments(self, job: Job) -> list[FloatArray]:
        """Moments at which an input jumps or turns with time alone, of each patient.

        Raises
        ------
        EngineError
            Where libroadrunner would step over it: nothing makes it stop at a moment but the end of a simulation, and a
            simulation that goes on loses what events have pending.
        """
        start, end = float(job.times[0]), float(job.times[-1])
        hint = "Use the engine 'native' or 'reference'."
        moments = self._clock.moments(job.n, self.parameters, job.parameters, start, end)
        watched = [] if job.stop is None else [self._system.value(job.stop.quantity)]
        if self._unseen or _clock(self._system, watched, linear=False).features:
            raise EngineError("libroadrunner steps over triggers and stops that jump or turn with time", hint=hint)
        if self._altered_times or (self._has_events and any(np.any(jumps > 0) for _, jumps in moments)):
            raise EngineError("libroadrunner steps over rates that switch with time in a model with events", hint=hint)
        if self._clock.sharpest(job.n, self.parameters, job.parameters, start, end) > 0.5:
            raise EngineError("libroadrunner steps over inputs as short as those of this model", hint=hint)
        return [times[jumps > 0] for times, jumps in moments]

    def _check_job(self, job: Job, doses: Iterable[Doses]) -> None:
        """Refuse names that the model lacks, and what libroadrunner computes wrongly."""
        self._check_names("parameter", job.parameters, self.parameters)
        self._check_names("state", job.initial, self.states)
        if job.parameters and self._derived_stoichiometry:
            raise EngineError(
                f"libroadrunner keeps the stoichiometry '{self._derived_stoichiometry[0]}', which an initial "
                "assignment gives, when parameters change",
                hint="Use the engine 'native' or 'reference'.",
            )
        for table in doses:
            self._check_names("dosed state", table.target, self.states)

    def run(self, job: Job, *, progress: Callable[[int], None] | None = None) -> Result:
        """Integrate a batch, one patient after the other."""
        batch = self._batch(check_job(job, self.states))
        job = batch.job
        runner = self._runner(batch.infused, batch.slots)
        _set_tolerances(runner, job, self.states)
        patient = self._patient(runner, batch)
        values = np.full((job.n, len(job.times), len(job.outputs)), np.nan)
        final = np.full((job.n, len(self.states)), np.nan)
        status = np.zeros(job.n, dtype=np.int8)
        end_time = np.full(job.n, job.times[-1])
        messages: dict[int, str] = {}
        for i in range(job.n):
            try:
                status[i], end_time[i] = self._integrate(patient, batch, batch.inputs(i), values[i], final[i])
            except (RuntimeError, FloatingPointError) as error:
                status[i] = FAILED
                values[i] = np.nan if str(error) == _OTHER_COURSE else values[i]
                end_time[i] = patient.reached
                messages[i] = " ".join(str(error).split())[:300]
            if progress is not None:
                progress(1)
        self._touched[id(runner)] = patient.touched
        return Result(
            times=job.times,
            outputs=job.outputs,
            values=values,
            states=self.states,
            final=final,
            status=status,
            end_time=end_time,
            steps=np.zeros(job.n, dtype=np.int64),
            messages=messages,
        )

    def _batch(self, job: Job) -> _Batch:
        """Translate a job, and refuse what libroadrunner would compute wrongly."""
        outputs = tuple(self._selection(name) for name in job.outputs)
        watched = None if job.stop is None else self._selection(job.stop.quantity)
        dose_list = dose_tables(job)
        tables = {id(d): d for d in dose_list}
        self._check_job(job, tables.values())
        moments = self._moments(job)
        start = float(job.times[0])
        changes = {key: dose_changes(doses, start) for key, doses in tables.items()}
        initial = self._resized(job) | dict(job.initial)
        return _Batch(
            job=job,
            outputs=outputs,
            watched=watched,
            doses=tuple(changes[id(d)] for d in dose_list),
            moments=tuple(moments),
            infused=frozenset(t for d in dose_list for t, s in zip(d.target, d.duration, strict=True) if s > 0),
            slots=_slots(changes.values(), start) if self._has_events else (),
            parameters={self._selection(k): _of_patients(v, job.n) for k, v in job.parameters.items()},
            initial={k: _of_patients(v, job.n) for k, v in initial.items()},
        )

    def _patient(self, runner: Any, batch: _Batch) -> AnyPatient:
        """What integrates the patients of a batch, one after the other."""
        unbroken = self._has_events and bool(batch.slots or self._needs_its_past or batch.infused)
        defaults = {self._selection(k): v for k, v in self.parameters.items()}
        kind = EventfulPatient if unbroken else PlainPatient
        patient = kind(runner, self.states, defaults, batch.job, batch.outputs, batch.watched)
        patient.slots = batch.slots
        patient.fires_at_start = any(not event.initial_value for event in self._system.events)
        patient.variables = self._variables[id(runner)]
        patient.touched = self._touched.get(id(runner), set())
        return patient

    def _integrate(
        self,
        patient: AnyPatient,
        batch: _Batch,
        inputs: PatientInputs,
        values: FloatArray,
        final: FloatArray,
    ) -> tuple[int, float]:
        """Integrate one patient; fills `values` (t, k) and `final`; returns status and end time.

        Raises
        ------
        RuntimeError, FloatingPointError
            Where libroadrunner fails, an output is not finite, or shorter steps give another course.
        """
        job = batch.job
        patient.runner.getIntegrator().maximum_time_step = 0.0
        status, end = patient.integrate(inputs, values, final)
        if self._watches_states or (self._has_events and (batch.infused or job.stop is not None)):
            _check_course(patient, replace(inputs, stop=None, until=end), values, final)
        if job.stop is not None and status == OK:
            _check_stop(patient, inputs, final)
        return status, end


@dataclass(frozen=True, eq=False, kw_only=True)
class _Batch:
    """A job as libroadrunner takes it.

    Attributes
    ----------
    job : the job, checked.
    outputs, watched : what libroadrunner calls the outputs, and the quantity of the stop.
    doses : changes of states by the doses of each patient.
    moments : of each patient, times at which an input jumps or turns.
    infused : states that any patient gets an infusion into.
    slots : state and kind of each dose that is an event of the model.
    parameters, initial : values (n,) by the names that libroadrunner has for them.
    """

    job: Job
    outputs: tuple[str, ...]
    watched: str | None
    doses: tuple[Sequence[StateChange], ...]
    moments: tuple[FloatArray, ...]
    infused: frozenset[str]
    slots: tuple[tuple[str, str], ...]
    parameters: Mapping[str, FloatArray]
    initial: Mapping[str, FloatArray]

    def inputs(self, i: int) -> PatientInputs:
        """What patient `i` is integrated with."""
        job, last = self.job, float(self.job.times[-1])
        return PatientInputs(
            parameters={k: float(v[i]) for k, v in self.parameters.items()},
            initial={k: float(v[i]) for k, v in self.initial.items()},
            changes=(*self.doses[i], *(StateChange(float(t), "", "turn", 0.0) for t in self.moments[i])),
            stop=None if job.stop is None else float(job.stop.value[i]),
            until=last if job.until is None else min(float(job.until[i]), last),
        )


def _short_steps(patient: AnyPatient) -> None:
    times = patient.times
    patient.runner.getIntegrator().maximum_time_step = _SHORT_STEP * float(times[-1] - times[0])


def _check_course(patient: AnyPatient, inputs: PatientInputs, values: FloatArray, final: FloatArray) -> None:
    """Integrate again with short steps, to the end that was reached, so that a stop is not looked for again."""
    _short_steps(patient)
    again = np.full_like(values, np.nan)
    patient.integrate(inputs, again, np.full_like(final, np.nan))
    if _differ(values, again):
        raise FloatingPointError(_OTHER_COURSE)


def _check_stop(patient: AnyPatient, inputs: PatientInputs, final: FloatArray) -> None:
    """Look for a peak beyond the stop that is shorter than a step."""
    _short_steps(patient)
    job = patient.job
    times = np.union1d(job.times, np.linspace(float(job.times[0]), float(job.times[-1]), 1001))
    fine = replace(job, times=times)
    second = type(patient)(patient.runner, patient.states, patient.defaults, fine, patient.outputs, patient.watched)
    second.take_over(patient)
    values = np.full((len(times), len(patient.outputs)), np.nan)
    status, _ = second.integrate(inputs, values, np.full_like(final, np.nan))
    if status != OK:
        raise FloatingPointError(_OTHER_COURSE)


def _of_patients(value: Any, n: int) -> FloatArray:
    """A value for each patient, (n,)."""
    return np.broadcast_to(np.asarray(value, dtype=float), (n,))


def _watches(system: System, trigger: Expr) -> bool:
    """Whether a trigger follows what is integrated."""
    inlined: dict[str, Expr] = {}
    for item in system.assignments:
        (inlined[item.name],) = substitute([item.expression], inlined)
    moving = {s.name for s in system.states if not s.rate.is_num(0.0)}
    return bool(free_symbols(*substitute([trigger], inlined)) & moving)


def _written(system: System, roots: Sequence[Expr]) -> list[Expr]:
    """Expressions with assignment rules written out."""
    inlined: dict[str, Expr] = {}
    for item in system.assignments:
        (inlined[item.name],) = substitute([item.expression], inlined)
    return substitute(roots, inlined)


def _differ(values: FloatArray, again: FloatArray) -> bool:
    """Whether two courses of one patient are not the same, whatever their errors."""
    both = np.isfinite(values) & np.isfinite(again)
    size = np.max(np.where(both, np.abs(values), 0.0), axis=0, initial=0.0)
    with np.errstate(invalid="ignore"):
        rows = np.any(both & (np.abs(values - again) > _SAME * size), axis=1)
    return bool(np.count_nonzero(rows) > 1 or rows[-1])  # one row alone is an event at an output time


def _refuse(model: Any, system: System) -> None:
    """Refuse what libroadrunner would integrate otherwise than it is meant."""
    problem = None
    if system.delays:
        problem = "the symbol 'delay'"
    elif any(rule.isAlgebraic() for rule in model.getListOfRules()):
        problem = "algebraic rules"
    elif system.equilibria:
        problem = "fast reactions"
    if problem:
        raise EngineError(f"libroadrunner does not integrate {problem}", hint="Use the engine 'native' or 'reference'.")


def _clock(system: System, roots: Sequence[Expr], *, linear: bool) -> TimeFeatures:
    """What jumps or turns with time alone in some expressions; `linear`: steady conditions included."""
    everything = [*roots, *(a.expression for a in system.assignments)]
    if not any(node.op == "time" for node in postorder(everything)):
        return TimeFeatures()
    now, inlined = sym(CLOCK), dict[str, Expr]()
    for item in system.assignments:
        (inlined[item.name],) = substitute([item.expression], inlined, time=now)
    moving = {s.name for s in system.states if not s.rate.is_num(0.0)}
    still = {s.name for s in system.states} - moving
    written = substitute(roots, inlined, time=now)
    return time_features(written, moving, still, substituted_constants(system), linear=linear)[0]


def _slots(tables: Iterable[Sequence[StateChange]], start: float) -> tuple[tuple[str, str], ...]:
    """State and kind of the doses that become events: as many of each as any patient needs."""
    most: Counter[tuple[str, str]] = Counter()
    for table in tables:
        most |= Counter((change.target, change.kind) for change in table if change.time > start)
    return tuple(sorted(most.elements()))


def _quick_load(roadrunner: Any) -> Any:
    """Options with which libroadrunner loads a model in a third of the time and integrates it as fast.

    Its newer compiler without optimisation. libroadrunner writes every assignment rule out wherever it is used, so that
    rules nested many deep still take minutes.
    """
    options = roadrunner.LoadSBMLOptions()
    options.modelGeneratorOpt = (options.modelGeneratorOpt & ~options.MCJIT) | options.LLJIT | options.NONE
    return options


def _set_tolerances(runner: Any, job: Job, states: tuple[str, ...]) -> None:
    integrator = runner.getIntegrator()
    integrator.relative_tolerance = job.rtol
    integrator.maximum_num_steps = job.max_steps
    if job.atol is None:  # libroadrunner multiplies a plain number by the size of each state
        integrator.absolute_tolerance = TOLERANCE_SHARE * job.rtol
    elif isinstance(job.atol, Mapping):
        integrator.absolute_tolerance = TOLERANCE_SHARE * job.rtol
        floating = set(runner.model.getFloatingSpeciesIds())
        for name, value in job.atol.items():
            if name in floating:
                integrator.setIndividualTolerance(name, float(value))
    else:
        integrator.absolute_tolerance = float(job.atol)
