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
    """Parameters of the tables, states and quantities of the model with every drug."""
    model = _full_model()
    return [*parameter_names(), *model.states, *model.quantities]


def name_facts(name: str) -> dict[str, Any] | None:
    """Return what is known of a parameter, state or quantity of the model; None where the model has no such name.

    Returns
    -------
    dict
        ``kind``, ``name``, ``mechanism`` (or drug), ``unit``, ``meaning``, ``used_in`` (names of reactions, quantities
        and events), and of a parameter ``value``, ``distribution``, ``grade``, ``source``, of a state ``compartment``
        and ``equation``, of a quantity ``equation`` and ``observable``.
    """
    from immunescape.model.describe import parameter_table, reactions_of
    from immunescape.model.expressions import write

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
    if name not in model.parameters:
        return None
    rows = {str(row["name"]): row for row in parameter_table(model)}
    if name in rows:
        row = {key: value for key, value in rows[name].items() if key != "note"}
        return {"kind": "parameter", **common, **row, "meaning": rows[name]["note"]}
    parameter = model.parameters[name]
    return {
        "kind": "parameter",
        **common,
        "mechanism": parameter.owner,
        "unit": parameter.unit,
        "value": parameter.value,
        "grade": parameter.grade,
        "meaning": parameter.note or "Strength of a modulation in the reference patient",
    }


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
    for key in ("value", "unit", "distribution", "grade", "source", "compartment", "equation"):
        if facts.get(key) not in (None, ""):
            print(f"{key}: {facts[key]}")
    if facts["used_in"]:
        print("used in: " + ", ".join(facts["used_in"]))
    option = f"--set {name}={0 if name.startswith('switch_') else 'x2'}" if kind == "parameter" else f"--observe {name}"
    print(f"\nIn a patient: immunescape simulate 'pembrolizumab 200 mg every 3 weeks' {option}")
    keys = str(facts.get("source", "")).removeprefix("direction from ").split("; ")
    references = load_references()
    cited = [key for key in keys if key in references]
    if cited:
        print("\nReferences")
        for key in cited:
            print(f"  [{key}] {format_reference(get_reference(key, references))}")
