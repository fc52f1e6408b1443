"""What an assembled model is made of: declarations with clones written out, expressions parsed and units settled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from immunescape.model.expressions import Expression
from immunescape.model.units import DIMENSIONLESS, Dimension

__all__ = ["ModelEvent", "ModelQuantity", "ModelReaction", "ModelState", "QuantityKind"]

QuantityKind = Literal["quantity", "pool", "factor", "strength", "trait", "fraction"]


@dataclass(frozen=True, kw_only=True)
class ModelState:
    """A state: `initial` is in base units, `factor` turns `unit` into base units, `atol` is in base units."""

    name: str
    unit: str
    factor: float
    dimension: Dimension
    compartment: str
    meaning: str
    initial: Expression
    atol: float
    owner: str
    clone: str = ""


@dataclass(frozen=True, kw_only=True)
class ModelReaction:
    """A flow; `rate` is in base units per day for a stoichiometry of one, with the mechanism's switch where it acts."""

    name: str
    rate: Expression
    meaning: str
    reactants: Mapping[str, float]
    products: Mapping[str, float]
    dimension: Dimension
    """Of what flows (of the states, not of the rate)."""
    owner: str


@dataclass(frozen=True, kw_only=True)
class ModelQuantity:
    """A value that follows from states and parameters; `expression` is in base units."""

    name: str
    expression: Expression
    unit: str
    meaning: str
    owner: str
    kind: QuantityKind = "quantity"
    observable: bool = False
    factor: float = 1.0
    dimension: Dimension = DIMENSIONLESS


@dataclass(frozen=True)
class ModelEvent:
    """A discontinuity: when `trigger` turns true (also at the start), the assignments are made at once."""

    name: str
    trigger: Expression
    assignments: Mapping[str, Expression]
    owner: str
