"""JSON documents: reading, and traversal without assumptions about their structure."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from immunescape.errors import InputError
from immunescape.profile.readers._text import read_text

__all__ = ["dicts", "get", "iso_day", "read_json", "text_of"]


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    InputError
        Naming the line where it breaks.
    """
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise InputError(f"broken JSON: {error.msg}", where=f"{path.name}, line {error.lineno}") from None
    except (RecursionError, ValueError) as error:
        raise InputError(f"this JSON cannot be read: {error}", where=path.name) from None


def get(value: Any, *keys: str | int) -> Any:
    """Return the value at a path of nested objects; None if the path does not exist."""
    for key in keys:
        if isinstance(key, str) and isinstance(value, dict):
            value = value.get(key)
        elif isinstance(key, int) and isinstance(value, list) and -len(value) <= key < len(value):
            value = value[key]
        else:
            return None
    return value


def dicts(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list (or one object as a list); everything else is left out."""
    if isinstance(value, dict):
        return [value]
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def text_of(value: Any) -> str | None:
    """Return text as it is and numbers as text; None for everything else."""
    if isinstance(value, str):
        return value.strip() or None
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def iso_day(value: Any) -> int | None:
    """Return the day number of an ISO 8601 date or time; None if there is none (a year alone is not a date)."""
    if not isinstance(value, str) or len(value) < 10:
        return None
    try:
        return date.fromisoformat(value[:10]).toordinal()
    except ValueError:
        return None
