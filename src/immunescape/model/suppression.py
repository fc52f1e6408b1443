"""Suppressive axes: what holds T cells back in some patients and is nearly silent in most.

``suppression.csv`` gives each axis its prevalence, with a source. The strengths that an axis acts on are multiplied by
``activity_<axis>``, which is 1 in the reference patient and has mean 1 across patients, so that the mean strength in
the population is what it was; or the distribution of a parameter that a table already has (an enzyme, a ligand) becomes
sparse. What has no row, as a plug-in's mechanism, is as strong in every patient as its own table says. What axes go
with (drivers, histology, access of T cells) is in ``knowledge/data/suppression_links.csv``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

from immunescape.errors import ModelError
from immunescape.knowledge.tables import Row, parse_rows
from immunescape.model.draft import Draft
from immunescape.model.expressions import Expression, Name
from immunescape.model.parameters import Parameter, load_parameters
from immunescape.model.reference_strengths import Key

__all__ = ["Axis", "activity_id", "add_activities", "axes", "relative_activities", "revise"]

_FOLDER = Path(__file__).parent
_AXES = _FOLDER / "suppression.csv"
_REVISED = _FOLDER / "revised_sizes.csv"
_COLUMNS = ("axis", "acts_on", "prevalence", "silent", "spread", "source", "grade", "note")
_PARAMETER = "parameter:"
_RELATIVE = "relative:"


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A suppressive axis: what is active in some patients and nearly silent in the others.

    Attributes
    ----------
    name : the parameter is ``activity_<name>``.
    acts_on : patterns ``process/pathway/mechanism`` (``*`` matches all) of modulations, or ``parameter:<name>``. With
        ``relative:`` before it, strengths are scaled in the reference as well: a process depends more or less on what
        acts on it, and its factor at the reference's level stays 1.
    prevalence : share of patients in whom it is active.
    silent : mean activity in the others, relative to the mean over all patients.
    spread : standard deviation of ln(activity) among the active and among the silent.
    """

    name: str
    acts_on: tuple[str, ...]
    prevalence: float
    silent: float
    spread: float
    sources: tuple[str, ...]
    grade: str
    note: str = ""
    origin: str = ""

    def covers(self, key: Key) -> bool:
        """Whether it scales a modulation."""
        text = "/".join(key)
        return any(fnmatchcase(text, pattern.removeprefix(_RELATIVE)) for pattern in self.acts_on)

    def is_relative(self, key: Key) -> bool:
        """Whether it scales a modulation in the reference as well."""
        text = "/".join(key)
        return any(fnmatchcase(text, p.removeprefix(_RELATIVE)) for p in self.acts_on if p.startswith(_RELATIVE))

    @property
    def parameters(self) -> tuple[str, ...]:
        """Parameters of other tables whose distribution it replaces."""
        return tuple(p.removeprefix(_PARAMETER) for p in self.acts_on if p.startswith(_PARAMETER))


def activity_id(axis: str) -> str:
    """Return the name of the parameter that scales the strengths of an axis."""
    return f"activity_{axis}"


def axes() -> tuple[Axis, ...]:
    """Return the axes of ``suppression.csv``.

    Raises
    ------
    ModelError
        Naming file and line: a column or number that is missing, a share outside (0, 1), an axis that occurs twice.
    """
    return _read(_AXES, _AXES.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _read(path: Path, changed: int) -> tuple[Axis, ...]:
    axes: dict[str, Axis] = {}
    for row in parse_rows(path.read_text(encoding="utf-8"), _COLUMNS, str(path), error=ModelError):
        prevalence, silent, spread = (_share(row, name) for name in _COLUMNS[2:5])
        if not row["acts_on"]:
            raise ModelError("the axis acts on nothing", where=row.where)
        if row["axis"] in axes:
            raise ModelError(f"'{row['axis']}' occurs twice", where=row.where)
        axes[row["axis"]] = Axis(
            name=row["axis"],
            acts_on=tuple(row["acts_on"].split()),
            prevalence=prevalence,
            silent=silent,
            spread=spread,
            sources=row.sources,
            grade=row["grade"],
            note=row["note"],
            origin=row.where,
        )
    return tuple(axes.values())


def _share(row: Row, column: str) -> float:
    value = row.number(column)
    if not 0.0 < value < 1.0:
        raise ModelError(f"{column} '{row[column]}' is not a number between 0 and 1", where=row.where)
    return value


def add_activities(
    draft: Draft, keys: Iterable[Key]
) -> tuple[dict[Key, list[Expression]], dict[Key, list[Expression]]]:
    """Add ``activity_<axis>`` for every axis that acts on a modulation, and make distributions of parameters sparse.

    Returns
    -------
    scaled, relative : modulation -> the activities that multiply its strength, and its reference strength.
    """
    scaled: dict[Key, list[Expression]] = {}
    relative: dict[Key, list[Expression]] = {}
    present = list(keys)
    for axis in axes():
        name = activity_id(axis.name)
        covered = [key for key in present if axis.covers(key)]
        if covered:
            owner = covered[0][2]
            draft.claim(name, "activity", owner)
            draft.access[name] |= {key[2] for key in covered}
            draft.parameters[name] = Parameter(
                name,
                1.0,
                "dimensionless",
                distribution="sparse",
                spread=axis.spread,
                sources=axis.sources,
                grade=axis.grade,
                note=f"activity of {axis.name} relative to the mean over patients. {axis.note}",
                owner=owner,
                origin=axis.origin,
                prevalence=axis.prevalence,
                silent=axis.silent,
            )
        for key in covered:
            scaled.setdefault(key, []).append(Name(name))
            if axis.is_relative(key):
                relative.setdefault(key, []).append(Name(name))
        for other in axis.parameters:
            if other in draft.parameters:
                draft.parameters[other] = replace(
                    draft.parameters[other],
                    distribution="sparse",
                    spread=axis.spread,
                    lower=None,
                    upper=None,
                    prevalence=axis.prevalence,
                    silent=axis.silent,
                )
    return scaled, relative


def relative_activities(keys: Iterable[Key]) -> dict[Key, list[Expression]]:
    """Modulation -> the activities that also multiply its reference strength, in a model whose strengths are sparse."""
    present = list(keys)
    every = [(key, axis) for axis in axes() for key in present if axis.covers(key) and axis.is_relative(key)]
    activities: dict[Key, list[Expression]] = {}
    for key, axis in every:
        activities.setdefault(key, []).append(Name(activity_id(axis.name)))
    return activities


def revise(draft: Draft, table: Path = _REVISED) -> None:
    """Take the sizes of a table for the parameters of the draft; distributions between patients stay.

    Reference strengths have to be those of the revised sizes; see
    `immunescape.model.reference_strengths.strengths_file`.
    """
    for name, new in load_parameters(table, "").items():
        if name in draft.parameters:
            old = draft.parameters[name]
            draft.parameters[name] = replace(
                old,
                value=new.value,
                unit=new.unit,
                factor=new.factor,
                dimension=new.dimension,
                sources=new.sources,
                grade=new.grade,
                note=new.note,
                origin=new.origin,
            )
