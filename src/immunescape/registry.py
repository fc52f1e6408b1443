"""One convention of registration: objects of a kind by name, ours and those of plug-ins, a name taken once.

A :class:`Registry` gathers what the modules of one package announce, by a constant (``MECHANISM``) or by calling
:meth:`Registry.add`, what is read from files, and what other packages bring through a group of entry points
(:mod:`immunescape.plugins`). It looks at first use, refuses a name that is taken and says by what, answers a misspelt
name with the nearest, and prints itself as a table with the tags by which entries are searched.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeVar

from immunescape import plugins
from immunescape.errors import ImmunescapeError, ModelError, unknown_word
from immunescape.record_types import wrong_field

__all__ = ["Entry", "Registry"]


class _Named(Protocol):
    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=_Named)


@dataclass(frozen=True)
class Entry(Generic[T]):
    """An object that is registered, and the module, entry point or line of a file that it comes from."""

    item: T
    where: str


class Registry(Generic[T]):
    """Objects of one kind by name.

    Parameters
    ----------
    noun
        What the objects are called in errors: ``reader``.
    kind
        Their class.
    modules
        Package whose modules are imported at first use, so that they announce what they hold; those whose name starts
        with ``_`` are not. '' where everything is added by hand.
    constants
        Names of the constants (one object, several) by which such a module announces; empty where modules call
        :meth:`add`.
    read
        Reads objects from files, those of plug-ins too, each with its file and line; None where none are in files.
    group
        Group of entry points through which other packages add objects; '' for none.
    adopt
        Makes the object of what an entry point gives; None: that is the object. It may return None for one that its own
        module has added already.
    check
        Refuses an object by raising; gets it and the place that it comes from.
    identity
        What two objects of one definition have in common, so that a module that is imported again is not a clash; None:
        the object itself.
    tags
        Properties of an object that :meth:`table` shows and searches.
    error
        Class of the errors.
    """

    def __init__(
        self,
        noun: str,
        kind: type[T],
        *,
        modules: str = "",
        constants: tuple[str, ...] = (),
        read: Callable[[], Iterable[Entry[T]]] | None = None,
        group: str = "",
        adopt: Callable[[plugins.Contribution], T | None] | None = None,
        check: Callable[[T, str], None] | None = None,
        identity: Callable[[T], object] | None = None,
        tags: Callable[[T], Mapping[str, Any]] | None = None,
        error: type[ImmunescapeError] = ModelError,
    ) -> None:
        self.noun, self.kind = noun, kind
        self._modules, self._constants, self._read, self._group = modules, constants, read, group
        self._adopt, self._check, self._identity, self._tags = adopt, check, identity, tags
        self._error = error
        self._added: dict[str, Entry[T]] = {}
        self._entries = plugins.cached()(self._gather)

    def add(self, item: T, where: str = "") -> T:
        """Register an object and return it; its name may be taken only once.

        Raises
        ------
        ImmunescapeError
            If another object has the name.
        """
        self._take(self._added, item, where or self._place(item))
        self._entries.cache_clear()  # type: ignore[attr-defined]
        return item

    def forget(self, modules: Collection[str]) -> None:
        """Drop what these modules have added, as where a plug-in's modules are unloaded."""
        for name, entry in list(self._added.items()):
            if any(entry.where.startswith(f"{module}.") for module in modules):
                del self._added[name]
        self._entries.cache_clear()  # type: ignore[attr-defined]

    def entries(self) -> Mapping[str, Entry[T]]:
        """Every entry by name: ours in the order of their modules, then those of plug-ins."""
        return MappingProxyType(self._entries())

    def all(self) -> Mapping[str, T]:
        """Every object by name."""
        return MappingProxyType({name: entry.item for name, entry in self._entries().items()})

    def get(self, name: str, *, where: str | None = None) -> T:
        """The object of a name.

        Parameters
        ----------
        name
            The name.
        where
            File and line that it stands in, for the error.

        Raises
        ------
        ImmunescapeError
            For an unknown name, with the nearest one.
        """
        entries = self._entries()
        if name not in entries:
            raise unknown_word(self.noun, name, entries, where=where)
        return entries[name].item

    def table(self, **tags: Any) -> list[dict[str, Any]]:
        """One row for each object: name, tags, origin; with `tags`, of those that have these values.

        A tag that holds several values (a tuple) is found by any of them.
        """
        rows = [
            {"name": name, **(self._tags(entry.item) if self._tags else {}), "origin": entry.where}
            for name, entry in self._entries().items()
        ]
        for tag in tags:
            if rows and tag not in rows[0]:
                raise unknown_word(f"tag of a {self.noun}", tag, rows[0])
        return [row for row in rows if all(_holds(row[tag], value) for tag, value in tags.items())]

    def holds(self, condition: Callable[[T], bool]) -> bool:
        """Whether an object that its own module has added meets a condition."""
        return any(condition(entry.item) for entry in self._added.values())

    def _gather(self) -> dict[str, Entry[T]]:
        entries: dict[str, Entry[T]] = {}
        announced = list(self._announced())
        for entry in (*self._added.values(), *announced, *(self._read() if self._read is not None else ())):
            self._take(entries, entry.item, entry.where)
        for extra in plugins.contributions(self._group) if self._group else ():
            item = extra.value if self._adopt is None else self._adopt(extra)
            if item is not None:
                self._take(entries, item, extra.where)
                if wrong := wrong_field(item):
                    raise self._error(wrong, where=extra.where)
        for name in set(self._added) - set(entries):  # added while an entry point was loaded
            self._take(entries, self._added[name].item, self._added[name].where)
        return entries

    def _announced(self) -> Iterator[Entry[T]]:
        if not self._modules:
            return
        package = importlib.import_module(self._modules)
        for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda i: i.name):
            if info.name.startswith("_"):
                continue
            module = importlib.import_module(f"{self._modules}.{info.name}")
            if not self._constants:
                continue
            constant = next((c for c in self._constants if hasattr(module, c)), None)
            if constant is None:
                raise self._error(f"the module defines neither {' nor '.join(self._constants)}", where=module.__name__)
            value = getattr(module, constant)
            for item in value if isinstance(value, (list, tuple)) else (value,):
                yield Entry(item, f"{module.__name__}.{constant}")

    def _take(self, entries: dict[str, Entry[T]], item: Any, where: str) -> None:
        if not isinstance(item, self.kind):
            raise self._error(f"this is {type(item).__name__}, not {self.kind.__name__}", where=where)
        if self._check is not None:
            self._check(item, where)
        held = entries.get(item.name)
        if held is not None and not self._same(held.item, item):
            raise self._error(
                f"{self.noun} '{item.name}' is already registered by {held.where}",
                where=where,
                hint="Give one of them another name.",
            )
        entries[item.name] = Entry(item, where)

    def _same(self, first: T, second: T) -> bool:
        return first is second or (self._identity is not None and self._identity(first) == self._identity(second))

    def _place(self, item: T) -> str:
        """Where an object that its module adds comes from: the function that it holds, else its class."""
        function = getattr(item, "function", None) or type(item)
        while isinstance(function, functools.partial):
            function = function.func
        return f"{function.__module__}.{function.__qualname__}"


def _holds(value: Any, required: Any) -> bool:
    return required in value if isinstance(value, tuple) else bool(value == required)
