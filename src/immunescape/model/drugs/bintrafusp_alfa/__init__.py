"""Bintrafusp alfa: antibody against PD-L1 and TGF-beta."""

from __future__ import annotations

from immunescape.model.drugs._antibody import antibody

DRUG = antibody(
    "bintrafusp_alfa",
    targets=("PD-L1", "TGF-beta"),
    molar_mass=177000,
    dose_units=("mg", "mg/kg"),
    infusion_hours=1.0,
    synonyms=("M7824",),
    references=("cho2023bintrafusp", "pazares2020bintrafusp"),
    note="A PD-L1 antibody fused to TGF-beta receptor domains that trap TGF-beta; pharmacokinetics assumed.",
)
