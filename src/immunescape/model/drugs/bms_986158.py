"""BMS-986158: BET inhibitor."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Modulation
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "bms_986158",
    title="BMS-986158",
    drug_class="BET inhibitor",
    targets=("BRD2", "BRD3", "BRD4"),
    molar_mass=495.6,
    synonyms=("BMS986158",),
    references=("gavai2021", "zhu2016bet", "lai2018"),
    note=(
        "Oral, on some days of the week; kinetics assumed, actions as of other BET inhibitors. Lowers MYC, and so "
        "growth, more where KRAS is mutant."
    ),
    contributions=(Contribution("viral_mimicry_T", "r_mimicry_bms_986158 * occupancy_bms_986158"),),
    modulations=(
        Modulation(
            "growth",
            "bet_inhibition",
            "inhibits",
            "(r_growth_bms_986158 + r_growth_kras_bms_986158 * kras_mutant) * occupancy_bms_986158",
        ),
        Modulation("mhc1_expression", "bet_inhibition", "promotes", "r_MHC1_bms_986158 * occupancy_bms_986158"),
        Modulation("pdl1_cancer", "bet_inhibition", "inhibits", "r_PDL1_bms_986158 * occupancy_bms_986158"),
        Modulation("treg_recruitment", "bet_inhibition", "inhibits", "r_Treg_bms_986158 * occupancy_bms_986158"),
        Modulation("mdsc_recruitment", "bet_inhibition", "inhibits", "r_MDSC_bms_986158 * occupancy_bms_986158"),
    ),
    requires=("drivers",),
)
