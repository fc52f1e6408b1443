"""Vinorelbine."""

from __future__ import annotations

from immunescape.model.drugs._chemotherapy import chemotherapy

DRUG = chemotherapy(
    "vinorelbine",
    title="Vinorelbine",
    drug_class="vinca alkaloid",
    target="DNA",
    molar_mass=778.93,
    dose_units=("mg/m2", "mg"),
    infusion_hours=0.167,
    synonyms=("Navelbine",),
    references=("labelvinorelbine", "scagliotti2008"),
    note="One compartment; clearance from the label, steady-state volume.",
    peripheral=0,
    clearance="cl_vinorelbine",
)
