"""Drugs that protocols name and this product does not have: what they are, and the nearest one that it has.

A stand-in is the reader's decision: the answer names it, nothing is replaced in silence.
"""

from __future__ import annotations

from collections.abc import Container
from functools import cache

from immunescape.knowledge.tables import read_rows
from immunescape.trial.words import folded

__all__ = ["absent_drug"]


@cache
def _table() -> dict[str, tuple[str, str]]:
    return {folded(row["name"]): (row["kind"], row["nearest"]) for row in read_rows("absent_drugs")}


def absent_drug(text: str, present: Container[str]) -> tuple[str, str] | None:
    """What a drug is, and advice; None for a drug of which nothing is known here.

    An antibody that no table knows (``-mab``) gets advice by its ending alone, as the nearest spelling would mislead.
    """
    name = folded(text)
    if name in present:
        return None
    if name in _table():
        kind, nearest = _table()[name]
        shown = nearest.replace("_", "-")
        return kind, (
            f"The nearest of its kind is {shown}: name that as a stand-in, with its own dose, and say so in the"
            " description; or add the drug (CONTRIBUTING.md). `immunescape drugs` lists what there is."
        )
    if name.endswith("mab"):
        return "an antibody", (
            "`immunescape drugs` lists what there is: name one with the same target as a stand-in, or add the drug"
            " (CONTRIBUTING.md)."
        )
    return None
