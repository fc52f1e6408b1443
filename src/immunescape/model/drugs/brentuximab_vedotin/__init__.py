"""Brentuximab vedotin: conjugate against CD30, which activated regulatory T cells of tumours carry."""

from __future__ import annotations

from immunescape.model.drugs._adc import regulatory_t_cell_conjugate

DRUG = regulatory_t_cell_conjugate(
    "brentuximab_vedotin",
    title="Brentuximab vedotin",
    antigen="CD30",
    payload="an auristatin (MMAE)",
    molar_mass=153000,
    dose_units=("mg/kg", "mg"),
    synonyms=("Adcetris", "SGN-35"),
    references=("li2017brentuximab", "grogan2020"),
    note="Published clearance. Lung cancer cells rarely express CD30: it kills none of them.",
)
