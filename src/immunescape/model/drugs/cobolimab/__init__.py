"""Cobolimab: antibody against TIM-3."""

from __future__ import annotations

from immunescape.model.drugs._antibody import antibody

DRUG = antibody(
    "cobolimab",
    targets=("TIM-3",),
    molar_mass=146000,
    dose_units=("mg",),
    infusion_hours=0.5,
    synonyms=("TSR-022", "GSK4069889"),
    references=("koyama2016b",),
    note="Pharmacokinetics: as for a typical IgG4 (assumed).",
)
