"""What a person reads of a model: its equations, its bibliography, its tables."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from immunescape.errors import unknown_word
from immunescape.model.composition import series_exponent
from immunescape.model.declarations import Drug, Mechanism
from immunescape.model.expressions import Name, Number, names, write
from immunescape.model.parameters import table_path
from immunescape.model.specificity import in_series
from immunescape.model.units import dimension_text

if TYPE_CHECKING:
    from immunescape.model.assembly import Model
    from immunescape.model.parameters import Parameter

__all__ = [
    "bibliography",
    "citation_keys",
    "composition_numbers",
    "equations",
    "parameter_table",
    "reactions_of",
    "state_table",
    "summary",
]


def equations(model: Model, mechanism: str | None = None) -> str:
    """Write the assembled equations, mechanism by mechanism.

    Parameters
    ----------
    model
        The model.
    mechanism
        Only this mechanism or drug; None writes all.

    Returns
    -------
    str
        Differential equations in terms of reactions, rates of the reactions, quantities, events; in base units.
    """
    every = [*model.mechanisms, *model.drugs]
    if mechanism is not None:
        by_name = {m.name: m for m in every}
        if mechanism not in by_name:
            raise unknown_word("mechanism of this model", mechanism, by_name)
        every = [by_name[mechanism]]
    flows = _flows(model)
    head = "Base units: day, cm (volume cm^3 = mL), cell, nmol, mg; states are amounts.\n\n"
    return head + "\n".join(text for m in every if (text := _section(model, m, flows)))


def _flows(model: Model) -> dict[str, list[str]]:
    flows: dict[str, list[str]] = {s: [] for s in model.states}
    for name, reaction in model.reactions.items():
        for sign, side in (("-", reaction.reactants), ("+", reaction.products)):
            for state, stoichiometry in side.items():
                factor = "" if stoichiometry == 1 else f"{stoichiometry:g} * "
                flows[state].append(f"{sign} {factor}{name}")
    return flows


def reactions_of(model: Model, state: str) -> str:
    """Write the right-hand side of a state: its reactions, with signs and stoichiometries."""
    return " ".join(_flows(model)[state]).removeprefix("+ ") or "0"


def _section(model: Model, mechanism: Mechanism, flows: dict[str, list[str]]) -> str:
    mechanism_name = mechanism.name
    lines: list[str] = []
    for name, state in model.states.items():
        if state.owner == mechanism_name:
            right = " ".join(flows[name]).removeprefix("+ ") or "0"
            lines.append(f"  d({name})/dt = {right}    [{dimension_text(state.dimension)}/day; {state.meaning}]")
            if not (isinstance(state.initial, Number) and state.initial.value == 0):
                lines.append(f"  {name}(0) = {write(state.initial)}")
    for name, reaction in model.reactions.items():
        if reaction.owner == mechanism_name:
            left = " + ".join(_side(s, n) for s, n in reaction.reactants.items()) or "nothing"
            right = " + ".join(_side(s, n) for s, n in reaction.products.items()) or "nothing"
            lines.append(f"  {name}: {left} -> {right},  rate = {write(reaction.rate)}    [{reaction.meaning}]")
    for name, quantity in model.quantities.items():
        if quantity.owner == mechanism_name:
            unit = dimension_text(quantity.dimension)
            lines.append(f"  {name} = {write(quantity.expression)}    [{unit}; {quantity.meaning}]")
    for name, event in model.events.items():
        if event.owner == mechanism_name:
            actions = ", ".join(f"{s} := {write(t)}" for s, t in event.assignments.items())
            lines.append(f"  {name}: when {write(event.trigger)}, {actions}")
    if not lines:
        return ""
    kind = "drug" if isinstance(mechanism, Drug) else "mechanism"
    return f"{mechanism.title} ({kind} {mechanism_name})\n" + "\n".join(lines) + "\n"


def _side(state: str, stoichiometry: float) -> str:
    return state if stoichiometry == 1 else f"{stoichiometry:g} {state}"


def _cited(model: Model) -> dict[str, str]:
    """Return key -> what cites it first."""
    cited: dict[str, str] = {}
    for mechanism in (*model.mechanisms, *model.drugs):
        for key in mechanism.references:
            cited.setdefault(key, f"mechanism '{mechanism.name}'")
    for parameter in model.parameters.values():
        for key in parameter.sources:
            cited.setdefault(key, parameter.origin)
    return cited


def citation_keys(model: Model) -> list[str]:
    """Return the keys that the mechanisms and parameters of a model cite, sorted."""
    return sorted(_cited(model))


def bibliography(model: Model, style: str = "text") -> str:
    """Write the bibliography of a model.

    Parameters
    ----------
    model
        The model.
    style
        ``text`` (one line for each reference, with its key) or ``bibtex``.

    Raises
    ------
    InputError
        If a key is not in the bibliography: names what cites it and the nearest key.
    """
    from immunescape.knowledge.references import format_reference, get_reference, load_references

    if style not in ("text", "bibtex"):
        raise unknown_word("style", style, ("text", "bibtex"))
    references = load_references(_plugin_bibliographies(model))
    entries = [get_reference(k, references, where) for k, where in sorted(_cited(model).items())]
    if style == "bibtex":
        return "\n\n".join(e.raw for e in entries) + "\n"
    return "\n".join(f"[{e.key}] {format_reference(e)}" for e in entries) + "\n"


def _plugin_bibliographies(model: Model) -> list[Path]:
    """Return BibTeX files that lie beside the parameter tables of plugins."""
    tables = [m.parameters for m in (*model.mechanisms, *model.drugs) if str(m.parameters)]
    folders = {table_path(t).parent for t in tables if Path(t).is_absolute()}
    return sorted(p for folder in folders for p in folder.glob("*.bib"))


def state_table(model: Model) -> list[dict[str, object]]:
    """Return one row for each state: name, unit, compartment, mechanism, meaning."""
    return [
        {"name": s.name, "unit": s.unit, "compartment": s.compartment, "mechanism": s.owner, "meaning": s.meaning}
        for s in model.states.values()
    ]


def _source(p: Parameter) -> str:
    """Source of a parameter's value; of an assumed one, what gave the direction."""
    keys = "; ".join(p.sources)
    return f"direction from {keys}" if keys and p.grade == "assumed" else keys or "assumed"


