"""Biomarkers: one module per family, with one record and one pure function per biomarker."""

from __future__ import annotations

from immunescape.profile.biomarkers.registry import (
    Biomarker,
    Measured,
    biomarkers,
    biomarkers_table,
    measure,
    register,
    shared,
    values_frame,
)

__all__ = [
    "Biomarker",
    "Measured",
    "biomarkers",
    "biomarkers_table",
    "measure",
    "register",
    "shared",
    "values_frame",
]
