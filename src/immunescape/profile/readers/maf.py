"""Mutation Annotation Format: GDC, cBioPortal and vcf2maf."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from immunescape.errors import InputError
from immunescape.profile.readers._base import Partial, reader
from immunescape.profile.readers._finish import CLASSES, canonical_build, finish
from immunescape.profile.readers._somatic import (
    GENERIC_SAMPLES,
    Tally,
    frequency,
    germline_by_normal,
    is_population_column,
    population_verdict,
)
from immunescape.profile.readers._text import TextTable, read_table, rows_of

__all__ = ["CLASSES", "builds_of", "mark_germline", "read_maf", "vaf_of_reads"]

_GERMLINE = ("germline", "loh_germline")
_DROP = ("wildtype", "redacted", "none")
_COMMON_FILTER = re.compile(r"common_variant|common_in_exac|(^|[;,])germline", re.IGNORECASE)
"""FILTER values of vcf2maf, GDC and Mutect2 for germline variants."""


def builds_of(table: TextTable, declared: str) -> str:
    """Return the genome build of a MAF; two builds, or one other than declared, are an error."""
    column = table.find("NCBI_Build")
    builds = [w for w in table.frame[column].dropna().unique()] if column else []
    line_of: dict[str, Any] = {}
    for build_text in builds:
        line = table.frame.index[table.frame[column] == build_text][0]
        line_of.setdefault(canonical_build(str(build_text), f"{table.file}, line {line}"), line)
    if len(line_of) > 1:
        (first_build, first), (second_build, second) = list(line_of.items())[:2]
        raise InputError(
            f"two genome builds in one file: {first_build} (line {first}) and {second_build} (line {second})",
            where=table.file,
            hint="Lift the rows over to one build, or split the file.",
        )
    build = next(iter(line_of), "")
    if build and declared and build != declared:
        raise InputError(
            f"the file says {build}, the manifest {declared}", where=table.file, hint="Correct genome_build."
        )
    return build or declared


def vaf_of_reads(table: TextTable) -> tuple[pd.Series, str | None]:
    """Return the allele frequency of each row, from reads if given, and its unit if known.

    Raises
    ------
    InputError
        For counts that are negative or larger than the depth.
    """
    alt = table.number("t_alt_count")
    ref = table.number("t_ref_count")
    for name, counts in (("t_alt_count", alt), ("t_ref_count", ref)):
        if (counts < 0).any():
            line = counts.index[counts < 0][0]
            raise InputError(
                f"{name} is negative", where=f"{table.file}, line {line}", hint="Counts of reads are >= 0."
            )
    total = alt + ref
    depth = table.number("t_depth")
    total = total.where(total.notna(), depth)
    with np.errstate(all="ignore"):
        vaf = (alt / total).where(total > 0)
    impossible = vaf > 1
    if impossible.any():
        line = impossible.index[impossible][0]
        raise InputError("t_alt_count is larger than the depth", where=f"{table.file}, line {line}")
    if vaf.notna().any():
        return vaf, "fraction"
    given = table.find("t_vaf", "vaf", "tumor_vaf", "i_tumor_f", "tumor_f", "allele_freq", "AF")
    if given is not None and given.casefold() == "af" and table.find("AFR_AF", "EUR_AF", "gnomAD_AF", "gnomADe_AF"):
        given = None  # beside other populations, VEP's AF is the frequency in 1000 Genomes
    if given is None:
        return vaf, "fraction"
    return table.number(given), None


def _filtered(table: TextTable) -> pd.Series:
    """Return the rows marked by FILTER for reasons other than a population frequency."""
    marks = table.text("FILTER").map(lambda f: f.casefold() if isinstance(f, str) else "pass")
    return ~marks.isin(("pass", ".", "common_variant", "common_in_exac"))


def _name_samples(rows: pd.DataFrame, patient: str, file: str, problems: list[str]) -> None:
    """Assign the patient of the manifest to rows, and unique names to generic barcodes.

    Raises
    ------
    InputError
        If neither barcode nor manifest identifies the patient.
    """
    barcode = rows["sample"]
    generic = barcode.isna() | barcode.map(lambda b: isinstance(b, str) and b.casefold() in GENERIC_SAMPLES)
    if patient:
        rows["patient"] = patient
        rows["sample"] = barcode.where(~generic, f"{patient}-" + barcode.fillna("tumour"))
    elif barcode.isna().any():
        raise InputError(
            "Tumor_Sample_Barcode is empty, so the mutation cannot be assigned to a sample",
            where=f"{file}, line {barcode.index[barcode.isna()][0]}",
            hint="Fill it in or, if the whole file is from one patient, set patient: in the manifest.",
        )
    elif (generic & rows["patient"].isna()).any():
        name = barcode[generic & rows["patient"].isna()].iloc[0]
        problems.append(
            f"{file}: the barcode '{name}' is a placeholder of converters, not a name; set patient: in the manifest"
        )


def _require_single_normal(table: TextTable, rows: pd.DataFrame) -> None:
    """Reject a placeholder barcode used for the tumours of several normals, unless the manifest gives the patient.

    Raises
    ------
    InputError
        Naming the normals.
    """
    nameless = rows["patient"].isna() & rows["sample"].map(lambda s: str(s).casefold() in GENERIC_SAMPLES)
    normals = table.text("Matched_Norm_Sample_Barcode")[nameless].dropna().unique()
    others = [n for n in normals if n.casefold() not in GENERIC_SAMPLES]
    if len(others) > 1:
        raise InputError(
            f"one barcode for the tumours of {len(others)} matched normals ({', '.join(others[:3])})",
            where=table.file,
            hint="Name each tumour in Tumor_Sample_Barcode, or provide one file per patient with patient:.",
        )


def _population_frequencies(table: TextTable) -> pd.Series:
    """Return the largest frequency in any population given in the columns of each row, NaN without one."""
    names = [str(c) for c in table.frame.columns if is_population_column(str(c))]
    if (everybody := table.find("AF")) is not None and table.find("AFR_AF", "EUR_AF"):
        names.append(everybody)
    best = pd.Series(np.nan, index=table.frame.index)
    for name in names:
        cells = table.frame[name]
        numbers = pd.to_numeric(cells, errors="coerce").astype(float)
        textual = cells.notna() & numbers.isna()
        numbers[textual] = cells[textual].map(lambda c: frequency([c]))
        best = pd.concat([best, numbers.where(numbers.between(0.0, 1.0))], axis=1).max(axis=1)
    return best


def mark_germline(
    table: TextTable, rows: pd.DataFrame, drop: pd.Series, problems: list[str]
) -> tuple[Tally, pd.Series]:
    """Mark germline variants in `rows`; return what was decided and which rows are left out."""
    alt = table.number("t_alt_count")
    reads = alt + table.number("t_ref_count")
    absent = ((alt == 0) & (reads != 0)) | ((rows["vaf"] == 0) & alt.isna())
    populations = _population_frequencies(table)
    filters = table.text("FILTER").map(lambda f: isinstance(f, str) and bool(_COMMON_FILTER.search(f))).astype(bool)
    normal_barcode = table.find("Matched_Norm_Sample_Barcode")
    if normal_barcode is not None and table.frame[normal_barcode].isna().all() and populations.isna().all():
        problems.append(
            f"{table.file}: neither a matched normal nor population frequencies: germline variants cannot be told "
            "apart from somatic ones and would inflate the mutational burden (annotate with gnomAD, or provide the "
            "normal)"
        )
    clinical = table.text("CLIN_SIG", "CLINVAR", "ClinVar_SIG")
    n_alt, n_depth = table.number("n_alt_count"), table.number("n_depth")
    n_depth = n_depth.where(n_depth.notna(), n_alt + table.number("n_ref_count"))
    suspect = ~drop & (absent | (populations > 0) | filters | (n_alt > 0))
    tally, left = Tally(), pd.Series(False, index=rows.index)
    for line in rows.index[suspect]:
        verdict = "absent" if absent[line] else population_verdict(populations[line], clinical[line])
        if not verdict:
            normal = germline_by_normal(n_alt[line], n_depth[line])
            verdict = "normal" if normal else "rare" if filters[line] else ""
        if not verdict:
            continue
        tally.add(verdict, int(line))
        if verdict in ("absent", "common"):
            left[line] = True
        else:
            rows.loc[line, "germline"] = True
    return tally, left


@reader(
    "maf",
    "mutations in MAF (GDC, cBioPortal, vcf2maf)",
    ("mutations",),
    {
        "patient": "patient to whom the whole file belongs, whatever its barcodes",
        "pass_only": "true: read only rows whose FILTER is PASS, '.' or empty (default false)",
        "genome_build": "GRCh37 or GRCh38, if the file does not state it",
        "units": "vaf: fraction or percent",
    },
)
def read_maf(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read a MAF file; columns may be in any order.

    Raises
    ------
    InputError
        For a missing column, an unknown classification, two genome builds, or impossible counts.
    """
    table = read_table(path)
    out = Partial()
    columns = {name: table.need(name) for name in ("Hugo_Symbol", "Tumor_Sample_Barcode", "Variant_Classification")}
    declared = str(options.get("genome_build") or "")
    out.genome_build = builds_of(table, canonical_build(declared, path.name) if declared else "")
    status = table.text("Mutation_Status").map(lambda s: s.casefold() if isinstance(s, str) else "")
    vaf, unit = vaf_of_reads(table)
    rows = _study_rows(table, columns, vaf, status)
    _name_samples(rows, str(options.get("patient") or ""), path.name, out.problems)
    clonal = rows["clonal"].map(lambda c: c.casefold() if isinstance(c, str) else c)
    rows["clonal"] = clonal.where(~clonal.isin(("indeterminate", "unknown")), None)
    drop = status.isin(_DROP) | rows["gene"].isna()
    _require_single_normal(table, rows)
    drop |= _refused_by_caller(table, rows, drop, pass_only=bool(options.get("pass_only")), problems=out.problems)
    tally, left_out = mark_germline(table, rows, drop, out.problems)
    drop |= left_out
    out.problems.extend(tally.sentences(path.name))
    rows["protein_change"] = rows["protein_change"].map(lambda p: p.removeprefix("p.") if isinstance(p, str) else p)
    twice = rows.duplicated(_SAME_VARIANT) & ~drop
    if twice.any():
        out.problems.append(
            f"{path.name}: {int(twice.sum())} rows are duplicated and count once (lines {rows_of(rows, twice)})"
        )
    unit = str(dict(options.get("units") or {}).get("vaf") or unit or "")
    out.tables["mutations"] = finish(
        "mutations",
        rows.loc[~drop & ~twice],
        path.name,
        out.problems,
        {"vaf": unit} if unit else {},
        out.genome_build,
    )
    owners = rows[["sample", "patient"]].drop_duplicates("sample")
    owners = owners[owners["sample"].notna() & ~owners["sample"].isin(out.tables["mutations"]["sample"])]
    if len(owners):  # sequenced, even if none of its rows is used
        out.tables["samples"] = finish("samples", owners, path.name, out.problems)
    out.sequenced = frozenset(rows["sample"].dropna())
    out.note(path.name, "maf", len(rows), len(out.tables["mutations"]), _left(drop, twice))
    return out


