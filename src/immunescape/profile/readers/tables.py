"""Tables of any layout, described by a column map: one format for each table of the study."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from immunescape.errors import InputError, unknown_word
from immunescape.profile.readers._base import Partial, reader
from immunescape.profile.readers._finish import build_word, finish
from immunescape.profile.readers._text import Table, read_table
from immunescape.profile.study import COLUMNS

__all__ = ["OPTIONS", "read_rows"]

OPTIONS = {
    "columns": "study column -> column of the file",
    "values": "study column -> {word of the file: word of the study}",
    "constants": "study column -> value for every row",
    "units": "column or analyte -> unit of the file",
    "analytes": "for a wide table of labs: analyte -> column of the file",
    "keep": "further columns of the file to keep, or 'all'",
    "where": "column of the file -> value: only rows that have it are read",
    "genome_build": "GRCh37 or GRCh38",
}


def _mapped(kind: str, table: Table, options: Mapping[str, Any]) -> tuple[pd.DataFrame, list[str]]:
    frame = table.frame
    mapping = dict(options.get("columns") or {})
    for name in mapping:
        if name not in COLUMNS[kind] and not (kind == "labs" and name == "analyte"):
            raise unknown_word(f"column of '{kind}'", name, COLUMNS[kind], where="columns")
    data: dict[str, pd.Series] = {}
    for name in COLUMNS[kind]:
        if name in mapping:
            data[name] = frame[table.need(str(mapping[name]))]
        elif (found := table.find(name)) is not None:
            data[name] = frame[found]
    taken = {s.name for s in data.values()}
    keep = options.get("keep") or []
    if keep == "all":
        extra = [c for c in frame.columns if c not in taken and c not in data]
    else:
        extra = [table.need(str(c)) for c in ([keep] if isinstance(keep, str) else keep)]
    out = pd.DataFrame(data | {c: frame[c] for c in extra if c not in data}, index=frame.index)
    used = taken | set(extra)
    return out, [str(c) for c in frame.columns if c not in used]


def _melted(table: Table, options: Mapping[str, Any]) -> pd.DataFrame:
    """Turn a wide table of laboratory values (one column for each analyte) into rows."""
    rest = {k: v for k, v in options.items() if k != "keep"}
    base, _ = _mapped("labs", table, rest)
    base = base[[c for c in base.columns if c not in ("analyte", "value", "unit")]]
    parts = []
    for analyte, column in dict(options["analytes"]).items():
        part = base.copy()
        part["analyte"] = str(analyte)
        part["value"] = table.frame[table.need(str(column))]
        part["unit"] = None
        parts.append(part[part["value"].notna()])
    return pd.concat(parts) if parts else base.assign(analyte=None, value=None, unit=None)


def _chosen(table: Table, options: Mapping[str, Any]) -> Table:
    for column, value in dict(options.get("where") or {}).items():
        name = table.need(str(column))
        wanted = {str(v) for v in value} if isinstance(value, list) else {str(value)}
        table.frame = table.frame.loc[table.frame[name].isin(wanted)]
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
        Naming the file, line or column, and the nearest valid word.
    """
    table = read_table(path)
    rows = len(table.frame)
    table = _chosen(table, options)
    partial_study = Partial()
    unused: list[str] = []
    if options.get("analytes"):
        if kind != "labs":
            raise InputError("'analytes' is for a table of labs", where=path.name)
        out = _melted(table, options)
    else:
        out, unused = _mapped(kind, table, options)
    for column, value in dict(options.get("constants") or {}).items():
        if column not in COLUMNS[kind]:
            raise unknown_word(f"column of '{kind}'", column, COLUMNS[kind], where="constants")
        out[column] = str(value)
    for column, words in dict(options.get("values") or {}).items():
        if column not in out.columns:
            raise unknown_word(f"column of '{kind}'", column, list(out.columns), where=f"{path.name}, values")
        table_of_words = {str(k): (None if v is None else str(v)) for k, v in dict(words).items()}
        out[column] = out[column].map(lambda v, t=table_of_words: t.get(v, v))
    key = "sample" if kind == "samples" else "patient"
    if key not in out.columns and "sample" not in out.columns:
        table.need(key)
    build = str(options.get("genome_build") or "")
    build = build_word(build, path.name) if build else ""
    units = {str(k): str(v) for k, v in dict(options.get("units") or {}).items()}
    if kind == "mutations" and "source_row" not in out:
        out["source_row"] = [float(i) for i in out.index]
    done = finish(kind, out, path.name, partial_study.problems, units, build)
    partial_study.tables[kind] = done
    partial_study.genome_build = build
    left = []
    if unused:
        left.append(f"columns not used: {', '.join(unused[:12])}{' …' if len(unused) > 12 else ''}")
    if len(table.frame) < rows:
        left.append(f"{rows - len(table.frame)} rows excluded by 'where'")
    partial_study.note(path.name, name or kind, rows, len(done), "; ".join(left))
    return partial_study


for _kind in COLUMNS:
    reader(_kind, f"table of {_kind.replace('_', ' ')} (CSV or TSV, with a column map)", (_kind,), OPTIONS)(
        partial(read_rows, _kind)
    )
