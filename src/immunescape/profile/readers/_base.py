"""Definition of a reader, what it returns, and the registry of readers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from immunescape import plugins
from immunescape.errors import ImmunescapeError, InputError, unknown_word
from immunescape.profile.readers._advice import GENERAL, answerable, recognised
from immunescape.profile.readers._column_map import ColumnMap, refuse_without_table, using
from immunescape.profile.readers._column_names import aliases_of
from immunescape.profile.readers._foreign import completed
from immunescape.profile.readers._partial import Partial
from immunescape.profile.study import KINDS
from immunescape.registry import Registry

__all__ = ["READERS", "Partial", "Reader", "all_readers", "get_reader", "reader"]


Function = Callable[[Path, Mapping[str, Any]], Partial]


@dataclass(frozen=True)
class Reader:
    """A reader of one file format.

    Attributes
    ----------
    name : value of ``format:`` in a manifest.
    title : what it reads.
    gives : kinds of data that it provides.
    options : options it accepts, each with one line of help.
    function : (path, options) -> partial study.
    extra : optional dependency that it needs, or ''.
    """

    name: str
    title: str
    gives: tuple[str, ...]
    options: Mapping[str, str]
    function: Function
    extra: str = ""

    def __call__(self, path: Path, options: Mapping[str, Any] | None = None) -> Partial:
        """Read a file.

        Every tabular format takes ``columns:`` (expected name -> column of the file) and ``values:`` (column ->
        {term: term}), whether or not it lists them.

        Raises
        ------
        InputError
            Naming file, row and next action.
        PluginError
            If the reader of another package fails, or returns what no study can hold.
        """
        given = dict(options or {})
        general = {name: given.pop(name) for name in GENERAL if name in given and name not in self.options}
        for name in given:
            if name not in self.options:
                valid = (*self.options, *GENERAL)
                raise unknown_word(f"option of the format '{self.name}'", name, valid, where=path.name)
        for name, value in general.items():
            if not isinstance(value, Mapping) or (
                name == "values" and not all(isinstance(v, Mapping) for v in value.values())
            ):
                raise InputError(f"{name}: is not a mapping", where=path.name, hint=f"{GENERAL[name]}.")
        package = plugins.foreign_package(self.function)
        column_map = ColumnMap(general.get("columns", {}), general.get("values", {}), aliases_of(self.gives))
        with using(column_map):
            try:
                out = self.function(path, given)
            except InputError as error:
                refuse_without_table(self.name, column_map, self.options, path.name)
                accepted = {*self.options, *(GENERAL if column_map.tables else ())}
                raise recognised(answerable(error, self.name, accepted), self.name, path) from None
            except ImmunescapeError:
                raise
            except Exception as error:
                if package is None:
                    raise
                raise plugins.failure(f"the reader '{self.name}'", package, error, path.name) from error
        if package is not None:
            out = completed(self.name, self.gives, package, out, path)
        refuse_without_table(self.name, column_map, self.options, path.name)
        column_map.check(path.name)
        return out


def _check(new: Reader, where: str) -> None:
    for kind in new.gives:
        if kind not in KINDS:
            raise unknown_word("kind of data", kind, KINDS, where=where)


def _adopt(extra: plugins.Contribution) -> Reader | None:
    """The reader that an entry point names, or None for a function that the decorator has registered."""
    if isinstance(extra.value, Reader):
        return extra.value
    if READERS.holds(lambda r: r.function is extra.value):
        return None
    raise ImmunescapeError(
        f"this is {type(extra.value).__name__}, not a reader",
        where=extra.where,
        hint="Name a Reader, or a function under the decorator `reader` (immunescape.profile.readers).",
    )


READERS = Registry(
    "format",
    Reader,
    modules="immunescape.profile.readers",
    group="immunescape.readers",
    adopt=_adopt,
    check=_check,
    identity=lambda r: f"{r.function.__module__}.{r.function.__qualname__}",
    tags=lambda r: {"title": r.title, "gives": r.gives, "extra": r.extra},
    error=ImmunescapeError,
)
"""Every reader, by its value of ``format:``."""


def reader(
    name: str, title: str, gives: tuple[str, ...], options: Mapping[str, str] | None = None, extra: str = ""
) -> Callable[[Function], Function]:
    """Register a function as the reader of a format.

    Raises
    ------
    ImmunescapeError
        If another function reads a format of that name.
    """

    def register(function: Function) -> Function:
        READERS.add(Reader(name, title, gives, dict(options or {}), function, extra))
        return function

    return register


def all_readers() -> dict[str, Reader]:
    """Return every registered reader by name."""
    return dict(sorted(READERS.all().items()))


def get_reader(name: str, where: str | None = None) -> Reader:
    """Return the reader of a format; for an unknown format the error suggests the nearest one."""
    return READERS.get(name, where=where)


def need_extra(module: str, extra: str, file: str) -> Any:
    """Import an optional dependency, or report which extra installs it."""
    try:
        return import_module(module)
    except ImportError:
        raise InputError(
            f"reading this file needs the package '{module}'",
            where=file,
            hint=f"Install it with: pip install 'immunescape[{extra}]'",
        ) from None
