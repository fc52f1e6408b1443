"""Cemiplimab: IgG4 antibody against PD-1."""

from __future__ import annotations

from immunescape.model.drugs._antibody import IntegratedTissue, antibody

DRUG = antibody(
    "cemiplimab",
    targets=("PD-1",),
    kinetics=IntegratedTissue(declining_clearance=True),
    isotype="IgG4",
    molar_mass=146_000,
    dose_units=("mg", "mg/kg"),
    infusion_hours=0.5,
    synonyms=("REGN2810", "Libtayo", "cemiplimab-rwlc"),
    references=("nguyen2022", "yang2021"),
    note="Population pharmacokinetics; clearance declines over time on treatment.",
)
