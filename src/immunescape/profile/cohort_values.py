"""What a cohort's outcomes are tested against: mechanisms called present or absent, and biomarkers before treatment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from immunescape.profile.biomarkers.registry import values_frame

if TYPE_CHECKING:
    from immunescape.profile.assemble import Assembled

__all__ = ["ON_TREATMENT", "biomarker_values", "mechanism_values"]

ON_TREATMENT = frozenset({"ctdna_decline", "ctdna_cleared", "ctdna_molecular_response"})
"""Biomarkers known only after treatment began: tested from day 0 they would credit patients with time that they had to
survive to be measured, so they are left out (test them from a landmark)."""


def mechanism_values(done: Assembled) -> pd.DataFrame:
    """Patients x mechanisms: True present, False absent, None where conflicting or not assessable."""
    states = done.calls.states
    value: pd.DataFrame = states.apply(lambda column: column.map({"present": True, "absent": False}).astype(object))
    return value


def biomarker_values(done: Assembled) -> pd.DataFrame:
    """Patients x biomarkers measured before treatment; variants of unknown significance are missing."""
    frame = values_frame(done.measured)
    frame = frame[[c for c in frame.columns if c not in ON_TREATMENT and frame[c].notna().any()]]
    value: pd.DataFrame = frame.apply(
        lambda c: c.where(c != "variant_of_unknown_significance", None) if c.dtype == object else c
    )
    return value
