"""Celecoxib: inhibitor of COX-2."""

from __future__ import annotations

from immunescape.model.declarations import Contribution
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "celecoxib",
    title="Celecoxib",
    drug_class="COX-2 inhibitor",
    targets=("PTGS2",),
    molar_mass=381.37,
    synonyms=("Celebrex", "SC-58635"),
    references=("labelcelecoxib", "riendeau2001"),
    note="Oral; pharmacokinetics from the label.",
    contributions=(Contribution("cox2_inhibitor", "ratio_celecoxib"),),
)
