"""Relatlimab: antibody against LAG-3."""

from __future__ import annotations

from immunescape.model.drugs._antibody import antibody

DRUG = antibody(
    "relatlimab",
    targets=("LAG-3",),
    molar_mass=148000,
    dose_units=("mg",),
    infusion_hours=0.5,
    synonyms=("BMS-986016",),
    references=("labelrelatlimab", "tawbi2022"),
    note="Pharmacokinetics: steady-state clearance (5.48 mL/h) and volume from the label.",
)
