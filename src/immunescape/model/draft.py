"""A model being assembled: names with their owners, and every declaration with its clones written out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field

from immunescape.errors import ModelError, unknown_word
from immunescape.model import registry
from immunescape.model.declarations import Clone, Event, Mechanism, Pool, Reaction, State, Trait
from immunescape.model.expansion import copies, explicit_names, write_out
from immunescape.model.expressions import RESERVED, Apply, Expression, Name, Number, names, parse, product, total
from immunescape.model.parameters import Parameter, load_parameters, table_path
from immunescape.model.records import ModelEvent, ModelQuantity, ModelReaction, ModelState
from immunescape.model.selection import closures, label
from immunescape.model.units import CELL, DIMENSIONLESS, MASS, SUBSTANCE, Dimension, parse_unit

__all__ = ["Draft", "Use", "switch_id"]

_ATOL = {CELL: 1e-3, SUBSTANCE: 1e-9, MASS: 1e-9, DIMENSIONLESS: 1e-9}


def switch_id(mechanism: str) -> str:
    """Return the name of the parameter (1 or 0) that switches a mechanism's effects on others."""
    return f"switch_{mechanism}"


@dataclass(frozen=True)
class Use:
    """One expression of a declaration: which names it uses, who wrote it, and where it stands."""

    owner: str
    where: str
    tree: Expression
    explicit: frozenset[str]


