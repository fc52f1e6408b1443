"""3-alpha-aminocholestane: inhibitor of SHIP1 in T and NK cells."""

from __future__ import annotations

from immunescape.model.declarations import Modulation
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "aminocholestane",
    title="3-alpha-aminocholestane (3AC)",
    drug_class="SHIP1 inhibitor",
    targets=("SHIP1",),
    molar_mass=387.7,
    synonyms=("3AC", "SHIP1 inhibitor"),
    references=("gumbleton2017",),
    note="Preclinical tool; human pharmacokinetics and potency are assumed.",
    modulations=(
        Modulation("killing", "ship1", "promotes", "r_kill_aminocholestane * occupancy_aminocholestane"),
        Modulation("reactivation", "ship1", "promotes", "r_react_aminocholestane * occupancy_aminocholestane"),
        Modulation("nk_killing", "ship1", "promotes", "r_NK_aminocholestane * occupancy_aminocholestane"),
    ),
)
