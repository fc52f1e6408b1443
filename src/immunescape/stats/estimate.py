"""A number with its interval, as every statistic gives it."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["NORMAL_975", "Estimate"]

NORMAL_975 = 1.959963984540054
"""Quantile 0.975 of the normal distribution."""


@dataclass(frozen=True)
class Estimate:
    """A number with its interval, p value and the test that gave it.

    Attributes
    ----------
    value, low, high : the number and its interval; None where it does not exist: a median or a bound that is not
        reached, a ratio of groups without events, a comparison that was not made.
    p : two-sided p value; None where no test was made.
    test : name of the test or model.
    note : why a number does not exist; '' where it does.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    test: str = ""
    note: str = ""

    @property
    def interval(self) -> list[float | None] | None:
        """``[low, high]``, or None where neither exists."""
        return None if self.low is None and self.high is None else [self.low, self.high]

    def numbers(self) -> tuple[float, float, float, float]:
        """Value, low, high and p for a table of numbers: NaN where one does not exist."""
        value, low, high, p = (math.nan if x is None else x for x in (self.value, self.low, self.high, self.p))
        return value, low, high, p
