"""Formulas of an SBML document as expressions; functions of the document are written out where they are used."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import libsbml

from immunescape.engine.ir import expressions as ir
from immunescape.engine.ir.expressions import ONE, TIME, ZERO, Expr, func, num, sym
from immunescape.errors import EngineError

__all__ = ["AVOGADRO", "MOST_PARTS", "Formulas"]

MOST_PARTS = 20_000
"""Parts of one formula that may come from functions, each written out where it is called with other arguments."""

AVOGADRO = 6.02214179e23
"""Number of the SBML symbol ``avogadro``, as SBML Level 3 Version 1 and 2 fix it (1/mole)."""


def _names(**table: str) -> dict[int, str]:
    """Map libsbml node types (only those that this libsbml has) to our names."""
    return {getattr(libsbml, key): value for key, value in table.items() if hasattr(libsbml, key)}


_UNARY = _names(
    AST_FUNCTION_EXP="exp",
    AST_FUNCTION_LN="ln",
    AST_FUNCTION_ABS="abs",
    AST_FUNCTION_FLOOR="floor",
    AST_FUNCTION_CEILING="ceil",
    AST_FUNCTION_SIN="sin",
    AST_FUNCTION_COS="cos",
    AST_FUNCTION_TAN="tan",
    AST_FUNCTION_ARCSIN="asin",
    AST_FUNCTION_ARCCOS="acos",
    AST_FUNCTION_ARCTAN="atan",
    AST_FUNCTION_SINH="sinh",
    AST_FUNCTION_COSH="cosh",
    AST_FUNCTION_TANH="tanh",
    AST_FUNCTION_ARCSINH="asinh",
    AST_FUNCTION_ARCCOSH="acosh",
    AST_FUNCTION_ARCTANH="atanh",
)
_RECIPROCAL = _names(
    AST_FUNCTION_SEC="cos",
    AST_FUNCTION_CSC="sin",
    AST_FUNCTION_COT="tan",
    AST_FUNCTION_SECH="cosh",
    AST_FUNCTION_CSCH="sinh",
    AST_FUNCTION_COTH="tanh",
)
_OF_RECIPROCAL = _names(
    AST_FUNCTION_ARCSEC="acos",
    AST_FUNCTION_ARCCSC="asin",
    AST_FUNCTION_ARCCOT="atan",
    AST_FUNCTION_ARCSECH="acosh",
    AST_FUNCTION_ARCCSCH="asinh",
    AST_FUNCTION_ARCCOTH="atanh",
)
_RELATIONS = _names(
    AST_RELATIONAL_EQ="eq",
    AST_RELATIONAL_NEQ="ne",
    AST_RELATIONAL_LT="lt",
    AST_RELATIONAL_LEQ="le",
    AST_RELATIONAL_GT="gt",
    AST_RELATIONAL_GEQ="ge",
)
_NUMBERS = _names(
    AST_INTEGER="",
    AST_REAL="",
    AST_REAL_E="",
    AST_RATIONAL="",
    AST_CONSTANT_E="",
    AST_CONSTANT_PI="",
    AST_CONSTANT_TRUE="",
    AST_CONSTANT_FALSE="",
)


def _piecewise(args: list[Expr]) -> Expr:
    result = args[-1] if len(args) % 2 else num(math.nan)
    for i in range(len(args) // 2 * 2 - 2, -1, -2):
        result = ir.if_(args[i + 1], args[i], result)
    return result


def _log(args: list[Expr]) -> Expr:
    if len(args) == 1 or args[0].is_num(10.0):
        return func("log10", args[-1])
    return func("ln", args[1]) / func("ln", args[0])


def _root(args: list[Expr]) -> Expr:
    if len(args) == 1 or args[0].is_num(2.0):
        return func("sqrt", args[-1])
    return ir.pow_(args[1], ONE / args[0])


def _xor(args: list[Expr]) -> Expr:
    result = ZERO
    for arg in args:
        result = ir.lor(ir.land(result, ir.lnot(arg)), ir.land(ir.lnot(result), arg))
    return result


def _quotient(args: list[Expr]) -> Expr:
    ratio = args[0] / args[1]
    return ir.if_(ir.compare("ge", ratio, ZERO), func("floor", ratio), func("ceil", ratio))


_NARY: dict[int, Callable[[list[Expr]], Expr]] = {
    libsbml.AST_TIMES: lambda args: ir.mul(*args),
    libsbml.AST_DIVIDE: lambda args: ir.div(args[0], args[1]),
    libsbml.AST_POWER: lambda args: ir.pow_(args[0], args[1]),
    libsbml.AST_FUNCTION_POWER: lambda args: ir.pow_(args[0], args[1]),
    libsbml.AST_FUNCTION_ROOT: _root,
    libsbml.AST_FUNCTION_LOG: _log,
    libsbml.AST_FUNCTION_FACTORIAL: lambda args: func("gamma", args[0] + 1),
    libsbml.AST_FUNCTION_PIECEWISE: _piecewise,
    libsbml.AST_FUNCTION_MAX: lambda args: ir.maximum(*args),
    libsbml.AST_FUNCTION_MIN: lambda args: ir.minimum(*args),
    libsbml.AST_FUNCTION_QUOTIENT: _quotient,
    libsbml.AST_FUNCTION_REM: lambda args: args[0] - args[1] * _quotient(args),
    libsbml.AST_LOGICAL_AND: lambda args: ir.land(*args),
    libsbml.AST_LOGICAL_OR: lambda args: ir.lor(*args),
    libsbml.AST_LOGICAL_NOT: lambda args: ir.lnot(args[0]),
    libsbml.AST_LOGICAL_XOR: _xor,
    libsbml.AST_LOGICAL_IMPLIES: lambda args: ir.lor(ir.lnot(args[0]), args[1]),
}


_SUMS = (libsbml.AST_PLUS, libsbml.AST_MINUS)
_CHAINS = (*_SUMS, libsbml.AST_TIMES, libsbml.AST_LOGICAL_AND, libsbml.AST_LOGICAL_OR)


def _operation(kind: int, args: list[Expr]) -> Expr | None:
    """Return the value of a built-in operation; None where `kind` is none.

    Raises
    ------
    IndexError
        With too few operands.
    """
    if kind in _UNARY:
        return func(_UNARY[kind], args[0])
    if kind in _RECIPROCAL:
        return ONE / func(_RECIPROCAL[kind], args[0])
    if kind in _OF_RECIPROCAL:
        return func(_OF_RECIPROCAL[kind], ONE / args[0])
    if kind in _RELATIONS:
        return ir.land(*(ir.compare(_RELATIONS[kind], a, b) for a, b in pairwise(args)))
    return _NARY[kind](args) if kind in _NARY else None


class Formulas:
    """Turns the formulas of one model into expressions.

    Parameters
    ----------
    model
        The libsbml model, for its function definitions.
    rate_of
        Gives the expression of the symbol ``rateOf`` for a name.

    Attributes
    ----------
    delays : value and time of each ``delay`` that was met, with the name that stands for it.
    """

    def __init__(self, model: Any, rate_of: Callable[[str], Expr]) -> None:
        self._written = 0
        self.delays: dict[tuple[Expr, Expr], str] = {}
        self._functions = {f.getId(): f for f in model.getListOfFunctionDefinitions() if f.isSetMath()}
        self._rate_of = rate_of
        self._calls: dict[tuple[str, tuple[Expr, ...]], Expr] = {}

    def convert(self, node: Any, names: Mapping[str, Expr], where: str) -> Expr:
        """Expression of a formula.

        Parameters
        ----------
        node
            The libsbml syntax tree.
        names
            What each name means.
        where
            Element that the formula belongs to, for messages.

        Raises
        ------
        EngineError
            For a construct that cannot be integrated, an unknown name or a function that calls itself.
        """
        self._written = 0
        try:
            return self._convert(node, names, where, ())
        except RecursionError:
            raise EngineError("formula nested too deeply", where=where) from None

    def _convert(self, node: Any, names: Mapping[str, Expr], where: str, calls: tuple[str, ...]) -> Expr:
        kind = node.getType()
        leaf = self._leaf(node, kind, names, where)
        if leaf is not None:
            return leaf
        if kind == libsbml.AST_FUNCTION_DELAY:
            return self._delay(node, names, where, calls)
        if calls:
            self._count_written(where)
        if kind in _CHAINS:
            return self._chain(node, kind, names, where, calls)
        args = [self._convert(node.getChild(i), names, where, calls) for i in range(node.getNumChildren())]
        try:
            value = _operation(kind, args)
        except IndexError:
            raise EngineError(f"too few arguments in '{libsbml.formulaToL3String(node)}'", where=where) from None
        if value is not None:
            return value
        if kind == libsbml.AST_FUNCTION:
            return self._call(node.getName(), args, where, calls)
        text = node.getName() or libsbml.formulaToL3String(node)
        raise EngineError(f"'{text}' in a formula is not supported", where=where)

    def _leaf(self, node: Any, kind: int, names: Mapping[str, Expr], where: str) -> Expr | None:
        """Return a number, name, the time or the rate of a name; None for anything that has operands."""
        if kind in (libsbml.AST_CONSTANT_PI, libsbml.AST_CONSTANT_E):  # libsbml's own values have eight digits only
            return num(math.pi if kind == libsbml.AST_CONSTANT_PI else math.e)
        if kind in _NUMBERS:
            return num(node.getValue())
        if kind == libsbml.AST_NAME:
            name = node.getName()
            if name not in names:
                raise EngineError(f"unknown name '{name}' in a formula", where=where)
            return names[name]
        if kind == libsbml.AST_NAME_TIME:
            return TIME
        if kind == libsbml.AST_NAME_AVOGADRO:
            return num(AVOGADRO)
        if kind == libsbml.AST_FUNCTION_RATE_OF:
            name = node.getChild(0).getName()
            meaning = names.get(name)
            if meaning is not None and meaning.op == "sym" and "." in meaning.name:
                return ZERO  # a parameter of this reaction alone, which is constant
            return self._rate_of(name)
        return None

    def _delay(self, node: Any, names: Mapping[str, Expr], where: str, calls: tuple[str, ...]) -> Expr:
        """The value of an expression some time ago: a symbol of its own, equal delays sharing one."""
        if node.getNumChildren() != 2:
            raise EngineError("'delay' takes a value and a time", where=where)
        value, lag = (self._convert(node.getChild(i), names, where, calls) for i in range(2))
        return value if lag.is_num(0.0) else sym(self.delays.setdefault((value, lag), f"delay({len(self.delays)})"))

    def _count_written(self, where: str) -> None:
        """Count a part that a function of the document writes into the formula, and refuse too many."""
        self._written += 1
        if self._written > MOST_PARTS:
            raise EngineError(
                f"the functions of the document, written out in one formula, have more than {MOST_PARTS:,} parts",
                where=where,
                hint="Functions that call each other several times grow by that factor at each level; "
                "use assignment rules for the values between.",
            )

    def _chain(self, node: Any, kind: int, names: Mapping[str, Expr], where: str, calls: tuple[str, ...]) -> Expr:
        """A sum, difference, product or logical chain, however deep its brackets are written."""
        parts: list[Expr] = []
        stack: list[tuple[Any, bool]] = [(node, False)]
        while stack:
            item, negative = stack.pop()
            type_, children = item.getType(), item.getNumChildren()
            if kind in _SUMS and type_ in _SUMS and (type_ == libsbml.AST_PLUS or children in (1, 2)):
                signs = [negative] * children
                if type_ == libsbml.AST_MINUS:
                    signs[-1] = not negative
                stack += [(item.getChild(i), signs[i]) for i in reversed(range(children))]
            elif kind not in _SUMS and type_ == kind:
                stack += [(item.getChild(i), False) for i in reversed(range(children))]
            elif item is node:
                raise EngineError(f"wrong number of arguments in '{libsbml.formulaToL3String(node)}'", where=where)
            else:
                argument = self._convert(item, names, where, calls)
                parts.append(ir.neg(argument) if negative else argument)
        return ir.add(*parts) if kind in _SUMS else _NARY[kind](parts)

    def _call(self, name: str, args: list[Expr], where: str, calls: tuple[str, ...]) -> Expr:
        """Write out a function of the document."""
        if name not in self._functions:
            raise EngineError(f"unknown function '{name}' in a formula", where=where)
        if name in calls:
            raise EngineError(f"function '{name}' calls itself", where=where)
        key = (name, tuple(args))
        if key not in self._calls:
            definition = self._functions[name]
            if definition.getNumArguments() != len(args):
                text = f"function '{name}' takes {definition.getNumArguments()} arguments, not {len(args)}"
                raise EngineError(text, where=where)
            names = {definition.getArgument(i).getName(): arg for i, arg in enumerate(args)}
            self._calls[key] = self._convert(definition.getBody(), names, f"function '{name}'", (*calls, name))
        return self._calls[key]
