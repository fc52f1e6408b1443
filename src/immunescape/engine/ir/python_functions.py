"""Python functions from expressions: the text that is compiled holds our own identifiers and numbers, nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from immunescape.engine.ir.calculus import gamma_function
from immunescape.engine.ir.expressions import NUMPY, Expr, postorder

__all__ = ["Function", "make_function"]

Function = Callable[[float, Sequence[float], Sequence[float]], tuple[float, ...]]
"""``f(t, x, p)``: time, states (and algebraic variables), constants to values."""

_MATH: Mapping[str, Any] = {
    "exp": math.exp,
    "ln": math.log,
    "log10": math.log10,
    "sqrt": math.sqrt,
    "abs": abs,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "asinh": math.asinh,
    "acosh": math.acosh,
    "atanh": math.atanh,
    "floor": math.floor,
    "ceil": math.ceil,
    "gamma": math.gamma,
    "pow": math.pow,
}
_ARRAY: Mapping[str, Any] = {name: gamma_function if name == "gamma" else NUMPY[name] for name in _MATH}
_INFIX = {"add": " + ", "mul": " * ", "div": " / "}
_COMPARE = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
_DEEP, _LONG = 12, 50


def make_function(roots: Sequence[Expr], names: Mapping[str, tuple[str, int]]) -> Function:
    """Compile expressions into one function of time, states and constants.

    Parameters
    ----------
    roots
        Expressions of the values to return.
    names
        Where each name is found: ``("x", i)`` or ``("p", i)``.

    Returns
    -------
    Function that follows IEEE arithmetic: where Python would raise (division by zero, overflow, a root of a negative
    number) the value is inf or NaN.
    """
    source = _source(roots, names)
    code = compile(source, "<generated>", "exec")
    fast: dict[str, Any] = {**{f"f_{k}": v for k, v in _MATH.items()}, "inf": math.inf, "nan": math.nan}
    safe: dict[str, Any] = {**{f"f_{k}": v for k, v in _ARRAY.items()}, "inf": np.inf, "nan": np.nan}
    exec(code, fast)
    exec(code, safe)
    quick, careful = fast["f"], safe["f"]

    def function(t: float, x: Sequence[float], p: Sequence[float]) -> tuple[float, ...]:
        try:
            result: tuple[float, ...] = quick(t, x, p)
            return result
        except (ArithmeticError, ValueError):
            with np.errstate(all="ignore"):
                values = careful(np.float64(t), np.asarray(x, dtype=float), np.asarray(p, dtype=float))
            return tuple(float(v) for v in values)

    return function


def _source(roots: Sequence[Expr], names: Mapping[str, tuple[str, int]]) -> str:
    uses: dict[Expr, int] = {}
    order = postorder(roots)
    for node in order:
        for arg in node.args:
            uses[arg] = uses.get(arg, 0) + 1
    for root in roots:
        uses[root] = uses.get(root, 0) + 1
    lines = ["def f(t, x, p):"]
    text: dict[Expr, str] = {}
    depth: dict[Expr, int] = {}
    for node in order:
        args = [text[a] for a in node.args]
        while node.op in _INFIX and len(args) > _LONG:  # Python cannot parse operators without end
            name = f"v{len(lines)}"
            lines.append(f"    {name} = {_INFIX[node.op].join(args[:_LONG])}")
            args = [name, *args[_LONG:]]
        body = _text(node, args, names)
        depth[node] = 1 + max((depth[a] for a in node.args), default=-1)
        if node.args and (uses[node] > 1 or depth[node] > _DEEP):
            name = f"v{len(lines)}"
            lines.append(f"    {name} = {body}")
            body, depth[node] = name, 0
        text[node] = body
    lines.append(f"    return ({' '.join(text[root] + ',' for root in roots)})")
    return "\n".join(lines) + "\n"


def _text(node: Expr, args: Sequence[str], names: Mapping[str, tuple[str, int]]) -> str:
    op = node.op
    if op == "num":
        return f"({node.value!r})" if node.value < 0 else repr(node.value)
    if op == "sym":
        vector, index = names[node.name]
        return f"{vector}[{index}]"
    if op == "time":
        return "t"
    if op in _INFIX:
        return f"({_INFIX[op].join(args)})"
    if op in _COMPARE:
        return f"(1.0 if {args[0]} {_COMPARE[op]} {args[1]} else 0.0)"
    if op in ("min", "max"):
        sign = "<=" if op == "min" else ">="
        return f"({args[0]} if {args[0]} {sign} {args[1]} else {args[1]})"
    if op in ("and", "or"):
        return f"(1.0 if {f' {op} '.join(args)} else 0.0)"
    if op == "not":
        return f"(0.0 if {args[0]} else 1.0)"
    if op == "if":
        return f"({args[1]} if {args[0]} else {args[2]})"
    return f"f_{op}({', '.join(args)})"
