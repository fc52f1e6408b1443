"""Values of a model without an engine: initial values, quantities and rates of change, evaluated with numpy.

Slow and plain on purpose; it serves checks, and whatever needs one evaluation for many patients at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from immunescape.errors import ModelError, unknown_word
from immunescape.model.expressions import evaluate

if TYPE_CHECKING:
    from immunescape.model.assembly import Model

__all__ = ["derivatives", "evaluate_quantities", "initial"]


def _parameters(model: Model, overrides: Mapping[str, Any]) -> dict[str, Any]:
    for name in overrides:
        if name not in model.parameters:
            raise unknown_word("parameter", name, model.parameters)
    return {n: overrides.get(n, p.base) for n, p in model.parameters.items()}


def initial(model: Model, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the initial value of every state; states and quantities that it needs are evaluated on the way."""
    known = _parameters(model, parameters)

    def value(name: str) -> Any:
        if name not in known:
            if name == "time":
                return 0.0
            tree = model.states[name].initial if name in model.states else model.quantities[name].expression
            known[name] = evaluate(tree, value)
        return known[name]

    return {n: value(n) for n in model.states}


def _all_values(
    model: Model, states: Mapping[str, Any], parameters: Mapping[str, Any], time: float
) -> tuple[dict[str, Any], Callable[[str], Any]]:
    missing = [n for n in model.states if n not in states]
    if missing:
        raise ModelError(f"the value of state '{missing[0]}' is missing")
    known = {**_parameters(model, parameters), **{n: states[n] for n in model.states}, "time": time}
    for name, quantity in model.quantities.items():
        known[name] = evaluate(quantity.expression, known.__getitem__)
    return known, known.__getitem__


def evaluate_quantities(
    model: Model, states: Mapping[str, Any], parameters: Mapping[str, Any], time: float
) -> dict[str, Any]:
    """Return every quantity in base units; states and parameters may be arrays that broadcast."""
    known, _ = _all_values(model, states, parameters, time)
    return {n: known[n] for n in model.quantities}


def derivatives(model: Model, states: Mapping[str, Any], parameters: Mapping[str, Any], time: float) -> dict[str, Any]:
    """Return the rate of change of every state, in base units per day."""
    _, value = _all_values(model, states, parameters, time)
    result: dict[str, Any] = dict.fromkeys(model.states, 0.0)
    for reaction in model.reactions.values():
        rate = evaluate(reaction.rate, value)
        for sign, side in ((-1.0, reaction.reactants), (1.0, reaction.products)):
            for state, stoichiometry in side.items():
                result[state] = result[state] + sign * stoichiometry * rate
    return result
