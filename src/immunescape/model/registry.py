"""The mechanisms and drugs that exist: every module of ``model/mechanisms`` and ``model/drugs``, and plugins.

A module announces itself by ``MECHANISM`` (or ``MECHANISMS``), ``DRUG`` (or ``DRUGS``). Other packages register through
the entry points ``immunescape.mechanisms`` and ``immunescape.drugs``, each the path of such an object.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import entry_points
from types import MappingProxyType

from immunescape.errors import ModelError, unknown_word
from immunescape.model.declarations import Drug, Mechanism

__all__ = ["drugs", "get_drug", "get_mechanism", "mechanisms"]


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
    for point in sorted(entry_points(group=group), key=lambda p: p.name):
        loaded = point.load()
        many = loaded if isinstance(loaded, (list, tuple)) else (loaded,)
        found.extend((one, f"entry point {point.name} = {point.value}") for one in many)
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


@lru_cache(maxsize=1)
def _mechanisms() -> dict[str, Mechanism]:
    members = _members("immunescape.model.mechanisms", "MECHANISM", "MECHANISMS", "immunescape.mechanisms")
    return _collect(members, Mechanism, "mechanism")


@lru_cache(maxsize=1)
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
    return found


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
