"""Errors that a user reads: what is wrong, where, the nearest valid word, and what to do next."""

from __future__ import annotations

import difflib
import re
import sys
import types
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any, ClassVar, Protocol, TypeVar


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


Record = TypeVar("Record", bound=_Dataclass)

__all__ = [
    "EngineError",
    "ImmunescapeError",
    "InputError",
    "ModelError",
    "PluginError",
    "nearest",
    "refuse_call",
    "several",
    "unknown_word",
    "with_changes",
]


class ImmunescapeError(Exception):
    """Base of every error that immunescape raises on purpose.

    Parameters
    ----------
    message
        What is wrong, in one sentence.
    where
        File, row or field that it was found in, e.g. ``"my_trial.yaml, line 12"``.
    hint
        The next action: the nearest valid word, a command, an option.
    """

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        self.message = message
        self.where = where
        self.hint = hint
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}\n  {self.hint}" if self.hint else text

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.where, self.hint))


def _rebuild(kind: type[ImmunescapeError], message: str, where: str | None, hint: str | None) -> ImmunescapeError:
    return kind(message, where=where, hint=hint)


class InputError(ImmunescapeError):
    """A file, option or argument that cannot be used as it is."""


class ModelError(ImmunescapeError):
    """A mechanism, drug or parameter table that does not make a valid model."""


class PluginError(ImmunescapeError):
    """Code of another package that fails, or returns what it may not."""


class EngineError(ImmunescapeError):
    """A model that an engine cannot compile or integrate."""


def nearest(name: object, candidates: Iterable[str], n: int = 3) -> list[str]:
    """Return up to `n` candidates that look most like `name`, best first; nothing looks like what is no text.

    Slips of one or two letters come first, then longer names that begin with the name (``CD8`` for ``CD8_density_T``),
    those of which it is a word (``pd1`` for ``checkpoints_pd1``), then what resembles it less.
    """
    if not isinstance(name, str):
        return []
    pool = {c.casefold(): c for c in candidates}
    short = name.casefold()
    alike = difflib.get_close_matches(short, list(pool), n=n, cutoff=0.5)
    slips = [m for m in alike if difflib.SequenceMatcher(None, short, m).ratio() >= 0.8]
    longer = sorted((c for c in pool if len(short) >= 3 and c.startswith(short)), key=lambda c: (len(c), c))
    inner = sorted((c for c in pool if len(short) >= 2 and short in re.split("[ _-]", c)), key=lambda c: (len(c), c))
    return [pool[m] for m in dict.fromkeys([*slips, *longer, *inner, *alike])][:n]


def several(names: str | Iterable[str]) -> list[str]:
    """Return names as a list; one name may stand for a list of one. What is neither is refused."""
    if isinstance(names, str):
        return [names]
    if not isinstance(names, Iterable):
        raise InputError(f"{names!r} is neither a name nor a list of names", hint="Write 'name' or ['name', 'other'].")
    return list(names)


def unknown_word(
    kind: str,
    name: object,
    candidates: Iterable[str],
    *,
    where: str | None = None,
    error: type[ImmunescapeError] = InputError,
) -> ImmunescapeError:
    """Build the error for a misspelt word: names the nearest valid words, or lists them all where none is near."""
    valid = sorted(candidates)
    close = nearest(name, valid)
    if close:
        hint = "Did you mean " + " or ".join(f"'{c}'" for c in close) + "?"
    else:
        hint = f"Known: {', '.join(valid[:40])}{' …' if len(valid) > 40 else ''}."
    return error(f"unknown {kind} '{name}'", where=where, hint=hint)


def with_changes(record: Record, changes: Mapping[str, Any], kind: str) -> Record:
    """Return a record with some fields changed.

    Raises
    ------
    InputError
        For a keyword that is no field, called a `kind`, with the nearest one.
    """
    allowed = [f.name for f in fields(record)]
    for name in changes:
        if name not in allowed:
            raise unknown_word(kind, name, allowed)
    return replace(record, **changes)


def refuse_call(package: str, function: str) -> None:
    """Make a call of the package `package` an error that names the function of `immunescape` to call in its place.

    ``immunescape.trial(...)`` once loaded a trial; the name now is that of the package alone.
    """

    class Package(types.ModuleType):
        def __call__(self, *_: object, **__: object) -> None:
            raise TypeError(f"{package} is a package and cannot be called: use immunescape.{function}(...)")

    sys.modules[package].__class__ = Package
