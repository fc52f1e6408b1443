"""T cell receptor repertoires: AIRR-C Rearrangement tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from immunescape.errors import InputError, unknown_word
from immunescape.profile.readers._base import Partial, reader
from immunescape.profile.readers._finish import finish
from immunescape.profile.readers._text import TextTable, read_table, rows_of
from immunescape.profile.receptor_loci import T_CELL_LOCI, receptor_locus

__all__ = ["read_airr"]


def _loci(table: TextTable, declared: str) -> pd.Series:
    if declared:
        if declared.upper() not in T_CELL_LOCI:
            raise unknown_word("locus", declared, T_CELL_LOCI, where=table.file)
        return pd.Series([declared.upper()] * len(table.frame), index=table.frame.index, dtype=object)
    named, v_gene = (table.text(c).map(receptor_locus).astype(object) for c in ("locus", "v_call"))
    return named.where(named.notna(), v_gene)


@reader(
    "airr",
    "T cell receptors (AIRR-C Rearrangement TSV)",
    ("tcr",),
    {
        "patient": "patient that the file belongs to",
        "sample": "sample that it belongs to",
        "day": "day of the sample",
        "locus": "locus of the whole file (TRA, TRB, TRG, TRD), if it has neither locus nor v_call",
    },
)
def read_airr(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read rearrangements of T cell receptors: locus, junction_aa, duplicate_count, productive.

    Rearrangements of immunoglobulin loci are left out and reported.

    Raises
    ------
    InputError
        For a missing column, a count that is negative or not an integer, or a file without a T cell receptor.
    """
    table = read_table(path)
    out = Partial()
    locus = _loci(table, str(options.get("locus") or ""))
    counts = table.number("duplicate_count", "umi_count", "consensus_count")
    if table.find("duplicate_count", "umi_count", "consensus_count") is None:
        table.need("duplicate_count")
    wrong = (counts < 0) | (counts.notna() & (counts % 1 != 0))
    if wrong.any():
        line = counts.index[wrong][0]
        raise InputError(f"{counts[line]:g} is not a count of reads", where=f"{path.name}, line {line}")
    sample = table.text("sample_id", "repertoire_id", "sample")
    if options.get("sample"):
        sample = pd.Series([str(options["sample"])] * len(table.frame), index=table.frame.index, dtype=object)
    patient = table.text("subject_id", "patient")
    if options.get("patient"):
        patient = pd.Series([str(options["patient"])] * len(table.frame), index=table.frame.index, dtype=object)
    if patient.isna().all() and sample.isna().all() and len(table.frame):
        raise InputError(
            "no column states whose repertoire this is (subject_id, sample_id)",
            where=path.name,
            hint="Set patient: in the manifest.",
        )
    day: Any = float(options["day"]) if options.get("day") is not None else table.number("day", "collection_day")
    frame = pd.DataFrame(
        {
            "patient": patient,
            "sample": sample,
            "day": day,
            "locus": locus,
            "junction_aa": table.frame[table.need("junction_aa", "cdr3_aa")],
            "duplicate_count": counts,
            "productive": table.text("productive"),
        },
        index=table.frame.index,
    )
    others = ~frame["locus"].isin(T_CELL_LOCI)
    if len(frame) and others.all():
        names = ", ".join(sorted(frame["locus"].dropna().unique())) or "neither locus nor v_call"
        raise InputError(
            f"no T cell receptor among {len(frame)} rearrangements ({names})",
            where=path.name,
            hint="Leave files of B cell receptors out of the manifest; without locus and v_call, set locus: TRB.",
        )
    if others.any():
        kinds = ", ".join(
            f"{n} {k}" for k, n in frame.loc[others, "locus"].fillna("without locus").value_counts().items()
        )
        out.problems.append(
            f"{path.name}: {int(others.sum())} of {len(frame)} rearrangements are not T-cell receptors and are left "
            f"out: {kinds}"
        )
    missing = ~others & (frame["junction_aa"].isna() | counts.isna())
    if missing.any():
        out.problems.append(
            f"{path.name}: rows without junction_aa or count left out (lines {rows_of(frame, missing)})"
        )
    missing |= others
    out.tables["tcr"] = finish("tcr", frame.loc[~missing], path.name, out.problems)
    out.note(
        path.name, "airr", len(frame), int((~missing).sum()), f"{int(missing.sum())} rows" if missing.any() else ""
    )
    return out
