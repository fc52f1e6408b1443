"""libroadrunner (CVODE) behind the engine interface: the oracle. It comes with the extra ``oracle``.

Each patient is integrated on its own, piece by piece between doses. An infusion is an extra zero-order input that is
added to the SBML model for every state that is infused.
"""

from __future__ import annotations

import itertools
import os
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunescape.engine.api import FAILED, OK, STOPPED, Doses, Job, Result
from immunescape.engine.jobs import TOLERANCE_SHARE, check_job, dose_tables
from immunescape.errors import EngineError, unknown_word

__all__ = ["RoadRunnerEngine"]

_INFUSION = "infusion_into_"
_MANY = 300_000  # parts of rate laws from which on loading takes minutes
_REFINEMENTS = 4  # each narrows a stop's bracket 64-fold


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
        self._sbml = sbml
        self._loaded: dict[frozenset[str], Any] = {}
        self._touched: dict[frozenset[str], set[str]] = {}
        model = _document(sbml).getModel()
        assigned = [r.getVariable() for r in model.getListOfRules() if r.isAssignment()]
        rated = [r.getVariable() for r in model.getListOfRules() if r.isRate()]
        species = [s.getId() for s in model.getListOfSpecies() if not s.getConstant() and s.getId() not in assigned]
        self.states: tuple[str, ...] = (*species, *[r for r in rated if r not in species])
        self.quantities: tuple[str, ...] = tuple(assigned)
        self.written_out = _written_out(model)
        if self.written_out > _MANY:
            warnings.warn(
                "libroadrunner writes rules out wherever they are used: "
                f"{self.written_out:,} operations for this model, and minutes to load it",
                stacklevel=3,
            )
        runner = self._runner(frozenset())
        self.parameters: Mapping[str, float] = {
            p.getId(): float(runner[p.getId()])
            for p in model.getListOfParameters()
            if p.getId() not in assigned and p.getId() not in rated
        }

    def _runner(self, infused: frozenset[str]) -> Any:
        if infused not in self._loaded:
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
            text = _with_infusions(self._sbml, sorted(infused)) if infused else self._sbml
            try:
                self._loaded[infused] = roadrunner.RoadRunner(text, _quick_load(roadrunner))
            except RuntimeError as error:
                raise EngineError(f"libroadrunner cannot load this model: {error}") from error
        return self._loaded[infused]

    def _known(self, kind: str, names: Mapping[str, object] | tuple[str, ...], known: set[str]) -> None:
        for name in names:
            if name not in known:
                raise unknown_word(kind, name, known, error=EngineError)

    def run(self, job: Job, *, progress: Callable[[int], None] | None = None) -> Result:
        """Integrate a batch, one patient after the other."""
        job = check_job(job, self.states)
        times = job.times
        known = {*self.states, *self.quantities, *self.parameters}
        self._known("output", job.outputs, known)
        self._known("parameter", tuple(job.parameters), set(self.parameters))
        self._known("state", tuple(job.initial), set(self.states))
        dose_list = dose_tables(job)
        for doses in {id(d): d for d in dose_list}.values():
            self._known("dosed state", doses.target, set(self.states))
        infused = frozenset(t for d in dose_list for t, length in zip(d.target, d.duration, strict=True) if length > 0)
        runner = self._runner(infused)
        parameters = {k: np.broadcast_to(np.asarray(v, dtype=float), (job.n,)) for k, v in job.parameters.items()}
        initial = {k: np.broadcast_to(np.asarray(v, dtype=float), (job.n,)) for k, v in job.initial.items()}
        values = np.full((job.n, len(times), len(job.outputs)), np.nan)
        final = np.full((job.n, len(self.states)), np.nan)
        status = np.zeros(job.n, dtype=np.int8)
        end_time = np.full(job.n, times[-1])
        messages: dict[int, str] = {}
        _set_tolerances(runner, job, self.states)
        one = _Patient(runner, self.states, self.parameters, job, times)
        one.touched = self._touched.get(infused, set())
        for i in range(job.n):
            try:
                status[i], end_time[i] = one.integrate(
                    {k: v[i] for k, v in parameters.items()},
                    {k: v[i] for k, v in initial.items()},
                    dose_list[i],
                    None if job.stop is None else float(job.stop.value[i]),
                    times[-1] if job.until is None else min(float(job.until[i]), times[-1]),
                    values[i],
                    final[i],
                )
            except (RuntimeError, FloatingPointError) as error:
                status[i] = FAILED
                end_time[i] = one.reached
                messages[i] = " ".join(str(error).split())[:300]
            if progress is not None:
                progress(1)
        self._touched[infused] = one.touched
        return Result(
            times, job.outputs, values, self.states, final, status, end_time, np.zeros(job.n, dtype=np.int64), messages
        )


