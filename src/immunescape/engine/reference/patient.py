"""Integration of one patient by the reference engine."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from immunescape.engine.api import FAILED, OK, STOPPED
from immunescape.engine.ir.python_functions import Function
from immunescape.engine.jobs import TOLERANCE_SHARE
from immunescape.engine.reference.events import EventQueue, EventTable
from immunescape.engine.reference.history import Constants, History, Kinks
from immunescape.engine.reference.integration import IntegrationSegment
from immunescape.engine.reference.problem import Problem
from immunescape.errors import EngineError

__all__ = ["Patient", "PatientJob"]

FloatArray = NDArray[np.float64]
_SAMPLES = (0.2, 0.4, 0.6, 0.8, 1.0)
_NEWTON_STEPS = 50
_INPUTS_AHEAD = 16


@dataclass(frozen=True, kw_only=True)
class PatientJob:
    """What is done with one patient: see `Job`.

    `width` is the number of outputs.
    Doses are columns start, state, amount, duration; `moments` are times to stop at because an input jumps or turns.
    """

    times: FloatArray
    end: float
    doses: tuple[FloatArray, ...]
    moments: FloatArray
    rtol: float
    atol: FloatArray
    max_steps: int
    output: Function
    width: int
    watch: Function | None
    threshold: float
    rising: bool


class _Failure(Exception):
    """Integration cannot go on."""


class Patient:
    """One patient on its way; `run` integrates to the end.

    Attributes
    ----------
    t : time reached. x : states and algebraic variables there. values : (t, k) outputs. steps : integrator steps.
    message : why it failed.
    """

    def __init__(
        self, problem: Problem, events: EventTable, plan: PatientJob, constants: FloatArray, start: FloatArray
    ) -> None:
        self.problem, self.plan = problem, plan
        self.p = Constants(constants.tolist())
        self.p.past = self._past
        self.history = History(start)
        self.kinks = Kinks(float(plan.times[0]))
        self.t = float(plan.times[0])
        self.x = start
        guess = problem.function([a.expression for a in problem.system.algebraic])(plan.times[0], [], self.p)
        self.x = np.concatenate([start, guess])
        self.queue = EventQueue(events, plan.end - float(plan.times[0]))
        self.values = np.full((len(plan.times), plan.width), np.nan)
        self.written = 0
        self.steps = 0
        self.message = ""
        self.infusion = np.zeros(problem.n)
        self.top = np.abs(self.x[: problem.n])
        self._infusing = False
        self._stiff = False
        self._schedule()

    def _schedule(self) -> None:
        """Moments at which doses change something: time -> [(kind, state, amount)]."""
        self.agenda: dict[float, list[tuple[bool, int, float]]] = {}
        for start, state, amount, duration in zip(*self.plan.doses, strict=True):
            if duration > 0:
                rate = amount / duration
                self.agenda.setdefault(float(start), []).append((True, int(state), float(rate)))
                self.agenda.setdefault(float(start + duration), []).append((True, int(state), -float(rate)))
            else:
                self.agenda.setdefault(float(start), []).append((False, int(state), float(amount)))
        self.moments = sorted(self.agenda)

    # ---- integration -----------------------------------------------------------------------------------------------

    def run(self) -> int:
        """Integrate to the end, the stop or a failure; returns the status."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return self._run()
        except (_Failure, EngineError) as failure:
            self.message = f"at time {self.t:g}: {failure}"
            return FAILED

    def _run(self) -> int:
        plan = self.plan
        self._dose()  # doses at the start belong to the state there
        self._settle()
        self.queue.update(self.t, self.x, self.p)
        while True:
            lags = self._lags()
            if lags:
                self.kinks.arrive(self.t, lags)
            if self._act():
                self._write(self.t, inclusive=True)
                return STOPPED
            self._write(self.t, inclusive=True)
            if self.t >= plan.end:
                return OK
            past = self.kinks.next(self.t, self._lags()) if lags else np.inf
            goal = min(plan.end, self.queue.next_time, self._next_moment(), self._next_break(), past)
            if goal <= self.t:
                raise _Failure("time does not advance")
            self._advance(goal)

    def _act(self) -> bool:
        """Do everything that happens at this moment. Whether the stop condition holds."""
        for _ in range(10_000):
            changed = self._dose()
            self.queue.update(self.t, self.x, self.p)
            changed = self.queue.execute(self.t, self.x, self.p) or changed
            if changed:
                self.kinks.jump(self.t)
                self._settle()
                self.queue.update(self.t, self.x, self.p)
            if not changed and self.queue.next_time > self.t:
                return self._stopping(self.t, self.x)
        raise _Failure("events keep firing each other")

    def _dose(self) -> bool:
        changed = False
        while self.moments and self.moments[0] <= self.t:
            for lasting, state, amount in self.agenda[self.moments.pop(0)]:
                if lasting:
                    self.infusion[state] += amount
                else:
                    self.x[state] += amount
                changed = True
        ahead = [a for m in self.moments for a in self.agenda[m] if a[0]]
        if not ahead:
            self.infusion[:] = 0.0
        self._infusing = bool(np.any(self.infusion != 0.0))
        return changed

    def _past(self, k: int, t: float, x: Sequence[float]) -> float:
        """Value of a delayed expression."""
        (lag,) = self.problem.lags[k](t, x, self.p)
        if not lag >= 0.0:
            raise _Failure(f"a delay of {lag:g}; the future is not known")
        if lag == 0.0:
            return self.problem.delayed[k](t, x, self.p)[0]
        then = t - lag
        try:
            if then < float(self.plan.times[0]):
                state, constants = self._before_start(then)
                return self.problem.delayed_before[k](then, self._complete(then, state).tolist(), constants)[0]
            state = self.history.at(then)
            return self.problem.delayed[k](then, self._complete(then, state).tolist(), self.p)[0]
        except RecursionError:
            raise _Failure("a delayed value that is given by itself, without a beginning") from None

    def _before_start(self, then: float) -> tuple[FloatArray, Constants]:
        """States and constants before the start: as they were there, unless a formula of time gives them.

        What a job overrides has no formula: its value at the start is then another than the formula's.
        """
        problem, begin = self.problem, float(self.plan.times[0])
        first = len(self.p) - len(problem.system.constants)
        constants = Constants(self.p)
        constants.past = self._past
        for i, (now, value) in enumerate(
            zip(problem.start_constants(begin, [], self.p), problem.start_constants(then, [], self.p), strict=True)
        ):
            if now == self.p[first + i]:
                constants[first + i] = value
        state = self.history.at(-np.inf).copy()
        at_start = np.array(problem.starts(begin, [], self.p))
        formula = at_start == state
        state[formula] = np.array(problem.starts(then, [], constants))[formula]
        return state, constants

    def _lags(self) -> list[float]:
        """How long ago the values are that rates and triggers need."""
        if not self.problem.remembers:
            return []
        now = self.x.tolist()
        return [lag for (lag,) in (f(self.t, now, self.p) for f in self.problem.lags) if lag > 0.0]

    def _next_moment(self) -> float:
        return self.moments[0] if self.moments else np.inf

    def _next_break(self) -> float:
        """Next time at which a switch that depends on time alone jumps; just after now for a strict comparison."""
        x, problem = self.x.tolist(), self.problem
        times = problem.breaks(self.t, x, self.p)
        ahead = float(np.nextafter(self.t, np.inf))
        if any(t == self.t for t in times) and problem.timed(ahead, x, self.p) != problem.timed(self.t, x, self.p):
            return ahead
        turn = int(np.searchsorted(self.plan.moments, self.t, side="right"))
        ahead = float(self.plan.moments[turn]) if turn < len(self.plan.moments) else np.inf
        return min((t for t in (*times, ahead) if t > self.t), default=np.inf)

    def _stopping(self, t: float, x: FloatArray) -> bool:
        if self.plan.watch is None:
            return False
        (value,) = self.plan.watch(t, x.tolist(), self.p)
        return value >= self.plan.threshold if self.plan.rising else value <= self.plan.threshold

    def _pattern(self, t: float, x: Any) -> tuple[float | bool, ...]:
        """Values that jump where integration has to stop."""
        x = x if isinstance(x, list) else x.tolist()
        pattern = self.problem.switches(t, x, self.p)
        return (*pattern, self._stopping(t, np.asarray(x))) if self.plan.watch is not None else pattern

    def _write(self, upto: float, *, inclusive: bool, dense: Any = None) -> None:
        """Write the outputs that are due."""
        times = self.plan.times
        while self.written < len(times):
            t = float(times[self.written])
            if t > upto or t > self.plan.end or (t == upto and not inclusive):
                return
            x = self.x if dense is None else self._complete(t, dense(t))
            self.values[self.written] = self.plan.output(t, x.tolist(), self.p)
            self.written += 1

    # ---- integration ----------------------------------------------------------------------------------------------

    def _advance(self, goal: float) -> None:
        """Integrate until `goal`, or until a switch jumps; `t` and `x` are then there."""
        if (self.problem.static and not self._infusing) or goal - self.t <= self._blink():
            self._leap(goal)
            return
        pattern = self._pattern(self.t, self.x)
        segment = self._segment(goal)
        while True:
            before = segment.t
            failure = segment.step()
            self.steps += 1
            self._stiff = segment.stiff
            if failure is not None:
                raise _Failure(failure)
            if self.steps > self.plan.max_steps:
                raise _Failure(f"more than {self.plan.max_steps} steps")
            dense = segment.dense()
            jump = self._first_jump(dense, before, segment.t, pattern) if pattern else None
            if jump is not None:
                self._arrive(jump, dense(jump), dense)
                return
            if segment.t >= goal:
                self._arrive(goal, segment.y, dense)
                return
            self._arrive(segment.t, segment.y, dense)
            self._write(segment.t, inclusive=True)
            segment.renew()

    def _leap(self, goal: float) -> None:
        """Go on while nothing moves but time."""
        y = self.x[: self.problem.n].copy()
        pattern = self._pattern(self.t, self.x)
        while pattern and self.t < goal:
            ahead = min(goal, max(self.t + self._longest(), np.nextafter(self.t, np.inf)))
            jump = self._first_jump(lambda t: y, self.t, ahead, pattern)
            self._arrive(jump if jump is not None else ahead, y, lambda t: y)
            if jump is not None:
                return
            self._write(self.t, inclusive=self.t < goal)
        self._arrive(goal, y, lambda t: y)

    def _arrive(self, t: float, y: FloatArray, dense: Any) -> None:
        """Move to a time, writing the outputs before it."""
        if self.problem.delayed:
            self.history.add(self.t, float(t), dense)
        self._write(t, inclusive=False, dense=dense)
        self.x = self._complete(t, y)
        self.t = float(t)
        self.top = np.fmax(self.top, np.abs(self.x[: self.problem.n]))

    def _blink(self) -> float:
        """A stretch of time too short for anything to move."""
        span = self.plan.end - float(self.plan.times[0])
        return max(2.0 * float(np.spacing(self.t)), 1e-15 * span)

    def _longest(self) -> float:
        """Longest step where something may jump inside it."""
        times = self.plan.times
        spacing = float(np.max(np.diff(times))) if len(times) > 1 else 1.0
        return min(spacing, (self.plan.end - float(times[0])) / 20)

    def _segment(self, goal: float) -> IntegrationSegment:
        problem, n = self.problem, self.problem.n
        infusion = self.infusion.copy() if self._infusing else None

        def rates(t: float, y: FloatArray) -> FloatArray:
            out = np.array(problem.rates(t, self._complete(t, y).tolist(), self.p))
            return out if infusion is None else out + infusion

        def jacobian(t: float, y: FloatArray) -> FloatArray:
            assert problem.jacobian is not None
            slopes = np.array(problem.jacobian(t, y.tolist(), self.p)).reshape(n, n)
            slopes[np.isinf(slopes)] = 0.0  # of sqrt(x) at zero; the iteration then takes a shorter step
            return slopes

        wrong = ~np.isfinite(rates(self.t, self.x[:n]))
        if np.any(wrong):
            names = np.array(problem.system.state_names)[wrong]
            raise _Failure(f"the rate of {', '.join(names[:5])} is not finite")
        self.top = np.fmax(self.top, np.abs(self.x[:n]))
        watched = problem.sampled or self.plan.watch is not None
        longest = max(self._longest(), 4 * float(np.spacing(goal))) if watched else np.inf
        lags = self._lags()
        if lags:  # no step may need what lies within it
            longest = min(longest, max(min(lags), 4 * float(np.spacing(goal))))
        return IntegrationSegment(
            rates,
            jacobian if problem.jacobian is not None else None,
            self.t,
            self.x[:n].copy(),
            goal,
            rtol=self.plan.rtol,
            atol=self._tolerances(rates, jacobian if problem.jacobian is not None else None),
            max_step=longest,
            stiff=self._stiff,
        )

    def _tolerances(self, rates: Any, jacobian: Any) -> FloatArray:
        """Absolute tolerance of each state: the job's, else a share of the largest size that it has had so far.

        States that are zero and never were anything else take the size that a few linearised implicit Euler steps
        foresee, each far longer than the one before; a thousandth of it, since it may be too large.
        """
        n, relative = self.problem.n, np.isnan(self.plan.atol)
        size = self.top[:n].copy()
        empty = relative & (size == 0.0)
        if np.any(empty) and jacobian is not None:
            y, span = self.x[:n].copy(), self.plan.end - self.t
            for share in (1e-9, 1e-6, 1e-4, 1e-2, 1.0):
                with np.errstate(all="ignore"):
                    try:
                        then = self.t + share * span
                        matrix = np.eye(n) / (share * span) - jacobian(then, y)
                        step = np.linalg.solve(matrix, rates(then, y))
                    except np.linalg.LinAlgError:
                        continue
                if np.all(np.isfinite(step)):
                    y = y + step
                    size[empty] = np.maximum(size[empty], 1e-3 * np.abs(y[empty]))
            ahead = self.plan.moments[self.plan.moments > self.t][:_INPUTS_AHEAD]
            for then in ahead:  # what an input that is still silent will bring
                rate = np.abs(rates(float(then), self.x[:n]))
                size[empty] = np.fmax(size[empty], 1e-3 * span * np.where(np.isfinite(rate), rate, 0.0)[empty])
        least = np.where(size > 0, size, np.max(size, initial=0.0) * 1e-12)
        return np.where(relative, np.maximum(TOLERANCE_SHARE * self.plan.rtol * least, 1e-250), self.plan.atol)

    def _first_jump(self, dense: Any, a: float, b: float, pattern: tuple[float | bool, ...]) -> float | None:
        """First time in (a, b] at which the pattern differs; None where it does not."""
        for fraction in _SAMPLES:
            t = b if fraction == 1.0 else a + fraction * (b - a)
            if self._pattern(t, self._complete(t, dense(t))) == pattern:
                continue
            low, high = a, t
            while True:
                middle = 0.5 * (low + high)
                if not low < middle < high:
                    return high
                if self._pattern(middle, self._complete(middle, dense(middle))) == pattern:
                    low = middle
                else:
                    high = middle
        return None

    # ---- constraints ----------------------------------------------------------------------------------------------

    def _complete(self, t: float, y: FloatArray) -> FloatArray:
        """States with their algebraic variables, solved by Newton's method from the last ones."""
        m = len(self.problem.system.algebraic)
        if m == 0:
            return y
        x = np.concatenate([y, self.x[self.problem.n :]])
        for _ in range(_NEWTON_STEPS):
            values = x.tolist()
            residual = np.array(self.problem.residuals(t, values, self.p))
            slopes = np.array(self.problem.slopes(t, values, self.p)).reshape(m, m)
            step = self._newton(slopes, residual)
            x[self.problem.n :] -= step
            if np.all(np.abs(step) <= 1e-12 * (1.0 + np.abs(x[self.problem.n :]))):
                return x
        raise _Failure("the algebraic equations have no solution near the last one")

    def _settle(self) -> None:
        """Meet all constraints after a jump."""
        n = self.problem.n
        if self.problem.system.equilibria:
            self._equilibrate()
        self.x = self._complete(self.t, self.x[:n])

    def _equilibrate(self) -> None:
        """Let the fast reactions run, everything else standing still, until they are at rest."""
        problem, n = self.problem, self.problem.n
        m = len(problem.system.equilibria)
        moves = np.array(problem.directions(self.t, self.x.tolist(), self.p)).reshape(m, n)

        def flow(_: float, y: FloatArray) -> FloatArray:
            values: FloatArray = np.array(problem.imbalance(self.t, y.tolist(), self.p)) @ moves
            return values

        span = 1.0
        for _ in range(40):
            solution = solve_ivp(flow, (0.0, span), self.x[:n], method="LSODA", rtol=1e-11, atol=1e-14)
            if not solution.success or not np.all(np.isfinite(solution.y)):
                break
            change = np.abs(solution.y[:, -1] - self.x[:n])
            self.x[:n] = solution.y[:, -1]
            if np.all(change <= 1e-13 * (1.0 + np.abs(self.x[:n]))) and (span > 1e3 or not np.any(flow(0.0, self.x))):
                return
            span *= 4.0
        raise _Failure("the fast reactions reach no equilibrium")

    @staticmethod
    def _newton(slopes: FloatArray, residual: FloatArray) -> FloatArray:
        try:
            step = np.asarray(np.linalg.solve(slopes, residual), dtype=np.float64)
        except np.linalg.LinAlgError:
            raise _Failure("a constraint does not determine its variables") from None
        if not np.all(np.isfinite(step)):
            raise _Failure("a constraint cannot be met")
        return step
