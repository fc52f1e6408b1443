"""Sotorasib: KRAS G12C inhibitor."""

from __future__ import annotations

from immunescape.model.declarations import Contribution
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "sotorasib",
    title="Sotorasib",
    drug_class="KRAS G12C inhibitor",
    targets=("KRAS",),
    molar_mass=560.6,
    synonyms=("AMG 510", "AMG510", "Lumakras"),
    references=("labelsotorasib", "skoulidis2021", "delangen2023", "canon2019"),
    note="Oral, daily; pharmacokinetics from the label. Covalent: the effect depends on the turnover of KRAS.",
    effect_compartment=True,
    contributions=(
        Contribution("kras_g12c_inhibitor", "ratio_sotorasib"),
        Contribution("targeted_kill", "kras_g12c * k_kill_sotorasib * occupancy_sotorasib"),
    ),
    requires=("drivers", "targeted_therapy"),
)
