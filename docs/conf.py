"""Sphinx configuration."""

from __future__ import annotations

from importlib.metadata import version as _version

project = "immunescape"
author = "The immunescape developers"
copyright = "2026, the immunescape developers"
release = version = _version("immunescape")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinxcontrib.bibtex"]
nb_execution_mode = "off"
myst_enable_extensions = ["dollarmath", "colon_fence"]
html_theme = "furo"
html_title = "immunescape"
exclude_patterns = ["_build", "scoreboard-notes.md"]
autodoc_typehints = "description"

bibtex_bibfiles = ["../src/immunescape/knowledge/references.bib"]
