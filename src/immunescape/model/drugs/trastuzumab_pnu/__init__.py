"""T-PNU: trastuzumab with a derivative of an anthracycline; preclinical."""

from __future__ import annotations

from immunescape.model.drugs._adc import conjugate

DRUG = conjugate(
    "trastuzumab_pnu",
    title="T-PNU",
    antigen="HER2",
    payload="a derivative of the anthracycline PNU-159682, about 2 per antibody",
    molar_mass=149000,
    infusion_hours=1.5,
    synonyms=("T-PNU", "trastuzumab-PNU"),
    references=("damato2019",),
    note="A preclinical tool: no human dose; pharmacokinetics as for trastuzumab emtansine.",
)
