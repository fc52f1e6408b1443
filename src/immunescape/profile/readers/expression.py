"""Expression: tables of genes x samples, AnnData files; and sample annotation of a GEO series matrix."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from immunescape.errors import InputError, unknown_word
from immunescape.profile.gene_doubts import may_mean
from immunescape.profile.genes import map_expression
from immunescape.profile.readers._anndata import open_anndata
from immunescape.profile.readers._base import Partial, reader
from immunescape.profile.readers._finish import finish
from immunescape.profile.readers._text import number_block, read_table, read_text

__all__ = ["read_expression", "read_geo", "read_h5ad"]

_UNITS = ("counts", "tpm", "log2_tpm1")
_UNIT_HELP = "unit of the values: counts, tpm or log2_tpm1 (log2(TPM + 1))"


def _checked(values: pd.DataFrame, unit: Any, file: str, problems: list[str]) -> str:
    """Return the unit; a missing one is inferred only where the values allow exactly one."""
    numbers = values.to_numpy(float)
    finite = numbers[np.isfinite(numbers)]
    word = "" if unit is None else str(unit)
    if word and word not in _UNITS:
        raise unknown_word("unit of expression", word, _UNITS, where=file)
    if len(finite) and finite.min() < 0:
        raise InputError(
            f"negative expression ({finite.min():g}): counts, TPM and log2(TPM + 1) are not negative",
            where=file,
            hint="Give values before centring or scaling: counts or TPM.",
        )
    if not word:
        if len(finite) and finite.max() > 50 and bool((finite == np.round(finite)).all()):
            problems.append(
                f"{file}: expression is read as counts, because all values are whole numbers up to {finite.max():g}"
            )
            return "counts"
        raise InputError(
            "the unit of expression is not declared, and the values do not tell it",
            where=file,
            hint=f"Set unit: in the manifest to one of {', '.join(_UNITS)}.",
        )
    if word == "counts" and len(finite) and not bool((np.abs(finite - np.round(finite)) < 1e-6).all()):
        problems.append(f"{file}: counts are not whole numbers (expected counts of a quantifier?)")
    if word == "log2_tpm1" and len(finite) and finite.max() > 25:
        raise InputError(f"log2(TPM + 1) cannot reach {finite.max():g}", where=file, hint="Is it TPM? Set unit: tpm.")
    return word


def _finish(values: pd.DataFrame, unit: Any, file: str, name: str, out: Partial) -> Partial:
    word = _checked(values, unit, file, out.problems)
    missing = values.isna()
    if bool(missing.to_numpy().any()):
        empty = missing.all(axis=1)
        values = values.loc[~empty]
        partly = int(values.isna().any(axis=1).sum())
        if partly:
            out.problems.append(f"{file}: {partly} genes without value in some sample are left out")
            values = values.dropna(axis=0)
    mapped, report = map_expression(values, word, file)
    for name, meant in [(n, may_mean(str(n))) for n in values.index][:100_000]:
        if meant and not set(meant[:1]) <= set(mapped.index):
            out.problems.append(f"{file}: '{name}' is no HGNC symbol and is left out (nearest: {', '.join(meant[:3])})")
    if word == "tpm" and len(mapped):
        sums = values.sum(axis=0)
        off = (sums < 1e5) | (sums > 1.5e6)
        if off.any():
            out.problems.append(
                f"{file}: TPM of a sample should sum to a million; {int(off.sum())} samples do not "
                f"({sums.min():.3g} to {sums.max():.3g}): a part of the genes, or another unit"
            )
    if report.merged:
        out.problems.append(f"{file}: {report.merged} rows share a gene symbol with another and were joined")
    out.expression, out.expression_unit, out.gene_map = mapped, word, report
    out.note(file, name, report.rows, len(mapped), report.note)
    return out


@reader(
    "expression",
    "expression table, genes x samples (HGNC, Entrez or Ensembl ids)",
    ("expression",),
    {"unit": _UNIT_HELP, "gene_column": "column with the gene identifiers (default: the first)"},
)
def read_expression(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read genes x samples; identifiers may be HGNC symbols (also previous), Entrez or Ensembl ids, mixed.

    Raises
    ------
    InputError
        For a unit that is neither declared nor clear, for negative values, and for row names that are no genes.
    """
    table = read_table(path)
    out = Partial()
    columns = [str(c) for c in table.frame.columns]
    gene_column = table.need(str(options["gene_column"])) if options.get("gene_column") else columns[0]
    skip = {gene_column}
    for name in ("Entrez_Gene_Id", "Hugo_Symbol", "gene_name", "gene_symbol", "description", "gene_type", "Cytoband"):
        found = table.find(name)
        if found is not None:
            skip.add(found)
    samples = [c for c in columns if c not in skip]
    if not samples:
        raise InputError("no sample columns", where=path.name, hint="Expected: gene column, then one column a sample.")
    ids = table.frame[gene_column]
    second = table.find("Entrez_Gene_Id")
    if second is not None and second != gene_column:
        ids = ids.where(ids.notna(), table.frame[second])
    keep = ids.notna()
    wide = pd.DataFrame(number_block(table.frame, samples, path.name), table.frame.index, samples)
    values = wide.loc[keep].set_axis([str(i).removesuffix(".0") for i in ids[keep]], axis=0)
    return _finish(values, options.get("unit"), path.name, "expression", out)


