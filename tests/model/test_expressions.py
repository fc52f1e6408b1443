"""The parser against Python's own reading of the same arithmetic, libsbml's reading of the MathML, and its refusals."""

from __future__ import annotations

import math

import libsbml
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mathml_oracle import by_libsbml

from immunescape.errors import ModelError
from immunescape.model.dimensions import check, infer
from immunescape.model.expressions import evaluate, names, parse, write
from immunescape.model.sbml import mathml
from immunescape.model.units import CELL, DIMENSIONLESS, RATE, VOLUME, multiply, parse_unit

VALUES = {"a": 2.0, "b": 3.5, "c_1": 0.25, "K": 7.0}


def value(text: str) -> float:
    return float(evaluate(parse(text), VALUES.__getitem__))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("-2^2", -4),
        ("2^-1", 0.5),
        ("2^3^2", 512),
        ("2**3", 8),
        ("a - b - 1", -2.5),
        ("a / b / 2", 2 / 3.5 / 2),
        ("(a + b) * c_1", 1.375),
        ("a*-b", -7),
        ("1e-3 + .5E2 + 1.", 51.001),
        ("pow(a, 3)", 8),
        ("min(a, b, c_1) + max(a, b)", 3.75),
        ("exp(log(a)) + sqrt(K^2) + tanh(0)", 9),
        ("2 * pi", 2 * math.pi),
    ],
)
def test_value(text: str, expected: float) -> None:
    assert value(text) == pytest.approx(expected, rel=1e-15)


leaves = st.one_of(st.sampled_from(sorted(VALUES)), st.floats(0.1, 9, allow_nan=False).map(lambda x: f"{x:.6g}"))


def _combine(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    binary = st.tuples(inner, st.sampled_from([" + ", " - ", "*", " / "]), inner).map(lambda t: f"{t[0]}{t[1]}{t[2]}")
    return st.one_of(
        binary,
        inner.map(lambda x: f"({x})"),
        inner.map(lambda x: f"-{x}"),
        inner.map(lambda x: f"tanh({x})"),
        st.tuples(inner, inner).map(lambda t: f"max({t[0]}, {t[1]})"),
        inner.map(lambda x: f"({x})**2"),
    )


texts = st.recursive(leaves, _combine, max_leaves=12)


@settings(max_examples=150, deadline=None)
@given(texts)
def test_agrees_with_python_with_its_own_text_and_with_libsbml(text: str) -> None:
    allowed = {"__builtins__": {}, "tanh": math.tanh, "max": max, **VALUES}
    try:
        expected = float(eval(text, allowed))
    except ZeroDivisionError:
        return
    tree = parse(text)
    assert float(evaluate(tree, VALUES.__getitem__)) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    again = float(evaluate(parse(write(tree)), VALUES.__getitem__))
    assert again == pytest.approx(expected, rel=1e-9, abs=1e-12)
    node = libsbml.readMathMLFromString(mathml(tree))
    assert node is not None
    assert by_libsbml(node, VALUES.__getitem__) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_arrays_broadcast() -> None:
    found = evaluate(parse("a * b / (1 + a)"), {"a": np.array([0.0, 1.0]), "b": 4.0}.__getitem__)
    np.testing.assert_allclose(found, [0.0, 2.0])


def test_names() -> None:
    assert names(parse("k * C * max(0, 1 - C / C_max) * pi * time")) == ["k", "C", "C_max"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a +",
        "a b",
        "(a",
        "a)",
        "__import__('os').system('ls')",
        "a.b",
        "a[0]",
        "lambda: 0",
        "a if b else c_1",
        "exp()",
        "exp(a, b)",
        "min(a)",
        "a < b",
        "1 + (a < b)",
        "a; b",
        '"text"',
        "a = 1",
    ],
)
def test_refuses(text: str) -> None:
    with pytest.raises(ModelError) as caught:
        parse(text, where="mechanism 'x', rate")
    assert "mechanism 'x', rate" in str(caught.value)


def test_misspelt_function_names_the_nearest() -> None:
    with pytest.raises(ModelError, match="Did you mean 'sqrt'"):
        parse("sqr(a)")


def test_condition() -> None:
    tree = parse("a < b && b >= 1", condition=True)
    assert bool(evaluate(tree, VALUES.__getitem__))
    with pytest.raises(ModelError, match="comparison"):
        parse("a + b", condition=True)


UNITS = {"C": CELL, "k": RATE, "V": VOLUME, "n": DIMENSIONLESS, "K": CELL}


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("k * C", "cell/day"),
        ("C / V", "cell/mL"),
        ("max(0, 1 - C / K) * k", "1/day"),
        ("(C / K)^n", "dimensionless"),
        ("(3 * V / (4 * pi))^(1/3)", "centimeter"),
        ("sqrt(C * K)", "cell"),
        ("C^2 / K", "cell"),
        ("k * time", "dimensionless"),
        ("min(C, K, 0)", "cell"),
        ("log(C / K)", "dimensionless"),
        ("0", "cell"),
        ("-(0 - C)", "cell"),
    ],
)
def test_units_fit(text: str, unit: str) -> None:
    check(parse(text), UNITS.__getitem__, parse_unit(unit).dimension, "here")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("C + k", "C"),
        ("C + 1", "1"),
        ("C - V", "V"),
        ("exp(C)", "exp(C)"),
        ("n^C", "C"),
        ("C^n", "n"),
        ("max(C, V)", "V"),
        ("k * C * C", "C"),
        ("1", "cell/day"),
    ],
)
def test_units_do_not_fit(text: str, part: str) -> None:
    with pytest.raises(ModelError) as caught:
        check(parse(text), UNITS.__getitem__, multiply(CELL, RATE), "mechanism 'm', rate of reaction 'r'")
    assert "mechanism 'm', rate of reaction 'r'" in str(caught.value)
    assert part in str(caught.value)


def test_literal_in_a_comparison_takes_the_unit_of_the_other_side() -> None:
    tree, _ = infer(parse("C < 1", condition=True), UNITS.__getitem__, "here")
    assert tree.args[1].dimension == CELL  # type: ignore[union-attr]
    with pytest.raises(ModelError):
        infer(parse("C < V", condition=True), UNITS.__getitem__, "here")
