"""Adenosine: ATP from dying and stressed cells, CD39, CD73 and the A2A receptor."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Modulation, Pool, Quantity

_PLAIN = "dimensionless"

MECHANISM = Mechanism(
    name="adenosine",
    title="Adenosine",
    summary=(
        "Extracellular ATP from stressed and dying cells is hydrolysed by CD39 to AMP and by CD73 to adenosine, with "
        "a bypass (CD38, phosphatases); all steps are at quasi-steady state. Hypoxia induces both enzymes. Adenosine "
        "acts through the A2A receptor on CD8 T cells, dendritic cells, regulatory T cells and macrophages; the ATP "
        "that CD39 leaves promotes the maturation of dendritic cells."
    ),
    references=("blay1997", "fredholm2001", "synnestvedt2002", "ohta2006", "novitskiy2008", "michaud2011"),
    parameters="adenosine.csv",
    requires=("tumour_growth",),
    processes={"ectonucleotidases": "CD39 and CD73 in the tumour"},
    quantities=(
        Quantity(
            "ATP_release_T",
            "1 + C_dead_T / (V_T * dead_50_ATP)",
            _PLAIN,
            "Release of ATP by stressed and dead cells relative to that without dead ones",
        ),
        Quantity("CD39_T", "cd39_tumour * f_ectonucleotidases / (1 + cd39_inhibitor)", _PLAIN, "Activity of CD39"),
        Quantity("CD73_T", "cd73_tumour * f_ectonucleotidases / (1 + cd73_inhibitor)", _PLAIN, "Activity of CD73"),
        Quantity(
            "ATP_T",
            "ATP_release_T / (1 + CD39_T)",
            _PLAIN,
            "Extracellular ATP relative to that without CD39 and cell death",
            observable=True,
        ),
        Quantity(
            "adenosine_conc_T",
            "adenosine_scale * ATP_release_T * (ecto_bypass + CD39_T / (1 + CD39_T) * CD73_T / (1 + CD73_T))",
            "micromole/liter",
            "Adenosine in the tumour",
            observable=True,
        ),
        Quantity(
            "A2A_signal_T",
            "adenosine_conc_T / (adenosine_50 * (1 + a2a_antagonist))",
            _PLAIN,
            "Adenosine / concentration that half activates the A2A receptor",
        ),
    ),
    pools=(
        Pool("cd39_inhibitor", _PLAIN, "Free inhibitor in the tumour / concentration that half inhibits CD39"),
        Pool("cd73_inhibitor", _PLAIN, "Free inhibitor in the tumour / concentration that half inhibits CD73"),
        Pool("a2a_antagonist", _PLAIN, "Free antagonist in the tumour / concentration that half blocks A2A"),
    ),
    modulations=(
        Modulation("killing", "metabolic", "inhibits", "r_kill_A2A * A2A_signal_T"),
        Modulation("reactivation", "metabolic", "inhibits", "r_kill_A2A * A2A_signal_T"),
        Modulation("nk_killing", "metabolic", "inhibits", "r_kill_A2A * A2A_signal_T"),
        Modulation("dc_maturation", "metabolic", "inhibits", "r_DC_A2A * A2A_signal_T"),
        Modulation("dc_maturation", "atp", "promotes", "r_DC_ATP * ATP_T"),
        Modulation("treg_recruitment", "metabolic", "promotes", "r_Treg_A2A * A2A_signal_T"),
        Modulation("macrophage_m2", "metabolic", "promotes", "r_M2_A2A * A2A_signal_T"),
    ),
)
