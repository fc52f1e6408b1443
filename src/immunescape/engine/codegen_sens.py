"""Writes what the integration of derivatives by parameters needs: derivatives of the rates, as sparse lists.

Each list of values has lists of positions beside it; ``kernels/sensitivity.h`` multiplies them. Only what is not zero
is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from immunescape.engine.analysis import CLOCK, Plan
from immunescape.engine.ir import ZERO, Expr, add, sym
from immunescape.engine.ir_calculus import derivatives, free_symbols
from immunescape.engine.layout import Wanted
from immunescape.engine.pieces import POINT, c_function, function_in_pieces
from immunescape.engine.rosenbrock import Rosenbrock
from immunescape.engine.tape import Tape, literal
from immunescape.errors import EngineError, unknown_word

__all__ = ["sensitivity_code", "stage_tables"]


def sensitivity_code(plan: Plan, wanted: Wanted, tape: Any) -> str:
    """C code of all derivatives that are needed.

    Parameters
    ----------
    plan, wanted
        The model, and which derivatives are asked for.
    tape, function
        Make a tape with the model's symbols; print a function.

    Raises
    ------
    EngineError
        For a name that the model does not have, or where a moment of switching depends on a parameter.
    """
    system = plan.system
    for name in wanted.parameters:
        if name not in system.constant_names:
            raise unknown_word("parameter", name, system.constant_names, error=EngineError)
    affected = _affected(plan, wanted.parameters)
    for moment in (*plan.breaks, *(f.value for f in plan.clock.features if f.jumps)):
        if free_symbols(moment) & set(affected):
            raise EngineError("a rate switches at a moment that depends on a parameter whose derivative is asked for")
    slot = {name: k for k, name in enumerate(affected)}
    column = {name: j for j, name in enumerate(plan.states)}
    parts = [
        f"#define NSENS {len(wanted.parameters)}",
        f"#define NDZ {len(affected)}",
        _start(plan, wanted, affected),
    ]

    by_fixed = derivatives(plan.rates, affected)
    by_state = derivatives(plan.rates, plan.states)
    jx = [
        ((i, column[n]), e)
        for i, row in enumerate(by_state)
        for n, e in sorted(row.items(), key=lambda item: column[item[0]])
    ]
    jz = [((i, slot[n]), e) for i, row in enumerate(by_fixed) for n, e in sorted(row.items())]
    parts += [_table("JX_ROW", [k[0] for k, _ in jx]), _table("JX_COLUMN", [k[1] for k, _ in jx])]
    parts += [_table("JZ_ROW", [k[0] for k, _ in jz]), _table("JZ_FIXED", [k[1] for k, _ in jz])]
    parts += [f"#define NJX {len(jx)}", f"#define NJZ {len(jz)}"]
    parts.append(_lists(tape(), "first_derivatives", "jx", [e for _, e in jx], "jz", [e for _, e in jz]))

    names = [*plan.states, CLOCK]
    places: dict[tuple[int, int], int] = {}

    def place(row: int, name: str) -> int:
        return -1 - row if name == CLOCK else places.setdefault((row, column[name]), len(places))

    second = [((k[0], k[1]), n, e) for (k, _), row in zip(jx, derivatives([e for _, e in jx], names), strict=True)
              for n, e in sorted(row.items())]  # fmt: skip
    mixed = [((k[0], k[1]), n, e) for (k, _), row in zip(jz, derivatives([e for _, e in jz], names), strict=True)
             for n, e in sorted(row.items())]  # fmt: skip
    parts += [
        _table("HX_PLACE", [place(k[0], n) for k, n, _ in second]),
        _table("HX_STATE", [k[1] for k, _, _ in second]),
    ]
    parts += [
        _table("HZ_PLACE", [place(k[0], n) for k, n, _ in mixed]),
        _table("HZ_FIXED", [k[1] for k, _, _ in mixed]),
    ]
    parts += [_table("B_ROW", [i for i, _ in places]), _table("B_COLUMN", [j for _, j in places])]
    parts += [f"#define NHX {len(second)}", f"#define NHZ {len(mixed)}", f"#define NB {len(places)}"]
    parts.append(_lists(tape(), "second_derivatives", "hx", [e for *_, e in second], "hz", [e for *_, e in mixed]))

    values = {**{n: sym(n) for n in (*plan.states, *plan.fixed)}, **plan.quantities}
    for name in wanted.outputs:
        if name not in values:
            raise unknown_word("output", name, values, error=EngineError)
    rows = derivatives([values[name] for name in wanted.outputs], [*plan.states, *affected])
    ox = [(o, column[n], e) for o, row in enumerate(rows) for n, e in sorted(row.items()) if n in column]
    oz = [(o, slot[n], e) for o, row in enumerate(rows) for n, e in sorted(row.items()) if n in slot]
    parts += [_table("OX_ROW", [o for o, _, _ in ox]), _table("OX_STATE", [j for _, j, _ in ox])]
    parts += [_table("OZ_ROW", [o for o, _, _ in oz]), _table("OZ_FIXED", [q for _, q, _ in oz])]
    parts += [f"#define NOX {len(ox)}", f"#define NOZ {len(oz)}", f"#define NOUT {len(wanted.outputs)}"]
    parts.append(_lists(tape(), "output_derivatives", "ox", [e for *_, e in ox], "oz", [e for *_, e in oz]))
    return "\n".join(parts)


def _affected(plan: Plan, parameters: Sequence[str]) -> tuple[str, ...]:
    """Fixed names whose value depends on the parameters: themselves, constants and states that only events change."""
    affected_by = dict.fromkeys(parameters)
    for constant in plan.system.constants:
        if free_symbols(constant.expression) & affected_by.keys():
            affected_by.setdefault(constant.name)
    for state in plan.system.states:
        if state.name in plan.fixed and free_symbols(state.initial) & affected_by.keys():
            affected_by.setdefault(state.name)
    return tuple(affected_by)


def _start(plan: Plan, wanted: Wanted, affected: Sequence[str]) -> str:
    """Derivatives of fixed values and initial states by each parameter."""
    position = {name: i for i, name in enumerate(plan.fixed)}
    slot = {name: k for k, name in enumerate(affected)}
    column = {name: j for j, name in enumerate(plan.states)}
    symbols = {name: f"z[{i}]" for name, i in position.items()} | {f"d:{n}": f"dz[{k}]" for n, k in slot.items()}
    lines = [
        f"    for (int i = 0; i < {len(affected)}; i++) dz[i] = all(0.0);",
        "    for (int i = 0; i < NX; i++) dx[i] = all(0.0);",
        "    static const int own[] = {" + ", ".join(str(slot[n]) for n in wanted.parameters) + "};",
        "    dz[own[m]] = all(1.0);",
    ]
    chosen = set(wanted.parameters)
    system = plan.system
    items = [(c.name, c.expression) for c in system.constants] + [(s.name, s.initial) for s in system.states]
    for name, expression in items:
        (row,) = derivatives([expression], affected)
        total = add(*(e * sym(f"d:{n}") for n, e in sorted(row.items()))) if row else ZERO
        if total.is_num(0.0) or name in chosen:
            continue
        if name in column:
            flag, target = f"x_fixed[{column[name]}]", f"dx[{column[name]}]"
        else:
            flag, target = f"z_fixed[{position[name]}]", f"dz[{slot[name]}]"
        tape = Tape(symbols)
        (root,) = tape.share(tape.lower([total]))
        lines += [f"    if (!{flag}) {{", *tape.program([(target, root)]), "    }"]
    head = (
        "static void sens_start(const int m, const V *restrict z, const V t, const unsigned char *z_fixed,\n"
        "        const unsigned char *x_fixed, V *restrict dz, V *restrict dx)"
    )
    return c_function(head, lines)


def _lists(tape: Tape, name: str, a: str, first: Sequence[Expr], b: str, second: Sequence[Expr]) -> str:
    """One function that writes two lists of values."""
    roots = tape.share([tape.value(r) for r in tape.lower([*first, *second])])
    targets = [(f"{a}[{i}]", r) for i, r in enumerate(roots[: len(first)])]
    targets += [(f"{b}[{i}]", r) for i, r in enumerate(roots[len(first) :])]
    arguments = f"{POINT},\n        V *restrict {a}, V *restrict {b}"
    return function_in_pieces(tape, name, arguments, targets, "static NOINLINE")


def _table(name: str, values: Sequence[int]) -> str:
    return f"static const int {name}[] = {{{', '.join(map(str, values)) or '0'}}};"


def stage_tables(method: Rosenbrock) -> str:
    """Coefficients of a method as arrays."""
    s = method.stages
    a: list[list[float]] = [[]]
    for i in range(1, s):
        a.append(list(method.a[i - 1]) if i - 1 < len(method.a) else [*a[-1], 1.0])
    rows: Mapping[str, Sequence[Sequence[float]]] = {"STAGE_A": a, "STAGE_C": [[], *map(list, method.c)]}
    lines = []
    for name, table in rows.items():
        body = ", ".join("{" + ", ".join(literal(v) for v in [*row, *[0.0] * (s - len(row))]) + "}" for row in table)
        lines.append(f"static const double {name}[{s}][{s}] = {{{body}}};")
    for name, values in (("STAGE_NODE", method.nodes), ("STAGE_D", method.slopes)):
        lines.append(f"static const double {name}[{s}] = {{{', '.join(map(literal, values))}}};")
    return "\n".join(lines)
