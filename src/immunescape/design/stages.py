"""Shared pieces of designs that adapt at interim looks: independent increments, and patients assigned anew."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from immunescape.design.cohort import Cohort, allocate

__all__ = ["increment", "reassign"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def increment(z: Floats, information: Floats, z_before: Floats, information_before: Floats) -> Floats:
    """Z of the data since the look before: the increment of the score over the root of the increment of information."""
    step = information - information_before
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (z * np.sqrt(information) - z_before * np.sqrt(information_before)) / np.sqrt(step)
    return np.where(step > 1e-9, value, 0.0)


def reassign(cohort: Cohort, after: Floats, open_arms: Flags, allocation: list[int], look: int) -> None:
    """Assign the patients who enter after a month anew, among the open arms of their replicate; redraw outcomes.

    Parameters
    ----------
    after : (R,) months. open_arms : (R, A) arms that still enrol, the control among them. look : number of the look.
    """
    u = cohort.streams.uniform(f"arm after look {look}", cohort.entry.shape[1])
    later = cohort.entry > after[:, None]
    codes = open_arms @ (1 << np.arange(open_arms.shape[1]))
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        flags = open_arms[rows[0]]
        if not flags.any():
            cohort.enrolled[rows] &= ~later[rows]
            continue
        weights = [a if f else 0 for a, f in zip(allocation, flags, strict=True)]
        split = cohort.stratum[rows] if len(cohort.truth.strata) > 1 else None
        fresh = allocate(u[rows], weights, split)
        cohort.arm[rows] = np.where(later[rows], fresh, cohort.arm[rows])
    cohort.draw()
