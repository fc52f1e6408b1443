"""MHC class I on cancer cells: how well they are recognised."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Pool, Quantity, Trait

MECHANISM = Mechanism(
    name="mhc1",
    title="MHC class I on cancer cells",
    summary=(
        "Recognition of a clone saturates with its MHC-I: constitutive expression plus induction by interferons "
        "through JAK1/2, IRF1 and NLRC5, times the clone's own level (trait mhc1; 0 after loss of B2M), the remaining "
        "HLA haplotypes (loss of one is a partial defect, of both a complete one) and the effects of other "
        "mechanisms. Recognition is 1 at the reference level. Interferons induce MHC-II independently of NLRC5."
    ),
    references=("propper2003", "meissner2010", "biswas2012"),
    parameters="mhc1.csv",
    requires=("tumour_growth",),
    processes={
        "mhc1_expression": "MHC-I on cancer cells, by whatever needs no JAK1/2 (NF-kappaB among it)",
        "mhc2_expression": "MHC-II on cancer cells, interferons aside",
        "mhc1_interferon": "MHC-I on cancer cells by interferons, through JAK1/2, STAT1, IRF1 and NLRC5",
    },
    pools=(
        Pool(
            "epigenetic_derepression_T",
            "dimensionless",
            "Drugs against DNA methylation, H3K27me3, deacetylation in the tumour / half-maximal concentration",
        ),
    ),
    traits=(
        Trait("mhc1", "1", "MHC-I relative to the reference clone; 0 after loss of B2M"),
        Trait("haplotypes", "(hla_allele_1 + hla_allele_2) / 2", "HLA class I of both parental haplotypes"),
    ),
    quantities=(
        Quantity(
            "mhc1_level_{clone}",
            "mhc1_{clone} * haplotypes_{clone} * f_mhc1_expression"
            " * (mhc1_constitutive + ifn_response_{clone} * nlrc5_activity * (f_mhc1_interferon - mhc1_constitutive))",
            "dimensionless",
            "MHC-I of a clone, relative to the reference clone at the reference baseline",
        ),
        Quantity(
            "recognition_{clone}",
            "antigenicity_{clone} * mhc1_level_{clone} * (1 + K_mhc1) / (mhc1_level_{clone} + K_mhc1)",
            "dimensionless",
            "Recognition by specific CD8 T cells, relative to the reference clone at the reference baseline",
        ),
        Quantity(
            "MHC1_T",
            "SUM(mhc1_level_{clone} * C_{clone}) / (C_total + one_cell)",
            "dimensionless",
            "Mean MHC-I of cancer cells, relative to the reference baseline",
            observable=True,
        ),
        Quantity(
            "mean_recognition_T",
            "SUM(recognition_{clone} * C_{clone}) / (C_total + one_cell)",
            "dimensionless",
            "Mean recognition of cancer cells by specific CD8 T cells, relative to the reference",
            observable=True,
        ),
        Quantity(
            "MHC2_T",
            "f_mhc2_expression * SUM((mhc2_constitutive + (1 - mhc2_constitutive) * ifn_response_{clone}"
            " * (f_mhc1_interferon - mhc1_constitutive) / (1 - mhc1_constitutive)) * C_{clone})"
            " / (C_total + one_cell)",
            "dimensionless",
            "Mean MHC-II of cancer cells, relative to the reference baseline: by interferons (CIITA), without NLRC5",
            observable=True,
        ),
    ),
)
