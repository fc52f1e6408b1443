"""Killing of cancer cells by effector CD8 T cells."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Mechanism, Quantity, Reaction

MECHANISM = Mechanism(
    name="killing",
    title="Killing of cancer cells by CD8 T cells",
    summary=(
        "Effectors kill each clone in proportion to its recognition, with saturation in the ratio of effectors to "
        "cancer cells. k_kill is the rate in the untreated reference tumour, including its immunosuppression."
    ),
    references=("robertsontessi2012",),
    parameters="killing.csv",
    requires=("cd8", "mhc1", "tumour_growth"),
    processes={"killing": "killing by effector CD8 T cells"},
    reactions=(
        Reaction(
            "killing_{clone}",
            "kill_rate * recognition_{clone} * C_{clone}",
            "Killing by effector CD8 T cells",
            reactants={"C_{clone}": 1},
            products={"C_dead_T": 1},
        ),
    ),
    quantities=(
        Quantity(
            "kill_rate",
            "k_kill * f_killing * CD8_eff_T / (CD8_eff_T + K_T_C * C_total + one_cell)",
            "1/day",
            "Rate at which a fully recognised cancer cell is killed",
            observable=True,
        ),
    ),
    contributions=(
        Contribution("death_rate_{clone}", "kill_rate * recognition_{clone}"),
        Contribution("dying_T", "kill_rate * SUM(recognition_{clone} * C_{clone})"),
        Contribution(
            "dying_antigenic_T",
            "kill_rate * SUM(antigenicity_{clone} * recognition_{clone} * C_{clone})",
        ),
    ),
)
