"""Cells in space from AnnData (``obsm['spatial']``) and Parquet; the format ``cells_in_space`` reads CSV and TSV."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from immunescape.errors import InputError, unknown_word
from immunescape.profile.file_limits import refuse_large
from immunescape.profile.readers._anndata import open_anndata
from immunescape.profile.readers._base import Partial, reader
from immunescape.profile.readers._finish import finish
from immunescape.profile.readers._text import read_text
from immunescape.profile.study import COLUMNS

__all__ = ["read_space_anndata", "read_space_parquet"]

_OPTIONS = {
    "columns": "patient, sample, region, cell_type, compartment, pdl1 -> column of the file",
    "values": "study column -> {term in the file: term in the study}",
    "constants": "study column -> value for every cell",
    "units": "x: um, mm, or e.g. '0.5 um/pixel'",
}


def _table(frame: pd.DataFrame, path: Path, options: Mapping[str, Any], name: str, out: Partial) -> Partial:
    columns, valid = dict(options.get("columns") or {}), COLUMNS["cells_in_space"]
    data = {}
    for column in [*columns, *dict(options.get("constants") or {})]:
        if column not in valid:
            raise unknown_word("column of 'cells_in_space'", str(column), valid, where=path.name)
    for column in valid:
        source = columns.get(column, column)
        if source in frame.columns:
            data[column] = frame[source].to_numpy()
        elif column in columns:
            raise unknown_word("column", str(source), [str(c) for c in frame.columns], where=path.name)
    cells = pd.DataFrame(data)
    for column, value in dict(options.get("constants") or {}).items():
        cells[column] = str(value)
    for column, translations in dict(options.get("values") or {}).items():
        if column not in cells:
            raise unknown_word("column", str(column), list(cells.columns), where=path.name)
        table = {str(k): v for k, v in dict(translations).items()}
        cells[column] = cells[column].astype(object).map(lambda v, t=table: t.get(str(v), v))
    for column in ("patient", "cell_type", "x", "y"):
        if column not in cells:
            raise InputError(
                f"no column names the {column.replace('_', ' ')}",
                where=path.name,
                hint=f"Map it, columns: {{{column}: …}}. Columns: {', '.join(map(str, frame.columns))}.",
            )
    if "sample" not in cells:
        cells["sample"] = cells["patient"]
    cells.index = pd.RangeIndex(1, len(cells) + 1)
    units = {str(k): str(v) for k, v in dict(options.get("units") or {}).items()}
    done = finish("cells_in_space", cells, path.name, out.problems, units)
    out.tables["cells_in_space"] = done
    out.note(path.name, name, len(frame), len(done))
    return out


@reader(
    "space_anndata",
    "cells in space as AnnData with obsm['spatial'] (needs the extra 'profile')",
    ("cells_in_space",),
    _OPTIONS | {"spatial_key": "key of obsm with the coordinates [default: spatial]"},
    extra="profile",
)
def read_space_anndata(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read coordinates and the table of cells (obs); gene expression is not read."""
    data = open_anndata(path)
    key = str(options.get("spatial_key") or "spatial")
    if key not in data.obsm:
        raise unknown_word("key of obsm", key, list(map(str, data.obsm)) or ["(none)"], where=path.name)
    points = np.asarray(data.obsm[key], dtype=float)
    if points.ndim != 2 or points.shape[1] < 2:
        raise InputError(f"obsm['{key}'] has the shape {points.shape}, not cells x 2", where=path.name)
    obs = data.obs.drop(columns=[c for c in ("x", "y") if c in data.obs.columns])
    frame = obs.astype(object).assign(x=points[:, 0], y=points[:, 1]).reset_index(drop=True)
    rest = {k: v for k, v in options.items() if k != "spatial_key"}
    return _table(frame, path, rest, "space_anndata", Partial())


@reader("space_parquet", "cells in space as Parquet", ("cells_in_space",), _OPTIONS)
def read_space_parquet(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read a Parquet table with one row per cell."""
    if not path.is_file():
        read_text(path)
    try:
        from pyarrow import parquet

        groups = parquet.ParquetFile(path).metadata
        size = sum(groups.row_group(i).total_byte_size for i in range(groups.num_row_groups))
        refuse_large(float(size), "largest_array", path.name, "the unpacked table is too large for the memory")
        frame = pd.read_parquet(path)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"this Parquet file cannot be read: {error}", where=path.name) from error
    return _table(frame, path, options, "space_parquet", Partial())
