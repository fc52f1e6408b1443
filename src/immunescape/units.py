"""Conversions that every package shares: lengths of time, and body surface.

Units of the model's parameters are another matter (:mod:`immunescape.model.units`, checked with pint).
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["DAYS_PER", "DAYS_PER_MONTH", "MONTHS_PER", "body_surface_area"]

DAYS_PER: dict[str, float] = {"day": 1.0, "week": 7.0, "month": 365.25 / 12.0, "year": 365.25}
"""Days in each unit of duration; a month is a twelfth of a Julian year (30.4375 days)."""
DAYS_PER_MONTH = DAYS_PER["month"]
MONTHS_PER: dict[str, float] = {"months": 1.0, "days": 1 / DAYS_PER_MONTH, "weeks": 7 / DAYS_PER_MONTH, "years": 12.0}
"""Months in each unit that a file may give times in."""

Number = TypeVar("Number", float, NDArray[np.float64])


def body_surface_area(weight_kg: Number, height_cm: Number) -> Number:
    """Body surface area in m^2 by the formula of Du Bois [dubois1916]."""
    area: Number = 0.007184 * weight_kg**0.425 * height_cm**0.725
    return area
