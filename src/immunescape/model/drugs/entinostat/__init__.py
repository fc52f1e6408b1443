"""Entinostat: HDAC inhibitor."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Modulation
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "entinostat",
    title="Entinostat",
    drug_class="HDAC inhibitor",
    targets=("HDAC1", "HDAC3"),
    molar_mass=376.41,
    synonyms=("MS-275", "SNDX-275"),
    references=("ryan2005", "orillion2017", "topper2017"),
    note="Oral, weekly; one compartment with the published half-life of two days; acetylation follows plasma levels.",
    effect_compartment=True,
    contributions=(
        Contribution("epigenetic_derepression_T", "r_derepression_entinostat * ratio_entinostat"),
        Contribution("viral_mimicry_T", "r_mimicry_entinostat * occupancy_entinostat"),
    ),
    modulations=(
        Modulation(
            "growth", "hdac_inhibition", "inhibits", "r_growth_entinostat * ratio_entinostat / (1 + ratio_entinostat)"
        ),
        Modulation(
            "mhc1_expression",
            "hdac_inhibition",
            "promotes",
            "r_MHC1_entinostat * ratio_entinostat / (1 + ratio_entinostat)",
        ),
        Modulation(
            "mhc2_expression",
            "hdac_inhibition",
            "promotes",
            "r_MHC2_entinostat * ratio_entinostat / (1 + ratio_entinostat)",
        ),
        Modulation(
            "infiltration",
            "hdac_inhibition",
            "promotes",
            "r_inf_entinostat * ratio_entinostat / (1 + ratio_entinostat)",
        ),
        Modulation(
            "mdsc_recruitment",
            "hdac_inhibition",
            "inhibits",
            "r_MDSC_entinostat * ratio_entinostat / (1 + ratio_entinostat)",
        ),
        Modulation(
            "exhaustion", "hdac_inhibition", "inhibits", "r_exh_entinostat * ratio_entinostat / (1 + ratio_entinostat)"
        ),
    ),
    requires=("mhc1",),
)
