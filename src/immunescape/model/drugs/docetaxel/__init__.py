"""Docetaxel: taxane."""

from __future__ import annotations

from immunescape.model.drugs._chemotherapy import chemotherapy

DRUG = chemotherapy(
    "docetaxel",
    title="Docetaxel",
    drug_class="taxane",
    target="microtubules",
    molar_mass=807.88,
    dose_units=("mg/m2", "mg"),
    infusion_hours=1.0,
    synonyms=("RP56976", "Taxotere"),
    references=("bruno1996", "claret2009"),
    note="Three compartments; clearance proportional to body surface area.",
    peripheral=2,
    clearance="cl_docetaxel * bsa_docetaxel",
    uncrossed=True,
    depletes=("mdsc",),
)
