"""Trastuzumab emtansine."""

from __future__ import annotations

from immunescape.model.drugs._adc import conjugate

DRUG = conjugate(
    "trastuzumab_emtansine",
    title="Trastuzumab emtansine",
    antigen="HER2",
    payload="a maytansinoid (DM1), 3.5 per antibody; membrane-impermeable payload",
    molar_mass=148500,
    infusion_hours=1.5,
    synonyms=("T-DM1", "Kadcyla", "ado-trastuzumab-emtansine"),
    references=("labeltdm1", "peters2019", "li2018tdm1", "bender2012", "muller2015"),
    note="Clearance and half-life from the label.",
    platelets=True,
)
