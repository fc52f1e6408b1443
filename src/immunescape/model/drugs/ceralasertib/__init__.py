"""Ceralasertib: inhibitor of ATR."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Modulation
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "ceralasertib",
    title="Ceralasertib",
    drug_class="ATR inhibitor",
    targets=("ATR",),
    molar_mass=412.5,
    synonyms=("AZD6738",),
    references=("foote2018", "besse2024"),
    note="Oral; one compartment; clearance and volume are assumed.",
    contributions=(Contribution("atr_inhibitor", "ratio_ceralasertib"),),
    modulations=(
        Modulation(
            "proliferation", "repair_inhibition", "inhibits", "r_T_division_ceralasertib * occupancy_ceralasertib"
        ),
    ),
)
