"""Cyclophosphamide."""

from __future__ import annotations

from immunescape.model.drugs._chemotherapy import chemotherapy

DRUG = chemotherapy(
    "cyclophosphamide",
    title="Cyclophosphamide",
    drug_class="alkylating agent",
    target="DNA",
    molar_mass=261.08,
    dose_units=("mg/kg", "mg/m2", "mg"),
    infusion_hours=1.0,
    synonyms=("Cytoxan",),
    references=("labelcyclophosphamide", "dudley2008", "ghiringhelli2007"),
    note="One compartment; clearance and volume from the label.",
    peripheral=0,
    clearance="cl_cyclophosphamide",
    damages_dna=True,
    depletes=("treg",),
)
