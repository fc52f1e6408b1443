"""Cisplatin: platinum."""

from __future__ import annotations

from immunescape.model.drugs._chemotherapy import chemotherapy

DRUG = chemotherapy(
    "cisplatin",
    title="Cisplatin",
    drug_class="platinum",
    target="DNA",
    molar_mass=300.05,
    dose_units=("mg/m2", "mg"),
    infusion_hours=1.0,
    synonyms=("CDDP", "Platinol", "cis-platinum"),
    references=("urien2004",),
    note="Two compartments of unbound platinum; clearance scales with body surface area and creatinine clearance.",
    clearance=(
        "cl_cisplatin * (bsa_cisplatin / bsa_ref_cisplatin)^cl_bsa_cisplatin"
        " * (crcl_cisplatin / crcl_ref_cisplatin)^cl_crcl_cisplatin"
    ),
    volume="v1_cisplatin * (bsa_cisplatin / bsa_ref_cisplatin)^v_bsa_cisplatin",
    damages_dna=True,
)
