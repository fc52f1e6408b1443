"""Theralizumab: superagonist of CD28."""

from __future__ import annotations

from immunescape.model.declarations import Modulation
from immunescape.model.drugs._antibody import antibody

_HELD = "occupancy_CD28_theralizumab"

DRUG = antibody(
    "theralizumab",
    targets=("CD28",),
    molar_mass=148000,
    dose_units=("ug/kg", "mg/kg", "mg"),
    infusion_hours=4,
    synonyms=("TGN1412", "TAB08"),
    references=("suntharalingam2006", "hunig2016"),
    note=(
        "Pharmacokinetics as for a typical IgG4 (assumed). The doses of its first trial caused a cytokine storm; a "
        "thousandth of them favours regulatory T cells."
    ),
    drug_class="CD28 agonist antibody",
    modulations=(
        Modulation("priming", "costimulation_cd28", "promotes", f"r_effect_theralizumab * {_HELD}"),
        Modulation("proliferation", "costimulation_cd28", "promotes", f"r_effect_theralizumab * {_HELD}"),
        Modulation("treg_recruitment", "costimulation_cd28", "promotes", f"r_Treg_theralizumab * {_HELD}"),
    ),
)
