"""Expressions: text -> tree, by a parser that knows numbers, names, a few operators and functions, and nothing else.

Nothing is ever handed to Python's own evaluator. A tree is plain data: it can be searched for names, checked for units
(`immunescape.model.dimensions`), written as text or MathML, and evaluated with numpy.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from immunescape.errors import ModelError, unknown_word
from immunescape.model.units import Dimension

__all__ = [
    "COMPARISONS",
    "FUNCTIONS",
    "RESERVED",
    "Apply",
    "Expression",
    "Name",
    "Number",
    "chain",
    "evaluate",
    "functions",
    "names",
    "parse",
    "product",
    "quotient",
    "total",
    "write",
]

FUNCTIONS: Mapping[str, tuple[int, int | None]] = {
    "exp": (1, 1),
    "log": (1, 1),
    "sqrt": (1, 1),
    "tanh": (1, 1),
    "pow": (2, 2),
    "min": (2, None),
    "max": (2, None),
}
"""Functions, with the smallest and largest number of arguments."""

COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
_LOGIC = ("&&", "||")
RESERVED = frozenset({*FUNCTIONS, "SUM", "pi", "time"})
"""Words that a state, parameter or quantity may not be called. `pi` and `time` (day) may be used in expressions."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<op>\*\*|<=|>=|==|!=|&&|\|\||[-+*/^(),<>])|(?P<bad>\S))"
)


@dataclass(frozen=True, slots=True)
class Number:
    """A literal. `dimension` is set when units are checked: a bare zero takes the dimension of its surroundings."""

    value: float
    dimension: Dimension | None = None


@dataclass(frozen=True, slots=True)
class Name:
    """A state, parameter, quantity, ``pi`` or ``time``."""

    id: str


@dataclass(frozen=True, slots=True)
class Apply:
    """An operator (``+ - * / ^ neg``, a comparison, ``&& ||``) or a function with its arguments."""

    op: str
    args: tuple[Expression, ...]


Expression = Number | Name | Apply


class _Parser:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, text: str, where: str | None) -> None:
        self.text, self.where = text, where
        self.tokens: list[tuple[str, str, int]] = []
        for match in _TOKEN.finditer(text.rstrip()):
            kind = str(match.lastgroup)
            if kind == "bad":
                self.fail(f"'{match.group(kind)}' has no meaning here", match.start(kind))
            self.tokens.append((kind, match.group(kind), match.start(kind)))
        self.tokens.append(("end", "", len(text)))
        self.at = 0

    def fail(self, message: str, position: int | None = None) -> None:
        spot = self.tokens[self.at][2] if position is None else position
        raise ModelError(f"{message} (character {spot + 1} of `{self.text}`)", where=self.where)

    def take(self, *words: str) -> str | None:
        kind, text_of_token, _ = self.tokens[self.at]
        if kind == "op" and text_of_token in words:
            self.at += 1
            return text_of_token
        return None

    def expect(self, symbol: str) -> None:
        if not self.take(symbol):
            actual = self.tokens[self.at][1]
            self.fail(f"'{symbol}' expected" + (f", found '{actual}'" if actual else " at the end"))

    def logical(self) -> Expression:
        left = self.comparison()
        while op := self.take(*_LOGIC):
            left = Apply(op, (left, self.comparison()))
        return left

    def comparison(self) -> Expression:
        left = self.sum()
        if op := self.take(*COMPARISONS):
            return Apply(op, (left, self.sum()))
        return left

    def sum(self) -> Expression:
        left = self.product()
        while op := self.take("+", "-"):
            left = Apply(op, (left, self.product()))
        return left

    def product(self) -> Expression:
        left = self.signed()
        while op := self.take("*", "/"):
            left = Apply(op, (left, self.signed()))
        return left

    def signed(self) -> Expression:
        if self.take("-"):
            inner = self.signed()
            return Number(-inner.value) if isinstance(inner, Number) else Apply("neg", (inner,))
        if self.take("+"):
            return self.signed()
        return self.power()

    def power(self) -> Expression:
        base = self.atom()
        if self.take("^", "**"):
            return Apply("^", (base, self.signed()))
        return base

    def atom(self) -> Expression:
        kind, symbol, _ = self.tokens[self.at]
        if kind == "number":
            self.at += 1
            return Number(float(symbol))
        if kind == "name":
            self.at += 1
            return self.call(symbol) if self.tokens[self.at][1] == "(" else Name(symbol)
        if self.take("("):
            inner = self.logical()
            self.expect(")")
            return inner
        self.fail(f"a number, name or '(' expected, found '{symbol}'" if symbol else "a number, name or '(' expected")
        raise AssertionError

    def call(self, function: str) -> Expression:
        if function not in FUNCTIONS:
            raise unknown_word("function", function, FUNCTIONS, where=self.place(), error=ModelError)
        self.expect("(")
        args = [self.sum()]
        while self.take(","):
            args.append(self.sum())
        self.expect(")")
        low, high = FUNCTIONS[function]
        if len(args) < low or (high is not None and len(args) > high):
            self.fail(f"{function}() takes {low}{'' if high == low else ' or more'} argument(s), not {len(args)}")
        return Apply("^", tuple(args)) if function == "pow" else Apply(function, tuple(args))

    def place(self) -> str:
        return f"{self.where}, `{self.text}`" if self.where else f"`{self.text}`"


