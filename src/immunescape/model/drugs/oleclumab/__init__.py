"""Oleclumab: IgG1 antibody against CD73."""

from __future__ import annotations

from immunescape.model.drugs._antibody import IntegratedTissue, antibody

DRUG = antibody(
    "oleclumab",
    targets=("CD73",),
    kinetics=IntegratedTissue(),
    isotype="IgG1",
    molar_mass=146_000,
    dose_units=("mg", "mg/kg"),
    infusion_hours=1.0,
    synonyms=("MEDI9447",),
    references=("herbst2022", "hay2016"),
    note=(
        "Pharmacokinetics of a typical antibody (assumed). It induces internalisation of CD73 and inhibits the enzyme."
    ),
)
