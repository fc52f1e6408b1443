"""Assumed shares of patients with an active suppressive axis, beside shares of tumours that studies published.

``model/suppression.csv`` states the share of patients in whom an axis is active; nearly all are assumed.
``published_prevalences.csv`` holds what is published about a marker of each axis. Nothing that simulates reads it: a
tumour that carries a marker need not be suppressed by it, so that a published share is a comparison and no value.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from immunescape.errors import InputError
from immunescape.knowledge.references import Reference, get_reference, load_references
from immunescape.knowledge.tables import Row, read_rows
from immunescape.model.suppression import Axis, axes
from immunescape.stats.exact import clopper_pearson

__all__ = [
    "PrevalenceComparison",
    "PublishedPrevalence",
    "compare_prevalences",
    "prevalence_table",
    "published_prevalences",
    "renew_page",
]

Position = Literal["inside", "below", "above", "none"]
_TABLE = Path(__file__).with_name("published_prevalences.csv")
_COLUMNS = ("axis", "measured", "method", "n", "low", "high", "histology", "source", "checked", "note")
_CHECKED = ("source", "memory")
_WITHOUT = "no published scale"
_BEGIN = "<!-- published prevalences: written by `python -m immunescape.evaluation.prevalences docs/specificity.md` -->"
_END = "<!-- end of published prevalences -->"


@dataclass(frozen=True, kw_only=True)
class PublishedPrevalence:
    """What a study published about a marker of an axis, or why nothing is entered.

    Attributes
    ----------
    axis : of ``suppression.csv``.
    measured, method, histology : the marker and its cut-off, the assay, the tumours.
    n : tumours; None where the share's denominator was not seen.
    low, high : share of tumours; they differ where a study states several figures without their numbers of tumours.
        None where nothing is entered.
    source : key of the bibliography; '' where nothing is entered.
    checked : ``source`` where the figure was seen in a retrieved text, ``memory`` where it was not.
    note : counts and limits, or the reason.
    """

    axis: str
    measured: str
    method: str
    n: int | None
    low: float | None
    high: float | None
    histology: str
    source: str
    checked: str
    note: str = ""

    @cached_property
    def limits(self) -> tuple[float, float] | None:
        """Exact 95 % limits of the share; the share itself where the number of tumours is missing."""
        if self.low is None or self.high is None:
            return None
        if self.n is None:
            return self.low, self.high
        low, high = (clopper_pearson(round(share * self.n), self.n) for share in (self.low, self.high))
        assert low.low is not None  # n is positive
        assert high.high is not None
        return low.low, high.high


@dataclass(frozen=True, kw_only=True)
class PrevalenceComparison:
    """The share of an axis beside the range of the published ones.

    Attributes
    ----------
    axis, assumed, grade : as in ``suppression.csv``.
    low, high : from the lowest to the highest 95 % limit of all studies; None without a study.
    position : of the assumed share.
    studies : rows with a share, or the one row with the reason.
    """

    axis: str
    assumed: float
    grade: str
    low: float | None
    high: float | None
    position: Position
    studies: tuple[PublishedPrevalence, ...]


def published_prevalences(table: Path = _TABLE, names: Iterable[str] | None = None) -> tuple[PublishedPrevalence, ...]:
    """Read the published shares.

    Parameters
    ----------
    table
        File with the columns of the one that ships.
    names
        Axes; those of ``suppression.csv`` by default.

    Raises
    ------
    InputError
        Naming file and line: an unknown axis or key, a share outside 0 to 1, a row that states a share in part, an axis
        with a share and a reason for having none, an axis without a row.
    """
    expected = tuple(a.name for a in axes()) if names is None else tuple(names)
    rows = read_rows(table, _COLUMNS, may_lack=("source",))
    references = load_references()
    read = tuple(_published(row, expected, references) for row in rows)
    for row, entry in zip(rows, read, strict=True):
        if entry.low is None and sum(other.axis == entry.axis for other in read) > 1:
            raise InputError(
                f"'{entry.axis}' has a row that says why it has no share, and another row", where=row.where
            )
    if missing := [name for name in expected if all(entry.axis != name for entry in read)]:
        raise InputError(
            f"no row for {', '.join(missing)}",
            where=str(table),
            hint=f"Enter a study, or a note that begins with '{_WITHOUT}' and says why there is none.",
        )
    return read


def _published(row: Row, names: Sequence[str], references: Mapping[str, Reference]) -> PublishedPrevalence:
    axis = row.choice("axis", names)
    stated = [
        column for column in ("measured", "method", "low", "high", "histology", "source", "checked") if row[column]
    ]
    if not stated and not row["n"]:
        if not row["note"].startswith(_WITHOUT):
            raise InputError(
                f"a row without a share needs a note that begins with '{_WITHOUT}' and says why", where=row.where
            )
        return PublishedPrevalence(
            axis=axis,
            measured="",
            method="",
            n=None,
            low=None,
            high=None,
            histology="",
            source="",
            checked="",
            note=row["note"],
        )
    for column in ("measured", "method", "low", "high", "histology", "source", "checked"):
        if not row[column]:
            raise InputError(f"the row has no {column}", where=row.where)
    row.choice("checked", _CHECKED)
    low, high = row.number("low"), row.number("high")
    if not 0.0 <= low <= high <= 1.0:
        raise InputError(f"the shares {low:g} to {high:g} are not within 0 to 1 in ascending order", where=row.where)
    n = row.number_or_none("n")
    if n is not None and (n < 1 or n != int(n)):
        raise InputError(f"'{row['n']}' is not a number of tumours", where=row.where)
    get_reference(row["source"], references, row.where)
    return PublishedPrevalence(
        axis=axis,
        measured=row["measured"],
        method=row["method"],
        n=None if n is None else int(n),
        low=low,
        high=high,
        histology=row["histology"],
        source=row["source"],
        checked=row["checked"],
        note=row["note"],
    )


def compare_prevalences(
    assumed: Sequence[Axis] | None = None, published: Sequence[PublishedPrevalence] | None = None
) -> tuple[PrevalenceComparison, ...]:
    """Put the share of each axis beside the published ones, in the order of ``suppression.csv``."""
    rows = published_prevalences() if published is None else published
    return tuple(_compared(axis, tuple(r for r in rows if r.axis == axis.name)) for axis in assumed or axes())


def _compared(axis: Axis, studies: tuple[PublishedPrevalence, ...]) -> PrevalenceComparison:
    limits = [study.limits for study in studies if study.limits is not None]
    if not limits:
        return PrevalenceComparison(
            axis=axis.name,
            assumed=axis.prevalence,
            grade=axis.grade,
            low=None,
            high=None,
            position="none",
            studies=studies,
        )
    low, high = min(a for a, _ in limits), max(b for _, b in limits)
    position: Position = "below" if axis.prevalence < low else "above" if axis.prevalence > high else "inside"
    return PrevalenceComparison(
        axis=axis.name,
        assumed=axis.prevalence,
        grade=axis.grade,
        low=low,
        high=high,
        position=position,
        studies=studies,
    )


def prevalence_table(comparisons: Sequence[PrevalenceComparison] | None = None) -> str:
    """Write the comparison as Markdown: how many axes lie where, then a row for each axis."""
    rows = compare_prevalences() if comparisons is None else comparisons
    count = {
        position: sum(row.position == position for row in rows) for position in ("inside", "below", "above", "none")
    }
    lines = [
        f"Of {len(rows)} axes, the assumed proportion lies inside the published range for {count['inside']}, below it",
        f"for {count['below']} and above it for {count['above']}; for {count['none']} no range was found.",
        "",
        "| axis | model, % | published, % | position | measured (study), % | figures checked |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        share = f"{100 * row.assumed:.0f} ({row.grade})"
        if row.low is None or row.high is None:
            lines.append(f"| `{row.axis}` | {share} | – | none | {row.studies[0].note} | – |")
            continue
        studies = "; ".join(_study(study) for study in row.studies)
        memory = sum(study.checked == "memory" for study in row.studies)
        checked = f"{len(row.studies) - memory} of {len(row.studies)}"
        span = f"{100 * row.low:.0f} to {100 * row.high:.0f}"
        lines.append(f"| `{row.axis}` | {share} | {span} | {row.position} | {studies} | {checked} |")
    return "\n".join(lines)


def _study(study: PublishedPrevalence) -> str:
    assert study.low is not None
    assert study.high is not None
    figure = f"{100 * study.low:.3g}"
    if study.high != study.low:
        figure += f" and {100 * study.high:.3g}"
    size = f" (n = {study.n})" if study.n is not None else ""
    memory = ", from memory" if study.checked == "memory" else ""
    return f"{study.measured}: {figure}{size}, {study.histology} {{cite:p}}`{study.source}`{memory}"


def renew_page(path: Path) -> None:
    """Write the comparison between the two marks of a page.

    Raises
    ------
    InputError
        Where the page lacks the marks.
    """
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise InputError(f"the page has no '{_BEGIN}' … '{_END}'", where=str(path))
    path.write_text(f"{before}{begin}\n\n{prevalence_table()}\n\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path, help="page whose table of published prevalences is renewed")
    renew_page(parser.parse_args().page)
