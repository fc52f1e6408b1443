"""Limits that readers judge files by: numbers with their source, from ``knowledge/data/reader_limits.csv``."""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path

__all__ = ["limit"]

_FILE = Path(__file__).parents[2] / "knowledge" / "data" / "reader_limits.csv"


@lru_cache(maxsize=1)
def _limits() -> dict[str, float]:
    with _FILE.open(encoding="utf-8", newline="") as file:
        return {row["name"]: float(row["value"]) for row in csv.DictReader(file)}


def limit(name: str) -> float:
    """Return a limit by its name in ``reader_limits.csv``, in the unit given there."""
    return _limits()[name]
