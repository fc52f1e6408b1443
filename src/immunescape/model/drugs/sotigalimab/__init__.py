"""Sotigalimab: antibody against CD40."""

from __future__ import annotations

from immunescape.model.declarations import Modulation
from immunescape.model.drugs._antibody import antibody

DRUG = antibody(
    "sotigalimab",
    targets=("CD40",),
    molar_mass=146000,
    dose_units=("mg", "mg/kg"),
    infusion_hours=1.0,
    synonyms=("APX005M",),
    references=("weiss2024",),
    note="Pharmacokinetics: short-lived through target-mediated clearance (assumed).",
    drug_class="CD40 agonist antibody",
    modulations=(
        Modulation("dc_maturation", "cd40", "promotes", "r_effect_sotigalimab * occupancy_CD40_sotigalimab"),
        Modulation("priming", "cd40", "promotes", "r_effect_sotigalimab * occupancy_CD40_sotigalimab"),
    ),
)
