"""Expression: tables of genes x samples, AnnData files; and sample annotation of a GEO series matrix."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from immunescape.errors import InputError, unknown_word
from immunescape.profile.file_limits import limit, refuse_large
from immunescape.profile.readers._anndata import open_anndata
from immunescape.profile.readers._base import Partial, reader
from immunescape.profile.readers._expression import BULK_HELP, UNIT_HELP, finish_expression, refuse_cells
from immunescape.profile.readers._finish import finish
from immunescape.profile.readers._text import number_block, read_text, table_from_text
from immunescape.profile.readers.quantification import OPTIONS, read_quantification, tool_of

__all__ = ["read_expression", "read_geo", "read_h5ad"]

_IDENTIFIERS = ("Entrez_Gene_Id", "Hugo_Symbol", "gene_name", "gene_symbol", "description", "gene_type", "Cytoband")
_ANNOTATION = frozenset(
    "length genelength effectivelength efflength chr chrom chromosome start end strand biotype genebiotype source "
    "exons exoncount transcriptcount transcriptids cytoband locus width gc gccontent ensembl ensemblid entrez "
    "entrezid".split()
)
_QUANTITIES = frozenset(
    "tpm fpkm rpkm cpm fpkmuq rawcount rawcounts count counts readcount readcounts numreads estcounts expectedcount "
    "unstranded strandedfirst strandedsecond tpmunstranded fpkmunstranded fpkmuqunstranded coverage isopct basemean "
    "log2foldchange logfc lfcse stat pvalue padj fdr aveexpr logcpm adjpval".split()
)
"""Column names, without separators, of annotation and of quantities of one sample: neither is a sample."""


def _samples_of(columns: list[str], skip: set[str], file: str, problems: list[str]) -> list[str]:
    """Return the columns that are samples; reject columns of quantities, and leave out annotation."""
    samples = [c for c in columns if c not in skip]
    plain = {c: "".join(x for x in c.casefold() if x.isalnum()) for c in samples}
    quantities = [c for c in samples if plain[c] in _QUANTITIES]
    if quantities:
        raise InputError(
            f"the columns {', '.join(quantities[:6])} are quantities, not samples: each would count as a patient",
            where=file,
            hint="For the output of a quantification tool use format: quantification, with patient:. In a table of "
            "genes x samples, name each column after its sample.",
        )
    endings = {
        c: e for c in samples if (e := re.split(r"[._ :-]", c)[-1].casefold()) in _QUANTITIES and e != c.casefold()
    }
    if len(set(endings.values())) > 1:
        raise InputError(
            f"columns of several quantities ({', '.join(list(endings)[:4])}): each would count as a patient",
            where=file,
            hint="Keep one quantity, and name each column after its sample.",
        )
    annotation = [c for c in samples if plain[c] in _ANNOTATION]
    if annotation:
        problems.append(f"{file}: annotation columns are not samples and are left out: {', '.join(annotation)}")
    return [c for c in samples if c not in annotation]


@reader(
    "expression",
    "expression table, genes x samples (HGNC, Entrez or Ensembl ids)",
    ("expression",),
    {
        "gene_column": "column with the gene identifiers (default: the first)",
        "bulk": BULK_HELP,
        **OPTIONS,
        "unit": UNIT_HELP,
    },
)
def read_expression(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read genes x samples; identifiers may be HGNC symbols (also previous), Entrez or Ensembl ids, mixed.

    The output of a quantification tool, whose columns are not samples, is read as the format ``quantification``.

    Raises
    ------
    InputError
        For a unit that is neither declared nor clear, for negative values, for row names that are no genes, and for
        columns that are quantities or single cells.
    """
    text = read_text(path)
    sample_options = {k: v for k, v in options.items() if k in OPTIONS}
    if tool_of(text) is not None:
        return read_quantification(path, sample_options)
    table = table_from_text(text, path.name)
    out = Partial()
    columns = [str(c) for c in table.frame.columns]
    if tool_of(text, columns) is not None:
        return read_quantification(path, sample_options)
    if misplaced := [k for k in OPTIONS if k != "unit" and options.get(k)]:
        raise InputError(
            f"{misplaced[0]}: is for the output of quantification tools; this is a table of genes x samples",
            where=path.name,
            hint="Assign the samples to patients in a table of samples.",
        )
    gene_column = table.need(str(options["gene_column"])) if options.get("gene_column") else columns[0]
    skip = {gene_column}
    for name in _IDENTIFIERS:
        column = table.find(name)
        if column is not None:
            skip.add(column)
    samples = _samples_of(columns, skip, path.name, out.problems)
    if not samples:
        raise InputError(
            "no sample columns", where=path.name, hint="Expected: gene column, then one column per sample."
        )
    ids = table.frame[gene_column]
    second = table.find("Entrez_Gene_Id")
    if second is not None and second != gene_column:
        ids = ids.where(ids.notna(), table.frame[second])
    keep = ids.notna()
    wide = pd.DataFrame(number_block(table.frame, samples, path.name), table.frame.index, samples)
    values = wide.loc[keep].set_axis([str(i).removesuffix(".0") for i in ids[keep]], axis=0)
    bulk = bool(options.get("bulk"))
    return finish_expression(values, options.get("unit"), file=path.name, name="expression", out=out, bulk=bulk)


