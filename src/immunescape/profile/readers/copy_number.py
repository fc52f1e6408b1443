"""Copy number: cBioPortal's discrete table, SEG, and allele-specific tables (PURPLE, FACETS, ASCAT)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from immunescape.errors import InputError
from immunescape.profile.genes import to_symbols
from immunescape.profile.readers._base import Partial, reader
from immunescape.profile.readers._finish import build_word, finish
from immunescape.profile.readers._text import number_block, read_table
from immunescape.profile.study import COLUMNS

__all__ = ["read_allele_specific", "read_discrete", "read_seg"]


@reader("cna", "discrete copy number, genes x samples (cBioPortal data_cna.txt)", ("copy_number",))
def read_discrete(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read genes x samples with values -2 (deep deletion) to 2 (amplification); empty means not measured.

    Raises
    ------
    InputError
        For a value outside -2..2: that is no discrete table.
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
            hint="A table of log ratios or absolute copies is another format: cna_allele_specific, or seg.",
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
            f"{path.name}: {len(twice)} genes stand in two rows ({', '.join(sorted(twice)[:4])}); "
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


@reader(
    "seg",
    "copy-number segments (SEG: ID, chrom, loc.start, loc.end, num.mark, seg.mean)",
    ("segments",),
    {"genome_build": "GRCh37 or GRCh38"},
)
def read_seg(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read a SEG file; ``seg.mean`` is log2 of the ratio to diploid."""
    table = read_table(path)
    out = Partial()
    build = str(options.get("genome_build") or "")
    out.genome_build = build_word(build, path.name) if build else ""
    frame = pd.DataFrame(
        {
            "patient": None,
            "sample": table.frame[table.need("ID", "sample")],
            "chrom": table.frame[table.need("chrom", "chromosome", "chr")],
            "start": table.frame[table.need("loc.start", "start")],
            "end": table.frame[table.need("loc.end", "end")],
            "num_mark": table.text("num.mark", "num_mark", "nprobes"),
            "seg_mean": table.frame[table.need("seg.mean", "seg_mean", "segmean")],
        },
        index=table.frame.index,
    )
    out.tables["segments"] = finish("segments", frame, path.name, out.problems, build=out.genome_build)
    out.note(path.name, "seg", len(frame), len(frame))
    return out


_NAMES = {
    "sample": ("sample", "sampleId", "ID", "Tumor_Sample_Barcode"),
    "gene": ("gene", "Hugo_Symbol", "symbol", "hgnc_symbol"),
    "chrom": ("chromosome", "chrom", "chr"),
    "start": ("start", "startpos", "loc.start"),
    "end": ("end", "endpos", "loc.end"),
}


@reader(
    "cna_allele_specific",
    "total and minor copy number by gene or segment (PURPLE, FACETS, ASCAT, or columns total_cn, minor_cn)",
    ("copy_number", "segments"),
    {"sample": "sample that the file belongs to, where it has no sample column", "genome_build": "GRCh37 or GRCh38"},
)
def read_allele_specific(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read allele-specific copy number; a table with genes gives ``copy_number``, one without gives ``segments``.

    Understood: ``total_cn``/``minor_cn``; PURPLE ``minCopyNumber``/``minMinorAlleleCopyNumber`` (genes) or
    ``copyNumber``/``minorAlleleCopyNumber`` (segments); FACETS ``tcn.em``/``lcn.em``; ASCAT ``nMajor``/``nMinor``.
    """
    table = read_table(path)
    out = Partial()
    data: dict[str, pd.Series] = {
        k: table.frame[f] for k, names in _NAMES.items() if (f := table.find(*names)) is not None
    }
    if "sample" not in data:
        if not options.get("sample"):
            table.need("sample")
        data["sample"] = pd.Series(
            [str(options.get("sample"))] * len(table.frame), index=table.frame.index, dtype=object
        )
    if table.find("nMajor"):
        data["minor_cn"] = table.number(table.need("nMinor"))
        data["total_cn"] = table.number("nMajor") + data["minor_cn"]
    else:
        data["total_cn"] = table.number(table.need("total_cn", "minCopyNumber", "copyNumber", "tcn.em", "tcn", "total"))
        data["minor_cn"] = table.number(
            "minor_cn", "minMinorAlleleCopyNumber", "minorAlleleCopyNumber", "lcn.em", "lcn", "minor"
        )
    kind = "copy_number" if "gene" in data else "segments"
    if kind == "segments":
        for name in ("chrom", "start", "end"):
            if name not in data:
                table.need(*_NAMES[name])
    build = str(options.get("genome_build") or "")
    out.genome_build = build_word(build, path.name) if build else ""
    frame = pd.DataFrame({**data, "patient": None}, index=table.frame.index)
    if kind == "copy_number":
        frame = frame.drop(columns=[c for c in ("chrom", "start", "end") if c in frame])
    wrong = frame["minor_cn"] > frame["total_cn"] + 0.05
    if wrong.any():
        line = frame.index[wrong][0]
        raise InputError("the minor allele has more copies than the total", where=f"{path.name}, line {line}")
    out.tables[kind] = finish(kind, frame, path.name, out.problems, build=out.genome_build)
    out.assessed["copy_number"] = frozenset(out.tables[kind]["sample"].dropna())
    out.note(path.name, "cna_allele_specific", len(frame), len(frame))
    return out
