"""Gefitinib: EGFR inhibitor."""

from __future__ import annotations

from immunescape.model.declarations import Contribution
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "gefitinib",
    title="Gefitinib",
    drug_class="EGFR inhibitor",
    targets=("EGFR",),
    molar_mass=446.9,
    synonyms=("ZD1839", "Iressa"),
    references=("labelgefitinib", "mok2009"),
    note="Oral, daily; pharmacokinetics from the label.",
    bioavailability=True,
    effect_compartment=True,
    contributions=(
        Contribution("egfr_inhibitor", "ratio_gefitinib"),
        Contribution("targeted_kill", "egfr_mutant * k_kill_gefitinib * occupancy_gefitinib"),
    ),
    requires=("drivers", "targeted_therapy"),
)
