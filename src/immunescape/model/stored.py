"""Assembled models on disk, so that worker processes and later runs read them instead of assembling them again.

An entry of the cache (see `immunescape.engine.native.cache`) holds a model of registered parts as JSON, and its SBML.
Its key stands for everything that the assembly follows from: the declarations of its mechanisms and drugs, those of
plug-ins included, their parameter tables, the reference strengths and the sources of this package. What cannot be read
is assembled anew; nothing in an entry is executed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from immunescape.errors import EngineError
from immunescape.model.assembly import Model
from immunescape.model.declarations import Clone, Drug, Mechanism
from immunescape.model.expressions import Apply, Expression, Name, Number
from immunescape.model.parameters import Parameter, table_path
from immunescape.model.records import ModelEvent, ModelQuantity, ModelReaction, ModelState
from immunescape.model.reference_strengths import strengths_file
from immunescape.model.selection import select
from immunescape.model.specificity import DEFAULT, Specificity, checked
from immunescape.plugins import cached

__all__ = ["decoded", "encoded", "registered_model", "untreated_model"]

T = TypeVar("T")
_FOLDER = Path(__file__).parent
_DOCUMENT, _CONTENT = "model.xml", "model.json"
_TABLES: Mapping[str, type[Any]] = {
    "states": ModelState,
    "parameters": Parameter,
    "quantities": ModelQuantity,
    "reactions": ModelReaction,
    "events": ModelEvent,
}


@cached(8)
def registered_model(drugs: tuple[str, ...], specificity: str = DEFAULT) -> Model:
    """Return the model of every registered mechanism with some registered drugs, made or read once in a process.

    Units are not checked: the tables of the package are checked by its tests.
    """
    from immunescape.engine.native.cache import fetch

    parts = select(None, drugs, ())
    option = checked(specificity)
    try:
        entry, _ = fetch(_key(parts, option), lambda folder: _store(parts, option, folder))
        model = decoded(json.loads((entry / _CONTENT).read_text(encoding="utf-8")), parts, option)
        document = (entry / _DOCUMENT).read_text(encoding="utf-8")
    except (EngineError, OSError, LookupError, TypeError, ValueError):  # nowhere to keep it, or not what was written
        return _assembled(parts, option)
    model.__dict__["_sbml"] = document  # where the cached property keeps it
    return model


_UNTREATED: WeakKeyDictionary[Model, Model] = WeakKeyDictionary()


def untreated_model(model: Model) -> Model:
    """Return a model's mechanisms without drugs; units are not checked again. The model itself, where it has no drugs.

    A registered model is read from the cache; another is assembled once for as long as `model` lives.
    """
    if not model.drugs:
        return model
    if model.registered:
        return registered_model((), model.specificity)
    if model not in _UNTREATED:
        _UNTREATED[model] = Model.build(
            model.mechanisms, drugs=(), check_units=False, strengths=model.strengths, specificity=model.specificity
        )
    return _UNTREATED[model]


def _assembled(parts: Iterable[Mechanism], specificity: Specificity = DEFAULT) -> Model:
    parts = tuple(parts)
    plain = [p for p in parts if not isinstance(p, Drug)]
    model = Model.build(plain, [p for p in parts if isinstance(p, Drug)], check_units=False, specificity=specificity)
    return replace(model, registered=True)


def _store(parts: Iterable[Mechanism], specificity: Specificity, folder: Path) -> dict[str, Any]:
    model = _assembled(parts, specificity)
    (folder / _DOCUMENT).write_text(model.to_sbml(unreferenced=True), encoding="utf-8")
    (folder / _CONTENT).write_text(json.dumps(encoded(model)), encoding="utf-8")
    return {"model": [module.name for module in parts]}


def _key(parts: Iterable[Mechanism], specificity: Specificity = DEFAULT) -> str:
    from immunescape.engine.native.cache import fingerprint

    tables = [table_path(module.parameters).read_text(encoding="utf-8") for module in parts]
    file = strengths_file(specificity)
    strengths = file.read_text(encoding="utf-8") if file.is_file() else ""
    return fingerprint("assembled model", specificity, _sources(), *map(repr, parts), *tables, strengths)


@cache
def _sources() -> str:
    """Everything in this folder that assembles; what declares is in the declarations."""
    return "".join(path.read_text(encoding="utf-8") for path in sorted([*_FOLDER.glob("*.py"), *_FOLDER.glob("*.csv")]))


def encoded(model: Model) -> dict[str, Any]:
    """Return a registered model without its declarations as plain data for JSON."""
    trees = _Trees()
    content: dict[str, Any] = {
        name: [_row(record, trees) for record in getattr(model, name).values()] for name in _TABLES
    }
    return content | {
        "clones": [_row(clone, trees) for clone in model.clones],
        "compartments": dict(model.compartments),
        "modulations": [*map(list, model.modulations)],
        "missing_strengths": [*map(list, model.missing_strengths)],
        "trees": trees.nodes,
    }


def decoded(content: Mapping[str, Any], parts: Iterable[Mechanism], specificity: Specificity = DEFAULT) -> Model:
    """Return the model of which `encoded` gave the content, and that was assembled of these declarations.

    Raises
    ------
    IndexError, KeyError, TypeError, ValueError
        Where the content is not what `encoded` returns.
    """
    trees = _trees(content["trees"])
    tables = {
        name: {record.name: record for record in _records(kind, content[name], trees)} for name, kind in _TABLES.items()
    }
    parts = tuple(parts)
    return Model(
        mechanisms=tuple(p for p in parts if not isinstance(p, Drug)),
        drugs=tuple(p for p in parts if isinstance(p, Drug)),
        compartments=dict(content["compartments"]),
        clones=tuple(_records(Clone, content["clones"], trees)),
        modulations=tuple(_triple(key) for key in content["modulations"]),
        missing_strengths=tuple(_triple(key) for key in content["missing_strengths"]),
        registered=True,
        specificity=specificity,
        **tables,
    )


def _triple(key: list[str]) -> tuple[str, str, str]:
    process, pathway, mechanism = key
    return process, pathway, mechanism


_TREES = ("initial", "rate", "expression", "trigger")
_TUPLES = ("dimension", "sources")


class _Trees:
    """Expressions as a list of nodes, each once and after its parts, which are numbers of nodes.

    A name is a text, a number a number (or, with its dimension, a list of both), an operation a list of its own name
    and its parts.
    """

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self._place: dict[Any, int] = {}

    def add(self, tree: Expression) -> int:
        """Return the number of an expression's node, which is made where it is new."""
        if isinstance(tree, Apply):
            parts = [self.add(argument) for argument in tree.args]
            key: Any = (tree.op, *parts)
            data: Any = [tree.op, *parts]
        elif isinstance(tree, Name):
            key = data = tree.id
        else:
            key = (repr(tree.value), tree.dimension)  # -0.0 is not 0.0
            data = tree.value if tree.dimension is None else [tree.value, list(tree.dimension)]
        if key not in self._place:
            self._place[key] = len(self.nodes)
            self.nodes.append(data)
        return self._place[key]


