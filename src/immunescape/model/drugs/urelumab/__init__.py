"""Urelumab: antibody against 4-1BB."""

from __future__ import annotations

from immunescape.model.declarations import Modulation
from immunescape.model.drugs._antibody import antibody

DRUG = antibody(
    "urelumab",
    targets=("4-1BB",),
    molar_mass=146000,
    dose_units=("mg", "mg/kg"),
    infusion_hours=1.0,
    synonyms=("BMS-663513",),
    references=("segal2017",),
    note="Pharmacokinetics: as for a typical IgG4 (assumed).",
    drug_class="4-1BB agonist antibody",
    modulations=(
        Modulation("proliferation", "costimulation_41bb", "promotes", "r_effect_urelumab * occupancy_41BB_urelumab"),
        Modulation("reactivation", "costimulation_41bb", "promotes", "r_effect_urelumab * occupancy_41BB_urelumab"),
    ),
)
