"""AZD1390: inhibitor of ATM."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Modulation
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "azd1390",
    title="AZD1390",
    drug_class="ATM inhibitor",
    targets=("ATM",),
    molar_mass=478.6,
    synonyms=(),
    references=("durant2018",),
    note="Oral; one compartment; clearance and volume are assumed.",
    contributions=(Contribution("atm_inhibitor", "ratio_azd1390"),),
    modulations=(
        Modulation("proliferation", "repair_inhibition", "inhibits", "r_T_division_azd1390 * occupancy_azd1390"),
    ),
)
