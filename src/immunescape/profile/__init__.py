"""Files of a patient or cohort -> biomarkers -> a call for each resistance mechanism. Nothing is simulated here.

The package is also callable, because ``immunescape.profile("study/")`` profiles a study folder:
see :func:`immunescape.profiles.profile`.
"""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any


class _CallablePackage(types.ModuleType):
    """Importing the package binds it to ``immunescape.profile``, so it answers a call as the function of that name."""

    def __call__(self, folder: str | Path, **options: Any) -> Any:
        from importlib import import_module

        return import_module("immunescape.profiles").profile(folder, **options)


sys.modules[__name__].__class__ = _CallablePackage
