"""CD4 helper T cells: help for priming, IL-2, interferon-gamma."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Mechanism, Modulation, Quantity
from immunescape.model.mechanisms._cd4 import cd4_reactions, cd4_states

MECHANISM = Mechanism(
    name="helper_t",
    title="CD4 helper T cells",
    summary=(
        "Neoantigen-specific helper T cells are primed alongside CD8 T cells, license dendritic cells (which promotes "
        "CD8 priming), and secrete IL-2 in the lymph node and interferon-gamma in the tumour."
    ),
    references=("robertsontessi2012", "deboer1995", "marchingo2014", "borst2018", "kasahara1983"),
    parameters="helper_t.csv",
    requires=("body", "tumour_growth", "naive_t", "neoantigen", "dendritic_cells", "cd8"),
    states=cd4_states("Th", "Helper T cells"),
    reactions=cd4_reactions(
        "Th", "helper T cells", clones="n_clones_tum", activation="Th_act", entry="cd8_infiltration * f_infiltration"
    ),
    quantities=(
        Quantity("Th_act", "k_Th_act * H_mAPC * H_Ag", "1/day", "Rate at which a specific naive CD4 T cell is primed"),
        Quantity("Th_density_T", "Th_T / V_T", "cell/milliliter", "Helper T cells in the tumour", observable=True),
    ),
    contributions=(
        Contribution("CD4_T", "Th_T"),
        Contribution("lymphocytes_T", "Th_T"),
        Contribution("T_active_LN", "aTh_LN + Th_LN"),
        Contribution("il2_of_t_cells", "k_IL2_sec_Th * aTh_LN"),
        Contribution("ifng_secretion", "k_IFNg_sec_Th * Th_T"),
    ),
    modulations=(Modulation("priming", "cd4_help", "promotes", "r_help * aTh_LN / (aTh_LN + help_50)"),),
)
