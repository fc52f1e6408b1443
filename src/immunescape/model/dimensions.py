"""Dimensional analysis of expressions: every sum, comparison, exponent and function argument is checked."""

from __future__ import annotations

from collections.abc import Callable

from immunescape.errors import ModelError
from immunescape.model.expressions import COMPARISONS, Apply, Expression, Name, Number, write
from immunescape.model.units import DIMENSIONLESS, TIME, Dimension, dimension_text, multiply, power

__all__ = ["check", "infer"]


def check(
    tree: Expression, dimension_of: Callable[[str], Dimension], expected: Dimension | None, where: str
) -> Expression:
    """Check the units of an expression and return it with the dimension of every literal settled.

    A bare ``0`` takes the dimension that its place asks for, and so does any literal that is one side of a comparison
    (``C < 1``: one cell); every other literal is a plain number.

    Parameters
    ----------
    tree
        The expression.
    dimension_of
        Dimension of a name.
    expected
        Dimension that the whole must have; None for a condition.
    where
        Declaration, for errors.

    Raises
    ------
    ModelError
        Naming the declaration and the part of the expression that does not fit.
    """
    typed, inferred = infer(tree, dimension_of, where)
    if expected is None or inferred == expected:
        return typed if expected is None else _settle(typed, expected)
    if inferred is None:
        return _settle(typed, expected)
    raise ModelError(
        f"`{write(tree)}` has the unit {dimension_text(inferred)}, but {dimension_text(expected)} is needed",
        where=where,
    )


def infer(
    tree: Expression, dimension_of: Callable[[str], Dimension], where: str
) -> tuple[Expression, Dimension | None]:
    """Return the expression with settled literals, and its dimension (None: a bare zero, which fits anywhere)."""
    if isinstance(tree, Number):
        return (tree, None) if tree.value == 0 else (Number(tree.value, DIMENSIONLESS), DIMENSIONLESS)
    if isinstance(tree, Name):
        if tree.id in ("pi", "time"):
            return tree, TIME if tree.id == "time" else DIMENSIONLESS
        return tree, dimension_of(tree.id)
    parts = [infer(a, dimension_of, where) for a in tree.args]
    if tree.op in ("&&", "||"):
        return Apply(tree.op, tuple(p[0] for p in parts)), DIMENSIONLESS
    if tree.op in COMPARISONS:
        free = [isinstance(a, Number) for a in tree.args]
        parts = [(Number(a.value), None) if isinstance(a, Number) else p for a, p in zip(tree.args, parts, strict=True)]
        args, _ = _alike(tree, parts, where)
        return Apply(tree.op, args if not all(free) else tuple(_settle(a, DIMENSIONLESS) for a in args)), DIMENSIONLESS
    if tree.op in ("+", "-", "min", "max"):
        args, dimension = _alike(tree, parts, where)
        return Apply(tree.op, args), dimension
    if tree.op == "neg":
        return Apply("neg", (parts[0][0],)), parts[0][1]
    if tree.op in ("*", "/"):
        left, right = (p[1] or DIMENSIONLESS for p in parts)
        typed = Apply(tree.op, tuple(_settle(p[0], p[1] or DIMENSIONLESS) for p in parts))
        return typed, multiply(left, right, 1 if tree.op == "*" else -1)
    if tree.op in ("^", "sqrt"):
        return _power(tree, parts, where)
    return Apply(tree.op, (_plain(tree, parts[0], where),)), DIMENSIONLESS


def _alike(
    tree: Apply, parts: list[tuple[Expression, Dimension | None]], where: str
) -> tuple[tuple[Expression, ...], Dimension | None]:
    with_dimension = [p for p in parts if p[1] is not None]
    if not with_dimension:
        return tuple(p[0] for p in parts), None
    dimension = with_dimension[0][1]
    assert dimension is not None
    for original, (_, other) in zip(tree.args, parts, strict=True):
        if other is not None and other != dimension:
            first = next(a for a, p in zip(tree.args, parts, strict=True) if p[1] is not None)
            raise ModelError(
                f"units do not match in `{write(tree)}`: `{write(first)}` is {dimension_text(dimension)}, "
                f"`{write(original)}` is {dimension_text(other)}",
                where=where,
            )
    return tuple(_settle(p[0], dimension) for p in parts), dimension


def _power(
    tree: Apply, parts: list[tuple[Expression, Dimension | None]], where: str
) -> tuple[Expression, Dimension | None]:
    base = parts[0][1] or DIMENSIONLESS
    first = _settle(parts[0][0], base)
    if tree.op == "sqrt":
        return Apply("sqrt", (first,)), power(base, 0.5)
    exponent = _plain(tree, parts[1], where)
    if base == DIMENSIONLESS:
        return Apply("^", (first, exponent)), DIMENSIONLESS
    constant = _constant(exponent)
    if constant is None:
        raise ModelError(
            f"`{write(tree.args[0])}` has the unit {dimension_text(base)}, so its exponent `{write(exponent)}` "
            "must be a plain number",
            where=where,
            hint="Divide by a reference of the same unit first: (x / K)^n.",
        )
    return Apply("^", (first, Number(constant, DIMENSIONLESS))), power(base, constant)


def _plain(tree: Apply, argument: tuple[Expression, Dimension | None], where: str) -> Expression:
    typed, dimension = argument
    if dimension is not None and dimension != DIMENSIONLESS:
        raise ModelError(
            f"`{write(typed)}` in `{write(tree)}` must be dimensionless, but is {dimension_text(dimension)}",
            where=where,
        )
    return _settle(typed, DIMENSIONLESS)


def _constant(tree: Expression) -> float | None:
    """Return the value of an expression of literals only, such as ``1/3``; None where it holds a name."""
    if isinstance(tree, Number):
        return tree.value
    if isinstance(tree, Name):
        return None
    args = [_constant(a) for a in tree.args]
    if any(a is None for a in args):
        return None
    values = [a for a in args if a is not None]
    match tree.op, values:
        case "neg", [a]:
            return -a
        case "+", [a, b]:
            return a + b
        case "-", [a, b]:
            return a - b
        case "*", [a, b]:
            return a * b
        case "/", [a, b] if b != 0:
            return a / b
    return None


def _settle(tree: Expression, dimension: Dimension) -> Expression:
    """Give literals that are still open the dimension."""
    if isinstance(tree, Number):
        return tree if tree.dimension is not None else Number(tree.value, dimension)
    if isinstance(tree, Apply) and tree.op in ("+", "-", "neg", "min", "max"):
        return Apply(tree.op, tuple(_settle(a, dimension) for a in tree.args))
    return tree