@reader(
    "h5ad",
    "expression as AnnData (samples x genes; needs the extra 'profile')",
    ("expression", "samples"),
    {"unit": _UNIT_HELP, "layer": "layer to read instead of X"},
    extra="profile",
)
def read_h5ad(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read an AnnData file of bulk samples (cells are not summed up)."""
    data = open_anndata(path)
    out = Partial()
    try:
        layer = options.get("layer")
        if layer is not None and layer not in data.layers:
            raise unknown_word("layer", str(layer), list(data.layers) or ["(none)"], where=path.name)
        matrix = data.layers[layer] if layer is not None else data.X
        dense = np.asarray(matrix.todense() if hasattr(matrix, "todense") else matrix, dtype=float)
        values = pd.DataFrame(dense.T, index=[str(v) for v in data.var_names], columns=[str(o) for o in data.obs_names])
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"this AnnData file cannot be read: {error}", where=path.name) from error
    if values.shape[1] > 20_000:
        raise InputError(f"{values.shape[1]:,} observations: single cells?", where=path.name, hint="Give bulk samples.")
    if values.columns.has_duplicates:
        raise InputError("sample names are not unique", where=path.name)
    return _finish(values, options.get("unit"), path.name, "h5ad", out)


@reader(
    "geo_series_matrix",
    "sample annotation of a GEO series matrix",
    ("patients", "samples"),
    {"columns": "study column -> characteristic of the file", "values": "study column -> {word: word}"},
)
def read_geo(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read the ``!Sample_`` lines of a series matrix; characteristics (``key: value``) become columns.

    One sample is one patient, named by its accession. Expression values of a series matrix are left: their unit is
    not in the file.
    """
    rows: dict[str, list[str]] = {}
    accessions: list[str] = []
    for line in read_text(path).splitlines():
        if not line.startswith("!Sample_"):
            continue
        cells = next(csv.reader([line], delimiter="\t"))
        name, values = cells[0].removeprefix("!Sample_"), [c.strip() for c in cells[1:]]
        if name == "geo_accession":
            accessions = values
        elif name.startswith("characteristics"):
            keys = [v.partition(": ")[0] for v in values if ": " in v]
            if keys:
                key = max(set(keys), key=keys.count)
                rows[key] = [v.partition(": ")[2] if v.startswith(f"{key}: ") else "" for v in values]
        elif name in ("title", "source_name_ch1"):
            rows[name] = values
    if not accessions:
        raise InputError("no line '!Sample_geo_accession': this is no GEO series matrix", where=path.name)
    if len(set(accessions)) < len(accessions):
        raise InputError("a sample accession stands twice", where=path.name)
    frame = pd.DataFrame({"patient": accessions})
    for key, values in rows.items():
        if len(values) == len(accessions):
            frame[key] = [v or None for v in values]
    out = Partial()
    for column, source in dict(options.get("columns") or {}).items():
        if source not in frame.columns:
            raise unknown_word("characteristic", str(source), [str(c) for c in frame.columns], where=path.name)
        frame[str(column)] = frame[str(source)]
    for column, words in dict(options.get("values") or {}).items():
        if column not in frame.columns:
            raise unknown_word("column", str(column), [str(c) for c in frame.columns], where=path.name)
        frame[column] = frame[column].map(lambda v, w=dict(words): w.get(v, v))
    out.tables["patients"] = finish("patients", frame, path.name, out.problems)
    out.tables["samples"] = finish(
        "samples", pd.DataFrame({"sample": accessions, "patient": accessions}), path.name, out.problems
    )
    out.note(path.name, "geo_series_matrix", len(accessions), len(accessions), "expression values, if any")
    return out