def _quick_load(roadrunner: Any) -> Any:
    """Options with which libroadrunner loads a model in a third of the time and integrates it as fast.

    Its newer compiler without optimisation. libroadrunner writes every assignment rule out wherever it is used, so that
    rules nested many deep still take minutes.
    """
    options = roadrunner.LoadSBMLOptions()
    options.modelGeneratorOpt = (options.modelGeneratorOpt & ~options.MCJIT) | options.LLJIT | options.NONE
    return options


class _Patient:
    """Integrates one patient after the other on one loaded model."""

    def __init__(
        self, runner: Any, states: tuple[str, ...], defaults: Mapping[str, float], job: Job, times: NDArray[np.float64]
    ) -> None:
        self.runner, self.states, self.defaults, self.job, self.times = runner, states, defaults, job, times
        self.columns = [*job.outputs, *([job.stop.quantity] if job.stop else []), *(states if job.stop else ())]
        self.reached = float(times[0])
        self.touched: set[str] = set()

    def integrate(
        self,
        parameters: Mapping[str, float],
        initial: Mapping[str, float],
        doses: Doses,
        stop: float | None,
        until: float,
        values: NDArray[np.float64],
        final: NDArray[np.float64],
    ) -> tuple[int, float]:
        runner, job, times = self.runner, self.job, self.times
        start = float(times[0])
        self.reached = start
        for name in self.touched - set(parameters):
            runner[name] = self.defaults[name]
        self.touched = set(parameters)
        for name, value in parameters.items():
            runner[name] = float(value)
        runner.reset()
        for name, value in parameters.items():
            runner[name] = float(value)
        for name, value in initial.items():
            runner[name] = float(value)
        runner.timeCourseSelections = ["time", *self.columns]
        changes = _changes(doses, start)
        for target in {t for _, t, kind, _ in changes if kind == "rate"}:
            runner[_INFUSION + target] = 0.0
        edges = sorted({start, until, *[t for t, *_ in changes if start < t < until]})
        width = len(job.outputs)
        for time, target, kind, amount in changes:
            if time == start:
                _apply(runner, target, kind, amount)
        for a, b in itertools.pairwise(edges):
            inside = times[(times > a) & (times < b)]
            grid = np.concatenate([[a], inside, [b]])
            rows = np.asarray(runner.simulate(times=grid.tolist()))[:, 1:]
            if not np.all(np.isfinite(rows[:, : max(width, 1)])):
                raise FloatingPointError(f"not a finite number between time {a:g} and {b:g}")
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
            for time, target, kind, amount in changes:
                if time == b and b <= until:
                    _apply(runner, target, kind, amount)
            column = int(np.searchsorted(times, b))
            if column < len(times) and times[column] == b:
                values[column] = [runner[name] for name in job.outputs]
        final[:] = [runner[name] for name in self.states]
        return OK, until

    def _refine(
        self, grid: NDArray[np.float64], rows: NDArray[np.float64], hit: int, stop: float, final: NDArray[np.float64]
    ) -> float:
        """Narrow the bracket ``grid[hit-1], grid[hit]`` of the stop; leaves the model and `final` at the stop."""
        assert self.job.stop is not None
        width, rising = len(self.job.outputs), self.job.stop.rising
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
                high, after = low, sub[0]
                final[:] = after[state]
                return low
            low, high, before, after = float(fine[k - 1]), float(fine[k]), sub[k - 1], sub[k]
        share = (stop - before[width]) / (after[width] - before[width]) if after[width] != before[width] else 1.0
        share = float(np.clip(share, 0.0, 1.0))
        final[:] = before[state] + share * (after[state] - before[state])
        return low + share * (high - low)


