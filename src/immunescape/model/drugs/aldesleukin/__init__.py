"""Aldesleukin: recombinant interleukin-2."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Drug, Modulation, Quantity, Reaction, State

_ON_T = "aldesleukin_C / (aldesleukin_C + v_aldesleukin * IL2_50)"
_ON_NK = "aldesleukin_C / (aldesleukin_C + v_aldesleukin * IL2_50_NK_aldesleukin)"

DRUG = Drug(
    name="aldesleukin",
    title="Aldesleukin",
    summary=(
        "Interleukin-2 with one compartment in plasma. In the lymph nodes it adds to endogenous IL-2 and drives the "
        "proliferation of primed CD8 T cells; in blood, tissue and tumour it drives the proliferation of activated T "
        "cells, raises the number and activity of NK cells, and expands regulatory T cells, which respond to lower "
        "concentrations."
    ),
    references=("konrad1990", "labelaldesleukin", "lotze1985"),
    parameters="aldesleukin.csv",
    requires=("body", "il2", "treg", "nk_cells", "naive_t", "cd8"),
    states=(State("aldesleukin_C", "nanomole", "central", "Aldesleukin in plasma"),),
    reactions=(
        Reaction(
            "aldesleukin_elimination",
            "cl_aldesleukin * aldesleukin_C / v_aldesleukin",
            "Clearance, mostly renal",
            {"aldesleukin_C": 1},
        ),
    ),
    quantities=(
        Quantity(
            "conc_aldesleukin",
            "aldesleukin_C / v_aldesleukin * molar_mass_aldesleukin",
            "microgram/milliliter",
            "Plasma concentration of aldesleukin",
            observable=True,
        ),
    ),
    contributions=(
        Contribution("il2_secretion", "k_IL2_deg * V_LN * aldesleukin_C / v_aldesleukin"),
        Contribution("cd8_division", f"k_T_aldesleukin * {_ON_T}"),
        Contribution("cd4_division", f"k_T_aldesleukin * {_ON_T}"),
        Contribution("nk_expansion", f"r_NK_blood_aldesleukin * {_ON_NK}"),
    ),
    modulations=(
        Modulation(
            "treg_recruitment",
            "il2",
            "promotes",
            "r_Treg_aldesleukin * aldesleukin_C / (aldesleukin_C + v_aldesleukin * IL2_50_Treg_aldesleukin)",
        ),
        Modulation(
            "nk_killing",
            "il2",
            "promotes",
            f"r_NK_aldesleukin * {_ON_NK}",
        ),
    ),
    drug_class="cytokine",
    targets=("IL-2 receptor",),
    dose_state="aldesleukin_C",
    molar_mass=15_300.0,
    dose_units=("mg", "IU/kg", "IU"),
    dose_amounts={"IU": 1.1 / 18e6 * 1e6 / 15_300.0},
    infusion_hours=0.25,
    synonyms=("IL-2", "interleukin-2", "Proleukin"),
)
