"""Trastuzumab deruxtecan."""

from __future__ import annotations

from immunescape.model.drugs._adc import conjugate

DRUG = conjugate(
    "trastuzumab_deruxtecan",
    title="Trastuzumab deruxtecan",
    antigen="HER2",
    payload="a topoisomerase I inhibitor (DXd), eight per antibody; membrane-permeable payload",
    molar_mass=156000,
    infusion_hours=1.5,
    synonyms=("T-DXd", "Enhertu", "DS-8201"),
    references=("labeltdxd", "iwata2018", "ogitani2016", "li2022"),
    note="Clearance and half-life from the label.",
)