@dataclass
class Draft:
    """Gathers the declarations of all mechanisms; `immunescape.model.assembly` drives it."""

    chosen: Sequence[Mechanism]
    _: KW_ONLY
    clones: dict[str, tuple[Clone, str]] = field(default_factory=dict)
    traits: dict[str, tuple[Trait, str]] = field(default_factory=dict)
    pools: dict[str, tuple[Pool, str]] = field(default_factory=dict)
    processes: dict[str, tuple[str, str]] = field(default_factory=dict)
    compartments: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, Parameter] = field(default_factory=dict)
    states: dict[str, ModelState] = field(default_factory=dict)
    reactions: dict[str, ModelReaction] = field(default_factory=dict)
    quantities: dict[str, ModelQuantity] = field(default_factory=dict)
    events: dict[str, ModelEvent] = field(default_factory=dict)
    uses: list[Use] = field(default_factory=list)
    access: dict[str, set[str]] = field(default_factory=dict)
    """Name -> mechanisms of which one must be required by whoever uses it."""

    def __post_init__(self) -> None:
        self.closure = closures(self.chosen)
        self.by_name = {m.name: m for m in self.chosen}
        self._taken: dict[str, str] = {}
        self._tables: dict[str, str] = {}

    # -- names ----------------------------------------------------------------------------------------------------

    def claim(self, name: str, what: str, owner: str) -> None:
        """Reserve a name; refuse one that is reserved, taken or no identifier."""
        place = f"{what} of {label(self.by_name[owner])}"
        if not name.isidentifier() or not name.isascii() or name in RESERVED:
            raise ModelError(
                f"'{name}' is not a valid name ({place})", hint="Use letters, digits and _, but no reserved word."
            )
        if name in self._taken:
            raise ModelError(f"the name '{name}' is used twice: {self._taken[name]}, and {place}")
        self._taken[name] = place
        self.access[name] = {owner}

    def expression(self, text: str, owner: str, where: str, clone: str = "", *, condition: bool = False) -> Expression:
        """Write out clones, parse, and remember the use."""
        place = f"{label(self.by_name[owner])}, {where}"
        tree = parse(write_out(text, clone, list(self.clones), place), where=place, condition=condition)
        self.uses.append(Use(owner, place, tree, frozenset(explicit_names([text]))))
        return tree

    # -- first pass: what others may refer to ------------------------------------------------------------------------

    def announce(self, mechanism: Mechanism) -> None:
        """Take up parameters, clones, traits, pools, processes and compartments."""
        owner = mechanism.name
        self._table(mechanism)
        self.claim(switch_id(owner), "switch", owner)
        self.parameters[switch_id(owner)] = Parameter(
            switch_id(owner), 1.0, "dimensionless", owner=owner, note=f"1: {owner} acts on others; 0: as if absent"
        )
        for clone in mechanism.clones:
            if clone.name in self.clones:
                raise ModelError(f"clone '{clone.name}' is declared by '{self.clones[clone.name][1]}' and by '{owner}'")
            self.clones[clone.name] = (clone, owner)
        for trait in mechanism.traits:
            if trait.name in self.traits:
                raise ModelError(f"trait '{trait.name}' is declared by '{self.traits[trait.name][1]}' and by '{owner}'")
            self.traits[trait.name] = (trait, owner)
        for name, meaning in mechanism.processes.items():
            self.processes.setdefault(name, (meaning, owner))
            self.access.setdefault(f"f_{name}", set()).add(owner)
        for compartment, volume in mechanism.compartments.items():
            if compartment in self.compartments:
                raise ModelError(f"compartment '{compartment}' is defined twice", where=label(mechanism))
            self.claim(compartment, "compartment", owner)
            self.compartments[compartment] = volume
            self.uses.append(
                Use(owner, f"{label(mechanism)}, compartment '{compartment}'", Name(volume), frozenset({volume}))
            )

    def _table(self, mechanism: Mechanism) -> None:
        if not str(mechanism.parameters):
            return
        path = str(table_path(mechanism.parameters))
        if path in self._tables:  # one table may serve several mechanisms
            for p in load_parameters(mechanism.parameters, self._tables[path]):
                self.access[p].add(mechanism.name)
            return
        self._tables[path] = mechanism.name
        for name, parameter in load_parameters(mechanism.parameters, mechanism.name).items():
            self.claim(name, f"parameter ({parameter.origin})", mechanism.name)
            self.parameters[name] = parameter

    def announce_pools(self, mechanism: Mechanism) -> None:
        """Take up pools, once all clones are known; several mechanisms may declare the same pool."""
        for pool in mechanism.pools:
            for name, _ in copies(pool.name, list(self.clones)):
                if name in self.pools:
                    first, owner = self.pools[name]
                    if parse_unit(first.unit) != parse_unit(pool.unit):
                        raise ModelError(
                            f"pool '{name}' has the unit {first.unit} in '{owner}', {pool.unit} in '{mechanism.name}'"
                        )
                    self.access[name].add(mechanism.name)
                else:
                    self.claim(name, "pool", mechanism.name)
                    self.pools[name] = (pool, mechanism.name)

    # -- second pass: states, reactions, quantities, events ----------------------------------------------------------

    def add_states(self, mechanism: Mechanism) -> None:
        """Take up states, before any reaction."""
        for state in mechanism.states:
            for name, clone in copies(state.name, list(self.clones)):
                self._state(state, name, clone, mechanism)

    def _state(self, state: State, name: str, clone: str, mechanism: Mechanism) -> None:
        where = f"{label(mechanism)}, state '{name}'"
        self.claim(name, "state", mechanism.name)
        unit = parse_unit(state.unit, where)
        if unit.dimension not in _ATOL:
            raise ModelError(
                f"the unit '{state.unit}' is not that of an amount",
                where=where,
                hint="States are amounts: cell, nanomole, milligram or dimensionless; divide by the volume in rates.",
            )
        if state.compartment not in self.compartments:
            raise ModelError(
                f"no mechanism of this model defines the compartment '{state.compartment}'",
                where=where,
                hint=f"Defined: {', '.join(sorted(self.compartments)) or 'none'}.",
            )
        atol = _ATOL[unit.dimension] if state.atol is None else state.atol * unit.factor
        initial = self.expression(state.initial, mechanism.name, f"initial value of state '{name}'", clone)
        self.states[name] = ModelState(
            name=name,
            unit=state.unit,
            factor=unit.factor,
            dimension=unit.dimension,
            compartment=state.compartment,
            meaning=state.meaning,
            initial=initial,
            atol=atol,
            owner=mechanism.name,
            clone=clone,
        )

    def add_dynamics(self, mechanism: Mechanism) -> None:
        """Take up reactions, quantities and events."""
        for reaction in mechanism.reactions:
            for name, clone in copies(reaction.name, list(self.clones)):
                self._reaction(reaction, name, clone, mechanism)
        for quantity in mechanism.quantities:
            for name, clone in copies(quantity.name, list(self.clones)):
                self.claim(name, "quantity", mechanism.name)
                unit = parse_unit(quantity.unit, f"{label(mechanism)}, quantity '{name}'")
                self.quantities[name] = ModelQuantity(
                    name=name,
                    expression=self.expression(quantity.expression, mechanism.name, f"quantity '{name}'", clone),
                    unit=quantity.unit,
                    meaning=quantity.meaning,
                    owner=mechanism.name,
                    observable=quantity.observable,
                    factor=unit.factor,
                    dimension=unit.dimension,
                )
        for event in mechanism.events:
            for name, clone in copies(event.name, list(self.clones)):
                self._event(event, name, clone, mechanism)

    def _reaction(self, reaction: Reaction, name: str, clone: str, mechanism: Mechanism) -> None:
        where = f"reaction '{name}'"
        place = f"{label(mechanism)}, {where}"
        self.claim(name, "reaction", mechanism.name)
        sides: list[dict[str, float]] = []
        for side in (reaction.reactants, reaction.products):
            written: dict[str, float] = {}
            for key, stoichiometry in side.items():
                state = write_out(key, clone, list(self.clones), place)
                self._need_state(state, mechanism.name, place)
                if not stoichiometry > 0:
                    raise ModelError(f"the stoichiometry of '{state}' is {stoichiometry:g}, not above 0", where=place)
                written[state] = float(stoichiometry)
            sides.append(written)
        touched = [*sides[0], *sides[1]]
        if not touched:
            raise ModelError("neither reactants nor products", where=place)
        dimension = self.states[touched[0]].dimension
        for state in touched:
            if self.states[state].dimension != dimension:
                raise ModelError(f"'{touched[0]}' and '{state}' are not the same kind of amount", where=place)
        explicit = explicit_names([*reaction.reactants, *reaction.products])
        self.uses.append(Use(mechanism.name, place, total([Name(s) for s in touched]), frozenset(explicit)))
        rate = self.expression(reaction.rate, mechanism.name, f"rate of {where}", clone)
        if any(self.states[s].owner != mechanism.name for s in touched):
            rate = product([Name(switch_id(mechanism.name)), rate])
        self.reactions[name] = ModelReaction(
            name=name,
            rate=rate,
            meaning=reaction.meaning,
            reactants=sides[0],
            products=sides[1],
            dimension=dimension,
            owner=mechanism.name,
        )

    def _event(self, event: Event, name: str, clone: str, mechanism: Mechanism) -> None:
        where = f"event '{name}'"
        place = f"{label(mechanism)}, {where}"
        self.claim(name, "event", mechanism.name)
        trigger = self.expression(event.trigger, mechanism.name, f"trigger of {where}", clone, condition=True)
        assignments: dict[str, Expression] = {}
        for key, text in event.assignments.items():
            state = write_out(key, clone, list(self.clones), place)
            self._need_state(state, mechanism.name, place)
            self.uses.append(Use(mechanism.name, place, Name(state), frozenset(explicit_names([key]))))
            value = self.expression(text, mechanism.name, f"{where}, assignment to '{state}'", clone)
            if self.states[state].owner != mechanism.name:
                switch = Name(switch_id(mechanism.name))
                keep = product([Apply("-", (Number(1.0), switch)), Name(state)])
                zero = isinstance(value, Number) and value.value == 0
                value = keep if zero else total([product([switch, value]), keep])
            assignments[state] = value
        self.events[name] = ModelEvent(name, trigger, assignments, mechanism.name)

    def _need_state(self, name: str, owner: str, where: str) -> None:
        if name not in self.states:
            raise self.missing(name, owner, where, self.states, "state")

    # -- checks of names -----------------------------------------------------------------------------------------------

    def valid_names(self) -> set[str]:
        """Return every name that an expression may use."""
        return {*self.states, *self.parameters, *self.quantities}

    def missing(self, name: str, owner: str, where: str, valid: object, kind: str = "name") -> Exception:
        """Build the error for a name that is not there: owned by a mechanism that was left out, or misspelt."""
        absent = _owner_elsewhere(name, set(self.by_name))
        if absent:
            return ModelError(
                f"uses '{name}' of '{absent}', which is not in this model",
                where=where,
                hint=f"Add '{absent}' to requires of {label(self.by_name[owner])}.",
            )
        return unknown_word(kind, name, list(valid), where=where, error=ModelError)  # type: ignore[call-overload]

    def check_names(self) -> None:
        """Check that every name exists, and that whoever uses it requires its owner."""
        valid = self.valid_names()
        for use in self.uses:
            for name in names(use.tree):
                if name not in valid:
                    raise self.missing(name, use.owner, use.where, valid)
                self._check_access(name, use)

    def _check_access(self, name: str, use: Use) -> None:
        owners = self.access.get(name, set())
        within = self.closure[use.owner]
        if owners and not owners & within:
            raise ModelError(
                f"uses '{name}' of '{min(owners)}' without requiring it",
                where=use.where,
                hint=f"Add '{min(owners)}' to requires of {label(self.by_name[use.owner])}.",
            )
        clone = self.states[name].clone if name in self.states else ""
        if clone and name in use.explicit and self.clones[clone][1] not in within:
            raise ModelError(
                f"names '{name}', a clone of '{self.clones[clone][1]}', without requiring it",
                where=use.where,
                hint=f"Write {{clone}}, or add '{self.clones[clone][1]}' to requires.",
            )

    def dimension_of(self, name: str) -> Dimension:
        """Return the dimension of a state, parameter or quantity."""
        for table in (self.states, self.parameters, self.quantities):
            if name in table:
                return table[name].dimension
        raise ModelError(f"unknown name '{name}'")


def _owner_elsewhere(name: str, present: set[str]) -> str | None:
    """Return the registered mechanism, absent from this model, that declares a name."""
    for other in (*registry.mechanisms().values(), *registry.drugs().values()):
        if other.name in present:
            continue
        declared = {d.name for group in (other.states, other.quantities, other.pools) for d in group}
        declared |= {f"f_{p}" for p in other.processes} | {switch_id(other.name)}
        if name in declared:
            return other.name
        try:
            if str(other.parameters) and name in load_parameters(other.parameters, other.name):
                return other.name
        except ModelError:
            continue
    return None
