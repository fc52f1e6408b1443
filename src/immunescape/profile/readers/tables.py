"""Tables of any layout, described by a column map: one format per table of the study."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from immunescape.errors import InputError, nearest, unknown_word
from immunescape.profile.readers._base import Partial, reader
from immunescape.profile.readers._column_names import find_column, usual_names
from immunescape.profile.readers._finish import canonical_build, finish
from immunescape.profile.readers._table_reads import READS, with_reads
from immunescape.profile.readers._text import TextTable, read_table
from immunescape.profile.readers._units import lab_units
from immunescape.profile.study import COLUMNS

__all__ = ["OPTIONS", "read_rows"]

OPTIONS = {
    "columns": "study column -> column of the file",
    "values": "study column -> {term in the file: term in the study}",
    "constants": "study column -> value for every row",
    "units": "column or analyte -> unit of the file",
    "analytes": "for a wide table of labs: analyte -> column of the file",
    "keep": "further columns of the file to keep, or 'all'",
    "where": "column of the file -> value: only rows with this value are read",
    "genome_build": "GRCh37 or GRCh38",
}


REQUIRED: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "mutations": (("gene",), ("classification",)),
    "copy_number": (("gene",), ("discrete", "total_cn")),
    "segments": (("chrom",), ("start",), ("end",), ("total_cn", "seg_mean")),
    "structural_variants": (("gene1", "gene2"),),
    "hla": (("allele",),),
    "hla_loh": (("allele",), ("copy_number", "lost")),
    "neoantigens": (("peptide",), ("ic50_nm",)),
    "tcr": (("junction_aa",), ("duplicate_count",)),
    "microbiome": (("taxon",), ("abundance",)),
    "ctdna": (("value", "detected"),),
    "labs": (("analyte",), ("value",)),
    "pdl1": (("value_percent", "category"),),
    "treatments": (("drug",),),
    "responses": (("recist", "sld_mm"),),
    "cell_counts": (("cell_type",), ("cells",)),
    "pseudobulk": (("cell_type",), ("gene",), ("log2_cpm",)),
    "cells_in_space": (("x",), ("y",), ("cell_type",)),
}
"""Columns without which the rows of a table cannot be used; one of each group is sufficient."""
_BY_NAME = frozenset(REQUIRED)
"""Tables whose columns are also recognised by their usual names. Those of patients and samples are not: names such as
`response` or `status` are ambiguous there, so that a mapping is suggested instead."""


def _need_meaning(kind: str, table: TextTable, out: pd.DataFrame) -> None:
    """Reject a table without its essential columns: without them every patient would appear unaltered."""
    if not len(out):
        return
    for group in REQUIRED.get(kind, ()):
        given = [c for c in group if c in out.columns and out[c].notna().any()]
        if given:
            continue
        columns = [str(c) for c in table.frame.columns]
        empty = [c for c in group if c in out.columns]
        what = f"the column '{group[0]}' has no values" if empty else f"no column gives the {' or '.join(group)}"
        close = [] if empty else nearest(group[0], columns, n=1)
        example = close[0] if close else "COLUMN"
        usual = [n for r in usual_names(kind) if r.column == group[0] for n in r.plain][:4]
        also = f" Recognised names: {', '.join([group[0], *usual])}." if usual else ""
        raise InputError(
            f"{what}, without which no row can be used",
            where=table.file,
            hint=f"Name it, columns: {{{group[0]}: {example}}}"
            + "".join(f" or {{{other}: COLUMN}}" for other in group[1:])
            + f".{also}{_wide_labs(kind, columns)} Columns: {', '.join(columns[:30])}",
        )


def _wide_labs(kind: str, columns: list[str]) -> str:
    """Return how to read a table with one column per analyte, if this is one."""
    units, aliases = lab_units()
    named = {aliases.get(c.casefold(), c.casefold()): c for c in columns} if kind == "labs" else {}
    pairs = [f"{analyte}: {column}" for analyte, column in named.items() if analyte in units]
    return f" For a table with one column per analyte, analytes: {{{', '.join(pairs)}}}." if pairs else ""


def _suggestions(kind: str, out: pd.DataFrame, unused: list[str]) -> list[str]:
    """Return mappings for unused columns that have a usual name of a missing column."""
    plain = {"".join(c for c in name.casefold() if c.isalnum()): name for name in unused}
    labs = []
    for record in usual_names(kind):
        if record.column in out.columns:
            continue
        name = next(
            (plain[p] for n in record.plain if (p := "".join(c for c in n.casefold() if c.isalnum())) in plain), None
        )
        if name and record.column in COLUMNS[kind]:
            labs.append(f"{record.column}: {name}")
    return list(dict.fromkeys(labs))


def _mapped(kind: str, table: TextTable, options: Mapping[str, Any]) -> tuple[pd.DataFrame, list[str]]:
    frame = table.frame
    mapping = dict(options.get("columns") or {})
    for name in mapping:
        if kind == "mutations" and name in READS:
            continue
        if name not in COLUMNS[kind] and not (kind == "labs" and name == "analyte"):
            raise unknown_word(f"column of '{kind}'", name, COLUMNS[kind], where="columns")
    data: dict[str, pd.Series] = {}
    for name in COLUMNS[kind]:
        if name in mapping:
            data[name] = frame[table.need(str(mapping[name]))]
        elif (column := table.find(name)) is not None:
            data[name] = frame[column]
    free = [c for c in COLUMNS[kind] if c not in data] if kind in _BY_NAME else []
    for name in free:
        named = find_column(table, kind, name)
        if named is not None and named.column not in {s.name for s in data.values()}:
            data[name] = frame[named.column]
    taken = {s.name for s in data.values()}
    keep = options.get("keep") or []
    if keep == "all":
        extra = [c for c in frame.columns if c not in taken and c not in data]
    else:
        extra = [table.need(str(c)) for c in ([keep] if isinstance(keep, str) else keep)]
    out = pd.DataFrame(data | {c: frame[c] for c in extra if c not in data}, index=frame.index)
    used = taken | set(extra)
    return out, [str(c) for c in frame.columns if c not in used]


def _melted(table: TextTable, options: Mapping[str, Any]) -> pd.DataFrame:
    """Convert a wide table of laboratory values (one column per analyte) to rows."""
    rest = {k: v for k, v in options.items() if k != "keep"}
    base, _ = _mapped("labs", table, rest)
    base = base[[c for c in base.columns if c not in ("analyte", "value", "unit")]]
    frames = []
    for analyte, column in dict(options["analytes"]).items():
        group_rows = base.copy()
        group_rows["analyte"] = str(analyte)
        group_rows["value"] = table.frame[table.need(str(column))]
        group_rows["unit"] = None
        frames.append(group_rows[group_rows["value"].notna()])
    return pd.concat(frames) if frames else base.assign(analyte=None, value=None, unit=None)


def _chosen(table: TextTable, options: Mapping[str, Any]) -> TextTable:
    for column, value in dict(options.get("where") or {}).items():
        name = table.need(str(column))
        chosen = {str(v) for v in value} if isinstance(value, list) else {str(value)}
        table.frame = table.frame.loc[table.frame[name].isin(chosen)]
    return table


def read_rows(kind: str, path: Path, options: Mapping[str, Any], name: str | None = None) -> Partial:
    """Read a table of a kind with a column map.

    Parameters
    ----------
    kind
        Table of the study.
    path
        Delimited text file.
    options
        See ``OPTIONS``.
    name
        Name of the reader, for the note.

    Raises
    ------
    InputError
        Naming the file, line or column, and the nearest valid term.
    """
    table = read_table(path)
    rows_of_file = len(table.frame)
    table = _chosen(table, options)
    study = Partial()
    rows, unused = _rows_with_study_columns(kind, table, options)
    rows = _with_constants_and_translations(kind, rows, options, path.name)
    _need_meaning(kind, table, rows)
    if kind == "pdl1" and "score" not in rows and (named := find_column(table, kind, "value_percent")) is not None:
        if "tps" in named.column.casefold():
            rows["score"] = "tps"
    _need_owner(kind, table, rows)
    build = str(options.get("genome_build") or "")
    study.genome_build = canonical_build(build, path.name) if build else ""
    units = {str(k): str(v) for k, v in dict(options.get("units") or {}).items()}
    if kind == "mutations" and "source_row" not in rows:
        rows["source_row"] = [float(i) for i in rows.index]
    left = []
    everybody = rows
    if kind == "mutations" and len(rows):
        mapping = dict(options.get("columns") or {})
        rows, gone, from_reads, used = with_reads(table, rows, mapping, study.problems)
        units |= {"vaf": "fraction"} if from_reads else {}
        unused = [c for c in unused if c not in used]
        if gone.any():
            rows = rows[~gone]
            left.append(f"{int(gone.sum())} rows of polymorphisms or of variants absent from the tumour")
    done = finish(kind, rows, path.name, study.problems, units, study.genome_build)
    study.tables[kind] = done
    if len(rows) < len(everybody) and "sample" in everybody:
        _keep_sequenced(study, everybody, done, path.name)
    suggested = _suggestions(kind, rows, unused)
    if suggested:
        study.problems.append(
            f"{path.name}: unused columns may be known columns under other names: map them with columns: "
            f"{{{', '.join(suggested)}}}, or leave them"
        )
    if unused:
        left.append(f"columns not used: {', '.join(unused[:12])}{' …' if len(unused) > 12 else ''}")
    if len(table.frame) < rows_of_file:
        left.append(f"{rows_of_file - len(table.frame)} rows excluded by 'where'")
    study.note(path.name, name or kind, rows_of_file, len(done), "; ".join(left))
    return study


def _rows_with_study_columns(kind: str, table: TextTable, options: Mapping[str, Any]) -> tuple[pd.DataFrame, list[str]]:
    """Return rows with the names of the study's columns, and the unused columns of the file."""
    if not options.get("analytes"):
        return _mapped(kind, table, options)
    if kind != "labs":
        raise InputError("'analytes' is for a table of labs", where=table.file)
    return _melted(table, options), []


