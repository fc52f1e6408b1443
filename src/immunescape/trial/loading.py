"""Trials by name or file: those that ship with the package, those of plug-ins, and those of users."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immunescape import plugins
from immunescape.errors import InputError, unknown_word

if TYPE_CHECKING:
    from immunescape.trial.spec import Trial

__all__ = ["list_trials", "load_trial", "read_trial", "resolve", "shipped_trials", "trial_schema", "trial_template"]


def load_trial(name_or_path: str | Path, *, drugs: Mapping[str, Any] | Iterable[str] | None = None) -> Trial:
    """Read a trial.

    Parameters
    ----------
    name_or_path
        Name of a trial that ships with the package (see :func:`list_trials`) or the path of a YAML file.
    drugs
        Drugs that regimens may name; None takes every registered drug.

    Raises
    ------
    InputError
        Naming file, line and field of every problem, with the nearest valid word.
    """
    return read_trial(*resolve(name_or_path), drugs=drugs)


def read_trial(file: str, text: str, *, drugs: Mapping[str, Any] | Iterable[str] | None = None) -> Trial:
    """Read a trial from YAML text, `file` being its name in messages; see :func:`load_trial`."""
    # the schema and the builder bring pydantic, which listing trials does not need
    from immunescape.trial.building import Builder
    from immunescape.trial.yaml_source import check_yaml

    source, block = check_yaml(file, text)
    return Builder(source, drugs).trial(block)


def resolve(name_or_path: str | Path) -> tuple[str, str]:
    """File name and content of a trial of the package or a plug-in (by name) or of a user's file (by path).

    Raises
    ------
    InputError
        If there is neither, with the nearest name.
    """
    name = str(name_or_path)
    path = Path(name_or_path)
    shipped = {trial.casefold(): trial for trial in shipped_trials()}
    extra = {trial.casefold(): file for trial, file in plugins.library("trials", shipped).items()}
    path = extra.get(name.casefold(), path)
    if name.casefold() in shipped:
        entry = files("immunescape.trial") / "library" / f"{shipped[name.casefold()]}.yaml"
        return entry.name, entry.read_text(encoding="utf-8")
    if path.is_file():
        try:
            return str(path), path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                "cannot be read: this is not UTF-8 text", where=str(path), hint="Save it as plain text in UTF-8."
            ) from error
        except OSError as error:
            raise InputError(f"cannot be read: {error}", where=str(path)) from error
    if path.exists() and (path.suffix or len(path.parts) > 1):
        kind = "a folder" if path.is_dir() else "no ordinary file"
        raise InputError(f"this is {kind}, not a YAML file", where=name, hint="Name the file itself.")
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        raise InputError("no such file", where=name, hint="Start one with 'immunescape trial --template'.")
    raise unknown_word("trial", name, list_trials())


def list_trials() -> list[str]:
    """Names of the trials that ship with the package and of those that plug-ins bring, sorted."""
    shipped = shipped_trials()
    return sorted([*shipped, *plugins.library("trials", shipped)])


def shipped_trials() -> list[str]:
    """Names of the trials that ship with the package, sorted."""
    library = files("immunescape.trial") / "library"
    return sorted(entry.name[:-5] for entry in library.iterdir() if entry.name.endswith(".yaml"))


def trial_template() -> str:
    """A commented trial file to start from; it loads as it stands."""
    return (files("immunescape.trial") / "library" / "template.yaml.txt").read_text(encoding="utf-8")


def trial_schema() -> dict[str, Any]:
    """JSON schema of a trial file."""
    from immunescape.trial.schema import json_schema

    return json_schema()
