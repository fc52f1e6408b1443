"""An SBML model as the parts of a mechanism: states, reactions, quantities, modulations and terms of pools."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from immunescape.errors import ModelError, nearest, unknown_word
from immunescape.model.declarations import Contribution, Modulation, Quantity, Reaction, State
from immunescape.model.expansion import CLONE
from immunescape.model.expressions import Apply, Expression, Name, Number, names, write
from immunescape.model.from_sbml.formulas import FormulaTranslator, Symbol
from immunescape.model.from_sbml.symbols import Symbols, sum_of_clones
from immunescape.model.from_sbml.units import (
    Equation,
    Form,
    Vector,
    declared_unit,
    solve,
    table_unit,
    unit_form,
    words,
)
from immunescape.model.units import CELL, DIMENSIONLESS, MASS, SUBSTANCE, Unit, dimension_text, parse_unit

__all__ = ["Parts", "Translation"]

_AMOUNTS = (CELL, SUBSTANCE, MASS, DIMENSIONLESS)
_HINT = "SBML does not convert units: give parameters units that fit, or the factor as a parameter with a unit."


@dataclass(kw_only=True)
class Parts:
    """What a file adds: declarations, the rows of the parameter table, the names here that it uses, and remarks."""

    states: list[State] = field(default_factory=list)
    reactions: list[Reaction] = field(default_factory=list)
    quantities: list[Quantity] = field(default_factory=list)
    modulations: list[Modulation] = field(default_factory=list)
    contributions: list[Contribution] = field(default_factory=list)
    compartments: dict[str, str] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    uses: dict[str, None] = field(default_factory=dict)
    changed: dict[str, None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _State:
    name: str
    identifier: str
    form: Form
    compartment: str
    initial: Expression


@dataclass(frozen=True)
class _Quantity:
    name: str
    identifier: str
    form: Form
    tree: Expression
    observable: bool


class Translation:
    """Translates one model; formulas are read first, then units are settled, then records are made."""

    def __init__(self, symbols: Symbols, mechanism: str) -> None:
        self.s, self.mechanism = symbols, mechanism
        self.time = symbols.model_unit("time")
        self.formulas = FormulaTranslator(
            model=symbols.model,
            path=str(symbols.path),
            symbol=self._symbol,
            time=self.time,
            constant=self._constant,
            fixed=self._fixed,
        )
        self.parts = Parts()
        self._states: list[_State] = []
        self._quantities: list[_Quantity] = []
        self._fluxes: dict[str, Symbol] = {}
        self._extent = symbols.model_unit("extent")
        self._constants: dict[tuple[float, str], str] = {}

    def run(self) -> Parts:
        """Return the parts.

        Raises
        ------
        ModelError
            For what a mechanism cannot hold, units that do not match or are not known.
        """
        self._read_values()
        self._read_rules()
        self._read_starts()
        for identifier, reaction in self.s.reactions.items():
            self._read_reaction(identifier, reaction)
        self._read_acts()
        solved = self._settle()
        self._write(solved)
        return self.parts

    # -- meanings -------------------------------------------------------------------------------------------------

    def _symbol(self, identifier: str) -> Symbol:
        if identifier in self.s.reactions:
            return self._flux(identifier)
        return self.s.meaning(identifier)

    def _constant(self, value: float, unit: Unit) -> str:
        key = (value, unit.text)
        if key not in self._constants:
            self._constants[key] = f"{self.mechanism}_number_{len(self._constants) + 1}"
        name = self._constants[key]
        self.s.add_value(name, value, unit_form(unit), name, note="a number with a unit in a formula")
        return name

    def _fixed(self, identifier: str) -> float | None:
        item = self.s.parameters.get(identifier)
        if item is None or identifier in {*self.s.coupled, *self.s.assigned, *self.s.rated, *self.s.initial}:
            return None
        return float(item.getValue()) if item.isSetValue() else None

    def _equal(self, first: Form | None, second: Form, left: str, right: str, where: str) -> None:
        if first is not None:
            self.formulas.equations.append(Equation(first, second, left, right, where))

    def _at(self, item: Any, what: str) -> str:
        return f"{self.s.path}, line {item.getLine()}, {what}"

    # -- constants, rules, start values -----------------------------------------------------------------------------

    def _read_values(self) -> None:
        s = self.s
        for identifier, item in s.parameters.items():
            if identifier in s.coupled or identifier in s.assigned or identifier in s.rated:
                continue
            form = s.meaning(identifier).form
            if identifier in s.initial:
                self._read_derived(identifier, form)
            else:
                value = float(item.getValue()) if item.isSetValue() else math.nan
                self._finite(value, identifier)
                s.add_value(s.name(identifier), value, form, identifier)
        for identifier, item in s.compartments.items():
            if identifier in s.coupled:
                s.size_form(identifier)
                continue
            name = s.name(identifier)
            self.parts.compartments[name] = f"{name}_volume"
            if identifier in s.rated or identifier in s.initial:
                raise ModelError(
                    "the size of a new compartment follows a rate rule or an initial assignment",
                    where=s.place(identifier),
                    hint="Give a number or an assignment rule, or couple it to a compartment here.",
                )
            if identifier not in s.assigned:
                size = float(item.getSize()) if item.isSetSize() else math.nan
                self._finite(size, identifier, "size")
                s.add_value(f"{name}_volume", size, s.size_form(identifier), identifier, note="volume")

    def _finite(self, value: float, identifier: str, what: str = "value") -> None:
        if not math.isfinite(value):
            raise ModelError(f"no {what}", where=self.s.place(identifier), hint="Give it a number in the file.")

    def _read_derived(self, identifier: str, form: Form) -> None:
        """A constant that an initial assignment computes from constants: it has that value at all times."""
        item = self.s.initial[identifier]
        what = f"initial assignment of '{identifier}'"
        tree, unit = self.formulas.convert(item, what)
        self._equal(unit, form, f"the {what}", f"'{identifier}'", self._at(item, what))
        constants = {self.s.name(n) for n in self.s.parameters if n not in {*self.s.assigned, *self.s.rated}}
        constants |= {f"{self.s.name(c)}_volume" for c in self.s.compartments if self.s.fixed_volume(c)}
        constants |= {*self.s.ours.model.parameters, *self._constants.values()}
        moving = [n for n in names(tree) if n not in constants]
        if moving or self.formulas.uses_time:
            raise ModelError(
                f"uses '{moving[0] if moving else 'time'}', which changes with time: its value at the start is not "
                "kept here",
                where=self._at(item, what),
                hint="Use an assignment rule, or a number.",
            )
        self._quantities.append(_Quantity(self.s.name(identifier), identifier, form, tree, False))

    def _read_rules(self) -> None:
        s = self.s
        for identifier, rule in s.assigned.items():
            if identifier not in {*s.species, *s.parameters, *s.compartments}:
                self._refuse_reference(identifier, rule)
            what = f"assignment rule of '{identifier}'"
            tree, unit = self.formulas.convert(rule, what)
            form = s.meaning(identifier).form
            self._equal(unit, form, f"the {what}", f"'{identifier}'", self._at(rule, what))
            name = s.name(identifier)
            if identifier in s.compartments:
                name = f"{name}_volume"
            self._quantities.append(_Quantity(name, identifier, form, tree, True))
        for identifier, rule in s.rated.items():
            if identifier not in {*s.species, *s.parameters}:
                self._refuse_reference(identifier, rule)
            what = f"rate rule of '{identifier}'"
            tree, unit = self.formulas.convert(rule, what)
            form = s.meaning(identifier).form
            self._equal(
                unit, form.times(self.time, -1.0), f"the {what}", f"'{identifier}' per time", self._at(rule, what)
            )
            if identifier in s.species and s.concentration(identifier):
                compartment = s.species[identifier].getCompartment()
                if not s.fixed_volume(compartment):
                    raise ModelError(
                        f"the rate of a concentration in '{compartment}', whose volume changes",
                        where=self._at(rule, what),
                        hint="Write it as reactions, or set hasOnlySubstanceUnits and give the rate of the amount.",
                    )
                tree = Apply("*", (tree, s.volume(compartment)))
            name = s.name(identifier)
            self._add_reaction(
                Reaction(f"rate_of_{name}", self._text(tree), f"Rate rule of {name}", products={name: 1})
            )

    def _refuse_reference(self, identifier: str, rule: Any) -> None:
        raise ModelError(
            f"the rule of '{identifier}' changes a stoichiometry or the size of a compartment",
            where=self._at(rule, "rule"),
            hint="A mechanism has constant stoichiometries; put the factor into the rate.",
        )

    def _read_starts(self) -> None:
        s = self.s
        integrated = [n for n in (*s.species, *(p for p in s.parameters if p in s.rated)) if n not in s.coupled]
        for identifier in integrated:
            if identifier in s.assigned:
                continue
            name = s.name(identifier)
            if identifier in s.parameters:
                form, compartment, volume = s.meaning(identifier).form, self._home(), None
            else:
                item = s.species[identifier]
                form = s.substance_form(identifier)
                compartment = s.coupled.get(item.getCompartment()) or s.name(item.getCompartment())
                volume = item.getCompartment()
            self._states.append(_State(name, identifier, form, compartment, self._start(identifier, form, volume)))

    def _home(self) -> str:
        """Compartment of a state that has none: the first of the file that is coupled, else the tumour."""
        return next(iter(self.s.coupled[c] for c in self.s.compartments if c in self.s.coupled), "tumour")

    def _start(self, identifier: str, form: Form, compartment: str | None) -> Expression:
        s = self.s
        name = s.name(identifier)
        if identifier in s.initial:
            what = f"initial assignment of '{identifier}'"
            tree, unit = self.formulas.convert(s.initial[identifier], what)
            meant = s.meaning(identifier).form
            self._equal(unit, meant, f"the {what}", f"'{identifier}'", self._at(s.initial[identifier], what))
            if compartment is not None and s.concentration(identifier):
                tree = Apply("*", (tree, s.volume(compartment)))
            return tree
        if compartment is None:
            value = float(s.parameters[identifier].getValue()) if s.parameters[identifier].isSetValue() else math.nan
            per_volume = False
        else:
            item = s.species[identifier]
            per_volume = item.isSetInitialConcentration()
            value = (
                float(item.getInitialConcentration())
                if per_volume
                else (float(item.getInitialAmount()) if item.isSetInitialAmount() else math.nan)
            )
        self._finite(value, identifier, "initial value")
        if value == 0.0:
            return Number(0.0)
        if per_volume and compartment is not None:
            unit = form.times(s.size_form(compartment), -1.0)
            start = s.add_value(f"{name}_initial", value, unit, identifier, note="concentration at the start")
            return Apply("*", (start, s.volume(compartment)))
        return s.add_value(f"{name}_initial", value, form, identifier, note="amount at the start")

    # -- reactions --------------------------------------------------------------------------------------------------

    def _flux(self, identifier: str) -> Symbol:
        """Rate of a reaction, in units of extent per time; circles have been refused before."""
        if identifier not in self._fluxes:
            reaction = self.s.reactions[identifier]
            law = reaction.getKineticLaw()
            if law is None or not law.isSetMath():
                raise ModelError(
                    "a reaction without a rate", where=self.s.place(identifier), hint="Give a kinetic law."
                )
            what = f"kinetic law of reaction '{identifier}'"
            tree, unit = self.formulas.convert(law, what, self._local(identifier, law))
            form = self._extent.times(self.time, -1.0)
            self._equal(unit, form, f"the {what}", "extent per time", self._at(law, what))
            self._fluxes[identifier] = Symbol(tree, form)
        return self._fluxes[identifier]

    def _local(self, reaction: str, law: Any) -> dict[str, Symbol]:
        """Local parameters of a reaction: constants named after both."""
        symbols = {}
        for item in law.getListOfLocalParameters():
            identifier = f"{reaction}.{item.getId()}"
            name = f"{reaction}_{item.getId()}"
            value = float(item.getValue()) if item.isSetValue() else math.nan
            self._finite(value, identifier)
            form = self.s._unit_of(identifier, item.getUnits())
            symbols[item.getId()] = Symbol(self.s.add_value(name, value, form, identifier), form)
        return symbols

    def _read_reaction(self, identifier: str, reaction: Any) -> None:
        flux = self._flux(identifier).tree
        groups: dict[str, tuple[dict[str, float], dict[str, float]]] = {}
        for side, references in enumerate((reaction.getListOfReactants(), reaction.getListOfProducts())):
            for reference in references:
                name, factor, amount = self._reference(identifier, reference)
                if name:
                    sides = groups.setdefault(factor, ({}, {}))
                    sides[side][name] = sides[side].get(name, 0.0) + amount
        cloned = sorted({n for sides in groups.values() for side in sides for n in side if CLONE in n})
        if cloned:
            flux = self._of_clone(flux, cloned[0], identifier)
        meaning = reaction.getName() or f"Reaction {identifier} of the SBML file"
        for number, (factor, (reactants, products)) in enumerate(groups.items()):
            tree = Apply("*", (flux, self.s.meaning(factor).tree)) if factor else flux
            name = (
                self.s.coupling.renamed.get(identifier, identifier)
                + (f"_{number + 1}" if number else "")
                + (f"_{CLONE}" if cloned else "")
            )
            self._add_reaction(Reaction(name, self._text(tree), meaning, reactants, products))
        if not groups:
            self.parts.notes.append(f"reaction '{identifier}' changes nothing here: its species are fixed or assigned")

    def _reference(self, identifier: str, reference: Any) -> tuple[str, str, float]:
        """Name here, conversion factor and stoichiometry of a species in a reaction; no name: it is not changed."""
        s, species = self.s, reference.getSpecies()
        item, place = s.species[species], self._at(reference, f"reaction '{identifier}'")
        if reference.getId() in {*s.assigned, *s.rated, *s.initial} and reference.getId():
            self._refuse_reference(reference.getId(), reference)
        fixed = item.getBoundaryCondition() or item.getConstant()
        if fixed or species in s.assigned or species in s.rated:
            return "", "", 0.0
        target = s.coupled.get(species, "")
        if target and s.ours.kind(target) not in ("state", "clones"):
            raise ModelError(
                f"changes '{species}', but '{target}' here is a {s.ours.kind(target)}, which reactions cannot change",
                where=place,
                hint=f"Couple '{species}' to a state (`immunescape show {target}` names what it is "
                "computed from), or set "
                "boundaryCondition in the file.",
            )
        amount = float(reference.getStoichiometry()) if reference.isSetStoichiometry() else math.nan
        if not (math.isfinite(amount) and amount > 0):
            raise ModelError(f"the stoichiometry of '{species}' is {amount:g}", where=place, hint="A number above 0.")
        factor = item.getConversionFactor() or s.model.getConversionFactor()
        extent = self._extent.times(s.meaning(factor).form) if factor else self._extent
        self._equal(s.substance_form(species), extent, f"'{species}'", "the extent of the reaction", place)
        if target:
            self.parts.changed[target] = None
        return s.name(species), factor, amount

    def _of_clone(self, tree: Expression, name: str, identifier: str) -> Expression:
        """The share of one clone in a flow that is proportional to all its cells."""
        total = sum_of_clones(name)
        replaced = _replace_factor(tree, total, Name(name))
        if replaced is None:
            raise ModelError(
                f"changes all clones of '{name}', but its rate is not a product with their cells",
                where=self.s.place(identifier),
                hint="Write the rate as (something) * (the species), so that each clone has its share.",
            )
        return replaced

    def _add_reaction(self, reaction: Reaction) -> None:
        self.parts.reactions.append(reaction)
        for name in (*reaction.reactants, *reaction.products):
            if self.s.ours.kind(name):
                self.parts.uses[name] = None

    # -- what values do -----------------------------------------------------------------------------------------------

    def _read_acts(self) -> None:
        ours = self.s.ours
        for identifier, acts in self.s.coupling.acts.items():
            where = f"{self.s.coupling.where}, '{identifier}'"
            symbol = self._symbol(identifier)
            for act in acts:
                if act.kind == "adds":
                    if act.target not in ours.pools():
                        raise unknown_word("pool", act.target, ours.pools(), where=where, error=ModelError)
                    unit = ours.unit(act.target)
                    if symbol.form.unknown:
                        self._equal(symbol.form, unit_form(unit), f"'{identifier}'", f"pool '{act.target}'", where)
                    else:
                        self.s._same(identifier, act.target, symbol.form, unit)
                    self.parts.uses[act.target] = None
                    self.parts.contributions.append(Contribution(act.target, self._text(symbol.tree)))
                    continue
                if act.target not in ours.processes():
                    raise unknown_word("process", act.target, ours.processes(), where=where, error=ModelError)
                self._equal(symbol.form, Form(), f"'{identifier}'", "the strength of a modulation", where)
                self.parts.uses[f"f_{act.target}"] = None
                pathway = act.pathway or self.mechanism
                strength = self._text(symbol.tree)
                effect = "inhibits" if act.kind == "inhibits" else "promotes"
                self.parts.modulations.append(Modulation(act.target, pathway, effect, strength))  # type: ignore[arg-type]

    def _text(self, tree: Expression) -> str:
        for name in names(tree):
            if name not in self.s.new:
                self.parts.uses[name] = None
        return write(tree)

    # -- units and records --------------------------------------------------------------------------------------------

    def _settle(self) -> dict[str, Vector]:
        s = self.s
        solved = solve(self.formulas.equations, set(s.unstated), _HINT)
        forms = (
            [v.form for v in s.values.values()] + [x.form for x in self._states] + [x.form for x in self._quantities]
        )
        lacking = sorted({n for form in forms for n in form.unknown if n not in solved})
        if lacking:
            raise self._no_units(lacking)
        return solved

    def _no_units(self, lacking: list[str]) -> ModelError:
        """The error for units that neither the file nor its formulas give; those of the whole file come first."""
        model, stated = self.s.model, self.s.coupling.units
        whole = [
            kind
            for kind in ("time", "substance", "volume")
            if kind not in stated and not getattr(model, f"get{kind.capitalize()}Units")()
        ]
        single = [n for n in lacking if not n.startswith("model ")]
        parts = [f"the file's {', '.join(whole)}"] if whole else []
        parts += [", ".join(f"'{n}'" for n in single)] if single else []
        first = ", ".join(f"'{n}: …'" for n in (whole or single))
        rest = "; those of single ids then mostly follow from the formulas" if whole else ""
        return ModelError(
            f"no unit is stated, and none follows from the formulas, for {' and '.join(parts)}",
            where=str(self.s.path),
            hint=f"State them in the file, or below 'units:' in the coupling: {first}{rest}.",
        )

    def _write(self, solved: Mapping[str, Vector]) -> None:
        s, parts = self.s, self.parts
        for item in self._states:
            text, factor = self._unit(item.form, item.identifier, solved)
            dimension = tuple(round(float(e), 9) + 0.0 for e in item.form.substituted(solved).vector[:-1])
            if dimension not in _AMOUNTS:
                raise ModelError(
                    f"'{item.identifier}' is integrated, but its unit is not that of an amount: "
                    f"{dimension_text(dimension)}",
                    where=s.place(item.identifier),
                    hint="States are amounts (cells, substance, mass) or plain numbers: make it a species.",
                )
            meaning = self._called(item.identifier, f"{item.name}, state of the SBML file")
            parts.states.append(State(item.name, text, item.compartment, meaning, self._text(item.initial)))  # type: ignore[arg-type]
        for quantity in self._quantities:
            text, factor = self._unit(quantity.form, quantity.identifier, solved)
            meaning = self._called(quantity.identifier, f"{quantity.name}, computed in the SBML file")
            parts.quantities.append(
                Quantity(quantity.name, self._text(quantity.tree), text, meaning, observable=quantity.observable)
            )
        used = self._used_names()
        for value in s.values.values():
            if value.identifier in self.formulas.exponents:
                if value.name in used:
                    raise ModelError(
                        f"'{value.name}' is the exponent of a quantity with a unit, and is also used elsewhere",
                        where=s.place(value.identifier),
                        hint="Divide by a reference of the same unit first: (x / K)^n.",
                    )
                parts.notes.append(
                    f"'{value.name}' is an exponent of what has a unit: fixed at {value.value:g}, no parameter; "
                    "(x / K)^n would keep it"
                )
                continue
            text, factor = self._unit(value.form, value.identifier, solved)
            note = self._called(value.identifier, value.name) + (f"; {value.note}" if value.note else "")
            row = {"name": value.name, "value": value.value * factor, "unit": text, "note": note}
            parts.rows.append({**row, "identifier": value.identifier})
        self._remarks(solved)

    def _used_names(self) -> set[str]:
        p = self.parts
        texts = [x.rate for x in p.reactions] + [x.initial for x in p.states] + [x.expression for x in p.quantities]
        texts += [x.strength for x in p.modulations] + [x.expression for x in p.contributions]
        from immunescape.model.expansion import explicit_names

        return explicit_names(texts)

    def _unit(self, form: Form, identifier: str, solved: Mapping[str, Vector]) -> tuple[str, float]:
        """The unit as tables write it, and the factor into it: the file's own words where it has them."""
        stated = self._stated_words(identifier, form)
        return (stated, 1.0) if stated else table_unit(form.substituted(solved).vector)

    def _stated_words(self, identifier: str, form: Form) -> str:
        """Unit of an id in the words of the file or the coupling, if that is the whole of its unit."""
        s = self.s
        item = s.parameters.get(identifier) or s.species.get(identifier)
        stated = ""
        if item is not None:
            whole = s.model.getSubstanceUnits()
            stated = item.getUnits() if identifier in s.parameters else item.getSubstanceUnits() or whole
        candidates = [s.coupling.units.get(identifier, ""), "" if stated else s.coupling.units.get("substance", "")]
        if stated:
            candidates.append(declared_unit(s.model, stated, s.place(identifier)).text)
        for text in candidates:
            if text and not form.unknown and bool(abs(unit_form(parse_unit(text)).vector - form.vector).max() < 1e-12):
                return text
        return ""

    def _called(self, identifier: str, default: str) -> str:
        for table in (self.s.species, self.s.parameters, self.s.compartments):
            if identifier in table and table[identifier].getName():
                return " ".join(str(table[identifier].getName()).split())
        return default

    def _remarks(self, solved: Mapping[str, Vector]) -> None:
        s, notes = self.s, self.parts.notes
        if s.coupled:
            notes.insert(0, "coupled: " + ", ".join(f"{a} is {b}" if a != b else a for a, b in s.coupled.items()))
        if unused := s.unused():
            notes.insert(
                1, f"sizes and values of the file that are ignored in favour of those of the model: {', '.join(unused)}"
            )
        inferred = {n: words(v) for n, v in solved.items() if n in s.unstated}
        if inferred:
            text = ", ".join(f"{n.removeprefix('model ')} in {u}" for n, u in sorted(inferred.items()))
            notes.append(f"units not stated in the file, inferred from its formulas: {text}")
        if s.taken_over:
            text = ", ".join(f"{n} in {u}" for n, u in sorted(s.taken_over.items()))
            notes.append(f"units not stated in the file, taken from the coupled names: {text}")
        for item in self._states:
            close = [
                n for n in nearest(item.identifier, s.ours.model.states) if item.identifier.casefold() in n.casefold()
            ]
            if close:
                notes.append(f"'{item.identifier}' is new and not coupled; the model has '{close[0]}'")
        if self.formulas.uses_time:
            notes.append("formulas use the time: days since the first cancer cells, then since the start of treatment")
        if self.parts.changed:
            notes.append(
                f"reactions change {', '.join(self.parts.changed)}: the untreated reference patient is another with "
                "them (modulations alone leave it where it is)"
            )


def _replace_factor(tree: Expression, old: Name, new: Name) -> Expression | None:
    """The product with one factor replaced; None where the expression is no product with it."""
    if tree == old:
        return new
    if isinstance(tree, Apply) and tree.op in ("*", "/"):
        left, right = tree.args
        if (replaced := _replace_factor(left, old, new)) is not None:
            return Apply(tree.op, (replaced, right))
        if tree.op == "*" and (replaced := _replace_factor(right, old, new)) is not None:
            return Apply("*", (left, replaced))
    return None
