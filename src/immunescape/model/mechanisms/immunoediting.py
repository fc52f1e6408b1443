"""Immunoediting: quality of clonal and subclonal neoantigens, and clones that have lost or silenced them."""

from __future__ import annotations

from immunescape.model.declarations import Clone, Mechanism, Modulation, Quantity
from immunescape.model.mechanisms._emergence import emergence

_CLONES = (
    ("antigen_low", "cells that lost neoantigens"),
    ("antigen_silenced", "cells that silenced neoantigens"),
)
_PARTS = [emergence(*c) for c in _CLONES]

MECHANISM = Mechanism(
    name="immunoediting",
    title="Immunoediting and loss of neoantigens",
    summary=(
        "The quality of neoantigens follows Luksza's model: amplitude (affinity of the mutant over that of the "
        "wild-type peptide) times the probability of recognition by a T-cell receptor (a logistic function of "
        "similarity to known epitopes); clonal neoantigens are present in every cancer cell, subclonal ones in some. "
        "T cells select two clones: one has irreversibly lost copies of neoantigens, the other silences them "
        "(methylation, deacetylation) until drugs reverse it. Mutational burden, which sets the number of T-cell "
        "clones, is separate from what is presented."
    ),
    references=("luksza2017", "mcgranahan2016", "rosenthal2019", "anagnostou2017"),
    parameters="immunoediting.csv",
    requires=("tumour_growth", "mhc1", "neoantigen"),
    states=tuple(s for p in _PARTS for s in p[0]),
    reactions=tuple(p[1] for p in _PARTS),
    quantities=(
        *(q for p in _PARTS for q in p[2]),
        Quantity(
            "neoantigen_quality",
            "neoantigen_amplitude / (1 + exp(-luksza_slope * (neoantigen_alignment - luksza_midpoint)))",
            "dimensionless",
            "Amplitude times probability of recognition of an average neoantigen",
            observable=True,
        ),
        Quantity(
            "antigens_per_cell",
            "clonal_share + (1 - clonal_share) * subclonal_prevalence",
            "dimensionless",
            "Share of the tumour's neoantigens that an average cell without loss carries",
        ),
        Quantity(
            "antigen_low_share_T",
            "C_antigen_low / (C_total + one_cell)",
            "dimensionless",
            "Share of cells that lost neoantigens among living cancer cells",
            observable=True,
        ),
        Quantity(
            "antigen_silenced_share_T",
            "C_antigen_silenced / (C_total + one_cell)",
            "dimensionless",
            "Share of cells that silenced neoantigens among living cancer cells",
            observable=True,
        ),
        Quantity(
            "mean_antigenicity_T",
            "SUM(antigenicity_{clone} * C_{clone}) / (C_total + one_cell)",
            "dimensionless",
            "Mean antigenicity of living cancer cells, relative to the reference clone",
            observable=True,
        ),
        Quantity(
            "presented_neoantigens_T",
            "n_clones_tum * antigens_per_cell * SUM(recognition_{clone} * C_{clone}) / (C_total + one_cell)",
            "dimensionless",
            "Neoantigens that an average cancer cell presents, of those that its mutations make",
            observable=True,
        ),
        Quantity(
            "clonal_neoantigens_T",
            "n_clones_tum * clonal_share * (1 - (1 - antigenicity_antigen_low) * antigen_low_share_T"
            " / (antigen_low_share_T + detection_share))",
            "dimensionless",
            "Neoantigens in all cells: one that a clone of more than a few percent has lost is no longer clonal",
            observable=True,
        ),
        Quantity(
            "clonal_diversity_T",
            "1 - SUM(C_{clone} * C_{clone}) / ((C_total + one_cell) * (C_total + one_cell))",
            "dimensionless",
            "Probability that two cancer cells are of different clones (Simpson)",
            observable=True,
        ),
    ),
    events=tuple(p[3] for p in _PARTS),
    modulations=(
        Modulation("killing", "neoantigen_quality", "promotes", "w_quality * neoantigen_quality * antigens_per_cell"),
    ),
    clones=(
        Clone(
            "antigen_low",
            "Cancer cells that lost neoantigens",
            fraction="f_antigen_low",
            traits={"antigenicity": "antigen_kept"},
        ),
        Clone(
            "antigen_silenced",
            "Cancer cells that silenced neoantigens",
            fraction="f_antigen_silenced",
            traits={
                "antigenicity": "antigen_kept + (1 - antigen_kept)"
                " * epigenetic_derepression_T / (1 + epigenetic_derepression_T)"
            },
        ),
    ),
)
