"""Naive T cells in blood and the draining nodes, and the depletion of lymphocytes."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Pool, Reaction, State


def _lineage(cell: str) -> tuple[tuple[State, ...], tuple[Reaction, ...]]:
    blood, node = f"n{cell}_C", f"n{cell}_LN"
    states = (
        State(blood, "cell", "central", f"Naive {cell} T cells in blood", f"rho_n{cell} * V_C", atol=1.0),
        State(
            node,
            "cell",
            "lymph_node",
            f"Naive {cell} T cells in the tumour-draining lymph nodes",
            f"rho_n{cell} * V_C * q_n{cell}_LN_in / q_n{cell}_LN_out",
            atol=1.0,
        ),
    )
    reactions = (
        Reaction(
            f"n{cell}_recovery",
            f"k_nT_recovery * (rho_n{cell} * V_C - {blood})",
            f"Return of naive {cell} T cells in blood to their set point, from thymus, tissue and division",
            products={blood: 1},
        ),
        Reaction(
            f"n{cell}_to_node",
            f"q_n{cell}_LN_in * {blood}",
            f"Naive {cell} T cells enter the node",
            reactants={blood: 1},
            products={node: 1},
        ),
        Reaction(
            f"n{cell}_from_node",
            f"q_n{cell}_LN_out * {node}",
            f"Naive {cell} T cells leave the node",
            reactants={node: 1},
            products={blood: 1},
        ),
        Reaction(
            f"n{cell}_lymphodepletion",
            f"lymphodepletion * {blood}",
            f"Naive {cell} T cells in blood lost to chemotherapy",
            reactants={blood: 1},
        ),
    )
    return states, reactions


_CD8, _CD4 = _lineage("CD8"), _lineage("CD4")

MECHANISM = Mechanism(
    name="naive_t",
    title="Naive T cells",
    summary=(
        "Naive CD8 and CD4 T cells circulate between blood and the draining lymph nodes around a set point. Thymic "
        "output, homeostatic proliferation and the reserve in other tissue are lumped into one rate of return."
    ),
    references=("autissier2010", "mandl2012", "braber2012", "robins2009"),
    parameters="naive_t.csv",
    requires=("body",),
    states=(*_CD8[0], *_CD4[0]),
    reactions=(*_CD8[1], *_CD4[1]),
    pools=(
        Pool("lymphodepletion", "1/day", "Rate at which therapy removes naive, circulating and dividing T cells"),
        Pool("cd4_division", "1/day", "Rate at which cytokines that are given let CD4 T cells outside the node divide"),
    ),
)
