"""Folders of results: a command that would overwrite results is stopped before anything is computed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from immunescape.cli.running import stop

__all__ = ["Force", "refuse_other"]

Force = Annotated[bool, typer.Option("--force", help="Write into a folder that contains other results.")]

HELD = {
    "result.json": ("trial", re.compile(r'"trial"\s*:\s*"((?:[^"\\]|\\.)*)"')),
    "design.json": ("design", re.compile(r'"name"\s*:\s*"((?:[^"\\]|\\.)*)"')),
    "profile.json": ("study", re.compile(r'"study"\s*:\s*"((?:[^"\\]|\\.)*)"')),
}
"""File -> the kind of its result, and where the name is given in it: all of these come with a report.html."""
_HEAD = 20_000
"""Number of characters that contain the name."""


def refuse_other(folder: Path, kind: str, name: str | None, *, force: bool) -> None:
    """Reject a folder with the result of another trial, design or study, whose report would be overwritten.

    Parameters
    ----------
    folder
        Where a command is to write.
    kind
        ``trial``, ``design`` or ``study``: what it writes the result of.
    name
        Name of that; None: any of this kind.
    force
        Write all the same.

    Raises
    ------
    ImmunescapeError
        Naming what the folder holds.
    """
    if force:
        return
    for file, (what, pattern) in HELD.items():
        try:
            with (folder / file).open(encoding="utf-8") as stream:
                match = pattern.search(stream.read(_HEAD))
        except (OSError, UnicodeDecodeError):
            continue
        if match is None or (what == kind and name in (None, match.group(1))):
            continue
        stop(
            f"{folder} contains the result of the {what} '{match.group(1)}'",
            "Choose another folder (--out), or overwrite it with --force.",
        )
