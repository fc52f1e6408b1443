"""What is done with expressions: names in them, replacing names, derivatives, values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunescape.engine.ir import expressions as ir
from immunescape.engine.ir.expressions import COMPARISONS, ONE, ZERO, Expr, postorder
from immunescape.errors import EngineError

__all__ = [
    "derivatives",
    "diff",
    "evaluate",
    "free_symbols",
    "gamma_function",
    "rebuild",
    "slope",
    "substitute",
    "total_derivative",
]

FloatArray = NDArray[np.float64]


def free_symbols(*roots: Expr) -> set[str]:
    """Names that occur in the expressions."""
    return {node.name for node in postorder(roots) if node.op == "sym"}


def rebuild(node: Expr, args: Sequence[Expr]) -> Expr:
    """Make a node of the same kind with other arguments, simplified anew."""
    op = node.op
    if not node.args:
        return node
    if all(new is old for new, old in zip(args, node.args, strict=True)):
        return node
    if op in _BUILD:
        return _BUILD[op](*args)
    if op in COMPARISONS:
        return ir.compare(op, *args)
    return ir.func(op, *args)


_BUILD: Mapping[str, Callable[..., Expr]] = {
    "add": ir.add,
    "mul": ir.mul,
    "div": ir.div,
    "pow": ir.pow_,
    "min": ir.minimum,
    "max": ir.maximum,
    "and": ir.land,
    "or": ir.lor,
    "not": ir.lnot,
    "if": ir.if_,
}


def substitute(roots: Sequence[Expr], values: Mapping[str, Expr], time: Expr | None = None) -> list[Expr]:
    """Replace names (and model time, where given) in all expressions at once; replacements are not replaced again."""
    done: dict[Expr, Expr] = {}
    for node in postorder(roots):
        if node.op == "sym":
            done[node] = values.get(node.name, node)
        elif node.op == "time":
            done[node] = node if time is None else time
        else:
            done[node] = rebuild(node, [done[a] for a in node.args])
    return [done[root] for root in roots]


def diff(root: Expr, name: str) -> Expr:
    """Partial derivative of an expression with respect to one name."""
    return derivatives([root], [name])[0].get(name, ZERO)


def derivatives(roots: Sequence[Expr], names: Iterable[str] | None = None) -> list[dict[str, Expr]]:
    """All non-zero partial derivatives of each expression: name -> derivative.

    Parameters
    ----------
    roots
        Expressions. Comparisons, ``floor`` and ``ceil`` count as constant; ``abs``, ``min``, ``max`` and ``if`` take
        the derivative of the active branch.
    names
        Names to differentiate for; None takes every name that occurs.

    Raises
    ------
    EngineError
        Where the factorial (``gamma``) of something that varies would have to be differentiated.
    """
    requested = None if names is None else set(names)
    table: dict[Expr, dict[str, Expr]] = {}
    for node in postorder(roots):
        if node.op == "sym":
            table[node] = {node.name: ONE} if requested is None or node.name in requested else {}
            continue
        result: dict[str, Expr] = {}
        if any(table[a] for a in node.args):
            for arg, partial in _partials(node, [bool(table[a]) for a in node.args]):
                for name, inner in table[arg].items():
                    term = partial * inner
                    result[name] = result[name] + term if name in result else term
            result = {name: value for name, value in result.items() if not value.is_num(0.0)}
        table[node] = result
    return [table[root] for root in roots]


def _partials(node: Expr, varies: Sequence[bool]) -> list[tuple[Expr, Expr]]:
    """Argument and derivative of the node with respect to it, for the arguments that vary."""
    op, args = node.op, node.args
    if op in COMPARISONS or op in ("and", "or", "not", "floor", "ceil"):
        return []
    if op == "add":
        return [(a, ONE) for a, v in zip(args, varies, strict=True) if v]
    if op == "mul":
        return [(a, ir.mul(*args[:i], *args[i + 1 :])) for i, (a, v) in enumerate(zip(args, varies, strict=True)) if v]
    if op == "div":
        a, b = args
        return [*([(a, ONE / b)] if varies[0] else []), *([(b, -(node / b))] if varies[1] else [])]
    if op == "pow":
        a, b = args
        parts = [(a, b * a ** (b - 1))] if varies[0] else []
        if varies[1]:
            positive = ir.compare("gt", a, ZERO)
            parts.append((b, ir.if_(positive, node * ir.func("ln", ir.if_(positive, a, ONE)), ZERO)))
        return parts
    if op in ("min", "max"):
        a, b = args
        first = ir.compare("le" if op == "min" else "ge", a, b)
        return [(a, ir.if_(first, ONE, ZERO)), (b, ir.if_(first, ZERO, ONE))]
    if op == "if":
        return [(args[1], ir.if_(args[0], ONE, ZERO)), (args[2], ir.if_(args[0], ZERO, ONE))]
    return [(args[0], slope(op, args[0], node))]


def slope(name: str, argument: Expr, value: Expr) -> Expr:
    """Derivative of the function `name` by its argument; `value` is the function's value there."""
    if name not in _SLOPES:
        raise EngineError(f"'{name}' of a value that varies cannot be differentiated")
    return _SLOPES[name](argument, value)


