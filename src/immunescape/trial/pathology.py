"""Resection after neoadjuvant treatment: the viable share of the tumour bed, and what counts as a response.

A pathologist sees living cells, and where cells were: necrosis, and a bed of fibrosis and inflammation that regression
leaves (``cottrell2018``). The model clears dead cells and has no such scar outside an irradiated field, so the bed is
taken to hold the most living cells that there were from the first dose on. What a virtual resection changes afterwards
is not simulated: figures of survival of such a trial are those of patients who were not operated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["COMPLETE", "MAJOR", "Bed", "pathological_rates", "viable_share"]

FloatArray = NDArray[np.float64]
MAJOR = 0.10
"""Largest viable share of a major pathological response."""
COMPLETE = 0.001
"""Largest viable share that the sections of a resected tumour would miss (assumed)."""


def viable_share(living: FloatArray, course: FloatArray) -> FloatArray:
    """Viable share (n,) of tumour beds.

    Parameters
    ----------
    living
        Living cancer cells (n,) at resection.
    course
        The same (n, t) from the first dose on; what is not known is left out.

    Returns
    -------
    (n,) array
        NaN where the cells at resection are not known.
    """
    with np.errstate(all="ignore"):
        return np.asarray(living / np.nanmax(np.column_stack([course, living]), axis=1))


@dataclass
class Bed:
    """The tumour bed of a patient who waits for resection.

    Attributes
    ----------
    day : of the resection. most : living cells at their most so far. share : viable share, once the day has come.
    """

    day: float
    most: float = 0.0
    share: float | None = None

    def follow(self, days: FloatArray, cells: FloatArray) -> None:
        """Take up a piece (t,) of the course; between outputs the cells are interpolated."""
        if self.share is not None or days[0] > self.day:
            return
        before = cells[days <= self.day + 1e-9]
        self.most = max(self.most, float(before.max()))
        if days[-1] >= self.day - 1e-9:
            left = float(np.interp(self.day, days, cells))
            self.most = max(self.most, left)
            self.share = left / self.most if self.most > 0 else 0.0


def pathological_rates(shares: FloatArray) -> dict[str, Any]:
    """Rates of an arm in percent of all its patients, with 95 % intervals; who was not resected has no response.

    Parameters
    ----------
    shares
        Viable share (n,) in percent; NaN where the tumour was not resected.
    """
    from immunescape.stats.exact import clopper_pearson

    n = len(shares)
    out: dict[str, Any] = {"resected_pct": round(100.0 * float(np.isfinite(shares).mean()), 2) if n else None}
    for name, most in (("mpr", MAJOR), ("pcr", COMPLETE)):
        rate = clopper_pearson(int((shares <= 100.0 * most).sum()), n)
        out[f"{name}_pct"] = None if rate.value is None else round(100.0 * rate.value, 2)
        low_high = rate.interval
        out[f"{name}_ci"] = None if low_high is None else [None if v is None else round(100 * v, 2) for v in low_high]
    return out
