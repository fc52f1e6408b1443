"""Carboplatin: platinum."""

from __future__ import annotations

from immunescape.model.drugs._chemotherapy import chemotherapy

DRUG = chemotherapy(
    "carboplatin",
    title="Carboplatin",
    drug_class="platinum",
    target="DNA",
    molar_mass=371.25,
    dose_units=("AUC", "mg", "mg/m2"),
    infusion_hours=0.5,
    synonyms=("CBDCA", "Paraplatin", "JM-8"),
    references=("calvert1989", "ekhart2009"),
    note=(
        "Two compartments; clearance is the glomerular filtration rate + 25 mL/min, so that a dose by the "
        "Calvert formula attains its AUC."
    ),
    clearance="cl_residual_carboplatin * (crcl_carboplatin + cl_nonrenal_carboplatin)",
    damages_dna=True,
)
