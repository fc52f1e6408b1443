"""Conserved amounts: sums of states that no reaction changes, found exactly from the structure of the rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from immunescape.engine.ir.expressions import Expr, mul

__all__ = ["conserved_amounts"]


def _terms(rate: Expr) -> dict[Expr, Fraction]:
    """The rate as a sum of terms with numeric factors."""
    coefficients: dict[Expr, Fraction] = {}
    for term in rate.args if rate.op == "add" else (rate,):
        factor = Fraction(1)
        key = term
        if term.op == "mul" and term.args[0].op == "num":
            factor = Fraction(term.args[0].value)
            key = mul(*term.args[1:])
        coefficients[key] = coefficients.get(key, Fraction(0)) + factor
    return {key: value for key, value in coefficients.items() if value}


def conserved_amounts(states: Sequence[str], rates: Sequence[Expr]) -> list[Mapping[str, Fraction]]:
    """Independent linear combinations of states whose rates cancel term by term.

    Parameters
    ----------
    states, rates
        Names and time derivatives.

    Returns
    -------
    One mapping state -> factor for each conserved amount, as short as elimination finds them. What is conserved only
    for some parameter values is not found.
    """
    rows: list[tuple[dict[Expr, Fraction], dict[str, Fraction]]] = []
    laws: list[Mapping[str, Fraction]] = []
    pivots: dict[Expr, int] = {}
    for name, rate in zip(states, rates, strict=True):
        left, made = ({} if rate.is_num(0.0) else _terms(rate)), {name: Fraction(1)}
        while left:
            pivot = next((term for term in left if term in pivots), None)
            if pivot is None:
                break
            other, how = rows[pivots[pivot]]
            share = left[pivot] / other[pivot]
            for term, value in other.items():
                left[term] = left.get(term, Fraction(0)) - share * value
            left = {term: value for term, value in left.items() if value}
            for state, value in how.items():
                made[state] = made.get(state, Fraction(0)) - share * value
        if left:
            pivots[next(iter(left))] = len(rows)
            rows.append((left, made))
        elif len(made) > 1:
            laws.append({state: value for state, value in made.items() if value})
    return laws
