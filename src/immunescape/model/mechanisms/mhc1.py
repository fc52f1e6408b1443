"""MHC class I on cancer cells: how well they are recognised."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Quantity, Trait

MECHANISM = Mechanism(
    name="mhc1",
    title="MHC class I on cancer cells",
    summary=(
        "Recognition of a clone saturates with its MHC-I, which is its own level (trait mhc1; 0 after loss of B2M) "
        "times the factor that interferon-gamma and other mechanisms set. Recognition is 1 at the reference level."
    ),
    references=("propper2003",),
    parameters="mhc1.csv",
    requires=("tumour_growth",),
    processes={
        "mhc1_expression": "MHC-I on cancer cells, by whatever needs no JAK1/2 (NF-kappaB among it)",
        "mhc1_interferon": "MHC-I on cancer cells by interferons, through JAK1/2, STAT1, IRF1 and NLRC5",
    },
    traits=(Trait("mhc1", "1", "MHC-I relative to the reference clone"),),
    quantities=(
        Quantity(
            "mhc1_level_{clone}",
            "mhc1_{clone} * f_mhc1_expression"
            " * (ifn_response_{clone} * f_mhc1_interferon + (1 - ifn_response_{clone}) * mhc1_constitutive)",
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
    ),
)
