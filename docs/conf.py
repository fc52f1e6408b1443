"""Sphinx configuration; the bibliography is put together from the package's BibTeX files."""

from __future__ import annotations

from importlib.metadata import version as _version
from pathlib import Path

project = "immunescape"
author = "The immunescape developers"
copyright = "2026, the immunescape developers"
release = version = _version("immunescape")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinxcontrib.bibtex"]
nb_execution_mode = "off"
myst_enable_extensions = ["dollarmath", "colon_fence"]
html_theme = "furo"
html_title = "immunescape"
exclude_patterns = ["_build"]
autodoc_typehints = "description"

_here = Path(__file__).parent
_bib = sorted((_here.parent / "src" / "immunescape" / "knowledge" / "bib").glob("*.bib"))
_seen: set[str] = set()
_entries: list[str] = []
for _file in _bib:
    for _entry in _file.read_text(encoding="utf-8").split("\n@"):
        _text = _entry if _entry.startswith("@") else "@" + _entry
        _key = _text.partition("{")[2].partition(",")[0].strip()
        if _key and _key not in _seen:
            _seen.add(_key)
            _entries.append(_text)
(_here / "_build").mkdir(exist_ok=True)
(_here / "_build" / "references.bib").write_text("\n".join(_entries), encoding="utf-8")
bibtex_bibfiles = ["_build/references.bib"]
