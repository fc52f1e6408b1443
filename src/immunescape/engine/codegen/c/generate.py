"""Writes a plan as C: one function each for the start, hoisted values, stages, quantities, triggers and events.

The C code holds positions only (``x[3]``, ``z[7]``), never a name from the model. ``x`` are integrated states, ``z``
values that are constant between events, ``c`` values that follow from ``z``, ``lu`` the factors of ``I fac - J``.
The same functions, with one lane, serve one patient in each thread of a GPU (``threads.h``); nothing but the headers in
``kernels/`` knows how patients are laid out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from immunescape.engine.codegen.c.pieces import LONGEST_PIECE, POINT, c_function, function_in_files, function_in_pieces
from immunescape.engine.codegen.c.sensitivities import sensitivity_code, stage_tables
from immunescape.engine.codegen.c.step import step_code
from immunescape.engine.codegen.hoist import Hoist
from immunescape.engine.codegen.layout import DerivativeRequest, Layout
from immunescape.engine.codegen.rosenbrock import METHODS
from immunescape.engine.codegen.tangents import tangents
from immunescape.engine.codegen.tape import Tape
from immunescape.engine.ir.analysis import CLOCK, Plan, elimination_order
from immunescape.engine.ir.calculus import free_symbols, rebuild
from immunescape.engine.ir.conserved import conserved_amounts
from immunescape.engine.ir.expressions import COMPARISONS, Expr, postorder

__all__ = ["generate", "headers"]


_INCLUDES = '/* Generated: see model.c. */\n#include "lanes.h"\n#include "model.h"'
_FIRST_FILES = 4
"""Files that the longest function, the first stage, is split into: C compilers take time that grows faster than the
length of a function, and files are compiled side by side."""


class _Writer:
    """Collects the functions of one model."""

    def __init__(self, plan: Plan, emit: Callable[[str, str], None]) -> None:
        self.plan = plan
        self.emit = emit
        self.z = {name: f"z[{i}]" for i, name in enumerate(plan.fixed)}
        self.x = {name: f"x[{i}]" for i, name in enumerate(plan.states)}
        self.symbols = {**self.z, **self.x, CLOCK: "t"}
        self.hoist = Hoist(frozenset(plan.fixed))
        conserved = conserved_amounts(plan.states, plan.rates)
        self.counts: dict[str, int] = {"states": len(plan.states), "conserved": len(conserved)}
        self.factors: _Factors | None = None
        self.order: list[int] = []
        self.timed = False

    def tape(self) -> Tape:
        return Tape(self.symbols, self.hoist)

    def start(self) -> str:
        """Constants and initial states, unless overridden."""
        system, lines = self.plan.system, []
        for constant in system.constants:
            lines += self._assign(self.z[constant.name], "z_fixed", constant.expression)
        for state in system.states:
            where = self.z.get(state.name) or self.x[state.name]
            lines += self._assign(where, "z_fixed" if state.name in self.z else "x_fixed", state.initial)
        return c_function(
            "static void start(V *restrict z, V *restrict x, const V t, const unsigned char *z_fixed, "
            "const unsigned char *x_fixed)",
            lines,
        )

    def _assign(self, target: str, flags: str, value: Expr) -> list[str]:
        tape = Tape(self.symbols)  # without hoisting: hoisted values follow from the constants that are set here
        root = tape.share(tape.lower([value]))[0]
        position = target[2:-1]
        return [f"    if (!{flags}[{position}]) {{", *tape.program([(target, tape.value(root))]), "    }"]

    def hoisted(self) -> str:
        """Values that follow from the fixed ones (written last: the other functions collect them)."""
        expressions = sorted(self.hoist.slots.items(), key=lambda item: item[1])
        tape = Tape(self.symbols)
        roots = tape.share(tape.lower([e for e, _ in expressions]))
        self.counts["hoisted"] = len(expressions)
        targets = [(f"c[{slot}]", tape.value(root)) for (_, slot), root in zip(expressions, roots, strict=True)]
        return function_in_pieces(tape, "hoist", "const V *restrict z, V *restrict c", targets, "static NOINLINE")

    def stages(self) -> str:
        """First stage with the factorisation, and the stages after it."""
        plan = self.plan
        n = len(plan.states)
        # Rates, Jacobian and factorisation are one straight-line program: they share most subexpressions, and nothing
        # of the matrix is stored but its factors.
        tape = self.tape()
        rates = tape.share([tape.value(r) for r in tape.lower(plan.rates)])
        derivatives = tangents(tape, rates, [*self.x.values(), "t"])
        jacobian = {key: node for key, node in sorted(derivatives.items()) if key[1] < n}
        # d(rate)/dt at fixed states enters the Rosenbrock stages of a system that depends on time by itself.
        slopes = {i: node for (i, j), node in sorted(derivatives.items()) if j == n}
        self.timed = bool(slopes) or CLOCK in free_symbols(*plan.rates)
        self.counts["rates_and_jacobian"] = tape.count([*rates, *derivatives.values()])
        self.counts["jacobian_nonzeros"] = len(jacobian)
        self.order = elimination_order(n, set(jacobian))
        # The matrix of every stage is fac I - J with fac = 1 / (gamma h).
        factors, targets = self._factor(tape, {key: tape.neg(node) for key, node in jacobian.items()})
        self.factors = factors
        right = [tape.add(r, tape.leaf(f"r[{i}]")) for i, r in enumerate(rates)]
        for i, root in slopes.items():
            targets.append((f"slope[{i}]", root))
            right[i] = tape.add(right[i], tape.mul(tape.leaf("hd"), root))
        solution = self._solve(tape, right, factors, symbolic=True)
        targets += [(f"k[{i}]", s) for i, s in enumerate(solution)]
        self.counts["first_stage"] = tape.count([r for _, r in targets])
        arguments = (
            f"{POINT}, const V fac, const V hd, const V *restrict r,\n        V *restrict slope, V *restrict lu, "
            "V *restrict k, V *restrict growth"
        )
        # The first stage solves while it factorises; the later ones read the factors from memory.
        first, texts = function_in_files(tape, "first_stage", arguments, targets, _FIRST_FILES)
        for k, text in enumerate(texts):
            self.emit(f"first_{k}.c", f"{_INCLUDES}\n{text}")
        tape = self.tape()
        rates = tape.share([tape.value(r) for r in tape.lower(plan.rates)])
        self.counts["rates"] = tape.count(rates)
        solution = self._solve(
            tape, [tape.add(r, tape.leaf(f"r[{i}]")) for i, r in enumerate(rates)], factors, symbolic=False
        )
        self.counts["stage"] = tape.count(solution)
        stage, texts = function_in_files(
            tape,
            "stage",
            f"{POINT}, const V *restrict r, const V *restrict lu, V *restrict k",
            [(f"k[{i}]", s) for i, s in enumerate(solution)],
            1,
        )
        self.emit("stage.c", f"{_INCLUDES}\n{texts[0]}")
        tape = self.tape()
        rates = tape.share([tape.value(r) for r in tape.lower(plan.rates)])
        targets = [(f"k[{i}]", s) for i, s in enumerate(rates)]
        plain = function_in_pieces(tape, "rates", f"{POINT}, V *restrict k", targets, "static NOINLINE")
        return "\n".join([first, stage, plain])

    def solver(self) -> str:
        """Substitution alone, for further right-hand sides."""
        assert self.factors is not None
        tape = self.tape()
        right = [tape.leaf(f"b[{i}]") for i in range(len(self.plan.states))]
        solution = self._solve(tape, right, self.factors, symbolic=False)
        return function_in_pieces(
            tape,
            "solve",
            "const V *restrict z, const V *restrict c, const V *restrict lu, const V *restrict b, V *restrict k",
            [(f"k[{i}]", s) for i, s in enumerate(solution)],
            "static NOINLINE",
        )

    def _factor(self, tape: Tape, matrix: dict[tuple[int, int], int]) -> tuple[_Factors, list[tuple[str, int]]]:
        """Static LU of ``fac I + matrix`` without row exchanges; watches how much the pivots shrink."""
        # The order of elimination is chosen once, from the pattern (`elimination_order`), and no rows are exchanged:
        # every lane runs the same instructions. Without pivoting a pivot may become small beside its diagonal entry;
        # the driver reads `growth` and shortens the step, which makes fac, and so the diagonal, dominant.
        n = len(self.plan.states)
        fac = tape.leaf("fac")
        a = dict(matrix)
        for i in range(n):
            if (i, i) not in a:
                a[i, i] = fac
                continue
            # `v_slope` keeps an entry of -J that is not finite from spoiling the factors; a literal cannot be one.
            steady = tape.nodes[a[i, i]][0] == "num"
            a[i, i] = tape.add(a[i, i] if steady else tape.node("call", "v_slope", a[i, i]), fac)
        diagonal = {i: a[i, i] for i in range(n)}
        rows: list[set[int]] = [set() for _ in range(n)]
        columns: list[set[int]] = [set() for _ in range(n)]
        for i, j in a:
            rows[i].add(j)
            columns[j].add(i)
        done: set[int] = set()
        lower: dict[tuple[int, int], int] = {}
        inverse: dict[int, int] = {}
        checks: list[int] = []
        for p in self.order:
            done.add(p)
            inverse[p] = tape.node("rcp", a[p, p])
            if a[p, p] != diagonal[p]:  # only pivots that elimination has changed can have shrunk
                checks.append(tape.mul(inverse[p], diagonal[p]))
            for i in sorted(columns[p] - done):
                factor = tape.mul(a[i, p], inverse[p])
                lower[i, p] = factor
                for j in sorted(rows[p] - done):
                    product = tape.mul(factor, a[p, j])
                    # fill-in: an entry that was zero and is zero no longer
                    a[i, j] = tape.sub(a[i, j], product) if (i, j) in a else tape.neg(product)
                    rows[i].add(j)
                    columns[j].add(i)
        position = {p: k for k, p in enumerate(self.order)}
        upper = {(i, j): v for (i, j), v in a.items() if position[j] > position[i]}
        targets: list[tuple[str, int]] = []
        slots: dict[int, str] = {}

        def store(index: int) -> str | None:
            # Factors that are equal, or equal but for the sign, share a slot; literals and constants need none. The
            # less is stored, the more of it stays in the cache between stages.
            base = tape.nodes[index][1] if tape.nodes[index][0] == "neg" else index
            if tape.nodes[base][0] == "num" or (tape.nodes[base][0] == "leaf" and tape.nodes[base][1][0] in "cz"):
                return None
            if base not in slots:
                slots[base] = f"lu[{len(slots)}]"
                targets.append((slots[base], base))
            return slots[base]

        for p in self.order:
            for key in [(i, p) for i in sorted(columns[p]) if (i, p) in lower]:
                store(lower[key])
            for j in sorted(rows[p]):
                if (p, j) in upper:
                    store(upper[p, j])
            store(inverse[p])
        growth = None
        for check in checks:
            size = tape.node("call", "v_abs", check)
            growth = size if growth is None else tape.node("call", "v_max", growth, size)
        targets.append(("*growth", growth if growth is not None else tape.number(1.0)))
        self.counts["factor_nonzeros"] = len(lower) + len(upper) + n
        self.counts["factor_slots"] = len(slots)
        return _Factors(
            lower, upper, inverse, slots, {i: tape.nodes[i] for i in _all(tape, lower, upper, inverse)}
        ), targets

    def _solve(self, tape: Tape, right: list[int], factors: _Factors, *, symbolic: bool) -> list[int]:
        """Forward and backward substitution; with `symbolic` the factors are nodes of this tape, else from ``lu``."""
        y = list(right)

        def value(index: int) -> int:
            return index if symbolic else factors.read(tape, index)

        by_column: dict[int, list[int]] = {}
        for i, p in factors.lower:
            by_column.setdefault(p, []).append(i)
        by_row: dict[int, list[int]] = {}
        for i, j in factors.upper:
            by_row.setdefault(i, []).append(j)
        # Sums run in a fixed order, so that the same numbers come out whatever sets were iterated.
        position = {p: k for k, p in enumerate(self.order)}
        for p in self.order:
            for i in sorted(by_column.get(p, ())):
                y[i] = tape.sub(y[i], tape.mul(value(factors.lower[i, p]), y[p]))
        for p in reversed(self.order):
            for j in sorted(by_row.get(p, ()), key=position.__getitem__, reverse=True):
                y[p] = tape.sub(y[p], tape.mul(value(factors.upper[p, j]), y[j]))
            y[p] = tape.mul(y[p], value(factors.inverse[p]))
        return y

    def quantities(self) -> tuple[str, tuple[str, ...], list[tuple[int, ...]], dict[str, str]]:
        """Values for output, in segments that are computed only where they are asked for."""
        plan = self.plan
        alias = {n: e.name for n, e in plan.quantities.items() if e.op == "sym" and e.name != CLOCK}
        names = tuple(n for n in plan.quantities if n not in alias)
        tape = self.tape()
        roots = tape.share([tape.value(r) for r in tape.lower([plan.quantities[n] for n in names])])
        tape.join(roots)
        # A node belongs to the first quantity that needs it. Another quantity reads it from a workspace, and needs the
        # owner's segment to run before: `closure` lists the segments of each quantity.
        owner: dict[int, int] = {}
        segments: list[list[int]] = []
        seen: set[int] = set()
        for k, root in enumerate(roots):
            mine = tape.order([root], seen)
            owner.update(dict.fromkeys(mine, k))
            segments.append(mine)
        outside: dict[int, str] = {}
        closure: list[set[int]] = []
        for k, mine in enumerate(segments):
            needed = {k}
            for i in [*mine, roots[k]]:
                for child in [*tape.children(i), *([roots[k]] if i == roots[k] else [])]:
                    if owner[child] != k and tape.statement(child) is not None:
                        outside.setdefault(child, "")
                        needed |= closure[owner[child]]
            closure.append(needed)
        reals = [i for i in outside if not tape.is_mask(i)]
        masks = [i for i in outside if tape.is_mask(i)]
        place = {i: f"w[{n}]" for n, i in enumerate(reals)} | {i: f"m[{n}]" for n, i in enumerate(masks)}
        blocks: list[list[str]] = []
        for k, mine in enumerate(segments):
            lines = [f"    if (need[{k}]) {{"]
            for i in mine:
                statement = tape.statement(i)
                if statement:
                    lines.append(_rename(statement, i, place, tape))
                    if i in place:
                        lines.append(f"    {place[i]} = v{i};")
            text = tape.text(roots[k])
            lines += [
                f"    q[{k}] = {place[roots[k]] if roots[k] in place and owner[roots[k]] != k else text};",
                "    }",
            ]
            # functions of bounded length, for the compiler's time
            if not blocks or len(blocks[-1]) + len(lines) > LONGEST_PIECE:
                blocks.append([])
            blocks[-1] += lines
        arguments = f"{POINT}, V *restrict q,\n        const unsigned char *restrict need"
        code = "\n".join(
            c_function(f"static NOINLINE void quantities_{n}({arguments}, V *restrict w, I *restrict m)", block)
            for n, block in enumerate(blocks)
        )
        head = f"HIDDEN void quantities({arguments})"
        lines = [f"    V w[{max(len(reals), 1)}];", f"    I m[{max(len(masks), 1)}];", "    (void)w; (void)m;"]
        lines += [f"    quantities_{n}(x, z, c, t, q, need, w, m);" for n in range(len(blocks))]
        self.emit("quantities.c", "\n".join([_INCLUDES, code, c_function(head, lines)]))
        return f"{head};\n", names, [tuple(sorted(s)) for s in closure], alias

    def triggers(self) -> str:
        """Truth of each event trigger, then of each switch."""
        plan = self.plan
        tape = self.tape()
        roots = tape.share([tape.value(r) for r in tape.lower([*plan.triggers, *plan.switches])])
        return c_function(
            "static NOINLINE void triggers(const V *restrict x, const V *restrict z, const V *restrict c, const V t, "
            "V *restrict q)",
            tape.program(
                [(f"q[{i}]", tape.node("truth", tape.node("ne", r, tape.number(0.0)))) for i, r in enumerate(roots)]
            ),
        )

    def gaps(self) -> str:
        """Difference of the two sides of each comparison in triggers and switches: zero where the comparison turns."""
        # The driver follows the sign of these differences between the ends of a step, and finds their zeros: a truth
        # value alone would hide a condition that holds for less than a step.
        tape = self.tape()
        roots = tape.share([tape.value(r) for r in tape.lower(_gaps(self.plan))])
        return c_function(
            "static NOINLINE void gaps(const V *restrict x, const V *restrict z, const V *restrict c, const V t, "
            "V *restrict q)",
            tape.program([(f"q[{i}]", r) for i, r in enumerate(roots)]),
        )

    def events(self) -> str:
        """New values of the targets of each event."""
        plan = self.plan
        arguments = f"{POINT}, V *restrict q"
        functions, lines = [], ["    switch (event) {"]
        for k, changes in enumerate(plan.changes):
            tape = self.tape()
            roots = tape.share([tape.value(r) for r in tape.lower([e for _, e in changes])])
            targets = [(f"q[{i}]", r) for i, r in enumerate(roots)]
            functions.append(function_in_pieces(tape, f"event_{k}", arguments, targets, "static NOINLINE"))
            lines.append(f"    case {k}: event_{k}(x, z, c, t, q); break;")
        lines.append("    }")
        table = []
        for changes in plan.changes:
            places = []
            for name, _ in changes:
                where = self.z.get(name) or self.x[name]
                places.append(f"{{{int(where[0] == 'z')}, {where[2:-1]}}}")
            table.append(places)
        longest = max((len(p) for p in table), default=0) or 1
        rows = ", ".join("{" + ", ".join(p or ["{0, 0}"]) + "}" for p in table) or "{{0, 0}}"
        sizes = ", ".join(str(len(p)) for p in table) or "0"
        flags = ", ".join(str(int(e.use_trigger_values)) for e in plan.system.events) or "0"
        sets_z = ", ".join(str(int(any(n in self.z for n, _ in changes))) for changes in plan.changes) or "0"
        watched = sorted(_positions([*plan.triggers, *plan.switches], plan.states))
        head = (
            f"#define LONGEST_EVENT {longest}\n"
            f"static const int event_size[] = {{{sizes}}};\n"
            f"static const int event_target[][{longest}][2] = {{{rows}}};\n"
            f"static const int event_snapshot[] = {{{flags}}};\n"
            f"static const int event_sets_z[] = {{{sets_z}}};\n"
            f"#define NWATCHED {len(watched)}\n"
            f"static const int watched[] = {{{', '.join(map(str, watched)) or '0'}}};\n"
        )
        function = f"HIDDEN void event_values(const int event, {arguments})"
        self.emit("events.c", "\n".join([_INCLUDES, *functions, c_function(function, lines)]))
        return f"{head}{function};\n"

    def breaks(self) -> str:
        """Times at which a condition changes by time alone."""
        tape = self.tape()
        roots = tape.share([tape.value(r) for r in tape.lower(self.plan.breaks)])
        return c_function(
            "static void breaks(const V *restrict z, const V *restrict c, V *restrict q)",
            tape.program([(f"q[{i}]", r) for i, r in enumerate(roots)]),
        )


_SIDES = 16  # of one gap; a gap with more is followed as it is


def _gaps(plan: Plan) -> list[Expr]:
    """Differences of both sides of all comparisons that events and switches hold, each once."""
    nodes = [node for node in postorder([*plan.triggers, *plan.switches]) if node.op in COMPARISONS]
    return list(dict.fromkeys(g for node in nodes for g in _smooth(node.args[0] - node.args[1])))


def _smooth(gap: Expr) -> list[Expr]:
    """The gap with each side of its ``abs``, ``min`` and ``max`` taken for granted, in place of the gap.

    Where the gap is zero one of them is, and none has a bend between two points at which it is looked at.
    """
    # |a| vanishes where a does, min(a, b) where a or b does: each side is smooth where the whole has a corner, and root
    # finding by interpolation converges on smooth functions only.
    sides: list[Expr] = [gap]
    while (bent := _bend(sides)) is not None:
        a, b = (bent.args[0], -bent.args[0]) if bent.op == "abs" else bent.args
        sides = [replaced for side in sides for replaced in dict.fromkeys(_put(side, bent, x) for x in (a, b))]
        if len(sides) > _SIDES:  # sides double with each corner
            return [gap]
    return list(dict.fromkeys(side for side in sides if side.op != "num"))


def _bend(sides: Sequence[Expr]) -> Expr | None:
    """The innermost ``abs``, ``min`` or ``max``."""
    return next((node for node in postorder(sides) if node.op in ("abs", "min", "max")), None)


def _put(root: Expr, old: Expr, new: Expr) -> Expr:
    """Replace a part of an expression."""
    done: dict[Expr, Expr] = {}
    for node in postorder([root]):
        done[node] = new if node is old else rebuild(node, [done[a] for a in node.args])
    return done[root]


def _positions(expressions: Sequence[Expr], states: Sequence[str]) -> set[int]:
    """Positions of the states that occur in expressions."""
    names = set[str]().union(*(free_symbols(e) for e in expressions))
    return {i for i, name in enumerate(states) if name in names}


def _all(tape: Tape, *tables: Mapping[Any, int]) -> set[int]:
    """Indices of all factors, and of what they negate."""
    used = {index for table in tables for index in table.values()}
    return used | {tape.nodes[i][1] for i in used if tape.nodes[i][0] == "neg"}


@dataclass(frozen=True)
class _Factors:
    """The factors as nodes of the tape that made them, and where they are stored."""

    lower: Mapping[tuple[int, int], int]
    upper: Mapping[tuple[int, int], int]
    inverse: Mapping[int, int]
    slots: Mapping[int, str]
    nodes: Mapping[int, tuple[Any, ...]]

    def read(self, tape: Tape, index: int) -> int:
        """The factor as a value of another tape."""
        node = self.nodes[index]
        if node[0] == "neg":
            return tape.neg(self.read(tape, node[1]))
        if index in self.slots:
            return tape.leaf(self.slots[index])
        return tape.number(node[1]) if node[0] == "num" else tape.leaf(node[1])


def _rename(statement: str, index: int, place: Mapping[int, str], tape: Tape) -> str:
    """Read values of other segments from where they are kept."""
    head, body = statement.split(" = ", 1)
    for child in tape.children(index):
        if child in place and tape.statement(child) is not None:
            body = _replace_name(body, f"v{child}", place[child])
    return f"{head} = {body}"


def _replace_name(text: str, name: str, by: str) -> str:
    out, start = [], 0
    while (at := text.find(name, start)) >= 0:
        end = at + len(name)
        # v1 must not be found in v12 or in pv1
        alone = not (end < len(text) and text[end].isalnum()) and not (
            at and (text[at - 1].isalnum() or text[at - 1] == "_")
        )
        out += [text[start:at], by if alone else name]
        start = end
    return "".join([*out, text[start:]])


def generate(
    plan: Plan,
    *,
    method: str = "rodas5p",
    derivatives: DerivativeRequest | None = None,
    emit: Callable[[str, str], None] = lambda name, text: None,
) -> tuple[dict[str, str], Layout]:
    """Write a model as C files.

    Parameters
    ----------
    plan
        See `analyse`.
    method
        Integration method, one of `METHODS`.
    derivatives
        Derivatives by parameters to integrate along.
    emit
        Called with name and text of each file as soon as it is written, so that it can be compiled meanwhile.

    Returns
    -------
    The C files by name (they can be compiled side by side, and include the headers of ``kernels/``), and where things
    are.
    """
    files: dict[str, str] = {}

    def keep(name: str, text: str) -> None:
        files[name] = text
        emit(name, text)

    writer = _Writer(plan, keep)
    quantities, names, closure, alias = writer.quantities()
    parts = [
        quantities,
        writer.events(),
        writer.stages(),
        writer.triggers(),
        writer.gaps(),
        writer.breaks(),
        writer.start(),
    ]
    if derivatives is not None:
        parts += [stage_tables(METHODS[method]), writer.solver()]
        parts.append(sensitivity_code(plan, derivatives, writer.tape))
    parts.append(writer.hoisted())  # last, when all functions have asked for their constants
    sizes = {
        "NX": len(plan.states),
        "NZ": len(plan.fixed),
        "NC": writer.counts["hoisted"],
        "NLU": writer.counts["factor_slots"],
        "NQ": len(names),
        "NEVENT": len(plan.triggers),
        "NSWITCH": len(plan.switches),
        "NGAP": len(_gaps(plan)),
        "NBREAK": len(plan.breaks),
        "TIMED": int(writer.timed),
    }
    head = [
        "/* Generated: a model as straight-line code. x: states; z: fixed values; c: values that follow from z. */",
        '#include "lanes.h"',
        *(f"#define {k} {v}" for k, v in sizes.items()),
        '#include "model.h"',
    ]
    keep("model.c", "\n".join([*head, *parts, step_code(METHODS[method], writer.timed), '#include "driver.h"', ""]))
    system = plan.system
    layout = Layout(
        states=system.state_names,
        integrated=plan.states,
        fixed=plan.fixed,
        parameters=len(system.constant_names),
        defaults=system.defaults,
        alias=alias,
        quantities=names,
        closure=tuple(closure),
        names=system.quantities,
        events=len(plan.triggers),
        initial_triggers=tuple(e.initial_value for e in system.events),
        counts=writer.counts,
        clock=plan.clock.record(),
        clock_of={name: clock.record() for name, clock in plan.clock_of.items()},
    )
    return files, layout


def headers() -> dict[str, str]:
    """Texts of the headers that generated code includes."""
    folder = resources.files("immunescape.engine.codegen.c") / "kernels"
    return {
        n: (folder / n).read_text(encoding="utf-8")
        for n in ("lanes.h", "model.h", "sensitivity.h", "inside.h", "driver.h", "threads.h")
    }
