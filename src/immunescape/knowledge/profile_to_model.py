"""From a measured biomarker to what it says about a virtual patient: the table of rows.

``data/profile_to_model.csv`` holds one fact a row: for a biomarker (and, for words and truth values, ``when`` it has
one of some values) a covariate of the virtual population, a parameter of the model, or an observable of the model at
diagnosis; how the value becomes that of the target, in which unit it must be, and how uncertain it is. Nothing is
simulated or drawn here; conditioning a population is the room ``twins``'.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from immunescape.errors import InputError
from immunescape.knowledge.tables import Row, read_rows

__all__ = ["ProfileLink", "profile_links"]

TABLE = Path(__file__).parent / "data" / "profile_to_model.csv"
_KINDS = ("covariate", "parameter", "observable")
_TRANSFORMATIONS = ("identity", "set", "exclude", "range", "percentile")
_SCALES = ("none", "sd", "sd_ln", "score", "interval")


@dataclass(frozen=True, kw_only=True)
class ProfileLink:
    """One row of the table.

    Attributes
    ----------
    biomarker, unit : biomarker, and the unit that its number must be in; empty for words and truth values.
    when : the values (words) that the row is for; empty for any number.
    target, kind : covariate, parameter or observable that it speaks of.
    transformation : ``identity`` (value times factor), ``set`` (to the factor), ``exclude`` (anything but the factor),
        ``range`` (somewhere in it) or ``percentile`` (the percentile in a reference is that among virtual patients).
    factor : number, word or range (``0..1``), as the transformation needs.
    spread, spread_scale : standard deviation (``sd``), of the logarithm (``sd_ln``), of the normal score of the
        percentile (``score``), the measurement's own 95 % ``interval``, or ``none``.
    source, grade, note : keys of the bibliography or ``assumed``; measured, fitted or assumed; what it says.
    """

    biomarker: str
    unit: str
    when: tuple[str, ...]
    target: str
    kind: Literal["covariate", "parameter", "observable"]
    transformation: Literal["identity", "set", "exclude", "range", "percentile"]
    factor: str
    spread: float | None
    spread_scale: Literal["none", "sd", "sd_ln", "score", "interval"]
    source: tuple[str, ...]
    grade: str
    note: str


@lru_cache(maxsize=1)
def profile_links() -> tuple[ProfileLink, ...]:
    """Return the rows of the table.

    Raises
    ------
    InputError
        Naming the row: an unknown word, no source, or a factor that the transformation cannot use.
    """
    return tuple(_link(row) for row in read_rows(TABLE, may_lack=("unit",)))  # a word has none


def _link(row: Row) -> ProfileLink:
    row.choice("kind", _KINDS)
    row.choice("transformation", _TRANSFORMATIONS)
    row.choice("spread_scale", _SCALES)
    if row["transformation"] == "range" and ".." not in row["factor"]:
        raise InputError(f"'{row['factor']}' is not a range", where=row.where, hint="Write it as 0..1.")
    return ProfileLink(
        biomarker=row["biomarker"],
        unit=row["unit"],
        when=row.split("when", "|"),
        target=row["target"],
        kind=row["kind"],  # type: ignore[arg-type]
        transformation=row["transformation"],  # type: ignore[arg-type]
        factor=row["factor"],
        spread=row.number_or_none("spread"),
        spread_scale=row["spread_scale"],  # type: ignore[arg-type]
        source=row.split("source"),
        grade=row["grade"],
        note=row["note"],
    )
