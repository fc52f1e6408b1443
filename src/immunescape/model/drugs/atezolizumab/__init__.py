"""Atezolizumab: Fc-silent IgG1 antibody against PD-L1."""

from __future__ import annotations

from immunescape.model.drugs._antibody import antibody

DRUG = antibody(
    "atezolizumab",
    target="PD-L1",
    isotype="Fc-silent IgG1",
    molar_mass=145_000,
    dose_units=("mg", "mg/kg"),
    infusion_hours=1.0,
    synonyms=("MPDL3280A", "Tecentriq"),
    references=("stroh2017",),
    note="Population pharmacokinetics; clearance declines over time on treatment.",
    declining_clearance=True,
)
