"""Camrelizumab: antibody against PD-1."""

from __future__ import annotations

from immunescape.model.drugs._antibody import antibody

DRUG = antibody(
    "camrelizumab",
    targets=("PD-1",),
    molar_mass=146000,
    dose_units=("mg", "mg/kg"),
    infusion_hours=0.5,
    synonyms=("SHR-1210", "AiRuiKa"),
    references=("wang2021camrelizumab",),
    note="Pharmacokinetics: clearance and volume of PD-1 antibodies (assumed); the source has a saturable component.",
)
