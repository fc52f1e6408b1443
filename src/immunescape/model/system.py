"""A model as the engine's own system, without the way through SBML text, which takes as long to read as to assemble.

Nothing is decided here: for each construct that `immunescape.model.sbml` writes, this makes the expression that the
engine's reader makes of what was written, down to the order of terms, so that the generated code is the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from immunescape.engine.ir import expressions as ir
from immunescape.engine.ir.expressions import ONE, TIME, ZERO, Expr, num, sym
from immunescape.engine.ir.system import Assignment, Event, Species, State, System
from immunescape.engine.sbml.algebra import sort_assignments
from immunescape.engine.sbml.start_values import StartValues
from immunescape.model.expressions import Apply, Expression, Name, Number, chain
from immunescape.model.records import ModelReaction
from immunescape.model.sbml import conversion_id
from immunescape.model.units import SUBSTANCE

if TYPE_CHECKING:
    from immunescape.model.assembly import Model

__all__ = ["model_system"]

_SUMS = ("+", "-", "neg")
_CHAINS: dict[str, Callable[..., Expr]] = {"*": ir.mul, "&&": ir.land, "||": ir.lor}
_RELATIONS = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}
_PLAIN: dict[str, Callable[..., Expr]] = {"/": ir.div, "^": ir.pow_, "min": ir.minimum, "max": ir.maximum}
_FUNCTIONS = {"exp": "exp", "log": "ln", "sqrt": "sqrt", "tanh": "tanh"}


def _as_read(value: float) -> float:
    """A number in a formula as libsbml reads it: mantissa times power of ten, which may differ in the last bit."""
    mantissa, _, exponent = repr(value).partition("e")
    return float(mantissa) * 10.0 ** int(exponent) if exponent else value


def _expr(tree: Expression) -> Expr:
    if isinstance(tree, Number):
        return num(_as_read(tree.value))
    if isinstance(tree, Name):
        return num(math.pi) if tree.id == "pi" else TIME if tree.id == "time" else sym(tree.id)
    if tree.op in _SUMS:
        return _sum(tree)
    if tree.op in _CHAINS:
        return _CHAINS[tree.op](*(_expr(operand) for operand in chain(tree)))
    args = [_expr(a) for a in tree.args]
    if tree.op in _RELATIONS:
        return ir.land(ir.compare(_RELATIONS[tree.op], *args))
    if tree.op in _FUNCTIONS:
        return ir.func(_FUNCTIONS[tree.op], *args)
    return _PLAIN[tree.op](*args)


def _sum(tree: Apply) -> Expr:
    """A sum with all sums, differences and signs inside it as one list of terms."""
    terms: list[Expr] = []
    stack: list[tuple[Expression, bool]] = [(tree, False)]
    while stack:
        item, negative = stack.pop()
        if isinstance(item, Apply) and item.op in _SUMS:
            signs = [negative] * len(item.args)
            if item.op != "+":
                signs[-1] = not negative
            stack += [*reversed(list(zip(item.args, signs, strict=True)))]
        else:
            terms.append(ir.neg(_expr(item)) if negative else _expr(item))
    return ir.add(*terms)


def _flux(reaction: ModelReaction) -> Expr:
    """Rate of a reaction in units of extent."""
    rate = reaction.rate
    return _expr(rate if reaction.dimension == SUBSTANCE else Apply("*", (Number(1.0), rate)))


def model_system(model: Model) -> System:
    """Return the system that `immunescape.engine.sbml.reader.read_sbml` makes of ``model.to_sbml()``."""
    flux = {name: _flux(reaction) for name, reaction in model.reactions.items()}
    rates: dict[str, Expr] = {}
    for name, reaction in model.reactions.items():
        for sign, side in ((-1.0, reaction.reactants), (1.0, reaction.products)):
            for state, stoichiometry in side.items():
                kind = model.states[state].dimension
                factor = ONE if kind == SUBSTANCE else sym(conversion_id(kind))
                change = num(sign) * (num(stoichiometry) * factor) * sym(name)
                rates[state] = rates.get(state, ZERO) + change
    assignments = flux | {name: _expr(quantity.expression) for name, quantity in model.quantities.items()}
    expressions: dict[str, Expr] = {}
    for name, volume in model.compartments.items():
        if volume in model.parameters:
            expressions[name] = sym(volume)
        else:
            assignments[name] = sym(volume)
    kinds = dict.fromkeys(s.dimension for s in model.states.values() if s.dimension != SUBSTANCE)
    expressions |= {name: num(parameter.base) for name, parameter in model.parameters.items()}
    expressions |= {conversion_id(kind): ONE for kind in kinds}
    first = {
        name: num(state.initial.value) if isinstance(state.initial, Number) else _expr(state.initial)
        for name, state in model.states.items()
    }
    start = StartValues(expressions | first, assignments, tuple(first), "SBML")
    derived = {n: start.resolved(e, (n,)) for n, e in expressions.items() if e.op != "num"}
    return System(
        name="immunescape",
        parameters={n: e.value for n, e in expressions.items() if e.op == "num"},
        constants=tuple(Assignment(n, e) for n, e in sort_assignments(derived, "SBML")),
        states=tuple(State(n, start.of(n), rates.get(n, ZERO)) for n in first),
        assignments=tuple(Assignment(n, e) for n, e in sort_assignments(assignments, "SBML")),
        events=tuple(
            Event(
                name=event.name,
                trigger=_expr(event.trigger),
                assignments=tuple((state, _expr(value)) for state, value in event.assignments.items()),
                initial_value=False,
            )
            for event in model.events.values()
        ),
        species=tuple(
            Species(n, state.compartment, sym(n), sym(n) / sym(state.compartment), True)
            for n, state in model.states.items()
        ),
    )
