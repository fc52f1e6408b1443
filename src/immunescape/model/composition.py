"""How the pathways that act on one process are combined.

By the free product of pathways, or with inhibitors as capacities in series: with A = 1 + X of each inhibiting pathway
and B its value in the reference patient, the factor is ``((1 + sum(B^p - 1)) / (1 + sum(A^p - 1)))^(1/p)``. With p = 1
resistances add up, as they do within a pathway; as p falls to 0 the factor becomes the product of ``B / A``, and as it
grows the strongest pathway alone decides. So relief of what does not limit does little, a pathway that is absent adds
nothing, and the factor is 1 in the reference patient for every p. Promoting pathways multiply.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from immunescape.model.draft import Draft
from immunescape.model.expressions import Apply, Expression, Name, Number, product, quotient, total
from immunescape.model.parameters import Parameter, load_parameters
from immunescape.model.specificity import Specificity, in_series
from immunescape.model.suppression import revise

__all__ = ["SERIES_EXPONENT", "Pathway", "add_series", "series_exponent", "together"]

SERIES_EXPONENT = "series_exponent"
_COMPOSITION = Path(__file__).parent / "composition.csv"
_NUMBERS = (1.0, 2.0)
"""Exponents that stand in the formulas as numbers and not as a parameter."""

Pathway = tuple[str, Expression, Expression]
"""Effect (``inhibits`` or ``promotes``) of a pathway on a process, and 1 + X in the reference patient and now."""


def series_exponent() -> Parameter:
    """Return the exponent of ``composition.csv``."""
    return load_parameters(_COMPOSITION, "")[SERIES_EXPONENT]


def add_series(draft: Draft, owner: str) -> None:
    """Add the exponent of capacities in series, and take the sizes that go with it, both of ``composition.csv``.

    An exponent of 1 or 2 is no parameter of the model: sums, or squares and a root, cost a third less time than powers.
    """
    exponent = series_exponent()
    if exponent.value not in _NUMBERS:
        draft.claim(SERIES_EXPONENT, "exponent", owner)
        draft.parameters[SERIES_EXPONENT] = replace(exponent, owner=owner)
    revise(draft, _COMPOSITION)


def together(pathways: Iterable[Pathway], specificity: Specificity, exponent: float | None = None) -> Expression:
    """Combine the pathways of a process to its factor, which is 1 where each is as in the reference patient.

    `exponent` is that of the table where None; any but 1 and 2 stands as the parameter `SERIES_EXPONENT`.
    """
    every = list(pathways)
    inhibiting = [(then, now) for effect, then, now in every if effect == "inhibits"]
    if not in_series(specificity) or len(inhibiting) < 2:
        return product([quotient(a, b) if e == "inhibits" else quotient(b, a) for e, a, b in every])
    then, now = ([pair[k] for pair in inhibiting] for k in (0, 1))
    chosen = series_exponent().value if exponent is None else exponent
    if chosen == 1.0:
        rest = Number(1.0 - len(inhibiting))
        factor = quotient(total([rest, *then]), total([rest, *now]))
    else:
        power = Number(chosen) if chosen in _NUMBERS else Name(SERIES_EXPONENT)

        inverse = Number(1.0 / chosen) if chosen in _NUMBERS else quotient(Number(1.0), power)

        def resistance(terms: Iterable[Expression]) -> Expression:
            parts = [Apply("-", (Apply("^", (term, power)), Number(1.0))) for term in terms]
            return total([Number(1.0), *parts])

        factor = Apply("^", (quotient(resistance(then), resistance(now)), inverse))
    return product([factor, *(quotient(b, a) for e, a, b in every if e != "inhibits")])
