"""Lung microbiome: oral taxa (Streptococcus, Veillonella) in the lower airways."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Modulation, Pool, Quantity

MECHANISM = Mechanism(
    name="lung_microbiome",
    title="Lung microbiome",
    summary=(
        "Streptococcus and Veillonella in the lower airways, a patient-specific level that antibiotics lower. They "
        "promote Th17 and gamma-delta T cells that produce IL-17A (and thereby recruit neutrophils and MDSCs), keep "
        "dendritic cells immature, recruit regulatory T cells and M2 macrophages and raise PD-L1."
    ),
    references=("tsay2021", "jin2019", "lenoci2018"),
    parameters="lung_microbiome.csv",
    requires=("tumour_growth",),
    quantities=(
        Quantity(
            "lung_dysbiosis_T",
            "lung_dysbiosis / (1 + lung_antibiotic)",
            "dimensionless",
            "Oral taxa in the lower airways, 1 in the typical patient",
            observable=True,
        ),
    ),
    pools=(Pool("lung_antibiotic", "dimensionless", "Free antibiotic / concentration that halves the oral taxa"),),
    modulations=(
        Modulation("th17", "lung_microbiome", "promotes", "r_Th17_lung * lung_dysbiosis_T"),
        Modulation("il17_production", "gamma_delta", "promotes", "r_gdT_lung * lung_dysbiosis_T"),
        Modulation("dc_maturation", "lung_microbiome", "inhibits", "r_DC_lung * lung_dysbiosis_T"),
        Modulation("treg_recruitment", "microbiome", "promotes", "r_Treg_lung * lung_dysbiosis_T"),
        Modulation("macrophage_m2", "lung_microbiome", "promotes", "r_M2_lung * lung_dysbiosis_T"),
        Modulation("pdl1_expression", "lung_microbiome", "promotes", "r_PDL1_lung * lung_dysbiosis_T"),
    ),
)
