"""One parameter, state or quantity of the model by name: value, unit, source, equation, and what uses it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from immunescape.model import Model

__all__ = ["name_facts", "names_of_the_model", "parameter_names", "print_name"]


@lru_cache(maxsize=1)
def _full_model() -> Model:
    from immunescape.model import Model
    from immunescape.model.registry import drugs

    return Model.build(drugs=list(drugs()))


def parameter_names() -> list[str]:
    """Parameters of the tables, and switches, of the model with every drug."""
    parameters = _full_model().parameters.values()
    return [p.name for p in parameters if p.grade != "defined" or p.name.startswith("switch_")]


def names_of_the_model() -> list[str]:
    """Numbers of the tables, states and quantities of the model with every drug."""
    from immunescape.model.describe import composition_numbers

    model = _full_model()
    composed = [p.name for p in composition_numbers(model)]
    return [*parameter_names(), *composed, *model.states, *model.quantities]


def name_facts(name: str) -> dict[str, Any] | None:
    """Return what is known of a parameter, state or quantity of the model; None where the model has no such name.

    Returns
    -------
    dict
        ``kind``, ``name``, ``mechanism`` (or drug), ``unit``, ``meaning``, ``used_in`` (names of reactions, quantities
        and events), and of a parameter ``value``, ``distribution``, ``across_patients``, ``grade``, ``source``,
        ``settable`` (whether a patient may have another value), of a state ``compartment`` and ``equation``, of a
        quantity ``equation`` and ``observable``.
    """
    from immunescape.model.describe import composition_numbers, parameter_table, reactions_of
    from immunescape.model.expressions import write
    from immunescape.population.fit import PopulationFit

    model = _full_model()
    common = {"name": name, "used_in": _users(model, name)}
    if name in model.states:
        state = model.states[name]
        return {
            "kind": "state",
            **common,
            "mechanism": state.owner,
            "unit": state.unit,
            "meaning": state.meaning,
            "compartment": state.compartment,
            "equation": f"d({name})/dt = {reactions_of(model, name)}",
        }
    if name in model.quantities:
        quantity = model.quantities[name]
        return {
            "kind": "quantity",
            **common,
            "mechanism": quantity.owner,
            "unit": quantity.unit,
            "meaning": quantity.meaning,
            "equation": f"{name} = {write(quantity.expression)}",
            "observable": quantity.observable,
        }
    composed = {p.name: p for p in composition_numbers(model)}
    parameter = composed.get(name) or model.parameters.get(name)
    if parameter is None:
        return None
    settable = name not in composed
    if not settable:
        common["used_in"] = [f"f_{process}" for process in _in_series(model)]
    rows = {str(row["name"]): row for row in parameter_table(model)}
    if name in rows:
        row = {key: value for key, value in rows[name].items() if key != "note"}
        across = {
            "across_patients": parameter.across_patients,
            "population_fit": dict(PopulationFit.shipped().of(name)),
        }
        return {
            "kind": "parameter",
            **common,
            **row,
            **across,
            "meaning": rows[name]["note"],
            "settable": settable,
        }
    return {
        "kind": "parameter",
        **common,
        "mechanism": parameter.owner,
        "unit": parameter.unit,
        "value": parameter.value,
        "grade": parameter.grade,
        "meaning": parameter.note or "Strength of a modulation in the reference patient",
        "settable": settable,
    }


def _in_series(model: Model) -> list[str]:
    """Processes on which more than one pathway acts as an inhibitor."""
    pathways: dict[str, set[str]] = {}
    for module in (*model.mechanisms, *model.drugs):
        for modulation in module.modulations:
            if modulation.effect == "inhibits":
                pathways.setdefault(modulation.process, set()).add(modulation.pathway)
    return [process for process, several in pathways.items() if len(several) > 1]


def _users(model: Model, name: str) -> list[str]:
    """Names of the quantities, reactions and events in whose expressions a name occurs."""
    from immunescape.model.expressions import names

    users = [q.name for q in model.quantities.values() if name in names(q.expression)]
    users += [r.name for r in model.reactions.values() if name in names(r.rate)]
    for event in model.events.values():
        if any(name in names(tree) for tree in (event.trigger, *event.assignments.values())):
            users.append(event.name)
    return users


def print_name(facts: dict[str, Any]) -> None:
    """Print what `name_facts` returned, with the command that changes or plots it."""
    from immunescape.knowledge.references import format_reference, get_reference, load_references

    name, kind = facts["name"], facts["kind"]
    print(f"{name}: {kind} of {facts['mechanism']}\n{facts['meaning']}\n")
    for key in ("value", "unit", "across_patients", "grade", "source", "compartment", "equation"):
        if facts.get(key) not in (None, ""):
            print(f"{key.replace('_', ' ')}: {facts[key]}")
    if fitted := facts.get("population_fit"):
        terms = ", ".join(f"{term} {value:.3g}" for term, value in fitted.items())
        print(f"moved by the population fit (normal score between patients): {terms}")
    if facts["used_in"]:
        print("used in: " + ", ".join(facts["used_in"]))
    option = f"--set {name}={0 if name.startswith('switch_') else 'x2'}" if kind == "parameter" else f"--observe {name}"
    if facts.get("settable", True):
        print(f"\nIn a patient: immunescape simulate '{_regimen_with(facts['mechanism'])}' {option}")
    else:
        print("\nThe same in all patients: it is a number of the equations, and cannot be set.")
    keys = str(facts.get("source", "")).removeprefix("direction from ").split("; ")
    references = load_references()
    cited = [key for key in keys if key in references]
    if cited:
        print("\nReferences")
        for key in cited:
            print(f"  [{key}] {format_reference(get_reference(key, references))}")


def _regimen_with(owner: str) -> str:
    """A regimen under which what a mechanism or drug declares is part of the model."""
    from immunescape.model.registry import drugs
    from immunescape.report.pages import regimen_of

    return regimen_of(owner) if owner in drugs() else "pembrolizumab 200 mg every 3 weeks"
