"""Pembrolizumab: IgG4 antibody against PD-1."""

from __future__ import annotations

from immunescape.model.drugs._antibody import IntegratedTissue, antibody

DRUG = antibody(
    "pembrolizumab",
    targets=("PD-1",),
    kinetics=IntegratedTissue(declining_clearance=True),
    isotype="IgG4",
    molar_mass=149_000,
    dose_units=("mg", "mg/kg"),
    infusion_hours=0.5,
    synonyms=("MK-3475", "lambrolizumab", "Keytruda", "SCH 900475"),
    references=("ahamadi2017", "li2017"),
    note="Population pharmacokinetics; clearance declines over time on treatment.",
)
