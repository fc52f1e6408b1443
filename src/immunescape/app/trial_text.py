"""Trials as text that a user chose, edited or pasted: what is read, refused, and how a run is reproduced."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from immunescape.errors import InputError

if TYPE_CHECKING:
    from immunescape.trial.spec import Trial

__all__ = ["LARGEST_TEXT", "fields", "library_text", "read_trial_text", "trial_code"]

LARGEST_TEXT = 100_000
"""Characters of a trial or a design."""
NAME = "trial.yaml"
_MOST_VALUES, _DEEPEST = 50_000, 50


@cache
def library_text(name: str) -> str:
    """Text of a trial that ships."""
    from immunescape.trial.loading import resolve

    return resolve(name)[1]


def read_trial_text(text: str) -> Trial:
    """Read a trial.

    Raises
    ------
    InputError
        As for a trial file, with the line; and for text that is too long or names files beside it.
    """
    from immunescape.trial.loading import read_trial

    check_length(text, NAME)
    for path, key, value in fields(text):
        if key == "km_file" and value:
            raise InputError(
                "'km_file' names files beside the trial, which the app does not read",
                where=f"{NAME}, {path}",
                hint="Leave it out here, or run the trial from the command line.",
            )
    trial: Trial = read_trial(NAME, text)
    return trial


def check_length(text: str, name: str) -> None:
    """Refuse text that is empty or too long."""
    if not text.strip():
        raise InputError("there is no text", where=name, hint="Choose an included one, or paste one.")
    if len(text) > LARGEST_TEXT:
        raise InputError(f"the text has {len(text):,} characters", where=name, hint=f"Use at most {LARGEST_TEXT:,}.")


def fields(text: str) -> Iterator[tuple[str, str, Any]]:
    """Every key of a YAML text with its path and value; nothing where it is not YAML, which its reader says better.

    Raises
    ------
    InputError
        For a text that unfolds, by aliases, to more than a trial can need.
    """
    import yaml

    try:
        data = yaml.safe_load(text)
    except Exception:  # a wrong tag, a broken line: the reader of trials and designs names line and reason
        return
    yield from _keys(data, "", itertools.count())


def _keys(value: Any, path: str, visited: Iterator[int]) -> Iterator[tuple[str, str, Any]]:
    if next(visited) > _MOST_VALUES or path.count(".") > _DEEPEST:
        raise InputError("the text is too large or too deep", hint="Leave out aliases (*name) that repeat others.")
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{path}{key}", str(key), inner
            yield from _keys(inner, f"{path}{key}.", visited)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _keys(inner, f"{path}{index}.", visited)


def trial_code(name: str, text: str, patients: int, seed: int) -> tuple[str, str]:
    """Python and command line that run the trial: by name where the text is the one that ships, else by a file.

    Parameters
    ----------
    name
        The trial that the text was chosen from; empty: none.
    text
        The text as it was run.
    patients, seed
        Of the run.
    """
    shipped = bool(name) and text == library_text(name)
    label = name if shipped else NAME
    python = (
        f'import immunescape\n\nresult = immunescape.load_trial("{label}").run(patients={patients}, seed={seed})\n'
        'result.show()\nresult.save("run")'
    )
    command = f"immunescape trial {label} --patients {patients} --seed {seed} --out run"
    return python, command
