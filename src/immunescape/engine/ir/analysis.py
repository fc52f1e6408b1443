"""What code generation needs to know of a system: plain rates, switches, order of elimination."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from immunescape.engine.ir import expressions as ir
from immunescape.engine.ir.calculus import derivatives, free_symbols, substitute
from immunescape.engine.ir.expressions import COMPARISONS, ZERO, Expr, postorder
from immunescape.engine.ir.system import System
from immunescape.engine.ir.time_features import CLOCK, TimeFeatures, is_linear, time_features

__all__ = ["CLOCK", "Plan", "analyse", "elimination_order", "substituted_constants", "unsupported"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A system ready for code generation. All expressions are free of assignments; time is the name `CLOCK`.

    Attributes
    ----------
    system : what it was made from.
    states : names of the states that are integrated. fixed : names that are constant between events: parameters,
        constants, and states that only events and doses change.
    rates : rate of each state.
    quantities : names beyond states and constants that can be read out, with their expressions.
    triggers : of the events. switches : conditions on which the rates' form depends.
    breaks : times at which one of those conditions changes by time alone (they hold fixed names only).
    clock : what else jumps or turns with time alone. clock_of : the same of single quantities.
    """

    system: System
    states: tuple[str, ...]
    fixed: tuple[str, ...]
    rates: tuple[Expr, ...]
    quantities: Mapping[str, Expr]
    triggers: tuple[Expr, ...]
    switches: tuple[Expr, ...]
    breaks: tuple[Expr, ...]
    changes: tuple[tuple[tuple[str, Expr], ...], ...]
    clock: TimeFeatures
    clock_of: Mapping[str, TimeFeatures]


def unsupported(system: System) -> str | None:
    """The construct that generated code does not handle, if there is one."""
    if system.residuals:
        return "algebraic rules"
    if system.delays:
        return "delays (the symbol 'delay')"
    if system.equilibria:
        return "fast reactions"
    for event in system.events:
        if event.delay is not None:
            return "event delays"
        if event.priority is not None and len(system.events) > 1:
            return "event priorities"
        if not event.persistent and len(system.events) > 1:
            return "events that are not persistent"
    for node in postorder(
        [*system.rates, *(a.expression for a in system.assignments), *(e.trigger for e in system.events)]
    ):
        if node.op == "gamma":
            return "the gamma function"
    return None


def analyse(system: System) -> Plan | str:
    """Prepare a system for code generation.

    Returns
    -------
    The plan, or the name of the construct that generated code does not handle.
    """
    reason = unsupported(system)
    if reason:
        return reason
    now = ir.sym(CLOCK)
    expression_of: dict[str, Expr] = {}
    for item in system.assignments:
        (expression_of[item.name],) = substitute([item.expression], expression_of, time=now)

    def inline(roots: Sequence[Expr]) -> list[Expr]:
        return substitute(roots, expression_of, time=now)

    moving = [s for s in system.states if not s.rate.is_num(0.0)]
    states = tuple(s.name for s in moving)
    still = tuple(s.name for s in system.states if s.rate.is_num(0.0))
    fixed = (*system.constant_names, *still)
    rates = tuple(inline([s.rate for s in moving]))
    triggers = tuple(inline([e.trigger for e in system.events]))
    changes = tuple(
        tuple(zip([n for n, _ in e.assignments], inline([v for _, v in e.assignments]), strict=True))
        for e in system.events
    )
    names = [s.name for s in system.species]
    readable = dict.fromkeys((*system.quantities, *names))
    quantities = dict(zip(readable, inline([system.value(n) for n in readable]), strict=True))
    constants = substituted_constants(system)
    if any(node.op == "eq" and free_symbols(node) & set(states) for node in _conditions(triggers)):
        return "events that wait for equality"
    clock, reason = time_features([*rates, *triggers], states, still, constants)
    if reason:
        return reason
    conditions = _conditions(rates)
    breaks: dict[Expr, None] = {}
    switches: dict[Expr, None] = {}
    for node in (*conditions, *_conditions(triggers)):
        gap = node.args[0] - node.args[1]
        if CLOCK not in free_symbols(gap):
            continue
        if free_symbols(gap) & set(states):
            continue
        if not is_linear(gap):
            continue
        (slope,) = (d.get(CLOCK, ZERO) for d in derivatives([gap], [CLOCK]))
        (start,) = substitute([gap], {CLOCK: ZERO})
        breaks[-(start / slope)] = None
    for node in conditions:
        if free_symbols(node) & set(states):
            if node.op in ("eq", "ne"):
                return "tests for equality of states in rates"
            switches[node] = None
    return Plan(
        system=system,
        states=states,
        fixed=fixed,
        rates=rates,
        quantities=quantities,
        triggers=triggers,
        switches=tuple(switches),
        breaks=tuple(breaks),
        changes=changes,
        clock=clock,
        clock_of={
            name: feature
            for name, value in quantities.items()
            if CLOCK in free_symbols(value)
            and (feature := time_features([value], states, still, constants, linear=True)[0]).features
        },
    )


def substituted_constants(system: System) -> list[tuple[str, Expr]]:
    """Constants that follow from parameters, time as `CLOCK`."""
    names = [c.name for c in system.constants]
    return list(zip(names, substitute([c.expression for c in system.constants], {}, time=ir.sym(CLOCK)), strict=True))


def _conditions(roots: Sequence[Expr]) -> list[Expr]:
    return [node for node in postorder(roots) if node.op in COMPARISONS]


def elimination_order(n: int, pattern: set[tuple[int, int]]) -> list[int]:
    """Order of pivots on the diagonal that keeps fill low: always the one with the least Markowitz cost.

    Parameters
    ----------
    n
        Number of unknowns.
    pattern
        Positions that are not zero; the diagonal is counted in.
    """
    rows: list[set[int]] = [{i} for i in range(n)]
    columns: list[set[int]] = [{i} for i in range(n)]
    for i, j in pattern:
        rows[i].add(j)
        columns[j].add(i)
    left = set(range(n))
    order: list[int] = []
    while left:
        pivot = min(left, key=lambda i: ((len(rows[i]) - 1) * (len(columns[i]) - 1), len(rows[i]) + len(columns[i]), i))
        order.append(pivot)
        left.remove(pivot)
        row = rows[pivot] - {pivot}
        column = columns[pivot] - {pivot}
        for i in column:
            rows[i].discard(pivot)
            for j in row - rows[i]:
                rows[i].add(j)
                columns[j].add(i)
        for j in row:
            columns[j].discard(pivot)
    return order
