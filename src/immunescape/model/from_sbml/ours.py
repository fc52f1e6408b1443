"""The names of the model here that an SBML file can share: what they are, their units and who declares them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from immunescape.model import registry
from immunescape.model.expansion import CLONE
from immunescape.model.expressions import RESERVED
from immunescape.model.stored import registered_model
from immunescape.model.units import Unit

if TYPE_CHECKING:
    from immunescape.model.assembly import Model

__all__ = ["Ours", "our_names"]


@dataclass(frozen=True)
class Ours:
    """The model of every registered mechanism without drugs, looked at by name."""

    model: Model

    def kind(self, name: str) -> str:
        """Return ``state``, ``quantity``, ``parameter``, ``clones`` (for ``C_{clone}``), or '' for no such name."""
        if CLONE in name:
            return "clones" if self.of_clones(name) else ""
        model = self.model
        for kind, table in (("state", model.states), ("quantity", model.quantities), ("parameter", model.parameters)):
            if name in table:
                return kind
        return ""

    def of_clones(self, name: str) -> list[str]:
        """Return the states that ``C_{clone}`` stands for."""
        written = [name.replace(CLONE, clone.name) for clone in self.model.clones]
        return written if written and all(state in self.model.states for state in written) else []

    def unit(self, name: str) -> Unit:
        """Return the declared unit of a name."""
        first = self.of_clones(name)[0] if CLONE in name else name
        for table in (self.model.states, self.model.quantities, self.model.parameters):
            if first in table:
                record = table[first]  # type: ignore[index]
                return Unit(record.unit, record.factor, record.dimension)
        raise KeyError(name)

    def owners(self, name: str) -> set[str]:
        """Return the mechanisms that have to be required by whoever uses a name."""
        if CLONE in name:
            pattern = name.removeprefix("SUM(").removesuffix(")")
            return {m.name for m in registry.mechanisms().values() if any(s.name == pattern for s in m.states)}
        for table in (self.model.states, self.model.quantities, self.model.parameters):
            if name in table:
                return {table[name].owner}  # type: ignore[index]
        return {m.name for m in registry.mechanisms().values() if name in m.compartments}

    def compartment(self, state: str) -> str:
        """Return the compartment of a state."""
        return self.model.states[self.of_clones(state)[0] if CLONE in state else state].compartment

    def processes(self) -> set[str]:
        """Return the processes that are open to modulation."""
        return {p for m in registry.mechanisms().values() for p in m.processes}

    def pools(self) -> set[str]:
        """Return the pools that terms may be added to."""
        return {name for name, quantity in self.model.quantities.items() if quantity.kind == "pool"}

    def couplable(self) -> list[str]:
        """Return every name that an id may be coupled to, compartments aside."""
        m = self.model
        shown = [q.name for q in m.quantities.values() if q.kind in ("quantity", "pool")]
        return [*m.states, *shown, *(p.name for p in m.parameters.values() if p.grade != "defined")]

    def taken(self, name: str) -> str:
        """Return what already has a name, in words; '' where it is free."""
        model = self.model
        for table, what in (
            (model.states, "state"),
            (model.quantities, "quantity"),
            (model.parameters, "parameter"),
            (model.reactions, "reaction"),
            (model.events, "event"),
        ):
            if name in table:
                return f"a {what} of '{table[name].owner}'"  # type: ignore[index]
        if name in model.compartments:
            return "a compartment"
        if name in RESERVED:
            return "a word of expressions"
        return "a mechanism" if name in registry.mechanisms() else "a drug" if name in registry.drugs() else ""


@lru_cache(maxsize=1)
def our_names() -> Ours:
    """Return the names of the registered mechanisms."""
    return Ours(registered_model(()))
