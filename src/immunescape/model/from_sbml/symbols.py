"""What each id of an SBML file stands for, and the names that the file adds to the model here."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from immunescape.errors import ModelError, nearest, unknown_word
from immunescape.model.expansion import CLONE
from immunescape.model.expressions import Apply, Expression, Name
from immunescape.model.from_sbml.coupling import Coupling
from immunescape.model.from_sbml.formulas import Symbol
from immunescape.model.from_sbml.ours import Ours
from immunescape.model.from_sbml.units import Form, declared_unit, unit_form
from immunescape.model.units import VOLUME, Unit, dimension_text, parse_unit

__all__ = ["MODEL_UNITS", "Symbols", "Value", "sum_of_clones"]

MODEL_UNITS = ("time", "substance", "extent", "volume", "area", "length")
"""Units that hold for a whole file; a coupling may state them where the file does not."""


@dataclass(frozen=True)
class Value:
    """A constant of the file that becomes a row of the parameter table."""

    name: str
    value: float
    form: Form
    identifier: str
    note: str
    line: int = 0


@dataclass(kw_only=True)
class Symbols:
    """Ids of one file: which are coupled, which are new.

    Attributes
    ----------
    model, path, coupling, ours : the libsbml model, its file, how it is coupled, and the names here.
    values : new name -> constant. new : new name -> id it comes from.
    coupled : id -> name here. unstated : units that the file does not state and formulas have to determine.
    taken_over : ids whose unit is that of the name here, as the file states none.
    """

    model: Any
    path: Path
    coupling: Coupling
    ours: Ours
    values: dict[str, Value] = field(default_factory=dict)
    new: dict[str, str] = field(default_factory=dict)
    coupled: dict[str, str] = field(default_factory=dict)
    unstated: set[str] = field(default_factory=set)
    taken_over: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        m = self.model
        self.compartments = {c.getId(): c for c in m.getListOfCompartments()}
        self.species = {s.getId(): s for s in m.getListOfSpecies()}
        self.parameters = {p.getId(): p for p in m.getListOfParameters()}
        self.reactions = {r.getId(): r for r in m.getListOfReactions()}
        self.assigned = {r.getVariable(): r for r in m.getListOfRules() if r.isAssignment()}
        self.rated = {r.getVariable(): r for r in m.getListOfRules() if r.isRate()}
        self.initial = {a.getSymbol(): a for a in m.getListOfInitialAssignments()}
        for identifier in (*self.compartments, *self.species, *self.parameters):
            self._resolve(identifier)
        for identifier in self.reactions:
            self._new_name(identifier, self.coupling.renamed.get(identifier, identifier), self.reactions[identifier])

    # -- names ----------------------------------------------------------------------------------------------------

    def place(self, identifier: str) -> str:
        """Return file, line and element of an id, for messages."""
        for kind in ("compartment", "species", "parameter", "reaction"):
            table = getattr(self, {"species": "species"}.get(kind, f"{kind}s"))
            if identifier in table:
                return f"{self.path}, line {table[identifier].getLine()}, {kind} '{identifier}'"
        return f"{self.path}, '{identifier}'"

    def _resolve(self, identifier: str) -> None:
        """Decide whether an id is coupled or new."""
        explicit = self.coupling.names.get(identifier)
        where = f"{self.coupling.where}, '{identifier}'" if explicit else self.place(identifier)
        if identifier in self.compartments:
            target = explicit or (identifier if identifier in self.ours.model.compartments else "")
            if explicit and explicit not in self.ours.model.compartments:
                raise unknown_word("compartment", explicit, self.ours.model.compartments, where=where, error=ModelError)
        else:
            matches = identifier not in self.coupling.renamed and self.ours.kind(identifier)
            target = explicit or (identifier if matches else "")
            if explicit and not self.ours.kind(explicit):
                raise unknown_word("name of the model", explicit, self.ours.couplable(), where=where, error=ModelError)
        if not target:
            self._new_name(identifier, self.coupling.renamed.get(identifier, identifier), None)
            return
        self._check_coupled(identifier, target, where, explicit=bool(explicit))
        self.coupled[identifier] = target

    def _check_coupled(self, identifier: str, target: str, where: str, *, explicit: bool) -> None:
        rule = self.assigned.get(identifier) or self.rated.get(identifier)
        if rule is not None:
            raise ModelError(
                f"line {rule.getLine()}: a rule of the file determines '{identifier}', but '{target}' is determined by "
                f"{', '.join(sorted(self.ours.owners(target)))} here",
                where=where,
                hint=f"Rename it ('{identifier}: own NEW_NAME' below 'couple:'), and couple its intended effect: "
                "'inhibits PROCESS', 'promotes PROCESS' or 'adds to POOL'.",
            )
        kind = self.ours.kind(target)
        if kind == "clones" and identifier not in self.species:
            raise ModelError(f"'{target}' is a number of cells, but '{identifier}' is not a species", where=where)
        if kind == "parameter" and identifier in self.species and not explicit:
            raise ModelError(
                f"'{identifier}' is a species in the file and a parameter here",
                where=where,
                hint=f"Write '{identifier}: own NEW_NAME' below 'couple:'.",
            )
        item = self.parameters.get(identifier)
        if kind == "parameter" and item is not None and item.isSetValue() and not explicit:
            self._check_value(identifier, item, target, where)

    def _check_value(self, identifier: str, item: Any, target: str, where: str) -> None:
        """Refuse a number of the file that differs from the parameter here of the same name."""
        ours = self.ours.model.parameters[target]
        unit = self._stated(identifier, item.getUnits(), where)
        unit = unit or Unit(ours.unit, ours.factor, ours.dimension)
        same = unit.dimension == ours.dimension and math.isclose(item.getValue() * unit.factor, ours.base, rel_tol=1e-9)
        if not same:
            raise ModelError(
                f"'{identifier}' is {item.getValue():g} {unit.text} in the file, {ours.value:g} {ours.unit} here",
                where=where,
                hint=f"A mechanism cannot replace a parameter. Below 'couple:' write '{identifier}: "
                f"{target}' to use the "
                f"value here, or '{identifier}: own NEW_NAME' to keep the file's; --set {target}={item.getValue():g} "
                "changes it in a patient.",
            )

    def _new_name(self, identifier: str, name: str, reaction: Any) -> None:
        owner = self.ours.taken(name)
        if not owner and name in self.new:
            owner = f"'{self.new[name]}' of this file"
        if owner or not name[:1].isalpha():
            close = nearest(identifier, self.ours.couplable())
            meant = f" Did you mean '{identifier}: {close[0]}'?" if close and reaction is None else ""
            what = f"the name '{name}' is taken: {owner}" if owner else f"'{name}' does not begin with a letter"
            hint = f"Write '{identifier}: own NEW_NAME' below 'couple:'.{meant}"
            raise ModelError(what, where=self.place(identifier), hint=hint)
        self.new[name] = identifier

    def name(self, identifier: str) -> str:
        """Return the name here of an id."""
        return self.coupled.get(identifier) or self.coupling.renamed.get(identifier, identifier)

    def unused(self) -> list[str]:
        """Return numbers of the file that do not count, as those of the model do: sizes and start values, in words."""
        numbers = [
            f"{c.getSize():g} of {i}"
            for i, c in self.compartments.items()
            if i in self.coupled and c.isSetSize() and i not in self.assigned
        ]
        for identifier, item in self.species.items():
            if identifier in self.coupled and (item.isSetInitialAmount() or item.isSetInitialConcentration()):
                amount = item.getInitialAmount() if item.isSetInitialAmount() else item.getInitialConcentration()
                numbers.append(f"{amount:g} of {identifier}")
        for identifier, item in self.parameters.items():
            target = self.coupled.get(identifier, "")
            if target and item.isSetValue() and (self.ours.kind(target) != "parameter" or target != identifier):
                numbers.append(f"{item.getValue():g} of {identifier}")
        return numbers

    def add_value(self, name: str, value: float, form: Form, identifier: str, *, note: str = "") -> Name:
        """Add a constant to the parameter table, and return its name as an expression."""
        if name not in self.values:
            if self.new.get(name) != identifier:
                self._free(name, identifier)
            self.values[name] = Value(name, value, form, identifier, note)
        return Name(name)

    def _free(self, name: str, identifier: str) -> None:
        if self.ours.taken(name) or name in self.new:
            raise ModelError(
                f"'{name}', which this file needs for '{identifier}', is already in use", where=self.place(identifier)
            )
        self.new[name] = identifier

    # -- units ----------------------------------------------------------------------------------------------------

    def _stated(self, identifier: str, in_file: str, where: str) -> Unit | None:
        """The unit that the file or the coupling states."""
        beside = self.coupling.units.get(identifier)
        if in_file:
            if beside is not None:
                raise ModelError(
                    f"the file states the unit of '{identifier}' ('{in_file}')",
                    where=f"{self.coupling.where}, units",
                    hint="Remove it there, or correct the file.",
                )
            return declared_unit(self.model, in_file, where)
        return None if beside is None else parse_unit(beside, f"{self.coupling.where}, units, '{identifier}'")

    def model_unit(self, kind: str) -> Form:
        """Return the unit of time, substance, extent, volume, area or length of the file."""
        in_file = getattr(self.model, f"get{kind.capitalize()}Units")()
        unit = self._stated(kind, in_file, str(self.path))
        if unit is not None:
            return unit_form(unit)
        self.unstated.add(f"model {kind}")
        return Form.of(f"model {kind}")

    def _unit_of(self, identifier: str, in_file: str, whole: str = "") -> Form:
        """Unit of an id: its own, that of the whole file, or one that formulas have to determine."""
        unit = self._stated(identifier, in_file, self.place(identifier))
        if unit is not None:
            return unit_form(unit)
        if whole and (getattr(self.model, f"get{whole.capitalize()}Units")() or whole in self.coupling.units):
            return self.model_unit(whole)
        self.unstated.add(identifier)
        return Form.of(identifier)

    def size_form(self, compartment: str) -> Form:
        """Return the unit of a compartment's size."""
        item = self.compartments[compartment]
        dimensions = item.getSpatialDimensionsAsDouble() if item.isSetSpatialDimensions() else 3.0
        if dimensions != 3.0:
            raise ModelError(
                f"a compartment of {dimensions:g} dimensions",
                where=self.place(compartment),
                hint="Compartments here are volumes; use a volume, or parameters.",
            )
        form = self._unit_of(compartment, item.getUnits(), "volume")
        if compartment in self.coupled and form.unknown:
            unit = self.ours.unit(self.ours.model.compartments[self.coupled[compartment]])
            return self._ours(compartment, unit)
        if not form.unknown and _dimension(form) != VOLUME:
            raise ModelError("the size is not in a unit of volume", where=self.place(compartment))
        return form

    def _ours(self, identifier: str, unit: Unit) -> Form:
        self.unstated.discard(identifier)
        self.taken_over[identifier] = unit.text
        return unit_form(unit)

    def substance_form(self, species: str) -> Form:
        """Return the unit of a species as an amount."""
        form = self._unit_of(species, self.species[species].getSubstanceUnits(), "substance")
        target = self.coupled.get(species, "")
        if not target or self.ours.kind(target) not in ("state", "clones"):
            return form
        unit = self.ours.unit(target)
        stated = self.species[species].getSubstanceUnits() or self.model.getSubstanceUnits()
        if form.unknown or not (stated or species in self.coupling.units or _dimension(form) == unit.dimension):
            return self._ours(species, unit)  # what the coupling says of the whole file is for its new species
        self._same(species, target, form, unit)
        return form

    def _same(self, identifier: str, target: str, form: Form, unit: Unit) -> None:
        dimension = _dimension(form)
        if dimension != unit.dimension:
            raise ModelError(
                f"'{identifier}' is in {dimension_text(dimension)} in the file, '{target}' here in "
                f"{dimension_text(unit.dimension)}",
                where=self.place(identifier),
                hint="Correct the unit in the file, or couple it to a name of that unit.",
            )

    # -- meanings -------------------------------------------------------------------------------------------------

    def concentration(self, species: str) -> bool:
        """Whether the id of a species stands for its concentration."""
        return not self.species[species].getHasOnlySubstanceUnits()

    def volume(self, compartment: str) -> Expression:
        """Return the volume of a compartment here."""
        if compartment in self.coupled:
            return Name(self.ours.model.compartments[self.coupled[compartment]])
        return Name(f"{self.name(compartment)}_volume")

    def fixed_volume(self, compartment: str) -> bool:
        """Whether a compartment keeps its volume."""
        if compartment in self.coupled:
            return self.ours.model.compartments[self.coupled[compartment]] in self.ours.model.parameters
        return compartment not in self.assigned and compartment not in self.rated

    def meaning(self, identifier: str) -> Symbol:
        """Return what an id stands for in formulas.

        Raises
        ------
        ModelError
            For an id that cannot be used in formulas of a mechanism.
        """
        if identifier in self.compartments:
            return Symbol(self.volume(identifier), self.size_form(identifier))
        if identifier in self.parameters:
            return self._parameter(identifier)
        if identifier in self.species:
            return self._species(identifier)
        raise ModelError(
            f"'{identifier}' in a formula is neither a species, a parameter nor a compartment",
            where=self.place(identifier),
            hint="Write its formula out.",
        )

    def _parameter(self, identifier: str) -> Symbol:
        form = self._unit_of(identifier, self.parameters[identifier].getUnits())
        target = self.coupled.get(identifier)
        if target is None:
            return Symbol(Name(self.name(identifier)), form)
        unit = self.ours.unit(target)
        if form.unknown:
            form = self._ours(identifier, unit)
        self._same(identifier, target, form, unit)
        return Symbol(Name(target), form)

    def _species(self, identifier: str) -> Symbol:
        compartment = self.species[identifier].getCompartment()
        target = self.coupled.get(identifier)
        kind = self.ours.kind(target) if target else ""
        form = self.substance_form(identifier)
        if kind in ("quantity", "parameter"):
            assert target is not None
            unit = self.ours.unit(target)
            if form.unknown:
                form = self._ours(identifier, unit)
            elif self.concentration(identifier):
                form = form.times(self.size_form(compartment), -1.0)
            if not form.unknown:
                self._same(identifier, target, form, unit)
            return Symbol(Name(target), form)
        tree: Expression = Name(self.name(identifier))
        if kind == "clones":
            tree = sum_of_clones(self.name(identifier))
        if not self.concentration(identifier):
            return Symbol(tree, form)
        form = form.times(self.size_form(compartment), -1.0)
        if identifier in self.assigned:
            return Symbol(tree, form)
        if target:
            self._same_compartment(identifier, target, compartment)
        return Symbol(Apply("/", (tree, self.volume(compartment))), form)

    def _same_compartment(self, identifier: str, target: str, compartment: str) -> None:
        here, there = self.ours.compartment(target), self.coupled.get(compartment)
        if here != there:
            raise ModelError(
                f"'{identifier}' is a concentration in '{compartment}', but '{target}' here is in '{here}'",
                where=self.place(identifier),
                hint=f"Couple the compartment ('{compartment}: {here}'), or set hasOnlySubstanceUnits in the file.",
            )


def _dimension(form: Form) -> tuple[float, ...]:
    return tuple(round(float(e), 9) + 0.0 for e in form.vector[:-1])


def sum_of_clones(name: str) -> Name:
    """Return the sum over clones of a name with ``{clone}``, as expressions of mechanisms write it."""
    return Name(f"SUM({name})") if CLONE in name else Name(name)
