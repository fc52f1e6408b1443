"""Value columns whose cells are bounds or ranges: ``<1``, ``>=50``, ``1-49``, ``not detected``."""

from __future__ import annotations

import re

import pandas as pd

from immunescape.errors import InputError
from immunescape.profile.readers._text import MISSING

__all__ = ["bounds_as_categories"]

_NUMBER = r"\d+(?:\.\d+)?"
_CATEGORY = re.compile(
    rf"(?:(?:tps|tc|ic|cps)\s*)?(?:(?:<=|>=|<|>|≤|≥|at least|less than|under|over)\s*{_NUMBER}|"
    rf"{_NUMBER}\s*%?\s*(?:-|–|—|to)\s*{_NUMBER})\s*%?|neg(?:ative)?|pos(?:itive)?|(?:tc|ic)\s*[0-3]\+?",
    re.IGNORECASE,
)
_LIMIT = re.compile(r"(<=|>=|<|>|≤|≥)\s*(\d+(?:\.\d+)?(?:e-?\d+)?)\s*%?", re.IGNORECASE)
_UNDETECTED = frozenset({"nd", "not detected", "undetected", "undetectable", "negative"})


def bounds_as_categories(kind: str, frame: pd.DataFrame, file: str, problems: list[str]) -> pd.DataFrame:
    """Read cells of value columns that are bounds or ranges, as appropriate for each table, and report it.

    PD-L1: the category. Laboratory values: the limit of the assay. ctDNA: not detected at that limit of detection.

    Parameters
    ----------
    kind
        Table of the study.
    frame
        Rows as read: cells are text.
    file
        Name of the file, for messages.
    problems
        Receives the number of cells read in this way.

    Raises
    ------
    InputError
        For a PD-L1 value that is neither number nor range.
    """
    column = {"pdl1": "value_percent", "labs": "value", "ctdna": "value"}.get(kind)
    if column is None or column not in frame or frame[column].dtype != object:
        return frame
    text = frame[column].map(lambda v: v.strip() if isinstance(v, str) else None)
    texts = text[text.notna() & pd.to_numeric(text, errors="coerce").isna()]
    texts = texts[~texts.str.casefold().isin(MISSING)]
    if not len(texts):
        return frame
    function = {"pdl1": _pdl1, "labs": _labs, "ctdna": _ctdna}[kind]
    return function(frame, texts.to_dict(), file, problems)


def _replaced(frame: pd.DataFrame, column: str, cells: dict[object, object]) -> list[object]:
    old = frame[column].tolist() if column in frame else [None] * len(frame)
    return [cells.get(line, value) for line, value in zip(frame.index, old, strict=True)]


def _pdl1(frame: pd.DataFrame, texts: dict[object, str], file: str, problems: list[str]) -> pd.DataFrame:
    values: dict[object, object] = {}
    categories: dict[object, object] = {}
    for line, category in texts.items():
        plain = re.sub(r"\s*%$", "", category)
        if re.fullmatch(_NUMBER, plain):
            values[line] = plain
            continue
        if not _CATEGORY.fullmatch(category):
            raise InputError(
                f"'{category[:40]}' in the column 'value_percent' is neither a number nor a range",
                where=f"{file}, line {line}",
                hint="Write a number, or a range such as <1, 1-49 or >=50; other text belongs in 'category'.",
            )
        values[line] = None
        category = re.sub(r"(?i)at least\s*", ">=", re.sub(r"(?i)(less than|under)\s*", "<", category))
        categories[line] = re.sub(r"(?i)over\s*", ">", category)
    out = frame.copy()
    out["value_percent"] = pd.Series(_replaced(frame, "value_percent", values), index=frame.index, dtype=object)
    if categories:
        if "category" in frame:
            given = dict(zip(frame.index.tolist(), frame["category"].tolist(), strict=True))
            categories = {i: w for i, w in categories.items() if not isinstance(given[i], str)}
        out["category"] = pd.Series(_replaced(frame, "category", categories), index=frame.index, dtype=object)
        moved = [w for line, w in texts.items() if values[line] is None]
        problems.append(f"{file}: {len(moved)} values of value_percent such as '{moved[0]}' are read as categories")
    return out


def _labs(frame: pd.DataFrame, texts: dict[object, str], file: str, problems: list[str]) -> pd.DataFrame:
    limits: dict[object, object] = {i: m.group(2) for i, w in texts.items() if (m := _LIMIT.fullmatch(w))}
    if not limits:
        return frame
    first = next(iter(limits))
    problems.append(f"{file}: {len(limits)} values such as '{texts[first]}' (line {first}) are read as their limit")
    return frame.assign(value=pd.Series(_replaced(frame, "value", limits), index=frame.index, dtype=object))


def _ctdna(frame: pd.DataFrame, texts: dict[object, str], file: str, problems: list[str]) -> pd.DataFrame:
    below = {i: m for i, w in texts.items() if (m := _LIMIT.fullmatch(w)) and m.group(1) in ("<", "<=", "≤")}
    silent = [i for i, w in texts.items() if w.casefold() in _UNDETECTED]
    if not below and not silent:
        return frame
    lod = frame["lod"] if "lod" in frame else pd.Series([None] * len(frame), index=frame.index, dtype=object)
    given = dict(zip(frame.index.tolist(), lod.tolist(), strict=True))
    limits: dict[object, object] = {i: m.group(2) for i, m in below.items() if not isinstance(given[i], str)}
    columns = {
        "value": _replaced(frame, "value", {i: "0" for i in below} | dict.fromkeys(silent)),
        "detected": _replaced(frame, "detected", dict.fromkeys([*below, *silent], "no")),
        "lod": _replaced(frame, "lod", limits),
    }
    count = len(below) + len(silent)
    problems.append(f"{file}: {count} values below the limit of detection are read as not detected")
    return frame.assign(**{c: pd.Series(v, index=frame.index, dtype=object) for c, v in columns.items()})
