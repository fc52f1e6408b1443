"""Vorinostat: HDAC inhibitor."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Modulation
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "vorinostat",
    title="Vorinostat",
    drug_class="HDAC inhibitor",
    targets=("HDAC1", "HDAC2", "HDAC3", "HDAC6"),
    molar_mass=264.32,
    synonyms=("SAHA", "Zolinza"),
    references=("labelvorinostat", "zheng2016", "topper2017"),
    note="Oral, daily; pharmacokinetics from the label.",
    effect_compartment=True,
    contributions=(
        Contribution("epigenetic_derepression_T", "r_derepression_vorinostat * ratio_vorinostat"),
        Contribution("viral_mimicry_T", "r_mimicry_vorinostat * occupancy_vorinostat"),
    ),
    modulations=(
        Modulation(
            "mhc1_expression",
            "hdac_inhibition",
            "promotes",
            "r_MHC1_vorinostat * ratio_vorinostat / (1 + ratio_vorinostat)",
        ),
        Modulation(
            "mhc2_expression",
            "hdac_inhibition",
            "promotes",
            "r_MHC2_vorinostat * ratio_vorinostat / (1 + ratio_vorinostat)",
        ),
        Modulation(
            "infiltration",
            "hdac_inhibition",
            "promotes",
            "r_inf_vorinostat * ratio_vorinostat / (1 + ratio_vorinostat)",
        ),
        Modulation(
            "mdsc_recruitment",
            "hdac_inhibition",
            "inhibits",
            "r_MDSC_vorinostat * ratio_vorinostat / (1 + ratio_vorinostat)",
        ),
        Modulation(
            "exhaustion", "hdac_inhibition", "inhibits", "r_exh_vorinostat * ratio_vorinostat / (1 + ratio_vorinostat)"
        ),
    ),
    requires=("mhc1",),
)
