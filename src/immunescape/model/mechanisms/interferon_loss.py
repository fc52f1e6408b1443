"""Loss of JAK1/2: a clone that does not respond to interferons."""

from __future__ import annotations

from immunescape.model.declarations import Clone, Mechanism, Quantity
from immunescape.model.mechanisms._emergence import emergence

_STATES, _REACTION, _QUANTITIES, _EVENT = emergence("jak_null", "cells without JAK1/2")

MECHANISM = Mechanism(
    name="interferon_loss",
    title="Loss of JAK1/2",
    summary=(
        "A clone that has lost JAK1 or JAK2 does not respond to interferons: neither MHC-I nor PD-L1 is induced "
        "(trait ifn_response = 0). Induction of MHC-I through NF-kappaB is retained. Interferons do not slow its "
        "growth either; growth inhibition by interferons is omitted for all clones."
    ),
    references=("shin2017", "zaretsky2016", "gao2016"),
    parameters="interferon_loss.csv",
    requires=("tumour_growth",),
    states=_STATES,
    reactions=(_REACTION,),
    quantities=(
        *_QUANTITIES,
        Quantity(
            "jak_null_share_T",
            "C_jak_null / (C_total + one_cell)",
            "dimensionless",
            "Share of cells without JAK1/2 among living cancer cells",
            observable=True,
        ),
    ),
    events=(_EVENT,),
    clones=(Clone("jak_null", "Cancer cells without JAK1/2", fraction="f_jak_null", traits={"ifn_response": "0"}),),
)
