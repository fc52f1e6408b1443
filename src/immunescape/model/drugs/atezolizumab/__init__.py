"""Atezolizumab: Fc-silent IgG1 antibody against PD-L1."""

from __future__ import annotations

from immunescape.model.drugs._antibody import IntegratedTissue, antibody

DRUG = antibody(
    "atezolizumab",
    targets=("PD-L1",),
    kinetics=IntegratedTissue(declining_clearance=True),
    isotype="Fc-silent IgG1",
    molar_mass=145_000,
    dose_units=("mg", "mg/kg"),
    infusion_hours=1.0,
    synonyms=("MPDL3280A", "Tecentriq"),
    references=("stroh2017",),
    note="Population pharmacokinetics; clearance declines over time on treatment.",
)
