"""Kaplan-Meier tables as the curves that reports draw: no further than enough patients are at risk."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from immunescape.report.figures import Curve
from immunescape.report.tables import at_risk

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FEW", "curve_of", "drawn_curve"]

FEW = 0.05
"""Share of the patients at risk below which a Kaplan-Meier curve is not drawn: its last steps say little."""


def drawn_curve(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of a Kaplan-Meier table with at least `FEW` of the patients at risk; the first where none has."""
    months = table["time"].to_numpy(dtype=float)
    n = np.array([at_risk(table, float(t)) for t in months], dtype=float)
    enough = n >= max(FEW * float(n[0] if len(n) else 0), 1.0)
    return table[enough] if enough.any() else table.head(1)


def curve_of(name: str, table: pd.DataFrame, ticks: Iterable[float] = ()) -> Curve:
    """Return the curve of a Kaplan-Meier table.

    Parameters
    ----------
    name
        Of the arm or group.
    table
        As of `immunescape.stats.survival.kaplan_meier`: time (months), survival, low, high (fractions), at_risk.
    ticks
        Months at which the numbers at risk are given, counted in the whole table.
    """
    kept = drawn_curve(table)
    time, survival, low, high = (kept[c].to_numpy(dtype=float) for c in ("time", "survival", "low", "high"))
    return Curve(name, time, survival, low, high, {float(t): at_risk(table, float(t)) for t in ticks})
