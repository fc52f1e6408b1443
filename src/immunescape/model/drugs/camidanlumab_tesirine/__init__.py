"""Camidanlumab tesirine: conjugate against CD25 with a pyrrolobenzodiazepine."""

from __future__ import annotations

from immunescape.model.drugs._adc import regulatory_t_cell_conjugate

DRUG = regulatory_t_cell_conjugate(
    "camidanlumab_tesirine",
    title="Camidanlumab tesirine",
    antigen="CD25",
    payload="a pyrrolobenzodiazepine dimer, 2.3 per antibody",
    molar_mass=151000,
    dose_units=("ug/kg", "mg/kg", "mg"),
    synonyms=("ADCT-301",),
    references=("zammarchi2020", "hamadani2021"),
    note="Pharmacokinetics assumed.",
)
