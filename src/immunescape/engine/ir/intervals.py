"""Bounds of expressions over intervals of time: what a function of time cannot leave, whatever happens in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunescape.engine.ir.expressions import COMPARISONS, Expr, postorder

__all__ = ["Interval", "bounds"]

FloatArray = NDArray[np.float64]
Interval = tuple[FloatArray, FloatArray]
"""Lower and upper bounds, elementwise."""

_RISING: Mapping[str, Callable[[Any], Any]] = {
    "exp": np.exp,
    "ln": np.log,
    "log10": np.log10,
    "sqrt": np.sqrt,
    "floor": np.floor,
    "ceil": np.ceil,
    "asin": np.arcsin,
    "atan": np.arctan,
    "sinh": np.sinh,
    "tanh": np.tanh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
}


def bounds(roots: Sequence[Expr], values: Mapping[str, Interval]) -> list[Interval]:
    """Bounds of each expression where every name lies within its interval.

    They hold up to rounding and may be wider than the true range, because a name that occurs twice counts twice. What
    is not defined everywhere in the interval is unbounded.
    """
    table: dict[Expr, Interval] = {}
    with np.errstate(all="ignore"):
        for node in postorder(roots):
            if node.op == "num":
                low = high = np.asarray(node.value)
            elif node.op == "sym":
                low, high = values[node.name]
            else:
                low, high = _apply(node, [table[a] for a in node.args])
            table[node] = (np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high))
    return [table[root] for root in roots]


def _apply(node: Expr, args: list[Interval]) -> Interval:
    op = node.op
    low, high = args[0]
    if op == "add":
        return sum(a for a, _ in args[1:]) + low, sum(b for _, b in args[1:]) + high
    if op == "mul":
        for other in args[1:]:
            low, high = _product((low, high), other)
        return low, high
    if op == "div":
        a, b = args[1]
        crosses = (a <= 0) & (b >= 0)
        inner = _product((low, high), (1.0 / b, 1.0 / a))
        return np.where(crosses, -np.inf, inner[0]), np.where(crosses, np.inf, inner[1])
    if op == "pow":
        return _power(args[0], args[1], node.args[1])
    if op in ("min", "max"):
        choose = np.minimum if op == "min" else np.maximum
        return choose(low, args[1][0]), choose(high, args[1][1])
    if op in _RISING:
        return _RISING[op](low), _RISING[op](high)
    if op == "acos":
        return np.arccos(high), np.arccos(low)
    if op in ("abs", "cosh"):
        least = np.where((low <= 0) & (high >= 0), 0.0, np.minimum(np.abs(low), np.abs(high)))
        most = np.maximum(np.abs(low), np.abs(high))
        return (least, most) if op == "abs" else (np.cosh(least), np.cosh(most))
    if op in ("sin", "cos"):
        return _wave(low, high, 0.5 * np.pi if op == "sin" else 0.0, np.sin if op == "sin" else np.cos)
    if op == "tan":
        pole = np.floor(low / np.pi + 0.5) != np.floor(high / np.pi + 0.5)
        return np.where(pole, -np.inf, np.tan(low)), np.where(pole, np.inf, np.tan(high))
    if op in COMPARISONS:
        return _comparison(op, args[0], args[1])
    if op in ("and", "or", "not", "if"):
        return _logic(op, args)
    return np.full(np.shape(low), -np.inf), np.full(np.shape(high), np.inf)


def _product(x: Interval, y: Interval) -> Interval:
    corners = [np.where((a == 0) | (b == 0), 0.0, a * b) for a in x for b in y]
    return np.minimum.reduce(np.broadcast_arrays(*corners)), np.maximum.reduce(np.broadcast_arrays(*corners))


def _power(base: Interval, exponent: Interval, written: Expr) -> Interval:
    low, high = base
    if written.op == "num" and float(written.value).is_integer():
        n = written.value
        a, b = np.power(low, n), np.power(high, n)
        crosses = (low <= 0) & (high >= 0)
        if n > 0 and n % 2 == 0:
            return np.where(crosses, 0.0, np.minimum(a, b)), np.maximum(a, b)
        if n > 0:
            return a, b
        return np.where(crosses, -np.inf, np.minimum(a, b)), np.where(crosses, np.inf, np.maximum(a, b))
    corners = np.broadcast_arrays(*[np.power(np.maximum(a, 0.0), b) for a in base for b in exponent])
    wild = (low < 0) | ((low <= 0) & (exponent[0] <= 0))
    return (
        np.where(wild, -np.inf, np.minimum.reduce(corners)),
        np.where(wild, np.inf, np.maximum.reduce(corners)),
    )


def _wave(low: FloatArray, high: FloatArray, peak: float, function: Callable[[Any], Any]) -> Interval:
    """Sine or cosine, whose maxima lie at `peak` and every turn after."""
    turn = 2.0 * np.pi

    def passes(at: float) -> Any:
        return np.floor((high - at) / turn) >= np.ceil((low - at) / turn)

    a, b = function(low), function(high)
    wild = ~(np.isfinite(low) & np.isfinite(high))
    return (
        np.where(wild | passes(peak + np.pi), -1.0, np.minimum(a, b)),
        np.where(wild | passes(peak), 1.0, np.maximum(a, b)),
    )


def _comparison(op: str, x: Interval, y: Interval) -> Interval:
    if op in ("gt", "ge"):
        x, y, op = y, x, {"gt": "lt", "ge": "le"}[op]
    (a, b), (c, d) = x, y
    if op in ("lt", "le"):
        sure, never = (b < c, a >= d) if op == "lt" else (b <= c, a > d)
    else:
        sure, never = (a == b) & (c == d) & (a == c), (b < c) | (a > d)
        if op == "ne":
            sure, never = never, sure
    return np.where(sure, 1.0, 0.0), np.where(never, 0.0, 1.0)


def _logic(op: str, args: list[Interval]) -> Interval:
    holds = [np.where((a > 0) | (b < 0), 1.0, 0.0) for a, b in args]
    may = [np.where((a == 0) & (b == 0), 0.0, 1.0) for a, b in args]
    if op == "not":
        return 1.0 - may[0], 1.0 - holds[0]
    if op == "and":
        return np.minimum.reduce(np.broadcast_arrays(*holds)), np.minimum.reduce(np.broadcast_arrays(*may))
    if op == "or":
        return np.maximum.reduce(np.broadcast_arrays(*holds)), np.maximum.reduce(np.broadcast_arrays(*may))
    (a, b), (c, d) = args[1], args[2]
    sure, never = holds[0] > 0, may[0] == 0
    return (
        np.where(sure, a, np.where(never, c, np.minimum(a, c))),
        np.where(sure, b, np.where(never, d, np.maximum(b, d))),
    )
