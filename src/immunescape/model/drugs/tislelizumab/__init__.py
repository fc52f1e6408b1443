"""Tislelizumab: antibody against PD-1."""

from __future__ import annotations

from immunescape.model.drugs._antibody import antibody

DRUG = antibody(
    "tislelizumab",
    targets=("PD-1",),
    molar_mass=147000,
    dose_units=("mg", "mg/kg"),
    infusion_hours=0.5,
    synonyms=("BGB-A317", "Tevimbra"),
    references=("budha2023",),
    note="Linear pharmacokinetics of the population analysis.",
)