@reader(
    "h5ad",
    "expression as AnnData (samples x genes; needs the extra 'profile')",
    ("expression", "samples"),
    {"unit": UNIT_HELP, "layer": "layer to read instead of X", "bulk": BULK_HELP},
    extra="profile",
)
def read_h5ad(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read an AnnData file of bulk samples.

    Raises
    ------
    InputError
        For a file that cannot be read, and for single cells, which each would count as a patient.
    """
    data = open_anndata(path)
    out = Partial()
    bulk = bool(options.get("bulk"))
    if not bulk:
        _refuse_observed_cells(data.obs, [str(o) for o in data.obs_names], path.name)
    size = 8.0 * data.n_obs * data.n_vars
    refuse_large(size, "largest_array", path.name, "the table of samples and genes is too large for the memory")
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
    if values.columns.has_duplicates:
        raise InputError("sample names are not unique", where=path.name)
    return finish_expression(values, options.get("unit"), file=path.name, name="h5ad", out=out, bulk=bulk)


_CELL_COLUMNS = frozenset(
    "ngenes ngenesbycounts totalcounts pctcountsmt percentmt percentmito ncountrna nfeaturerna leiden louvain "
    "seuratclusters doubletscore predicteddoublet predicteddoublets barcode barcodes cellid celltype celltypemajor "
    "celltypeminor sscore g2mscore".split()
)
_DONOR_COLUMNS = frozenset(
    "patient patientid donor donorid subject subjectid sample sampleid library origident".split()
)
"""Columns that describe cells, and columns that say whose a cell is, without separators."""


def _refuse_observed_cells(obs: pd.DataFrame, names: list[str], file: str) -> None:
    """Reject observations that are cells, judging by their columns, repeated donors, or their names and number."""
    plain = {str(c): "".join(x for x in str(c).casefold() if x.isalnum()) for c in obs.columns}
    columns = [c for c, p in plain.items() if p in _CELL_COLUMNS]
    donors = [c for c, p in plain.items() if p in _DONOR_COLUMNS]
    repeated = [c for c in donors if len(obs) >= limit("cells_per_donor") * max(obs[c].nunique(), 1)]
    if columns or repeated:
        why = f"columns that describe cells ({', '.join(columns[:4])})" if columns else ""
        more = f"{len(obs):,} observations of {obs[repeated[0]].nunique()} in '{repeated[0]}'" if repeated else ""
        raise InputError(
            f"single cells, not samples: {' and '.join(x for x in (why, more) if x)}; each would count as a patient",
            where=file,
            hint="Read them with format: single_cells (patient, sample and cell type are columns of the cells); or sum "
            "the cells of each sample; or set bulk: true if they are bulk samples.",
        )
    refuse_cells(names, 0.0, 0, file)


@reader(
    "geo_series_matrix",
    "sample annotation of a GEO series matrix",
    ("patients", "samples"),
    {"columns": "study column -> characteristic of the file", "values": "study column -> {term: term}"},
)
def read_geo(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read the ``!Sample_`` lines of a series matrix; characteristics (``key: value``) become columns.

    One sample is one patient, named by its accession. Expression values of a series matrix are not read, as the file
    does not state their unit.
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
        raise InputError("no line '!Sample_geo_accession': this is not a GEO series matrix", where=path.name)
    if len(set(accessions)) < len(accessions):
        raise InputError("a sample accession occurs twice", where=path.name)
    frame = pd.DataFrame({"patient": accessions})
    for key, values in rows.items():
        if len(values) == len(accessions):
            frame[key] = [v or None for v in values]
    out = Partial()
    for column, source in dict(options.get("columns") or {}).items():
        if source not in frame.columns:
            raise unknown_word("characteristic", str(source), [str(c) for c in frame.columns], where=path.name)
        frame[str(column)] = frame[str(source)]
    for column, translations in dict(options.get("values") or {}).items():
        if column not in frame.columns:
            raise unknown_word("column", str(column), [str(c) for c in frame.columns], where=path.name)
        frame[column] = frame[column].map(lambda v, w=dict(translations): w.get(v, v))
    out.tables["patients"] = finish("patients", frame, path.name, out.problems)
    out.tables["samples"] = finish(
        "samples", pd.DataFrame({"sample": accessions, "patient": accessions}), path.name, out.problems
    )
    out.note(path.name, "geo_series_matrix", len(accessions), len(accessions), "expression values, if any")
    return out
