"""Interleukin-2 in the draining nodes: secretion, consumption, and effect on the division of primed cells."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Mechanism, Modulation, Pool, Quantity, Reaction, State

MECHANISM = Mechanism(
    name="il2",
    title="Interleukin-2",
    summary=(
        "Primed T cells secrete IL-2 in the lymph node; activated T cells, including regulatory T cells, consume it. "
        "It adds up to N_IL2_CD8 divisions of primed CD8 T cells: strength 2^(divisions added) - 1."
    ),
    references=("lotze1985", "marchingo2014", "han2012", "thurley2015"),
    parameters="il2.csv",
    requires=("cd8",),
    processes={"il2_production": "production of interleukin-2 by primed T cells"},
    states=(State("IL2_LN", "nanomole", "lymph_node", "Interleukin-2 in the draining nodes", atol=1e-12),),
    reactions=(
        Reaction(
            "IL2_secretion",
            "f_il2_production * il2_of_t_cells + il2_secretion",
            "Secretion by primed T cells, and what is given",
            products={"IL2_LN": 1},
        ),
        Reaction("IL2_degradation", "k_IL2_deg * IL2_LN", "Degradation and outflow", reactants={"IL2_LN": 1}),
        Reaction(
            "IL2_consumption",
            "k_IL2_cons * T_active_LN * IL2_conc_LN / (IL2_conc_LN + IL2_50)",
            "Consumption by activated T cells",
            reactants={"IL2_LN": 1},
        ),
    ),
    quantities=(
        Quantity("IL2_conc_LN", "IL2_LN / V_LN", "nanomole/liter", "Interleukin-2 in the node", observable=True),
    ),
    pools=(
        Pool("il2_of_t_cells", "nanomole/day", "Interleukin-2 that primed T cells of the draining nodes secrete"),
        Pool("il2_secretion", "nanomole/day", "Interleukin-2 that reaches the draining nodes from elsewhere"),
    ),
    contributions=(Contribution("il2_of_t_cells", "k_IL2_sec * aCD8_LN"),),
    modulations=(
        Modulation(
            "proliferation",
            "il2",
            "promotes",
            "exp(0.6931471805599453 * N_IL2_CD8 * IL2_conc_LN / (IL2_conc_LN + IL2_50)) - 1",
        ),
    ),
)
