"""Terminal exhaustion of effectors under chronic antigen."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Mechanism, Modulation, Quantity, Reaction, State

MECHANISM = Mechanism(
    name="exhaustion",
    title="Exhaustion of CD8 T cells",
    summary=(
        "Effectors that meet antigen chronically become terminally exhausted: they neither kill nor return. What "
        "is left are the TCF1+ progenitors, whose output PD-1 restrains. The more of the infiltrate is exhausted, the "
        "more PD-1 its cells carry; where antigen is gone, PD-1 falls."
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
