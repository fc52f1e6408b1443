"""Formulas of an SBML file as expressions of the model here, each with its unit."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import libsbml

from immunescape.errors import ModelError
from immunescape.model.expressions import Apply, Expression, Name, Number
from immunescape.model.from_sbml.units import Equation, Form, declared_unit, unit_form

__all__ = ["FormulaTranslator", "Symbol"]

_NUMBERS = (libsbml.AST_INTEGER, libsbml.AST_REAL, libsbml.AST_REAL_E, libsbml.AST_RATIONAL)
_UNARY = {libsbml.AST_FUNCTION_EXP: "exp", libsbml.AST_FUNCTION_LN: "log", libsbml.AST_FUNCTION_TANH: "tanh"}
_EXTREMES = {libsbml.AST_FUNCTION_MAX: "max", libsbml.AST_FUNCTION_MIN: "min"}
_POWERS = (libsbml.AST_POWER, libsbml.AST_FUNCTION_POWER)
_ALLOWED = "A mechanism may use + - * / ^, exp, ln, log10, sqrt, root, tanh, abs, min and max."
_MOST_CALLS = 20_000


@dataclass(frozen=True)
class Symbol:
    """What an id of the file stands for: an expression here, and the unit that its number has in the file."""

    tree: Expression
    form: Form


_Typed = tuple[Expression, Form | None]
"""An expression with its unit; None: a bare zero, which has any."""


@dataclass(kw_only=True)
class FormulaTranslator:
    """Translates formulas; equations between units gather in `equations`.

    Attributes
    ----------
    model : the libsbml model.
    path : file, for messages.
    symbol : gives the meaning of an id; raises for one that has none in this place.
    time : unit of time of the file.
    constant : makes a parameter of a number with a unit: (number, unit) -> its name here.
    fixed : gives the value of a constant parameter of the file, or None; for exponents of what has a unit.
    exponents : ids of parameters whose value was written into an exponent.
    uses_time : whether a formula uses the time.
    """

    model: Any
    path: str
    symbol: Callable[[str], Symbol]
    time: Form
    constant: Callable[[float, Any], str]
    fixed: Callable[[str], float | None]
    equations: list[Equation] = field(default_factory=list)
    exponents: set[str] = field(default_factory=set)
    uses_time: bool = False
    _nodes: int = 0
    _where: str = ""

    def convert(self, item: Any, what: str, names: Mapping[str, Symbol] | None = None) -> _Typed:
        """Translate the formula of an element of the file.

        Parameters
        ----------
        item
            The libsbml element with the formula.
        what
            The element in words, for messages.
        names
            Ids that have another meaning here: local parameters.

        Raises
        ------
        ModelError
            For a construct that expressions here cannot hold; names it with the line.
        """
        self._where = f"{self.path}, line {item.getLine()}, {what}"
        self._nodes = 0
        if item.getMath() is None:
            raise self._refuse("no formula", "Give it one, or remove the element.")
        try:
            return self._convert(item.getMath(), dict(names or {}))
        except RecursionError:
            raise ModelError("the formula is nested too deeply", where=self._where) from None

    def _refuse(self, text: str, hint: str = _ALLOWED) -> ModelError:
        return ModelError(text, where=self._where, hint=hint)

    def _convert(self, node: Any, names: Mapping[str, Symbol]) -> _Typed:
        self._nodes += 1
        if self._nodes > _MOST_CALLS:
            raise self._refuse(
                "the formula is too long once its functions are expanded", "Split it into assignment rules."
            )
        kind = node.getType()
        leaf = self._leaf(node, kind, names)
        if leaf is not None:
            return leaf
        if kind == libsbml.AST_FUNCTION:
            return self._call(node, names)
        if kind in _POWERS:
            return self._power(node.getChild(0), node.getChild(1), names)
        if kind == libsbml.AST_FUNCTION_PIECEWISE:
            hint = "Write the switch as a smooth one, such as x^4 / (x^4 + K^4), or with min and max."
            raise self._refuse("'piecewise' has no counterpart here", hint)
        parts = [self._convert(node.getChild(i), names) for i in range(node.getNumChildren())]
        if kind == libsbml.AST_TIMES:
            return self._product(parts)
        if kind == libsbml.AST_DIVIDE:
            (above, above_form), (below, below_form) = parts
            return Apply("/", (above, below)), (above_form or Form()).times(below_form or Form(), -1.0)
        if kind in (libsbml.AST_PLUS, libsbml.AST_MINUS):
            return self._sum(kind, parts)
        return self._function(node, kind, parts)

    def _leaf(self, node: Any, kind: int, names: Mapping[str, Symbol]) -> _Typed | None:
        if kind in _NUMBERS:
            return self._number(node)
        if kind == libsbml.AST_CONSTANT_PI:
            return Name("pi"), Form()
        if kind == libsbml.AST_CONSTANT_E:
            return Number(math.e), Form()
        if kind == libsbml.AST_NAME:
            name = node.getName()
            symbol = names[name] if name in names else self.symbol(name)
            return symbol.tree, symbol.form
        if kind == libsbml.AST_NAME_TIME:
            self.uses_time = True
            return Name("time"), self.time
        return None

    def _number(self, node: Any) -> _Typed:
        value = float(node.getValue())
        if not math.isfinite(value):
            raise self._refuse(f"the number {value} in a formula", "Write a finite number.")
        identifier = node.getUnits() if node.isSetUnits() else ""
        if value == 0.0 and not identifier:
            return Number(0.0), None
        unit = declared_unit(self.model, identifier, self._where) if identifier else None
        if unit is None or (unit.factor == 1.0 and not any(unit.dimension)):
            return Number(value), Form()
        return Name(self.constant(value, unit)), unit_form(unit)

    def _product(self, parts: list[_Typed]) -> _Typed:
        if not parts:
            return Number(1.0), Form()
        tree, form = parts[0][0], parts[0][1] or Form()
        for factor, other in parts[1:]:
            tree, form = _times(tree, factor), form.times(other or Form())
        return tree, form

    def _sum(self, kind: int, parts: list[_Typed]) -> _Typed:
        if not parts:
            return Number(0.0), None
        if kind == libsbml.AST_MINUS and len(parts) == 1:
            tree = parts[0][0]
            return Number(-tree.value) if isinstance(tree, Number) else Apply("neg", (tree,)), parts[0][1]
        form = self._alike(parts)
        tree = parts[0][0]
        for term, _ in parts[1:]:
            tree = Apply("+" if kind == libsbml.AST_PLUS else "-", (tree, term))
        return tree, form

    def _alike(self, parts: list[_Typed]) -> Form | None:
        """The unit of terms that are added or compared, which must be one."""
        with_unit = [(tree, form) for tree, form in parts if form is not None]
        for tree, form in with_unit[1:]:
            self._equal(with_unit[0][1], form, _shown(with_unit[0][0]), _shown(tree))
        return with_unit[0][1] if with_unit else None

    def _equal(self, first: Form, second: Form, left: str, right: str) -> None:
        self.equations.append(Equation(first, second, left, right, self._where))

    def _plain(self, argument: _Typed, of: str) -> Expression:
        """An argument that has to be a plain number."""
        if argument[1] is not None:
            self._equal(argument[1], Form(), _shown(argument[0]), of)
        return argument[0]

    def _power(self, base_node: Any, exponent_node: Any, names: Mapping[str, Symbol]) -> _Typed:
        base, form = self._convert(base_node, names)
        form = form or Form()
        exponent, value = self._exponent(exponent_node, names)
        if value is None:
            self._equal(form, Form(), _shown(base), f"the base of a power with the exponent {_shown(exponent)}")
            return Apply("^", (base, exponent)), Form()
        if isinstance(exponent_node, str) or not (form.unknown or any(form.vector)):
            return Apply("^", (base, exponent)), Form().times(form, value)
        return Apply("^", (base, self._written(exponent_node, exponent, value))), Form().times(form, value)

    def _exponent(self, node: Any, names: Mapping[str, Symbol]) -> tuple[Expression, float | None]:
        """An exponent, and its value where that is fixed."""
        tree = self._plain(self._convert(node, names), "an exponent")
        if isinstance(tree, Number):
            return tree, tree.value
        if node.getType() == libsbml.AST_NAME and node.getName() not in names:
            return tree, self.fixed(node.getName())
        return tree, _literal(tree)

    def _written(self, node: Any, tree: Expression, value: float) -> Expression:
        """The exponent of what has a unit: a number, as the unit of the power could not be known otherwise."""
        if node.getType() == libsbml.AST_NAME:
            self.exponents.add(node.getName())
            return Number(value)
        return tree

    def _function(self, node: Any, kind: int, parts: list[_Typed]) -> _Typed:
        if kind in _UNARY:
            name = _UNARY[kind]
            return Apply(name, (self._plain(parts[0], f"the argument of {name}()"),)), Form()
        if kind in _EXTREMES and len(parts) >= 2:
            form = self._alike(parts)
            return Apply(_EXTREMES[kind], tuple(tree for tree, _ in parts)), form
        if kind == libsbml.AST_FUNCTION_ABS:
            tree, form = parts[0]
            return Apply("max", (tree, Apply("neg", (tree,)))), form
        if kind == libsbml.AST_FUNCTION_LOG:
            base = parts[0][0] if len(parts) == 2 else Number(10.0)
            if isinstance(base, Number) and base.value > 0 and base.value != 1:
                argument = self._plain(parts[-1], "the argument of log()")
                return Apply("/", (Apply("log", (argument,)), Number(math.log(base.value)))), Form()
        if kind == libsbml.AST_FUNCTION_ROOT:
            tree, form = parts[-1]
            degree = parts[0][0] if len(parts) == 2 else Number(2.0)
            if isinstance(degree, Number) and degree.value:
                power = 1.0 / degree.value
                root = Apply("sqrt", (tree,)) if degree.value == 2 else Apply("^", (tree, Number(power)))
                return root, Form().times(form or Form(), power)
        called = node.getName() or node.getOperatorName() or libsbml.formulaToL3String(node)
        raise self._refuse(f"'{called}' has no counterpart here")

    def _call(self, node: Any, names: Mapping[str, Symbol]) -> _Typed:
        """Write out a function of the file."""
        definition = self.model.getFunctionDefinition(node.getName())
        arguments = [self._convert(node.getChild(i), names) for i in range(node.getNumChildren())]
        if definition is None or definition.getNumArguments() != len(arguments):
            raise self._refuse(f"'{node.getName()}' is not a function of the file with {len(arguments)} arguments")
        inner = {
            definition.getArgument(i).getName(): Symbol(tree, form or Form())
            for i, (tree, form) in enumerate(arguments)
        }
        return self._convert(definition.getBody(), inner)


def _times(left: Expression, right: Expression) -> Expression:
    """A product; the volume of a compartment cancels with that of a concentration, as in ``k * S * compartment``."""
    for volume, other in ((right, left), (left, right)):
        if isinstance(volume, Name) and (cancelled := _without_divisor(other, volume)) is not None:
            return cancelled
    return Apply("*", (left, right))


def _without_divisor(tree: Expression, divisor: Name) -> Expression | None:
    """A product or quotient without one division by a name; None where it has none."""
    if not isinstance(tree, Apply) or tree.op not in ("*", "/"):
        return None
    left, right = tree.args
    if tree.op == "/" and right == divisor:
        return left
    if (inner := _without_divisor(left, divisor)) is not None:
        return Apply(tree.op, (inner, right))
    if tree.op == "*" and (inner := _without_divisor(right, divisor)) is not None:
        return Apply("*", (left, inner))
    return None


def _shown(tree: Expression) -> str:
    from immunescape.model.expressions import write

    text = write(tree)
    return f"`{text if len(text) <= 60 else text[:57] + '...'}`"


def _literal(tree: Expression) -> float | None:
    """The value of an expression of numbers only."""
    if isinstance(tree, Number):
        return tree.value
    if isinstance(tree, Name):
        return None
    values = [_literal(a) for a in tree.args]
    if any(v is None for v in values):
        return None
    from immunescape.model.expressions import evaluate

    return float(evaluate(tree, lambda name: math.nan))