def composition_numbers(model: Model) -> list[Parameter]:
    """Numbers that stand in the equations of a model as such, and so are none of its parameters: the exponent."""
    exponent = series_exponent()
    if not in_series(model.specificity) or exponent.name in model.parameters:
        return []
    return [replace(exponent, owner="composition")]


def parameter_table(model: Model) -> list[dict[str, object]]:
    """Return one row for each number of the tables (switches and reference strengths aside), the exponent included."""
    return [
        {
            "name": p.name,
            "value": p.value,
            "unit": p.unit,
            "distribution": p.distribution,
            "grade": p.grade,
            "source": _source(p),
            "mechanism": p.owner,
            "note": p.note,
        }
        for p in (*model.parameters.values(), *composition_numbers(model))
        if p.grade != "defined"
    ]


def unused_parameters(model: Model) -> list[str]:
    """Return parameters that no expression of the model uses (they may serve elsewhere, e.g. as a stop value)."""
    trees = [s.initial for s in model.states.values()]
    trees += [r.rate for r in model.reactions.values()] + [q.expression for q in model.quantities.values()]
    trees += [t for e in model.events.values() for t in (e.trigger, *e.assignments.values())]
    used = {n for tree in (*trees, *map(Name, model.compartments.values())) for n in names(tree)}
    return [p.name for p in model.parameters.values() if p.name not in used and p.grade != "defined"]


def summary(model: Model) -> str:
    """Write what a model is made of, with the grades of its parameters."""
    numbers = [*model.parameters.values(), *composition_numbers(model)]
    grades = Counter(p.grade for p in numbers if p.grade != "defined")
    directed = sum(p.grade == "assumed" and bool(p.sources) for p in numbers)
    lines = [
        f"{len(model.states)} states, {len(model.reactions)} reactions, {len(model.quantities)} quantities, "
        f"{len(model.events)} events, {len(model.observables)} observables",
        f"{sum(grades.values())} parameters: "
        + ", ".join(f"{grades.get(g, 0)} {g}" for g in ("measured", "fitted", "assumed"))
        + f" ({directed} of these with their direction from a source)",
    ]
    for heading, members in (("Mechanisms", model.mechanisms), ("Drugs", model.drugs)):
        if members:
            lines.append(f"{heading}:")
            lines += [f"  {m.name}: {m.title}" for m in members]
    if model.clones:
        lines.append("Clones: " + ", ".join(f"{c.name} ({c.meaning})" for c in model.clones))
    if model.missing_strengths:
        lines.append("Without a stored reference strength: " + ", ".join("/".join(k) for k in model.missing_strengths))
    return "\n".join(lines) + "\n"
