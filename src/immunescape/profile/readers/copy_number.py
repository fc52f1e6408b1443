"""Copy number: cBioPortal's discrete table, segments with log2 ratios, allele-specific tables, purity and ploidy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from immunescape.errors import InputError, unknown_word
from immunescape.profile.genes import to_symbols
from immunescape.profile.readers._base import Partial, reader
from immunescape.profile.readers._finish import LENGTHS, canonical_build, finish
from immunescape.profile.readers._text import TextTable, number_block, number_column, read_table
from immunescape.profile.study import COLUMNS

__all__ = ["read_allele_specific", "read_discrete", "read_purity", "read_seg"]


@reader("cna", "discrete copy number, genes x samples (cBioPortal data_cna.txt)", ("copy_number",))
def read_discrete(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read genes x samples with values -2 (deep deletion) to 2 (amplification); empty means not measured.

    Raises
    ------
    InputError
        For a value outside -2..2: that is not a discrete table.
    """
    table = read_table(path)
    symbol = table.find("Hugo_Symbol") or table.need("Entrez_Gene_Id", "gene")
    skip = {symbol, table.find("Entrez_Gene_Id"), table.find("Cytoband"), table.find("Locus ID")}
    samples = [c for c in table.frame.columns if c not in skip]
    wide = table.frame
    values = number_block(wide, samples, path.name)
    bad = np.argwhere(np.abs(values) > 2)
    if len(bad):
        row, column = bad[0]
        raise InputError(
            f"{values[row, column]:g} for {samples[column]}: discrete copy number is -2 to 2",
            where=f"{path.name}, line {wide.index[row]}",
            hint="Tables of log ratios or absolute copies have other formats: cna_allele_specific, or seg.",
        )
    genes = to_symbols(table.frame[symbol])
    out = Partial()
    line_of: dict[str, int] = {}
    twice = set()
    for row, gene in enumerate(genes):
        if gene is None:
            continue
        first = line_of.setdefault(gene, row)
        if first != row:  # an old and a new symbol of one gene: the strongest value is kept
            twice.add(gene)
            both = np.stack([np.nan_to_num(np.abs(values[first]), nan=-1), np.nan_to_num(np.abs(values[row]), nan=-1)])
            values[first] = np.where(both[1] > both[0], values[row], values[first])
            values[row] = np.nan
    values[[i for i, g in enumerate(genes) if g is None]] = np.nan
    if twice:
        out.problems.append(
            f"{path.name}: {len(twice)} genes occur in two rows ({', '.join(sorted(twice)[:4])}); "
            "the stronger value counts"
        )
    rows, cols = np.nonzero(np.isfinite(values))
    names = np.array(genes, dtype=object)
    unknown = np.full(len(rows), np.nan)
    out.tables["copy_number"] = pd.DataFrame(  # symbols and numbers are clean already
        {
            "patient": np.full(len(rows), None, dtype=object),
            "sample": np.array(samples, dtype=object)[cols] if len(samples) else np.array([], dtype=object),
            "gene": names[rows],
            "discrete": values[rows, cols],
            "total_cn": unknown,
            "minor_cn": unknown,
        }
    )[list(COLUMNS["copy_number"])]
    out.assessed["copy_number"] = frozenset(samples)
    empty = int((~np.isfinite(values).any(axis=1)).sum())
    left = f"{empty} genes without any value" if empty else ""
    out.note(path.name, "cna", len(wide), len(wide) - empty, left)
    return out


_OPTIONS = {
    "sample": "sample that the file belongs to, if no column gives it",
    "genome_build": "GRCh37 or GRCh38",
    "columns": "column of the study (chrom, start, end, total_cn, minor_cn, seg_mean …) -> column of the file",
}
_NAMES = {
    "sample": ("sample", "sampleId", "ID", "Tumor_Sample_Barcode", "GDC_Aliquot", "Sample_ID"),
    "gene": ("gene", "Hugo_Symbol", "symbol", "hgnc_symbol", "gene_name"),
    "chrom": ("chromosome", "chrom", "chr"),
    "start": ("start", "startpos", "loc.start", "start.pos", "start_position"),
    "end": ("end", "endpos", "loc.end", "end.pos", "stop", "end_position"),
    "num_mark": ("num.mark", "num_mark", "nprobes", "Num_Probes", "probes", "bafCount", "n_probes"),
    "seg_mean": ("seg.mean", "seg_mean", "segmean", "Segment_Mean", "log2", "cnlr.median", "logR", "log2_ratio"),
    "total_cn": ("total_cn", "minCopyNumber", "copyNumber", "tcn.em", "tcn", "Copy_Number", "CNt", "total"),
    "minor_cn": (
        "minor_cn",
        "minMinorAlleleCopyNumber",
        "minorAlleleCopyNumber",
        "lcn.em",
        "lcn",
        "Minor_Copy_Number",
        "minor",
    ),
    "cellular_fraction": ("cf.em", "cf"),
    "observed_baf": ("observedBAF",),
}