def _trees(nodes: list[Any]) -> list[Expression]:
    """Expressions of the nodes that `_Trees` holds."""
    made: list[Expression] = []
    for data in nodes:
        if isinstance(data, str):
            made.append(Name(data))
        elif not isinstance(data, list):
            made.append(Number(data))
        elif isinstance(data[0], str):
            made.append(Apply(data[0], tuple([made[index] for index in data[1:]])))
        else:
            made.append(Number(data[0], tuple(data[1])))
    return made


def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _row(record: Any, trees: _Trees) -> list[Any]:
    row: list[Any] = []
    for name in _names(type(record)):
        value = getattr(record, name)
        if name in _TREES:
            value = trees.add(value)
        elif name == "assignments":
            value = {state: trees.add(tree) for state, tree in value.items()}
        row.append(dict(value) if isinstance(value, Mapping) else list(value) if isinstance(value, tuple) else value)
    return row


def _records(kind: type[T], rows: list[list[Any]], trees: list[Expression]) -> list[T]:
    names = _names(kind)
    for row in rows:
        for place, name in enumerate(names):
            if name in _TREES:
                row[place] = trees[row[place]]
            elif name in _TUPLES:
                row[place] = tuple(row[place])
            elif name == "assignments":
                row[place] = {state: trees[tree] for state, tree in row[place].items()}
    return [kind(**dict(zip(names, row, strict=True))) for row in rows]
