"""What stored pieces of a run were made with: another set-up is not overwritten unasked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any

from immunescape.errors import InputError

__all__ = ["refuse_other_set_up"]


def refuse_other_set_up(
    paths: Iterable[Path],
    set_up: Mapping[str, Any],
    words: Mapping[str, str],
    stored: Callable[[Any], Mapping[str, Any]] = itemgetter("set_up"),
) -> None:
    """Refuse to overwrite stored pieces that were made with other choices.

    Parameters
    ----------
    paths
        Files that a run is to write; those that do not exist, or hold no set-up, are no obstacle.
    set_up
        What the run is made with.
    words
        Choices that are compared, as a message names them. What is not listed, such as the digest of the code, may
        differ: such pieces are outdated, and are made anew.
    stored
        Set-up of a file, from its content; by default it stands under the key ``set_up``.

    Raises
    ------
    InputError
        Naming the file and what differs.
    """
    now = json.loads(json.dumps(set_up))
    for path in paths:
        try:
            then = stored(json.loads(path.read_text(encoding="utf-8")))
            differs = [name for key, name in words.items() if key in then and then[key] != now[key]]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
        if differs:
            raise InputError(
                f"it was made with other {' and '.join(differs)} and would be overwritten",
                where=str(path),
                hint="Choose another folder (--out), or overwrite it with --force.",
            )
