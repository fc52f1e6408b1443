"""Killing by inhibitors of the driver, and a clone resistant to them."""

from __future__ import annotations

from immunescape.model.declarations import Clone, Contribution, Mechanism, Pool, Quantity, Reaction, Trait
from immunescape.model.mechanisms._emergence import emergence

_STATES, _REACTION, _QUANTITIES, _EVENT = emergence("target_resistant", "cells resistant to the targeted drug")

MECHANISM = Mechanism(
    name="targeted_therapy",
    title="Targeted therapy of the driver",
    summary=(
        "Inhibitors of KRAS G12C and of mutant EGFR kill cancer cells of tumours with that driver. A resistant clone "
        "(secondary mutation, bypass) pre-exists in some tumours and emerges in others; it is also less sensitive to "
        "chemotherapy."
    ),
    references=("awad2021", "leonetti2019", "zhao2021"),
    parameters="targeted_therapy.csv",
    requires=("tumour_growth",),
    states=_STATES,
    reactions=(
        _REACTION,
        Reaction(
            "targeted_death_{clone}",
            "targeted_kill * target_sensitivity_{clone} * C_{clone}",
            "Death by drugs against the driver",
            reactants={"C_{clone}": 1},
            products={"C_dead_T": 1},
        ),
    ),
    quantities=(
        *_QUANTITIES,
        Quantity(
            "target_resistant_share_T",
            "C_target_resistant / (C_total + one_cell)",
            "dimensionless",
            "Share of cells resistant to the targeted drug among living cancer cells",
            observable=True,
        ),
    ),
    pools=(Pool("targeted_kill", "1/day", "Rate at which drugs against the driver kill sensitive cancer cells"),),
    traits=(Trait("target_sensitivity", "1", "Sensitivity to drugs against the driver"),),
    contributions=(
        Contribution("death_rate_{clone}", "targeted_kill * target_sensitivity_{clone}"),
        Contribution("dying_T", "targeted_kill * SUM(target_sensitivity_{clone} * C_{clone})"),
        Contribution(
            "dying_antigenic_T", "targeted_kill * SUM(antigenicity_{clone} * target_sensitivity_{clone} * C_{clone})"
        ),
    ),
    events=(_EVENT,),
    clones=(
        Clone(
            "target_resistant",
            "Cancer cells resistant to the targeted drug",
            fraction="f_target_resistant",
            traits={"target_sensitivity": "0", "chemo_sensitivity": "chemo_target_resistant"},
        ),
    ),
)
