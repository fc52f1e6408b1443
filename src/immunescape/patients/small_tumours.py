"""What is shown of tumours that are too small to measure: no densities and ratios, which divide by nearly nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from immunescape.patients.course import PatientCourse

__all__ = ["NOT_SHOWN", "SMALLEST_CM", "measurable"]

SMALLEST_CM = 0.5
"""Diameter below which a lesion is too small to measure (RECIST 1.1, eisenhauer2009)."""
NOT_SHOWN = f"not shown where the tumour is smaller than {10 * SMALLEST_CM:g} mm, too small to measure"
"""What plots and tables say of outputs that :func:`measurable` leaves out."""

_OF_ANY_SIZE = ("PD1_occupancy_T", "lung_dysbiosis_T")
_AMOUNTS = ("cell", "nanomole", "milliliter", "centimeter")
"""Units of what is counted or measured in the whole tumour: meaningful at any size."""
_RATIOS_IN_TUMOUR = ("Treg_CD8_ratio", "CD8_CD4_ratio", "M1_M2_ratio", "kill_rate", "nk_kill_rate")
"""Outputs of the tumour whose names do not end in ``_T``."""


def measurable(course: PatientCourse, name: str) -> NDArray[np.float64]:
    """Return an output (t,); what is relative to the tumour's tissue is NaN where that is too small to measure."""
    values = course.table[name].to_numpy(dtype=float)
    inside = name.endswith("_T") or name in _RATIOS_IN_TUMOUR
    if not inside or name in _OF_ANY_SIZE or course.units[name] in _AMOUNTS or "diameter_T" not in course.table:
        return values
    return np.where(course.table["diameter_T"].to_numpy(dtype=float) >= SMALLEST_CM, values, np.nan)
