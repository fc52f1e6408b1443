"""BMS-986158: BET inhibitor."""

from __future__ import annotations

from immunescape.model.drugs._bet_inhibitor import bet_inhibitor

DRUG = bet_inhibitor(
    "bms_986158",
    title="BMS-986158",
    molar_mass=495.6,
    synonyms=("BMS986158",),
    references=("gavai2021", "zhu2016bet", "lai2018"),
    note=(
        "Oral, on some days of the week; pharmacokinetics assumed, effects as for other BET inhibitors. Lowers MYC and "
        "thereby growth, more so where KRAS is mutant."
    ),
)
