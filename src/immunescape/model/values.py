"""Values of a model without an engine: initial values, quantities and rates of change, evaluated with numpy.

It serves checks, and whatever needs one evaluation for many patients at once; engines integrate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from immunescape.errors import ModelError, unknown_word
from immunescape.model.expressions import Apply, Expression, Name, evaluate, functions

if TYPE_CHECKING:
    from immunescape.model.assembly import Model

__all__ = ["derivatives", "evaluate_ahead", "evaluate_all", "evaluate_quantities", "initial"]


_BASES: WeakKeyDictionary[Model, dict[str, float]] = WeakKeyDictionary()
"""Values of the parameters of models that were evaluated, in base units."""


def _parameters(model: Model, overrides: Mapping[str, Any]) -> dict[str, Any]:
    for name in overrides:
        if name not in model.parameters:
            raise unknown_word("parameter", name, model.parameters)
    if model not in _BASES:
        _BASES[model] = {n: p.base for n, p in model.parameters.items()}
    return {**_BASES[model], **overrides}


def initial(model: Model, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the initial value of every state; states and quantities that it needs are evaluated on the way."""
    values = _parameters(model, parameters)

    def value(name: str) -> Any:
        if name not in values:
            if name == "time":
                return 0.0
            tree = model.states[name].initial if name in model.states else model.quantities[name].expression
            values[name] = evaluate(tree, value)
        return values[name]

    return {n: value(n) for n in model.states}


_Step = tuple[Callable[..., Any], int, int, int]
"""Function, place of its value, places of its arguments (-1: there is no second one)."""


