"""ADU-S100 (MIW815): STING agonist, injected into the tumour."""

from __future__ import annotations

from immunescape.model.drugs._sting_agonist import intratumoral_sting_agonist

DRUG = intratumoral_sting_agonist(
    "adu_s100",
    title="ADU-S100",
    molar_mass=690.5,
    synonyms=("MIW815", "ADU-S100", "ML RR-S2 CDA"),
    references=("mericbernstam2022",),
    note="Cyclic dinucleotide; published plasma half-life, washout and potency assumed.",
)
