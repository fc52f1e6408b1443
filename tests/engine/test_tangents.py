"""Derivatives of straight-line programs: against derivatives of formulas and finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest

from immunescape.engine.codegen.hoist import Hoist
from immunescape.engine.codegen.tangents import tangents
from immunescape.engine.codegen.tape import Tape
from immunescape.engine.ir import expressions as ir
from immunescape.engine.ir.calculus import derivatives, evaluate
from immunescape.engine.ir.expressions import Expr, num, sym

X = [sym(f"x{i}") for i in range(4)]
K = [sym(f"k{i}") for i in range(3)]
VALUES = {"x0": 1.7, "x1": 0.6, "x2": 2.3, "x3": 0.4, "k0": 0.8, "k1": 2.5, "k2": 1.3}
SYMBOLS = {f"x{i}": f"x[{i}]" for i in range(4)} | {f"k{i}": f"z[{i}]" for i in range(3)}
CALLS = {"v_log": np.log, "v_abs": abs, "v_min": min, "v_max": max, "v_logabs": lambda a: math.log(abs(a))}
OPERATIONS = {
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "ne": np.not_equal,
    "and": min,
    "truth": float,
    "mul": np.multiply,
    "add": np.add,
    "sub": np.subtract,
    "neg": np.negative,
    "rcp": lambda a: 1.0 / a if a else math.inf,
    "if": lambda mask, a, b: a if mask else b,
}


def run(tape: Tape, hoist: Hoist, values: dict[str, float]) -> list[float]:
    """Value of every node of a tape (1.0 or 0.0 for a truth value)."""
    leaves = {place: values[name] for name, place in SYMBOLS.items()}
    for expression, slot in hoist.slots.items():
        leaves[f"c[{slot}]"] = float(evaluate([expression], values)[0])
    out: list[float] = []
    for op, *rest in tape.nodes:
        if op in ("leaf", "num"):
            out.append(leaves[rest[0]] if op == "leaf" else rest[0])
            continue
        if op in ("product", "sum"):
            out.append(math.nan)
            continue
        name, args = (rest[0], rest[1:]) if op == "call" else (op, rest)
        a = [out[i] for i in args]
        if name == "v_pow":
            out.append(a[0] ** a[1])
        elif op == "call":
            out.append(float(CALLS.get(name, getattr(np, _numpy(name), None))(*a)))
        else:
            out.append(float(OPERATIONS[op](*a)))
    return out


def _numpy(name: str) -> str:
    short = name[2:]
    return "arc" + short[1:] if short.startswith("a") and short != "abs" else short


def found(roots: list[Expr], values: dict[str, float] = VALUES) -> tuple[dict[tuple[int, int], float], Tape, Hoist]:
    hoist = Hoist(frozenset({"k0", "k1", "k2"}))
    tape = Tape(SYMBOLS, hoist)
    nodes = tape.share([tape.value(i) for i in tape.lower(roots)])
    made = tangents(tape, nodes, [f"x[{i}]" for i in range(4)])
    numbers = run(tape, hoist, values)
    return {key: numbers[i] for key, i in made.items()}, tape, hoist


def wanted(roots: list[Expr], values: dict[str, float] = VALUES) -> dict[tuple[int, int], float]:
    rows = derivatives(roots, [x.name for x in X])
    return {
        (i, int(name[1:])): float(evaluate([e], values)[0]) for i, row in enumerate(rows) for name, e in row.items()
    }


FORMULAS = {
    "products": [K[0] * X[0] * X[1] - K[1] * X[2], X[0] * X[1] * X[2] * X[3], -(K[0] * X[0]), X[3]],
    "quotients": [K[0] * X[0] / (K[1] + X[0] + X[1]), X[0] / X[1] / X[2], 1 / (X[0] * X[1])],
    "hill": [X[0] ** K[0] / (X[0] ** K[0] + K[1] ** K[0]), X[0] ** num(-3), X[1] ** X[2], K[1] ** X[0]],
    "roots": [num(2.0) ** X[3], ir.func("sqrt", X[0] * X[1]), X[2] ** num(1.5), X[3] ** num(0.5), X[3] ** num(0.75)],
    "branches": [
        ir.minimum(X[0], X[1] * K[0]),
        ir.maximum(X[0] * X[3], X[1]),
        ir.if_(ir.compare("gt", X[0], X[1]), X[2] * X[0], X[3]),
        ir.func("abs", X[0] - X[2]),
        ir.land(ir.compare("gt", X[0], X[1]), ir.compare("lt", X[0], X[2])) * X[3],
    ],
    "shared": [(X[0] + X[1] + X[2]) * K[0], (X[0] + X[1] + X[2]) ** num(2) * X[3], X[0] * X[0] + 3 * X[0]],
}


@pytest.mark.parametrize("roots", FORMULAS.values(), ids=FORMULAS.keys())
def test_equal_to_derivatives_of_formulas(roots: list[Expr]) -> None:
    made, right = found(roots)[0], wanted(roots)
    assert {k for k, v in right.items() if v} <= made.keys()
    for key, value in made.items():
        assert value == pytest.approx(right.get(key, 0.0), rel=1e-13, abs=1e-15), key


@pytest.mark.parametrize("name", [n for n in ir.UNARY if n not in ("floor", "ceil", "gamma", "abs")])
def test_functions(name: str) -> None:
    argument = X[0] if name == "acosh" else X[1]
    made = found([ir.func(name, argument * K[2])])[0]
    ((key, value),) = made.items()
    assert value == pytest.approx(wanted([ir.func(name, argument * K[2])])[key], rel=1e-12)


def test_steps_are_flat() -> None:
    assert found([ir.func("floor", X[0]), ir.func("ceil", X[0])])[0] == {}


def test_power_of_one_and_a_half_at_zero() -> None:
    assert found([X[0] ** num(1.5)], VALUES | {"x0": 0.0})[0] == {(0, 0): 0.0}


def test_constants_are_hoisted() -> None:
    """The derivative of a product of parameters and one state is one value that is computed once for a patient."""
    made, _, hoist = found([K[0] * (K[1] * X[0] + K[2] * X[0] * X[1])])
    assert len(made) == 2
    products = [set(map(repr, e.args)) for e in hoist.slots if e.op == "mul"]
    assert {"k0", "k1"} in products


def test_random_programs_agree_with_finite_differences() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        pool = [*X, *K]
        for _ in range(25):
            a, b = (pool[i] for i in rng.integers(len(pool), size=2))
            pool.append([a + b, a * b, a / (1 + b * b), ir.func("exp", -(a * a)), a - b][rng.integers(5)])
        roots = pool[-4:]
        made = found(roots)[0]
        for j, x in enumerate(X):
            up, down = (evaluate(roots, VALUES | {x.name: VALUES[x.name] + d}) for d in (1e-6, -1e-6))
            for i in range(4):
                difference = (float(up[i]) - float(down[i])) / 2e-6
                assert made.get((i, j), 0.0) == pytest.approx(difference, rel=1e-5, abs=1e-5)