class _Program:
    """Quantities and reaction rates of a model as operations on numpy arrays, each computed once.

    Parameters
    ----------
    model
        The model.
    """

    def __init__(self, model: Model) -> None:
        self.inputs = (*model.parameters, *model.states, "time")
        self._place: dict[Any, int] = {name: i for i, name in enumerate(self.inputs)}
        self._start: list[Any] = [None] * len(self.inputs)
        self._table = functions()
        self._steps: list[_Step] = []
        for name, quantity in model.quantities.items():
            self._place[name] = self._lower(quantity.expression)
        self.quantities = tuple(self._place[name] for name in model.quantities)
        self._parts: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[list[_Step], set[int]]] = {}
        self._first = len(self._steps)
        self.rates = tuple(self._lower(reaction.rate) for reaction in model.reactions.values())
        self.changes: dict[str, list[tuple[float, int]]] = {name: [] for name in model.states}
        for reaction, at in zip(model.reactions.values(), self.rates, strict=True):
            for sign, side in ((-1.0, reaction.reactants), (1.0, reaction.products)):
                for state, stoichiometry in side.items():
                    self.changes[state].append((sign * stoichiometry, at))

    def slope(self, state: str, values: list[Any]) -> Any:
        """Rate of change of a state, from values by place."""
        total: Any = 0.0
        for factor, at in self.changes[state]:
            total = total + factor * values[at]
        return total

    def _lower(self, tree: Expression) -> int:
        if isinstance(tree, Name) and tree.id != "pi":
            return self._place[tree.id]
        if not isinstance(tree, Apply):
            value = math.pi if isinstance(tree, Name) else tree.value
            return self._new(("constant", repr(value)), value)
        at, *others = (self._lower(a) for a in tree.args)
        if not others:
            return self._step(tree.op, at, -1)
        for other in others:
            at = self._step(tree.op, at, other)
        return at

    def _new(self, key: tuple[Any, ...], value: Any = None) -> int:
        if key not in self._place:
            self._place[key] = len(self._start)
            self._start.append(value)
        return self._place[key]

    def _step(self, op: str, a: int, b: int) -> int:
        already = (op, a, b) in self._place
        at = self._new((op, a, b))
        if not already:
            self._steps.append((self._table[op], at, a, b))
        return at

    def _needed(self, names: tuple[str, ...], states: tuple[str, ...] = ()) -> tuple[list[_Step], set[int]]:
        """Operations that these quantities, and the slopes of these states, follow from, and all places they read."""
        if (names, states) not in self._parts:
            targets = {self._place[name] for name in names}
            targets |= {at for state in states for _, at in self.changes[state]}
            steps = []
            for step in reversed(self._steps):
                if step[1] in targets:
                    targets.update(step[2:])
                    steps.append(step)
            self._parts[names, states] = steps[::-1], targets
        return self._parts[names, states]

    def states_behind(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """States that these quantities depend on."""
        places = self._needed(names)[1]
        return tuple(state for state in self.changes if self._place[state] in places)

    def run(
        self, given: Mapping[str, Any], *, rates: bool, only: tuple[str, ...] = (), slopes: tuple[str, ...] = ()
    ) -> list[Any]:
        """Values by place, from those of the inputs.

        Those of the rates only where asked for; with `only`, those that these quantities and the slopes of the states
        `slopes` need, and no others.
        """
        values = self._start.copy()
        values[: len(self.inputs)] = [given[name] for name in self.inputs]
        steps = self._needed(only, slopes)[0] if only else self._steps if rates else self._steps[: self._first]
        for function, at, a, b in steps:
            values[at] = function(values[a], values[b]) if b >= 0 else function(values[a])
        return values


_PROGRAMS: WeakKeyDictionary[Model, _Program] = WeakKeyDictionary()


def _run(
    model: Model,
    states: Mapping[str, Any],
    parameters: Mapping[str, Any],
    time: float,
    *,
    rates: bool,
    only: tuple[str, ...] = (),
    slopes: tuple[str, ...] = (),
) -> tuple[_Program, list[Any]]:
    missing = [n for n in model.states if n not in states]
    if missing:
        raise ModelError(f"the value of state '{missing[0]}' is missing")
    values_by_name = {**_parameters(model, parameters), **{n: states[n] for n in model.states}, "time": time}
    program = _program(model)
    return program, program.run(values_by_name, rates=rates, only=only, slopes=slopes)


def _program(model: Model) -> _Program:
    if model not in _PROGRAMS:
        _PROGRAMS[model] = _Program(model)
    return _PROGRAMS[model]


def evaluate_quantities(
    model: Model, states: Mapping[str, Any], parameters: Mapping[str, Any], time: float, only: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return every quantity, or only some, in base units; states and parameters may be arrays that broadcast."""
    for name in only:
        if name not in model.quantities:
            raise unknown_word("quantity", name, model.quantities)
    program, values = _run(model, states, parameters, time, rates=False, only=only)
    places = dict(zip(model.quantities, program.quantities, strict=True))
    return {n: values[places[n]] for n in only or places}


def evaluate_all(
    model: Model, states: Mapping[str, Any], parameters: Mapping[str, Any], time: float = 0.0
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return every quantity and the rate of change of every state, in base units (per day), in one evaluation."""
    program, values = _run(model, states, parameters, time, rates=True)
    quantities = {n: values[at] for n, at in zip(model.quantities, program.quantities, strict=True)}
    return quantities, {state: program.slope(state, values) for state in model.states}


def evaluate_ahead(
    model: Model,
    states: Mapping[str, Any],
    parameters: Mapping[str, Any],
    quantity: str,
    step: float,
    *,
    also: tuple[str, ...] = (),
) -> tuple[dict[str, Any], Any]:
    """Return a quantity and others (`also`) now, and the one a small step of time later, along the present slopes.

    Only what these values need is evaluated.
    """
    program = _program(model)
    moving = program.states_behind((quantity,))
    _, values = _run(model, states, parameters, 0.0, rates=True, only=(quantity, *also), slopes=moving)
    places = dict(zip(model.quantities, program.quantities, strict=True))
    later = {**states, **{name: states[name] + step * program.slope(name, values) for name in moving}}
    ahead = evaluate_quantities(model, later, parameters, 0.0, (quantity,))[quantity]
    return {name: values[places[name]] for name in (quantity, *also)}, ahead


def derivatives(model: Model, states: Mapping[str, Any], parameters: Mapping[str, Any], time: float) -> dict[str, Any]:
    """Return the rate of change of every state, in base units per day."""
    return evaluate_all(model, states, parameters, time)[1]
