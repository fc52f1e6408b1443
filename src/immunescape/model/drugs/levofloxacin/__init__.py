"""Levofloxacin: antibiotic, representative of those given to patients for infections."""

from __future__ import annotations

from immunescape.model.declarations import Contribution
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "levofloxacin",
    title="Levofloxacin",
    drug_class="antibiotic",
    targets=("gut flora", "lung flora"),
    molar_mass=361.37,
    synonyms=("Levaquin", "Tavanic"),
    references=("labellevofloxacin", "routy2018"),
    note="Oral, 500 mg once daily for about a week; represents the antibiotics given to patients.",
    potencies=("gut", "lung"),
    contributions=(
        Contribution("gut_antibiotic", "occupancy_gut_levofloxacin"),
        Contribution("lung_antibiotic", "ratio_lung_levofloxacin"),
    ),
)
