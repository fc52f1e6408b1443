"""Ivuxolimab: antibody against OX40."""

from __future__ import annotations

from immunescape.model.declarations import Modulation
from immunescape.model.drugs._antibody import antibody

DRUG = antibody(
    "ivuxolimab",
    targets=("OX40",),
    molar_mass=146000,
    dose_units=("mg", "mg/kg"),
    infusion_hours=1.0,
    synonyms=("PF-04518600",),
    references=("diab2022",),
    note="Pharmacokinetics: as for a typical IgG2 (assumed).",
    drug_class="OX40 agonist antibody",
    modulations=(
        Modulation(
            "proliferation", "costimulation_ox40", "promotes", "r_effect_ivuxolimab * occupancy_OX40_ivuxolimab"
        ),
        Modulation(
            "treg_recruitment", "costimulation_ox40", "inhibits", "r_effect_ivuxolimab * occupancy_OX40_ivuxolimab"
        ),
    ),
)