def parse(text: str, *, where: str | None = None, condition: bool = False) -> Expression:
    """Parse an expression.

    Parameters
    ----------
    text
        E.g. ``k_growth * C * (1 - C / C_max)``. ``^`` and ``**`` are the power, right associative.
    where
        Declaration that the text comes from, for errors.
    condition
        Whether a comparison is wanted (the trigger of an event), and nothing but a comparison.

    Raises
    ------
    ModelError
        Naming the declaration, the character and, for a misspelt function, the nearest one.
    """
    parser = _Parser(text, where)
    tree = parser.logical()
    if parser.tokens[parser.at][0] != "end":
        parser.fail(f"'{parser.tokens[parser.at][1]}' is not expected")
    _check_logic(tree, condition, parser)
    return tree


def _check_logic(tree: Expression, condition: bool, parser: _Parser) -> None:
    """Refuse a comparison inside arithmetic, and arithmetic where a comparison is needed."""
    is_condition = isinstance(tree, Apply) and tree.op in (*COMPARISONS, *_LOGIC)
    if condition != is_condition:
        raise ModelError(
            "a comparison such as `C < K` is needed here" if condition else "a comparison is not a number",
            where=parser.place(),
        )
    if isinstance(tree, Apply):
        for arg in tree.args:
            _check_logic(arg, tree.op in _LOGIC, parser)


def _walk(tree: Expression) -> Iterator[Expression]:
    stack = [tree]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, Apply):
            stack.extend(reversed(node.args))


def names(tree: Expression) -> list[str]:
    """Return the names that an expression uses, each once, in order of appearance, without ``pi`` and ``time``."""
    symbols = dict.fromkeys(node.id for node in _walk(tree) if isinstance(node, Name))
    return [n for n in symbols if n not in ("pi", "time")]


def total(terms: list[Expression]) -> Expression:
    """Return the sum of expressions; zero of none."""
    if not terms:
        return Number(0.0)
    result = terms[0]
    for term in terms[1:]:
        result = Apply("+", (result, term))
    return result


def product(factors: list[Expression]) -> Expression:
    """Return the product of expressions; one of none."""
    if not factors:
        return Number(1.0)
    result = factors[0]
    for factor in factors[1:]:
        result = Apply("*", (result, factor))
    return result


def quotient(above: Expression, below: Expression) -> Expression:
    """Return ``above / below``."""
    return Apply("/", (above, below))


_PRECEDENCE = {"||": 1, "&&": 2, **dict.fromkeys(COMPARISONS, 3), "+": 4, "-": 4, "*": 5, "/": 5, "neg": 6, "^": 7}


def write(tree: Expression) -> str:
    """Write an expression as text, with no more parentheses than needed; `parse` reads it back."""
    return _write(tree)[0]


def _write(tree: Expression) -> tuple[str, int]:
    if isinstance(tree, Number):
        return f"{tree.value!r}".removesuffix(".0"), 6 if tree.value < 0 else 9
    if isinstance(tree, Name):
        return tree.id, 9
    if tree.op not in _PRECEDENCE:
        return f"{tree.op}({', '.join(write(a) for a in tree.args)})", 9
    precedence = _PRECEDENCE[tree.op]
    parts = [_write(a) for a in tree.args]
    if tree.op == "neg":
        return f"-{_wrap(parts[0], precedence)}", precedence
    if tree.op == "^":
        return f"{_wrap(parts[0], precedence + 1)}^{_wrap(parts[1], precedence)}", precedence
    tight = tree.op in ("-", "/") or tree.op in COMPARISONS
    return (
        f"{_wrap(parts[0], precedence)} {tree.op} {_wrap(parts[1], precedence + 1 if tight else precedence)}",
        precedence,
    )


def _wrap(operand: tuple[str, int], least: int) -> str:
    return operand[0] if operand[1] >= least else f"({operand[0]})"


@cache
def functions() -> Mapping[str, Callable[..., Any]]:
    """Return the numpy function of each operation."""
    import numpy as np

    return {
        "+": np.add,
        "-": np.subtract,
        "*": np.multiply,
        "/": np.divide,
        "^": np.power,
        "neg": np.negative,
        "exp": np.exp,
        "log": np.log,
        "sqrt": np.sqrt,
        "tanh": np.tanh,
        "min": np.minimum,
        "max": np.maximum,
        "<": np.less,
        "<=": np.less_equal,
        ">": np.greater,
        ">=": np.greater_equal,
        "==": np.equal,
        "!=": np.not_equal,
        "&&": np.logical_and,
        "||": np.logical_or,
    }


def evaluate(tree: Expression, value: Callable[[str], Any]) -> Any:
    """Evaluate an expression with numpy.

    Parameters
    ----------
    tree
        The expression.
    value
        Function name -> number or array (also asked for ``time``); arrays broadcast against each other.
    """
    return _evaluate(tree, value, functions())


def _evaluate(tree: Expression, value: Callable[[str], Any], table: Mapping[str, Callable[..., Any]]) -> Any:
    if isinstance(tree, Number):
        return tree.value
    if isinstance(tree, Name):
        return math.pi if tree.id == "pi" else value(tree.id)
    args = [_evaluate(a, value, table) for a in tree.args]
    function = table[tree.op]
    result = function(*args[:2]) if len(args) > 1 else function(args[0])
    for extra in args[2:]:
        result = function(result, extra)
    return result


def chain(tree: Apply) -> list[Expression]:
    """Return the parts of a chain of one operation, such as a sum, from left to right."""
    parts: list[Expression] = []
    stack: list[Expression] = [tree]
    while stack:
        item = stack.pop()
        if isinstance(item, Apply) and item.op == tree.op:
            stack.extend(reversed(item.args))
        else:
            parts.append(item)
    return parts
