"""Stroma: fibroblasts and matrix, driven by TGF-beta, exclude T cells and release TGF-beta."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Modulation, Quantity, Reaction, State

MECHANISM = Mechanism(
    name="stroma",
    title="Fibroblasts and matrix",
    summary=(
        "TGF-beta drives cancer-associated fibroblasts and the matrix that they deposit, within weeks. They retain T "
        "cells in the stroma and activate latent TGF-beta, so that fibroblasts and TGF-beta sustain each other, both "
        "with saturation."
    ),
    references=("mariathasan2018", "tauriello2018", "salmon2012"),
    parameters="stroma.csv",
    requires=("tumour_growth",),
    processes={"stroma": "build-up of fibroblasts and matrix"},
    states=(
        State(
            "stroma_T", "dimensionless", "tumour", "Fibroblasts and matrix relative to the reference", "stroma_tumour"
        ),
    ),
    reactions=(
        Reaction(
            "stroma_deposition",
            "k_stroma * stroma_tumour * f_stroma",
            "Deposition of matrix by fibroblasts",
            products={"stroma_T": 1},
        ),
        Reaction("stroma_turnover", "k_stroma * stroma_T", "Turnover of matrix", reactants={"stroma_T": 1}),
    ),
    quantities=(
        Quantity(
            "stroma_barrier_T",
            "r_inf_stroma * stroma_T",
            "dimensionless",
            "Strength of the stromal barrier against entry of T cells",
            observable=True,
        ),
    ),
    modulations=(
        Modulation("infiltration", "stroma", "inhibits", "stroma_barrier_T"),
        Modulation("tgfb_activation", "stroma", "promotes", "r_TGFb_stroma * stroma_T / (1 + stroma_T)"),
    ),
)
