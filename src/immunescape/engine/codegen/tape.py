"""Straight-line programs: expressions lowered to two-argument operations, each computed once, and printed as C.

Lowering keeps every sum and product as a list of operands first, so that parts which several of them share (found
greedily, the most frequent pair first) are computed once. Parts that depend on parameters only are handed to a `Hoist`:
they are computed once for each patient. Quotients become products with one shared reciprocal.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from immunescape.engine.codegen.hoist import Hoist
from immunescape.engine.codegen.shared_pairs import share_pairs
from immunescape.engine.ir import expressions as ir
from immunescape.engine.ir.expressions import COMPARISONS, Expr
from immunescape.errors import EngineError

__all__ = ["Tape"]

_COMPARE = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
_MASKS = frozenset((*COMPARISONS, "and", "or", "not"))
_SIGNS = {"mul": "*", "add": "+", "sub": "-"}
# Whole powers up to this one become multiplications (at most 2 log2 n of them); beyond it `pow` is faster.
_LONGEST_POWER = 64


Node = tuple[Any, ...]  # (op, *arguments): arguments are indices of earlier nodes, or names and numbers for leaves


class Tape:
    """A straight-line program over lanes.

    Parameters
    ----------
    symbols
        Name -> C expression of its value.
    hoist
        Where parameter-only parts go; None computes them in place.
    """

    def __init__(self, symbols: Mapping[str, str], hoist: Hoist | None = None) -> None:
        self.symbols = symbols
        self.hoist = hoist
        self.nodes: list[Node] = []
        self._index: dict[Node, int] = {}
        self._lowered: dict[Expr, int] = {}
        self._lists: dict[int, list[tuple[int, int]]] = {}  # n-ary node -> its (operand, sign) list, until `share`
        self._resolved: dict[int, int] = {}
        self._kids: list[tuple[int, ...]] = []  # operands of each node
        self._texts: list[str] = []  # how each node is written where it is used
        self.constants: dict[int, Expr] = {}  # node -> what it stands for, where that is constant
        self._joined: dict[int, str] = {}  # node -> the C function that computes it, see `join`

    # ---- building -------------------------------------------------------------------------------------------------
    def node(self, *content: object) -> int:
        """Index of the node with this content, made where it is new."""
        # Hash-consing: equal content is one node, so that common subexpressions need no search of their own.
        slot = self._index.get(content)
        if slot is not None:
            return slot
        index = self._index[content] = len(self.nodes)
        self.nodes.append(content)
        kids, text = content[1:], f"v{index}"
        op = content[0]
        if op in ("leaf", "num"):
            kids, text = (), str(content[1]) if op == "leaf" else f"all({literal(float(content[1]))})"  # type: ignore[arg-type]
        elif op == "call":
            kids = content[2:]
        self._kids.append(kids)  # type: ignore[arg-type]
        self._texts.append(text)
        return index

    def leaf(self, text: str) -> int:
        """A value that C already has a name for."""
        return self.node("leaf", text)

    def number(self, value: float) -> int:
        """A literal."""
        index = self.node("num", float(value))
        if index not in self.constants:
            self.constants[index] = ir.num(value)
        return index

    def constant(self, value: Expr) -> int:
        """A value that depends on constants only, hoisted unless it is a number or a name."""
        index = self.lower([value])[0]
        self.constants[index] = value
        return index

    def lower(self, roots: Sequence[Expr]) -> list[int]:
        """Indices of the expressions. All expressions of a tape are lowered before `share` is called."""
        for root in roots:
            if root not in self._lowered:
                for node in self._order([root]):
                    if node not in self._lowered:
                        self._lowered[node] = self._lower(node)
        return [self._lowered[root] for root in roots]

    def _operand(self, node: Expr) -> int:
        """Index of one expression, as a number."""
        index = self._lowered.get(node)
        return self._value(self.lower([node])[0] if index is None else index)

    def _leafy(self, node: Expr) -> bool:
        return node.op in ("num", "sym", "time") or (self.hoist is not None and self.hoist.fixed(node))

    def _order(self, roots: Sequence[Expr]) -> list[Expr]:
        """Post-order that does not descend into hoisted parts (products and sums ask for their own)."""
        seen: set[Expr] = set()
        order: list[Expr] = []
        stack: list[tuple[Expr, bool]] = [(root, False) for root in reversed(roots)]
        while stack:
            node, ready = stack.pop()
            if ready:
                order.append(node)
                continue
            if node in seen or node in self._lowered:
                continue
            seen.add(node)
            stack.append((node, True))
            if not self._leafy(node):
                # A constant operand of a sum or product is not visited: it is joined with the other constants there,
                # and on its own it would take a slot of hoisted values that nothing reads.
                joins = node.op in ("mul", "add", "div")
                stack.extend((a, False) for a in reversed(node.args) if not (joins and self._leafy(a)))
        return order

    def _lower(self, node: Expr) -> int:
        op = node.op
        if op == "num":
            return self.number(node.value)
        if op == "sym":
            if node.name not in self.symbols:
                raise EngineError(f"'{node.name}' has no value where it is used")
            index = self.leaf(self.symbols[node.name])
            if self.hoist is not None and self.hoist.fixed(node):
                self.constants[index] = node
            return index
        if self.hoist is not None and self.hoist.fixed(node):
            # Computed once per patient instead of at every stage of every step; most of a model's operations are such.
            index = self.leaf(f"c[{self.hoist.slot(node)}]")
            self.constants[index] = node
            return index
        if op == "time":
            return self.leaf("t")
        if op in ("mul", "div"):
            return self._product(node)
        if op == "add":
            return self._sum(node)
        args = [self._lowered[a] for a in node.args]
        if op == "pow":
            return self._power(node, args)
        if op in _MASKS:
            if op in COMPARISONS:
                return self.node(op, *args)
            return self.node(op, *(self._mask(a, i) for a, i in zip(node.args, args, strict=True)))
        if op == "if":
            return self.node("if", self._mask(node.args[0], args[0]), *(self._value(i) for i in args[1:]))
        args = [self._value(i) for i in args]
        if op == "ln":
            return self.node("call", "v_log", *args)
        if op == "gamma":
            raise EngineError("the native engine has no gamma function")
        return self.node("call", f"v_{op}", *args)

    def _mask(self, expr: Expr, index: int) -> int:
        return index if self.nodes[index][0] in _MASKS else self.node("ne", self._value(index), self.number(0.0))

    def _value(self, index: int) -> int:
        return self.node("truth", index) if self.nodes[index][0] in _MASKS else index

    def _hoist_fixed(self, parts: list[Expr], join: str) -> list[Expr]:
        """Join the operands that are constant to one that is hoisted."""
        if self.hoist is None:
            return parts
        fixed = [p for p in parts if self.hoist.fixed(p)]
        if len(fixed) < 2:  # a single constant is hoisted as it is
            return parts
        joined = ir.mul(*fixed) if join == "mul" else ir.add(*fixed)
        if joined not in self._lowered:
            self._lowered[joined] = self._lower(joined)
        return [joined, *(p for p in parts if not self.hoist.fixed(p))]

    def _factors(self, node: Expr, top: list[Expr], bottom: list[Expr]) -> None:
        # Nested products and quotients are flattened, so that (a / b) * (c / b) shares one reciprocal of b.
        if node.op == "mul":
            for arg in node.args:
                self._factors(arg, top, bottom)
        elif node.op == "div" and not (self.hoist is not None and self.hoist.fixed(node)):
            self._factors(node.args[0], top, bottom)
            bottom.append(node.args[1])
        else:
            top.append(node)

    def _product(self, node: Expr) -> int:
        top: list[Expr] = []
        bottom: list[Expr] = []
        self._factors(node, top, bottom)
        if self.hoist is not None:
            # The reciprocal of a constant is itself constant: hoisted, it turns a division into a multiplication.
            top += [ir.ONE / b for b in bottom if self.hoist.fixed(b)]
            bottom = [b for b in bottom if not self.hoist.fixed(b)]
        # Signs are pulled out of products, so that x*y and (-x)*y are the same node but for a subtraction at its use.
        sign = 1
        for i, factor in enumerate(top):
            if factor.op == "num" and factor.value < 0:
                sign, top[i] = -sign, ir.num(-factor.value)
        top = [p for p in self._hoist_fixed(top, "mul") if not p.is_num(1.0)]
        operands = [self._operand(p) for p in top]
        # One reciprocal per denominator, however many quotients have it: a division costs several multiplications.
        operands += [self.node("rcp", self._operand(b)) for b in bottom]
        if not operands:
            return self.number(float(sign))
        if len(operands) == 1:
            return operands[0] if sign > 0 else self.node("neg", operands[0])
        # Sorted operands: products that differ in order alone are one node.
        key = self.node("product", *sorted(operands))
        self._lists.setdefault(key, [(i, 1) for i in sorted(operands)])
        return key if sign > 0 else self.node("neg", key)

    def _sum(self, node: Expr) -> int:
        parts = self._hoist_fixed(list(node.args), "add")
        terms: list[tuple[int, int]] = []
        for summand in parts:
            index = self._operand(summand)
            if self.nodes[index][0] == "neg":
                terms.append((self.nodes[index][1], -1))
            else:
                terms.append((index, 1))
        terms.sort()
        # The first term is made positive, so that a - b and b - a are one node and its negation.
        flip = terms[0][1] < 0
        if flip:
            terms = [(i, -s) for i, s in terms]
        key = self.node("sum", *(v for term in terms for v in term))
        self._lists.setdefault(key, terms)
        return self.node("neg", key) if flip else key

    def _power(self, node: Expr, args: list[int]) -> int:
        base, exponent = node.args
        x = self._value(args[0])
        if exponent.op == "num":
            value = exponent.value
            if value.is_integer() and abs(value) <= _LONGEST_POWER:
                power = self._whole_power(x, int(abs(value)))
                return power if value > 0 else self.node("rcp", power)
            # Half powers by square roots, which are correctly rounded and far cheaper than `pow`.
            if value == 0.5:
                return self.node("call", "v_sqrt", x)
            if value == 1.5:
                return self._multiply(x, self.node("call", "v_sqrt", x))
        if base.op == "num" and base.value > 0:
            # b^x = exp(x ln b): the logarithm of a literal base is taken here, once.
            logarithm = self.number(math.log(base.value))
            return self.node("call", "v_exp", self._multiply(logarithm, self._value(args[1])))
        # ln|x| is an argument, not computed inside `v_pow`: the derivative by the exponent shares it.
        return self.node("call", "v_pow", x, self._value(args[1]), self.node("call", "v_logabs", x))

    def _whole_power(self, x: int, n: int) -> int:
        # Square and multiply; -1 stands for the empty product, for which no node is made.
        result, square = -1, x
        while n:
            if n & 1:
                result = square if result < 0 else self._multiply(result, square)
            n >>= 1
            if n:
                square = self._multiply(square, square)
        return result

    # ---- arithmetic on finished nodes --------------------------------------------------------------------------
    def _multiply(self, a: int, b: int) -> int:
        return self.node("mul", *sorted((a, b)))

    def is_number(self, a: int, value: float) -> bool:
        """Whether the node is this literal."""
        return self.nodes[a] == ("num", float(value))

    def mul(self, a: int, b: int) -> int:
        """Product; 0 and 1 vanish, signs move outwards."""
        # 0 * x is taken as 0 whatever x is: derivatives are full of structural zeros, and a rate that is not finite is
        # caught where the rate itself is computed.
        if self.is_number(a, 0.0) or self.is_number(b, 0.0):
            return self.number(0.0)
        if self.is_number(a, 1.0):
            return b
        if self.is_number(b, 1.0):
            return a
        if self.nodes[a][0] == "neg":
            return self.neg(self.mul(self.nodes[a][1], b))
        if self.nodes[b][0] == "neg":
            return self.neg(self.mul(a, self.nodes[b][1]))
        return self._multiply(a, b)

    def neg(self, a: int) -> int:
        """Negation."""
        if self.nodes[a][0] == "num":
            return self.number(-self.nodes[a][1])
        return self.nodes[a][1] if self.nodes[a][0] == "neg" else self.node("neg", a)

    def sub(self, a: int, b: int) -> int:
        """Difference."""
        if self.is_number(b, 0.0):
            return a
        if self.is_number(a, 0.0):
            return self.neg(b)
        if self.nodes[b][0] == "neg":
            return self.add(a, self.nodes[b][1])
        return self.node("sub", a, b)

    def add(self, a: int, b: int) -> int:
        """Sum."""
        if self.is_number(a, 0.0):
            return b
        if self.is_number(b, 0.0):
            return a
        if self.nodes[b][0] == "neg":
            return self.sub(a, self.nodes[b][1])
        if self.nodes[a][0] == "neg":
            return self.sub(b, self.nodes[a][1])
        return self.node("add", *sorted((a, b)))

    def times(self, a: int, b: int) -> int:
        """Product; that of two constants is hoisted."""
        if self.nodes[a][0] == "neg":
            return self.neg(self.times(self.nodes[a][1], b))
        if self.nodes[b][0] == "neg":
            return self.neg(self.times(a, self.nodes[b][1]))
        # Entries of the Jacobian are products of many constants; joined, they fold into one hoisted value.
        if a in self.constants and b in self.constants:
            return self.constant(ir.mul(self.constants[a], self.constants[b]))
        if self.is_number(a, -1.0):
            return self.neg(b)
        return self.neg(a) if self.is_number(b, -1.0) else self.mul(a, b)

    def plus(self, a: int, b: int) -> int:
        """Sum; that of two constants is hoisted."""
        negative = self.nodes[a][0] == "neg", self.nodes[b][0] == "neg"
        if all(negative):
            return self.neg(self.plus(self.nodes[a][1], self.nodes[b][1]))
        x, y = (self.constants.get(self.nodes[i][1] if n else i) for i, n in zip((a, b), negative, strict=True))
        if x is None or y is None:
            return self.add(a, b)
        return self.constant(ir.add(ir.neg(x) if negative[0] else x, ir.neg(y) if negative[1] else y))

    # ---- sharing parts of sums and products -----------------------------------------------------------------
    def share(self, roots: Iterable[int]) -> list[int]:
        """Turn all sums and products below the roots into operations on two operands, common pairs first.

        Returns
        -------
        The roots in their new form; from here on only `add`, `sub`, `mul` and `neg` make new nodes.
        """
        roots = list(roots)
        used = set(self.order(roots))
        # Products first: a pair shared by two products may make two terms of sums the same.
        for kind in ("product", "sum"):
            lists = {i: terms for i, terms in self._lists.items() if i in used and self.nodes[i][0] == kind}
            share_pairs(lists, self._multiply_pair if kind == "product" else self._add_pair)
        return [self.final(root) for root in roots]

    def _multiply_pair(self, a: int, b: int, differ: int) -> int:
        return self._multiply(a, b)  # factors have no signs

    def _add_pair(self, a: int, b: int, differ: int) -> int:
        return self.node("sub" if differ else "add", a, b)

    def final(self, index: int) -> int:
        """Index of the two-operand form of a node (after `share`)."""
        # An explicit stack: sums of large models nest deeper than Python recurses.
        stack = [index]
        while stack:
            i = stack[-1]
            if i in self._resolved:
                stack.pop()
                continue
            node = self.nodes[i]
            missing = [a for a in self._below(i) if a not in self._resolved]
            if missing:
                stack.extend(missing)
                continue
            self._resolved[i] = self._finish(i, node)
            stack.pop()
        return self._resolved[index]

    def _below(self, index: int) -> Sequence[int]:
        operands = self._lists.get(index)
        return self._kids[index] if operands is None else [a for a, _ in operands]

    def _finish(self, i: int, node: Node) -> int:
        done = self._resolved
        if node[0] == "product":
            operands = [done[a] for a, _ in self._lists[i]]
            result = operands[0]
            for a in operands[1:]:
                result = self.mul(result, a)
            return result
        if node[0] == "sum":
            # Positive terms first, so that a sum starts with a value instead of a negation where it can.
            terms = sorted(((done[a], s) for a, s in self._lists[i]), key=lambda term: -term[1])
            result = terms[0][0] if terms[0][1] > 0 else self.neg(terms[0][0])
            for a, s in terms[1:]:
                result = self.add(result, a) if s > 0 else self.sub(result, a)
            return result
        children = tuple(done[a] for a in self._kids[i])
        if node[0] in ("leaf", "num"):
            return i
        if node[0] == "neg":
            return self.neg(children[0])
        if node[0] == "mul":
            return self.mul(*children)
        if node[0] == "add":
            return self.add(*children)
        if node[0] == "sub":
            return self.sub(*children)
        return self.node(*((node[0], node[1]) if node[0] == "call" else (node[0],)), *children)

    # ---- joining products with sums -------------------------------------------------------------------------------
    def join(self, roots: Iterable[int]) -> None:
        """Make each product that only one sum or difference below the roots reads part of that: ``v_fma`` and the like.

        One operation with one rounding takes the place of two. It is written out as a function, in place of leaving it
        to the compiler, so that every compiler and every width of vectors rounds at the same points. From here on no
        new nodes are made.
        """
        roots = list(roots)
        order = self.order(roots)
        # A product with a second reader is computed anyway: fusing it would compute it twice, and round it twice.
        uses = Counter(child for i in order for child in self._kids[i])
        uses.update(roots)
        for i in order:
            if self.nodes[i][0] not in ("add", "sub") or i in self._joined:
                continue
            a, b = self._kids[i]
            difference = self.nodes[i][0] == "sub"
            # Where both operands are such products the second is fused, which leaves a - b*c without a negation.
            first, second = (self.nodes[k][0] == "mul" and uses[k] == 1 for k in (a, b))
            if second:
                self._joined[i] = "v_fnma" if difference else "v_fma"
                self._kids[i] = (*self._kids[b], a)
            elif first:
                self._joined[i] = "v_fms" if difference else "v_fma"
                self._kids[i] = (*self._kids[a], b)

    # ---- printing ------------------------------------------------------------------------------------------------
    def order(self, roots: Iterable[int], seen: set[int] | None = None) -> list[int]:
        """Nodes below the roots, arguments first; those in `seen` are left out, the others added to it."""
        seen = set() if seen is None else seen
        kids, lists = self._kids, self._lists
        order: list[int] = []
        for root in roots:
            stack = [root]  # ~i: all that i needs is there
            while stack:
                i = stack.pop()
                if i < 0:
                    order.append(~i)
                elif i not in seen:
                    seen.add(i)
                    below = kids[i]
                    if not below:
                        order.append(i)
                        continue
                    stack.append(~i)
                    if i in lists:
                        below = tuple(a for a, _ in lists[i])
                    stack += [a for a in below[::-1] if a not in seen]
        return order

    def children(self, index: int) -> tuple[int, ...]:
        """Nodes that a node (after `share`) is computed from."""
        return self._kids[index]

    def is_computed(self, index: int) -> bool:
        """Whether a statement computes the node: neither a leaf nor a literal."""
        return bool(self._kids[index])

    def text(self, index: int) -> str:
        """How the value of a node is written where it is used."""
        return self._texts[index]

    def statement(self, index: int) -> str | None:
        """C statement that computes a node; None for a leaf."""
        node = self.nodes[index]
        op = node[0]
        if op in ("leaf", "num"):
            return None
        args = [self._texts[a] for a in self._kids[index]]
        if index in self._joined:
            return f"    const V v{index} = {self._joined[index]}({', '.join(args)});"
        if op in _SIGNS:
            return f"    const V v{index} = {args[0]} {_SIGNS[op]} {args[1]};"
        kind = "I" if op in _MASKS else "V"
        if op == "neg":
            body = f"-{args[0]}"
        elif op == "rcp":
            body = f"all(1.0) / {args[0]}"
        elif op == "call":
            body = f"{node[1]}({', '.join(args)})"
        elif op == "if":
            body = f"pick({', '.join(args)})"
        elif op in COMPARISONS:
            left, right = (f"truth({a})" if self.is_mask(i) else a for a, i in zip(args, node[1:], strict=True))
            body = f"MASK({left} {_COMPARE[op]} {right})"
        elif op in ("and", "or"):
            body = (" & " if op == "and" else " | ").join(args)
        elif op == "not":
            body = f"~{args[0]}"
        elif op == "truth":
            body = f"truth({args[0]})"
        else:
            raise EngineError(f"cannot write '{op}' as C")
        return f"    const {kind} v{index} = {body};"

    def is_mask(self, index: int) -> bool:
        """Whether the node is a truth value of every lane."""
        return self.nodes[index][0] in _MASKS

    def value(self, index: int) -> int:
        """The node as a number: a truth value becomes 1.0 or 0.0."""
        return self._value(index)

    def program(self, targets: Sequence[tuple[str, int]]) -> list[str]:
        """Statements that compute the nodes and assign them: pairs (C variable, node), in order."""
        self.join([root for _, root in targets])
        lines: list[str] = []
        seen: set[int] = set()
        for target, root in targets:
            for i in self.order([root], seen):
                statement = self.statement(i)
                if statement:
                    lines.append(statement)
            lines.append(f"    {target} = {self.text(root)};")
        return lines

    def count(self, roots: Iterable[int]) -> int:
        """Number of operations below the roots."""
        return sum(map(self.is_computed, self.order(roots)))


def literal(value: float) -> str:
    """A double as a C literal."""
    if value != value:
        return "NAN"
    if value in (float("inf"), float("-inf")):  # macros of math.h, as C has no literal for them
        return "INFINITY" if value > 0 else "(-INFINITY)"
    # repr round-trips: the literal is the same double. Brackets keep `a - -1` from becoming a decrement.
    return repr(value) if value >= 0 else f"({value!r})"
