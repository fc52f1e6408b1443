"""Files that appear under their name whole or not at all, and the folder of what is kept, for every room."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from immunescape.errors import ImmunescapeError, InputError

__all__ = ["cache_folder", "check_file", "check_folder", "make_folder", "stored_json", "whole_file"]

_PROBE = 1 << 20
"""Bytes that have to fit before anything is computed; a report needs some megabytes."""


def cache_folder() -> Path:
    """Folder of what can be made again: ``$IMMUNESCAPE_CACHE``, ``$XDG_CACHE_HOME/immunescape`` or the platform's."""
    named = os.environ.get("IMMUNESCAPE_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    if base:
        return Path(base) / "immunescape"
    import platformdirs

    return Path(platformdirs.user_cache_dir("immunescape", appauthor=False))


@contextmanager
def whole_file(
    path: Path,
    what: str,
    *,
    hint: str,
    where: str | None = None,
    parents: bool = True,
    error: type[ImmunescapeError] = ImmunescapeError,
) -> Iterator[BinaryIO]:
    """Open a file for writing; it gets its name when all is written, in one step, and leaves nothing where it fails.

    Two processes that write the same file do not disturb each other: the last one stays.

    Parameters
    ----------
    path
        The file; an old one is replaced.
    what, hint, where, error
        Of the error for a file that cannot be written: what could not be done, the next action, the place (None: the
        path), its class.
    parents
        Whether to make the folder.

    Raises
    ------
    ImmunescapeError
        Where the file cannot be written.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        if parents:
            path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as stream:
            yield stream
        os.replace(temporary, path)
    except OSError as caught:
        text = f"{what}: {caught.strerror or caught}"
        raise error(text, where=str(path) if where is None else where, hint=hint) from caught
    finally:
        _forget(temporary)


def stored_json(path: Path | None, fits: Callable[[Any], bool]) -> Any:
    """Content of a JSON file that an earlier run stored; None where it cannot be used, so that it is made anew.

    Parameters
    ----------
    path
        The file; None where nothing is stored.
    fits
        Whether content is of this run and whole. It may look up keys without asking whether they are there: content for
        which it raises KeyError, TypeError, ValueError or AttributeError does not fit.
    """
    if path is None or not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return content if fits(content) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def check_folder(folder: Path, option: str = "--out") -> None:
    """Refuse a folder that cannot be written to, or is full, before anything is computed for it.

    A file of a megabyte is written there, or in the nearest folder above that exists, and removed again; permissions
    alone tell nothing of file systems that are mounted read-only, or full.

    Raises
    ------
    InputError
        That names the folder, why nothing can be written, and `option`.
    """
    place = Path(os.path.abspath(folder))
    while not os.path.lexists(place):
        place = place.parent
    if not place.is_dir():
        why = f"{place} is a file, not a folder"
    else:
        try:
            with tempfile.TemporaryFile(dir=place, prefix=".immunescape-") as probe:
                probe.write(b"\0" * _PROBE)
                probe.flush()
            return
        except PermissionError:
            why = f"{place} is not writable"
        except OSError as error:
            why = f"{place}: {error.strerror or error}"
    raise InputError(
        f"nothing can be written to {folder}: {why}", hint=f"Free some space or choose another folder with {option}."
    )


def make_folder(folder: Path) -> None:
    """Make a folder and its parents."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot make the folder {folder}: {error.strerror}", hint="Choose another with --out."
        ) from None


def check_file(path: Path | None, option: str) -> None:
    """Refuse a file that could not be written, before anything is computed for it; None is not a file.

    Raises
    ------
    InputError
        That names the file and `option`.
    """
    if path is None:
        return
    if path.is_dir():
        raise InputError(f"{path} is a folder", hint=f"Name a file with {option}.")
    if not path.parent.exists():
        raise InputError(f"the folder {path.parent} of {path.name} does not exist", hint=f"Make it, or see {option}.")
    check_folder(path.parent, option)


def _forget(unfinished: Path) -> None:
    try:
        unfinished.unlink(missing_ok=True)
    except OSError:  # the folder is none, or may not be changed: the error on its way says so
        pass
