"""Peposertib: inhibitor of DNA-PK."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Modulation
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "peposertib",
    title="Peposertib",
    drug_class="DNA-PK inhibitor",
    targets=("DNA-PK",),
    molar_mass=481.9,
    synonyms=("M3814", "nedisertib"),
    references=("zenke2020", "vanbussel2021"),
    note="Oral; one compartment; clearance and volume are assumed.",
    contributions=(Contribution("dnapk_inhibitor", "ratio_peposertib"),),
    modulations=(
        Modulation("proliferation", "repair_inhibition", "inhibits", "r_T_division_peposertib * occupancy_peposertib"),
    ),
)
