"""How many reactions or modulations lie between what is changed and what is looked at, and whose they are.

The graph has a node for every parameter, state and quantity. What a quantity is computed from is no step away from it;
a step is a reaction (from whatever its rate depends on to the states that it moves) or a modulation (from its strength
to the factor of the process). The doses of a drug act on any of its own states, so its pharmacokinetics count nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from immunescape.model.expressions import names

if TYPE_CHECKING:
    from immunescape.model.assembly import Model

__all__ = ["Dependencies"]

Edges = dict[str, set[str]]


class Dependencies:
    """The dependency graph of a model.

    Parameters
    ----------
    model
        The assembled model.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self._free: Edges = {}
        self._step: Edges = {}
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
        self._free_back = _turned(self._free)
        self._step_back = _turned(self._step)

    def steps(self, sources: Iterable[str], target: str) -> int | None:
        """Return the smallest number of steps from any source to the target; None where there is no way."""
        return _distances(sources, self._free, self._step).get(target)

    def owners_by_detour(self, sources: Iterable[str], target: str) -> dict[str, int]:
        """How far off the shortest way each mechanism or drug lies.

        Parameters
        ----------
        sources, target
            As in `steps`.

        Returns
        -------
        Owner -> steps of the shortest way through any of its nodes, less those of the shortest way at all: 0 for one
        on a shortest way. Owners through which no way leads are absent.
        """
        onward = _distances(sources, self._free, self._step)
        back = _distances([target], self._free_back, self._step_back)
        if target not in onward:
            return {}
        detours: dict[str, int] = {}
        for node, distance in onward.items():
            owner = self.owner(node)
            if owner and node in back:
                detour = distance + back[node] - onward[target]
                detours[owner] = min(detour, detours.get(owner, detour))
        return detours

    def owner(self, node: str) -> str:
        """Return the mechanism or drug that brings a state, quantity or parameter; empty where nobody does."""
        for table in (self.model.quantities, self.model.states, self.model.parameters):
            if node in table:
                return str(table[node].owner)
        return ""

    def drug_states(self, drug: str) -> list[str]:
        """Return the states that a drug brings."""
        return [n for n, s in self.model.states.items() if s.owner == drug]


def _turned(edges: Mapping[str, Iterable[str]]) -> Edges:
    turned: Edges = {}
    for source, targets in edges.items():
        for target in targets:
            turned.setdefault(target, set()).add(source)
    return turned


def _distances(sources: Iterable[str], free: Edges, step: Edges) -> dict[str, int]:
    """Steps from any source to each node that can be reached: a breadth-first search with edges of length 0 and 1."""
    best: dict[str, int] = {}
    queue: deque[tuple[str, int]] = deque((s, 0) for s in sources)
    while queue:
        node, distance = queue.popleft()
        if best.get(node, 1_000_000) <= distance:
            continue
        best[node] = distance
        for following in free.get(node, ()):
            queue.appendleft((following, distance))
        for following in step.get(node, ()):
            queue.append((following, distance + 1))
    return best
