"""Expressions: equality, simplification, derivatives and values against sympy, Python functions against arrays."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from immunescape.engine.ir import expressions as ir
from immunescape.engine.ir.calculus import derivatives, diff, evaluate, free_symbols, substitute, total_derivative
from immunescape.engine.ir.expressions import ONE, TIME, ZERO, Expr, func, num, sym
from immunescape.engine.ir.python_functions import make_function
from immunescape.errors import EngineError

X, Y, Z = sym("x"), sym("y"), sym("z")
SYMPY = {
    "exp": sympy.exp,
    "ln": sympy.log,
    "log10": lambda a: sympy.log(a, 10),
    "sqrt": sympy.sqrt,
    "abs": sympy.Abs,
    "sin": sympy.sin,
    "cos": sympy.cos,
    "tan": sympy.tan,
    "asin": sympy.asin,
    "acos": sympy.acos,
    "atan": sympy.atan,
    "sinh": sympy.sinh,
    "cosh": sympy.cosh,
    "tanh": sympy.tanh,
    "asinh": sympy.asinh,
    "acosh": sympy.acosh,
    "atanh": sympy.atanh,
    "floor": sympy.floor,
    "ceil": sympy.ceiling,
    "gamma": sympy.gamma,
}


def test_equal_expressions_are_one_object():
    assert (X + Y) * Z is Z * (Y + X)
    assert X + 1 is not X + 2
    assert X * X * X is X**3
    assert X + X + Y - Y is 2 * X
    assert X - X is ZERO
    assert X**0 is ONE
    assert 0 * func("ln", X) is ZERO


def test_numbers_are_folded_as_the_processor_would():
    assert (num(1) / num(0)).value == np.inf
    assert np.isnan((num(0) / num(0)).value)
    assert func("ln", num(-1)).value != func("ln", num(-1)).value
    assert func("gamma", num(6)).value == 120
    assert ir.compare("lt", num(1), num(2)) is ONE
    assert func("log10", num(1000)).value == 3.0


def test_logic_is_simplified():
    a, b = ir.compare("lt", X, Y), ir.compare("gt", X, Z)
    assert ir.land(a, ONE) is a
    assert ir.land(a, ZERO) is ZERO
    assert ir.lor(a, ONE) is ONE
    assert ir.land() is ONE
    assert ir.lor() is ZERO
    assert ir.lnot(ir.lnot(a)) is a
    assert ir.land(a, b) is ir.land(b, a)
    assert ir.if_(ONE, X, Y) is X
    assert ir.if_(a, X, X) is X


def test_expressions_cannot_be_changed():
    with pytest.raises(AttributeError):
        X.name = "y"


def test_expressions_survive_pickling():
    expression = func("exp", X * Y + TIME) / (1 + ir.maximum(X, Y))
    assert pickle.loads(pickle.dumps(expression)) is expression


def test_digest_is_the_same_in_every_process():
    code = (
        "from immunescape.engine.ir.expressions import *;x,y,z=map(sym,'xyz');w=[sym(f'w{i}')*i for i in range(9)];"
        "print((func('exp',z*x)+y/(x+y)).digest.hex())"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert runs == {(func("exp", X * Z) + Y / (Y + X)).digest.hex()}


def test_deep_sums_need_no_recursion():
    expression = X
    for i in range(5000):
        expression = func("sin", expression) + i
    assert free_symbols(expression) == {"x"}
    assert np.isfinite(evaluate([expression], {"x": 1.0})[0])
    assert np.isfinite(make_function([expression], {"x": ("x", 0)})(0.0, [1.0], [])[0])


def test_substitution_is_simultaneous():
    assert substitute([X + 2 * Y], {"x": Y, "y": X})[0] is Y + 2 * X
    assert substitute([X * TIME], {}, time=num(3))[0] is 3 * X


@pytest.mark.parametrize("name", ir.UNARY)
def test_functions_and_their_derivatives_against_sympy(name):
    point = 1.3 if name == "acosh" else 0.37
    x = sympy.Symbol("x", real=True)
    inner = func(name, X * X + X / 2 + point - 0.4)
    formula = SYMPY[name](x**2 + x / 2 + sympy.Float(point - 0.4))
    at = 0.31
    assert evaluate([inner], {"x": at})[0] == pytest.approx(float(formula.subs(x, at)), rel=1e-12)
    if name == "gamma":
        with pytest.raises(EngineError, match="gamma"):
            diff(inner, "x")
        return
    expected = 0.0 if name in ("floor", "ceil") else float(sympy.diff(formula, x).subs(x, at).evalf())
    assert evaluate([diff(inner, "x")], {"x": at})[0] == pytest.approx(expected, rel=1e-10, abs=1e-14)


@st.composite
def smooth(draw, depth=4):
    """Expressions in x and y (positive), with their sympy twins."""
    if depth == 0 or draw(st.integers(0, 5)) == 0:
        kind = draw(st.sampled_from("xyn"))
        if kind == "n":
            value = draw(st.floats(0.25, 3))
            return num(value), sympy.Float(value, 17)
        return sym(kind), sympy.Symbol(kind, positive=True)
    (a, sa), (b, sb) = draw(smooth(depth=depth - 1)), draw(smooth(depth=depth - 1))
    kind = draw(st.sampled_from(["add", "sub", "mul", "div", "pow", "exp", "tanh", "sqrt"]))
    if kind == "add":
        return a + b, sa + sb
    if kind == "sub":
        return a - b / 3, sa - sb / 3
    if kind == "mul":
        return a * b, sa * sb
    if kind == "div":
        return a / (1 + b * b), sa / (1 + sb * sb)
    if kind == "pow":
        return (1 + a * a) ** func("tanh", b), (1 + sa * sa) ** sympy.tanh(sb)
    if kind == "exp":
        return func("exp", -a * a), sympy.exp(-sa * sa)
    if kind == "tanh":
        return func("tanh", a), sympy.tanh(sa)
    return func("sqrt", 1 + a * a), sympy.sqrt(1 + sa * sa)


@settings(max_examples=60, deadline=None)
@given(smooth(), st.floats(0.2, 2), st.floats(0.2, 2))
def test_random_expressions_against_sympy(pair, x, y):
    expression, twin = pair
    at = {sympy.Symbol("x", positive=True): x, sympy.Symbol("y", positive=True): y}
    expected = float(twin.subs(at).evalf(30))
    values = {"x": x, "y": y}
    scale = max(1.0, abs(expected))
    assert evaluate([expression], values)[0] == pytest.approx(expected, rel=1e-9, abs=1e-9 * scale)
    compiled = make_function([expression, expression * 2], {"x": ("x", 0), "y": ("p", 0)})
    assert compiled(0.0, [x], [y])[0] == pytest.approx(expected, rel=1e-9, abs=1e-9 * scale)
    (partials,) = derivatives([expression])
    for name in ("x", "y"):
        slope = float(sympy.diff(twin, sympy.Symbol(name, positive=True)).subs(at).evalf(30))
        got = float(evaluate([partials.get(name, ZERO)], values)[0])
        assert got == pytest.approx(slope, rel=1e-7, abs=1e-7 * max(1.0, abs(slope), scale))


def test_derivative_of_a_hill_term_is_finite_at_zero():
    n, k = sym("n"), sym("k")
    hill = X**n / (k**n + X**n)
    (partials,) = derivatives([hill])
    for exponent in (1.0, 2.0, 3.5):
        values = {"x": 0.0, "n": exponent, "k": 2.0}
        for name in ("x", "n", "k"):
            assert np.isfinite(evaluate([partials[name]], values)[0]), (name, exponent)


@pytest.mark.parametrize(("x", "expected"), [(1.0, 2.0), (3.0, 0.0)])
def test_branches_take_the_derivative_of_the_active_one(x, expected):
    branch = ir.if_(ir.compare("lt", X, num(2)), X * X, num(7))
    assert evaluate([diff(branch, "x")], {"x": x})[0] == expected
    small = ir.minimum(2 * X, num(4))
    assert evaluate([diff(small, "x")], {"x": x})[0] == expected


def test_rate_along_a_trajectory_includes_time_and_assignments():
    rate = total_derivative(sym("a") * TIME, {"x": num(3)}, {"a": X * X})
    # d/dt (x^2 t) = 2 x x' t + x^2
    assert evaluate([rate], {"x": 2.0}, 5.0)[0] == 2 * 2 * 3 * 5 + 4


def test_values_broadcast_over_patients():
    out = evaluate([ir.if_(ir.compare("gt", X, Y), X / Y, Y)], {"x": np.array([1.0, 4.0]), "y": np.array([2.0, 0.0])})
    np.testing.assert_array_equal(out[0], [2.0, np.inf])


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (X / Y, np.inf),
        (func("ln", Y), -np.inf),
        (func("exp", X * 1000), np.inf),
        ((Y - X) ** num(0.5), np.nan),
        (func("sqrt", Y - X), np.nan),
        (func("gamma", Y), np.inf),
    ],
)
def test_python_functions_follow_ieee_arithmetic(expression: Expr, expected):
    (value,) = make_function([expression], {"x": ("x", 0), "y": ("x", 1)})(0.0, [1.0, 0.0], [])
    assert value == expected or (np.isnan(value) and np.isnan(expected))


def test_names_never_reach_the_generated_text():
    hostile = sym("__import__('os').system('true')")
    assert make_function([hostile + 1], {hostile.name: ("p", 0)})(0.0, [], [2.0]) == (3.0,)
