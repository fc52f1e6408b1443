"""Ulevostinag (MK-1454): STING agonist, injected into the tumour."""

from __future__ import annotations

from immunescape.model.drugs._sting_agonist import intratumoral_sting_agonist

DRUG = intratumoral_sting_agonist(
    "ulevostinag",
    title="Ulevostinag",
    molar_mass=710.5,
    synonyms=("MK-1454",),
    references=("harrington2018",),
    note="Cyclic dinucleotide; pharmacokinetics assumed.",
)
