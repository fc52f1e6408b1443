"""BI 1387446: STING agonist, injected into the tumour."""

from __future__ import annotations

from immunescape.model.drugs._sting_agonist import intratumoral_sting_agonist

DRUG = intratumoral_sting_agonist(
    "bi_1387446",
    title="BI 1387446",
    molar_mass=700.0,
    synonyms=("BI1387446", "BI-STING"),
    references=("harrington2018",),
    note="Cyclic dinucleotide without published human pharmacokinetics: those of its class are used.",
)