def _f(name: str, a: Expr) -> Expr:
    return ir.func(name, a)


_SLOPES: Mapping[str, Callable[[Expr, Expr], Expr]] = {
    "exp": lambda a, f: f,
    "ln": lambda a, f: 1 / a,
    "log10": lambda a, f: 1 / (a * float(np.log(10.0))),
    "sqrt": lambda a, f: 0.5 / f,
    "abs": lambda a, f: ir.if_(ir.compare("lt", a, ZERO), ir.num(-1.0), ONE),
    "sin": lambda a, f: _f("cos", a),
    "cos": lambda a, f: -_f("sin", a),
    "tan": lambda a, f: 1 + f**2,
    "asin": lambda a, f: 1 / _f("sqrt", 1 - a**2),
    "acos": lambda a, f: -1 / _f("sqrt", 1 - a**2),
    "atan": lambda a, f: 1 / (1 + a**2),
    "sinh": lambda a, f: _f("cosh", a),
    "cosh": lambda a, f: _f("sinh", a),
    "tanh": lambda a, f: 1 - f**2,
    "asinh": lambda a, f: 1 / _f("sqrt", a**2 + 1),
    "acosh": lambda a, f: 1 / (_f("sqrt", a - 1) * _f("sqrt", a + 1)),
    "atanh": lambda a, f: 1 / (1 - a**2),
}


def total_derivative(root: Expr, rates: Mapping[str, Expr], assignments: Mapping[str, Expr]) -> Expr:
    """Time derivative along a trajectory.

    Parameters
    ----------
    root
        Expression whose rate is wanted.
    rates
        State -> its rate; names that are missing here and in `assignments` are constant.
    assignments
        Name -> expression of the values that follow from states and time.
    """
    inlined = root
    while free_symbols(inlined) & assignments.keys():
        (inlined,) = substitute([inlined], assignments)
    clock = "\0time"
    (inlined,) = substitute([inlined], {}, time=ir.sym(clock))
    (partials,) = derivatives([inlined])
    terms = [partial * (ONE if name == clock else rates.get(name, ZERO)) for name, partial in partials.items()]
    (rate,) = substitute([ir.add(*terms)], {clock: ir.TIME})
    return rate


def gamma_function(a: FloatArray) -> FloatArray:
    """The gamma function, elementwise."""
    from scipy.special import gamma  # slow to import, rarely needed

    return np.asarray(gamma(a))


_EVALUATE: Mapping[str, Callable[..., Any]] = {
    **{name: function for name, function in ir.NUMPY.items()},
    "gamma": gamma_function,
    "and": lambda *a: np.logical_and.reduce([np.not_equal(v, 0) for v in np.broadcast_arrays(*a)]),
    "or": lambda *a: np.logical_or.reduce([np.not_equal(v, 0) for v in np.broadcast_arrays(*a)]),
    "not": lambda a: np.equal(a, 0),
    "if": lambda c, a, b: np.where(np.not_equal(c, 0), a, b),
}


def evaluate(
    roots: Sequence[Expr], values: Mapping[str, float | FloatArray], time: float | FloatArray = 0.0
) -> list[FloatArray]:
    """Values of expressions, elementwise over arrays that broadcast; division by zero gives inf or NaN.

    Raises
    ------
    KeyError
        For a name that `values` does not hold.
    """
    table: dict[Expr, FloatArray] = {}
    with np.errstate(all="ignore"):
        for node in postorder(roots):
            args = [table[a] for a in node.args]
            if node.op == "num":
                out = np.asarray(node.value)
            elif node.op == "sym":
                out = np.asarray(values[node.name], dtype=float)
            elif node.op == "time":
                out = np.asarray(time, dtype=float)
            elif node.op in ("add", "mul"):
                out = args[0]
                for arg in args[1:]:
                    out = out + arg if node.op == "add" else out * arg
            else:
                out = np.asarray(_EVALUATE[node.op](*args), dtype=float)
            table[node] = out
    return [table[root] for root in roots]
