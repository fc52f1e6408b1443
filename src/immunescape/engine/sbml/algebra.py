"""Order of assignments, algebraic rules solved for their variables, and fast reactions as constraints."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from immunescape.engine.ir import expressions as ir
from immunescape.engine.ir.calculus import derivatives, free_symbols, substitute
from immunescape.engine.ir.expressions import ZERO, Expr, sym
from immunescape.engine.ir.system import Equilibrium
from immunescape.errors import EngineError

__all__ = ["equilibria", "inline", "solve_algebraic", "solve_linear", "sort_assignments"]


def inline(roots: Sequence[Expr], assignments: Mapping[str, Expr], where: str) -> list[Expr]:
    """Write out assignments until none is left."""
    result = list(roots)
    for _ in range(len(assignments) + 1):
        if not free_symbols(*result) & assignments.keys():
            return result
        result = substitute(result, assignments)
    raise EngineError("assignment rules depend on each other in a circle", where=where)


def sort_assignments(table: Mapping[str, Expr], where: str) -> list[tuple[str, Expr]]:
    """Order of evaluation.

    Raises
    ------
    EngineError
        If assignments depend on each other in a circle.
    """
    needs = {name: free_symbols(value) & table.keys() for name, value in table.items()}
    order: list[str] = []
    state: dict[str, int] = {}
    for root in table:
        stack = [(root, iter(sorted(needs[root])))]
        if root in state:
            continue
        state[root] = 1
        while stack:
            name, rest = stack[-1]
            for other in rest:
                if state.get(other) == 1:
                    raise EngineError(f"'{name}' and '{other}' depend on each other in a circle", where=where)
                if other not in state:
                    state[other] = 1
                    stack.append((other, iter(sorted(needs[other]))))
                    break
            else:
                state[name] = 2
                order.append(name)
                stack.pop()
    return [(name, table[name]) for name in order]


def solve_linear(matrix: Sequence[Sequence[Expr]], right: Sequence[Expr], *, guard: bool = False) -> list[Expr] | None:
    """Solution of ``matrix x = right`` by elimination; None where the matrix is singular whatever its values.

    With `guard`, an unknown whose pivot is zero while the model runs is zero.
    """

    def quotient(a: Expr, b: Expr) -> Expr:
        if guard and b.op != "num":
            return ir.if_(ir.compare("eq", b, ZERO), ZERO, a / ir.if_(ir.compare("eq", b, ZERO), ir.ONE, b))
        return a / b

    n = len(right)
    rows = [[*row, b] for row, b in zip(matrix, right, strict=True)]
    for k in range(n):
        usable = [i for i in range(k, n) if not rows[i][k].is_num(0.0)]
        if not usable:
            return None
        pivot = next((i for i in usable if rows[i][k].op == "num"), usable[0])
        rows[k], rows[pivot] = rows[pivot], rows[k]
        for i in range(k + 1, n):
            if rows[i][k].is_num(0.0):
                continue
            factor = quotient(rows[i][k], rows[k][k])
            rows[i] = [ZERO if j <= k else rows[i][j] - factor * rows[k][j] for j in range(n + 1)]
    solution: list[Expr] = [ZERO] * n
    for k in reversed(range(n)):
        solved = ir.add(*(rows[k][j] * solution[j] for j in range(k + 1, n)))
        solution[k] = quotient(rows[k][n] - solved, rows[k][k])
    return solution


def _match(wants: Sequence[Sequence[str]]) -> list[str] | None:
    """Give every equation a variable of its own; earlier choices of an equation are preferred."""
    owner: dict[str, int] = {}

    def assign(i: int, tried: set[str]) -> bool:
        for name in wants[i]:
            if name in tried:
                continue
            tried.add(name)
            if name not in owner or assign(owner[name], tried):
                owner[name] = i
                return True
        return False

    for i in range(len(wants)):
        if not assign(i, set()):
            return None
    chosen = {i: name for name, i in owner.items()}
    return [chosen[i] for i in range(len(wants))]


def solve_algebraic(
    residuals: Sequence[Expr],
    candidates: Sequence[str],
    last: Collection[str],
    assignments: Mapping[str, Expr],
    where: str,
) -> tuple[dict[str, Expr], list[str], list[Expr]]:
    """Find the variables that algebraic rules determine, and solve the linear ones.

    Parameters
    ----------
    residuals
        Expressions that must be zero.
    candidates
        Names that nothing else determines.
    last
        Candidates to take only where nothing else is left (events also change them).
    assignments
        Name -> expression of the other assignments.
    where
        Name of the document, for messages.

    Returns
    -------
    solved : name -> expression, further assignments. unknown : names left to a numerical solution; residuals : theirs.

    Raises
    ------
    EngineError
        If there are more equations than variables.
    """
    equations = inline(residuals, assignments, where)
    order = sorted(candidates, key=lambda name: (name in last, candidates.index(name)))
    symbols = [free_symbols(e) for e in equations]
    matched = _match([[name for name in order if name in occurring] for occurring in symbols])
    if matched is None:
        raise EngineError("an algebraic rule leaves no variable to solve for: the model is overdetermined", where=where)
    open_ = dict(zip(matched, equations, strict=True))
    solved: dict[str, Expr] = {}
    while open_:
        for name, equation in open_.items():
            if free_symbols(equation) & open_.keys() == {name}:
                value = _solve_for(equation, name)
                if value is not None:
                    solved[name] = value
                    del open_[name]
                    break
        else:
            break
    names = list(open_)
    if not names:
        return solved, [], []
    slopes = [[row.get(name, ZERO) for name in names] for row in derivatives(list(open_.values()), names)]
    if not any(free_symbols(slope) & open_.keys() for row in slopes for slope in row):
        offsets = substitute(list(open_.values()), dict.fromkeys(names, ZERO))
        values = solve_linear(slopes, [-offset for offset in offsets])
        if values is not None:
            return {**solved, **dict(zip(names, values, strict=True))}, [], []
    return solved, names, list(open_.values())


def _solve_for(equation: Expr, name: str) -> Expr | None:
    """Solve for a name that occurs linearly; None where it does not."""
    slope = derivatives([equation], [name])[0].get(name, ZERO)
    if slope.is_num(0.0) or name in free_symbols(slope):
        return None
    (offset,) = substitute([equation], {name: ZERO})
    return -offset / slope


def equilibria(
    fast: Sequence[tuple[str, Expr, Mapping[str, Expr]]],
    rates: dict[str, Expr],
    assignments: Mapping[str, Expr],
    where: str,
) -> tuple[Equilibrium, ...]:
    """Treat fast reactions as always at equilibrium: their rates are zero, and they run as fast as that needs.

    Parameters
    ----------
    fast
        Name, rate and change of each species per unit of reaction, of every fast reaction.
    rates
        State -> rate by everything else; the fast reactions' share is added to it.
    assignments
        Name -> expression of the assignments.
    where
        Name of the document, for messages.

    Returns
    -------
    The constraints, with the directions in which states move to meet them at the start and after events.

    Raises
    ------
    EngineError
        If the equilibrium does not determine how fast the reactions run.
    """
    names = ", ".join(name for name, _, _ in fast)
    moved = sorted({n for _, _, move in fast for n in move})
    table = [[move.get(n, ZERO) for n in moved] for _, _, move in fast]
    if all(e.op == "num" for row in table for e in row):
        numbers = np.array([[e.value for e in row] for row in table]).reshape(len(fast), len(moved))
        if np.linalg.matrix_rank(numbers) < len(fast):
            raise EngineError(
                f"fast reactions ({names}) that move the same species in a circle, or none: their equilibrium does not "
                "determine how fast each of them runs",
                where=where,
            )
    fluxes = inline([flux for _, flux, _ in fast], assignments, where)
    clock = "\0time"
    fluxes = substitute(fluxes, {}, time=sym(clock))
    slopes = derivatives(fluxes)
    flows = dict(rates)
    flows[clock] = ir.ONE
    drift = [ir.add(*(s * flows.get(n, ZERO) for n, s in row.items())) for row in slopes]
    matrix = [[ir.add(*(s * move.get(n, ZERO) for n, s in row.items())) for _, _, move in fast] for row in slopes]
    speeds = solve_linear(matrix, [-d for d in drift], guard=True)
    if speeds is None:
        raise EngineError(f"the equilibrium of fast reactions ({names}) does not determine their rates", where=where)
    speeds = substitute(speeds, {clock: ir.TIME})
    for (_, _, move), speed in zip(fast, speeds, strict=True):
        for name, amount in move.items():
            rates[name] = rates.get(name, ZERO) + amount * speed
    return tuple(Equilibrium(flux, tuple(move.items())) for _, flux, move in fast)
