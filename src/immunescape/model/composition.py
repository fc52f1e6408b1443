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

Pathway = tuple[str, Expression, Expression]
"""Effect (``inhibits`` or ``promotes``) of a pathway on a process, and 1 + X in the reference patient and now."""


def series_exponent() -> Parameter:
    """Return the exponent of ``composition.csv``."""
    return load_parameters(_COMPOSITION, "")[SERIES_EXPONENT]


def add_series(draft: Draft, owner: str) -> None:
    """Add the exponent of capacities in series, and take the sizes that go with it, both of ``composition.csv``.

    An exponent of 1 is no parameter of the model: sums without powers cost a third less time.
    """
    exponent = series_exponent()
    if exponent.value != 1.0:
        draft.claim(SERIES_EXPONENT, "exponent", owner)
        draft.parameters[SERIES_EXPONENT] = replace(exponent, owner=owner)
    revise(draft, _COMPOSITION)


def together(pathways: Iterable[Pathway], specificity: Specificity, exponent: float | None = None) -> Expression:
    """Combine the pathways of a process to its factor, which is 1 where each is as in the reference patient.

    `exponent` is that of the table where None; any but 1 stands as the parameter `SERIES_EXPONENT`.
    """
    every = list(pathways)
    inhibiting = [(then, now) for effect, then, now in every if effect == "inhibits"]
    if not in_series(specificity) or len(inhibiting) < 2:
        return product([quotient(a, b) if e == "inhibits" else quotient(b, a) for e, a, b in every])
    then, now = ([pair[k] for pair in inhibiting] for k in (0, 1))
    if (series_exponent().value if exponent is None else exponent) == 1.0:
        rest = Number(1.0 - len(inhibiting))
        factor = quotient(total([rest, *then]), total([rest, *now]))
    else:
        power = Name(SERIES_EXPONENT)

        def resistance(terms: Iterable[Expression]) -> Expression:
            parts = [Apply("-", (Apply("^", (term, power)), Number(1.0))) for term in terms]
            return total([Number(1.0), *parts])

        factor = Apply("^", (quotient(resistance(then), resistance(now)), quotient(Number(1.0), power)))
    return product([factor, *(quotient(b, a) for e, a, b in every if e != "inhibits")])
