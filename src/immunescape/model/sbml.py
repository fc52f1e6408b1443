"""A model as SBML Level 3 Version 2, with units on every symbol and every number.

Species are amounts (``hasOnlySubstanceUnits``), so an id means cells, nanomoles or milligrams. SBML counts every
reaction in one unit of extent, here nanomole: a flow of cells is multiplied by ``1 nanomole/cell`` in its kinetic law,
and by the conversion factor ``1 cell/nanomole`` of the species. A compartment whose volume is a quantity follows it by
an assignment rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from immunescape.model.expressions import COMPARISONS, Apply, Expression, Name, Number, chain
from immunescape.model.records import ModelEvent, ModelReaction, ModelState
from immunescape.model.units import (
    AREA,
    DIMENSIONLESS,
    LENGTH,
    SUBSTANCE,
    TIME,
    VOLUME,
    Dimension,
    multiply,
    sbml_unit_id,
    sbml_units,
)

if TYPE_CHECKING:
    from immunescape.model.assembly import Model

__all__ = ["conversion_id", "mathml", "write_sbml"]

_CORE = "http://www.sbml.org/sbml/level3/version2/core"
_TIME = '<csymbol encoding="text" definitionURL="http://www.sbml.org/sbml/symbols/time">time</csymbol>'
_TAGS = {
    "+": "plus",
    "-": "minus",
    "*": "times",
    "/": "divide",
    "^": "power",
    "neg": "minus",
    "log": "ln",
    "sqrt": "root",
    "&&": "and",
    "||": "or",
    **dict(zip(COMPARISONS, ("lt", "leq", "gt", "geq", "eq", "neq"), strict=True)),
}


class _Writer:
    """Collects the unit definitions that are used while the parts are written."""

    def __init__(self) -> None:
        self.used: dict[str, Dimension] = {}

    def unit(self, dimension: Dimension) -> str:
        if dimension == DIMENSIONLESS:
            return "dimensionless"
        name = sbml_unit_id(dimension)
        self.used[name] = dimension
        return name

    def number(self, value: float, dimension: Dimension) -> str:
        unit = self.unit(dimension)
        mantissa, _, exponent = f"{value!r}".removesuffix(".0").partition("e")
        if exponent:
            return f'<cn type="e-notation" sbml:units="{unit}">{mantissa}<sep/>{int(exponent)}</cn>'
        return f'<cn sbml:units="{unit}">{mantissa}</cn>'

    def math(self, tree: Expression) -> str:
        inner = self.node(tree)
        return f'<math xmlns="http://www.w3.org/1998/Math/MathML" xmlns:sbml="{_CORE}">{inner}</math>'

    def node(self, tree: Expression) -> str:
        if isinstance(tree, Number):
            return self.number(tree.value, tree.dimension or DIMENSIONLESS)
        if isinstance(tree, Name):
            return {"pi": "<pi/>", "time": _TIME}.get(tree.id, f"<ci>{tree.id}</ci>")
        args = chain(tree) if tree.op in ("+", "*") else list(tree.args)
        return f"<apply><{_TAGS.get(tree.op, tree.op)}/>{''.join(self.node(a) for a in args)}</apply>"


def mathml(tree: Expression) -> str:
    """Return an expression as MathML."""
    return _Writer().math(tree)


def conversion_id(dimension: Dimension) -> str:
    """Return the name of the parameter that turns extent into amounts of a kind."""
    return f"conversion_{sbml_unit_id(dimension)}"


def write_sbml(model: Model) -> str:
    """Write a model as an SBML Level 3 Version 2 document.

    Returns
    -------
    str
        XML text that passes libsbml's consistency check, units included.
    """
    w = _Writer()
    base = {"substance": SUBSTANCE, "time": TIME, "volume": VOLUME, "area": AREA, "length": LENGTH, "extent": SUBSTANCE}
    attributes = " ".join(f'{kind}Units="{w.unit(d)}"' for kind, d in base.items())
    initial: list[str] = []
    rules = [
        f'<assignmentRule variable="{n}">{w.math(q.expression)}</assignmentRule>' for n, q in model.quantities.items()
    ]
    compartments = []
    for name, volume in model.compartments.items():
        fixed = volume in model.parameters
        size = f' size="{model.parameters[volume].base!r}"' if fixed else ""
        compartments.append(
            f'<compartment id="{name}" spatialDimensions="3" units="{w.unit(VOLUME)}"{size}'
            f' constant="{str(fixed).lower()}"/>'
        )
        math = w.math(Name(volume))
        if fixed:
            initial.append(f'<initialAssignment symbol="{name}">{math}</initialAssignment>')
        else:
            rules.append(f'<assignmentRule variable="{name}">{math}</assignmentRule>')
    species = [_species(w, s, initial) for s in model.states.values()]
    parameters = [_parameter(w, p.name, p.dimension, p.note, value=p.base) for p in model.parameters.values()]
    for kind in dict.fromkeys(s.dimension for s in model.states.values() if s.dimension != SUBSTANCE):
        unit = multiply(kind, SUBSTANCE, -1)
        parameters.append(_parameter(w, conversion_id(kind), unit, "from extent to amount", value=1.0))
    parameters += [_parameter(w, q.name, q.dimension, q.meaning) for q in model.quantities.values()]
    reactions = [_reaction(w, r, model.states) for r in model.reactions.values()]
    events = [_event(w, e) for e in model.events.values()]
    definitions = [_definition(n, d) for n, d in sorted(w.used.items())]
    parts = {
        "UnitDefinitions": definitions,
        "Compartments": compartments,
        "Species": species,
        "Parameters": parameters,
        "InitialAssignments": initial,
        "Rules": rules,
        "Reactions": reactions,
        "Events": events,
    }
    body = "\n".join(f"<listOf{k}>\n" + "\n".join(v) + f"\n</listOf{k}>" for k, v in parts.items() if v)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<sbml xmlns="{_CORE}" level="3" version="2">\n'
        f'<model id="immunescape" {attributes}>\n{body}\n</model>\n</sbml>\n'
    )


def _definition(name: str, dimension: Dimension) -> str:
    units = "".join(
        f'<unit kind="{kind}" exponent="{exponent:g}" scale="{scale}" multiplier="{multiplier:g}"/>'
        for kind, exponent, scale, multiplier in sbml_units(dimension)
    )
    return f'<unitDefinition id="{name}"><listOfUnits>{units}</listOfUnits></unitDefinition>'


def _parameter(w: _Writer, name: str, dimension: Dimension, meaning: str, value: float | None = None) -> str:
    text = f" name={quoteattr(meaning)}" if meaning else ""
    number = "" if value is None else f' value="{float(value)!r}"'
    constant = str(value is not None).lower()
    return f'<parameter id="{name}"{text}{number} units="{w.unit(dimension)}" constant="{constant}"/>'


def _species(w: _Writer, state: ModelState, initial: list[str]) -> str:
    amount = ""
    if isinstance(state.initial, Number):
        amount = f' initialAmount="{state.initial.value!r}"'
    else:
        initial.append(f'<initialAssignment symbol="{state.name}">{w.math(state.initial)}</initialAssignment>')
    conversion = f' conversionFactor="{conversion_id(state.dimension)}"' if state.dimension != SUBSTANCE else ""
    return (
        f'<species id="{state.name}" name={quoteattr(state.meaning)} compartment="{state.compartment}"{amount}'
        f' substanceUnits="{w.unit(state.dimension)}" hasOnlySubstanceUnits="true" boundaryCondition="false"'
        f' constant="false"{conversion}/>'
    )


def _reaction(w: _Writer, reaction: ModelReaction, states: Mapping[str, ModelState]) -> str:
    rate = reaction.rate
    if reaction.dimension != SUBSTANCE:
        rate = Apply("*", (Number(1.0, multiply(SUBSTANCE, reaction.dimension, -1)), rate))
    sides = ""
    for role, side in (("Reactants", reaction.reactants), ("Products", reaction.products)):
        if side:
            references = "".join(
                f'<speciesReference species="{s}" stoichiometry="{n:.17g}" constant="true"/>' for s, n in side.items()
            )
            sides += f"<listOf{role}>{references}</listOf{role}>"
    touched = {*reaction.reactants, *reaction.products}
    used = [n for n in _species_names(reaction.rate, states) if n not in touched]
    if used:
        references = "".join(f'<modifierSpeciesReference species="{s}"/>' for s in used)
        sides += f"<listOfModifiers>{references}</listOfModifiers>"
    return (
        f'<reaction id="{reaction.name}" name={quoteattr(reaction.meaning)} reversible="false">{sides}'
        f"<kineticLaw>{w.math(rate)}</kineticLaw></reaction>"
    )


def _species_names(tree: Expression, states: Mapping[str, ModelState]) -> list[str]:
    from immunescape.model.expressions import names

    return [n for n in names(tree) if n in states]


def _event(w: _Writer, event: ModelEvent) -> str:
    assignments = "".join(
        f'<eventAssignment variable="{s}">{w.math(t)}</eventAssignment>' for s, t in event.assignments.items()
    )
    return (
        f'<event id="{event.name}" useValuesFromTriggerTime="true"><trigger initialValue="false" persistent="true">'
        f"{w.math(event.trigger)}</trigger><listOfEventAssignments>{assignments}</listOfEventAssignments></event>"
    )
