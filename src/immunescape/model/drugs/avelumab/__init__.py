"""Avelumab: antibody against PD-L1."""

from __future__ import annotations

from immunescape.model.drugs._antibody import antibody

DRUG = antibody(
    "avelumab",
    targets=("PD-L1",),
    molar_mass=147000,
    dose_units=("mg", "mg/kg"),
    infusion_hours=1.0,
    synonyms=("MSB0010718C", "Bavencio"),
    references=("labelavelumab", "barlesi2018"),
    note="Pharmacokinetics: clearance and steady-state volume from the label.",
)
