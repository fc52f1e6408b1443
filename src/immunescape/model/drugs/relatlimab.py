"""Relatlimab: antibody on LAG-3."""

from __future__ import annotations

from immunescape.model.drugs._compact_antibody import compact_antibody

DRUG = compact_antibody(
    "relatlimab",
    targets=("LAG-3",),
    molar_mass=148000,
    dose_units=("mg",),
    infusion_hours=0.5,
    synonyms=("BMS-986016",),
    references=("labelrelatlimab", "tawbi2022"),
    note="Kinetics: clearance (5.48 mL/h) at steady state and volume of the label.",
)
