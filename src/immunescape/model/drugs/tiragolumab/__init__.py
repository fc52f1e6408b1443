"""Tiragolumab: antibody against TIGIT."""

from __future__ import annotations

from immunescape.model.drugs._antibody import antibody

DRUG = antibody(
    "tiragolumab",
    targets=("TIGIT",),
    molar_mass=148000,
    dose_units=("mg",),
    infusion_hours=1.0,
    synonyms=("MTIG7192A", "RG6058"),
    references=("cho2022",),
    note="Pharmacokinetics: as for a typical IgG1 (assumed).",
)
