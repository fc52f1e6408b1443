"""Oxaliplatin: platinum."""

from __future__ import annotations

from immunescape.model.drugs._chemotherapy import chemotherapy

DRUG = chemotherapy(
    "oxaliplatin",
    title="Oxaliplatin",
    drug_class="platinum",
    target="DNA",
    molar_mass=397.3,
    dose_units=("mg/m2", "mg"),
    infusion_hours=2.0,
    synonyms=("L-OHP", "Eloxatin"),
    references=("graham2000", "labeloxaliplatin", "tesniere2010"),
    note="Ultrafilterable platinum in two compartments. It induces immunogenic cell death, unlike cisplatin.",
    clearance="cl_oxaliplatin",
    damages_dna=True,
)
