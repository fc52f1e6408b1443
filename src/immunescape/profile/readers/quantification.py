"""Expression of one sample from quantification tools: Salmon, kallisto, RSEM, STAR, GDC, featureCounts and others.

Their columns are quantities of one sample (Length, TPM, NumReads, …), not samples. One quantity is read; the tool is
recognised by its columns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from immunescape.errors import InputError, unknown_word
from immunescape.profile.file_limits import limit
from immunescape.profile.readers._base import Partial, reader
from immunescape.profile.readers._expression import finish_expression
from immunescape.profile.readers._finish import finish
from immunescape.profile.readers._text import TextTable, number_column, read_table, read_text, table_from_text

__all__ = ["OPTIONS", "read_quantification", "tool_of"]

OPTIONS = {
    "unit": "tpm (default, if the tool provides it) or counts",
    "patient": "patient that the sample belongs to",
    "sample": "name of the sample; otherwise it is named after the file or its folder",
    "strand": "counts of STAR and GDC: unstranded (default), forward or reverse",
    "tx2gene": "table of transcripts (first column) and their genes (second), to sum transcripts by gene",
}
_STRANDS = ("unstranded", "forward", "reverse")
_TRANSCRIPT = re.compile(r"(ENST\d|[NX][MR]_\d)")
_ENSEMBL_WITH_NAME = re.compile(r"(ENSG\d{11}(?:\.\d+)?(?:_PAR_Y)?)_")
_ANNOTATION = ("Chr", "Start", "End", "Strand", "Length")
_FOLDER_NAMES = re.compile(
    r"(quant(\.genes)?\.sf|abundance\.(tsv|txt)|ReadsPerGene\.out\.tab|(genes|isoforms)\.results|gene_abund\w*\.\w+|"
    r"(feature)?counts\.\w+)$",
    re.IGNORECASE,
)
"""File names that a tool uses for every sample: the sample is then named after the folder."""
_SUFFIX = re.compile(
    r"[._-]?(quant(\.genes)?\.sf|(genes|isoforms)\.results|ReadsPerGene\.out\.tab|"
    r"rna_seq\.augmented_star_gene_counts(\.\w+)?\.tsv|gene_abund\w*\.(tab|tsv|txt)|isf\.gene_data\.(tsv|csv)|abundance\.tsv|"
    r"(feature)?counts\.(tsv|txt)|tsv|txt|tab|csv|sf)$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Tool:
    """A table of a quantification tool.

    Attributes
    ----------
    name : the tool.
    needs : columns by which it is recognised.
    genes : column of the identifiers that values are summed over.
    tpm, counts : columns of the quantities, '' where it has none; counts by strand where there are three.
    """

    name: str
    needs: frozenset[str]
    genes: str
    tpm: str = ""
    counts: tuple[str, ...] = ()


def _tool(name: str, genes: str, tpm: str, counts: str, more: str) -> Tool:
    columns = frozenset(c for c in (genes, tpm, *counts.split(), *more.split("|")) if c)
    return Tool(name, columns, genes, tpm, tuple(counts.split()))


TOOLS = (
    _tool("GDC", "gene_id", "tpm_unstranded", "unstranded stranded_first stranded_second", ""),
    _tool("Salmon", "Name", "TPM", "NumReads", "EffectiveLength"),
    _tool("kallisto", "target_id", "tpm", "est_counts", "eff_length"),
    _tool("RSEM", "gene_id", "TPM", "expected_count", "effective_length"),
    _tool("StringTie", "Gene ID", "TPM", "", "Coverage|FPKM"),
    _tool("Isofox", "GeneId", "AdjTPM", "SplicedFragments", "RawTPM"),
    _tool("featureCounts", "Geneid", "", "", "|".join(_ANNOTATION)),
)
_HTSEQ = Tool("HTSeq", frozenset(), "gene", "", ("counts",))
_STAR = Tool("STAR", frozenset(), "gene", "", _STRANDS)


def tool_of(text: str, columns: Sequence[str] | None = None) -> Tool | None:
    """Return the quantification tool that writes such a table, or None.

    Parameters
    ----------
    text
        Content of the file; STAR and HTSeq write no header and are recognised by their rows.
    columns
        Its columns; None to look only for tables without a header.
    """
    if re.match(r"\s*N_unmapped(\t\d+){3}\s", text):
        return _STAR
    if re.match(r"[^\t\n]+\t\d+\r?\n", text) and re.search(r"^__no_feature\t\d+", text, re.MULTILINE):
        return _HTSEQ
    names = set(columns or ())
    return next((t for t in TOOLS if t.needs <= names), None)


def _sample_name(path: Path, options: Mapping[str, Any], problems: list[str]) -> str:
    if options.get("sample"):
        return str(options["sample"])
    name = path.name.removesuffix(".gz")
    if _FOLDER_NAMES.match(name):
        sample = path.absolute().parent.name
    else:
        sample = name
        while (shorter := _SUFFIX.sub("", sample)) != sample and shorter:
            sample = shorter
    problems.append(
        f"{path.name}: the sample is named {sample}, after the file; set sample: or patient: in the manifest"
    )
    return sample


def _tx2gene(path: Path) -> dict[str, str]:
    table = read_table(path)
    if table.frame.shape[1] < 2:
        raise InputError("tx2gene needs two columns, transcript and gene", where=path.name)
    first, second = (str(c) for c in table.frame.columns[:2])
    rows = [(first, second), *zip(table.frame[first], table.frame[second], strict=True)]  # with or without a header
    return {t.partition(".")[0]: g for t, g in rows if isinstance(t, str) and isinstance(g, str)}


def _genes(ids: pd.Series, options: Mapping[str, Any], path: Path, problems: list[str]) -> pd.Series:
    """Return the gene of each identifier; transcripts require GENCODE names that contain the gene, or tx2gene."""
    transcripts = ids.str.match(_TRANSCRIPT)
    if not transcripts.mean() > 0.5:
        return ids.map(lambda i: m.group(1) if (m := _ENSEMBL_WITH_NAME.match(i)) else i)
    if bool(ids.str.contains("|", regex=False).all()):  # GENCODE: transcript|gene|…
        problems.append(f"{path.name}: transcripts are summed by the genes given in their names")
        return ids.map(lambda i: i.split("|")[1])
    if not options.get("tx2gene"):
        raise InputError(
            f"values of {int(transcripts.sum())} transcripts (first: {ids.iloc[0]}), not of genes",
            where=path.name,
            hint="Set tx2gene: to a table of transcripts and genes; or give the table of genes (quant.genes.sf, "
            "genes.results).",
        )
    gene_of = _tx2gene(path.parent / str(options["tx2gene"]))
    genes = ids.str.partition(".")[0].map(gene_of)
    mapped = float(genes.notna().mean())
    if mapped < limit("transcripts_mapped"):
        raise InputError(
            f"tx2gene contains only {100 * mapped:.0f} % of the transcripts (first unknown: "
            f"{ids[genes.isna()].iloc[0]})",
            where=path.name,
            hint="Use the table of the annotation from which the index was built.",
        )
    problems.append(
        f"{path.name}: {len(genes)} transcripts are summed to {genes.nunique()} genes; "
        f"{int(genes.isna().sum())} without a gene are left out"
    )
    return genes


def _quantity(tool: Tool, options: Mapping[str, Any], file: str) -> tuple[str, str]:
    """Return unit and column that are read."""
    strand = str(options.get("strand") or "unstranded")
    if strand not in _STRANDS:
        raise unknown_word("strand", strand, _STRANDS, where=file)
    if options.get("strand") and len(tool.counts) != len(_STRANDS):
        raise InputError(f"strand: is for counts of STAR and GDC; this is a table of {tool.name}", where=file)
    given = [u for u, there in (("tpm", tool.tpm), ("counts", tool.counts)) if there]
    unit = str(options.get("unit") or ("counts" if options.get("strand") else given[0]))
    if unit not in given:
        raise InputError(
            f"{tool.name} gives {' and '.join(given)} here, not {unit}", where=file, hint=f"Set unit: {given[0]}."
        )
    if unit == "tpm":
        return unit, tool.tpm
    return unit, tool.counts[_STRANDS.index(strand)] if len(tool.counts) > 1 else tool.counts[0]


@reader(
    "quantification",
    "expression of one sample by Salmon, kallisto, RSEM, STAR, GDC, featureCounts, HTSeq, StringTie or Isofox",
    ("expression", "samples"),
    OPTIONS,
)
def read_quantification(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read the table of a quantification tool: one quantity of one sample (featureCounts: counts of its samples).

    Raises
    ------
    InputError
        For columns of no known tool, transcripts without their genes, and a unit that the tool does not provide.
    """
    text = read_text(path)
    tool, columns = tool_of(text), []
    if tool is not None:
        table = table_from_text(text, path.name, separator="\t", header=[tool.genes, *tool.counts])
    else:
        table = table_from_text(text, path.name)
        columns = [str(c) for c in table.frame.columns]
        tool = tool_of(text, columns)
    if tool is None:
        raise InputError(
            "no table of Salmon, kallisto, RSEM, STAR, GDC, featureCounts, HTSeq, StringTie or Isofox",
            where=path.name,
            hint=f"A table of genes x samples is format: expression. Columns: {', '.join(columns[:12])}",
        )
    if not len(table.frame):
        raise InputError(
            f"the table of {tool.name} has no rows",
            where=path.name,
            hint="Run the tool to completion, or leave the file out.",
        )
    out = Partial()
    if tool.name == "featureCounts":
        return _feature_counts(table, options, path, out)
    frame = table.frame[table.frame[tool.genes].notna()]
    unit, column = _quantity(tool, options, path.name)
    ids = frame[tool.genes].astype(str)
    summary = ids.str.match(r"N_(unmapped|multimapping|noFeature|ambiguous)$|__\w+$")
    frame, ids = frame[~summary], ids[~summary]
    genes = _genes(ids, options, path, out.problems)
    sample = _sample_name(path, options, out.problems)
    numbers = number_column(frame[column], path.name, column)
    kept = genes.notna().to_numpy()
    values = pd.DataFrame({sample: numbers.to_numpy()[kept]}, index=genes[kept].to_numpy())
    _owner(out, sample, options, path.name)
    others = [c for c in columns if c not in (tool.genes, column)] if tool.needs else []
    left = f"{tool.name}: the column {column}" + (f"; not read: {', '.join(others)}" if others else "")
    return finish_expression(values, unit, file=path.name, name="quantification", out=out, left=left)


