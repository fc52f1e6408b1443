"""Pictures as plain data: what plotly.js draws, without plotly's Python classes.

Those check every property of every line, which takes longer than simulating the patients that a line stands for; here a
test has them check the pictures instead. The script is plotly.js's bundle of Cartesian plots (``vendor/``, MIT
licence), a third of the whole library. Every picture says in words what it shows, for those who cannot see it.
"""

from __future__ import annotations

import html
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["Picture", "level_line", "numbers", "plotly_script"]

_counter = itertools.count(1)


@cache
def plotly_script() -> str:
    """Text of plotly.js, which a page holds once, and what adapts pictures to a dark screen."""
    bundle = files("immunescape.report") / "vendor" / "plotly-cartesian.min.js"
    return bundle.read_text(encoding="utf-8") + _DARK


_DARK = """
window.addEventListener("load", () => {
  const screen = matchMedia("(prefers-color-scheme: dark)");
  const adapt = () => document.querySelectorAll(".plotly-graph-div").forEach(g => {
    const ink = screen.matches ? "#dde5ec" : "#1d2733", grid = screen.matches ? "#35434f" : "#e6ebf0";
    const change = {"font.color": ink};
    for (const axis of Object.keys(g.layout || {}).filter(k => /^[xy]axis/.test(k)))
      for (const part of ["gridcolor", "zerolinecolor", "linecolor"]) change[axis + "." + part] = grid;
    if (window.Plotly) Plotly.relayout(g, change);
  });
  screen.addEventListener("change", adapt);
  if (screen.matches) adapt();
});
window.addEventListener("beforeprint", () =>
  document.querySelectorAll(".plotly-graph-div").forEach(g => Plotly.Plots.resize(g)));
"""
_AXIS = {"gridcolor": "#e6ebf0", "zerolinecolor": "#e6ebf0", "automargin": True, "title": {"standoff": 10}}
_TEMPLATE: Mapping[str, Any] = {
    "layout": {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "colorway": ["#0b6e99", "#c4621a", "#5b8c3a", "#7d4e9e", "#8a6d3b", "#444444"],
        "font": {"color": "#1d2733"},
        "hovermode": "closest",
        "xaxis": _AXIS,
        "yaxis": _AXIS,
    }
}
"""What pictures share: transparent, so that they fit a light and a dark page."""


def numbers(values: ArrayLike) -> list[float | None]:
    """Return numbers as JSON knows them: what is not finite becomes null, which leaves a gap."""
    array = np.asarray(values, dtype=np.float64)
    return [v if ok else None for v, ok in zip(array.tolist(), np.isfinite(array).tolist(), strict=True)]


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
        """HTML of the picture, for a page that holds `plotly_script`; `label` and `caption` go with the figure."""
        name = f"picture-{next(_counter)}"
        layout = {**self.layout, "template": _TEMPLATE}
        arguments = ", ".join(_script_text(value) for value in (list(self.data), layout, dict(config)))
        height = self.layout.get("height", 420)
        description = self.description()
        shows = html.escape(description[0])
        named = html.escape(label) or shows
        below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
        rest = "".join(f"<li>{html.escape(text)}</li>" for text in description[1:])
        return (
            f'<figure class="picture" aria-label="{named}"><div id="{name}" class="plotly-graph-div" title="{shows}" '
            f'style="height:{height}px; width:100%;"></div>'
            + (f"<details><summary>In words</summary><ul>{rest}</ul></details>" if rest else "")
            + f'{below}</figure><script>Plotly.newPlot("{name}", {arguments});</script>'
        )

    def description(self) -> list[str]:
        """What the picture shows, in words: title and axes, then a sentence for each named trace."""
        layout = self.layout
        title = _title(layout) or "Picture"
        x, y = (_title(layout.get(axis, {})) for axis in ("xaxis", "yaxis"))
        sentences = [title + (f"; horizontal: {x}" if x else "") + (f"; vertical: {y}" if y else "") + "."]
        traces: dict[str, list[Mapping[str, Any]]] = {}
        for trace in self.data:
            if trace.get("name") and trace.get("type") != "heatmap":
                traces.setdefault(str(trace["name"]), []).append(trace)
        for name, same_name_traces in traces.items():
            sentences.append(
                f"{name}: "
                + (_extent(same_name_traces[0]) if len(same_name_traces) == 1 else f"{len(same_name_traces)} lines.")
            )
        return sentences


def _title(element: Mapping[str, Any]) -> str:
    title = element.get("title", "")
    text = str(title.get("text", "") if isinstance(title, Mapping) else title)
    return text.replace("<br>", " ")


def _extent(trace: Mapping[str, Any]) -> str:
    """The points of a trace in words: all where they are few, else first and last."""
    x, y = trace.get("x"), trace.get("y")
    if not isinstance(x, Sequence) or not isinstance(y, Sequence) or isinstance(x, str) or not len(x):
        return "drawn."
    points = [(a, b) for a, b in zip(x, y, strict=False) if a is not None and b is not None]
    if not points:
        return "no points."

    def text(value: Any) -> str:
        return f"{value:.4g}" if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)

    if len(points) <= 12:
        return "; ".join(f"{text(a)}: {text(b)}" for a, b in points) + "."
    (a, b), (c, d) = points[0], points[-1]
    return f"{len(points)} points, from {text(b)} at {text(a)} to {text(d)} at {text(c)}."


def _script_text(value: Any) -> str:
    """JSON that cannot end the script that it stands in."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
