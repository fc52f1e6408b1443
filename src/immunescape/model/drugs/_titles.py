"""Names of drugs and classes as they are written in text."""

from __future__ import annotations

__all__ = ["sentence_case", "title_of"]


def title_of(name: str) -> str:
    """Return the title of a drug from its name: Bintrafusp alfa for ``bintrafusp_alfa``, TTX-030 for ``ttx_030``."""
    if any(letter.isdigit() for letter in name):
        return name.replace("_", "-").upper()
    return sentence_case(name.replace("_", " "))


def sentence_case(text: str) -> str:
    """Return text with an initial capital; other letters are unchanged, as in KRAS G12C inhibitor."""
    return text[:1].upper() + text[1:]
