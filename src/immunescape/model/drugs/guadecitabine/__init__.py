"""Guadecitabine: DNMT inhibitor."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Modulation
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "guadecitabine",
    title="Guadecitabine",
    drug_class="DNMT inhibitor",
    targets=("DNMT1",),
    molar_mass=557.41,
    synonyms=("SGI-110",),
    references=("issa2015", "chiappinelli2015", "topper2017"),
    note="Subcutaneous: the depot slowly releases decitabine, in whose amounts the states are given.",
    dose_units=("mg", "mg/m2"),
    effect_compartment=True,
    contributions=(
        Contribution("epigenetic_derepression_T", "ratio_guadecitabine"),
        Contribution("viral_mimicry_T", "r_mimicry_guadecitabine * occupancy_guadecitabine"),
        Contribution("lymphodepletion", "k_lympho_guadecitabine * occupancy_guadecitabine"),
    ),
    modulations=(
        Modulation(
            "mhc1_expression",
            "dnmt_inhibition",
            "promotes",
            "r_MHC1_guadecitabine * ratio_guadecitabine / (1 + ratio_guadecitabine)",
        ),
        Modulation(
            "infiltration",
            "dnmt_inhibition",
            "promotes",
            "r_inf_guadecitabine * ratio_guadecitabine / (1 + ratio_guadecitabine)",
        ),
        Modulation(
            "exhaustion",
            "dnmt_inhibition",
            "inhibits",
            "r_exh_guadecitabine * ratio_guadecitabine / (1 + ratio_guadecitabine)",
        ),
    ),
    requires=("mhc1",),
)
