"""Single cells as AnnData -> cell counts by type and state, and pseudobulk, for the sample of each patient.

Cells are never treated as patients. Only cell counts, and the pseudobulk of a few genes by cell type, are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from immunescape.errors import InputError, unknown_word
from immunescape.profile.cell_types import CELL_TYPES, STATE_GENES, cell_type_of
from immunescape.profile.genes import to_symbols
from immunescape.profile.readers._anndata import open_anndata
from immunescape.profile.readers._base import Partial, reader
from immunescape.profile.readers._finish import finish

__all__ = ["PSEUDOBULK_GENES", "read_single_cells", "states_of", "value_kind"]

PSEUDOBULK_GENES = ("HLA-A", "HLA-B", "HLA-C", "B2M", "TAP1", "TAP2", "NLRC5", "CD274")
"""Genes for which pseudobulk is kept."""

_COLUMNS = {
    "patient": ("patient", "patient_id", "donor", "donor_id", "subject"),
    "sample": ("sample", "sample_id", "library", "orig.ident"),
    "cell_type": ("cell_type", "celltype", "cell_type_major", "annotation"),
}
_KINDS = ("counts", "log1p")


def value_kind(sample: Any, declared: object, file: str, problems: list[str]) -> str:
    """Return whether values are raw counts or log1p of counts scaled to one total.

    Parameters
    ----------
    sample
        cells x genes of some cells, dense.
    declared
        ``counts`` or ``log1p``, or None.
    file
        For messages.
    problems
        Gets what was inferred.

    Raises
    ------
    InputError
        For scaled values, a declaration contradicted by the values, and ambiguous values.
    """
    declared_kind = "" if declared is None else str(declared)
    if declared_kind and declared_kind not in _KINDS:
        raise unknown_word("unit of single cells", declared_kind, _KINDS, where=file)
    values = np.asarray(sample, dtype=float)
    if not np.isfinite(values).all() or (values < 0).any():
        raise InputError(
            "values are negative or missing: these are scaled values",
            where=file,
            hint="Name the layer with counts, layer: counts, or layer: raw for AnnData.raw.",
        )
    whole = bool((values == np.round(values)).all())
    totals = np.expm1(np.minimum(values, 50.0)).sum(axis=1)
    totals = totals[totals > 0]
    equal = len(totals) > 1 and float(totals.std() / totals.mean()) < 0.02 and float(values.max(initial=0.0)) < 20
    if declared_kind == "counts" and not whole:
        raise InputError("counts are not whole numbers", where=file, hint="Set unit: log1p, or layer: to the counts.")
    if declared_kind == "log1p" and whole and float(values.max(initial=0.0)) > 20:
        raise InputError("whole numbers up to the hundreds are not log1p values", where=file, hint="Set unit: counts.")
    if declared_kind:
        return declared_kind
    if whole and values.any():
        problems.append(f"{file}: single cells are read as raw counts, because all values are whole numbers")
        return "counts"
    if equal:
        problems.append(
            f"{file}: single cells are read as log1p of counts scaled to {float(np.median(totals)):.0f} a cell, "
            "because every cell has that total"
        )
        return "log1p"
    raise InputError(
        "neither raw counts nor log1p of scaled counts can be recognised",
        where=file,
        hint="Set unit: counts or unit: log1p, or name the layer with counts, layer: counts.",
    )


def states_of(cell_type: str, positive: pd.DataFrame) -> pd.Series:
    """Return the state of each cell of a type from its expressed genes (cells x genes, Boolean), else ``other``.

    CD8: progenitor by TCF7 or CXCR5 without HAVCR2; terminally exhausted by HAVCR2 with TOX or ENTPD1, without TCF7.
    Macrophages: by CXCL9 alone, by SPP1 alone.
    """
    state = pd.Series("other", index=positive.index, dtype=object)
    if cell_type == "cd8":
        tim3 = positive["HAVCR2"]
        state[(positive["TCF7"] | positive["CXCR5"]) & ~tim3] = "progenitor"
        state[tim3 & (positive["TOX"] | positive["ENTPD1"]) & ~positive["TCF7"]] = "exhausted"
    elif cell_type == "macrophage":
        state[positive["CXCL9"] & ~positive["SPP1"]] = "cxcl9"
        state[positive["SPP1"] & ~positive["CXCL9"]] = "spp1"
    return state


def _column(obs: pd.DataFrame, name: str, options: Mapping[str, Any], file: str) -> str | None:
    given = dict(options.get("columns") or {})
    if name in given:
        if given[name] not in obs.columns:
            raise unknown_word("column of the cells (obs)", str(given[name]), [str(c) for c in obs.columns], where=file)
        return str(given[name])
    columns = [c for c in _COLUMNS[name] if c in obs.columns]
    return columns[0] if columns else None


def _texts(values: pd.Series) -> pd.Series:
    text = values.astype(object)
    return text.map(lambda v: None if v is None or v != v or not str(v).strip() else str(v).strip())


def _open(path: Path, options: Mapping[str, Any]) -> tuple[pd.DataFrame, Any, list[str | None]]:
    data = open_anndata(path)
    layer, names, matrix = options.get("layer"), data.var_names, data.X
    if layer == "raw" and data.raw is not None:
        names, matrix = data.raw.var_names, data.raw.X
    elif layer is not None:
        if layer not in data.layers:
            raise unknown_word("layer", str(layer), [*map(str, data.layers), "raw"], where=path.name)
        matrix = data.layers[layer]
    if matrix is None:
        raise InputError("the file has no values in X", where=path.name, hint="Name a layer: layer: counts")
    symbols = options.get("gene_column")
    if symbols is not None:
        if symbols not in data.var.columns:
            raise unknown_word("column of the genes (var)", str(symbols), list(data.var.columns), where=path.name)
        names = data.var[symbols]
    return data.obs, matrix, to_symbols([str(n) for n in names])


def _dense(matrix: Any) -> np.ndarray:
    return np.asarray(matrix.todense() if hasattr(matrix, "todense") else matrix, dtype=float)


def _identities(obs: pd.DataFrame, options: Mapping[str, Any], file: str, out: Partial) -> pd.DataFrame:
    patient, sample = _column(obs, "patient", options, file), _column(obs, "sample", options, file)
    kind = _column(obs, "cell_type", options, file)
    every = ", ".join(str(c) for c in obs.columns) or "none"
    if patient is None:
        raise InputError(
            "no column of the cells (obs) gives the patient",
            where=file,
            hint=f"Map it in the manifest, columns: {{patient: …}}. Columns: {every}.",
        )
    if kind is None:
        raise InputError(
            "no column of the cells (obs) gives the cell type",
            where=file,
            hint=f"Map it, columns: {{cell_type: …}}, clusters with types: {{cluster: cell type}}. Columns: {every}.",
        )
    cells = pd.DataFrame({"patient": _texts(obs[patient]), "label": _texts(obs[kind])})
    cells["sample"] = _texts(obs[sample]) if sample is not None else cells["patient"]
    missing = cells["patient"].isna() | cells["sample"].isna()
    if missing.any():
        out.problems.append(
            f"{file}: {int(missing.sum())} of {len(cells)} cells without patient or sample are left out"
        )
    chosen = {str(k): v for k, v in dict(options.get("types") or {}).items()}
    types = {}
    for label in cells["label"].dropna().unique():
        identity = chosen.get(label, label)
        base, _, state = str(identity).partition("/")
        cell_type = cell_type_of(base)
        if cell_type is None:
            raise unknown_word(
                "cell type",
                str(identity),
                CELL_TYPES,
                where=f"{file}, label '{label}' (translate it with types:)",
            )
        if state and state not in _STATES.get(cell_type, ()):
            raise unknown_word(f"state of {cell_type}", state, _STATES.get(cell_type, ("(none)",)), where=file)
        types[label] = (cell_type, state)
    unlabelled = cells["label"].isna() & ~missing
    if unlabelled.any():
        out.problems.append(f"{file}: {int(unlabelled.sum())} cells without a type are counted as other")
    cells["cell_type"] = cells["label"].map(lambda w: types[w][0] if w in types else "other")
    cells["given"] = cells["label"].map(lambda w: types[w][1] if w in types else "")
    cells["kept"] = ~missing
    return cells


_STATES = {"cd8": ("progenitor", "exhausted"), "macrophage": ("cxcl9", "spp1")}


@reader(
    "single_cells",
    "single cells as AnnData: numbers of cells by type and state, pseudobulk (needs the extra 'profile')",
    ("cell_counts", "pseudobulk"),
    {
        "columns": "patient, sample, cell_type -> column of the cells (obs)",
        "types": "label or cluster of the file -> cell type, or cell type/state (cd8/exhausted)",
        "unit": "counts (raw) or log1p (scaled and logged); recognised from the values where possible",
        "layer": "layer to read in place of X; raw for AnnData.raw",
        "gene_column": "column of the genes (var) with symbols or Ensembl ids",
        "selection": "how cells were selected beforehand, e.g. CD45+ or CD3+; none if they were not",
    },
    extra="profile",
)
def read_single_cells(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read cells with patient, sample and type; see the options.

    Raises
    ------
    InputError
        If patient or cell type is not given, a label is not a cell type, or the values are neither counts nor log1p.
    """
    out, file = Partial(), path.name
    obs, matrix, symbols = _open(path, options)
    cells = _identities(obs, options, file, out)
    size = matrix.shape[0]
    step = max(1, size // 300)
    if size == 0:
        raise InputError("the file contains no cells", where=file)
    kind = value_kind(_dense(matrix[np.arange(0, size, step)]), options.get("unit"), file, out.problems)
    genes = (*PSEUDOBULK_GENES, *(g for names in STATE_GENES.values() for g in names))
    at = {g: [i for i, s in enumerate(symbols) if s == g] for g in genes}
    linear = pd.DataFrame({g: _linear(matrix[:, at[g]], kind).sum(axis=1) for g in genes if at[g]}, index=cells.index)
    totals = _totals(matrix, kind)
    cells["total"] = totals
    cells["state"] = cells["given"].where(cells["given"] != "", "other")
    for cell_type, needed in STATE_GENES.items():
        mine = cells["cell_type"] == cell_type
        if not mine.any() or (cells.loc[mine, "given"] != "").any():
            continue  # states given in the file take precedence
        lacking = [g for g in needed if g not in linear]
        if lacking:
            out.problems.append(f"{file}: states of {cell_type} are not distinguished: no {', '.join(lacking)}")
            cells.loc[mine, "state"] = "not told"
            continue
        cells.loc[mine, "state"] = states_of(cell_type, linear.loc[mine.to_numpy()] > 0)
    kept = cells["kept"].to_numpy(bool)
    cells, linear = cells[kept], linear[kept]
    counted = cells.groupby(["patient", "sample", "cell_type", "state"], sort=True).size()
    counts = pd.concat([counted.rename("cells").reset_index(), _zeros(cells, options)], ignore_index=True)
    counts["selection"] = str(options.get("selection") or "") or None
    out.tables["cell_counts"] = finish("cell_counts", counts, file, out.problems)
    out.tables["pseudobulk"] = finish("pseudobulk", _pseudobulk(cells, linear), file, out.problems)
    samples = cells[["patient", "sample"]].drop_duplicates()
    out.tables["samples"] = finish("samples", samples.reset_index(drop=True), file, out.problems)
    patients = cells["patient"].nunique()
    left = f"coordinates, embeddings and {size - len(cells)} cells" if size > len(cells) else "embeddings"
    out.note(file, "single_cells", size, len(cells), f"{left}; {patients} patients, {len(samples)} samples")
    return out


def _zeros(cells: pd.DataFrame, options: Mapping[str, Any]) -> pd.DataFrame:
    """Return a row with zero cells for each type that is distinguished in the file but not found in a sample."""
    named_types = [cell_type_of(str(w).partition("/")[0]) for w in dict(options.get("types") or {}).values()]
    types = sorted({*cells["cell_type"], *(w for w in named_types if w)} - {"other"})
    pairs = cells[["patient", "sample"]].drop_duplicates()
    have = set(zip(cells["sample"], cells["cell_type"], strict=True))
    rows = [(p, s, t, "other", 0) for p, s in pairs.itertuples(index=False) for t in types if (s, t) not in have]
    return pd.DataFrame(rows, columns=["patient", "sample", "cell_type", "state", "cells"])


def _linear(block: Any, kind: str) -> np.ndarray:
    values = _dense(block)
    return np.expm1(values) if kind == "log1p" else values


def _totals(matrix: Any, kind: str) -> np.ndarray:
    totals = []
    for start in range(0, matrix.shape[0], 5000):
        block = matrix[start : start + 5000]
        if kind == "log1p":
            block = block.expm1() if hasattr(block, "expm1") else np.expm1(np.asarray(block, dtype=float))
        totals.append(np.asarray(block.sum(axis=1), dtype=float).ravel())
    return np.concatenate(totals)


def _pseudobulk(cells: pd.DataFrame, linear: pd.DataFrame) -> pd.DataFrame:
    """Sum the cells of each type and sample, scale to one million, and take log2(x + 1)."""
    rows = []
    for (patient, sample, kind), members in cells.groupby(["patient", "sample", "cell_type"], sort=True):
        inside = cells.index.isin(members.index)
        total = float(members["total"].sum())
        if total <= 0:
            continue
        for gene in PSEUDOBULK_GENES:
            if gene in linear:
                value = float(np.log2(linear.loc[inside, gene].sum() / total * 1e6 + 1.0))
                rows.append((patient, sample, kind, gene, value, float(len(members))))
    columns = ["patient", "sample", "cell_type", "gene", "log2_cpm", "cells"]
    return pd.DataFrame(rows, columns=columns)
