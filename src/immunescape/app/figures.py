"""A figure as plain data: what plotly.js draws, with its title, text alternative and table of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from immunescape.report.pictures import Picture
    from immunescape.report.tables import Table

__all__ = ["Card", "card_of_picture", "plain_layout", "significant", "table_json"]


@dataclass(frozen=True, kw_only=True)
class Card:
    """A figure with its words.

    Attributes
    ----------
    key : unique on the page. title : heading. data, layout : in the words of plotly.js.
    alternative : what the figure shows, for those who do not see it.
    note : a line below it. rows : its values as a table. unit : of the values, for the table's caption.
    """

    key: str
    title: str
    data: Sequence[Mapping[str, Any]]
    layout: Mapping[str, Any]
    alternative: str
    note: str = ""
    rows: Sequence[Mapping[str, str]] = ()
    unit: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the card as the page takes it."""
        return {
            "key": self.key,
            "title": self.title,
            "data": [dict(trace) for trace in self.data],
            "layout": dict(self.layout),
            "alternative": self.alternative,
            "note": self.note,
            "rows": [{str(k): str(v) for k, v in row.items()} for row in self.rows],
            "unit": self.unit,
        }


def significant(values: ArrayLike, digits: int = 4) -> list[float | None]:
    """Return numbers to so many significant digits, for a page; what is not finite becomes null, a gap."""
    array = np.asarray(values, dtype=np.float64)
    return [float(f"{v:.{digits}g}") if np.isfinite(v) else None for v in array.tolist()]


def plain_layout(x: str, y: str, span: Sequence[float] | None = None, height: int = 270) -> dict[str, Any]:
    """Layout without a title and a legend, which the page sets as text; both axes with units."""
    axis = {"zeroline": False, "gridcolor": "rgba(128,128,128,0.22)", "automargin": True, "linecolor": "#8a8a8a"}
    layout: dict[str, Any] = {
        "height": height,
        "margin": {"l": 52, "r": 12, "t": 10, "b": 44},
        "xaxis": {**axis, "title": {"text": x, "standoff": 8}, "fixedrange": True},
        "yaxis": {**axis, "title": {"text": y, "standoff": 12}, "fixedrange": True},
        "font": {"family": "system-ui, sans-serif", "size": 12},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "hovermode": "closest",
    }
    if span is not None:
        layout["xaxis"]["range"] = list(span)
    return layout


def card_of_picture(
    key: str, title: str, picture: Picture, alternative: str, rows: Sequence[Mapping[str, str]] = (), note: str = ""
) -> Card:
    """Card of a report's picture: legend above the plot, so that it covers neither data nor axes on a narrow page."""
    layout = {k: v for k, v in picture.layout.items() if k != "title"}
    layout |= {
        "height": max(int(layout.get("height", 420)), 380),
        "margin": {"l": 52, "r": 12, "t": 10, "b": 44},
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.03, "yanchor": "bottom"},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
    }
    for name in [n for n in layout if n.startswith(("xaxis", "yaxis"))]:
        layout[name] = {
            "gridcolor": "rgba(128,128,128,0.22)",
            "zeroline": False,
            "fixedrange": True,
            "automargin": True,
            **layout[name],
        }
        words = layout[name].get("title")
        if isinstance(words, dict):
            layout[name]["title"] = {**words, "standoff": 8}
    return Card(key=key, title=title, data=picture.data, layout=layout, alternative=alternative, note=note, rows=rows)


def table_json(title: str, table: Table, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """A report's table as plain data: title, rows of text, the columns that are numbers."""
    rows = [{k: str(v) for k, v in row.items() if k not in without} for row in table.rows]
    right = table.flush_right
    return {"title": title, "rows": rows, "numeric": [n for n in table.columns if n in right and n not in without]}
