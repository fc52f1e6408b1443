"""Olaparib: inhibitor of PARP."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Modulation
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "olaparib",
    title="Olaparib",
    drug_class="PARP inhibitor",
    targets=("PARP",),
    molar_mass=434.46,
    synonyms=("Lynparza", "AZD2281"),
    references=("labelolaparib", "menear2008"),
    note="Oral; one compartment, apparent clearance and volume from the label.",
    contributions=(Contribution("parp_inhibitor", "ratio_olaparib"),),
    modulations=(
        Modulation("proliferation", "repair_inhibition", "inhibits", "r_T_division_olaparib * occupancy_olaparib"),
    ),
)
