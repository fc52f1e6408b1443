"""Ladiratuzumab vedotin: conjugate against LIV-1 with an auristatin."""

from __future__ import annotations

from immunescape.model.drugs._adc import conjugate

DRUG = conjugate(
    "ladiratuzumab_vedotin",
    title="Ladiratuzumab vedotin",
    antigen="LIV1",
    payload="an auristatin (MMAE), about 4 per antibody; membrane-permeable payload",
    molar_mass=153000,
    infusion_hours=0.5,
    synonyms=("SGN-LIV1A",),
    references=("forero2022", "muller2014"),
    note=(
        "Pharmacokinetics as for other conjugates with the same linker and payload; LIV-1 (SLC39A6) of lung tumours "
        "assumed."
    ),
    tabled_antigen=True,
)
