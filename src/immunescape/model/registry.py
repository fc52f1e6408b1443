"""The mechanisms and drugs that exist: every module of ``model/mechanisms`` and ``model/drugs``, and plugins.

A module announces itself by ``MECHANISM`` (or ``MECHANISMS``), ``DRUG`` (or ``DRUGS``). Other packages register through
the entry points ``immunescape.mechanisms`` and ``immunescape.drugs``, each the path of such an object
(:mod:`immunescape.plugins`). Their parameter tables lie in their own package: beside the module, or in ``parameters/``
beside it. A drug of theirs needs a class, a usual dose and its harm, as every drug of ours has them.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from immunescape.errors import InputError, ModelError, unknown_word
from immunescape.model.declarations import Drug, Mechanism
from immunescape.model.parameters import FOLDER
from immunescape.plugins import cached, contributions

__all__ = ["drugs", "get_drug", "get_mechanism", "mechanisms", "with_own_table"]


def with_own_table(one: Mechanism, folder: Path | None, where: str) -> Mechanism:
    """Return a mechanism of another package with its parameter table as an absolute path.

    Looked for beside its module (`folder`), in ``parameters/`` there, and last among the tables of immunescape.

    Raises
    ------
    ModelError
        Where it lies in none of them; names the places.
    """
    table = Path(one.parameters)
    if not str(one.parameters) or table.is_absolute():
        return one
    places = [] if folder is None else [folder / table, folder / "parameters" / table]
    for place in (*places, FOLDER / table):
        if place.is_file():
            return replace(one, parameters=place)
    looked = ", ".join(str(p.parent) for p in places) or "no folder: the module is not a file"
    raise ModelError(
        f"the parameter table '{table}' of '{one.name}' is not there; looked in {looked}",
        where=where,
        hint="Put it beside the module, and name it among the files that the package installs.",
    )


def _members(package: str, single: str, plural: str, group: str) -> list[tuple[object, str]]:
    """Return what the modules of a package and the entry points announce, each with the place that it comes from."""
    found: list[tuple[object, str]] = []
    folder = importlib.import_module(package)
    for info in sorted(pkgutil.iter_modules(folder.__path__), key=lambda i: i.name):
        if info.name.startswith("_"):
            continue
        name = f"{package}.{info.name}"
        module = importlib.import_module(name)
        if hasattr(module, single):
            found.append((getattr(module, single), f"{name}.{single}"))
        elif hasattr(module, plural):
            found.extend((one, f"{name}.{plural}") for one in getattr(module, plural))
        else:
            raise ModelError(f"the module defines neither {single} nor {plural}", where=name)
    for extra in contributions(group):
        one = extra.value
        if isinstance(one, Mechanism):
            one = with_own_table(one, extra.folder, extra.where)
        found.append((one, extra.where))
    return found


def _collect(members: Iterable[tuple[object, str]], kind: type[Mechanism], word: str) -> dict[str, Mechanism]:
    result: dict[str, Mechanism] = {}
    origin: dict[str, str] = {}
    for one, where in members:
        if not isinstance(one, kind) or (kind is Mechanism and isinstance(one, Drug)):
            raise ModelError(f"this is {type(one).__name__}, not {kind.__name__}", where=where)
        if one.name in result:
            raise ModelError(f"{word} '{one.name}' is already registered by {origin[one.name]}", where=where)
        result[one.name], origin[one.name] = one, where
    return result


@cached()
def _mechanisms() -> dict[str, Mechanism]:
    members = _members("immunescape.model.mechanisms", "MECHANISM", "MECHANISMS", "immunescape.mechanisms")
    return _collect(members, Mechanism, "mechanism")


@cached()
def _drugs() -> dict[str, Drug]:
    members = _members("immunescape.model.drugs", "DRUG", "DRUGS", "immunescape.drugs")
    found = {k: d for k, d in _collect(members, Drug, "drug").items() if isinstance(d, Drug)}
    clash = sorted(set(found) & set(_mechanisms()))
    if clash:
        raise ModelError(f"'{clash[0]}' is both a mechanism and a drug")
    taken: dict[str, str] = {}
    for drug in found.values():
        for word in {w.casefold() for w in (drug.name, *drug.synonyms)}:
            if word in taken:
                raise ModelError(f"'{word}' names both drugs '{taken[word]}' and '{drug.name}'")
            taken[word] = drug.name
    for extra in contributions("immunescape.drugs"):
        _check_harm(extra.value.name, extra.where)
    return found


def _check_harm(drug: str, where: str) -> None:
    """Refuse a drug of a plug-in without class, harm or usual dose: it would fail in the middle of a trial, or win."""
    from immunescape.knowledge.toxicity import drug_classes, toxicity, toxicity_facts, usual_doses

    toxicity_facts()  # a table that cannot be read names its row
    hint = (
        "Bring '{file}' in the folder of the plug-in's entry point in the group 'immunescape.data'; "
        "examples/plugin has one, and immunescape.testing.check_drug says what is missing."
    )
    if drug not in drug_classes():
        raise ModelError(f"the drug '{drug}' has no class", where=where, hint=hint.format(file="drug_classes.csv"))
    if drug not in usual_doses():
        raise ModelError(f"the drug '{drug}' has no usual dose", where=where, hint=hint.format(file="usual_doses.csv"))
    try:
        toxicity((drug,))
    except InputError as error:
        raise ModelError(
            f"the drug '{drug}' has no complete record of harm: {error.message}",
            where=where,
            hint="A drug without harm would always win. " + hint.format(file="toxicity.csv"),
        ) from error


def mechanisms() -> MappingProxyType[str, Mechanism]:
    """Return every registered mechanism (drugs aside) by name."""
    return MappingProxyType(_mechanisms())


def drugs() -> MappingProxyType[str, Drug]:
    """Return every registered drug by name."""
    return MappingProxyType(_drugs())


def get_mechanism(name: str) -> Mechanism:
    """Return the mechanism of that name; an unknown one answers with the nearest."""
    found = _mechanisms()
    if name not in found:
        raise unknown_word("mechanism", name, found)
    return found[name]


def get_drug(name: str, *, where: str | None = None) -> Drug:
    """Return a drug by name or synonym (brand name, code), whatever the case; an unknown one answers with the nearest.

    Parameters
    ----------
    name
        E.g. ``pembrolizumab``, ``Keytruda``, ``nab-paclitaxel``.
    where
        File and line that the name stands in, for the error.
    """
    words = {w.casefold(): d.name for d in _drugs().values() for w in (d.name, *d.synonyms)}
    word = " ".join(name.split()).casefold()
    for candidate in (word, word.replace("-", "_").replace(" ", "_")):
        if candidate in words:
            return _drugs()[words[candidate]]
    raise unknown_word("drug", name, words, where=where)
