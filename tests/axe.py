"""The accessibility checks of axe-core in a browser, where the package `axe-playwright-python` is at hand."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["axe_findings", "axe_source"]


def axe_source() -> str:
    """The checks as JavaScript; empty where the package is not installed."""
    found = find_spec("axe_playwright_python")
    if found is None or found.origin is None:
        return ""
    return (Path(found.origin).parent / "axe.min.js").read_text(encoding="utf-8")


def axe_findings(browser: Any, source: str) -> list[str]:
    """What axe-core finds in the page that a browser shows: rule, impact, number of elements, the first of them.

    Style sheets are not loaded again, which axe-core does for no rule of those that it runs.
    """
    browser.execute_script(source)
    found = browser.execute_async_script(
        "const done = arguments[0]; axe.run({preload: false}).then((r) => done(r.violations), done);"
    )
    return [
        f"{v['id']} ({v['impact']}), {len(v['nodes'])} elements, the first {v['nodes'][0]['target']}: "
        f"{v['nodes'][0]['html'][:200]}"
        for v in found
    ]
