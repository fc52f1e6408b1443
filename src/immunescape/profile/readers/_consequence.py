"""Consequences of mutations in other vocabularies -> classes of the MAF specification."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import pandas as pd

from immunescape.errors import InputError, nearest
from immunescape.knowledge.tables import read_rows
from immunescape.profile.readers._vcf_annotation import maf_class

__all__ = ["classifications"]


@lru_cache(maxsize=1)
def _consequences() -> dict[str, str]:
    """Return other terms for a consequence -> class (``knowledge/data/consequence_words.csv``)."""
    return {row["word"]: row["classification"] for row in read_rows("consequence_words")}


def _class_of(text: str, ref: str, alt: str) -> str | None:
    """Return the class of a term of another vocabulary (Sequence Ontology, ANNOVAR, plain), or None."""
    terms = [t.strip() for t in re.split(r"[&,;|]", text)]
    class_name = maf_class(terms, ref, alt)
    if class_name != "Unknown" or any(t == "coding_sequence_variant" for t in terms):
        return class_name
    plain = _consequences().get(re.sub(r"[\s_]+", " ", text.casefold()).strip())
    if plain in ("Frame_Shift", "In_Frame"):
        return f"{plain}_{'Ins' if len(alt) > len(ref) else 'Del'}"
    return plain


def classifications(frame: pd.DataFrame, classes: Sequence[str], file: str, problems: list[str]) -> pd.Series:
    """Return classes of the MAF specification; known terms of other vocabularies are translated and reported.

    Parameters
    ----------
    frame
        Columns classification, ref, alt.
    classes
        Classes of the MAF specification.
    file
        Name of the file, for messages.
    problems
        Receives the terms that were translated.

    Raises
    ------
    InputError
        For a term of no known vocabulary, with the nearest ones. A missing value becomes ``Unknown``.
    """
    by_spelling = {c.casefold(): c for c in classes}
    translated: dict[str, str] = {}
    cache: dict[tuple[str, str, str], str | None] = {}
    answer: list[str | None] = []
    for value, ref, alt in zip(frame["classification"], frame["ref"], frame["alt"], strict=True):
        if not isinstance(value, str):
            answer.append("Unknown")
            continue
        class_name = by_spelling.get(value.casefold())
        if class_name is None:
            reference, other = (a if isinstance(a, str) and a != "-" else "" for a in (ref, alt))
            key = (value, reference, other)
            class_name = cache[key] if key in cache else cache.setdefault(key, _class_of(*key))
            if class_name is not None:
                translated.setdefault(value, class_name)
        answer.append(class_name)
    done = pd.Series(answer, index=frame.index, dtype=object)
    if done.isna().any():
        line = done.index[done.isna()][0]
        value = str(frame["classification"].loc[line])
        close = nearest(value, [*classes, *_consequences()])
        example = next((c for c in close if c in classes), "CLASS")
        near = f"Nearest: {', '.join(close)}. " if close else ""
        among = f", where CLASS is one of {', '.join(classes)}" if example == "CLASS" else ""
        raise InputError(
            f"unknown variant classification '{value}'",
            where=f"{file}, line {line}",
            hint=f"{near}Map your own terms: values: {{classification: {{'{value}': {example}}}}}{among}.",
        )
    if translated:
        examples = ", ".join(f"{a} as {b}" for a, b in list(translated.items())[:6])
        problems.append(f"{file}: consequences are read as classes of the MAF specification: {examples}")
    return done
