"""Varlilumab: antibody against CD27."""

from __future__ import annotations

from immunescape.model.declarations import Modulation
from immunescape.model.drugs._antibody import antibody

DRUG = antibody(
    "varlilumab",
    targets=("CD27",),
    molar_mass=146000,
    dose_units=("mg", "mg/kg"),
    infusion_hours=1.5,
    synonyms=("CDX-1127",),
    references=("burris2017",),
    note="Pharmacokinetics: as for a typical IgG1 (assumed).",
    drug_class="CD27 agonist antibody",
    modulations=(
        Modulation("priming", "costimulation_cd27", "promotes", "r_effect_varlilumab * occupancy_CD27_varlilumab"),
        Modulation(
            "proliferation", "costimulation_cd27", "promotes", "r_effect_varlilumab * occupancy_CD27_varlilumab"
        ),
    ),
)
