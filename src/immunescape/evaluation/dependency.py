"""How many reactions or modulations lie between what is changed and what is looked at.

The graph has a node for every parameter, state and quantity. What a quantity is computed from is no step away from it;
a step is a reaction (from whatever its rate depends on to the states that it moves) or a modulation (from its strength
to the factor of the process). The doses of a drug act on any of its own states, so its pharmacokinetics count nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from immunescape.model.expressions import names

if TYPE_CHECKING:
    from immunescape.model.assembly import Model

__all__ = ["Dependencies"]


class Dependencies:
    """The dependency graph of a model.

    Parameters
    ----------
    model
        The assembled model.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self._free: dict[str, set[str]] = {}
        self._step: dict[str, set[str]] = {}
        for name, quantity in model.quantities.items():
            edges = self._step if quantity.kind == "factor" else self._free
            for source in names(quantity.expression):
                edges.setdefault(source, set()).add(name)
        for reaction in model.reactions.values():
            for source in names(reaction.rate):
                self._step.setdefault(source, set()).update((*reaction.reactants, *reaction.products))
        for event in model.events.values():
            for source in names(event.trigger):
                self._step.setdefault(source, set()).update(event.assignments)

    def steps(self, sources: Iterable[str], target: str) -> int | None:
        """Return the smallest number of steps from any source to the target; None where there is no way."""
        best: dict[str, int] = {}
        queue: deque[tuple[str, int]] = deque((s, 0) for s in sources)
        while queue:
            node, distance = queue.popleft()
            if best.get(node, 1_000_000) <= distance:
                continue
            best[node] = distance
            for following in self._free.get(node, ()):
                queue.appendleft((following, distance))
            for following in self._step.get(node, ()):
                queue.append((following, distance + 1))
        return best.get(target)

    def drug_states(self, drug: str) -> list[str]:
        """Return the states that a drug brings."""
        return [n for n, s in self.model.states.items() if s.owner == drug]
