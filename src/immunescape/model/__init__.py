"""The model: mechanisms, drugs and parameter tables, assembled into one checked `Model`; it integrates nothing."""

from __future__ import annotations

from immunescape.model.assembly import Model
from immunescape.model.declarations import (
    Clone,
    Contribution,
    Drug,
    Event,
    Mechanism,
    Modulation,
    Pool,
    Quantity,
    Reaction,
    State,
    Trait,
)

__all__ = [
    "Clone",
    "Contribution",
    "Drug",
    "Event",
    "Mechanism",
    "Model",
    "Modulation",
    "Pool",
    "Quantity",
    "Reaction",
    "State",
    "Trait",
]
