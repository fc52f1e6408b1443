"""Nab-paclitaxel: taxane."""

from __future__ import annotations

from immunescape.model.drugs._chemotherapy import chemotherapy

DRUG = chemotherapy(
    "nab_paclitaxel",
    title="Nab-paclitaxel",
    drug_class="taxane",
    target="microtubules",
    molar_mass=853.91,
    dose_units=("mg/m2", "mg"),
    infusion_hours=0.5,
    synonyms=("nab-paclitaxel", "nanoparticle albumin-bound paclitaxel", "ABI-007", "Abraxane"),
    references=("chen2014",),
    note="Three compartments with saturable elimination and saturable distribution.",
    kinetics="saturable_both_ways",
)
