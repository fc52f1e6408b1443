"""Read counts in a table of mutations: allele frequency, depth, and whether a variant is present in the tumour."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pandas as pd

from immunescape.profile.readers._text import TextTable
from immunescape.profile.readers.maf import mark_germline, vaf_of_reads

__all__ = ["READS", "with_reads"]

READS: Mapping[str, tuple[str, ...]] = {
    "t_alt_count": ("alt_count", "alt_reads", "t_alt", "tumor_alt_count", "tumour_alt_count", "t_alt_reads"),
    "t_ref_count": ("ref_count", "ref_reads", "t_ref", "tumor_ref_count", "tumour_ref_count", "t_ref_reads"),
    "t_depth": ("tumor_depth", "tumour_depth", "depth", "read_depth", "DP"),
    "n_alt_count": ("normal_alt_count", "n_alt_reads"),
    "n_ref_count": ("normal_ref_count", "n_ref_reads"),
    "n_depth": ("normal_depth",),
}
"""Column of reads by its name in a MAF -> other usual names."""


def with_reads(
    table: TextTable, rows: pd.DataFrame, columns: Mapping[str, Any], problems: list[str]
) -> tuple[pd.DataFrame, pd.Series, bool, set[str]]:
    """Use the read-count columns of a table of mutations, by the same rules as for a MAF.

    Parameters
    ----------
    table
        The file.
    rows
        Its mutations, one row for each line.
    columns
        Read-count column -> column of the file, if given in the manifest.
    problems
        Receives what was left out.

    Returns
    -------
    tuple
        Rows with ``vaf`` (from reads where the file gives none), ``t_depth`` and ``germline``; which of them are to be
        left out; whether the allele frequencies come from reads (fractions); the columns of the file that were used.

    Raises
    ------
    InputError
        For impossible counts.
    """
    names = {}
    for name, usual in READS.items():
        column = table.need(str(columns[name])) if name in columns else table.find(name, *usual)
        if column is not None:
            names[name] = column
    clash = [name for name, column in names.items() if name != column and name in table.frame.columns]
    seen = copy.copy(table)
    seen.frame = table.frame.drop(columns=clash).rename(columns={column: name for name, column in names.items()})
    out = rows.copy()
    fraction, unit = vaf_of_reads(seen)
    from_reads = unit == "fraction" and bool(fraction.notna().any())
    given = "vaf" in out.columns and bool(out["vaf"].notna().any())
    if from_reads and not given:
        out["vaf"] = fraction
    elif "vaf" not in out.columns:
        out["vaf"] = None
    depth = seen.number("t_depth")
    depth = depth.where(depth.notna(), seen.number("t_alt_count") + seen.number("t_ref_count"))
    if depth.notna().any() and "t_depth" not in out.columns:
        out["t_depth"] = depth
    if "germline" not in out.columns:
        out["germline"] = None
    out["germline"] = out["germline"].astype(object)
    tally, left = mark_germline(seen, out, out["gene"].isna(), problems)
    out["germline"] = out["germline"].map(lambda v: "true" if v is True else v)
    problems.extend(tally.sentences(table.file))
    return out, left, from_reads and not given, set(names.values())
