"""Files that appear under their name whole or not at all, for every room."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from immunescape.errors import ImmunescapeError

__all__ = ["whole_file"]


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
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        if parents:
            path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as stream:
            yield stream
        os.replace(part, path)
    except OSError as caught:
        text = f"{what}: {caught.strerror or caught}"
        raise error(text, where=str(path) if where is None else where, hint=hint) from caught
    finally:
        _forget(part)


def _forget(part: Path) -> None:
    try:
        part.unlink(missing_ok=True)
    except OSError:  # the folder is none, or may not be changed: the error on its way says so
        pass
