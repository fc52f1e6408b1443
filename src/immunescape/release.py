"""The installed release of this package."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

__all__ = ["installation", "installed_version"]


def installed_version() -> str:
    """Version of the installed package; ``unknown`` where its files are used without being installed."""
    try:
        return version("immunescape")
    except PackageNotFoundError:
        return "unknown"


def installation() -> dict[str, Any]:
    """Return versions of Python and of the packages that results depend on, and the platform, as plain data."""
    packages = {}
    for name in ("numpy", "scipy", "pandas", "pyarrow", "python-libsbml"):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:  # it may be installed under another name
            continue
    return {
        "python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
        "packages": packages,
    }
