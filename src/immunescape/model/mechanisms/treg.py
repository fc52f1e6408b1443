"""Regulatory T cells: primed by self antigen, recruited to the tumour, suppress killing."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Mechanism, Modulation, Pool, Quantity, Reaction
from immunescape.model.mechanisms._cd4 import cd4_reactions, cd4_states

MECHANISM = Mechanism(
    name="treg",
    title="Regulatory T cells",
    summary=(
        "Self-specific regulatory T cells are primed in the lymph node, circulate and infiltrate the tumour, where "
        "they suppress killing in proportion to their ratio to CD8 T cells. They consume IL-2 in the lymph node. "
        "Anti-CTLA-4 antibodies with Fc function deplete them in the tumour (pool treg_adcc)."
    ),
    references=("robertsontessi2012", "deboer1995", "jafarnejad2019", "selby2013"),
    parameters="treg.csv",
    requires=("body", "tumour_growth", "naive_t", "dendritic_cells", "cd8"),
    processes={"treg_recruitment": "entry of regulatory T cells into the tumour"},
    states=cd4_states("Treg", "Regulatory T cells"),
    reactions=(
        *cd4_reactions(
            "Treg",
            "regulatory T cells",
            clones="n_clones_self",
            activation="Treg_act",
            entry="cd8_infiltration * f_treg_recruitment",
        ),
        Reaction("Treg_depletion", "treg_depletion * Treg_T", "Loss to chemotherapy", reactants={"Treg_T": 1}),
        Reaction("Treg_adcc", "treg_adcc * Treg_T", "Depletion by Fc function", reactants={"Treg_T": 1}),
    ),
    quantities=(
        Quantity(
            "Treg_act", "k_nCD4_act * H_self", "1/day", "Rate at which a self-specific naive CD4 T cell is primed"
        ),
        Quantity(
            "Treg_CD8_ratio",
            "Treg_T / (CD8_T + one_cell)",
            "dimensionless",
            "Regulatory T cells per CD8 T cell in the tumour",
            observable=True,
        ),
        Quantity(
            "Treg_density_T", "Treg_T / V_T", "cell/milliliter", "Regulatory T cells in the tumour", observable=True
        ),
        Quantity(
            "CD8_CD4_ratio",
            "CD8_T / (CD4_T + one_cell)",
            "dimensionless",
            "CD8 T cells per CD4 T cell (helper and regulatory) in the tumour",
            observable=True,
        ),
    ),
    pools=(
        Pool("CD4_T", "cell", "CD4 T cells in the tumour"),
        Pool("treg_depletion", "1/day", "Rate at which chemotherapy removes regulatory T cells in the tumour"),
        Pool("treg_adcc", "1/day", "Rate at which antibodies deplete regulatory T cells in the tumour"),
    ),
    contributions=(
        Contribution("CD4_T", "Treg_T"),
        Contribution("lymphocytes_T", "Treg_T"),
        Contribution("T_active_LN", "aTreg_LN + Treg_LN"),
    ),
    modulations=(Modulation("killing", "treg", "inhibits", "K_T_Treg * Treg_T / (CD8_T + Treg_T + one_cell)"),),
)
