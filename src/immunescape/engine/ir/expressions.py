"""Expressions that the engine understands: an immutable graph in which equal parts are one object.

Every value is a double; a truth value is 1.0 or 0.0, and any number other than 0 counts as true. The node kinds
(`Expr.op`) are

=============================  ==========  =======================================================================
op                             arguments   meaning
=============================  ==========  =======================================================================
``num``                        0           the number ``Expr.value``
``sym``                        0           the value called ``Expr.name``
``time``                       0           model time
``add``, ``mul``               2 or more   sum, product (a difference is ``a + (-1)*b``)
``div``, ``pow``               2           quotient, power
``min``, ``max``               2           smaller, larger
unary functions (`UNARY`)      1           ``exp ln log10 sqrt abs floor ceil gamma``, trigonometric, hyperbolic
``lt le gt ge eq ne``          2           comparison
``and``, ``or``                2 or more   logic
``not``                        1           logic
``if``                         3           condition, value where it is true, value elsewhere
=============================  ==========  =======================================================================

Build nodes with the functions of this module (or with operators on nodes); they fold numbers and drop neutral
elements. The arguments of commutative nodes are in an order that depends on their content only, so the same model
gives the same graph in every process.
"""

from __future__ import annotations

import math
import struct
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from operator import attrgetter

import numpy as np

__all__ = [
    "COMPARISONS",
    "ONE",
    "TIME",
    "UNARY",
    "ZERO",
    "Expr",
    "add",
    "compare",
    "div",
    "func",
    "if_",
    "land",
    "lnot",
    "lor",
    "maximum",
    "minimum",
    "mul",
    "neg",
    "num",
    "postorder",
    "pow_",
    "sub",
    "sym",
]

UNARY: tuple[str, ...] = (
    "exp",
    "ln",
    "log10",
    "sqrt",
    "abs",
    "floor",
    "ceil",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "asinh",
    "acosh",
    "atanh",
    "gamma",
)
COMPARISONS: tuple[str, ...] = ("lt", "le", "gt", "ge", "eq", "ne")

NUMPY: dict[str, Callable[..., np.float64]] = {
    "exp": np.exp,
    "ln": np.log,
    "log10": np.log10,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "floor": np.floor,
    "ceil": np.ceil,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "div": np.divide,
    "pow": np.power,
    "min": np.minimum,
    "max": np.maximum,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
}


class Expr:
    """One node of an expression graph. Equal expressions are the same object, so ``is`` compares them.

    Attributes
    ----------
    op : kind of node (see the module). args : its arguments.
    value : the number of a ``num`` node, else 0. name : the name of a ``sym`` node, else empty.
    digest : 16 bytes that stand for the content, the same in every process.
    """

    __slots__ = ("__weakref__", "args", "digest", "name", "op", "value")

    op: str
    args: tuple[Expr, ...]
    value: float
    name: str
    digest: bytes

    def __setattr__(self, key: str, value: object) -> None:
        raise AttributeError("expressions cannot be changed")

    def __reduce__(self) -> tuple[object, ...]:
        return _node, (self.op, self.args, self.value, self.name)

    def __repr__(self) -> str:
        if self.op == "num":
            return repr(self.value)
        if self.op == "sym":
            return self.name
        return f"{self.op}({', '.join(map(repr, self.args))})" if self.args else self.op

    def is_num(self, value: float | None = None) -> bool:
        """Whether this is a number (and equal to `value`, where given)."""
        return self.op == "num" and (value is None or self.value == value)

    def __add__(self, other: Expr | float) -> Expr:
        return add(self, _coerce(other))

    __radd__ = __add__

    def __sub__(self, other: Expr | float) -> Expr:
        return sub(self, _coerce(other))

    def __rsub__(self, other: Expr | float) -> Expr:
        return sub(_coerce(other), self)

    def __mul__(self, other: Expr | float) -> Expr:
        return mul(self, _coerce(other))

    __rmul__ = __mul__

    def __truediv__(self, other: Expr | float) -> Expr:
        return div(self, _coerce(other))

    def __rtruediv__(self, other: Expr | float) -> Expr:
        return div(_coerce(other), self)

    def __pow__(self, other: Expr | float) -> Expr:
        return pow_(self, _coerce(other))

    def __neg__(self) -> Expr:
        return neg(self)


