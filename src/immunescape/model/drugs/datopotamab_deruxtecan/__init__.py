"""Datopotamab deruxtecan."""

from __future__ import annotations

from immunescape.model.drugs._adc import conjugate

DRUG = conjugate(
    "datopotamab_deruxtecan",
    title="Datopotamab deruxtecan",
    antigen="TROP2",
    payload="a topoisomerase I inhibitor (DXd), four per antibody; membrane-permeable payload",
    molar_mass=153000,
    infusion_hours=1.5,
    synonyms=("Dato-DXd", "Datroway", "DS-1062"),
    references=("labeldato", "okajima2021", "ahn2025"),
    note="Clearance and half-life from the label.",
)
