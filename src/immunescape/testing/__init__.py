"""The contract that everything keeps that is added to immunescape, as functions for the tests of a package.

Each function takes one object (or the name of what is installed) and raises ``AssertionError`` where the contract is
not kept: it says what is wrong and where. Nothing is written, and nothing needs pytest::

    from immunescape import testing

    def test_mechanism():
        testing.check_mechanism(MECHANISM)

The package's own mechanisms and drugs are tested by the same functions.
"""

from __future__ import annotations

from immunescape.testing.files import check_claims, check_design, check_trial
from immunescape.testing.mechanisms import check_drug, check_mechanism
from immunescape.testing.plugin import check_plugin
from immunescape.testing.profiles import check_biomarker, check_reader

__all__ = [
    "check_biomarker",
    "check_claims",
    "check_design",
    "check_drug",
    "check_mechanism",
    "check_plugin",
    "check_reader",
    "check_trial",
]
