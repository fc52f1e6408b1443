"""Sphinx configuration; ``scripts/docs`` builds the site."""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.metadata import version as _version
from pathlib import Path

import pybtex.plugin
from pybtex.style.formatting.unsrt import Style as _Unsorted
from pybtex.style.labels import BaseLabelStyle

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "immunescape"
author = "The immunescape developers"
copyright = "2026, the immunescape developers"
release = version = _version("immunescape")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinxcontrib.bibtex", "generated_pages"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "immunescape"
html_static_path = ["static"]
html_css_files = ["site.css"]
exclude_patterns = ["_build", "extensions", "scoreboard-notes.md"]

# Notebooks are run by the build; what has not changed is taken from the cache of the last one.
nb_execution_mode = os.environ.get("IMMUNESCAPE_DOCS_NOTEBOOKS", "cache")
nb_execution_timeout = 3600  # seconds of a cell; a busy machine needs a quarter of an hour for a ranking
nb_execution_raise_on_error = True
nb_merge_streams = True
# widgets would be fetched from the internet
nb_ipywidgets_js: dict[str, dict[str, str]] = {}

autodoc_default_options = {"members": True}
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
# extras that the interface's modules import and that no page needs
_EXTRAS = ("distributed", "dask", "anndata", "mudata", "biom", "h5py", "polars",
           "roadrunner", "petab", "libsedml", "xarray", "sympy")  # fmt: skip
autodoc_mock_imports = [name for name in _EXTRAS if importlib.util.find_spec(name) is None]
# functions and classes in the table of contents of every page would make the build ten times as long
toc_object_entries = False
napoleon_google_docstring = False
napoleon_use_ivar = True


class _KeyLabels(BaseLabelStyle):
    """Labels are the keys that parameter tables name."""

    def format_labels(self, entries):
        """Yield the key of each entry."""
        for entry in entries:
            yield entry.key


class _KeyStyle(_Unsorted):
    """Entries by key."""

    default_label_style = _KeyLabels
    default_sorting_style = "author_year_title"


pybtex.plugin.register_plugin("pybtex.style.formatting", "keys", _KeyStyle)
bibtex_bibfiles = ["generated/references.bib"]
bibtex_default_style = "keys"
