"""Derivatives of a straight-line program: the Jacobian by elimination of its inner values.

Each operation is an edge from every operand to its result, with the derivative as weight. An inner value is removed by
joining each edge into it with each edge out of it (the chain rule); those that join fewest go first. What is left are
edges from the states to the rates: the Jacobian. That takes far fewer operations than the derivatives of formulas
written out one by one, because what rates share is differentiated once.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

from immunescape.engine.codegen.tape import Tape
from immunescape.engine.ir import expressions as ir
from immunescape.engine.ir.calculus import slope
from immunescape.engine.ir.expressions import COMPARISONS, Expr
from immunescape.errors import EngineError

__all__ = ["tangents"]

_FLAT = frozenset((*COMPARISONS, "and", "or", "not", "truth"))
_FLAT_CALLS = frozenset({"v_floor", "v_ceil", "v_logabs"})  # v_pow brings the derivative of its logarithm along
_IR_NAMES = {"v_log": "ln"}


def tangents(tape: Tape, roots: Sequence[int], inputs: Sequence[str]) -> dict[tuple[int, int], int]:
    """All derivatives of some nodes of a tape that are not zero.

    Parameters
    ----------
    tape
        The program, shared already. Products and sums of constants among the derivatives are hoisted.
    roots
        Nodes to differentiate.
    inputs
        C expressions of the leaves to differentiate for.

    Returns
    -------
    (position in `roots`, position in `inputs`) -> node of the same tape.
    """
    position = {tape.leaf(text): j for j, text in enumerate(inputs)}
    into, out = _edges(tape, roots, position)
    _eliminate(tape, into, out, set(position))
    return {(-1 - end, position[start]): w for end in into for start, w in into[end].items()}


Edges = dict[int, dict[int, int]]


def _edges(tape: Tape, roots: Sequence[int], inputs: Mapping[int, int]) -> tuple[Edges, Edges]:
    """Edges into each value (operand -> weight) and out of it (result -> weight); root k ends in the value -1 - k."""
    into: Edges = {}
    out: Edges = {i: {} for i in inputs}
    for i in tape.order(roots):
        if i in inputs or not any(a in out for a in tape.children(i)):
            continue
        gradient: dict[int, int] = {}
        for operand, weight in _partials(tape, i):
            if operand in out:
                gradient[operand] = tape.plus(gradient[operand], weight) if operand in gradient else weight
        if gradient:
            into[i], out[i] = gradient, {}
            for operand, weight in gradient.items():
                out[operand][i] = weight
    unit = tape.number(1.0)
    for k, root in enumerate(roots):
        into[-1 - k] = {root: unit} if root in out else {}
        if root in out:
            out[root][-1 - k] = unit
    return into, out


def _eliminate(tape: Tape, into: Edges, out: Edges, inputs: set[int]) -> None:
    """Remove inner values until edges run from inputs to roots only; of equal cost, the value computed last."""
    heap = [(len(into[i]) * len(out[i]), -i) for i in into if i >= 0]
    heapq.heapify(heap)
    while heap:
        cost, negative = heapq.heappop(heap)
        i = -negative
        if i not in into or cost != len(into[i]) * len(out[i]):
            continue  # removed already, or queued again with its new cost
        before, after = into.pop(i), out.pop(i)
        for operand in before:
            del out[operand][i]
        for result, slope_after in after.items():
            edges = into[result]
            del edges[i]
            for operand, slope_before in before.items():
                weight = tape.times(slope_after, slope_before)
                if operand in edges:
                    weight = tape.plus(edges[operand], weight)
                edges[operand] = out[operand][result] = weight
        for j in (*before, *after):
            if j >= 0 and j not in inputs:
                heapq.heappush(heap, (len(into[j]) * len(out[j]), -j))


def _partials(tape: Tape, index: int) -> list[tuple[int, int]]:
    """Operand and derivative of a node by it."""
    node = tape.nodes[index]
    op = node[0]
    if op in _FLAT or op in ("leaf", "num"):
        return []
    unit, minus = tape.number(1.0), tape.number(-1.0)
    if op == "add":
        return [(node[1], unit), (node[2], unit)]
    if op == "sub":
        return [(node[1], unit), (node[2], minus)]
    if op == "neg":
        return [(node[1], minus)]
    if op == "mul":
        a, b = node[1:]
        for x, root in ((a, b), (b, a)):
            if tape.nodes[root] == ("call", "v_sqrt", x):  # finite where x is 0
                return [(x, tape.times(tape.number(1.5), root))]
        return [(a, b), (b, a)]
    if op == "rcp":
        return [(node[1], tape.neg(tape.times(index, index)))]
    zero = tape.number(0.0)
    if op == "if":
        mask, a, b = node[1:]
        return [(a, tape.node("if", mask, unit, zero)), (b, tape.node("if", mask, zero, unit))]
    name, a = node[1], node[2]
    if name in _FLAT_CALLS:
        return []
    if name in ("v_min", "v_max"):
        mask = tape.node("le" if name == "v_min" else "ge", a, node[3])
        return [(a, tape.node("if", mask, unit, zero)), (node[3], tape.node("if", mask, zero, unit))]
    if name == "v_pow":
        b, logarithm = node[3], node[4]
        positive = tape.node("gt", a, zero)
        inside = tape.node("call", "v_log", tape.node("if", positive, a, unit))
        lower = tape.node("call", "v_pow", a, tape.plus(b, minus), logarithm)
        by_exponent = [] if b in tape.constants else [(b, tape.node("if", positive, tape.times(index, inside), zero))]
        return [(a, tape.times(b, lower)), *by_exponent]
    derivative = slope(_IR_NAMES.get(name, name[2:]), ir.sym("a"), ir.sym("f"))
    return [(a, _computed(tape, derivative, {"a": a, "f": index}))]


def _computed(tape: Tape, formula: Expr, values: Mapping[str, int]) -> int:
    """The value of a formula of given nodes."""
    op = formula.op
    if op == "num":
        return tape.number(formula.value)
    if op == "sym":
        return values[formula.name]
    args = [_computed(tape, a, values) for a in formula.args]
    if op in ("add", "mul"):
        join = tape.plus if op == "add" else tape.times
        result = args[0]
        for arg in args[1:]:
            result = join(result, arg)
        return result
    if op == "div":
        return tape.times(args[0], tape.node("rcp", args[1]))
    if op == "pow" and formula.args[1].is_num(2.0):
        return tape.times(args[0], args[0])
    if op in COMPARISONS or op == "if":
        return tape.node(op, *args)
    if len(args) == 1:
        return tape.node("call", f"v_{'log' if op == 'ln' else op}", *args)
    raise EngineError(f"no derivative of a program with '{op}'")
