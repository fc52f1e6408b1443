"""Units: text from tables and declarations -> dimension and factor to the model's base units.

The base set is coherent: day, centimetre (so volumes are cm^3 = mL), cell, nanomole, milligram. `cell` is a dimension
of its own; molecules are an amount of substance (Avogadro). pint reads the text; the algebra of checking thousands of
expressions is done on plain tuples of exponents.

What pint makes of the units of the package's own tables and declarations is kept in ``units.csv``, because to import
pint and to read its definitions takes longer than to assemble the model. A test holds each row against pint;
``python scripts/write_units.py`` writes the file.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immunescape.errors import ModelError
from immunescape.knowledge.tables import read_rows

if TYPE_CHECKING:
    import pint

__all__ = [
    "AREA",
    "BASE",
    "CELL",
    "DIMENSIONLESS",
    "LENGTH",
    "MASS",
    "RATE",
    "SUBSTANCE",
    "TIME",
    "VOLUME",
    "Dimension",
    "Unit",
    "dimension_text",
    "kept_units",
    "multiply",
    "parse_unit",
    "power",
    "read_with_pint",
    "registry",
    "sbml_unit_id",
    "sbml_units",
    "write_kept_units",
]

Dimension = tuple[float, ...]
"""Exponents of the base units, in the order of `BASE`."""

BASE = ("day", "centimeter", "cell", "nanomole", "milligram")
_KEPT_FILE = Path(__file__).with_name("units.csv")
_SHORT = ("day", "cm", "cell", "nmol", "mg")
_DIMENSION_NAMES = {"[time]": 0, "[length]": 1, "[cell]": 2, "[substance]": 3, "[mass]": 4}
_SBML = (  # kind, scale, multiplier of each base unit
    ("second", 0, 86400.0),
    ("metre", -2, 1.0),
    ("item", 0, 1.0),
    ("mole", -9, 1.0),
    ("gram", -3, 1.0),
)

DIMENSIONLESS: Dimension = (0.0, 0.0, 0.0, 0.0, 0.0)
TIME: Dimension = (1.0, 0.0, 0.0, 0.0, 0.0)
RATE: Dimension = (-1.0, 0.0, 0.0, 0.0, 0.0)
LENGTH: Dimension = (0.0, 1.0, 0.0, 0.0, 0.0)
AREA: Dimension = (0.0, 2.0, 0.0, 0.0, 0.0)
VOLUME: Dimension = (0.0, 3.0, 0.0, 0.0, 0.0)
CELL: Dimension = (0.0, 0.0, 1.0, 0.0, 0.0)
SUBSTANCE: Dimension = (0.0, 0.0, 0.0, 1.0, 0.0)
MASS: Dimension = (0.0, 0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Unit:
    """A unit: value in base units = value in this unit times `factor`."""

    text: str
    factor: float
    dimension: Dimension


@lru_cache(maxsize=1)
def registry() -> pint.UnitRegistry[Any]:
    """Return the pint registry of immunescape: pint's own units, and `cell`, `molarity`."""
    import pint

    units: pint.UnitRegistry[Any] = pint.UnitRegistry()
    units.define("cell = [cell]")
    units.define("@alias molar = molarity")
    return units


@lru_cache(maxsize=1)
def kept_units() -> Mapping[str, Unit]:
    """Return what pint makes of the package's own units, from ``units.csv``."""
    return {
        row["unit"]: Unit(row["unit"], row.number("factor"), tuple(row.number(base) for base in BASE))
        for row in read_rows(_KEPT_FILE)
    }


def write_kept_units(texts: Iterable[str], path: Path = _KEPT_FILE) -> None:
    """Write what pint makes of units as the table that `kept_units` reads."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["unit", "factor", *BASE])
        for unit in map(read_with_pint, sorted({t.strip() for t in texts})):
            writer.writerow([unit.text, repr(unit.factor), *(f"{e:g}" for e in unit.dimension)])


@lru_cache(maxsize=4096)
def _parse(text: str) -> Unit:
    return kept_units().get(text) or read_with_pint(text)


def read_with_pint(text: str) -> Unit:
    """Read a unit with pint; errors are pint's own. See `parse_unit`."""
    units = registry()
    parsed = units.parse_units(text)
    exponents = [0.0] * len(BASE)
    dimensionality: Mapping[Any, Any] = parsed.dimensionality
    for name, exponent in dimensionality.items():
        if str(name) not in _DIMENSION_NAMES:
            raise ModelError(f"unit '{text}' has the dimension {name}, which the model does not use")
        exponents[_DIMENSION_NAMES[str(name)]] = round(float(exponent), 9)
    base = units.UnitsContainer({b: e for b, e in zip(BASE, exponents, strict=True) if e})
    ratio: Any = units.convert(1.0, parsed, units.Unit(base))
    return Unit(text, float(f"{ratio:.14g}"), tuple(exponents))  # 14 digits: 1 mL/day is 1, not 0.9999999999999999


def parse_unit(text: str, where: str | None = None) -> Unit:
    """Read a unit such as ``nanomole/milliliter`` or ``1/day``; empty text and ``dimensionless`` are plain numbers.

    Parameters
    ----------
    text
        Anything that pint reads, with `cell` and `molecule`.
    where
        File and row, or declaration, for the error.

    Raises
    ------
    ModelError
        If the text is not a unit, has an offset (degree Celsius), or has a dimension that the model does not know.
    """
    try:
        return _parse(text.strip())
    except ModelError as error:
        raise ModelError(error.message, where=where, hint=error.hint) from None
    except Exception as error:  # pint raises many kinds, down to TypeError and tokenize errors
        raise ModelError(
            f"'{text}' is not a unit: {error}",
            where=where,
            hint="Write it in pint's notation, e.g. 1/day, nanomole/milliliter, cell, milliliter/day, dimensionless.",
        ) from None


def multiply(a: Dimension, b: Dimension, sign: int = 1) -> Dimension:
    """Return the dimension of a product (``sign=1``) or of a quotient (``sign=-1``)."""
    return tuple(round(x + sign * y, 9) + 0.0 for x, y in zip(a, b, strict=True))


def power(a: Dimension, exponent: float) -> Dimension:
    """Return the dimension of a power."""
    return tuple(round(x * exponent, 9) + 0.0 for x in a)


def dimension_text(dimension: Dimension) -> str:
    """Write a dimension in base units, e.g. ``nmol/cm^3/day``."""

    def power_text(unit: str, exponent: float) -> str:
        return unit if exponent == 1 else f"{unit}^{exponent:g}"

    order = (2, 3, 4, 1, 0)
    above = [power_text(_SHORT[i], dimension[i]) for i in order if dimension[i] > 0]
    below = [power_text(_SHORT[i], -dimension[i]) for i in order if dimension[i] < 0]
    if not above and not below:
        return "dimensionless"
    return "/".join(["*".join(above) or "1", *below])


def sbml_unit_id(dimension: Dimension) -> str:
    """Return the SBML id of the unit of a dimension in base units, e.g. ``nmol_per_cm3_per_day``."""
    text = dimension_text(dimension)
    if text == "dimensionless":
        return text
    text = text.replace("^", "").replace(".", "p").replace("*", "_").replace("/", "_per_")
    return text.removeprefix("1_") if text.startswith("1_") else text


def sbml_units(dimension: Dimension) -> list[tuple[str, float, int, float]]:
    """Return the units of an SBML unit definition: (kind, exponent, scale, multiplier) for each base unit used."""
    return [(k, e, s, m) for (k, s, m), e in zip(_SBML, dimension, strict=True) if e]
