"""Dendritic cells: arrival, maturation by danger signals, migration to the draining nodes."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Modulation, Pool, Quantity, Reaction, State

MECHANISM = Mechanism(
    name="dendritic_cells",
    title="Dendritic cells",
    summary=(
        "Immature dendritic cells enter the tumour and turn over within days; under danger signals of dying cells "
        "(quasi-steady state; turnover within half a day) a minority matures, migrates to the draining lymph nodes "
        "and presents antigen to T cells there at a limited number of sites. Dendritic cells in the tumour form the "
        "niches of TCF1+ progenitors."
    ),
    references=(
        "chen2014b",
        "marino2004",
        "kamath2002",
        "maier2020",
        "russo2016",
        "lavin2017",
        "deboer1995",
        "jansen2019",
    ),
    parameters="dendritic_cells.csv",
    requires=("tumour_growth",),
    processes={"dc_maturation": "maturation of dendritic cells in the tumour"},
    pools=(
        Pool(
            "immunogenic_dying_T",
            "cell/day",
            "Cells whose spontaneous death would release the danger signals that immunogenic death adds",
        ),
    ),
    states=(
        State("APC_T", "cell", "tumour", "Immature dendritic cells", "APC0_T * V_T_min"),
        State("mAPC_T", "cell", "tumour", "Mature dendritic cells in the tumour"),
        State("mAPC_LN", "cell", "lymph_node", "Mature dendritic cells in the draining nodes"),
    ),
    reactions=(
        Reaction(
            "APC_arrival", "k_APC_death * APC0_T * V_T", "Arrival of immature dendritic cells", products={"APC_T": 1}
        ),
        Reaction("APC_death", "k_APC_death * APC_T", "Death of immature dendritic cells", reactants={"APC_T": 1}),
        Reaction(
            "APC_maturation",
            "k_APC_mat * H_danger * f_dc_maturation * APC_T",
            "Maturation under danger signals",
            reactants={"APC_T": 1},
            products={"mAPC_T": 1},
        ),
        Reaction(
            "mAPC_migration",
            "k_APC_mig * mAPC_T",
            "Migration to the draining nodes",
            reactants={"mAPC_T": 1},
            products={"mAPC_LN": 1},
        ),
        Reaction("mAPC_T_death", "k_mAPC_death * mAPC_T", "Death in the tumour", reactants={"mAPC_T": 1}),
        Reaction("mAPC_LN_death", "k_mAPC_death * mAPC_LN", "Death in the node", reactants={"mAPC_LN": 1}),
    ),
    quantities=(
        Quantity(
            "danger_T",
            "danger_0 + danger_content * (dying_T + immunogenic_dying_T) / (k_danger * V_T)",
            "nanomole/liter",
            "Danger signal in the tumour (quasi-steady)",
        ),
        Quantity(
            "H_danger",
            "danger_T / (danger_T + danger_50)",
            "dimensionless",
            "Maturation signal relative to saturation",
        ),
        Quantity(
            "H_mAPC",
            "n_sites_APC * mAPC_LN / (n_sites_APC * mAPC_LN + K_scan)",
            "dimensionless",
            "Share of the T cells passing through the node that meet a mature dendritic cell",
        ),
    ),
    modulations=(Modulation("progenitor_niche", "dendritic_cells", "promotes", "APC_T / (APC_niche * V_T)"),),
)
