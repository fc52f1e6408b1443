"""Reads MathML back through libsbml and computes its value: independent of the package's own writer and evaluator."""

from __future__ import annotations

import math
from collections.abc import Callable

import libsbml

OPERATORS = {
    libsbml.AST_PLUS: sum,
    libsbml.AST_TIMES: math.prod,
    libsbml.AST_MINUS: lambda a: -a[0] if len(a) == 1 else a[0] - a[1],
    libsbml.AST_DIVIDE: lambda a: a[0] / a[1],
    libsbml.AST_POWER: lambda a: a[0] ** a[1],
    libsbml.AST_FUNCTION_POWER: lambda a: a[0] ** a[1],
    libsbml.AST_FUNCTION_TANH: lambda a: math.tanh(a[0]),
    libsbml.AST_FUNCTION_MAX: max,
    libsbml.AST_FUNCTION_MIN: min,
    libsbml.AST_FUNCTION_EXP: lambda a: math.exp(a[0]),
    libsbml.AST_FUNCTION_LN: lambda a: math.log(a[0]),
    libsbml.AST_FUNCTION_ROOT: lambda a: a[-1] ** (1 / (a[0] if len(a) > 1 else 2)),
}


def by_libsbml(node: libsbml.ASTNode, value: Callable[[str], float]) -> float:
    """Evaluate what libsbml read."""
    if node.getType() == libsbml.AST_CONSTANT_PI:
        return math.pi
    if node.isNumber():
        return float(node.getValue())
    if node.isName():
        return value(node.getName())
    return float(OPERATORS[node.getType()]([by_libsbml(node.getChild(i), value) for i in range(node.getNumChildren())]))