_SAME_VARIANT = ["sample", "gene", "chrom", "start", "ref", "alt", "protein_change"]
"""Columns that identify a variant."""


def _study_rows(table: TextTable, columns: Mapping[str, str], vaf: pd.Series, status: pd.Series) -> pd.DataFrame:
    """Return the rows with the study's columns, and with those of the file that later steps read."""
    frame = table.frame
    ref = table.text("Reference_Allele")
    allele2, allele1 = table.text("Tumor_Seq_Allele2"), table.text("Tumor_Seq_Allele1")
    # Callers write the variant into either allele: it is the one that differs from the reference.
    alt = allele2.where(allele2.notna() & (allele2 != ref), allele1).where(lambda a: a.notna(), allele2)
    rows = pd.DataFrame(
        {
            "patient": table.text("Patient", "case_barcode", "patient_id"),
            "sample": frame[columns["Tumor_Sample_Barcode"]],
            "gene": frame[columns["Hugo_Symbol"]],
            "chrom": table.text("Chromosome"),
            "start": table.text("Start_Position"),
            "ref": ref,
            "alt": alt,
            "classification": frame[columns["Variant_Classification"]],
            "protein_change": table.text("HGVSp_Short", "Protein_Change", "Amino_Acid_Change"),
            "vaf": vaf,
            "ccf": table.text("ccf", "ccf_expected_copies", "cancer_cell_fraction"),
            "clonal": table.text("clonal", "clonality"),
            "germline": status.isin(_GERMLINE),
            "source_row": [float(i) for i in frame.index],
        },
        index=frame.index,
    )
    for name in ("t_depth", "IMPACT", "Hotspot", "HGVSc"):
        if (column := table.find(name)) is not None:
            rows[column] = frame[column]
    if "t_depth" not in rows:
        rows["t_depth"] = table.number("t_alt_count") + table.number("t_ref_count")
    return rows


def _refused_by_caller(
    table: TextTable, rows: pd.DataFrame, drop: pd.Series, *, pass_only: bool, problems: list[str]
) -> pd.Series:
    """Return the rows excluded by FILTER, none unless requested, and report their number."""
    filtered = _filtered(table)
    if (filtered & ~drop).any():
        left_or_kept = "left out" if pass_only else "kept; pass_only: true leaves them out"
        problems.append(
            f"{table.file}: {int((filtered & ~drop).sum())} rows did not pass the caller's FILTER (lines "
            f"{rows_of(rows, filtered & ~drop)}): {left_or_kept}"
        )
    return filtered & pass_only


def _left(drop: pd.Series, twice: pd.Series) -> str:
    """What was left out of a file, for its note."""
    left = []
    if drop.any():
        left.append(
            f"{int(drop.sum())} rows without gene, wild type or redacted by Mutation_Status, left out by FILTER, "
            "polymorphisms, or without reads in the tumour"
        )
    if twice.any():
        left.append(f"{int(twice.sum())} repeated rows")
    return "; ".join(left)
