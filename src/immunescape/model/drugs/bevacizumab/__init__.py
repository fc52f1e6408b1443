"""Bevacizumab: IgG1 antibody against VEGF."""

from __future__ import annotations

from immunescape.model.drugs._antibody import IntegratedTissue, antibody

DRUG = antibody(
    "bevacizumab",
    targets=("VEGF",),
    kinetics=IntegratedTissue(),
    isotype="IgG1",
    molar_mass=149_000,
    dose_units=("mg/kg", "mg"),
    infusion_hours=1.5,
    synonyms=("rhuMAb VEGF", "Avastin"),
    references=("labelbevacizumab", "lu2008", "willett2004"),
    note="Linear population pharmacokinetics. It sequesters VEGF-A; its effects on vessels depend on dose and time.",
)
