"""Models that are wrong on purpose: one coupling added, reversed or made stronger, or the traits of a clone changed.

What a model respects says something only where a model that is wrong in one place violates it. Here that place is
rewired, on the level at which mechanisms act on each other (shared processes and traits of clones), never on what is
looked at. Each rewiring has a gate, a parameter that is 0 where it does not act, so that one compiled model serves many
of them; with all gates at 0 the model is the one it was made of.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from immunescape.errors import ModelError, unknown_word
from immunescape.model.assembly import Model, computation_order
from immunescape.model.composition import together
from immunescape.model.draft import switch_id
from immunescape.model.expressions import Apply, Expression, Name, Number, names, product, quotient, total
from immunescape.model.parameters import Parameter
from immunescape.model.records import ModelQuantity
from immunescape.model.reference_strengths import Key, reference_id, strength_id
from immunescape.model.specificity import is_sparse
from immunescape.model.suppression import relative_activities

__all__ = ["Rewiring", "modulation_keys", "rewire"]


@dataclass(frozen=True)
class Rewiring:
    """One change of how a model is wired.

    Attributes
    ----------
    kind : ``wire`` adds an effect of `source` (a parameter, state or quantity) on the process `target`; ``reverse``
        turns the sign of the modulation `target`; ``as_strong_as`` gives the modulation `target` the reference strength
        of the modulation `source`; ``clone_like`` gives the clone `target` the traits of the clone `source`.
    target, source : names; a modulation is written ``process/pathway/mechanism``.
    effect : ``inhibits`` or ``promotes``, of a wire.
    strength : of a wire, in the untreated reference patient, on the scale of the model's own reference strengths; of a
        source that is 0 there, such as a drug, the strength per unit of the source.
    """

    kind: Literal["wire", "reverse", "as_strong_as", "clone_like"]
    target: str
    source: str = ""
    effect: Literal["inhibits", "promotes"] = "promotes"
    strength: float = 0.0

    @property
    def gate(self) -> str:
        """Name of the parameter that switches it on (1) or off (0)."""
        text = "|".join((self.kind, self.target, self.source, self.effect, repr(self.strength)))
        return "rewired_" + hashlib.sha256(text.encode()).hexdigest()[:12]


def modulation_keys(target: str, keys: Iterable[Key]) -> list[Key]:
    """Return the modulations that a text means: one as ``process/pathway/mechanism``, or all of a mechanism by name.

    Raises
    ------
    InputError
        With the nearest, where there is none.
    """
    every = list(keys)
    chosen = [k for k in every if target in ("/".join(k), k[2])]
    if not chosen:
        raise unknown_word("modulation", target, ["/".join(k) for k in every])
    return chosen


Values = Callable[[], Mapping[str, float]]


def rewire(model: Model, changes: Iterable[Rewiring], at_reference: Values | None = None) -> Model:
    """Return a model in which some rewirings can be switched on by their gates.

    The gate of a rewiring from a source or of a modulation that only a drug brings which this model does not have acts
    on nothing: where that drug is not given there is nothing to change.

    Parameters
    ----------
    model
        The model that is right.
    changes
        What can be switched on in it.
    at_reference
        Gives states and quantities of the untreated reference patient at diagnosis, in base units; asked where a wire
        comes from one.

    Raises
    ------
    ModelError
        Where a wire would make a quantity need itself, or comes from what is not known in the reference patient.
    """
    changed = list(dict.fromkeys(changes))
    parameters, quantities = dict(model.parameters), dict(model.quantities)
    by_process: dict[str, list[Rewiring]] = {}
    for change in changed:
        note = f"1: {change.kind} {change.target} {change.source}".strip()
        parameters[change.gate] = Parameter(change.gate, 0.0, "dimensionless", note=note)
        if change.kind == "clone_like":
            _traits(model, change, quantities)
            continue
        process = change.target.partition("/")[0]
        if f"f_{process}" in quantities and _present(model, change):
            by_process.setdefault(process, []).append(change)
    for process, here in by_process.items():
        old = quantities[f"f_{process}"]
        quantities[f"f_{process}"] = replace(old, expression=_factor(model, process, here, at_reference))
    used = {n: [m for m in names(q.expression) if m in quantities] for n, q in quantities.items()}
    order = computation_order(used, "quantity")
    return replace(model, parameters=parameters, quantities={n: quantities[n] for n in order})


def _present(model: Model, change: Rewiring) -> bool:
    if change.kind == "wire":
        return any(change.source in table for table in (model.parameters, model.states, model.quantities))
    return tuple(change.target.split("/")) in model.modulations


def _traits(model: Model, change: Rewiring, quantities: dict[str, ModelQuantity]) -> None:
    """Give a clone the traits of another, as far as its gate is open."""
    clones = {c.name for c in model.clones}
    for name in (change.target, change.source):
        if name not in clones:
            raise unknown_word("clone", name, clones)
    gate = Name(change.gate)
    for name, quantity in model.quantities.items():
        if quantity.kind != "trait" or not name.endswith(f"_{change.target}"):
            continue
        other = f"{name.removesuffix(change.target)}{change.source}"
        if other not in model.quantities or model.quantities[other].kind != "trait":
            continue
        expression = quantities[name].expression
        taken = model.quantities[other].expression  # as in the right model, so that clones may be alike in a ring
        mixed = total([product([Apply("-", (Number(1.0), gate)), expression]), product([gate, taken])])
        quantities[name] = replace(quantity, expression=mixed)


def _factor(model: Model, process: str, changes: Iterable[Rewiring], at_reference: Values | None) -> Expression:
    """Factor of a process, with the weights of its modulations moved by gates, and wires beside its pathways."""
    effects = {
        (m.process, m.pathway): m.effect for module in (*model.mechanisms, *model.drugs) for m in module.modulations
    }
    pathways: dict[str, list[Key]] = {}
    for key in model.modulations:
        if key[0] == process:
            pathways.setdefault(key[1], []).append(key)
    weights: dict[Key, list[Expression]] = {}
    extra: list[Expression] = []
    for change in changes:
        gate = Name(change.gate)
        if change.kind == "wire":
            extra.append(_wire(model, change, gate, at_reference))
            continue
        key = modulation_keys(change.target, model.modulations)[0]
        if change.kind == "as_strong_as":
            more = _reference(model, change.source) / max(_reference(model, change.target), 1e-12) - 1.0
            weights.setdefault(key, []).append(total([Number(1.0), product([gate, Number(more)])]))
        else:
            weights.setdefault(key, []).append(Apply("-", (Number(1.0), gate)))
            against = "promotes" if effects[key[:2]] == "inhibits" else "inhibits"
            extra.append(_ratio(against, [key], {key: [gate]}))
    relative = relative_activities(model.modulations) if is_sparse(model.specificity) else {}
    pathway_terms = [(effects[process, pathway], *_sums(keys, weights, relative)) for pathway, keys in pathways.items()]
    return product([together(pathway_terms, model.specificity), *extra])


def _reference(model: Model, target: str) -> float:
    return model.parameters[reference_id(modulation_keys(target, model.modulations)[0])].base


def _ratio(effect: str, keys: Iterable[Key], weights: Mapping[Key, list[Expression]]) -> Expression:
    """(1 + X0) / (1 + X) of weighted modulations for an inhibition, the inverse for a promotion."""
    then, now = _sums(keys, weights, {})
    return quotient(then, now) if effect == "inhibits" else quotient(now, then)


def _sums(
    keys: Iterable[Key], weights: Mapping[Key, list[Expression]], relative: Mapping[Key, list[Expression]]
) -> tuple[Expression, Expression]:
    """1 + X0 and 1 + X of weighted modulations."""
    now: list[Expression] = [Number(1.0)]
    then: list[Expression] = [Number(1.0)]
    for key in keys:
        weight = [Name(switch_id(key[2])), *weights.get(key, [])]
        now.append(product([*weight, Name(strength_id(key))]))
        then.append(product([*weight, *relative.get(key, []), Name(reference_id(key))]))
    return total(then), total(now)


def _wire(model: Model, change: Rewiring, gate: Expression, at_reference: Values | None) -> Expression:
    usual = _source_at_reference(model, change.source, at_reference)
    share = change.strength / usual if usual > 0 else change.strength
    now = total([Number(1.0), product([gate, Number(share), Name(change.source)])])
    then = total([Number(1.0), product([gate, Number(change.strength if usual > 0 else 0.0)])])
    return quotient(then, now) if change.effect == "inhibits" else quotient(now, then)


def _source_at_reference(model: Model, source: str, at_reference: Values | None) -> float:
    """Value of a source in the untreated reference patient at diagnosis, in base units; 0 for what a drug brings."""
    if source in model.parameters:
        return model.parameters[source].base
    drugs = {d.name for d in model.drugs}
    owner = model.quantities[source].owner if source in model.quantities else model.states[source].owner
    if owner in drugs:
        return 0.0
    values = {} if at_reference is None else at_reference()
    if source not in values:
        raise unknown_word("quantity", source, values)
    value = values[source]
    if not (math.isfinite(value) and value >= 0):
        raise ModelError(
            f"'{source}' is {value:g} in the reference patient; a wire needs a source that is not negative"
        )
    return value
