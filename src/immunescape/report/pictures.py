"""Pictures as plain data: what plotly.js draws, without plotly's Python classes.

Those check every property of every line, which takes longer than simulating the patients that a line stands for; here a
test has them check the pictures instead. The script is plotly.js's bundle of Cartesian plots (``vendor/``, MIT
licence), a third of the whole library. Every picture says in words what it shows, for those who cannot see it.
"""

from __future__ import annotations

import base64
import gzip
import html
import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["LEGEND", "Picture", "level_line", "numbers", "on_common_scale", "plain", "plotly_script"]

_counter = itertools.count(1)


@cache
def plotly_script() -> str:
    """Script that a page holds once: plotly.js, packed, and what draws the pictures and adapts them to the screen."""
    folder = files("immunescape.report")
    library = (folder / "vendor" / "plotly-cartesian.min.js").read_bytes()
    packed = base64.b64encode(gzip.compress(library, 9, mtime=0)).decode("ascii")
    night, script = ((folder / "templates" / name).read_text(encoding="utf-8") for name in ("night.js", "pictures.js"))
    return night + script.replace("@plotly.js, packed@", packed)


_AXIS = {"gridcolor": "#e6ebf0", "zerolinecolor": "#e6ebf0", "automargin": True, "title": {"standoff": 10}}
_TEMPLATE: Mapping[str, Any] = {
    "layout": {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "colorway": ["#0b6e99", "#c4621a", "#5b8c3a", "#7d4e9e", "#8a6d3b", "#444444"],
        "font": {"color": "#1d2733"},
        "hovermode": "closest",
        "xaxis": {**_AXIS, "tickangle": 0},
        "yaxis": _AXIS,
    }
}
"""What pictures share: transparent, so that they fit a light and a dark page."""


def numbers(values: ArrayLike) -> list[float | None]:
    """Return numbers as JSON knows them: what is not finite becomes null, which leaves a gap."""
    array = np.asarray(values, dtype=np.float64)
    return [v if ok else None for v, ok in zip(array.tolist(), np.isfinite(array).tolist(), strict=True)]


def plain(value: Any) -> Any:
    """Return what plotly's classes hold as JSON knows it: arrays become lists, and what is not finite null."""
    if isinstance(value, np.ndarray):
        return numbers(value) if value.ndim == 1 and value.dtype.kind == "f" else plain(value.tolist())
    if isinstance(value, Mapping) and {"bdata", "dtype"} <= value.keys():  # plotly's own packing of arrays
        array = np.frombuffer(base64.b64decode(value["bdata"]), np.dtype(value["dtype"]))
        shape = [int(n) for n in str(value.get("shape", array.size)).split(",")]
        return plain(array.reshape(shape))
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


def level_line(y: float, colour: str, dash: str = "dash") -> dict[str, Any]:
    """Return a thin horizontal line through the whole picture, an element of ``layout.shapes``."""
    line = {"color": colour, "dash": dash, "width": 1}
    return {"type": "line", "xref": "x domain", "x0": 0, "x1": 1, "yref": "y", "y0": y, "y1": y, "line": line}


@dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes
    ----------
    data : traces, each with its ``type``. layout : title, axes with units, shapes; both in the words of plotly.js.
    """

    data: Sequence[Mapping[str, Any]]
    layout: Mapping[str, Any]

    def html(self, config: Mapping[str, Any], label: str = "", caption: str = "") -> str:
        """HTML of the picture, for a page that holds `plotly_script`; `label` and `caption` go with the figure.

        Its title stands above it as text of the page, which is wrapped on a narrow screen; its legend below it.
        """
        name = f"picture-{next(_counter)}"
        layout = self.shown_layout()
        arguments = ", ".join(_script_text(value) for value in (list(self.data), layout, dict(config)))
        height = self.layout.get("height", 420)
        description = self.description()
        shows = html.escape(description[0])
        named = f"{html.escape(label)}. {shows}" if label else shows  # its buttons take focus, so it is no image
        title = _title(self.layout)
        above = f'<p class="picture-title">{html.escape(title)}</p>' if title else ""
        below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
        rest = "".join(f"<li>{html.escape(text)}</li>" for text in description[1:])
        return (
            f'<figure class="picture" aria-label="{named}">{above}<div id="{name}" class="plotly-graph-div" '
            f'style="height:{height}px; width:100%;"></div>'
            + (f"<details><summary>In words</summary><ul>{rest}</ul></details>" if rest else "")
            + f'{below}</figure><script type="application/json" class="picture-content" data-for="{name}">'
            + f"[{arguments}]</script>"
        )

    def shown_layout(self) -> dict[str, Any]:
        """Layout as a page has it: without the title, which the page writes, and with the legend below the axis."""
        layout = {key: value for key, value in self.layout.items() if key != "title"}
        margin = {**layout.get("margin", {})}
        margin["t"] = min(int(margin.get("t", 14)), 14)
        return {**layout, "margin": margin, "legend": LEGEND, "template": _TEMPLATE}

    def description(self) -> list[str]:
        """What the picture shows, in words: title and axes, then a sentence for each trace."""
        layout = self.layout
        title = _title(layout) or "Picture"
        x, y = (_title(layout.get(axis, {})) for axis in ("xaxis", "yaxis"))
        sentences = [title + (f"; horizontal: {x}" if x else "") + (f"; vertical: {y}" if y else "") + "."]
        traces: dict[str, list[Mapping[str, Any]]] = {}
        for trace in self.data:
            if trace.get("type") == "heatmap":
                sentences += _rows_of_heatmap(trace)
            elif trace.get("name") or trace.get("hoverinfo") != "skip" or trace.get("text") is not None:
                traces.setdefault(str(trace.get("name") or ""), []).append(trace)
        for name, same_name_traces in traces.items():
            text = _extent(same_name_traces[0]) if len(same_name_traces) == 1 else f"{len(same_name_traces)} lines."
            sentences.append(f"{name}: {text}" if name else text)
        return sentences


LEGEND: Mapping[str, Any] = {
    "orientation": "h",
    "xref": "container",
    "x": 0,
    "xanchor": "left",
    "yref": "container",
    "y": 0,
    "yanchor": "bottom",
    "maxheight": 600,
    "traceorder": "normal",
}
"""Legend of every picture: over its whole width, at its lower edge, where it never covers what is drawn."""


def on_common_scale(pictures: Sequence[Picture]) -> list[Picture]:
    """Pictures that stand side by side, with one range of the ordinate that holds all of them, so that they compare."""
    values = [y for picture in pictures for trace in picture.data for y in trace["y"] if y is not None]
    low, high = min(values, default=-100.0), max(values, default=100.0)
    margin = 0.04 * max(high - low, 1.0)
    scale = {"range": [low - margin, high + margin]}
    return [Picture(p.data, {**p.layout, "yaxis": {**p.layout.get("yaxis", {}), **scale}}) for p in pictures]


def _title(element: Mapping[str, Any]) -> str:
    title = element.get("title", "")
    text = str(title.get("text", "") if isinstance(title, Mapping) else title)
    return text.replace("<br>", " ")


_MANY = 12
"""Points of a curve that are all said in words; of more, the first and the last."""


def _text(value: Any) -> str:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return f"{value:.4g}" if number else str(value).replace("<br>", " ")


def _rows_of_heatmap(trace: Mapping[str, Any]) -> list[str]:
    """A sentence for each row of a heatmap: how many of its cells have each word."""
    cells = trace.get("text")
    if cells is None:
        cells = [[cell[-1] for cell in row] for row in trace.get("customdata") or ()]
    return [
        f"{_text(name)}: " + ", ".join(f"{n} {label}" for label, n in Counter(map(str, row)).most_common()) + "."
        for name, row in zip(trace.get("y") or (), cells, strict=False)
    ]


def _extent(trace: Mapping[str, Any]) -> str:
    """The points of a trace in words: all where they are few or have names, else first and last."""
    labels = trace.get("text")
    if trace.get("mode") == "markers+text" and isinstance(labels, Sequence) and not isinstance(labels, str):
        return "; ".join(map(_text, labels)) + "."
    x, y = trace.get("x"), trace.get("y")
    if not isinstance(x, Sequence) or not isinstance(y, Sequence) or isinstance(x, str) or not len(x):
        return "drawn."
    named = any(isinstance(value, str) for value in y)  # names stand beside the vertical axis
    at, value = (y, x) if named else (x, y)
    bars = trace.get("error_x") or {}
    high, low = (list(bars.get(k) or [None] * len(x)) for k in ("array", "arrayminus"))
    points = [
        (a, b, f" ({_text(b - d)} to {_text(b + u)})" if d is not None and u is not None else "")
        for a, b, d, u in zip(at, value, low, high, strict=False)
        if a is not None and b is not None
    ]
    if not points:
        return "no points."
    if named or len(points) <= _MANY:
        return "; ".join(f"{_text(a)}: {_text(b)}{interval}" for a, b, interval in points) + "."
    (a, b, _), (c, d, _) = points[0], points[-1]
    return f"{len(points)} points, from {_text(b)} at {_text(a)} to {_text(d)} at {_text(c)}."


def _script_text(value: Any) -> str:
    """JSON that cannot end the script that it stands in."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
