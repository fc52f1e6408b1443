"""Sphinx extension: writes the pages of the registries and of the Python interface into ``docs/generated`` first.

Nothing is written where it already stands as it should, so that a second build reads only what has changed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from interface_pages import interface_pages
from sphinx.domains.python import PythonDomain

FOLDER = "generated"


def write_pages(folder: Path, pages: dict[str, str]) -> int:
    """Write what is new or changed, remove what is gone; return how many files were written."""
    written = 0
    for name, text in pages.items():
        path = folder / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written += 1
    for path in folder.rglob("*"):
        if path.is_file() and path.relative_to(folder).as_posix() not in pages:
            path.unlink()
    return written


def build_pages(app: Any, _config: Any) -> None:
    """Write all generated pages; ``IMMUNESCAPE_DOCS_ONLY=killing,tmb`` takes some, for a quick look."""
    from immunescape.report.reference_pages import reference_pages

    only = [n for n in os.environ.get("IMMUNESCAPE_DOCS_ONLY", "").split(",") if n]
    pages = interface_pages() | reference_pages(only or None) | {"references.bib": bibliography()}
    write_pages(Path(app.srcdir) / FOLDER, pages)


def bibliography() -> str:
    """Return every entry of the package's BibTeX files once, as one file."""
    from immunescape.knowledge.references import load_references

    return "\n\n".join(entry.raw for entry in load_references().values()) + "\n"


class NearestNames(PythonDomain):
    """Names in signatures that several modules define: that of the same module is linked, otherwise none."""

    def last_names(self) -> set[str]:
        """Return the last component of the name of every object."""
        number, names = getattr(self, "_last_names", (-1, set()))
        if number != len(self.objects):
            names = {full.rpartition(".")[2] for full in self.objects}
            self._last_names = (len(self.objects), names)
        return names

    def find_obj(self, env: Any, modname: Any, classname: Any, name: str, type: Any, searchmode: int = 0) -> Any:
        """Return the objects of a name, at most one."""
        # most names (str, Path, ndarray) are of no object here: a search for each would take most of the build
        if name.rpartition(".")[2].removesuffix("()") not in self.last_names():
            return []
        matches = super().find_obj(env, modname, classname, name, type, searchmode)
        if len(matches) < 2:
            return matches
        return [m for m in matches if modname and m[0].rpartition(".")[0] in (modname, f"{modname}.{classname}")][:1]


def setup(app: Any) -> dict[str, Any]:
    """Register the extension."""
    app.add_domain(NearestNames, override=True)
    # before sphinxcontrib-bibtex reads the file
    app.connect("config-inited", build_pages, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
