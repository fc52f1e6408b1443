"""Defects of antigen presentation: clones with little or no MHC-I."""

from __future__ import annotations

from immunescape.model.declarations import Clone, Mechanism, Quantity
from immunescape.model.mechanisms._emergence import emergence

_CLONES = (
    ("mhc1_silenced", "cells with silenced MHC-I"),
    ("hla_loh", "cells with HLA loss of heterozygosity"),
    ("b2m_null", "cells without B2M"),
)
_PARTS = [emergence(*c) for c in _CLONES]

MECHANISM = Mechanism(
    name="antigen_presentation",
    title="Defects of antigen presentation",
    summary=(
        "Three clones with partial or complete loss of recognition by CD8 T cells: HLA LOH (one haplotype lost, a "
        "partial defect), biallelic loss of B2M (irreversible), and silencing of the antigen-processing machinery by "
        "promoter methylation and PRC2 (H3K27me3), which DNMT, EZH2 and HDAC inhibitors reverse."
    ),
    references=("mcgranahan2017", "gettinger2017", "burr2019"),
    parameters="antigen_presentation.csv",
    requires=("tumour_growth", "mhc1"),
    states=tuple(s for p in _PARTS for s in p[0]),
    reactions=tuple(p[1] for p in _PARTS),
    quantities=(
        *(q for p in _PARTS for q in p[2]),
        *(
            Quantity(
                f"{clone}_share_T",
                f"C_{clone} / (C_total + one_cell)",
                "dimensionless",
                f"Share of {meaning} among living cancer cells",
                observable=True,
            )
            for clone, meaning in _CLONES
        ),
    ),
    events=tuple(p[3] for p in _PARTS),
    clones=(
        Clone(
            "mhc1_silenced",
            "Cancer cells with silenced MHC-I",
            fraction="f_mhc1_silenced",
            traits={
                "mhc1": "mhc1_silenced_level + (1 - mhc1_silenced_level)"
                " * epigenetic_derepression_T / (1 + epigenetic_derepression_T)"
            },
        ),
        Clone(
            "hla_loh",
            "Cancer cells with HLA loss of heterozygosity",
            fraction="f_hla_loh",
            traits={"haplotypes": "hla_allele_1 / 2", "antigenicity": "antigenicity_hla_loh_kept"},
        ),
        Clone("b2m_null", "Cancer cells without B2M", fraction="f_b2m_null", traits={"mhc1": "0"}),
    ),
)