class _Columns:
    """The columns of a copy-number file under the names of the study: as in the manifest, else as written by a tool."""

    def __init__(self, table: TextTable, options: Mapping[str, Any]) -> None:
        self.table, self.options = table, options
        self.named = {str(k): str(v) for k, v in dict(options.get("columns") or {}).items()}
        for name in self.named:
            if name not in _NAMES:
                raise unknown_word("column of copy number", name, _NAMES, where=table.file)

    def find(self, name: str) -> str | None:
        """Return the column of the file, or None."""
        if name in self.named:
            return self.table.need(self.named[name])
        return self.table.find(*_NAMES[name])

    def need(self, name: str) -> pd.Series:
        """Return a column; the error states the option that maps it."""
        column = self.find(name)
        if column is None:
            other = {"total_cn": ("seg_mean", "seg"), "seg_mean": ("total_cn", "cna_allele_specific")}.get(name)
            swap = f"It has {other[0]}: is it format: {other[1]}? " if other and self.find(other[0]) else ""
            raise InputError(
                f"no column for {name}",
                where=self.table.file,
                hint=f"{swap}Name it in the manifest, columns: {{{name}: COLUMN}}. Columns: "
                f"{', '.join(map(str, self.table.frame.columns[:30]))}",
            )
        return self.table.frame[column]

    def number(self, name: str) -> pd.Series:
        """Return a column as numbers, NaN where there is none."""
        column = self.find(name)
        return self.table.number(column) if column else pd.Series(np.nan, index=self.table.frame.index, dtype=float)

    def sample(self) -> pd.Series:
        """Return the sample of each row, from its column or from the option."""
        column = self.find("sample")
        if column is not None:
            return self.table.frame[column]
        if not self.options.get("sample"):
            raise InputError(
                "no column gives the sample",
                where=self.table.file,
                hint="State in the manifest to which sample the file belongs: sample: NAME.",
            )
        index = self.table.frame.index
        return pd.Series([str(self.options["sample"])] * len(index), index=index, dtype=object)


def _build_of(frame: pd.DataFrame, options: Mapping[str, Any], file: str) -> str:
    """Return the genome build: as given, else the only one whose chromosomes are long enough for the segments."""
    given = str(options.get("genome_build") or "")
    if given:
        return canonical_build(given, file)
    ends = pd.to_numeric(frame["end"], errors="coerce")
    chroms = frame["chrom"].map(lambda c: str(c).removeprefix("chr"))
    fits = [b for b, limits in LENGTHS.items() if not (ends > chroms.map(limits)).any()]
    return fits[0] if len(fits) == 1 else ""


def _segments(columns: _Columns, data: Mapping[str, pd.Series], out: Partial, name: str) -> Partial:
    table, options = columns.table, columns.options
    frame = pd.DataFrame(
        {
            "patient": None,
            "sample": columns.sample(),
            "chrom": columns.need("chrom"),
            "start": columns.need("start"),
            "end": columns.need("end"),
            "num_mark": columns.number("num_mark"),
            **data,
        },
        index=table.frame.index,
    )
    out.genome_build = _build_of(frame, options, table.file)
    backwards = pd.to_numeric(frame["end"], errors="coerce") < pd.to_numeric(frame["start"], errors="coerce")
    if backwards.any():
        raise InputError("the segment ends before it starts", where=f"{table.file}, line {frame.index[backwards][0]}")
    zero = pd.to_numeric(frame["start"], errors="coerce") == 0  # BED-like positions count from 0
    if zero.any():
        frame["start"] = pd.to_numeric(frame["start"]) + 1
    out.tables["segments"] = finish("segments", frame, table.file, out.problems, build=out.genome_build)
    empty = out.tables["segments"][["total_cn", "seg_mean"]].isna().all(axis=1)
    out.tables["segments"] = out.tables["segments"][~empty]
    left = f"{int(empty.sum())} segments without copy number" if empty.any() else ""
    if not out.genome_build:
        out.problems.append(
            f"{table.file}: the genome build cannot be inferred from the positions. Set genome_build: GRCh37 or "
            "GRCh38, or no gene is assigned a copy number from the segments, unless another file of the "
            "study names the build."
        )
    out.note(table.file, name, len(frame), int((~empty).sum()), left)
    return out


