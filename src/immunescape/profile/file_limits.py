"""Limits that readers judge files by: numbers with their source, from ``knowledge/data/reader_limits.csv``."""

from __future__ import annotations

import os
from functools import lru_cache

from immunescape.errors import InputError
from immunescape.knowledge.tables import read_rows

__all__ = ["SIZE_VARIABLE", "limit", "refuse_large", "size_limit"]

SIZE_VARIABLE = "IMMUNESCAPE_LARGEST_FILE"
"""Environment variable with the largest size of a file in bytes, where the limits of the table are too low."""


@lru_cache(maxsize=1)
def _limits() -> dict[str, float]:
    return {row["name"]: row.number("value") for row in read_rows("reader_limits")}


def limit(name: str) -> float:
    """Return a limit by its name in ``reader_limits.csv``, in the unit given there."""
    return _limits()[name]


def size_limit(name: str) -> float:
    """Return a limit of size in bytes: of the table, or what the environment sets.

    Raises
    ------
    InputError
        Where the environment variable is not a positive number.
    """
    text = os.environ.get(SIZE_VARIABLE, "")
    if not text:
        return limit(name)
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise InputError(f"'{text[:30]}' is not a number of bytes", where=SIZE_VARIABLE, hint="For example: 4e9.")
    return value


def refuse_large(size: float, name: str, file: str, what: str) -> None:
    """Refuse a size above a limit, and say how to raise it.

    Raises
    ------
    InputError
        With the size, the limit and the environment variable.
    """
    most = size_limit(name)
    if size > most:
        raise InputError(
            f"{what}: at least {size / 1e9:.3g} GB, and the limit is {most / 1e9:.3g} GB",
            where=file,
            hint=f"Cut the file down to the genes and samples that you need; or raise the limit, in bytes: "
            f"{SIZE_VARIABLE}={2 * size:.0e}.",
        )
