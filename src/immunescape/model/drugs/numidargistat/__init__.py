"""Numidargistat (INCB001158, CB-1158): inhibitor of arginase."""

from __future__ import annotations

from immunescape.model.declarations import Contribution
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "numidargistat",
    title="Numidargistat",
    drug_class="arginase inhibitor",
    targets=("ARG1",),
    molar_mass=287.12,
    synonyms=("INCB001158", "CB-1158"),
    references=("steggerda2017", "naing2024"),
    note="Oral; pharmacokinetics assumed, potency measured.",
    contributions=(Contribution("arginase_inhibitor", "ratio_numidargistat"),),
)
