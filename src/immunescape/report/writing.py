"""Writing reports: pages share one environment of templates."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from immunescape.report.files import write_whole

__all__ = ["write_page"]


def write_page(path: Path, template: str, values: Mapping[str, Any]) -> Path:
    """Render a template of the package into a file; `plotly_js`, where given, stays as it is."""
    from jinja2 import Environment, PackageLoader, select_autoescape
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("immunescape.report"),
        autoescape=select_autoescape(["html"]),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    values = dict(values)
    for name in {"plotly_js"} & values.keys():
        values[name] = Markup(values[name])
    write_whole(path, environment.get_template(template).render(values).encode("utf-8"))
    return path
