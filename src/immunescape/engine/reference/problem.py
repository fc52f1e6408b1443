"""Everything about a system that the reference engine evaluates, as Python functions of time, states and constants."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from immunescape.engine.ir import expressions as ir
from immunescape.engine.ir.calculus import derivatives, free_symbols, substitute
from immunescape.engine.ir.expressions import COMPARISONS, TIME, ZERO, Expr, postorder, sym
from immunescape.engine.ir.python_functions import Function, make_function
from immunescape.engine.ir.system import System
from immunescape.engine.ir.time_features import CLOCK, TimeFeatures, is_linear, time_features
from immunescape.engine.reference.history import Constants
from immunescape.errors import EngineError

__all__ = ["Problem"]

FloatArray = NDArray[np.float64]


class Problem:
    """A system with its assignments written out; `infused` names states that a job infuses into.

    The vector ``x`` holds the states and then the algebraic variables; ``p`` the constants.

    Attributes
    ----------
    rates : time derivatives of the states. jacobian : their partial derivatives, row by row (None with algebraic
        variables). triggers : of all events. switches : values that jump where a formula changes branch or a trigger
        may change; timed : those that depend on time alone, breaks : the times at which they do. sampled : whether
        there are any of the first kind. static : whether no state moves by itself.
    clock : what jumps or turns with time alone otherwise. delayed, lags : values in the past and how long ago.
    remembers : whether rates or triggers contain any. delayed_before : the same values for times before the start.
    starts, start_constants : start values of states and derived constants as functions of time.
    """

    def __init__(self, system: System, infused: frozenset[str] = frozenset()) -> None:
        self.system = system
        self._still = {s.name for s in system.states if s.rate.is_num(0.0)} - infused
        self.n = len(system.states)
        order = [*system.state_names, *(a.name for a in system.algebraic)]
        self.names = {name: ("x", i) for i, name in enumerate(order)}
        self.names |= {
            name: ("p", i) for i, name in enumerate((*system.constant_names, *(d.name for d in system.delays)))
        }
        self._inlined: dict[str, Expr] = {}
        for item in system.assignments:
            self._inlined[item.name] = self._write_out([item.expression])[0]
        rates = self._write_out(system.rates)
        self.rates = self.function(rates)
        self.jacobian: Function | None = None
        triggers = self._write_out([event.trigger for event in system.events])
        self.triggers = self.function(triggers)
        moving = {s.name for s in system.states} - self._still | {a.name for a in system.algebraic}
        for event, trigger in zip(system.events, triggers, strict=True):
            if any(node.op == "eq" and free_symbols(node) & moving for node in postorder([trigger])):
                raise EngineError(
                    f"event '{event.name}' waits for two values to be equal of which one moves: no point of a computed "
                    "course need meet that",
                    hint="Write the trigger with >= or <=.",
                )
        self.static = all(rate.is_num(0.0) for rate in rates)
        self._fixed = self._still | set(system.constant_names)
        sampled: list[Expr] = []
        timed: list[Expr] = []
        breaks: dict[Expr, None] = {}
        for switch, edge in _switches([*rates, *triggers, *self._write_out(system.residuals)]):
            moment = None if edge is None else self._moment(edge)
            if moment is not None:
                timed.append(switch)
                breaks[moment] = None
            elif not free_symbols(switch) <= self._fixed or TIME in postorder([switch]):
                sampled.append(switch)
        self.switches = self.function(sampled)
        self.timed = self.function(timed)
        self.breaks = self.function(list(breaks))
        self.sampled = bool(sampled)
        if system.algebraic:
            unknown = [a.name for a in system.algebraic]
            self._residuals = self._write_out(system.residuals)
            self.residuals = self.function(self._residuals)
            slopes = derivatives(self._residuals, unknown)
            self.slopes = self.function([row.get(name, ZERO) for row in slopes for name in unknown])
        elif self.n:
            partials = derivatives(rates, system.state_names)
            self.jacobian = self.function([row.get(name, ZERO) for row in partials for name in system.state_names])
        self._equilibria()
        self.delayed = [self.function([d.expression]) for d in system.delays]
        self.lags = [self.function([d.lag]) for d in system.delays]
        self.delayed_before = self._before() if system.delays else []
        self.starts = make_function([s.initial for s in system.states], self.names)
        self.start_constants = make_function([c.expression for c in system.constants], self.names)
        named = {d.name for d in system.delays}
        self.remembers = bool(named & free_symbols(*rates, *triggers, *self._write_out(system.residuals)))
        self.clock = self.clock_of([*rates, *triggers, *system.residuals])

    def clock_of(self, roots: Sequence[Expr]) -> TimeFeatures:
        """What jumps or turns with time alone in some expressions."""
        roots = self._write_out(roots)
        system, now = self.system, sym(CLOCK)
        changing = set(self._still)
        moving = {s.name for s in system.states} - changing | {a.name for a in system.algebraic}
        moving |= {d.name for d in system.delays}
        names = [c.name for c in system.constants]
        constants = substitute([c.expression for c in system.constants], {}, time=now)
        timed = substitute(roots, {}, time=now)
        return time_features(timed, moving, changing, list(zip(names, constants, strict=True)))[0]

    def _before(self) -> list[Function]:
        """Values in the past for times before the start, when what is integrated does not move."""
        after = dict(self._inlined)
        still = {f"rateOf({name})": ZERO for name in self.system.state_names}
        for item in self.system.assignments:
            self._inlined[item.name] = still.get(item.name) or substitute([item.expression], self._inlined)[0]
        functions = [self.function([d.expression]) for d in self.system.delays]
        self._inlined = after
        return functions

    def _write_out(self, roots: Sequence[Expr]) -> list[Expr]:
        return substitute(list(roots), self._inlined)

    def function(self, roots: Sequence[Expr]) -> Function:
        """Compile expressions in which assignments and values in the past may occur."""
        written = self._write_out(roots)
        function = make_function(written, self.names)
        past = [d.name for d in self.system.delays]
        needed = [k for k, name in enumerate(past) if name in free_symbols(*written)]
        if not needed:
            return function

        def with_past(t: float, x: Sequence[float], p: Sequence[float]) -> tuple[float, ...]:
            assert isinstance(p, Constants)
            values = [math.nan] * len(past)
            for k in needed:
                values[k] = p.past(k, t, x)
            return function(t, x, [*p, *values])

        return with_past

    def outputs(self, names: Sequence[str]) -> Function:
        """Function that gives the values of named outputs."""
        return self.function([self.system.value(name) for name in names])

    def _moment(self, edge: Expr) -> Expr | None:
        """Time at which an edge is zero, for one that moves with time only and at a steady pace."""
        (moved,) = substitute([edge], {}, time=sym(CLOCK))
        if CLOCK not in free_symbols(moved) or not free_symbols(moved) <= self._fixed | {CLOCK}:
            return None
        if not is_linear(moved) or _switches([moved]):
            return None
        slope = derivatives([moved], [CLOCK])[0][CLOCK]
        (offset,) = substitute([moved], {CLOCK: ZERO})
        return -offset / slope

    def _equilibria(self) -> None:
        """Functions that bring fast reactions to equilibrium: their rates, and the directions in which states move."""
        items = self.system.equilibria
        residuals = self._write_out([e.residual for e in items])
        moves = [{name: self._write_out([value])[0] for name, value in e.directions} for e in items]
        self.imbalance = self.function(residuals)
        self.directions = self.function([move.get(n, ZERO) for move in moves for n in self.system.state_names])


def _switches(roots: Sequence[Expr]) -> list[tuple[Expr, Expr | None]]:
    """What jumps where a formula changes branch, with the expression that is zero there."""
    replaced: dict[Expr, Expr | None] = {}
    for node in postorder(roots):
        if node.op in COMPARISONS:
            replaced[node] = node.args[0] - node.args[1]
        elif node.op in ("min", "max"):
            replaced[ir.compare("le", *node.args)] = node.args[0] - node.args[1]
        elif node.op == "abs":
            replaced[ir.compare("lt", node.args[0], ZERO)] = node.args[0]
        elif node.op in ("floor", "ceil"):
            replaced[node] = None
        elif node.op in ("if", "and", "or", "not"):
            for arg in node.args[:1] if node.op == "if" else node.args:
                if arg.op not in (*COMPARISONS, "and", "or", "not"):
                    replaced[ir.compare("ne", arg, ZERO)] = None
    return [(switch, edge) for switch, edge in replaced.items() if switch.op != "num"]
