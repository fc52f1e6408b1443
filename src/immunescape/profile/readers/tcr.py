"""T cell receptor repertoires: AIRR-C Rearrangement tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from immunescape.errors import InputError
from immunescape.profile.readers._base import Partial, reader
from immunescape.profile.readers._finish import finish
from immunescape.profile.readers._text import read_table, rows_of

__all__ = ["read_airr"]


@reader(
    "airr",
    "T cell receptors (AIRR-C Rearrangement TSV)",
    ("tcr",),
    {"patient": "patient that the file belongs to", "sample": "sample that it belongs to", "day": "day of the sample"},
)
def read_airr(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read rearrangements: locus, junction_aa, duplicate_count, productive.

    Raises
    ------
    InputError
        For a missing column, or a count that is negative or no whole number.
    """
    table = read_table(path)
    out = Partial()
    locus = table.text("locus")
    v_call = table.text("v_call").map(lambda v: v[:3].upper() if isinstance(v, str) else None)
    counts = table.number("duplicate_count", "umi_count", "consensus_count")
    if table.find("duplicate_count", "umi_count", "consensus_count") is None:
        table.need("duplicate_count")
    wrong = (counts < 0) | (counts.notna() & (counts % 1 != 0))
    if wrong.any():
        line = counts.index[wrong][0]
        raise InputError(f"{counts[line]:g} is no count of reads", where=f"{path.name}, line {line}")
    sample = table.text("sample_id", "repertoire_id", "sample")
    if options.get("sample"):
        sample = pd.Series([str(options["sample"])] * len(table.frame), index=table.frame.index, dtype=object)
    patient = table.text("subject_id", "patient")
    if options.get("patient"):
        patient = pd.Series([str(options["patient"])] * len(table.frame), index=table.frame.index, dtype=object)
    if patient.isna().all() and sample.isna().all() and len(table.frame):
        raise InputError(
            "no column says whose repertoire this is (subject_id, sample_id)",
            where=path.name,
            hint="Set patient: in the manifest.",
        )
    day: Any = float(options["day"]) if options.get("day") is not None else table.number("day", "collection_day")
    frame = pd.DataFrame(
        {
            "patient": patient,
            "sample": sample,
            "day": day,
            "locus": locus.where(locus.notna(), v_call),
            "junction_aa": table.frame[table.need("junction_aa", "cdr3_aa")],
            "duplicate_count": counts,
            "productive": table.text("productive"),
        },
        index=table.frame.index,
    )
    missing = frame["junction_aa"].isna() | counts.isna()
    if missing.any():
        out.problems.append(
            f"{path.name}: rows without junction_aa or count left out (lines {rows_of(frame, missing)})"
        )
    out.tables["tcr"] = finish("tcr", frame.loc[~missing], path.name, out.problems)
    out.note(
        path.name, "airr", len(frame), int((~missing).sum()), f"{int(missing.sum())} rows" if missing.any() else ""
    )
    return out
