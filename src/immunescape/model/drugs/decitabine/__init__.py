"""Decitabine: DNMT inhibitor."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Modulation, Pool, Quantity
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "decitabine",
    title="Decitabine",
    drug_class="DNMT inhibitor",
    targets=("DNMT1",),
    molar_mass=228.21,
    synonyms=("Dacogen",),
    references=("labeldecitabine", "chiappinelli2015", "topper2017"),
    note="Intravenous, low-dose; inhibitors of cytidine deaminase (pool cda_inhibitor) lower its clearance.",
    dose_units=("mg", "mg/m2"),
    route="iv",
    infusion_hours=1.0,
    pools=(Pool("cda_inhibitor", "dimensionless", "Free inhibitors of cytidine deaminase / half-inhibiting"),),
    quantities=(
        Quantity(
            "cl_decitabine",
            "cl0_decitabine * (1 - f_cda_decitabine * cda_inhibitor / (1 + cda_inhibitor))",
            "liter/hour",
            "Plasma clearance of decitabine",
        ),
    ),
    effect_compartment=True,
    contributions=(
        Contribution("epigenetic_derepression_T", "ratio_decitabine"),
        Contribution("viral_mimicry_T", "r_mimicry_decitabine * occupancy_decitabine"),
        Contribution("lymphodepletion", "k_lympho_decitabine * occupancy_decitabine"),
    ),
    modulations=(
        Modulation(
            "mhc1_expression",
            "dnmt_inhibition",
            "promotes",
            "r_MHC1_decitabine * ratio_decitabine / (1 + ratio_decitabine)",
        ),
        Modulation(
            "infiltration",
            "dnmt_inhibition",
            "promotes",
            "r_inf_decitabine * ratio_decitabine / (1 + ratio_decitabine)",
        ),
        Modulation(
            "exhaustion", "dnmt_inhibition", "inhibits", "r_exh_decitabine * ratio_decitabine / (1 + ratio_decitabine)"
        ),
    ),
    requires=("mhc1",),
)
