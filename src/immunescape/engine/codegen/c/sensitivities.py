"""Writes what the integration of derivatives by parameters needs: derivatives of the rates, as sparse lists.

Each list of values has lists of positions beside it; ``kernels/sensitivity.h`` multiplies them. Only what is not zero
is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from immunescape.engine.codegen.c.pieces import POINT, c_function, function_in_pieces
from immunescape.engine.codegen.layout import DerivativeRequest
from immunescape.engine.codegen.rosenbrock import Rosenbrock
from immunescape.engine.codegen.tape import Tape, literal
from immunescape.engine.ir.analysis import CLOCK, Plan
from immunescape.engine.ir.calculus import derivatives, free_symbols
from immunescape.engine.ir.expressions import ZERO, Expr, add, sym
from immunescape.errors import EngineError, unknown_word

__all__ = ["sensitivity_code", "stage_tables"]


def sensitivity_code(plan: Plan, requested: DerivativeRequest, tape: Callable[[], Tape]) -> str:
    """C code of all derivatives that are needed.

    Parameters
    ----------
    plan, requested
        The model, and which derivatives are asked for.
    tape
        Makes a tape with the model's symbols.

    Raises
    ------
    EngineError
        For a name that the model does not have, or where a moment of switching depends on a parameter.
    """
    affected = _affected(plan, requested.parameters)
    _check(plan, requested, affected)
    positions = _Positions(
        column={name: j for j, name in enumerate(plan.states)}, slot={name: k for k, name in enumerate(affected)}
    )
    sizes = [f"#define NSENS {len(requested.parameters)}", f"#define NDZ {len(affected)}"]
    first, by_state, by_fixed = _first_derivatives(plan, affected, positions, tape)
    parts = [
        *sizes,
        _start(plan, requested, affected),
        *first,
        *_second_derivatives(plan, by_state, by_fixed, positions, tape),
        *_output_derivatives(plan, requested, affected, positions, tape),
    ]
    return "\n".join(parts)


@dataclass(frozen=True)
class _Positions:
    """Numbers by which the generated code knows names: `column` of a state, `slot` of an affected fixed value."""

    column: Mapping[str, int]
    slot: Mapping[str, int]


@dataclass(frozen=True)
class _Entry:
    """A derivative that is not zero: row and column of a matrix, and its expression."""

    row: int
    column: int
    value: Expr


def _check(plan: Plan, requested: DerivativeRequest, affected: Sequence[str]) -> None:
    """Refuse parameters that do not exist, and those that move a moment of switching."""
    for name in requested.parameters:
        if name not in plan.system.constant_names:
            raise unknown_word("parameter", name, plan.system.constant_names, error=EngineError)
    # At a switch the derivative jumps by (jump of the rate) * d(moment)/d(parameter), which is not integrated here.
    for moment in (*plan.breaks, *(f.value for f in plan.clock.features if f.jumps)):
        if free_symbols(moment) & set(affected):
            raise EngineError("a rate switches at a moment that depends on a parameter whose derivative is asked for")


def _first_derivatives(
    plan: Plan, affected: Sequence[str], positions: _Positions, tape: Callable[[], Tape]
) -> tuple[list[str], list[_Entry], list[_Entry]]:
    """Return code of d(rate)/d(state) and d(rate)/d(fixed value), and both as entries."""
    rates_by_fixed = derivatives(plan.rates, affected)
    rates_by_state = derivatives(plan.rates, plan.states)
    # Columns run in the order of states, not of names: the linear solver of the stages reads them in that order.
    by_state = [
        _Entry(i, positions.column[name], value)
        for i, row in enumerate(rates_by_state)
        for name, value in sorted(row.items(), key=lambda item: positions.column[item[0]])
    ]
    by_fixed = [
        _Entry(i, positions.slot[name], value)
        for i, row in enumerate(rates_by_fixed)
        for name, value in sorted(row.items())
    ]
    code = [
        *_tables(by_state, "JX_ROW", "JX_COLUMN"),
        *_tables(by_fixed, "JZ_ROW", "JZ_FIXED"),
        f"#define NJX {len(by_state)}",
        f"#define NJZ {len(by_fixed)}",
        _lists(tape(), "first_derivatives", "jx", by_state, "jz", by_fixed),
    ]
    return code, by_state, by_fixed


def _second_derivatives(
    plan: Plan,
    by_state: Sequence[_Entry],
    by_fixed: Sequence[_Entry],
    positions: _Positions,
    tape: Callable[[], Tape],
) -> list[str]:
    """Return code of how the first derivatives change with states and time.

    The Rosenbrock stages of a sensitivity need the product of these with it. Of one row and one state (or time) all of
    them act on the same entry of that product: ``B_ROW`` and ``B_COLUMN`` list these entries, ``HX_PLACE`` and
    ``HZ_PLACE`` say to which one each derivative adds (for time: -1 - row).
    """
    names = [*plan.states, CLOCK]
    places: dict[tuple[int, int], int] = {}

    def place(row: int, name: str) -> int:
        return -1 - row if name == CLOCK else places.setdefault((row, positions.column[name]), len(places))

    def further(entries: Sequence[_Entry]) -> list[_Entry]:
        """Derivatives of entries: the place in the product, the column of the entry, the value."""
        rows = derivatives([e.value for e in entries], names)
        return [
            _Entry(place(entry.row, name), entry.column, value)
            for entry, row in zip(entries, rows, strict=True)
            for name, value in sorted(row.items())
        ]

    second, mixed = further(by_state), further(by_fixed)
    return [
        *_tables(second, "HX_PLACE", "HX_STATE"),
        *_tables(mixed, "HZ_PLACE", "HZ_FIXED"),
        _table("B_ROW", [row for row, _ in places]),
        _table("B_COLUMN", [column for _, column in places]),
        f"#define NHX {len(second)}",
        f"#define NHZ {len(mixed)}",
        f"#define NB {len(places)}",
        _lists(tape(), "second_derivatives", "hx", second, "hz", mixed),
    ]


def _output_derivatives(
    plan: Plan, requested: DerivativeRequest, affected: Sequence[str], positions: _Positions, tape: Callable[[], Tape]
) -> list[str]:
    """Return code of the derivatives of the outputs by states and by fixed values."""
    values = {**{n: sym(n) for n in (*plan.states, *plan.fixed)}, **plan.quantities}
    for name in requested.outputs:
        if name not in values:
            raise unknown_word("output", name, values, error=EngineError)
    rows = derivatives([values[name] for name in requested.outputs], [*plan.states, *affected])

    def entries(numbers: Mapping[str, int]) -> list[_Entry]:
        return [
            _Entry(output, numbers[name], value)
            for output, row in enumerate(rows)
            for name, value in sorted(row.items())
            if name in numbers
        ]

    by_state, by_fixed = entries(positions.column), entries(positions.slot)
    return [
        *_tables(by_state, "OX_ROW", "OX_STATE"),
        *_tables(by_fixed, "OZ_ROW", "OZ_FIXED"),
        f"#define NOX {len(by_state)}",
        f"#define NOZ {len(by_fixed)}",
        f"#define NOUT {len(requested.outputs)}",
        _lists(tape(), "output_derivatives", "ox", by_state, "oz", by_fixed),
    ]


def _affected(plan: Plan, parameters: Sequence[str]) -> tuple[str, ...]:
    """Fixed names whose value depends on the parameters: themselves, constants and states that only events change."""
    # One pass is enough: constants stand in the order in which they are computed. A dict keeps that order, so that the
    # generated code does not depend on the hashes of names.
    affected_by = dict.fromkeys(parameters)
    for constant in plan.system.constants:
        if free_symbols(constant.expression) & affected_by.keys():
            affected_by.setdefault(constant.name)
    for state in plan.system.states:
        if state.name in plan.fixed and free_symbols(state.initial) & affected_by.keys():
            affected_by.setdefault(state.name)
    return tuple(affected_by)


def _start(plan: Plan, requested: DerivativeRequest, affected: Sequence[str]) -> str:
    """Derivatives of fixed values and initial states by each parameter."""
    position = {name: i for i, name in enumerate(plan.fixed)}
    slot = {name: k for k, name in enumerate(affected)}
    column = {name: j for j, name in enumerate(plan.states)}
    symbols = {name: f"z[{i}]" for name, i in position.items()} | {f"d:{n}": f"dz[{k}]" for n, k in slot.items()}
    lines = [
        f"    for (int i = 0; i < {len(affected)}; i++) dz[i] = all(0.0);",
        "    for (int i = 0; i < NX; i++) dx[i] = all(0.0);",
        "    static const int own[] = {" + ", ".join(str(slot[n]) for n in requested.parameters) + "};",
        "    dz[own[m]] = all(1.0);",
    ]
    # Chain rule along the order of computation: the derivative of a value is the sum over what it reads, each of which
    # has its derivative already.
    chosen = set(requested.parameters)
    system = plan.system
    items = [(c.name, c.expression) for c in system.constants] + [(s.name, s.initial) for s in system.states]
    for name, expression in items:
        (row,) = derivatives([expression], affected)
        total = add(*(e * sym(f"d:{n}") for n, e in sorted(row.items()))) if row else ZERO
        if total.is_num(0.0) or name in chosen:  # that of a chosen parameter by itself is 1, set above
            continue
        if name in column:
            # a state that the caller starts elsewhere depends on no parameter at the start
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


def _lists(tape: Tape, name: str, a: str, first: Sequence[_Entry], b: str, second: Sequence[_Entry]) -> str:
    """One function that writes two lists of values."""
    # Both lists on one tape: derivatives of one rate by a state and by a parameter share most of their subexpressions.
    roots = tape.share([tape.value(r) for r in tape.lower([e.value for e in (*first, *second)])])
    targets = [(f"{a}[{i}]", r) for i, r in enumerate(roots[: len(first)])]
    targets += [(f"{b}[{i}]", r) for i, r in enumerate(roots[len(first) :])]
    arguments = f"{POINT},\n        V *restrict {a}, V *restrict {b}"
    return function_in_pieces(tape, name, arguments, targets, "static NOINLINE")


def _tables(entries: Sequence[_Entry], rows: str, columns: str) -> tuple[str, str]:
    """Rows and columns of entries as arrays."""
    return _table(rows, [e.row for e in entries]), _table(columns, [e.column for e in entries])


def _table(name: str, values: Sequence[int]) -> str:
    return f"static const int {name}[] = {{{', '.join(map(str, values)) or '0'}}};"


def stage_tables(method: Rosenbrock) -> str:
    """Coefficients of a method as arrays."""
    s = method.stages
    a: list[list[float]] = [[]]
    for i in range(1, s):
        # The last stages of a Rodas method start where the stage before has ended: their row is that one with a 1 more,
        # and the tables of coefficients leave it out.
        a.append(list(method.a[i - 1]) if i - 1 < len(method.a) else [*a[-1], 1.0])
    rows: Mapping[str, Sequence[Sequence[float]]] = {"STAGE_A": a, "STAGE_C": [[], *map(list, method.c)]}
    lines = []
    for name, table in rows.items():
        body = ", ".join("{" + ", ".join(literal(v) for v in [*row, *[0.0] * (s - len(row))]) + "}" for row in table)
        lines.append(f"static const double {name}[{s}][{s}] = {{{body}}};")
    for name, values in (("STAGE_NODE", method.nodes), ("STAGE_D", method.slopes)):
        lines.append(f"static const double {name}[{s}] = {{{', '.join(map(literal, values))}}};")
    return "\n".join(lines)
