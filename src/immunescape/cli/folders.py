"""Folders of results: a command that would overwrite or mix results is stopped before anything is computed."""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from immunescape.cli.running import stop

__all__ = ["Force", "check_results_folder", "refuse_foreign_file"]

Force = Annotated[
    bool, typer.Option("--force", help="Write into a folder that contains other results, or replace other files.")
]


class _Held(NamedTuple):
    """What a file of results tells of its folder."""

    kind: str
    result: str
    """The result as a message names it."""
    key: str
    """Key of the file under which the name stands; without a name, a key by which the file is recognised."""
    named: bool = True

    def names(self, text: str) -> list[str] | None:
        """Names that the file gives ([] where results of the kind have none); None where it is no such file."""
        if not self.named:
            return [] if re.search(rf'"{self.key}"\s*:', text) else None
        matches = re.findall(rf'"{self.key}"\s*:\s*("(?:[^"\\]|\\.)*")', text)
        return [str(json.loads(name, strict=False)) for name in dict.fromkeys(matches)] or None


_HELD = {
    "result.json": _Held("trial", "the result of the trial", "trial"),
    "design.json": _Held("design", "the result of the design", "design"),
    "profile.json": _Held("study", "the profile of the study", "study"),
    "associations.json": _Held("associations", "the associations of the study", "study"),
    "cohort.json": _Held("rankings", "the rankings of the study", "study"),
    "course.json": _Held("course", "the course under", "regimen"),
    "twins.json": _Held("patient", "the twins of the patient", "patient"),
    "ranking.json": _Held("patient", "the ranking of the patient", "patient"),
    "credibility.json": _Held("credibility", "the credibility assessment of the trial", "trial"),
    "calibration.json": _Held("calibration", "a calibration", "effective_sample_size", named=False),
    "ablation.json": _Held("ablation", "an ablation of mechanisms", "rounds", named=False),
    "ensemble.json": _Held("ensemble", "the ensemble of the trial", "trial"),
    "harness.json": _Held("harness", "a run of the harness", "digest", named=False),
    "judged.json": _Held("judged", "judged forecasts", "pools", named=False),
    "reference.json": _Held("reference", "the expression reference", "name"),
    "add_ons.json": _Held("harness", "the benefit of added drugs", "backbone", named=False),
}
"""File -> what it holds."""
_SEVERAL = ("design", "course")
"""Kinds of which a folder may hold several, all named in one file; of others the first name of the file counts."""
_HEAD = 20_000
"""Number of characters that contain the name of those of which a folder holds one."""


def check_results_folder(
    folder: Path, kind: str, name: str | Sequence[str] | None = None, *, force: bool, files: Sequence[str] = ()
) -> None:
    """Reject a folder that cannot be written to, holds the result of something else, or files of others.

    Parameters
    ----------
    folder
        Where a command is to write.
    kind
        What it writes the result of: ``trial``, ``design``, ``study``, ``course``, ``patient``, …
    name
        Name of that, or all names; None: any of this kind.
    force
        Write all the same.
    files
        Names of files that the command writes.

    Raises
    ------
    ImmunescapeError
        Naming what the folder holds, or why nothing can be written to it.
    """
    from immunescape.files import check_folder

    check_folder(folder)
    if force:
        return
    named = None if name is None else [name] if isinstance(name, str) else list(name)
    for file, held in _HELD.items():
        names = _names(folder / file, held)
        if names is None or (held.kind == kind and (named is None or not held.named or names == named)):
            continue
        what = " ".join([held.result, ", ".join(f"'{n}'" for n in names)]).rstrip()
        stop(f"{folder} contains {what}", "Choose another folder (--out), or overwrite it with --force.")
    there = [file for file in files if (folder / file).exists()]
    if there and not any(_of_immunescape(folder / file) for file in there):
        alone = len(there) == 1
        stop(
            f"{folder} contains {', '.join(there)}, which immunescape may not have written and would overwrite",
            f"Choose another folder (--out), or overwrite {'it' if alone else 'them'} with --force.",
        )


def refuse_foreign_file(path: Path | None, option: str, *, force: bool) -> None:
    """Reject a file to be written that exists and that immunescape did not write; None is not a file."""
    if path is None or force or not path.is_file() or path.stat().st_size == 0 or _of_immunescape(path):
        return
    stop(f"{path} exists and was not written by immunescape", f"Choose another file ({option}), or use --force.")


def _names(path: Path, held: _Held) -> list[str] | None:
    """Names of the results of a file; None where there is no such file of ours."""
    several = held.kind in _SEVERAL
    try:
        with path.open(encoding="utf-8") as stream:
            names = held.names(stream.read(-1 if several else _HEAD))
    except (OSError, ValueError):  # none, or no text
        return None
    return names if names is None or several else names[:1]


def _of_immunescape(path: Path) -> bool:
    """Whether a file is one of results, or names the program: reports, scripts, parquet tables and JSON do."""
    held = _HELD.get(path.name)
    if held is not None and _names(path, held) is not None:
        return True
    try:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(b"immunescape") >= 0
    except (OSError, ValueError):  # a folder, unreadable, or empty
        return False
