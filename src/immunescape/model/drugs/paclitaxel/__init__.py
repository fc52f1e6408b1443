"""Paclitaxel: taxane."""

from __future__ import annotations

from immunescape.model.drugs._chemotherapy import chemotherapy

DRUG = chemotherapy(
    "paclitaxel",
    title="Paclitaxel",
    drug_class="taxane",
    target="microtubules",
    molar_mass=853.91,
    dose_units=("mg/m2", "mg"),
    infusion_hours=3.0,
    synonyms=("Taxol", "sb-paclitaxel"),
    references=("joerger2012",),
    note="Three compartments with saturable elimination and saturable distribution (the solvent Cremophor EL).",
    kinetics="saturable",
    elimination_scale="(bsa_paclitaxel / bsa_ref_paclitaxel)^cl_bsa_paclitaxel",
)
