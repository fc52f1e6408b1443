"""Utomilumab: antibody against 4-1BB."""

from __future__ import annotations

from immunescape.model.declarations import Modulation
from immunescape.model.drugs._antibody import antibody

DRUG = antibody(
    "utomilumab",
    targets=("4-1BB",),
    molar_mass=146000,
    dose_units=("mg", "mg/kg"),
    infusion_hours=1.0,
    synonyms=("PF-05082566",),
    references=("segal2018",),
    note="Pharmacokinetics: as for a typical IgG2 (assumed).",
    drug_class="4-1BB agonist antibody",
    modulations=(
        Modulation(
            "proliferation", "costimulation_41bb", "promotes", "r_effect_utomilumab * occupancy_41BB_utomilumab"
        ),
        Modulation("reactivation", "costimulation_41bb", "promotes", "r_effect_utomilumab * occupancy_41BB_utomilumab"),
    ),
)
