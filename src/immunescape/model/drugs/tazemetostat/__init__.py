"""Tazemetostat: EZH2 inhibitor."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Modulation
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "tazemetostat",
    title="Tazemetostat",
    drug_class="EZH2 inhibitor",
    targets=("EZH2",),
    molar_mass=572.74,
    synonyms=("Tazverik", "EPZ-6438"),
    references=("labeltazemetostat", "burr2019"),
    note="Oral, twice daily; pharmacokinetics from the label.",
    effect_compartment=True,
    contributions=(Contribution("epigenetic_derepression_T", "ratio_tazemetostat"),),
    modulations=(
        Modulation("mhc1_expression", "ezh2_inhibition", "promotes", "r_MHC1_tazemetostat * occupancy_tazemetostat"),
        Modulation("infiltration", "ezh2_inhibition", "promotes", "r_inf_tazemetostat * occupancy_tazemetostat"),
    ),
    requires=("mhc1",),
)
