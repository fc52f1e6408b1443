"""What is done to virtual patients: regimens, trials, endpoints, survival, designs.

The package is also callable, because ``immunescape.trial("keynote-024")`` loads a trial by name:
see :func:`immunescape.face.trial`.
"""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any


class _CallablePackage(types.ModuleType):
    """Importing the package binds it to ``immunescape.trial``, so it answers a call as the function of that name."""

    def __call__(self, name: str | Path) -> Any:
        from importlib import import_module

        return import_module("immunescape.face").trial(name)


sys.modules[__name__].__class__ = _CallablePackage

WORKER_IMPORTS = (
    "pandas", "scipy.special", "immunescape.trial.simulate", "immunescape.trial.blocks", "immunescape.engine.native",
    "immunescape.model.stored", "immunescape.population.blocks", "immunescape.population.linking",
)  # fmt: skip
"""Modules that the processes that simulate patients need."""
