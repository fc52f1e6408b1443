"""Emergence of a clone during a simulation: drawn, from the patient's own numbers, and the same in every engine.

A clone that no cell belongs to appears as a Poisson process whose intensity is mutation rate x divisions per day x
probability of establishment ``max(0, 1 - death / birth)`` of a birth-death process. The state ``emergence_<clone>``
is the integral of the intensity; when it passes ``-ln(u_emergence_<clone>)``, an exponential waiting time made of the
patient's uniform number, the clone is there, with the ``1 / establishment`` cells that lineages which establish have on
average where the branching process leaves chance behind, and the integral starts anew. While the clone has many cells
the intensity fades, so that events are rare. Without cancer cells there is none.

Each event draws anew: the patient's number u is mapped by ``min(u / a, (1 - u) / (1 - a))``, the skew tent map, which
keeps the uniform distribution and is chaotic; folded four times, successive numbers show no correlation. What was
added to the first number is a state (``redraw_<clone>``, 0 until the clone has emerged once), so that the numbers of a
patient follow from the first, and are the same in every engine for the first ten or so events (rounding grows about
tenfold with each).
"""

from __future__ import annotations

from immunescape.model.declarations import Event, Quantity, Reaction, State

__all__ = ["emergence", "next_draw"]

_KINK = 0.4
_FOLDS = 4


def _folded(name: str) -> str:
    """Return `name` folded `_FOLDS` times by the skew tent map."""
    text = name
    for _ in range(_FOLDS):
        text = f"min(({text}) / {_KINK}, (1 - ({text})) / {1 - _KINK:g})"
    return text


def next_draw(u: float) -> float:
    """Return the uniform number that follows `u`, as the model's events make it."""
    for _ in range(_FOLDS):
        u = min(u / _KINK, (1 - u) / (1 - _KINK))
    return u


def emergence(clone: str, meaning: str) -> tuple[tuple[State, ...], Reaction, tuple[Quantity, ...], Event]:
    """Return states, reaction, quantities and event by which `clone` (`meaning` in words) emerges.

    The mechanism's table holds ``mu_<clone>`` (per division) and ``u_emergence_<clone>`` (uniform, the patient's draw).
    """
    establishment = f"establishment_{clone}"
    return (
        (
            State(
                f"emergence_{clone}",
                "dimensionless",
                "tumour",
                f"Expected number of {meaning} that have established since the last one did",
                atol=1e-6,
            ),
            State(
                f"redraw_{clone}",
                "dimensionless",
                "tumour",
                f"Uniform number that draws the next event of {meaning}, less the patient's first",
                atol=1e-9,
            ),
        ),
        Reaction(
            f"emergence_of_{clone}",
            f"clone_emergence * mu_{clone} * birth_rate * (C_total / one_cell / cell_multiple) * {establishment}"
            f" / (1 + C_{clone} / (clone_presence * cell_multiple))",
            f"Mutation to {meaning} and their establishment",
            products={f"emergence_{clone}": 1},
        ),
        (
            Quantity(
                establishment,
                f"max(0, 1 - death_rate_{clone} / birth_rate)",
                "dimensionless",
                f"Probability that one of {meaning} does not die out",
            ),
            Quantity(
                f"draw_{clone}",
                f"min(1, max(1e-9, u_emergence_{clone} + redraw_{clone}))",
                "dimensionless",
                f"Uniform number of the next event of {meaning}",
            ),
            Quantity(
                f"threshold_{clone}",
                f"-log(draw_{clone})",
                "dimensionless",
                f"Exponential waiting time of {meaning}, in expected numbers",
            ),
        ),
        Event(
            f"emerged_{clone}",
            f"emergence_{clone} > threshold_{clone}",
            {
                f"C_{clone}": f"C_{clone} + one_cell * cell_multiple / max(0.01, {establishment})",
                f"emergence_{clone}": "0",
                f"redraw_{clone}": f"{_folded(f'draw_{clone}')} - u_emergence_{clone}",
            },
        ),
    )
