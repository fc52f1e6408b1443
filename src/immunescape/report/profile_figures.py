"""Pictures of a profiled cohort (plotly): prevalence of mechanisms, an oncoprint-like overview, forest plots."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.report.figures import RESPONSE_COLOURS

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

__all__ = [
    "CURVE_COLOURS",
    "STATE_COLOURS",
    "STATE_LABELS",
    "forest_figure",
    "level_colours",
    "overview_figure",
    "prevalence_figure",
    "short",
]

STATE_COLOURS = {"present": "#c8501e", "conflicting": "#d9b64a", "absent": "#7db3d8", "not_assessable": "#e3e8ec"}
"""Vermilion and blue rather than red and green, which many readers cannot tell apart."""
CURVE_COLOURS = {"present": STATE_COLOURS["present"], "absent": "#2f7fb5"}
"""The same meanings for lines, which need a darker blue on white than areas do."""
STATE_LABELS = {
    "present": "present",
    "conflicting": "conflicting",
    "absent": "absent",
    "not_assessable": "not assessable",
}
_GROUP_COLOURS = ("#0b6e99", "#c4621a", "#5b8c3a", "#7d4e9e", "#8a6d3b", "#b0b8c0", "#444444", "#d9a6c2")
LEVEL_COLOURS = {
    **RESPONSE_COLOURS,
    "complete response": "#08519c",
    "partial response": "#56a3d9",
    "stable disease": "#d9b64a",
    "progressive disease": "#c8501e",
    "response": "#56a3d9",
    "no response": "#c8501e",
    "durable clinical benefit": "#56a3d9",
    "no durable benefit": "#c8501e",
    "yes": "#56a3d9",
    "no": "#c8501e",
    "primary": "#c8501e",
    "acquired": "#d9b64a",
    "none": "#56a3d9",
    "not yet classifiable": "#7d4e9e",
    "targetable driver": "#7d4e9e",
    "no targetable driver detected, pd-l1 < 1 %": "#c3dfae",
    "no targetable driver detected, pd-l1 1-49 %": "#8abb63",
    "no targetable driver detected, pd-l1 ≥ 50 %": "#3f7d2a",
    "not evaluable": "#9a9a9a",
    "not assessable": "#e3e8ec",
    "unknown": "#e3e8ec",
}
"""Colours of words that mean something, in any letter case: the same in every report, and never by the alphabet."""


def level_colours(levels: Sequence[str]) -> dict[str, str]:
    """Colour of each word of a track: by its meaning where it has one, else the next colour that is free."""
    colours = _coloured_levels()
    free = iter(c for c in _GROUP_COLOURS * (1 + len(levels) // len(_GROUP_COLOURS)))
    return {w: colours[w.casefold()] if w.casefold() in colours else next(free) for w in levels}


def _coloured_levels() -> dict[str, str]:
    return {level.casefold(): colour for level, colour in LEVEL_COLOURS.items()}


def ordered_levels(levels: Iterable[str]) -> list[str]:
    """Words of a track, each once: those that have a meaning in its order (CR before PR), then the others."""
    places = {level: k for k, level in enumerate(_coloured_levels())}
    return sorted(dict.fromkeys(levels), key=lambda level: (places.get(level.casefold(), len(places)), level))


_FONT = {"family": "system-ui, sans-serif", "size": 12}


def short(title: str, width: int = 64) -> str:
    """A title that fits beside an axis: without what stands in brackets, cut at the width."""
    text = re.sub(r" \([^)]*\)", "", title)
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


def prevalence_figure(counts: pd.DataFrame, titles: Mapping[str, str], context: Sequence[str] = ()) -> go.Figure:
    """Patients in each state, one bar a mechanism that anybody was assessed for; the most common come first.

    Those in `context` come last.
    """
    import plotly.graph_objects as go

    counts = counts[(counts["present"] + counts["absent"] + counts["conflicting"]) > 0]
    order = list(counts.sort_values(["present", "absent"], ascending=True).index)
    order.sort(key=lambda m: m not in context)
    figure = go.Figure()
    for state in STATE_COLOURS:
        figure.add_bar(
            y=[short(titles[m]) for m in order],
            x=counts.loc[order, state],
            orientation="h",
            name=STATE_LABELS[state],
            marker={"color": STATE_COLOURS[state], "line": {"color": "white", "width": 0.5}},
            hovertemplate="%{y}: %{x} patients " + STATE_LABELS[state] + "<extra></extra>",
        )
    figure.update_layout(
        barmode="stack",
        title={"text": "Patients in each state, by mechanism"},
        height=110 + 21 * len(order),
        bargap=0.25,
        margin={"l": 10, "r": 16, "t": 34, "b": 44},
        xaxis_title="Patients",
        font=_FONT,
    )
    figure.update_yaxes(automargin=True)
    return figure


def _sorted_patients(calls: pd.DataFrame, order: Sequence[str]) -> list[str]:
    """Patients so that carriers of the most common mechanisms stand together, as in an oncoprint."""
    codes = calls[list(order)].apply(
        lambda c: c.map({"present": 0, "conflicting": 1, "absent": 2, "not_assessable": 3})
    )
    return list(codes.sort_values(list(order), kind="stable").index)


def overview_figure(
    calls: pd.DataFrame,
    counts: pd.DataFrame,
    titles: Mapping[str, str],
    tracks: Mapping[str, pd.Series],
    context: Sequence[str] = (),
) -> go.Figure:
    """Mechanisms x patients by state, under tracks of words (stratum, resistance); patients sorted as in an oncoprint.

    Mechanisms that nobody could be assessed for are left out; they stand in the prevalence table. Those in `context`
    come last.
    """
    from plotly.subplots import make_subplots

    assessed = counts[(counts["present"] + counts["absent"] + counts["conflicting"]) > 0]
    order = list(assessed.sort_values(["present", "absent"], ascending=False).index)
    order.sort(key=lambda m: m in context)
    patients = _sorted_patients(calls, order) if order else list(calls.index)
    rows = max(len(order), 1)
    heights = [*[1.3] * len(tracks), rows * 1.0]
    figure = make_subplots(rows=len(heights), cols=1, shared_xaxes=True, row_heights=heights, vertical_spacing=0.012)
    position = list(range(1, len(patients) + 1))
    for i, (name, track) in enumerate(tracks.items(), start=1):
        values = track.reindex(patients).fillna("not assessable")
        levels = ordered_levels(values)
        code = {w: k for k, w in enumerate(levels)}
        colours = tuple(level_colours(levels).values())
        figure.add_heatmap(
            z=[[code[w] for w in values]],
            x=position,
            y=[name],
            zmin=-0.5,
            zmax=len(colours) - 0.5,
            colorscale=_steps(colours),
            showscale=False,
            customdata=[[[p, w] for p, w in zip(patients, values, strict=True)]],
            hovertemplate="%{customdata[0]}: %{customdata[1]}<extra>" + name + "</extra>",
            row=i,
            col=1,
        )
    states = list(STATE_COLOURS)
    z = calls.loc[patients, order].apply(lambda c: c.map({s: k for k, s in enumerate(states)})).to_numpy().T
    figure.add_heatmap(
        z=z,
        x=position,
        y=[short(titles[m]) for m in order],
        zmin=-0.5,
        zmax=len(states) - 0.5,
        colorscale=_steps(tuple(STATE_COLOURS.values())),
        showscale=False,
        ygap=2,
        xgap=0.4 if len(patients) <= 400 else 0,
        customdata=np.broadcast_to(np.array(patients, dtype=object), z.shape) if order else None,
        text=np.array([STATE_LABELS[s] for s in states], dtype=object)[z] if order else None,
        hovertemplate="%{customdata}: %{y} %{text}<extra></extra>",
        row=len(heights),
        col=1,
    )
    figure.update_layout(
        title={"text": "Mechanisms by patient"},
        height=110 + 20 * (rows + len(tracks) + 1),
        margin={"l": 10, "r": 16, "t": 34, "b": 44},
        font=_FONT,
    )
    figure.update_yaxes(autorange="reversed", automargin=True, ticks="")
    figure.update_xaxes(showgrid=False, zeroline=False, showticklabels=False, ticks="")
    figure.update_xaxes(title_text="Patients, sorted by mechanism", row=len(heights), col=1)
    return figure


def track_legend(track: pd.Series) -> list[tuple[str, str, int]]:
    """Words of a track with their colours and counts, for a legend in the page."""
    values = track.fillna("not assessable")
    levels = ordered_levels(values)
    counts = values.value_counts()
    return [(w, colour, int(counts[w])) for w, colour in level_colours(levels).items()]


def _steps(colours: Sequence[str]) -> list[list[float | str]]:
    n = len(colours)
    return [[edge, colour] for k, colour in enumerate(colours) for edge in (k / n, (k + 1) / n)]


def _log_ticks(low: NDArray[np.float64], high: NDArray[np.float64]) -> dict[str, Any]:
    """Labels of a log axis, at least three of them and far enough apart for a narrow screen."""
    first, last = min(float(np.min(low)), 1.0), max(float(np.max(high)), 1.0)  # no effect is always on the axis
    decades = 10.0 ** np.arange(np.floor(np.log10(first)), np.ceil(np.log10(last)) + 1)
    finer = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.1, 1.2, 1.3, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 9.0))
    ticks = np.array([1.0])
    for steps in finer:
        every = np.sort(np.outer(decades, steps).ravel())
        ticks = every[(every >= 0.95 * first) & (every <= 1.05 * last)]
        if len(ticks) >= 3:
            break
    return {"tickvals": ticks.tolist(), "ticktext": [f"{t:g}" for t in ticks]}


def forest_figure(
    labels: Sequence[str],
    estimate: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    measure: str,
    bold: Sequence[bool],
) -> go.Figure:
    """Ratios with 95 % intervals on a log axis; those that hold after correction for multiple testing are filled."""
    import plotly.graph_objects as go

    y = list(labels)[::-1]
    x, lo, hi = (np.asarray(v, dtype=float)[::-1] for v in (estimate, low, high))
    filled = list(bold)[::-1]
    figure = go.Figure()
    figure.add_scatter(
        x=x,
        y=y,
        mode="markers",
        marker={
            "symbol": ["square" if f else "square-open" for f in filled],
            "size": 9,
            "color": "#0b6e99",
        },
        error_x={
            "type": "data",
            "symmetric": False,
            "array": hi - x,
            "arrayminus": x - lo,
            "thickness": 1.4,
            "width": 0,
        },
        customdata=np.column_stack([lo, hi]),
        hovertemplate="%{y}: %{x:.2f} (%{customdata[0]:.2f} to %{customdata[1]:.2f})<extra></extra>",
    )
    figure.add_vline(x=1, line_dash="dash", line_color="#666", line_width=1)
    figure.update_layout(
        title={"text": f"{measure} with its 95 % interval, smallest p first"},
        height=110 + 24 * len(y),
        margin={"l": 10, "r": 20, "t": 14, "b": 48},
        font=_FONT,
        showlegend=False,
    )
    figure.update_xaxes(type="log", title=f"{measure}, 95 % interval (log axis)", **_log_ticks(lo, hi))
    figure.update_yaxes(automargin=True)
    return figure
