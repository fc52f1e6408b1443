"""Gemcitabine: nucleoside analogue."""

from __future__ import annotations

from immunescape.model.drugs._chemotherapy import chemotherapy

DRUG = chemotherapy(
    "gemcitabine",
    title="Gemcitabine",
    drug_class="nucleoside analogue",
    target="DNA",
    molar_mass=263.2,
    dose_units=("mg/m2", "mg"),
    infusion_hours=0.5,
    synonyms=("dFdC", "LY188011", "Gemzar"),
    references=("jiang2008",),
    note="Two compartments; cleared within an hour.",
    clearance="cl_gemcitabine",
    depletes=("mdsc",),
)
