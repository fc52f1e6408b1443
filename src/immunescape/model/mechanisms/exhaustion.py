"""Terminal exhaustion of effectors under chronic antigen."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Mechanism, Modulation, Quantity, Reaction, State

MECHANISM = Mechanism(
    name="exhaustion",
    title="Exhaustion of CD8 T cells",
    summary=(
        "Effectors under chronic antigen exposure become terminally exhausted: they neither kill nor recover. The "
        "TCF1+ progenitors remain, whose output PD-1 restrains. PD-1 expression rises with the exhausted share of the "
        "infiltrate and falls once antigen is gone."
    ),
    references=("siddiqui2019", "im2016", "thommen2018", "jansen2019", "blattman2009"),
    parameters="exhaustion.csv",
    requires=("cd8", "tumour_growth"),
    processes={"exhaustion": "terminal exhaustion of effector CD8 T cells"},
    states=(State("CD8_exh_T", "cell", "tumour", "Terminally exhausted CD8 T cells"),),
    reactions=(
        Reaction(
            "CD8_exhaustion",
            "k_exhaust * f_exhaustion * C_total / (C_total + CD8_T + one_cell) * CD8_eff_T",
            "Terminal exhaustion by chronic antigen",
            reactants={"CD8_eff_T": 1},
            products={"CD8_exh_T": 1},
        ),
        Reaction("CD8_exh_death", "k_exh_death * CD8_exh_T", "Death of exhausted cells", reactants={"CD8_exh_T": 1}),
    ),
    quantities=(
        Quantity(
            "exhausted_share_T",
            "CD8_exh_T / (CD8_T + one_cell)",
            "dimensionless",
            "Terminally exhausted share of CD8 T cells in the tumour",
            observable=True,
        ),
    ),
    contributions=(Contribution("CD8_T", "CD8_exh_T"),),
    modulations=(Modulation("pd1_expression", "exhaustion", "promotes", "r_PD1_exh * exhausted_share_T"),),
)
