"""Files known by name: those of a folder of the package and of plug-ins, beside files of users known by path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from os import PathLike
from pathlib import Path

from immunescape import plugins
from immunescape.errors import InputError, unknown_word

__all__ = ["Library"]


@dataclass(frozen=True)
class Library:
    """YAML files of one kind.

    Attributes
    ----------
    noun : what a file is called in errors: ``trial``.
    kind : folder of a plug-in that holds such files: ``trials`` (:data:`immunescape.plugins.LIBRARIES`).
    package : package whose folder ``library`` holds those that ship.
    start : what to do where a path names no file, for the error.
    """

    noun: str
    kind: str
    package: str
    start: str

    def shipped(self) -> list[str]:
        """Names of the files that ship with the package, sorted."""
        folder = files(self.package) / "library"
        return sorted(p.name.removesuffix(".yaml") for p in folder.iterdir() if p.name.endswith(".yaml"))

    def names(self) -> list[str]:
        """Names of the files that ship and of those that plug-ins bring, sorted."""
        shipped = self.shipped()
        return sorted([*shipped, *plugins.library(self.kind, shipped)])

    def read(self, name_or_path: str | Path) -> tuple[str, str]:
        """File name and content of a file of the package or a plug-in (by name) or of a user's file (by path).

        Raises
        ------
        InputError
            If there is neither, with the nearest name, or where the file is no text; for what is no name and no path;
            for a plug-in's file that gives itself another name.
        """
        if not isinstance(name_or_path, str | PathLike):
            raise InputError(
                f"a {self.noun} is loaded by its name or the path of a YAML file, not from {name_or_path!r}",
                hint=f"For example '{self.names()[0]}'.",
            )
        name, path = str(name_or_path), Path(name_or_path)
        shipped = {ours.casefold(): ours for ours in self.shipped()}
        of_plugins = {n.casefold(): file for n, file in plugins.library(self.kind, shipped).items()}
        path = of_plugins.get(name.casefold(), path)
        if name.casefold() in shipped:
            entry = files(self.package) / "library" / f"{shipped[name.casefold()]}.yaml"
            return entry.name, entry.read_text(encoding="utf-8")
        if path.is_file():
            text = _text(path)
            if name.casefold() in of_plugins:
                _check_named(text, path)
            return str(path), text
        if path.exists() and (path.suffix or len(path.parts) > 1):
            what = "a folder" if path.is_dir() else "not a regular file"
            raise InputError(f"this is {what}, not a YAML file", where=name, hint="Name the file itself.")
        if path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
            raise InputError("no such file", where=name, hint=self.start)
        raise unknown_word(self.noun, name, self.names())


def _check_named(text: str, path: Path) -> None:
    """Refuse a plug-in's file with a `name` that is not the file's: its results would pass for those of another."""
    given = re.search(r"^name:[ \t]*(.*?)[ \t]*(?:[ \t]#.*)?$", text, re.MULTILINE)
    if given is not None and given[1].strip("'\"").casefold() != path.stem.casefold():
        raise InputError(
            f"the name is '{given[1]}', that of the file is '{path.stem}'",
            where=f"{path}, line {text[: given.start()].count(chr(10)) + 1}",
            hint="Give both the same name.",
        )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            "cannot be read: this is not UTF-8 text", where=str(path), hint="Save it as plain text in UTF-8."
        ) from error
    except OSError as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from error
