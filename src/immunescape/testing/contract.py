"""What a mechanism or drug must keep within an assembled model: pieces from which the checks are made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from immunescape.knowledge.references import get_reference, load_references
from immunescape.knowledge.tables import GRADES
from immunescape.model import Drug, Mechanism, Model
from immunescape.model.expressions import evaluate
from immunescape.model.parameters import load_parameters
from immunescape.model.selection import dependents

__all__ = [
    "State",
    "belongs",
    "disturbed",
    "flows",
    "off_set",
    "require",
    "require_absence_exact",
    "require_cited",
    "require_dosable",
    "require_finite_at_zero",
    "require_non_negative",
    "require_same",
    "require_sourced",
]

State = dict[str, float]


def require(condition: object, message: str) -> None:
    """Raise AssertionError with a message unless the condition holds (also where assertions are switched off)."""
    if not condition:
        raise AssertionError(message)


def off_set(name: str, every: Iterable[Mechanism]) -> set[str]:
    """Return a mechanism and all that requires it: what is absent when it is."""
    return {name, *dependents(every, [name])}


def require_sourced(mechanism: Mechanism) -> None:
    """Every parameter has a grade, and sources that are in the bibliography (none only where it is assumed)."""
    references = load_references()
    if not str(mechanism.parameters):
        return
    for parameter in load_parameters(mechanism.parameters, mechanism.name).values():
        require(parameter.grade in GRADES, f"{parameter.origin}: unknown grade '{parameter.grade}'")
        require(parameter.sources or parameter.grade == "assumed", f"{parameter.origin}: no source")
        for key in parameter.sources:
            get_reference(key, references, where=parameter.origin)


def require_cited(mechanism: Mechanism) -> None:
    """It says what it is, what each part of it means, and cites what exists."""
    name = mechanism.name
    references = load_references()
    require(mechanism.title, f"'{name}' has no title")
    require(len(mechanism.summary) > 40, f"the summary of '{name}' is shorter than a sentence")
    for key in mechanism.references:
        get_reference(key, references, where=name)
    table = load_parameters(mechanism.parameters, name).values() if str(mechanism.parameters) else ()
    require(mechanism.references or any(p.sources for p in table), f"'{name}' cites nothing")
    for group in (mechanism.states, mechanism.reactions, mechanism.quantities):
        for item in group:
            require(item.meaning, f"'{item.name}' of '{name}' does not say what it means")


def require_dosable(drug: Drug) -> None:
    """It has a state that a dose enters, a mass or amounts, units, a class and a serum concentration to look at."""
    name = drug.name
    states = {s.name: s for s in drug.states}
    require(drug.dose_state in states, f"'{name}' has no dose_state among its states")
    in_moles = states[drug.dose_state].unit == "nanomole" and drug.molar_mass > 0
    require(in_moles or drug.dose_amounts, f"'{name}' needs a molar mass (dose_state in nanomole) or dose_amounts")
    require(set(drug.route_states.values()) <= set(states), f"a route of '{name}' leads to a state that it lacks")
    require(drug.dose_units, f"'{name}' has no dose_units")
    require(drug.drug_class, f"'{name}' has no drug_class")
    require(any(q.observable for q in drug.quantities), f"'{name}' has no observable, such as its serum concentration")


def disturbed(model: Model, grown: Mapping[str, float], seed: int) -> State:
    """Return a grown state with every amount moved by up to threefold, and some of every drug."""
    rng = np.random.default_rng(seed)
    drug_states = {s.name for d in model.drugs for s in d.states}
    factors = rng.lognormal(0, 0.5, len(model.states))
    return {
        n: float(f * (1.0 if n in drug_states else max(grown[n], 1e-6)))
        for n, f in zip(model.states, factors, strict=True)
    }


def belongs(model: Model, state: Any, gone: set[str]) -> bool:
    """Whether a state is of a mechanism that is gone, or of a clone of one."""
    clones = {c.name for m in (*model.mechanisms, *model.drugs) if m.name in gone for c in m.clones}
    return state.owner in gone or state.clone in clones


def flows(model: Model, y: Mapping[str, float], parameters: Mapping[str, float]) -> State:
    """Return the sum of the absolute flows through every state: what rounding is measured against."""
    values = {n: p.base for n, p in model.parameters.items()} | dict(parameters) | dict(y) | {"time": 0.0}
    values |= model.evaluate(y, parameters)
    total = dict.fromkeys(model.states, 0.0)
    for reaction in model.reactions.values():
        rate = abs(float(evaluate(reaction.rate, values.__getitem__)))
        for state, n in (*reaction.reactants.items(), *reaction.products.items()):
            total[state] += n * rate
    return total


def require_same(actual: Mapping[str, Any], expected: Mapping[str, Any], scale: Mapping[str, float], what: str) -> None:
    """Values agree to rounding: 1e-12 of themselves, or 1e-13 of what flows."""
    for key, size in scale.items():
        a, b = float(actual[key]), float(expected[key])
        require(abs(a - b) <= max(1e-12 * abs(b), 1e-13 * size), f"{what}: '{key}' is {a:g} in place of {b:g}")


def require_absence_exact(model: Model, without: Model, gone: set[str], grown: Mapping[str, float]) -> None:
    """A model without some mechanisms has the rates and quantities of the model in which their switches are 0."""
    off = {f"switch_{g}": 0.0 for g in gone}
    left = {s for s, d in model.states.items() if not belongs(model, d, gone)}
    require(set(without.states) == left, f"without {', '.join(sorted(gone))} other states are left than expected")
    start_off, start_without = model.initial(off), without.initial()
    for state in without.states:
        require(
            abs(start_off[state] - start_without[state]) <= 1e-14 * abs(start_without[state]),
            f"the initial value of '{state}' depends on a mechanism that is switched off",
        )
    for seed in (1, 2):
        y = disturbed(model, grown, seed)
        for state, declared in model.states.items():
            if declared.clone and belongs(model, declared, gone):
                y[state] = 0.0  # a clone that is switched off starts, and stays, without cells
        kept = {s: y[s] for s in without.states}
        what = f"with {', '.join(sorted(gone))} switched off"
        require_same(model.evaluate(y, off), without.evaluate(kept), {q: 1.0 for q in without.quantities}, what)
        through = flows(model, y, off)
        rates = {s: through[s] for s in without.states}
        require_same(model.derivatives(y, off), without.derivatives(kept), rates, what)


def require_non_negative(model: Model, name: str, grown: Mapping[str, float]) -> None:
    """Where a state of the mechanism is zero its rate of change is not below zero, whatever the others are."""
    module_states = [s.name for s in model.states.values() if s.owner == name]
    for seed in (3, 4):
        y = disturbed(model, grown, seed)
        through = flows(model, y, {})
        for state in module_states:
            rate = float(model.derivatives({**y, state: 0.0})[state])
            require(rate >= -1e-9 * through[state], f"'{state}' falls below zero at {rate:g} per day")


def require_finite_at_zero(model: Model, mechanism: Mechanism, grown: Mapping[str, float]) -> None:
    """With any of its own states at zero, and all of them, rates and quantities of the model stay finite."""
    module_states = [s.name for s in model.states.values() if s.owner == mechanism.name]
    for empty in ([], *([s] for s in module_states), module_states):
        y = dict(grown) | dict.fromkeys(empty, 0.0)
        with np.errstate(all="ignore"):
            try:
                values = {**model.evaluate(y), **{f"rate of {s}": v for s, v in model.derivatives(y).items()}}
            except (ZeroDivisionError, OverflowError, ValueError) as error:
                raise AssertionError(f"with {', '.join(empty) or 'nothing'} at zero: {error}") from None
        wrong = [k for k, v in values.items() if not np.isfinite(float(v))]
        where = f"with {', '.join(empty)} at zero" if empty else "in a grown tumour"
        require(not wrong, f"'{wrong[0] if wrong else ''}' of '{mechanism.name}' is not finite {where}")
