"""ZEN-3694: BET inhibitor."""

from __future__ import annotations

from immunescape.model.drugs._bet_inhibitor import bet_inhibitor

DRUG = bet_inhibitor(
    "zen_3694",
    title="ZEN-3694",
    molar_mass=349.4,
    synonyms=("ZEN003694", "zen3694"),
    references=("aggarwal2020", "zhu2016bet", "lai2018"),
    note="Oral, daily; pharmacokinetics assumed. Lowers MYC and thereby growth, more so where KRAS is mutant.",
)
