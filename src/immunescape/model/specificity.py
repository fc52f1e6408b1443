"""How specific relief is: the option that says which strengths differ between patients and how inhibitions add up.

``sparse``: a suppressive mechanism is active in some patients and nearly silent in most
(:mod:`immunescape.model.suppression`). ``series``: inhibitions of one process are capacities in series
(:mod:`immunescape.model.composition`). ``full``: both. ``none``: every mechanism acts in every patient, and pathways
multiply. With any but ``none`` the sizes of ``revised_sizes.csv`` take the place of those in the tables of drugs.
"""

from __future__ import annotations

from typing import Literal, get_args

from immunescape.errors import unknown_word

__all__ = ["DEFAULT", "WORDS", "Specificity", "checked", "in_series", "is_sparse"]

Specificity = Literal["none", "sparse", "series", "full"]
WORDS: tuple[str, ...] = get_args(Specificity)
DEFAULT: Specificity = "full"
"""What a model has that is not told."""


def checked(option: str | None) -> Specificity:
    """Return the option; None gives `DEFAULT`.

    Raises
    ------
    InputError
        With the nearest word, for an unknown one.
    """
    if option is None:
        return DEFAULT
    if option not in WORDS:
        raise unknown_word("specificity", option, WORDS)
    chosen: Specificity = option  # type: ignore[assignment]
    return chosen


def is_sparse(option: Specificity) -> bool:
    """Whether strengths differ sparsely between patients."""
    return option in ("sparse", "full")


def in_series(option: Specificity) -> bool:
    """Whether inhibitions of a process are capacities in series."""
    return option in ("series", "full")
