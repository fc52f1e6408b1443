"""The installed release of this package."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

__all__ = ["installed_version"]


def installed_version() -> str:
    """Version of the installed package; ``unknown`` where its files are used without being installed."""
    try:
        return version("immunescape")
    except PackageNotFoundError:
        return "unknown"
