"""Feladilimab: antibody against ICOS."""

from __future__ import annotations

from immunescape.model.declarations import Modulation
from immunescape.model.drugs._antibody import antibody

DRUG = antibody(
    "feladilimab",
    targets=("ICOS",),
    molar_mass=146000,
    dose_units=("mg",),
    infusion_hours=0.5,
    synonyms=("GSK3359609",),
    references=("hanson2020",),
    note="Pharmacokinetics: as for a typical IgG4 (assumed).",
    drug_class="ICOS agonist antibody",
    modulations=(
        Modulation(
            "reactivation", "costimulation_icos", "promotes", "r_effect_feladilimab * occupancy_ICOS_feladilimab"
        ),
        Modulation(
            "proliferation", "costimulation_icos", "promotes", "r_effect_feladilimab * occupancy_ICOS_feladilimab"
        ),
    ),
)
