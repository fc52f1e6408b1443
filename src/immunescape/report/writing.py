"""Writing reports: a file is there whole or not at all; pages share one environment of templates."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from immunescape.errors import InputError

__all__ = ["write_page", "write_whole"]


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise InputError(
            f"cannot write {path}: {error.strerror}",
            hint="Free some space or choose another folder with --out; a rerun resumes.",
        ) from None


def write_page(path: Path, template: str, values: Mapping[str, Any]) -> Path:
    """Render one of the package's templates into a file; `plotly_js`, where given, is taken as it is."""
    from jinja2 import Environment, PackageLoader, select_autoescape
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("immunescape.report"),
        autoescape=select_autoescape(["html"]),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    values = dict(values)
    if "plotly_js" in values:
        values["plotly_js"] = Markup(values["plotly_js"])
    write_whole(path, environment.get_template(template).render(values).encode("utf-8"))
    return path
