"""Nivolumab: IgG4 antibody against PD-1."""

from __future__ import annotations

from immunescape.model.drugs._antibody import IntegratedTissue, antibody

DRUG = antibody(
    "nivolumab",
    targets=("PD-1",),
    kinetics=IntegratedTissue(declining_clearance=True),
    isotype="IgG4",
    molar_mass=146_000,
    dose_units=("mg", "mg/kg"),
    infusion_hours=0.5,
    synonyms=("BMS-936558", "MDX-1106", "ONO-4538", "Opdivo"),
    references=("bajaj2017",),
    note="Population pharmacokinetics; clearance declines over time on treatment.",
)
