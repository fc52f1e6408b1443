"""Which mechanisms and drugs make a model, and whether they have what they require."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from immunescape.errors import InputError, ModelError, unknown_word
from immunescape.model import registry
from immunescape.model.declarations import Drug, Mechanism

__all__ = ["closures", "dependents", "label", "select"]


def label(mechanism: Mechanism) -> str:
    """Return how errors call it: ``mechanism 'growth'``, ``drug 'docetaxel'``; that of a plug-in with its package."""
    package = registry.package_of(mechanism)
    kind = "drug" if isinstance(mechanism, Drug) else "mechanism"
    return f"{kind} '{mechanism.name}'" + (f" of the package '{package}'" if package else "")


def select(
    mechanisms: Iterable[str | Mechanism] | None, drugs: Iterable[str | Drug], without: Iterable[str]
) -> list[Mechanism]:
    """Resolve names and check requirements.

    Parameters
    ----------
    mechanisms
        Names or declarations; None takes every registered mechanism.
    drugs
        Names, synonyms or declarations.
    without
        Names of mechanisms to leave out.

    Returns
    -------
    list of Mechanism
        Mechanisms first, then drugs, each once.

    Raises
    ------
    InputError
        For an unknown name, with the nearest.
    ModelError
        If one requires another that is not there; the hint says what to leave out or add.
    """
    if isinstance(mechanisms, str) or isinstance(drugs, str) or isinstance(without, str):
        raise InputError(
            "mechanisms, drugs and without take lists of names, not a single string", hint="Write ('name',)."
        )
    named = list(registry.mechanisms()) if mechanisms is None else list(mechanisms)
    chosen = [registry.get_mechanism(m) if isinstance(m, str) else m for m in named]
    names = {m.name for m in chosen} | set(registry.mechanisms())
    leave = list(without)
    for name in leave:
        if name not in names:
            raise unknown_word("mechanism", name, names)
    chosen = [m for m in chosen if m.name not in leave]
    chosen += [registry.get_drug(d) if isinstance(d, str) else d for d in drugs]
    result: dict[str, Mechanism] = {}
    for mechanism in chosen:
        if mechanism.name in result and result[mechanism.name] is not mechanism:
            raise ModelError(f"two mechanisms are called '{mechanism.name}'")
        result[mechanism.name] = mechanism
    _check_requirements(result, leave, names)
    return list(result.values())


def _check_requirements(chosen: dict[str, Mechanism], leave: Sequence[str], registered: set[str]) -> None:
    for mechanism in chosen.values():
        for name in mechanism.requires:
            if name in chosen:
                continue
            if name in leave:
                also = sorted(dependents([*chosen.values()], leave))
                raise ModelError(
                    f"{label(mechanism)} requires '{name}', which is left out",
                    hint=f"Also leave out those that require it: {', '.join(also)}.",
                )
            if name not in registered and name not in registry.drugs():
                raise unknown_word(
                    "mechanism", name, registered, where=f"{label(mechanism)}, requires", error=ModelError
                )
            raise ModelError(f"{label(mechanism)} requires '{name}', which is not in this model", hint=f"Add '{name}'.")


def dependents(chosen: Iterable[Mechanism], leave: Iterable[str]) -> set[str]:
    """Return the names of all that require, directly or not, one of those that are left out."""
    gone, every = set(leave), list(chosen)
    dependent: set[str] = set()
    while more := {m.name for m in every if m.name not in gone and gone & set(m.requires)}:
        gone |= more
        dependent |= more
    return dependent


def closures(chosen: Iterable[Mechanism]) -> dict[str, frozenset[str]]:
    """Return for each mechanism the names of all that it requires, directly or not, and its own."""
    direct = {m.name: set(m.requires) for m in chosen}
    result: dict[str, frozenset[str]] = {}
    for name in direct:
        seen, stack = {name}, [name]
        while stack:
            for other in direct.get(stack.pop(), ()):
                if other not in seen:
                    seen.add(other)
                    stack.append(other)
        result[name] = frozenset(seen)
    return result
