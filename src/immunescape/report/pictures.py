"""Pictures as plain data: what plotly.js draws, without plotly's Python classes.

Those check every property of every line, which takes longer than simulating the patients that a line stands for; here a
test has them check the pictures instead. The script ``plotly.min.js`` and the template are the plotly package's.
"""

from __future__ import annotations

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
    """Text of ``plotly.min.js``, which a page holds once."""
    return (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


@cache
def _template() -> Mapping[str, Any]:
    text = (files("plotly") / "package_data" / "templates" / "plotly_white.json").read_text(encoding="utf-8")
    template: dict[str, Any] = json.loads(text)
    return template


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

    def html(self, config: Mapping[str, Any]) -> str:
        """HTML of the picture, for a page that holds `plotly_script`."""
        name = f"picture-{next(_counter)}"
        layout = {**self.layout, "template": _template()}
        parts = ", ".join(_script_text(part) for part in (list(self.data), layout, dict(config)))
        height = self.layout.get("height", 420)
        return (
            f'<div id="{name}" class="plotly-graph-div" style="height:{height}px; width:100%;"></div>'
            f'<script>Plotly.newPlot("{name}", {parts});</script>'
        )


def _script_text(value: Any) -> str:
    """JSON that cannot end the script that it stands in."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
