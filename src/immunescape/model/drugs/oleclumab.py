"""Oleclumab: IgG1 antibody against CD73."""

from __future__ import annotations

from immunescape.model.drugs._antibody import antibody

DRUG = antibody(
    "oleclumab",
    target="CD73",
    isotype="IgG1",
    molar_mass=146_000,
    dose_units=("mg", "mg/kg"),
    infusion_hours=1.0,
    synonyms=("MEDI9447",),
    references=("herbst2022", "hay2016"),
    note="Kinetics of a typical antibody (assumed). It makes CD73 be taken into the cell and holds its enzyme.",
)
