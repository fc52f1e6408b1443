"""Fludarabine."""

from __future__ import annotations

from immunescape.model.drugs._chemotherapy import chemotherapy

DRUG = chemotherapy(
    "fludarabine",
    title="Fludarabine",
    drug_class="purine analogue",
    target="DNA",
    molar_mass=365.21,
    dose_units=("mg/m2", "mg"),
    infusion_hours=0.5,
    synonyms=("Fludara", "fludarabine phosphate"),
    references=("labelfludarabine", "dudley2008"),
    note="One compartment of 2-fluoro-ara-A; clearance and volume from the label.",
    peripheral=0,
    clearance="cl_fludarabine",
)
