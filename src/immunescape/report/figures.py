"""Interactive pictures (plotly) of a virtual trial: Kaplan-Meier, waterfall and spider plots, units on both axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.report.pictures import Picture, level_line, numbers, plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = [
    "ARM_COLOURS",
    "RESPONSE_COLOURS",
    "Curve",
    "PublishedCurve",
    "ecdf_figure",
    "escape_figure",
    "figure_html",
    "kaplan_meier_figure",
    "spider_figure",
    "waterfall_figure",
]

ARM_COLOURS = ("#0b6e99", "#c4621a", "#5b8c3a", "#7d4e9e", "#8a6d3b", "#444444")
RESPONSE_COLOURS = {"CR": "#08519c", "PR": "#56a3d9", "SD": "#d9b64a", "PD": "#c8501e", "NE": "#9a9a9a"}
"""Blue for response, vermilion for progression: told apart in the common colour vision deficiencies."""


@dataclass(frozen=True)
class Curve:
    """A predicted Kaplan-Meier curve: times in months, survival and its 95 % band as fractions, numbers at risk."""

    arm: str
    months: NDArray[np.float64]
    survival: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    at_risk: Mapping[float, int] = field(default_factory=dict)


@dataclass(frozen=True)
class PublishedCurve:
    """What was published for one arm: landmark points, and optionally a digitised curve, as fractions."""

    arm: str
    months: Sequence[float] = ()
    survival: Sequence[float] = ()
    curve_months: Sequence[float] = ()
    curve_survival: Sequence[float] = ()
    median_months: float | None = None


def _plain_layout(title: str, x: str, y: str, height: int = 420) -> dict[str, Any]:
    return {
        "title": {"text": title, "font": {"size": 16}},
        "height": height,
        "margin": {"l": 56, "r": 16, "t": 44, "b": 56},
        "xaxis": {"title": {"text": x}},
        "yaxis": {"title": {"text": y}},
        "font": {"family": "system-ui, sans-serif", "size": 13},
    }


def _rgba(colour: str, alpha: float) -> str:
    r, g, b = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({r},{g},{b},{alpha})"


def kaplan_meier_figure(
    title: str,
    curves: Sequence[Curve],
    published: Sequence[PublishedCurve] = (),
    colours: Mapping[str, str] | None = None,
) -> Picture:
    """Predicted curves with 95 % bands, and the published ones in the same colours.

    Published landmarks are diamonds, a published digitised curve is dotted, a published median is a cross at 50 %.
    `colours` by arm are for curves whose colour has a meaning; the others take those of arms in turn.
    """
    colour = {curve.arm: ARM_COLOURS[i % len(ARM_COLOURS)] for i, curve in enumerate(curves)} | dict(colours or {})
    data = [trace for curve in curves for trace in _predicted(curve, colour[curve.arm])]
    for curve in published:
        data += _published(curve, colour.get(curve.arm, "#333333"))
    layout = _plain_layout(title, "Months since randomisation", "Patients without event (%)", height=460)
    layout["xaxis"]["rangemode"] = "tozero"
    layout["yaxis"]["range"] = [0, 102]
    return Picture(data, layout)


def _predicted(curve: Curve, colour: str) -> list[dict[str, Any]]:
    steps = np.repeat(curve.months, 2)[1:]
    high, low = (np.repeat(bound, 2)[:-1] for bound in (curve.high, curve.low))
    band = {
        "type": "scatter",
        "x": numbers(np.concatenate([steps, steps[::-1]])),
        "y": numbers(100 * np.concatenate([high, low[::-1]])),
        "fill": "toself",
        "fillcolor": _rgba(colour, 0.13),
        "mode": "lines",
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    line = {
        "type": "scatter",
        "x": numbers(curve.months),
        "y": numbers(100 * curve.survival),
        "mode": "lines",
        "line": {"shape": "hv", "color": colour, "width": 2.5},
        "name": f"{curve.arm}, predicted",
        "hovertemplate": "%{x:.1f} months: %{y:.1f} %<extra></extra>",
    }
    return [band, line]


def _published(published: PublishedCurve, colour: str) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = []
    white = {"color": "white", "width": 1}
    if len(published.curve_months):
        data.append(
            {
                "type": "scatter",
                "x": numbers(published.curve_months),
                "y": numbers(100 * np.asarray(published.curve_survival)),
                "mode": "lines",
                "line": {"shape": "hv", "color": colour, "width": 1.5, "dash": "dot"},
                "name": f"{published.arm}, published curve",
            }
        )
    if len(published.months):
        data.append(
            {
                "type": "scatter",
                "x": numbers(published.months),
                "y": numbers(100 * np.asarray(published.survival)),
                "mode": "markers",
                "marker": {"symbol": "diamond", "size": 10, "color": colour, "line": white},
                "name": f"{published.arm}, published",
                "hovertemplate": "published, %{x:g} months: %{y:.1f} %<extra></extra>",
            }
        )
    if published.median_months is not None:
        data.append(
            {
                "type": "scatter",
                "x": [published.median_months],
                "y": [50],
                "mode": "markers",
                "marker": {"symbol": "x", "size": 11, "color": colour, "line": white},
                "name": f"{published.arm}, published median",
                "hovertemplate": "published median %{x:.1f} months<extra></extra>",
            }
        )
    return data


def waterfall_figure(arm: str, best_change_pct: NDArray[np.float64], response: Sequence[str]) -> Picture:
    """Best change of the sum of diameters of each patient, sorted, coloured by best overall response."""
    change = np.asarray(best_change_pct, dtype=float)
    measured = np.isfinite(change)
    order = np.argsort(-change[measured], kind="stable")
    values = np.clip(change[measured][order], -100, 150)
    labels = np.asarray(response, dtype=object)[measured][order]
    data = []
    for label, colour in RESPONSE_COLOURS.items():
        here = labels == label
        if here.any():
            data.append(
                {
                    "type": "bar",
                    "x": (np.flatnonzero(here) + 1).tolist(),
                    "y": numbers(values[here]),
                    "width": 0.95,
                    "marker": {"color": colour},
                    "name": f"{label} ({int(here.sum())})",
                    "hovertemplate": "%{y:.0f} %<extra>" + label + "</extra>",
                }
            )
    layout = _plain_layout(arm, "Patients, by best change", "Best change of diameters (%)", height=360)
    shapes = [level_line(level, "#666") for level in (-30, 20)]
    return Picture(data, {**layout, "bargap": 0.05, "barmode": "overlay", "shapes": shapes})


def ecdf_figure(title: str, panels: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]) -> go.Figure:
    """Cumulative shares of patients, measured and simulated, one panel for each measure.

    Parameters
    ----------
    title
        Of the whole.
    panels
        Label of the horizontal axis, with unit -> (measured, simulated) values.
    """
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=1, cols=max(len(panels), 1), shared_yaxes=True, horizontal_spacing=0.04)
    kinds = (("measured", "#333333", "dot"), ("simulated", ARM_COLOURS[0], "solid"))
    for column, samples in enumerate(panels.values(), start=1):
        for values, (kind, colour, dash) in zip(samples, kinds, strict=True):
            ordered = np.sort(values)
            figure.add_scatter(
                x=ordered,
                y=100.0 * np.arange(1, len(ordered) + 1) / max(len(ordered), 1),
                mode="lines",
                line={"shape": "hv", "color": colour, "width": 2, "dash": dash},
                name=kind,
                legendgroup=kind,
                showlegend=column == 1,
                hovertemplate="%{x:.3g}: %{y:.0f} %<extra>" + kind + "</extra>",
                row=1,
                col=column,
            )
    figure.update_layout(_plain_layout(title, "", "", height=340), template="plotly_white")
    for column, label in enumerate(panels, start=1):
        figure.update_xaxes(title_text=label, row=1, col=column)
    figure.update_yaxes(title_text="Patients at or below (%)", row=1, col=1)
    return figure


def escape_figure(escape: Mapping[str, Any]) -> Picture:
    """Patients by what carried their escape, primary and acquired resistance apart."""
    counts = escape["counts"]
    total: dict[str, int] = {}
    for kind in counts.values():
        for name, n in kind.items():
            total[name] = total.get(name, 0) + n
    names = sorted(total, key=lambda n: total[n])
    labels = [escape["candidates"].get(n, "None alone") for n in names]
    data = [
        {
            "type": "bar",
            "y": labels,
            "x": [counts.get(kind, {}).get(n, 0) for n in names],
            "orientation": "h",
            "marker": {"color": colour},
            "name": f"{kind} resistance",
        }
        for kind, colour in (("primary", "#b5651d"), ("acquired", "#1f5f8b"))
    ]
    layout = _plain_layout("Attribution of escape", "Patients", "", height=140 + 26 * len(names))
    return Picture(data, {**layout, "barmode": "stack"})


def spider_figure(
    arm: str, months: Sequence[NDArray[np.float64]], change_pct: Sequence[NDArray[np.float64]], response: Sequence[str]
) -> Picture:
    """Change of the sum of diameters over time; one line a patient, coloured by best overall response."""
    data: list[dict[str, Any]] = []
    for label in dict.fromkeys(response):  # the legend has its own lines, which are not pale as those of patients are
        colour = RESPONSE_COLOURS.get(label, "#9a9a9a")
        data.append(
            {
                "type": "scatter",
                "x": [None],
                "y": [None],
                "mode": "lines",
                "line": {"color": colour, "width": 2},
                "name": label,
                "legendgroup": label,
                "hoverinfo": "skip",
            }
        )
    for x, y, label in zip(months, change_pct, response, strict=True):
        data.append(
            {
                "type": "scatter",
                "x": numbers(x),
                "y": numbers(np.clip(y, -100, 150)),
                "mode": "lines",
                "line": {"color": _rgba(RESPONSE_COLOURS.get(label, "#9a9a9a"), 0.55), "width": 1.1},
                "name": label,
                "legendgroup": label,
                "showlegend": False,
                "hovertemplate": "%{x:.1f} months: %{y:.0f} %<extra>" + label + "</extra>",
            }
        )
    shapes = [level_line(level, "#888", "dash" if level else "solid") for level in (-30, 0, 20)]
    layout = _plain_layout(arm, "Months since first dose", "Change of diameters (%)", height=400)
    return Picture(data, {**layout, "shapes": shapes})


def figure_html(figure: go.Figure | Picture, tools: bool = True, label: str = "", caption: str = "") -> str:
    """HTML of one picture, without the plotly library itself (a report carries it once).

    `tools` shows its buttons; `label` names the figure to those who hear the page, `caption` stands below it.
    """
    config = {"displaylogo": False, "responsive": True, "displayModeBar": "hover" if tools else False}
    if not isinstance(figure, Picture):
        content = plain(figure.to_plotly_json())
        layout = {k: v for k, v in content["layout"].items() if k != "template"}
        figure = Picture(content["data"], layout)
    return figure.html(config, label, caption)
