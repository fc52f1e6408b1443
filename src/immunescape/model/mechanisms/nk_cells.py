"""Natural killer cells: recruited to the tumour, where they kill cells with little MHC-I."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Mechanism, Pool, Quantity, Reaction, State

MECHANISM = Mechanism(
    name="nk_cells",
    title="Natural killer cells",
    summary=(
        "NK cells enter from blood, where their number follows a set point that cytokines raise and chemotherapy "
        "lowers temporarily, and die in the tumour. Killing is inversely related to the MHC-I of a clone (missing "
        "self), so that they recognise cells that escape CD8 T cells; they secrete interferon-gamma. Other mechanisms "
        "can modulate their recruitment (nk_recruitment) and killing (nk_killing)."
    ),
    references=("karre1986", "zhang2007nk", "platonova2011", "altanbonnet2019", "autissier2010"),
    parameters="nk_cells.csv",
    requires=("body", "tumour_growth", "mhc1", "naive_t"),
    processes={
        "nk_recruitment": "entry of NK cells into the tumour",
        "nk_killing": "killing of cancer cells by NK cells",
    },
    states=(
        State("NK_C", "cell", "central", "NK cells in blood", "rho_NK_C * V_C"),
        State("NK_T", "cell", "tumour", "NK cells in the tumour"),
    ),
    reactions=(
        Reaction(
            "NK_production",
            "k_NK_death * rho_NK_C * V_C * (1 + nk_expansion)",
            "Supply from marrow and division",
            products={"NK_C": 1},
        ),
        Reaction("NK_C_death", "k_NK_death * NK_C", "Death in blood", reactants={"NK_C": 1}),
        Reaction("NK_lymphodepletion", "lymphodepletion * NK_C", "Loss to chemotherapy", reactants={"NK_C": 1}),
        Reaction(
            "NK_recruitment",
            "k_NK_in * NK_C / V_C * f_nk_recruitment * V_T",
            "Entry from blood",
            reactants={"NK_C": 1},
            products={"NK_T": 1},
        ),
        Reaction("NK_death", "k_NK_death * NK_T", "Death", reactants={"NK_T": 1}),
        Reaction(
            "nk_killing_{clone}",
            "nk_kill_rate * missing_self_{clone} * C_{clone}",
            "Killing by NK cells",
            reactants={"C_{clone}": 1},
            products={"C_dead_T": 1},
        ),
    ),
    quantities=(
        Quantity(
            "missing_self_{clone}",
            "(1 + K_NK_mhc1) / (mhc1_level_{clone} + K_NK_mhc1)",
            "dimensionless",
            "Sight of a clone by NK cells, relative to cells with the MHC-I of the reference baseline",
        ),
        Quantity(
            "nk_kill_rate",
            "k_NK_kill * f_nk_killing * NK_T / (NK_T + K_NK_C * C_total + one_cell)",
            "1/day",
            "Rate at which NK cells kill a cancer cell with the MHC-I of the reference baseline",
            observable=True,
        ),
        Quantity("NK_blood", "NK_C / V_C", "cell/microliter", "NK cells in blood", observable=True),
        Quantity("NK_density_T", "NK_T / V_T", "cell/milliliter", "NK cells in the tumour", observable=True),
    ),
    pools=(
        Pool(
            "nk_expansion",
            "dimensionless",
            "Supply of NK cells that cytokines that are given add, relative to the usual",
        ),
    ),
    contributions=(
        Contribution("death_rate_{clone}", "nk_kill_rate * missing_self_{clone}"),
        Contribution("ifng_secretion", "k_IFNg_NK * NK_T"),
        Contribution("dying_T", "nk_kill_rate * SUM(missing_self_{clone} * C_{clone})"),
        Contribution(
            "dying_antigenic_T", "nk_kill_rate * SUM(antigenicity_{clone} * missing_self_{clone} * C_{clone})"
        ),
    ),
)