_nodes: weakref.WeakValueDictionary[tuple[object, ...], Expr] = weakref.WeakValueDictionary()
"""Every living node by its content; arguments are known by identity, because a node keeps its own alive."""
_lock = threading.Lock()
_by_digest = attrgetter("digest")


def _node(op: str, args: tuple[Expr, ...] = (), value: float = 0.0, name: str = "") -> Expr:
    content = (op, value if value == value else "nan", name, *map(id, args))
    existing = _nodes.get(content)
    if existing is not None:
        return existing
    parts = [op.encode(), struct.pack("<d", value), name.encode(), *map(_by_digest, args)]
    node = Expr.__new__(Expr)
    give = object.__setattr__
    give(node, "op", op)
    give(node, "args", args)
    give(node, "value", value)
    give(node, "name", name)
    give(node, "digest", blake2b(b"".join(parts), digest_size=16).digest())
    with _lock:
        return _nodes.setdefault(content, node)


def _coerce(value: Expr | float) -> Expr:
    return value if isinstance(value, Expr) else num(value)


def num(value: float) -> Expr:
    """A number."""
    value = float(value)
    return _node("num", value=value if value != 0.0 else 0.0)


def sym(name: str) -> Expr:
    """The value called `name`: a state, a parameter, a constant or an assignment."""
    return _node("sym", name=name)


ZERO = num(0.0)
ONE = num(1.0)
TIME = _node("time")


def _coefficient(term: Expr) -> tuple[float, Expr]:
    """Split a term into its numeric factor and the rest."""
    if term.op == "mul" and term.args[0].op == "num":
        rest = term.args[1:]
        return term.args[0].value, rest[0] if len(rest) == 1 else _node("mul", rest)
    return 1.0, term


def _ordered(terms: Iterable[Expr]) -> tuple[Expr, ...]:
    ordered = sorted(terms, key=_by_digest)
    ordered.sort(key=_is_no_number)
    return tuple(ordered)


def _is_no_number(term: Expr) -> bool:
    return term.op != "num"


def _flat(op: str, args: Iterable[Expr]) -> Iterator[Expr]:
    for arg in args:
        if arg.op == op:
            yield from arg.args
        else:
            yield arg


def add(*args: Expr) -> Expr:
    """Sum; numbers are folded and equal terms collected."""
    total = 0.0
    terms: dict[Expr, float] = {}
    for arg in args:
        for term in arg.args if arg.op == "add" else (arg,):
            if term.op == "num":
                total += term.value
            else:
                factor, rest = _coefficient(term)
                terms[rest] = terms.get(rest, 0.0) + factor
    parts = [rest if factor == 1.0 else mul(num(factor), rest) for rest, factor in terms.items() if factor != 0.0]
    return _joined("add", parts, total, ZERO)


def mul(*args: Expr) -> Expr:
    """Product; numbers are folded, equal factors become powers with whole exponents, zero times anything is zero."""
    total = 1.0
    factors: dict[Expr, float] = {}
    for arg in args:
        for term in arg.args if arg.op == "mul" else (arg,):
            op = term.op
            if op == "num":
                total *= term.value
                continue
            base, exponent = term, 1.0
            if op == "pow":
                power = term.args[1]
                if power.op == "num" and power.value > 0 and power.value.is_integer():
                    base, exponent = term.args[0], power.value
            factors[base] = factors.get(base, 0.0) + exponent
    if total == 0.0:
        return ZERO
    parts = [base if exponent == 1.0 else pow_(base, num(exponent)) for base, exponent in factors.items()]
    return _joined("mul", parts, total, ONE)


def _joined(op: str, parts: list[Expr], number: float, neutral: Expr) -> Expr:
    """The node of these parts, a number first, the others by digest."""
    parts.sort(key=_by_digest)
    if number != neutral.value:
        parts.insert(0, num(number))
    if len(parts) < 2:
        return parts[0] if parts else neutral
    return _node(op, tuple(parts))


