"""Every page of the documentation can be reached from its table of contents."""

from __future__ import annotations

import ast
import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def _excluded() -> set[str]:
    """Names that ``conf.py`` leaves out of the build."""
    for node in ast.parse((DOCS / "conf.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "exclude_patterns":
            return set(ast.literal_eval(node.value))
    raise AssertionError("conf.py sets no exclude_patterns")


def _listed(page: Path) -> set[str]:
    """Pages that the tables of contents of a page name, relative to the folder of the documentation."""
    blocks = re.findall(r"^```\{toctree\}\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    entries = [line.strip() for block in blocks for line in block.splitlines() if line and not line.startswith(":")]
    return {(page.parent / entry).relative_to(DOCS).as_posix() for entry in entries}


def test_every_page_stands_in_a_table_of_contents() -> None:
    pages = {p.relative_to(DOCS).with_suffix("").as_posix() for p in (*DOCS.glob("*.md"), *DOCS.glob("notebooks/*.md"))}
    excluded = {name.removesuffix(".md") for name in _excluded()}
    listed = set().union(*(_listed(DOCS / f"{page}.md") for page in pages))
    assert len(pages) > 30
    assert not pages - listed - excluded - {"index"}
    written = {name for name in listed if not name.startswith("generated/")}
    assert not written - pages, "a table of contents names a page that does not exist"
