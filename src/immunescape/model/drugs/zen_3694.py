"""ZEN-3694: BET inhibitor."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Modulation
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "zen_3694",
    title="ZEN-3694",
    drug_class="BET inhibitor",
    targets=("BRD2", "BRD3", "BRD4"),
    molar_mass=349.4,
    synonyms=("ZEN003694", "zen3694"),
    references=("aggarwal2020", "zhu2016bet", "lai2018"),
    note="Oral, daily; kinetics assumed. Lowers MYC, and so growth, more where KRAS is mutant.",
    contributions=(Contribution("viral_mimicry_T", "r_mimicry_zen_3694 * occupancy_zen_3694"),),
    modulations=(
        Modulation(
            "growth",
            "bet_inhibition",
            "inhibits",
            "(r_growth_zen_3694 + r_growth_kras_zen_3694 * kras_mutant) * occupancy_zen_3694",
        ),
        Modulation("mhc1_expression", "bet_inhibition", "promotes", "r_MHC1_zen_3694 * occupancy_zen_3694"),
        Modulation("pdl1_cancer", "bet_inhibition", "inhibits", "r_PDL1_zen_3694 * occupancy_zen_3694"),
        Modulation("treg_recruitment", "bet_inhibition", "inhibits", "r_Treg_zen_3694 * occupancy_zen_3694"),
        Modulation("mdsc_recruitment", "bet_inhibition", "inhibits", "r_MDSC_zen_3694 * occupancy_zen_3694"),
    ),
    requires=("drivers",),
)
