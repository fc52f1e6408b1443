"""CD8 T cells: priming and division in the node, egress, circulation, tumour (progenitor and effector)."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Mechanism, Pool, Quantity, Reaction, State

MECHANISM = Mechanism(
    name="cd8",
    title="CD8 T cells",
    summary=(
        "Neoantigen-specific naive CD8 T cells are primed by mature dendritic cells, proliferate, leave the lymph "
        "node, circulate and infiltrate the tumour, partly as TCF1+ progenitors. On antigen encounter, progenitors "
        "self-renew within niches that scale with the tumour and lie where T cells have access, and differentiate "
        "into effectors, mostly by divisions that preserve the progenitor; the process `reactivation` is this output. "
        "Most effectors of an established tumour therefore arise by division within it, and their density is nearly "
        "independent of its size."
    ),
    references=("deboer1995", "marchingo2014", "zhu1996", "siddiqui2019", "thommen2018"),
    parameters="cd8.csv",
    requires=("body", "tumour_growth", "naive_t", "neoantigen", "dendritic_cells"),
    processes={
        "priming": "priming of neoantigen-specific CD8 T cells in the node",
        "proliferation": "division of primed CD8 T cells in the node",
        "infiltration": "entry of CD8 T cells into the tumour",
        "reactivation": "output of effectors from TCF1+ progenitors in the tumour",
        "progenitor_niche": "niches of TCF1+ progenitors in the tumour",
    },
    states=(
        State("aCD8_LN", "cell", "lymph_node", "Primed, dividing CD8 T cells"),
        State("CD8_LN", "cell", "lymph_node", "Divided CD8 T cells before egress"),
        State("CD8_C", "cell", "central", "Tumour-specific CD8 T cells in blood"),
        State("CD8_P", "cell", "peripheral", "Tumour-specific CD8 T cells in other tissue"),
        State("CD8_pro_T", "cell", "tumour", "TCF1+ progenitor CD8 T cells"),
        State("CD8_eff_T", "cell", "tumour", "Effector CD8 T cells"),
    ),
    reactions=(
        Reaction(
            "CD8_priming",
            "nCD8_LN * n_clones_tum / nCD8_div * q_nCD8_LN_out * CD8_act / (q_nCD8_LN_out + CD8_act) * f_priming",
            "Priming of specific naive cells: those present are those that entered and have not left or been primed",
            products={"aCD8_LN": 1},
        ),
        Reaction("CD8_division_out", "k_CD8_pro * aCD8_LN", "End of division", reactants={"aCD8_LN": 1}),
        Reaction(
            "CD8_division_in",
            "k_CD8_pro * aCD8_LN * exp(0.6931471805599453 * N_div_CD8) * f_proliferation",
            "Progeny of a primed cell",
            products={"CD8_LN": 1},
        ),
        Reaction("CD8_LN_death", "k_CD8_death * CD8_LN", "Death in the node", reactants={"CD8_LN": 1}),
        Reaction(
            "CD8_egress",
            "q_CD8_LN_out * CD8_LN",
            "Egress to blood",
            reactants={"CD8_LN": 1},
            products={"CD8_C": 1},
        ),
        Reaction("CD8_C_death", "k_CD8_death * CD8_C", "Death in blood", reactants={"CD8_C": 1}),
        Reaction("CD8_P_death", "k_CD8_death * CD8_P", "Death in tissue", reactants={"CD8_P": 1}),
        Reaction(
            "CD8_to_tissue",
            "q_CD8_P_in * CD8_C",
            "Entry into other tissue",
            reactants={"CD8_C": 1},
            products={"CD8_P": 1},
        ),
        Reaction(
            "CD8_from_tissue",
            "q_CD8_P_out * CD8_P",
            "Return from other tissue",
            reactants={"CD8_P": 1},
            products={"CD8_C": 1},
        ),
        Reaction(
            "CD8_infiltration_progenitor",
            "f_progenitor * CD8_entry",
            "Entry into the tumour as progenitor",
            reactants={"CD8_C": 1},
            products={"CD8_pro_T": 1},
        ),
        Reaction(
            "CD8_infiltration_effector",
            "(1 - f_progenitor) * CD8_entry",
            "Entry into the tumour as effector",
            reactants={"CD8_C": 1},
            products={"CD8_eff_T": 1},
        ),
        Reaction(
            "CD8_progenitor_renewal",
            "k_pro_renew * C_total / (C_total + CD8_T + one_cell) * CD8_pro_T"
            " * (1 - CD8_pro_T / (progenitor_niche_T + CD8_pro_T))",
            "Self-renewal where antigen is met, limited by the niche",
            products={"CD8_pro_T": 1},
        ),
        Reaction(
            "CD8_progenitor_displacement",
            "k_pro_renew * CD8_pro_T * CD8_pro_T / (progenitor_niche_T + CD8_pro_T)",
            "Progenitors lost as they find no place in the niche",
            reactants={"CD8_pro_T": 1},
        ),
        Reaction(
            "CD8_progenitor_output",
            "(1 - f_pro_kept) * k_react * f_reactivation * CD8_pro_T",
            "Progenitors lost as they differentiate",
            reactants={"CD8_pro_T": 1},
        ),
        Reaction(
            "CD8_effector_input",
            "k_react * f_reactivation * CD8_pro_T * n_burst",
            "Effectors that come of progenitors that divide",
            products={"CD8_eff_T": 1},
        ),
        Reaction("CD8_pro_death", "k_CD8_death * CD8_pro_T", "Death of progenitors", reactants={"CD8_pro_T": 1}),
        Reaction("CD8_eff_death", "k_CD8_death * CD8_eff_T", "Death of effectors", reactants={"CD8_eff_T": 1}),
        *(
            Reaction(
                f"{s}_cytokine_division",
                f"cd8_division * {s}",
                f"Division under cytokines that are given: {w}",
                products={s: 1},
            )
            for s, w in (
                ("CD8_C", "in blood"),
                ("CD8_P", "in other tissue"),
                ("CD8_pro_T", "progenitors"),
                ("CD8_eff_T", "effectors"),
            )
        ),
        Reaction(
            "aCD8_lymphodepletion",
            "lymphodepletion * aCD8_LN",
            "Dividing cells lost to chemotherapy",
            reactants={"aCD8_LN": 1},
        ),
        Reaction(
            "CD8_lymphodepletion",
            "lymphodepletion * CD8_C",
            "Circulating cells lost to chemotherapy",
            reactants={"CD8_C": 1},
        ),
    ),
    quantities=(
        Quantity(
            "CD8_act", "k_nCD8_act * H_mAPC * H_Ag", "1/day", "Rate at which a specific naive CD8 T cell is primed"
        ),
        Quantity(
            "CD8_entry",
            "q_CD8_T_in * cd8_infiltration * f_infiltration * V_T * CD8_C",
            "cell/day",
            "CD8 T cells that enter the tumour",
        ),
        Quantity(
            "progenitor_niche_T",
            "pro_niche * cd8_infiltration * f_progenitor_niche * (V_T + niche_scar * scar_T / rho_tumour)",
            "cell",
            "Progenitors for which the tumour has niches; they lie where T cells have access",
        ),
        Quantity(
            "CD8_density_T",
            "CD8_T / V_T",
            "cell/milliliter",
            "Tumour-specific CD8 T cells of all states in the tumour",
            observable=True,
        ),
        Quantity(
            "progenitor_share_T",
            "CD8_pro_T / (CD8_T + one_cell)",
            "dimensionless",
            "TCF1+ share of CD8 T cells in the tumour",
            observable=True,
        ),
        Quantity(
            "CD8_blood", "CD8_C / V_C", "cell/milliliter", "Tumour-specific CD8 T cells in blood", observable=True
        ),
    ),
    pools=(
        Pool("CD8_T", "cell", "CD8 T cells of all states in the tumour"),
        Pool("cd8_division", "1/day", "Rate at which cytokines that are given let CD8 T cells outside the node divide"),
        Pool("T_active_LN", "cell", "Activated T cells in the draining nodes"),
    ),
    contributions=(
        Contribution("CD8_T", "CD8_pro_T + CD8_eff_T"),
        Contribution("lymphocytes_T", "CD8_T"),
        Contribution("T_active_LN", "aCD8_LN + CD8_LN"),
    ),
)
