"""Pemetrexed: antifolate."""

from __future__ import annotations

from immunescape.model.drugs._chemotherapy import chemotherapy

DRUG = chemotherapy(
    "pemetrexed",
    title="Pemetrexed",
    drug_class="antifolate",
    target="TYMS",
    molar_mass=427.41,
    dose_units=("mg/m2", "mg"),
    infusion_hours=0.1667,
    synonyms=("LY231514", "Alimta"),
    references=("latz2006", "derouw2021"),
    note="Two compartments; half of the clearance is renal.",
    clearance=(
        "cl_pemetrexed * (1 - renal_share_pemetrexed + renal_share_pemetrexed * crcl_pemetrexed / crcl_ref_pemetrexed)"
    ),
)
