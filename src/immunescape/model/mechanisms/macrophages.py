"""Tumour-associated macrophages: M1 and M2, with IL-12 and IL-10."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Mechanism, Modulation, Pool, Quantity, Reaction, State

MECHANISM = Mechanism(
    name="macrophages",
    title="Tumour-associated macrophages",
    summary=(
        "Macrophages enter as M1 and polarise reversibly to M2 (promoted by IL-10 and TGF-beta, opposed by IL-12 and "
        "interferon-gamma). M1 macrophages produce IL-12, which promotes priming; M2 macrophages produce IL-10, which "
        "keeps dendritic cells immature, and TGF-beta; M2 macrophages exclude T cells from tumour nests."
    ),
    references=("welsh2005", "ginhoux2016", "altanbonnet2019", "wang2023", "peranzoni2018", "heufler1996"),
    parameters="macrophages.csv",
    requires=("tumour_growth", "dendritic_cells"),
    processes={
        "macrophage_m2": "turning of macrophages from M1 to M2",
        "macrophage_recruitment": "recruitment of monocytes into the tumour",
        "il12_production": "production of IL-12 by mature dendritic cells",
    },
    states=(
        State("M1_T", "cell", "tumour", "M1 macrophages in the tumour"),
        State("M2_T", "cell", "tumour", "M2 macrophages in the tumour"),
        State("IL12_T", "nanomole", "tumour", "IL-12 in the tumour", atol=1e-13),
        State("IL10_T", "nanomole", "tumour", "IL-10 in the tumour", atol=1e-13),
    ),
    reactions=(
        Reaction(
            "M1_recruitment",
            "k_Mac_rec * f_macrophage_recruitment * V_T",
            "Recruitment of monocytes",
            products={"M1_T": 1},
        ),
        Reaction("M1_death", "k_Mac_death * M1_T", "Death", reactants={"M1_T": 1}),
        Reaction("M2_death", "k_Mac_death * M2_T", "Death", reactants={"M2_T": 1}),
        Reaction(
            "M1_to_M2",
            "k_M2_pol * f_macrophage_m2 * M1_T",
            "Turning to M2",
            reactants={"M1_T": 1},
            products={"M2_T": 1},
        ),
        Reaction(
            "M2_to_M1",
            "k_M1_pol * M2_T",
            "Turning to M1",
            reactants={"M2_T": 1},
            products={"M1_T": 1},
        ),
        Reaction(
            "IL12_secretion",
            "k_IL12_sec * f_il12_production * mAPC_T + k_IL12_sec_M1 * M1_T",
            "Secretion",
            products={"IL12_T": 1},
        ),
        Reaction("IL12_degradation", "k_IL12_deg * IL12_T", "Degradation", reactants={"IL12_T": 1}),
        Reaction("IL10_secretion", "il10_secretion", "Secretion", products={"IL10_T": 1}),
        Reaction("IL10_degradation", "k_IL10_deg * IL10_T", "Degradation", reactants={"IL10_T": 1}),
    ),
    quantities=(
        Quantity(
            "M1_M2_ratio",
            "M1_T / (M2_T + one_cell)",
            "dimensionless",
            "M1 macrophages per M2 macrophage in the tumour",
            observable=True,
        ),
        Quantity("IL12_conc_T", "IL12_T / V_T", "picomole/liter", "IL-12 in the tumour", observable=True),
        Quantity("IL10_conc_T", "IL10_T / V_T", "picomole/liter", "IL-10 in the tumour", observable=True),
    ),
    pools=(Pool("il10_secretion", "nanomole/day", "Secretion of IL-10 in the tumour"),),
    contributions=(
        Contribution("il10_secretion", "k_IL10_sec * M2_T"),
        Contribution("tgfb_secretion", "k_TGFb_sec_M2 * M2_T"),
        Contribution("ccl2_secretion", "k_CCL2_sec_M2 * M2_T"),
    ),
    modulations=(
        Modulation("macrophage_m2", "m2_cytokines", "promotes", "r_M2_IL10 * IL10_conc_T / (IL10_conc_T + IL10_50)"),
        Modulation("macrophage_m2", "il12", "inhibits", "r_M2_IL12 * IL12_conc_T / (IL12_conc_T + IL12_50)"),
        Modulation("dc_maturation", "il10", "inhibits", "r_DC_IL10 * IL10_conc_T / (IL10_conc_T + IL10_50)"),
        Modulation("priming", "il12", "promotes", "r_prime_IL12 * IL12_conc_T / (IL12_conc_T + IL12_50)"),
        Modulation("infiltration", "macrophages", "inhibits", "M2_T / V_T / M2_50_infiltration"),
    ),
)