def _with_constants_and_translations(
    kind: str, rows: pd.DataFrame, options: Mapping[str, Any], file: str
) -> pd.DataFrame:
    """Fill the columns that have one value for all rows, and translate the terms of the file to those of the study."""
    for column, value in dict(options.get("constants") or {}).items():
        if column not in COLUMNS[kind]:
            raise unknown_word(f"column of '{kind}'", column, COLUMNS[kind], where="constants")
        rows[column] = str(value)
    for column, translations in dict(options.get("values") or {}).items():
        if column not in rows.columns:
            raise unknown_word(f"column of '{kind}'", column, list(rows.columns), where=f"{file}, values")
        translation = {str(k): (None if v is None else str(v)) for k, v in dict(translations).items()}
        rows[column] = rows[column].map(lambda v, t=translation: t.get(v, v))
    return rows


def _need_owner(kind: str, table: TextTable, rows: pd.DataFrame) -> None:
    """Reject a table whose rows cannot be assigned to a patient."""
    key = "sample" if kind == "samples" else "patient"
    if key in rows.columns or "sample" in rows.columns:
        return
    either = f"{key} or sample" if key == "patient" and "sample" in COLUMNS[kind] else key
    columns = ", ".join(map(str, table.frame.columns[:30]))
    raise InputError(
        f"no column gives the {either}",
        where=table.file,
        hint=f"Name it, columns: {{{key}: COLUMN}}. Columns: {columns}",
    )


def _keep_sequenced(study: Partial, everybody: pd.DataFrame, done: pd.DataFrame, file: str) -> None:
    """Keep samples of which no row is used: they were sequenced and have no such variant."""
    owners = everybody[[c for c in ("sample", "patient") if c in everybody]].drop_duplicates("sample")
    owners = owners[owners["sample"].notna() & ~owners["sample"].isin(done["sample"])]
    if len(owners):
        study.tables["samples"] = finish("samples", owners, file, study.problems)
    study.sequenced = frozenset(everybody["sample"].dropna())


for _kind in COLUMNS:
    reader(_kind, f"table of {_kind.replace('_', ' ')} (CSV or TSV, with a column map)", (_kind,), OPTIONS)(
        partial(read_rows, _kind)
    )
