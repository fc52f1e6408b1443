"""E7766: STING agonist, injected into the tumour."""

from __future__ import annotations

from immunescape.model.drugs._sting_agonist import intratumoral_sting_agonist

DRUG = intratumoral_sting_agonist(
    "e7766",
    title="E7766",
    molar_mass=746.5,
    synonyms=("E-7766",),
    references=("harrington2018",),
    note="Macrocycle-bridged dinucleotide without published human pharmacokinetics: those of its class are used.",
)
