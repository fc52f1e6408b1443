"""Clones written out: ``{clone}`` in names and expressions, and ``SUM(...)`` over all clones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from immunescape.errors import ModelError

__all__ = ["CLONE", "copies", "explicit_names", "write_out"]

CLONE = "{clone}"
_SUM = re.compile(r"(?<![A-Za-z0-9_])SUM\s*\(")
_IDENTIFIER = re.compile(r"[A-Za-z_](?:[A-Za-z0-9_]|\{clone\})*")


def copies(name: str, clones: Sequence[str]) -> list[tuple[str, str]]:
    """Return (name, clone) for every clone where the name holds ``{clone}``; else the name once, with clone ''."""
    return [(name.replace(CLONE, c), c) for c in clones] if CLONE in name else [(name, "")]


def write_out(text: str, clone: str, clones: Sequence[str], where: str) -> str:
    """Write out the sums over clones, then this clone's own name.

    Parameters
    ----------
    text
        Expression, e.g. ``k * C_{clone} / SUM(C_{clone})``.
    clone
        Clone that this copy of the declaration is for; '' where the declaration is made once.
    clones
        All clones of the model.
    where
        Declaration, for errors.
    """
    text = _sums(text, clones, where)
    if CLONE in text and not clone:
        raise ModelError(
            f"{{clone}} in `{text}` has no clone to refer to",
            where=where,
            hint="Sum over clones with SUM(...), or put {clone} into the name of the declaration.",
        )
    return text.replace(CLONE, clone)


def _sums(text: str, clones: Sequence[str], where: str) -> str:
    while match := _SUM.search(text):
        depth, end = 1, match.end()
        while end < len(text) and depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        inner = text[match.end() : end - 1]
        if depth:
            raise ModelError(f"SUM( without a closing parenthesis in `{text}`", where=where)
        if CLONE not in inner or _SUM.search(inner):
            raise ModelError(f"SUM({inner}) must contain {{clone}} and no other SUM", where=where)
        terms = " + ".join(f"({inner.replace(CLONE, c)})" for c in clones)
        text = f"{text[: match.start()]}({terms or '0'}){text[end:]}"
    return text


def explicit_names(texts: Iterable[str]) -> set[str]:
    """Return the names that expressions write in full, without ``{clone}``."""
    return {w for text in texts for w in _IDENTIFIER.findall(text) if CLONE not in w}
