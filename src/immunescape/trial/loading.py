"""Trials by name or file: those that ship with the package, those of plug-ins, and those of users."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immunescape.library import Library

if TYPE_CHECKING:
    from immunescape.trial.spec import Trial

__all__ = ["list_trials", "load_trial", "read_trial", "resolve", "shipped_trials", "trial_schema", "trial_template"]


TRIALS = Library("trial", "trials", "immunescape.trial", "Start one with 'immunescape trial --template'.")


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
    """File name and content of a trial, by name or path; see :meth:`immunescape.library.Library.read`."""
    return TRIALS.read(name_or_path)


def list_trials() -> list[str]:
    """Names of the trials that ship with the package and of those that plug-ins bring, sorted."""
    return TRIALS.names()


def shipped_trials() -> list[str]:
    """Names of the trials that ship with the package, sorted."""
    return TRIALS.shipped()


def trial_template() -> str:
    """A commented trial file to start from; it loads as it stands."""
    return (files("immunescape.trial") / "library" / "template.yaml.txt").read_text(encoding="utf-8")


def trial_schema() -> dict[str, Any]:
    """JSON schema of a trial file."""
    from immunescape.trial.schema import json_schema

    return json_schema()
