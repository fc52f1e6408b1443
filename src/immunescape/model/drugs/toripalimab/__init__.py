"""Toripalimab: antibody against PD-1."""

from __future__ import annotations

from immunescape.model.drugs._antibody import antibody

DRUG = antibody(
    "toripalimab",
    targets=("PD-1",),
    molar_mass=147000,
    dose_units=("mg", "mg/kg"),
    infusion_hours=0.5,
    synonyms=("JS001", "Loqtorzi"),
    references=("labeltoripalimab",),
    note="Pharmacokinetics: clearance (9.5 mL/h) and steady-state volume from the label.",
)
