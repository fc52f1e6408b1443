"""How the pathways that act on one process are put together.

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
from immunescape.model.parameters import load_parameters
from immunescape.model.specificity import Specificity, in_series
from immunescape.model.suppression import revise

__all__ = ["SERIES_EXPONENT", "Pathway", "add_series", "together"]

SERIES_EXPONENT = "series_exponent"
_COMPOSITION = Path(__file__).parent / "composition.csv"

Pathway = tuple[str, Expression, Expression]
"""Effect (``inhibits`` or ``promotes``) of a pathway on a process, and 1 + X in the reference patient and now."""


def add_series(draft: Draft, owner: str) -> None:
    """Add the exponent of capacities in series, and take the sizes that go with it, both of ``composition.csv``."""
    draft.claim(SERIES_EXPONENT, "exponent", owner)
    draft.parameters[SERIES_EXPONENT] = replace(load_parameters(_COMPOSITION, "")[SERIES_EXPONENT], owner=owner)
    revise(draft, _COMPOSITION)


def together(pathways: Iterable[Pathway], specificity: Specificity) -> Expression:
    """Put the pathways of a process together to its factor, which is 1 where each is as in the reference patient."""
    every = list(pathways)
    inhibiting = [(then, now) for effect, then, now in every if effect == "inhibits"]
    if not in_series(specificity) or len(inhibiting) < 2:
        return product([quotient(a, b) if e == "inhibits" else quotient(b, a) for e, a, b in every])
    exponent = Name(SERIES_EXPONENT)

    def resistance(terms: Iterable[Expression]) -> Expression:
        parts = [Apply("-", (Apply("^", (term, exponent)), Number(1.0))) for term in terms]
        return total([Number(1.0), *parts])

    ratio = quotient(resistance(a for a, _ in inhibiting), resistance(b for _, b in inhibiting))
    factor = Apply("^", (ratio, quotient(Number(1.0), exponent)))
    return product([factor, *(quotient(b, a) for e, a, b in every if e != "inhibits")])
