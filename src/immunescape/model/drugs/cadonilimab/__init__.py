"""Cadonilimab: antibody against PD-1 and CTLA-4."""

from __future__ import annotations

from immunescape.model.drugs._antibody import antibody

DRUG = antibody(
    "cadonilimab",
    targets=("PD-1", "CTLA-4"),
    molar_mass=200000,
    dose_units=("mg", "mg/kg"),
    infusion_hours=1.0,
    synonyms=("AK104",),
    references=("pang2023",),
    note="Pharmacokinetics: half-life of about a week, as for tetravalent antibodies without Fc function (assumed).",
)
