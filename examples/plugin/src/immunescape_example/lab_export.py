"""Reads a laboratory export: ``subject;study day;test;result;units``, one value per row."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from immunescape.errors import InputError
from immunescape.profile.readers import Partial, reader

COLUMNS = {"subject": "patient", "study day": "day", "test": "analyte", "result": "value", "units": "unit"}


@reader("lab_export", "laboratory export with semicolons (subject, study day, test, result, units)", ("labs",))
def read_lab_export(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read values; every row needs a subject, a test and a number."""
    try:
        table = pd.read_csv(path, sep=";", dtype=str, keep_default_na=False)
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError(f"not a table with semicolons: {error}", where=path.name) from None
    missing = [c for c in COLUMNS if c not in table.columns]
    if missing:
        raise InputError(
            f"the column '{missing[0]}' is missing",
            where=path.name,
            hint=f"The columns are {'; '.join(COLUMNS)}. Found: {', '.join(map(str, table.columns))}.",
        )
    out = table[list(COLUMNS)].rename(columns=COLUMNS)
    out.index = pd.RangeIndex(2, len(out) + 2)  # the row of the file, given in later errors
    for number, row in zip(out.index, out.itertuples(index=False), strict=True):
        for column in ("patient", "analyte"):
            if not str(getattr(row, column)).strip():
                raise InputError(f"no {column}", where=f"{path.name}, row {number}")
    for column in ("day", "value"):
        numbers = pd.to_numeric(out[column].replace("", None), errors="coerce")
        wrong = numbers.isna() & (out[column].str.strip() != "")
        if wrong.any():
            first = int(wrong.to_numpy().argmax())
            raise InputError(
                f"{column} '{out[column].iloc[first]}' is not a number", where=f"{path.name}, row {out.index[first]}"
            )
        out[column] = numbers.astype(float)
    out["analyte"] = out["analyte"].str.strip().str.casefold()
    kept = out[out["value"].notna()]
    given = Partial(tables={"labs": kept})
    left = len(out) - len(kept)
    given.note(path.name, "labs", len(out), len(kept), f"{left} rows without a result" if left else "")
    return given
