"""Cintirorgon (LYC-55716): oral agonist of RORgamma."""

from __future__ import annotations

from immunescape.model.declarations import Modulation
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "cintirorgon",
    title="Cintirorgon",
    drug_class="RORgamma agonist",
    targets=("RORgamma",),
    molar_mass=600.0,
    synonyms=("LYC-55716",),
    references=("mahalingam2019", "hu2016"),
    note="Raises Th17 and IL-17A, prevents conversion of helper cells, lowers PD-1 and enhances CD8 T cells.",
    requires=("th17", "checkpoints_pd1", "killing"),
    modulations=(
        Modulation("th17", "rorg_agonist", "promotes", "r_Th17_cintirorgon * occupancy_cintirorgon"),
        Modulation("treg_conversion", "rorg_agonist", "inhibits", "r_Treg_cintirorgon * occupancy_cintirorgon"),
        Modulation("pd1_expression", "rorg_agonist", "inhibits", "r_PD1_cintirorgon * occupancy_cintirorgon"),
        Modulation("killing", "rorg_agonist", "promotes", "r_kill_cintirorgon * occupancy_cintirorgon"),
    ),
)
