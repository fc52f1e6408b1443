"""Courses of a set number of fractions: ``60 Gy in 30 fractions``, ``8 Gy x 3``."""

from __future__ import annotations

import re

from immunescape.trial.tokens import Cursor

__all__ = ["fraction_days", "repeats", "ten_to_the"]

_TIMES = re.compile(r"[x×](\d{1,3})")


def fraction_days(count: int, days: tuple[int, ...], every: int, per_day: int = 1) -> tuple[int, ...]:
    """Days on which a course of `count` fractions is given.

    Parameters
    ----------
    count
        Number of fractions.
    days
        Days of a cycle with a fraction; ``(1, 2, 3, 4, 5)`` of 7 are the working days.
    every
        Length of the cycle in days.
    per_day
        Fractions on each of these days.

    Returns
    -------
    tuple of int
        ``count // per_day`` days, counted from 1.
    """
    days_of_fractions: list[int] = []
    cycle = 0
    while len(days_of_fractions) < count // per_day:
        days_of_fractions += [cycle * every + day for day in days]
        cycle += 1
    return tuple(days_of_fractions[: count // per_day])


def repeats(cursor: Cursor) -> int | None:
    """Step over ``x 3``, ``x3`` or ``× 3`` and return the number; None where none stands there."""
    token = cursor.now
    if cursor.at("x", "×") and cursor.peek().kind == "number":
        cursor.next()
        return cursor.whole("the number of doses", 1, 100)
    compact = _TIMES.fullmatch(token.key) if token.kind == "word" else None
    if compact and 1 <= int(compact.group(1)) <= 100:
        cursor.next()
        return int(compact.group(1))
    return None


def ten_to_the(cursor: Cursor) -> float:
    """Step over ``10 ^ 9`` and return it."""
    cursor.next()
    cursor.next()
    return 10.0 ** cursor.whole("the power of ten", 1, 15)