def _owner(out: Partial, sample: str, options: Mapping[str, Any], file: str) -> None:
    if options.get("patient"):
        rows = pd.DataFrame({"sample": [sample], "patient": [str(options["patient"])]})
        out.tables["samples"] = finish("samples", rows, file, out.problems)


def _feature_counts(table: TextTable, options: Mapping[str, Any], path: Path, out: Partial) -> Partial:
    if str(options.get("unit") or "counts") != "counts":
        raise InputError("featureCounts gives counts", where=path.name, hint="Set unit: counts.")
    skip = {"Geneid", *_ANNOTATION, "gene_name", "gene_biotype", "gene_type"}
    columns = [str(c) for c in table.frame.columns if c not in skip]
    if not columns:
        raise InputError("no column of counts", where=path.name)
    names = [re.sub(r"(\.sorted|\.markdup|_?Aligned.*|\.sortedByCoord.*)?\.[bs]am$", "", Path(c).name) for c in columns]
    if len(columns) == 1 and (options.get("sample") or options.get("patient")):
        names = [str(options.get("sample") or names[0])]
        _owner(out, names[0], options, path.name)
    elif options.get("sample") or options.get("patient"):
        raise InputError(f"{len(columns)} samples: sample: and patient: name one", where=path.name)
    values = np.column_stack([number_column(table.frame[c], path.name, c).to_numpy() for c in columns])
    frame = pd.DataFrame(values, index=table.frame["Geneid"].astype(str), columns=names)
    return finish_expression(frame, "counts", file=path.name, name="quantification", out=out, left="featureCounts")