def _changes(doses: Doses, start: float) -> list[tuple[float, str, str, float]]:
    """Turn doses into changes at times: a bolus ``amount``, or an infusion's start and end as ``rate``.

    What is over at the start is left out; an infusion that runs then begins there, at its own rate.
    """
    changes: list[tuple[float, str, str, float]] = []
    for time, target, amount, length in zip(doses.time, doses.target, doses.amount, doses.duration, strict=True):
        if (time + length <= start) if length > 0 else (time < start):
            continue
        if length > 0:
            changes.append((float(max(time, start)), target, "rate", float(amount / length)))
            changes.append((float(time + length), target, "rate", -float(amount / length)))
        else:
            changes.append((float(time), target, "amount", float(amount)))
    return sorted(changes)


def _apply(runner: Any, target: str, kind: str, amount: float) -> None:
    name = _INFUSION + target if kind == "rate" else target
    value = float(runner[name]) + amount
    if kind == "rate" and abs(value) < 1e-9 * abs(amount):
        value = 0.0
    runner[name] = value


def _first_crossing(x: NDArray[np.float64], value: float, rising: bool) -> int | None:
    beyond = np.flatnonzero(x >= value if rising else x <= value)
    return int(beyond[0]) if len(beyond) else None


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


def _document(sbml: str) -> Any:
    import libsbml

    document = libsbml.readSBMLFromString(sbml)
    if document.getModel() is None or document.getNumErrors(libsbml.LIBSBML_SEV_ERROR) > 0:
        reason = document.getError(0).getMessage().strip() if document.getNumErrors() else "no model found"
        raise EngineError(f"not a readable SBML document: {' '.join(reason.split())[:300]}")
    return document


def _written_out(model: Any) -> int:
    """Parts of all rate laws and rate rules, each assignment rule written out at each use."""
    import libsbml

    rules = {r.getVariable(): r.getMath() for r in model.getListOfRules() if r.isAssignment() and r.isSetMath()}
    known: dict[str, int] = {}

    def size(node: Any, inside: frozenset[str]) -> int:
        name = str(node.getName()) if node.getType() == libsbml.AST_NAME else ""
        if name in rules and name not in inside:
            if name not in known:
                known[name] = size(rules[name], inside | {name})
            return known[name]
        return 1 + sum(size(node.getChild(i), inside) for i in range(node.getNumChildren()))

    laws = [r.getKineticLaw() for r in model.getListOfReactions()]
    roots = [law.getMath() for law in laws if law is not None and law.isSetMath()]
    roots += [r.getMath() for r in model.getListOfRules() if r.isRate() and r.isSetMath()]
    return sum(size(root, frozenset()) for root in roots)


def _with_infusions(sbml: str, targets: list[str]) -> str:
    """Add a zero-order input of adjustable rate to each target state."""
    import libsbml

    document = _document(sbml)
    model = document.getModel()
    for target in targets:
        rate = model.createParameter()
        rate.setId(_INFUSION + target)
        rate.setConstant(False)
        rate.setValue(0.0)
        species = model.getSpecies(target)
        if species is None:
            rule = model.getRateRule(target)
            rule.setMath(libsbml.parseL3Formula(f"({libsbml.formulaToL3String(rule.getMath())}) + {rate.getId()}"))
            continue
        factor = species.getConversionFactor() or model.getConversionFactor()
        reaction = model.createReaction()
        reaction.setId("input_" + rate.getId())
        reaction.setReversible(False)
        if document.getLevel() == 3 and document.getVersion() == 1:
            reaction.setFast(False)
        product = reaction.createProduct()
        product.setSpecies(target)
        product.setStoichiometry(1.0)
        product.setConstant(True)
        law = reaction.createKineticLaw()
        law.setMath(libsbml.parseL3Formula(f"{rate.getId()} / {factor}" if factor else rate.getId()))
    return str(libsbml.writeSBMLToString(document))
