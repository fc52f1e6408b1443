"""What the parts of an SBML model mean: which values are constant, integrated, assigned or determined by equations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from immunescape.engine.ir.calculus import free_symbols, substitute, total_derivative
from immunescape.engine.ir.expressions import ONE, TIME, ZERO, Expr, num, sym
from immunescape.engine.ir.system import Assignment, Delay, Event, Species, State, System
from immunescape.engine.sbml.algebra import equilibria, inline, solve_algebraic, sort_assignments
from immunescape.engine.sbml.formulas import Formulas
from immunescape.engine.sbml.start_values import StartValues
from immunescape.errors import EngineError

__all__ = ["ModelReader"]


@dataclass
class _Reference:
    """One species in one reaction: how much of it, and with which sign."""

    species: str
    amount: Expr
    sign: float


class ModelReader:
    """Translates one flat libsbml model.

    Parameters
    ----------
    model
        The libsbml model.
    where
        Name of the document, for messages.
    """

    def __init__(self, model: Any, where: str) -> None:
        self.model, self.where = model, where
        self.formulas = Formulas(model, self._rate_symbol)
        self.compartments = {c.getId(): c for c in model.getListOfCompartments()}
        self.species = {s.getId(): s for s in model.getListOfSpecies()}
        self.parameters = {p.getId(): p for p in model.getListOfParameters()}
        self.reactions = {r.getId(): r for r in model.getListOfReactions()}
        self.references = {
            ref.getId(): ref
            for reaction in self.reactions.values()
            for ref in (*reaction.getListOfReactants(), *reaction.getListOfProducts())
            if ref.getId()
        }
        rules = [r for r in model.getListOfRules() if r.isSetMath()]
        self.assigned = {r.getVariable(): r for r in rules if r.isAssignment()}
        self.rated = {r.getVariable(): r for r in rules if r.isRate()}
        self.algebraic_rules = [r for r in rules if r.isAlgebraic()]
        self.initial_rules = {r.getSymbol(): r for r in model.getListOfInitialAssignments() if r.isSetMath()}
        self.events = [e for e in model.getListOfEvents() if e.isSetTrigger() and e.getTrigger().isSetMath()]
        self.event_targets = {
            a.getVariable() for e in self.events for a in e.getListOfEventAssignments() if a.isSetMath()
        }
        self.reacting = {
            ref.getSpecies()
            for reaction in self.reactions.values()
            for ref in (*reaction.getListOfReactants(), *reaction.getListOfProducts())
        }
        if model.getLevel() == 2:
            formulas = {n: ref for n, ref in self.references.items() if ref.isSetStoichiometryMath()}
            self.assigned |= {n: ref.getStoichiometryMath() for n, ref in formulas.items()}
        self._refuse_doubles()
        self.local: dict[str, float] = {}
        self.rates_of: dict[str, None] = {}
        self.names = {name: self._meaning(name) for name in self._all_names()}

    # ---- names ----------------------------------------------------------------------------------------------------

    def _refuse_doubles(self) -> None:
        """Refuse identifiers and rules that occur twice, of which the last would win without a word."""
        model = self.model
        parts = [
            *model.getListOfCompartments(),
            *model.getListOfSpecies(),
            *model.getListOfParameters(),
            *model.getListOfReactions(),
            *model.getListOfFunctionDefinitions(),
            *model.getListOfEvents(),
            *(ref for r in self.reactions.values() for ref in (*r.getListOfReactants(), *r.getListOfProducts())),
        ]
        self._once((p.getId() for p in parts), "the identifier '{}' is given to two parts of the model")
        ruled = (r.getVariable() for r in model.getListOfRules() if not r.isAlgebraic())
        self._once(ruled, "two rules determine '{}'")
        self._once((a.getSymbol() for a in model.getListOfInitialAssignments()), "two initial assignments give '{}'")
        for reaction in model.getListOfReactions():
            law = reaction.getKineticLaw()
            if law is not None:
                local_parameters = law.getListOfLocalParameters() if model.getLevel() > 2 else law.getListOfParameters()
                self._once(
                    (p.getId() for p in local_parameters),
                    f"reaction '{reaction.getId()}' has two local parameters called '{{}}'",
                )

    def _once(self, names: Iterable[str], message: str) -> None:
        seen: set[str] = set()
        for name in names:
            if name and name in seen:
                raise EngineError(message.format(name), where=self.where, hint="Rename or remove one of them.")
            seen.add(name)

    def _all_names(self) -> list[str]:
        return [*self.compartments, *self.species, *self.parameters, *self.reactions, *self.references]

    def _substance_only(self, species: str) -> bool:
        """Whether the name of a species stands for its amount: by declaration, or for want of a size."""
        item = self.species[species]
        compartment = self.compartments[item.getCompartment()]
        flat = compartment.getSpatialDimensionsAsDouble() == 0 and not compartment.isSetSize()
        return item.getHasOnlySubstanceUnits() or (flat and item.getCompartment() not in self._sized)

    @property
    def _sized(self) -> set[str]:
        """Compartments whose size a rule, an initial assignment or an event gives."""
        return {*self.assigned, *self.rated, *self.initial_rules, *self.event_targets}

    def _size(self, species: str) -> Expr:
        return sym(self.species[species].getCompartment())

    def _meaning(self, name: str) -> Expr:
        """What a name stands for in formulas."""
        if name in self.species and not self._substance_only(name):
            if name in self.assigned:
                return sym(f"[{name}]")
            return sym(name) / self._size(name)
        return sym(name)

    def _rate_symbol(self, name: str) -> Expr:
        if name not in self.names:
            raise EngineError(f"unknown name '{name}' in rateOf", where=self.where)
        self.rates_of[name] = None
        return sym(f"rateOf({name})")

    def _math(self, item: Any, element: str, extra: Mapping[str, Expr] | None = None) -> Expr:
        names = {**self.names, **extra} if extra else self.names
        return self.formulas.convert(item.getMath(), names, f"{self.where}, {element}")

    def _constant(self, name: str) -> bool:
        """Whether a name is declared to be constant."""
        if self.model.getLevel() == 1:
            return False
        if name in self.references:
            value: bool = self.model.getLevel() < 3 or self.references[name].getConstant()
            return value
        item = self.species.get(name) or self.compartments.get(name) or self.parameters[name]
        value = item.getConstant()
        return value

    # ---- the parts ------------------------------------------------------------------------------------------------

    def read(self) -> System:
        """Assemble the system.

        Raises
        ------
        EngineError
            For anything that cannot be integrated.
        """
        flux = {name: self._flux(name, reaction) for name, reaction in self.reactions.items()}
        rates = self._reaction_rates()
        assignments = flux | self._assignments()
        residuals = [self._math(rule, "algebraic rule") for rule in self.algebraic_rules]
        variables = [n for n in self._all_names() if n not in self.reactions and n not in self.assigned]
        moving = {n for n in variables if n in rates or n in self.rated}
        candidates = [n for n in variables if n not in moving and not self._constant(n)]
        solved, unknown, left = solve_algebraic(residuals, candidates, self.event_targets, assignments, self.where)
        assignments |= solved
        determined = {*solved, *unknown}
        discrete = {n for n in candidates if n not in determined and (n in self.event_targets or n in self.species)}
        states = [n for n in variables if n in moving or n in discrete]
        constants = [n for n in variables if n not in states and n not in determined]
        self._add_rated(rates, assignments, unknown)
        starts = {name: self._start(name) for name in (*constants, *states, *unknown)}
        events = tuple(self._event(i, event, assignments) for i, event in enumerate(self.events))
        fast = [(n, flux[n], self._directions(n)) for n, r in self.reactions.items() if self._fast(r)]
        past = {name for name in self.formulas.delays.values()}
        if fast and free_symbols(*inline([f for _, f, _ in fast], assignments, self.where)) & past:
            raise EngineError("fast reactions whose rates contain 'delay' are not supported", where=self.where)
        constraints = equilibria(fast, rates, assignments, self.where) if fast else ()
        plain = dict(assignments)
        for name in self.rates_of:
            if free_symbols(*inline([self.names[name]], plain, self.where)) & past:
                raise EngineError(f"'rateOf' of '{name}', which contains 'delay', is not supported", where=self.where)
            assignments[f"rateOf({name})"] = total_derivative(self.names[name], rates, plain)
        delays = tuple(Delay(name, value, lag) for (value, lag), name in self.formulas.delays.items())
        earlier = {d.name: substitute([d.expression], {}, time=TIME - d.lag)[0] for d in delays}
        initial = StartValues(starts, assignments | earlier, (*states, *unknown), self.where)
        derived = {n: initial.resolved(starts[n], (n,)) for n in constants if starts[n].op != "num"}
        return System(
            name=self.model.getId() or self.model.getName() or "model",
            parameters={n: starts[n].value for n in constants if starts[n].op == "num"} | self.local,
            constants=tuple(Assignment(n, e) for n, e in sort_assignments(derived, self.where)),
            states=tuple(State(n, initial.of(n), rates.get(n, ZERO)) for n in states),
            assignments=tuple(Assignment(n, e) for n, e in sort_assignments(assignments, self.where)),
            algebraic=tuple(Assignment(n, initial.guess(n)) for n in unknown),
            residuals=tuple(left),
            events=events,
            species=tuple(self._readout(name) for name in self.species),
            equilibria=constraints,
            delays=delays,
        )

    def _flux(self, name: str, reaction: Any) -> Expr:
        """Rate of a reaction; its local parameters become parameters called ``reaction.parameter``."""
        law = reaction.getKineticLaw()
        if law is None or not law.isSetMath():
            return ZERO
        local = {}
        for item in law.getListOfLocalParameters() if self.model.getLevel() > 2 else law.getListOfParameters():
            self.local[f"{name}.{item.getId()}"] = item.getValue() if item.isSetValue() else math.nan
            local[item.getId()] = sym(f"{name}.{item.getId()}")
        return self._math(law, f"kinetic law of reaction '{name}'", local)

    def _fast(self, reaction: Any) -> bool:
        return bool(reaction.getFast()) and (self.model.getLevel(), self.model.getVersion()) < (3, 2)

    def _stoichiometry(self, ref: Any) -> Expr:
        if ref.getId() and (self.model.getLevel() > 2 or ref.getId() in self.assigned):
            return sym(ref.getId())
        if self.model.getLevel() == 2 and ref.isSetStoichiometryMath():
            return self._math(ref.getStoichiometryMath(), f"stoichiometry of species '{ref.getSpecies()}'")
        if not ref.isSetStoichiometry() and self.model.getLevel() > 2:
            return num(math.nan)
        return num(ref.getStoichiometry() / (ref.getDenominator() if self.model.getLevel() == 1 else 1))

    def _contributions(self, reaction: Any) -> list[_Reference]:
        """Species that a reaction changes."""
        events = []
        for sign, refs in ((-1.0, reaction.getListOfReactants()), (1.0, reaction.getListOfProducts())):
            for ref in refs:
                name = ref.getSpecies()
                item = self.species[name]
                if item.getBoundaryCondition() or item.getConstant() or name in self.assigned or name in self.rated:
                    continue
                factor = item.getConversionFactor() or self.model.getConversionFactor()
                amount = self._stoichiometry(ref) * (self.names[factor] if factor else ONE)
                events.append(_Reference(name, amount, sign))
        return events

    def _reaction_rates(self) -> dict[str, Expr]:
        """Rate of every species that reactions change, fast reactions left out; also fills in reaction fluxes."""
        rates: dict[str, Expr] = {}
        for name, reaction in self.reactions.items():
            flux = ZERO if self._fast(reaction) else sym(name)
            for ref in self._contributions(reaction):
                rates[ref.species] = rates.get(ref.species, ZERO) + num(ref.sign) * ref.amount * flux
        return rates

    def _directions(self, name: str) -> dict[str, Expr]:
        """How one unit of a reaction changes each species."""
        directions: dict[str, Expr] = {}
        for ref in self._contributions(self.reactions[name]):
            directions[ref.species] = directions.get(ref.species, ZERO) + num(ref.sign) * ref.amount
        return directions

    def _assignments(self) -> dict[str, Expr]:
        """Assignment rules, and formulas for stoichiometries of Level 2."""
        table: dict[str, Expr] = {}
        for name, rule in self.assigned.items():
            value = self._math(rule, f"assignment rule of '{name}'")
            if name in self.species and not self._substance_only(name):
                table[f"[{name}]"] = value
                table[name] = sym(f"[{name}]") * self._size(name)
            else:
                table[name] = value
        return table

    def _add_rated(self, rates: dict[str, Expr], assignments: Mapping[str, Expr], unknown: Sequence[str]) -> None:
        """Add rate rules to `rates`; the rule of a concentration becomes the rate of the amount."""
        later = []
        for name, rule in self.rated.items():
            value = self._math(rule, f"rate rule of '{name}'")
            if name not in self.species or self._substance_only(name):
                rates[name] = value
            else:
                later.append((name, value))
        waiting = {name for name, _ in later}
        for name, value in later:
            size = self._size(name)
            (written,) = inline([size], assignments, self.where)
            if free_symbols(written) & {*waiting, *unknown}:
                raise EngineError(f"the size of the compartment of '{name}' depends on its rate", where=self.where)
            rates[name] = value * size + self.names[name] * total_derivative(size, rates, assignments)

    def _readout(self, name: str) -> Species:
        amount, only = sym(name), self._substance_only(name)
        concentration = sym(f"[{name}]") if name in self.assigned and not only else amount / self._size(name)
        return Species(name, self.species[name].getCompartment(), amount, concentration, only)

    # ---- events ---------------------------------------------------------------------------------------------------

    def _event(self, index: int, event: Any, assignments: Mapping[str, Expr]) -> Event:
        name = event.getId() or f"event_{index + 1}"
        where = f"event '{name}'"
        targets: dict[str, Expr] = {}
        for item in event.getListOfEventAssignments():
            if item.isSetMath():
                targets[item.getVariable()] = self._math(item, where)
        values = {
            target: value if target not in self.species or self._substance_only(target) else value * self._size(target)
            for target, value in targets.items()
        }
        trigger, level3 = event.getTrigger(), self.model.getLevel() > 2
        delay = self._math(event.getDelay(), f"delay of {where}") if _has(event, "Delay") else None
        priority = self._math(event.getPriority(), f"priority of {where}") if _has(event, "Priority") else None
        if delay is not None and not delay.is_num(0.0) and event.getUseValuesFromTriggerTime():
            for target in targets:
                if values[target] is not targets[target] and not self._constant(self.species[target].getCompartment()):
                    raise EngineError(
                        f"{where} assigns, after a delay, the concentration of '{target}' in a compartment of varying "
                        "size, which is not supported",
                        where=self.where,
                    )
        return Event(
            name=name,
            trigger=self._math(trigger, f"trigger of {where}"),
            assignments=tuple(values.items()),
            delay=None if delay is None or delay.is_num(0.0) else delay,
            priority=priority,
            persistent=trigger.getPersistent() if level3 else True,
            initial_value=trigger.getInitialValue() if level3 else True,
            use_trigger_values=event.getUseValuesFromTriggerTime(),
        )

    def _start(self, name: str) -> Expr:
        """Start value as the document gives it; of a species the amount."""
        species = self.species.get(name)
        if name in self.initial_rules:
            value = self._math(self.initial_rules[name], f"initial assignment of '{name}'")
            return value if species is None or self._substance_only(name) else value * self._size(name)
        if species is not None:
            if species.isSetInitialAmount():
                return num(species.getInitialAmount())
            concentration = species.getInitialConcentration() if species.isSetInitialConcentration() else math.nan
            return num(concentration) * self._size(name)
        if name in self.compartments:
            item = self.compartments[name]
            default = 1.0 if self.model.getLevel() < 3 and item.getSpatialDimensions() > 0 else math.nan
            return num(item.getSize() if item.isSetSize() else default)
        if name in self.references:
            item = self.references[name]
            default = 1.0 if self.model.getLevel() < 3 else math.nan
            return num(item.getStoichiometry() if item.isSetStoichiometry() else default)
        item = self.parameters[name]
        return num(item.getValue() if item.isSetValue() else math.nan)


def _has(event: Any, element: str) -> bool:
    value: bool = getattr(event, f"isSet{element}")() and getattr(event, f"get{element}")().isSetMath()
    return value
