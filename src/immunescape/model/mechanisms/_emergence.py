"""Emergence of a clone during a simulation: drawn, from the patient's own numbers, and the same in every engine.

A clone that no cell belongs to appears as a Poisson process whose intensity is mutation rate x divisions per day x
probability of establishment ``max(0, 1 - death / birth)`` of a birth-death process. The state ``emergence_<clone>``
is the integral of the intensity; when it passes ``-ln(u_emergence_<clone>)``, an exponential waiting time made of the
patient's uniform number, the clone is there, with the ``1 / establishment`` cells that lineages which establish have on
average where the branching process leaves chance behind, and the integral starts anew. While the clone has many cells
the intensity fades, so that events are rare. Without cancer cells there is none.
"""

from __future__ import annotations

from immunescape.model.declarations import Event, Quantity, Reaction, State

__all__ = ["emergence"]


def emergence(clone: str, meaning: str) -> tuple[State, Reaction, tuple[Quantity, ...], Event]:
    """Return state, reaction, quantities and event by which `clone` (`meaning` in words) emerges.

    The mechanism's table holds ``mu_<clone>`` (per division) and ``u_emergence_<clone>`` (uniform, the patient's draw).
    """
    establishment = f"establishment_{clone}"
    return (
        State(
            f"emergence_{clone}",
            "dimensionless",
            "tumour",
            f"Expected number of {meaning} that have established since the last one did",
            atol=1e-6,
        ),
        Reaction(
            f"emergence_of_{clone}",
            f"clone_emergence * mu_{clone} * birth_rate * (C_total / one_cell) * {establishment}"
            f" / (1 + C_{clone} / clone_presence)",
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
                f"threshold_{clone}",
                f"-log(u_emergence_{clone})",
                "dimensionless",
                f"Exponential waiting time of {meaning}, in expected numbers",
            ),
        ),
        Event(
            f"emerged_{clone}",
            f"emergence_{clone} > threshold_{clone}",
            {f"C_{clone}": f"C_{clone} + one_cell / max(0.01, {establishment})", f"emergence_{clone}": "0"},
        ),
    )
