"""Adagrasib: KRAS G12C inhibitor."""

from __future__ import annotations

from immunescape.model.declarations import Contribution
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "adagrasib",
    title="Adagrasib",
    drug_class="KRAS G12C inhibitor",
    targets=("KRAS",),
    molar_mass=604.1,
    synonyms=("MRTX849", "Krazati"),
    references=("labeladagrasib", "janne2022", "hallin2020"),
    note="Oral, twice daily; pharmacokinetics from the label. Covalent: the effect depends on the turnover of KRAS.",
    effect_compartment=True,
    contributions=(
        Contribution("kras_g12c_inhibitor", "ratio_adagrasib"),
        Contribution("targeted_kill", "kras_g12c * k_kill_adagrasib * occupancy_adagrasib"),
    ),
    requires=("drivers", "targeted_therapy"),
)
