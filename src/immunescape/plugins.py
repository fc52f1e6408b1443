"""What other packages add: entry points, found and loaded in one place, with an error that names the plug-in.

A package adds objects through the groups of `OBJECT_GROUPS` (each entry point is the path of an object, or of a list of
them) and files through the group `DATA_GROUP`: the path of a package (a folder with ``__init__.py``) that holds any of

======================================= ==================================================================
``references.bib``                      entries of the bibliography
``drug_classes.csv``                    classes of the plug-in's drugs
``usual_doses.csv``                     their largest usual doses
``toxicity.csv``                        their harm, alone and with other drugs
``toxicity_interactions.csv``           how it acts together with that of others
``trials/*.yaml``, ``designs/*.yaml``   protocols and designs, known by the name of the file
``claims/*.yaml``                       claims that ``immunescape claims`` tests
======================================= ==================================================================

in the format of the files of the same name in ``immunescape/knowledge`` and in the folders of its drugs. A drug that is
a folder, with ``parameters.csv`` beside its ``__init__.py``, may be named by both kinds of entry points. Nothing is
written into immunescape, nothing of it can be replaced (a name that is taken is refused), and a file of another name is
refused rather than ignored.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar

from immunescape.errors import ImmunescapeError, InputError, ModelError, PluginError, unknown_word

__all__ = [
    "DATA_GROUP",
    "OBJECT_GROUPS",
    "Contribution",
    "DataFolder",
    "cached",
    "contributions",
    "data_folders",
    "failure",
    "foreign_package",
    "library",
    "refresh",
    "table_files",
]

OBJECT_GROUPS = {
    "immunescape.mechanisms": "Mechanism",
    "immunescape.drugs": "Drug",
    "immunescape.biomarkers": "Biomarker",
    "immunescape.readers": "Reader",
    "immunescape.designs": "DesignKind",
}
"""Group of entry points -> class of the objects."""
DATA_GROUP = "immunescape.data"
TABLES = ("references.bib", "drug_classes.csv", "usual_doses.csv", "toxicity.csv", "toxicity_interactions.csv")
LIBRARIES = ("trials", "designs", "claims")

F = TypeVar("F", bound=Callable[..., Any])
_CACHES: list[Any] = []


def cached(size: int | None = 1) -> Callable[[F], F]:
    """Return ``lru_cache(size)`` for a function whose answer depends on the plug-ins: `refresh` empties it."""

    def decorate(function: F) -> F:
        wrapped = lru_cache(maxsize=size)(function)
        _CACHES.append(wrapped)
        return wrapped  # type: ignore[return-value]

    return decorate


def refresh() -> None:
    """Forget what was found, so that packages installed since are seen (a running program looks once)."""
    importlib.invalidate_caches()
    for function in _CACHES:
        function.cache_clear()


@dataclass(frozen=True)
class Contribution:
    """An object that an entry point gives.

    Attributes
    ----------
    value : the object.
    where : entry point and package, for errors.
    folder : folder of the module that holds it; None where it is not a file.
    package : name of the installed package, '' if unknown.
    """

    value: Any
    where: str
    folder: Path | None
    package: str = ""


@dataclass(frozen=True)
class DataFolder:
    """A folder of files of a plug-in; `where` names entry point and package."""

    path: Path
    where: str


def _where(point: EntryPoint) -> str:
    package = f" of the package '{point.dist.name}'" if point.dist is not None else ""
    return f"entry point {point.name} = {point.value}{package}"


def _broken(point: EntryPoint, error: BaseException) -> ImmunescapeError:
    name = point.dist.name if point.dist is not None else "it"
    return ModelError(
        f"the plug-in cannot be loaded: {type(error).__name__}: {error}",
        where=_where(point),
        hint=f"Fix the package, or remove it: pip uninstall {name}",
    )


def foreign_package(function: object) -> str | None:
    """Top-level package of a function that is not of immunescape; None for one of ours."""
    while isinstance(function, partial):
        function = function.func
    module = getattr(function, "__module__", None) or type(function).__module__
    package = module.partition(".")[0]
    return None if package == "immunescape" else package


def failure(what: str, package: str, error: BaseException, where: str) -> PluginError:
    """Return the error for code of another package that ended in an exception of its own.

    Parameters
    ----------
    what
        The object: ``the reader 'lab_export'``.
    package
        The package that it comes from.
    error
        What it raised.
    where
        File or patient it was working on.
    """
    return PluginError(
        f"{what} of the package '{package}' failed: {type(error).__name__}: {error}",
        where=where,
        hint=f"This is a bug in '{package}', not an error in your file: report it to its authors, or "
        "remove the package.",
    )


@cached()
def _points() -> dict[str, tuple[EntryPoint, ...]]:
    """Entry points of every group of ours; a group that does not exist is refused."""
    points: dict[str, list[EntryPoint]] = {g: [] for g in (*OBJECT_GROUPS, DATA_GROUP)}
    everything = entry_points()
    for group in sorted(g for g in everything.groups if g.startswith("immunescape.")):
        for point in everything.select(group=group):
            if group not in points:
                raise unknown_word("group of entry points", group, points, where=_where(point), error=ModelError)
            points[group].append(point)
    return {g: tuple(sorted(points, key=lambda p: (p.name, p.value))) for g, points in points.items()}


@cached(None)
def contributions(group: str) -> tuple[Contribution, ...]:
    """Load the objects of a group, in the order of the entry points' names.

    Raises
    ------
    ModelError
        For an entry point that cannot be loaded, or a group of entry points that does not exist.
    """
    contributions: list[Contribution] = []
    for point in _points()[group]:
        try:
            loaded = point.load()
            spec = importlib.util.find_spec(point.module)
        except ImmunescapeError:
            raise
        except Exception as error:
            raise _broken(point, error) from error
        folder = Path(spec.origin).parent if spec is not None and spec.origin else None
        values = loaded if isinstance(loaded, (list, tuple)) else (loaded,)
        package = point.dist.name if point.dist is not None else ""
        contributions.extend(Contribution(value, _where(point), folder, package) for value in values)
    return tuple(contributions)


@cached()
def data_folders() -> tuple[DataFolder, ...]:
    """Folders of files of the plug-ins.

    Raises
    ------
    InputError
        For a folder that does not exist, or that holds a file of a name without meaning.
    """
    folders = []
    for point in _points()[DATA_GROUP]:
        where = _where(point)
        try:
            spec = importlib.util.find_spec(point.value)
        except Exception as error:
            raise _broken(point, error) from error
        if spec is None or not spec.submodule_search_locations:
            raise InputError(
                "this is not a package with files",
                where=where,
                hint="Name the folder of the files, with an __init__.py.",
            )
        path = Path(next(iter(spec.submodule_search_locations)))
        _check_folder(path)
        folders.append(DataFolder(path, where))
    return tuple(folders)


def _check_folder(path: Path) -> None:
    """Refuse what nobody would read."""
    for entry in sorted(path.iterdir()):
        if entry.name.startswith((".", "__")) or entry.suffix in (".py", ".md", ".txt"):
            continue
        if entry.is_dir() and entry.name in LIBRARIES:
            for file in sorted(entry.iterdir()):
                if file.suffix != ".yaml" and not file.name.startswith((".", "__")) and file.suffix != ".csv":
                    raise InputError("a protocol, design or chapter of claims ends in .yaml", where=str(file))
            continue
        if entry.name not in TABLES and not _is_drug_table(entry):
            raise unknown_word("file of a plug-in", entry.name, (*TABLES, *LIBRARIES), where=str(entry))


def _is_drug_table(entry: Path) -> bool:
    """Whether a file is the parameter table of a drug that is a folder: its module lies beside it."""
    return entry.name == "parameters.csv" and (entry.parent / "__init__.py").is_file()


def table_files(name: str) -> tuple[Path, ...]:
    """Files of a name in `TABLES` that plug-ins bring, in the order of their entry points."""
    return tuple(f.path / name for f in data_folders() if (f.path / name).is_file())


def library(kind: str, shipped: Iterable[str] = ()) -> dict[str, Path]:
    """Name -> file of the plug-ins' trials, designs or claims.

    Parameters
    ----------
    kind
        One of `LIBRARIES`.
    shipped
        Names that are taken, whatever their case.

    Raises
    ------
    InputError
        For a name that is taken by immunescape or another plug-in.
    """
    taken = {name.casefold(): "immunescape" for name in shipped}
    files: dict[str, Path] = {}
    for folder in data_folders():
        for path in sorted((folder.path / kind).glob("*.yaml")):
            if path.stem.casefold() in taken:
                raise InputError(
                    f"the name '{path.stem}' is taken by {taken[path.stem.casefold()]}",
                    where=f"{path} ({folder.where})",
                    hint="Give the file another name.",
                )
            taken[path.stem.casefold()] = folder.where
            files[path.stem] = path
    return files