def neg(a: Expr) -> Expr:
    """``-a``."""
    return mul(num(-1.0), a)


def sub(a: Expr, b: Expr) -> Expr:
    """``a - b``."""
    return add(a, neg(b))


def _fold(op: str, *args: Expr) -> Expr:
    """Make the node, or the number where all arguments are numbers."""
    if all(a.op == "num" for a in args):
        with np.errstate(all="ignore"):
            return num(float(NUMPY[op](*(np.float64(a.value) for a in args))))
    return _node(op, args)


def div(a: Expr, b: Expr) -> Expr:
    """``a / b``."""
    if b.is_num(1.0):
        return a
    if a.is_num(0.0) and not b.is_num():
        return ZERO
    return _fold("div", a, b)


def pow_(a: Expr, b: Expr) -> Expr:
    """``a ** b``."""
    if b.is_num(1.0):
        return a
    if b.is_num(0.0) or a.is_num(1.0):
        return ONE
    return _fold("pow", a, b)


def func(name: str, a: Expr) -> Expr:
    """A unary function: one of `UNARY`."""
    if name not in UNARY:
        raise ValueError(f"unknown function '{name}'")
    if name == "gamma":
        if a.op != "num":
            return _node(name, (a,))
        try:
            return num(math.gamma(a.value))
        except (ValueError, OverflowError):
            return num(math.nan if a.value <= 0 else math.inf)
    return _fold(name, a)


def minimum(*args: Expr) -> Expr:
    """Smallest of the arguments."""
    return _chain("min", args)


def maximum(*args: Expr) -> Expr:
    """Largest of the arguments."""
    return _chain("max", args)


def _chain(op: str, args: tuple[Expr, ...]) -> Expr:
    if not args:
        raise ValueError(f"{op} needs an argument")
    result = args[0]
    for arg in args[1:]:
        result = result if arg is result else _fold(op, result, arg)
    return result


def compare(op: str, a: Expr, b: Expr) -> Expr:
    """Comparison, one of `COMPARISONS`."""
    if op not in COMPARISONS:
        raise ValueError(f"unknown comparison '{op}'")
    return _fold(op, a, b)


def land(*args: Expr) -> Expr:
    """True where all arguments are."""
    return _logic("and", args, absorbing=False)


def lor(*args: Expr) -> Expr:
    """True where any argument is."""
    return _logic("or", args, absorbing=True)


def _logic(op: str, args: tuple[Expr, ...], absorbing: bool) -> Expr:
    parts: dict[Expr, None] = {}
    for arg in _flat(op, args):
        if arg.op == "num":
            if (arg.value != 0.0) == absorbing:
                return num(float(absorbing))
        else:
            parts[arg] = None
    if not parts:
        return num(float(not absorbing))
    if len(parts) == 1:
        return lnot(lnot(next(iter(parts))))
    return _node(op, _ordered(parts))


def lnot(a: Expr) -> Expr:
    """True where `a` is not."""
    if a.op == "num":
        return num(float(a.value == 0.0))
    if a.op == "not" and a.args[0].op in (*COMPARISONS, "and", "or", "not"):
        return a.args[0]
    return _node("not", (a,))


def if_(condition: Expr, then: Expr, otherwise: Expr) -> Expr:
    """`then` where the condition holds, `otherwise` elsewhere."""
    if condition.op == "num":
        return then if condition.value != 0.0 else otherwise
    return then if then is otherwise else _node("if", (condition, then, otherwise))


def postorder(roots: Iterable[Expr]) -> list[Expr]:
    """Every node below the roots once, arguments before the nodes that use them."""
    seen: set[Expr] = set()
    order: list[Expr] = []
    for root in roots:
        stack: list[tuple[Expr, int]] = [(root, 0)]
        while stack:
            node, position = stack.pop()
            if position == 0 and node in seen:
                continue
            if position < len(node.args):
                stack.append((node, position + 1))
                if node.args[position] not in seen:
                    stack.append((node.args[position], 0))
            elif node not in seen:
                seen.add(node)
                order.append(node)
    return order
