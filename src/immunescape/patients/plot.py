"""The plot of one or several courses of a patient: panels over months, doses below, scans and events on the tumour."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from immunescape.errors import InputError, several
from immunescape.patients.small_tumours import NOT_SHOWN, measurable
from immunescape.units import DAYS_PER_MONTH

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from immunescape.patients.course import PatientCourse

__all__ = ["PANELS", "plot_courses"]

PANELS = ("PD1_occupancy_T", "CD8_density_T", "exhausted_share_T", "Treg_CD8_ratio", "MDSC_density_T", "ctDNA_conc")
"""Outputs that are plotted beside the tumour where none are named (those that a course has)."""
COLOURS = ("#0b6e99", "#c4621a", "#5b8c3a", "#7d4e9e", "#8a6d3b", "#444444", "#b83b5e", "#1f9e89")
"""Blue and orange first: they can be told apart in every common colour vision, and in grey."""
STYLES = ("-", "--", "-.", ":")
MARKS = {"CR": "v", "PR": "v", "SD": "o", "PD": "^", "NE": "x", "": "s"}


def plot_courses(
    courses: Sequence[PatientCourse], panels: str | Sequence[str] | None = None, path: str | Path | None = None
) -> Figure:
    """Plot courses over months: the change of the tumour's diameter, serum concentrations, and further outputs.

    Parameters
    ----------
    courses
        One or more.
    panels
        Outputs to plot beside tumour and drugs; None takes those of `PANELS`. Densities and ratios in a tumour below
        5 mm, which divide by nearly nothing, are not drawn (and stay in the tables of the courses).
    path
        PNG, SVG or PDF file to write.

    Returns
    -------
    Figure
        A matplotlib figure that no window manages: it shows itself in a notebook.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.lines import Line2D

    if not courses:
        raise InputError("no course to plot")
    if panels is not None:
        panels = several(panels)
        for name in panels:
            for course in courses:
                course.column(name)
    names = list(panels) if panels is not None else [n for n in PANELS if all(n in c.table for c in courses)]
    drugs = any(_concentrations(c) for c in courses)
    count = 1 + drugs + len(names)
    columns = 1 if count == 1 else 2
    rows = -(-count // columns)
    figure = _notebook_figure()(figsize=(5.4 * columns, 2.7 * rows + 0.5 + 0.22 * len(courses)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(np.atleast_1d(figure.subplots(rows, columns, sharex=True)).ravel())
    _draw_tumour(axes[0], courses)
    at = 1
    if drugs:
        _draw_drugs(axes[1], courses)
        at = 2
    for axis, name in zip(axes[at:], names, strict=False):
        series = [measurable(course, name) for course in courses]
        for k, course in enumerate(courses):
            axis.plot(_months(course), series[k], **_line(k))
        if any(np.isnan(values).any() for values in series):
            _note(axis, NOT_SHOWN)
        axis.set_ylabel(_unit(courses[0].units[name]))
        axis.set_title(textwrap.shorten(courses[0].meanings[name], 62, placeholder=" …"), fontsize=9, loc="left")
    for axis in axes[count:]:
        axis.set_axis_off()
    for axis in axes[:count]:
        axis.tick_params(labelsize=8)
        axis.yaxis.label.set_size(8)
        axis.spines[["top", "right"]].set_visible(False)
        axis.set_xlim(left=0.0)
    for axis in axes[max(0, count - columns) : count]:
        axis.set_xlabel("months since the start of treatment", fontsize=8)
        axis.tick_params(labelbottom=True)
    handles = [Line2D([], [], **_line(k)) for k in range(len(courses))]
    labels = [textwrap.fill(c.label, 60 * columns) for c in courses]
    figure.legend(handles, labels, loc="outside upper left", fontsize=8, frameon=False)
    if path is not None:
        _write(figure, Path(path))
    return figure


@cache
def _notebook_figure() -> type[Figure]:
    """Return the class of figures that a notebook shows whether or not it has imported pyplot."""
    from matplotlib.figure import Figure as PlainFigure

    class NotebookFigure(PlainFigure):
        """A figure that hands its picture to IPython."""

        def _repr_png_(self) -> bytes:
            content = io.BytesIO()
            self.savefig(content, format="png", dpi=90)
            return content.getvalue()

    return NotebookFigure


def _months(course: PatientCourse) -> Any:
    return np.asarray(course.table.index, dtype=float) / DAYS_PER_MONTH


def _line(k: int) -> dict[str, Any]:
    return {"color": COLOURS[k % len(COLOURS)], "linestyle": STYLES[k % len(STYLES)], "linewidth": 1.4}


def _unit(text: str) -> str:
    return "" if text == "dimensionless" else text


def _concentrations(course: PatientCourse) -> list[str]:
    given = set(course.doses["drug"]) if len(course.doses) else set()
    return [f"conc_{d}" for d in sorted(given) if f"conc_{d}" in course.table.columns]


def _draw_tumour(axis: Axes, courses: Sequence[PatientCourse]) -> None:
    for k, course in enumerate(courses):
        style = _line(k)
        size = course.table.get("diameter_T")
        if size is not None:
            axis.plot(_months(course), 100.0 * (size / size.iloc[0] - 1.0), **style)
        for day, change, response, new in course.scans[["day", "change_pct", "response", "new_lesion"]].to_numpy():
            mark = MARKS.get(str(response), "o")
            inside = "white" if new and mark != "x" else style["color"]
            axis.plot(
                float(day) / DAYS_PER_MONTH,
                float(change),
                mark,
                color=style["color"],
                markersize=5,
                markerfacecolor=inside,
            )
        death = course.outcome.get("death_day")
        if death is not None:
            last = 0.0 if size is None else float(100.0 * (size.iloc[-1] / size.iloc[0] - 1.0))
            axis.plot(death / DAYS_PER_MONTH, last, "P", color=style["color"], markersize=8, clip_on=False)
    for level in (20.0, -30.0):
        axis.axhline(level, color="0.7", linewidth=0.7, zorder=0)
    axis.set_ylim(-108.0, min(max(axis.get_ylim()[1], 45.0) * 1.15, 250.0))  # a tumour cannot lose more than all
    axis.set_ylabel("%")
    axis.set_title(
        "Change of the tumour's diameter: line model, marks scans (sum of diameters)", fontsize=9, loc="left"
    )
    key = "▽ response  ○ stable  △ progression  hollow: new lesion  ✚ death"
    if any(len(c.scans) for c in courses):
        axis.text(0.99, 0.98, key, transform=axis.transAxes, fontsize=6.5, ha="right", va="top", color="0.35")


def _note(axis: Axes, text: str) -> None:
    """Write a note below the curves of a panel, in room made for it."""
    low, high = axis.get_ylim()
    axis.set_ylim(low - 0.08 * (high - low), high)
    axis.text(0.99, 0.01, text, transform=axis.transAxes, fontsize=6.5, ha="right", va="bottom", color="0.35")


def _between_outputs(values: NDArray[np.float64]) -> bool:
    """Whether a drug is gone between two outputs, so that its peaks are not among them; NaN where there is none.

    Platinum falls to a millionth within a day: a curve through daily outputs would show what is left of it.
    """
    if not np.isfinite(values).any():
        return False
    peak = int(np.nanargmax(values))
    return peak + 1 < len(values) and not values[peak + 1] > 1e-3 * values[peak]


def _draw_drugs(axis: Axes, courses: Sequence[PatientCourse]) -> None:
    lowest: list[float] = []
    gone: dict[str, None] = {}
    for k, course in enumerate(courses):
        for j, name in enumerate(_concentrations(course)):
            values = np.asarray(course.table[name], dtype=float)
            values = np.where(values > 0, values, np.nan)
            if _between_outputs(values):
                gone[name.removeprefix("conc_")] = None
                continue
            top = np.nanmax(values) if np.isfinite(values).any() else 1.0
            lowest.append(1e-4 * float(top))
            style = _line(k)
            style["linestyle"] = STYLES[j % len(STYLES)]
            axis.plot(_months(course), values, **style)
            peak = int(np.nanargmax(values)) if np.isfinite(values).any() else 0
            axis.annotate(
                name.removeprefix("conc_"),
                (_months(course)[peak], top),
                fontsize=6.5,
                color=style["color"],
                xytext=(2, 2),
                textcoords="offset points",
            )
    axis.set_yscale("log")
    if lowest:
        axis.set_ylim(min(lowest), 3e4 * max(lowest))
    if gone:
        text = f"not drawn, as eliminated within a day of a dose: {', '.join(gone)}\n(simulate with every_days=0.05)"
        axis.text(0.01, 0.02, text, transform=axis.transAxes, fontsize=6.5, va="bottom", color="0.35")
    units = {c.units[n] for c in courses for n in _concentrations(c)}
    axis.set_ylabel(", ".join(sorted(units)))
    axis.set_title("Serum concentrations of the drugs", fontsize=9, loc="left")


def _write(figure: Figure, path: Path) -> None:
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise InputError(f"'{path.name}' is not a supported picture format", hint="Use .png, .svg or .pdf.")
    from immunescape.files import whole_file

    with whole_file(path, "cannot write the picture", hint="Choose another folder, or make room.") as file:
        figure.savefig(file, format=path.suffix[1:].lower(), dpi=160)
