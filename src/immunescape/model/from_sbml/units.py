"""Units of an SBML model: declared ones in the words of the parameter tables, missing ones from the formulas.

SBML never converts: in ``a + b`` both numbers are added as they are, whatever their units. The model here computes in
base units. The two agree where every formula is homogeneous, scales included, so that is what is checked. A unit is a
vector of the exponents of the base units and the logarithm of its size in them; products add vectors, and a unit that
the file does not state is an unknown of the linear equations that the formulas make.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import libsbml
import numpy as np
from numpy.typing import NDArray

from immunescape.errors import ModelError
from immunescape.model.units import BASE, Unit, dimension_text, parse_unit

__all__ = ["DIMENSIONLESS", "Equation", "Form", "declared_unit", "solve", "table_unit", "unit_form", "words"]

Vector = NDArray[np.float64]
DIMENSIONLESS = "dimensionless"
_ZERO = np.zeros(len(BASE) + 1)
_TOLERANCE = 1e-9
_PREFIXES = {0: "", -1: "deci", -2: "centi", -3: "milli", -6: "micro", -9: "nano", -12: "pico", -15: "femto", 3: "kilo"}
_STEMS = {"metre": "meter", "meter": "meter", "litre": "liter", "liter": "liter", "mole": "mole", "gram": "gram"}
_TIMES = {1.0: "second", 60.0: "minute", 3600.0: "hour", 86400.0: "day", 604800.0: "week"}
_PLAIN = ("dimensionless", "radian", "steradian")


@dataclass(frozen=True)
class Form:
    """A unit: a known vector, and the power of each unknown unit in it."""

    vector: Vector = field(default_factory=lambda: _ZERO)
    unknown: Mapping[str, float] = field(default_factory=dict)

    def times(self, other: Form, power: float = 1.0) -> Form:
        """Return this unit times a power of another."""
        unknown = dict(self.unknown)
        for name, exponent in other.unknown.items():
            unknown[name] = unknown.get(name, 0.0) + power * exponent
        return Form(self.vector + power * other.vector, {n: e for n, e in unknown.items() if abs(e) > _TOLERANCE})

    def substituted(self, solved: Mapping[str, Vector]) -> Form:
        """Return it with the units put in that have become known."""
        result = Form(self.vector, {n: e for n, e in self.unknown.items() if n not in solved})
        for name, exponent in self.unknown.items():
            if name in solved:
                result = Form(result.vector + exponent * solved[name], result.unknown)
        return result

    @classmethod
    def of(cls, name: str) -> Form:
        """Return a unit that is not known."""
        return cls(unknown={name: 1.0})


@dataclass(frozen=True)
class Equation:
    """Two units that a formula makes equal; `left` and `right` say what has them."""

    first: Form
    second: Form
    left: str
    right: str
    where: str


def unit_form(unit: Unit) -> Form:
    """Return a unit as a vector."""
    return Form(np.array([*unit.dimension, math.log(unit.factor)]))


def words(vector: Vector) -> str:
    """Write a unit for a message, in base units and with its size where that is not 1."""
    size = math.exp(float(vector[-1]))
    text = dimension_text(tuple(round(float(e), 9) + 0.0 for e in vector[:-1]))
    if abs(size - 1.0) < 1e-9:
        return text
    return f"{size:.6g} {text}" if text != DIMENSIONLESS else f"a number times {size:.6g}"


def table_unit(vector: Vector) -> tuple[str, float]:
    """Return base units as the parameter tables write them, and what to multiply a value by to have it in them."""
    above: list[str] = []
    below: list[str] = []
    for base, exponent in zip(BASE, vector[:-1], strict=True):
        power, name = round(float(exponent), 9), base
        if base == "centimeter" and power % 3 == 0:
            power, name = power / 3, "milliliter"
        if power:
            text = name if abs(power) == 1 else f"{name}**{abs(power):g}"
            (above if power > 0 else below).append(text)
    order = ["cell", "nanomole", "milligram", "milliliter", "centimeter", "day"]
    above.sort(key=lambda t: order.index(t.partition("**")[0]))
    below.sort(key=lambda t: order.index(t.partition("**")[0]))
    if not above and not below:
        unit = DIMENSIONLESS
    else:
        unit = "/".join(["*".join(above) or "1", *below])
    return unit, float(f"{math.exp(float(vector[-1])):.14g}")


def _named_unit(kind: str, scale: int, multiplier: float) -> str | None:
    """A unit of SBML in one word, where there is one."""
    if kind in _PLAIN and multiplier == 1.0 and scale == 0:
        return DIMENSIONLESS
    if kind == "second":
        seconds = float(f"{multiplier * 10.0**scale:.12g}")
        if seconds in _TIMES:
            return _TIMES[seconds]
    if kind == "item" and scale == 0 and multiplier == 1.0:
        return "cell"
    exponent = math.log10(multiplier) + scale if multiplier > 0 else math.nan
    if kind in _STEMS and abs(exponent - round(exponent, 0)) < 1e-12 and round(exponent) in _PREFIXES:
        return _PREFIXES[round(exponent)] + _STEMS[kind]
    return None


def declared_unit(model: Any, identifier: str, where: str) -> Unit:
    """Return a unit that the file names: a unit definition, or a unit of SBML.

    Its text is what parameter tables can hold; where no words are at hand it is in base units with the factor beside.

    Raises
    ------
    ModelError
        For a unit that is not defined, or has a dimension that the model does not know.
    """
    definition = model.getUnitDefinition(identifier)
    if definition is not None:
        items = [
            (u.getKind(), u.getExponentAsDouble(), u.getScale(), u.getMultiplier()) for u in definition.getListOfUnits()
        ]
    elif libsbml.UnitKind_forName(identifier) != libsbml.UNIT_KIND_INVALID:
        items = [(libsbml.UnitKind_forName(identifier), 1.0, 0, 1.0)]
    else:
        raise ModelError(f"the unit '{identifier}' is not defined in the file", where=where)
    above: list[str] = []
    below: list[str] = []
    vector = np.zeros(len(BASE) + 1)
    in_words = True
    for kind_number, exponent, scale, multiplier in items:
        kind = libsbml.UnitKind_toString(kind_number)
        name = _named_unit(kind, scale, multiplier)
        in_words = in_words and name is not None
        pint_name = {"item": "cell", "avogadro": DIMENSIONLESS}.get(kind, _STEMS.get(kind, kind))
        unit = parse_unit(DIMENSIONLESS if kind in _PLAIN else pint_name, f"{where}, unit '{identifier}'")
        size = multiplier * 10.0**scale * (6.02214179e23 if kind == "avogadro" else 1.0)
        vector = vector + exponent * np.array([*unit.dimension, math.log(unit.factor * size)])
        if name and name != DIMENSIONLESS and exponent:
            text = name if abs(exponent) == 1 else f"{name}**{abs(exponent):g}"
            (above if exponent > 0 else below).append(text)
    dimension = tuple(round(float(e), 9) + 0.0 for e in vector[:-1])
    if in_words:
        text = "/".join(["*".join(above) or "1", *below]) if above or below else DIMENSIONLESS
        unit = parse_unit(text, where)
        if unit.dimension == dimension and abs(math.log(unit.factor) - vector[-1]) < _TOLERANCE:
            return unit
    text, factor = table_unit(vector)
    return Unit(text, factor, dimension)


def solve(equations: list[Equation], unknown: set[str], hint: str) -> dict[str, Vector]:
    """Find the units that the file does not state, and check all others.

    Parameters
    ----------
    equations
        What the formulas make equal.
    unknown
        Names of units that are not known.
    hint
        How to state a unit, for errors.

    Returns
    -------
    dict
        Name -> vector, of every unknown unit that the formulas determine.

    Raises
    ------
    ModelError
        Where two units differ: both are named, with the formula.
    """
    solved: dict[str, Vector] = {}
    rest = list(equations)
    progress = True
    while progress:
        progress = False
        left_over = []
        for equation in rest:
            difference = equation.first.substituted(solved).times(equation.second.substituted(solved), -1.0)
            if not difference.unknown:
                _agree(equation, solved, difference, hint)
                progress = True
            elif len(difference.unknown) == 1:
                ((name, power),) = difference.unknown.items()
                solved[name] = -difference.vector / power
                progress = True
            else:
                left_over.append(equation)
        progress = progress and len(left_over) < len(rest)
        rest = left_over
    if rest:
        solved |= _together(rest, solved, sorted(unknown - set(solved)))
        for equation in rest:
            difference = equation.first.substituted(solved).times(equation.second.substituted(solved), -1.0)
            if not difference.unknown:
                _agree(equation, solved, difference, hint)
    return solved


def _agree(equation: Equation, solved: Mapping[str, Vector], difference: Form, hint: str) -> None:
    if np.all(np.abs(difference.vector) < _TOLERANCE):
        return
    first, second = equation.first.substituted(solved), equation.second.substituted(solved)
    shown = [words(f.vector) if not f.unknown else f"{words(f.vector)} times what cancels" for f in (first, second)]
    raise ModelError(
        f"units do not match: {equation.left} is in {shown[0]}, {equation.right} in {shown[1]}",
        where=equation.where,
        hint=hint,
    )


def _together(equations: list[Equation], solved: Mapping[str, Vector], unknown: list[str]) -> dict[str, Vector]:
    """Units that several equations determine only together."""
    matrix = np.zeros((len(equations), len(unknown)))
    right = np.zeros((len(equations), len(BASE) + 1))
    for row, equation in enumerate(equations):
        difference = equation.first.substituted(solved).times(equation.second.substituted(solved), -1.0)
        right[row] = -difference.vector
        for name, power in difference.unknown.items():
            matrix[row, unknown.index(name)] = power
    values = np.linalg.lstsq(matrix, right, rcond=1e-10)[0]
    _, sizes, rows = np.linalg.svd(matrix)
    rank = int((sizes > 1e-10).sum())
    free = np.abs(rows[rank:]).max(axis=0, initial=0.0) if rank < len(unknown) else np.zeros(len(unknown))
    return {name: values[i] for i, name in enumerate(unknown) if free[i] < 1e-8}
