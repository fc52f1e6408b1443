"""The kinetics shared by helper and regulatory T cells: priming, division, egress, circulation, tumour."""

from __future__ import annotations

from immunescape.model.declarations import Reaction, State

__all__ = ["cd4_reactions", "cd4_states"]


def cd4_states(cell: str, meaning: str) -> tuple[State, ...]:
    """Return the five states of a CD4 lineage `cell` (``Th``, ``Treg``); `meaning` is its name in words."""
    return (
        State(f"a{cell}_LN", "cell", "lymph_node", f"Primed, dividing {meaning}"),
        State(f"{cell}_LN", "cell", "lymph_node", f"{meaning} before egress"),
        State(f"{cell}_C", "cell", "central", f"{meaning} in blood"),
        State(f"{cell}_P", "cell", "peripheral", f"{meaning} in other tissue"),
        State(f"{cell}_T", "cell", "tumour", f"{meaning} in the tumour"),
    )


def cd4_reactions(cell: str, meaning: str, *, clones: str, activation: str, entry: str) -> tuple[Reaction, ...]:
    """Return the reactions of a CD4 lineage.

    Parameters
    ----------
    cell, meaning
        As in `cd4_states`.
    clones
        Parameter: number of antigens, so of T cell clones.
    activation
        Rate (1/day) at which a specific naive cell in the node is primed.
    entry
        Factor on entry into the tumour.
    """
    return (
        *_in_node(cell, meaning, clones, activation),
        *_circulation(cell, entry),
        *_cytokine_division(cell),
        *_lymphodepletion(cell),
    )


def _in_node(c: str, meaning: str, clones: str, activation: str) -> tuple[Reaction, ...]:
    """Priming of naive cells by their antigens, a burst of divisions, death."""
    return (
        Reaction(
            f"{c}_priming",
            f"nCD4_LN * {clones} / nCD4_div * q_nCD4_LN_out * {activation} / (q_nCD4_LN_out + {activation})",
            f"Priming of {meaning}",
            products={f"a{c}_LN": 1},
        ),
        Reaction(f"{c}_division_out", f"k_CD4_pro * a{c}_LN", "End of division", reactants={f"a{c}_LN": 1}),
        Reaction(
            f"{c}_division_in",
            f"k_CD4_pro * a{c}_LN * exp(0.6931471805599453 * N_div_{c})",
            "Progeny of a primed cell",
            products={f"{c}_LN": 1},
        ),
        Reaction(f"{c}_LN_death", f"k_{c}_death * {c}_LN", "Death in the node", reactants={f"{c}_LN": 1}),
    )


def _circulation(c: str, entry: str) -> tuple[Reaction, ...]:
    """Egress to blood, exchange with tissue, entry into the tumour, and death in each."""
    return (
        Reaction(
            f"{c}_egress",
            f"q_CD4_LN_out * {c}_LN",
            "Egress to blood",
            reactants={f"{c}_LN": 1},
            products={f"{c}_C": 1},
        ),
        Reaction(f"{c}_C_death", f"k_{c}_death * {c}_C", "Death in blood", reactants={f"{c}_C": 1}),
        Reaction(f"{c}_P_death", f"k_{c}_death * {c}_P", "Death in tissue", reactants={f"{c}_P": 1}),
        Reaction(
            f"{c}_to_tissue",
            f"q_CD4_P_in * {c}_C",
            "Entry into other tissue",
            reactants={f"{c}_C": 1},
            products={f"{c}_P": 1},
        ),
        Reaction(
            f"{c}_from_tissue",
            f"q_CD4_P_out * {c}_P",
            "Return from other tissue",
            reactants={f"{c}_P": 1},
            products={f"{c}_C": 1},
        ),
        Reaction(
            f"{c}_infiltration",
            f"q_CD4_T_in * {entry} * V_T * {c}_C",
            "Entry into the tumour",
            reactants={f"{c}_C": 1},
            products={f"{c}_T": 1},
        ),
        Reaction(f"{c}_T_death", f"k_{c}_death * {c}_T", "Death in the tumour", reactants={f"{c}_T": 1}),
    )


def _cytokine_division(c: str) -> tuple[Reaction, ...]:
    """Division that cytokines given as drugs drive, wherever the cells are."""
    return tuple(
        Reaction(
            f"{state}_cytokine_division",
            f"cd4_division * {state}",
            f"Division under cytokines that are given: {place}",
            products={state: 1},
        )
        for state, place in ((f"{c}_C", "in blood"), (f"{c}_P", "in other tissue"), (f"{c}_T", "in the tumour"))
    )


def _lymphodepletion(c: str) -> tuple[Reaction, ...]:
    """Cells that divide or circulate are lost to chemotherapy."""
    return (
        Reaction(
            f"a{c}_lymphodepletion",
            f"lymphodepletion * a{c}_LN",
            "Dividing cells lost to chemotherapy",
            reactants={f"a{c}_LN": 1},
        ),
        Reaction(
            f"{c}_lymphodepletion",
            f"lymphodepletion * {c}_C",
            "Circulating cells lost to chemotherapy",
            reactants={f"{c}_C": 1},
        ),
    )
