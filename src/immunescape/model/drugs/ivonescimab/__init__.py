"""Ivonescimab: antibody against PD-1 and VEGF."""

from __future__ import annotations

from immunescape.model.drugs._antibody import antibody

DRUG = antibody(
    "ivonescimab",
    targets=("PD-1", "VEGF"),
    molar_mass=200000,
    dose_units=("mg", "mg/kg"),
    infusion_hours=1.0,
    synonyms=("AK112", "SMT112"),
    references=("xiong2025",),
    note="Pharmacokinetics: half-life of about a week (assumed).",
)
