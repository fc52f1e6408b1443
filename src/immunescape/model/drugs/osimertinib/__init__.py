"""Osimertinib: EGFR inhibitor."""

from __future__ import annotations

from immunescape.model.declarations import Contribution
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "osimertinib",
    title="Osimertinib",
    drug_class="EGFR inhibitor",
    targets=("EGFR",),
    molar_mass=499.6,
    synonyms=("AZD9291", "Tagrisso"),
    references=("labelosimertinib", "soria2018", "cross2014"),
    note="Oral, daily; pharmacokinetics from the label.",
    effect_compartment=True,
    contributions=(
        Contribution("egfr_inhibitor", "ratio_osimertinib"),
        Contribution("targeted_kill", "egfr_mutant * k_kill_osimertinib * occupancy_osimertinib"),
    ),
    requires=("drivers", "targeted_therapy"),
)
