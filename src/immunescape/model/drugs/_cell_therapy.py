"""Infused T cells: they engraft after lymphodepletion, enter the tumour, kill cancer cells and become exhausted."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Drug, Quantity, Reaction, State

__all__ = ["cell_therapy"]


def cell_therapy(
    name: str, *, title: str, sees: str, summary: str, references: tuple[str, ...], synonyms: tuple[str, ...]
) -> Drug:
    """Write the declaration of a cell therapy.

    Parameters
    ----------
    name
        Lower-case name; its table holds ``k_loss``, ``k_expand``, ``engraft_50``, ``k_exhaust``, ``k_kill`` and
        ``active``, each followed by ``_<name>``.
    title, references, synonyms, summary
        As in `Drug`.
    sees
        Expression, by ``{clone}``, for the recognition of a clone by the cells relative to the reference.

    Cells divide in blood while homeostatic cytokines are available, that is, to the extent that naive lymphocytes are
    below their set point; without lymphodepletion, few engraft. In the tumour, exhausted cells are lost.
    """
    blood, tumour = f"{name}_C", f"{name}_T"
    rate = f"kill_rate_{name}"
    return Drug(
        name=name,
        title=title,
        summary=summary,
        references=references,
        parameters=f"{name}.csv",
        requires=("body", "tumour_growth", "naive_t", "cd8", "mhc1", "killing"),
        states=(
            State(blood, "cell", "central", f"{title}: cells in blood and other tissue"),
            State(tumour, "cell", "tumour", f"{title}: cells in the tumour"),
        ),
        reactions=_reactions(name, title, sees),
        quantities=_quantities(name),
        contributions=(
            Contribution("dying_T", f"{rate} * SUM({sees} * C_{{clone}})"),
            Contribution("dying_antigenic_T", f"{rate} * SUM(antigenicity_{{clone}} * {sees} * C_{{clone}})"),
            Contribution("CD8_T", tumour),
        ),
        drug_class="cell therapy",
        targets=("cancer cells",),
        dose_state=blood,
        molar_mass=1.0,
        dose_units=("cells", "cells/kg"),
        dose_amounts={"cells": 1.0},
        infusion_hours=0.5,
        synonyms=synonyms,
    )


def _reactions(name: str, title: str, sees: str) -> tuple[Reaction, ...]:
    """Division after lymphodepletion, entry into the tumour, exhaustion there, and killing of each clone."""
    blood, tumour = f"{name}_C", f"{name}_T"
    rate = f"kill_rate_{name}"
    return (
        Reaction(
            f"{name}_expansion",
            f"k_expand_{name} * engraftment_{name} * active_{name} * {blood}",
            "Division in the room that lymphodepletion makes",
            products={blood: 1},
        ),
        Reaction(f"{name}_loss", f"k_loss_{name} * {blood}", "Loss", {blood: 1}),
        Reaction(
            f"{name}_infiltration",
            f"q_CD8_T_in * cd8_infiltration * f_infiltration * V_T"
            f" * q_CD8_P_out / (q_CD8_P_in + q_CD8_P_out) * {blood}",
            "Entry into the tumour of those in blood (they distribute as other CD8 T cells do)",
            {blood: 1},
            {tumour: 1},
        ),
        Reaction(
            f"{name}_exhaustion",
            f"(k_loss_{name} + k_exhaust_{name} * C_total / (C_total + {tumour} + one_cell)) * {tumour}",
            "Loss and exhaustion in the tumour",
            {tumour: 1},
        ),
        Reaction(
            f"{name}_killing_{{clone}}",
            f"{rate} * {sees} * C_{{clone}}",
            f"Killing by {title}",
            {"C_{clone}": 1},
            {"C_dead_T": 1},
        ),
    )


def _quantities(name: str) -> tuple[Quantity, ...]:
    """Room for division, rate of killing, and the number of cells."""
    blood, tumour = f"{name}_C", f"{name}_T"
    room = f"rho_nCD8 * V_C / (rho_nCD8 * V_C + engraft_50_{name} * nCD8_C)"
    rate = f"kill_rate_{name}"
    return (
        Quantity(
            f"engraftment_{name}",
            room,
            "dimensionless",
            "Room for division: near 1 in emptied blood",
        ),
        Quantity(
            rate,
            f"k_kill_{name} * active_{name} * f_killing * {tumour} / ({tumour} + K_T_C * C_total + one_cell)",
            "1/day",
            "Rate at which a fully recognised cancer cell is killed",
        ),
        Quantity(f"cells_{name}", f"{blood} + {tumour}", "cell", "Infused cells and progeny", observable=True),
    )