@reader(
    "seg",
    "copy-number segments with log2 ratios (SEG, GDC Segment_Mean, CNVkit .cns and .call.cns)",
    ("segments",),
    _OPTIONS,
)
def read_seg(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read segments; the value is log2 of the ratio to the sample's mean copy number.

    CNVkit's ``cn1`` and ``cn2`` give total and minor copy number. A ``cn`` without them is based on thresholds unless
    the caller corrected for purity, which the file does not state, so that only homozygous deletions (0) are used.
    """
    table = read_table(path)
    columns = _Columns(table, options)
    data = {"seg_mean": number_column(columns.need("seg_mean"), path.name, "seg_mean")}
    if table.find("cn1") and table.find("cn2"):
        first, second = table.number("cn1"), table.number("cn2")
        data["total_cn"] = first + second
        data["minor_cn"] = pd.concat([first, second], axis=1).min(axis=1, skipna=False)
    elif table.find("cn"):
        whole = table.number("cn")
        data["total_cn"] = whole.where(whole == 0)
    return _segments(columns, data, Partial(), "seg")


def _lists_genes(cells: pd.Series, columns: _Columns) -> bool:
    """Return whether rows are segments that name all their genes (CNVkit), not genes."""
    placed = all(columns.find(name) is not None for name in ("chrom", "start", "end"))
    return placed and bool(cells.map(lambda c: isinstance(c, str) and ("," in c or ";" in c)).any())


@reader(
    "cna_allele_specific",
    "total and minor copy number by gene or segment (PURPLE, FACETS, ASCAT, GDC, Sequenza; total_cn, minor_cn)",
    ("copy_number", "segments"),
    _OPTIONS,
)
def read_allele_specific(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read allele-specific copy number; a table with genes gives ``copy_number``, one without gives ``segments``.

    Supported: ``total_cn``/``minor_cn``; PURPLE ``minCopyNumber``/``minMinorAlleleCopyNumber`` (genes) or
    ``copyNumber``/``minorAlleleCopyNumber`` (segments); FACETS ``tcn.em``/``lcn.em``; ASCAT ``nMajor``/``nMinor``; GDC
    ``Copy_Number``/``Minor_Copy_Number``; Sequenza ``CNt``/``B``.
    """
    table = read_table(path)
    out = Partial()
    columns = _Columns(table, options)
    if table.find("nMajor"):
        minor = table.number(table.need("nMinor"))
        total = table.number("nMajor") + minor
    else:
        total = number_column(columns.need("total_cn"), path.name, "total_cn")
        minor = table.number("B") if table.find("CNt") else columns.number("minor_cn")
    wrong = minor > total + 0.05
    if wrong.any():
        line = table.frame.index[wrong][0]
        raise InputError("the minor allele has more copies than the total", where=f"{path.name}, line {line}")
    gene = columns.find("gene")
    if gene is not None and _lists_genes(table.frame[gene], columns):
        out.problems.append(
            f"{path.name}: {gene} lists the genes of each segment: genes are located by their positions"
        )
        gene = None
    if gene is None:
        extra = {n: columns.number(n) for n in ("cellular_fraction", "observed_baf") if columns.find(n)}
        return _segments(columns, {"total_cn": total, "minor_cn": minor, **extra}, out, "cna_allele_specific")
    build = str(options.get("genome_build") or "")
    out.genome_build = canonical_build(build, path.name) if build else ""
    frame = pd.DataFrame(
        {
            "patient": None,
            "sample": columns.sample(),
            "gene": table.frame[gene],
            "total_cn": total,
            "minor_cn": minor,
        },
        index=table.frame.index,
    )
    out.tables["copy_number"] = finish("copy_number", frame, path.name, out.problems, build=out.genome_build)
    out.assessed["copy_number"] = frozenset(out.tables["copy_number"]["sample"].dropna())
    out.note(path.name, "cna_allele_specific", len(frame), len(frame))
    return out


@reader(
    "purity",
    "purity and ploidy of tumour samples (PURPLE purity.tsv, or columns sample, purity, ploidy)",
    ("samples",),
    {"sample": _OPTIONS["sample"], "patient": "patient that the sample belongs to"},
)
def read_purity(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read purity and ploidy; a run marked ``NO_TUMOR`` by PURPLE gives neither, which is reported."""
    table = read_table(path)
    out = Partial()
    columns = _Columns(table, options)
    purity = table.number(table.need("purity", "tumour_purity", "tumor_purity", "cellularity"))
    ploidy = table.number("ploidy")
    untold = table.text("status", "fitMethod", "qcStatus").map(lambda s: isinstance(s, str) and "NO_TUMOR" in s)
    if untold.any():
        out.problems.append(
            f"{path.name}: {int(untold.sum())} samples are marked NO_TUMOR, so their purity and ploidy are not used"
        )
    frame = pd.DataFrame(
        {
            "sample": columns.sample(),
            "patient": str(options["patient"]) if options.get("patient") else table.text("patient"),
            "tumour_purity": purity.where(~untold),
            "ploidy": ploidy.where(~untold),
        },
        index=table.frame.index,
    )
    out.tables["samples"] = finish("samples", frame, path.name, out.problems)
    out.note(path.name, "purity", len(frame), len(frame))
    return out
