"""HLA types and loss of heterozygosity: plain tables, LOHHLA, LILAC."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from immunescape.errors import InputError
from immunescape.profile.readers._base import Partial, reader
from immunescape.profile.readers._finish import finish
from immunescape.profile.readers._text import read_table

__all__ = ["allele_name", "read_hla_types", "read_lilac", "read_lohhla"]

_ALLELE = re.compile(
    r"^(?:HLA[-_ ]?)?(A|B|C|E|F|G|DRA|DRB[1345]|DQA1|DQB1|DPA1|DPB1)"
    r"[*_ ]?(\d{2,3})(?:[:_ ]?(\d{2,3}))?(?:[:_]\d{2,3})*([NLSQ]?)$",
    re.IGNORECASE,
)


def allele_name(text: str, where: str) -> str:
    """Return ``HLA-A*02:01`` for any usual spelling (``A*02:01``, ``A0201``, ``hla_a_02_01_01_01``).

    Raises
    ------
    InputError
        For anything that is not an HLA allele.
    """
    match = _ALLELE.match(text.strip())
    if match is None:
        raise InputError(
            f"'{text[:40]}' is not an HLA allele", where=where, hint="Write it as HLA-A*02:01 (locus, group, protein)."
        )
    locus, group, protein, suffix = match.group(1).upper(), match.group(2), match.group(3), match.group(4).upper()
    return f"HLA-{locus}*{group}" + (f":{protein}" if protein else "") + suffix


def _alleles(values: pd.Series, file: str) -> pd.Series:
    cleaned = [allele_name(v, f"{file}, line {i}") if isinstance(v, str) else None for i, v in values.items()]
    return pd.Series(cleaned, index=values.index, dtype=object)


def _owner(table: Any, options: Mapping[str, Any]) -> pd.Series:
    column = table.find("patient", "patient_id", "subject", "sample", "sample_id")
    if column is not None:
        value: pd.Series = table.frame[column]
        return value
    if options.get("patient"):
        return pd.Series([str(options["patient"])] * len(table.frame), index=table.frame.index, dtype=object)
    raise InputError(
        "no column states which patient the rows belong to",
        where=table.file,
        hint="Add one, or set patient: in the manifest.",
    )


@reader(
    "hla_types",
    "HLA types: one allele per row, or one patient per row with columns A1, A2, B1, B2, C1, C2",
    ("hla",),
    {"patient": "patient that the file belongs to"},
)
def read_hla_types(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read HLA types as typed by any tool (OptiType's table is read as it is)."""
    table = read_table(path)
    out = Partial()
    owner = _owner(table, options)
    single = table.find("allele", "hla_allele")
    if single is not None:
        rows = pd.DataFrame({"patient": owner, "allele": _alleles(table.frame[single], path.name)})
    else:
        wide = [c for c in table.frame.columns if re.fullmatch(r"(HLA[-_]?)?[ABC][-_]?[12]", str(c), re.IGNORECASE)]
        if not wide:
            table.need("allele")
        rows = pd.concat(
            [pd.DataFrame({"patient": owner, "allele": _alleles(table.frame[c], path.name)}) for c in wide]
        )
    rows = rows[rows["allele"].notna()]
    out.tables["hla"] = finish("hla", rows, path.name, out.problems)
    out.note(path.name, "hla_types", len(table.frame), len(rows))
    return out


@reader(
    "lohhla",
    "HLA loss of heterozygosity by LOHHLA (…DNA.HLAlossPrediction_CI.xls, a tab-separated table)",
    ("hla_loh",),
    {
        "patient": "patient that the file belongs to",
        "max_copy_number": "an allele with fewer copies is lost (default 0.5)",
        "max_p": "and the allelic imbalance has at most this p (default 0.01)",
    },
)
def read_lohhla(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read LOHHLA's table: for each locus the copy number of both alleles with interval and p of imbalance.

    An allele is called lost below 0.5 copies with p < 0.01 (McGranahan 2017); both cut-offs can be set.
    """
    table = read_table(path, separator="\t")
    out = Partial()
    cut, p_cut = float(options.get("max_copy_number", 0.5)), float(options.get("max_p", 0.01))
    owner = _owner(table, options)
    p = table.number("PVal_unique", "PVal")
    frames = []
    for which in (1, 2):
        stem = f"HLA_type{which}copyNum_withBAFBin"
        cn = table.number(table.need(stem, f"HLA_type{which}copyNum_withBAF", f"HLA_type{which}copyNum_withoutBAFBin"))
        calls = pd.DataFrame(
            {
                "patient": owner,
                "allele": _alleles(table.frame[table.need(f"HLA_A_type{which}", f"HLA_type{which}")], path.name),
                "copy_number": cn,
                "low": table.number(f"{stem}_lower"),
                "high": table.number(f"{stem}_upper"),
                "p": p,
                "caller": "LOHHLA",
            },
            index=table.frame.index,
        )
        calls["lost"] = _lost_by_copies(cn, cut, p < p_cut, p.notna())
        frames.append(calls)
    rows = pd.concat(frames)
    rows = rows[rows["allele"].notna()]
    unknown = int(rows["lost"].isna().sum())
    if unknown:
        out.problems.append(
            f"{path.name}: {unknown} alleles are not assessable: no copy number, no p value, an imbalance that is not "
            f"significant, or {cut:g} to {max(cut, _KEPT):g} copies"
        )
    out.tables["hla_loh"] = finish("hla_loh", rows, path.name, out.problems)
    out.note(path.name, "lohhla", len(table.frame), len(rows))
    return out


_KEPT = 0.7
"""Copies from which an allele is called kept; between the cut-off for loss and this number the call is open."""


def _lost_by_copies(copies: pd.Series, cut: float, significant: Any = True, usable: Any = True) -> pd.Series:
    """Return lost (True), kept (False) or open (None) from the copies of each allele."""
    lost = ((copies < cut) & significant).astype(object)
    sure = ((copies < cut) & significant) | (copies >= max(cut, _KEPT))
    value: pd.Series = lost.where(copies.notna() & usable & sure, None)
    return value


def _lilac_qc(path: Path, out: Partial) -> str:
    """Return the status of LILAC's QC file beside the table ('' where there is none)."""
    beside = path.with_name(path.name.replace(".lilac.tsv", ".lilac.qc.tsv"))
    if beside == path or not beside.is_file():
        out.problems.append(
            f"{path.name}: there is no LILAC QC file in the same folder, so the quality of the typing is not known"
        )
        return ""
    statuses = read_table(beside, separator="\t").text("Status").dropna()
    status = " ".join(str(w) for w in statuses)
    out.note(beside.name, "lilac qc", len(statuses), len(statuses))
    if status and status.upper() != "PASS":
        out.problems.append(f"{beside.name}: LILAC's quality status is {status}")
    return status


@reader(
    "lilac",
    "HLA types and tumour copy number by LILAC (….lilac.tsv)",
    ("hla", "hla_loh"),
    {"patient": "patient that the file belongs to", "max_copy_number": "an allele below is lost (default 0.5)"},
)
def read_lilac(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read LILAC's table of alleles with ``TumorCopyNumber``; homozygous loci have no allele to lose."""
    table = read_table(path, separator="\t")
    out = Partial()
    cut = float(options.get("max_copy_number", 0.5))
    alleles = _alleles(table.frame[table.need("Allele")], path.name)
    owner = _owner(table, options)
    copies = table.number("TumorCopyNumber")
    without_tumour = bool((copies.fillna(0) == 0).all())
    if without_tumour:
        out.problems.append(
            f"{path.name}: no tumour copy number (every allele at 0, as written by LILAC without tumour files): loss "
            "of HLA alleles is not assessable"
        )
        copies = copies.where(copies.isna(), float("nan"))
    failed = "FAIL" in _lilac_qc(path, out).upper()
    lost = _lost_by_copies(copies, cut)
    hits = table.number("SomaticNonsenseOrFrameshift").fillna(0.0) + table.number("SomaticSplice").fillna(0.0)
    truncating = hits >= 1
    between = (hits > 0) & ~truncating  # a variant compatible with two alleles counts partly for each
    lost = lost.where(~truncating, True).where(~between | (lost == True), None)  # noqa: E712
    if failed:
        lost = pd.Series([None] * len(lost), index=lost.index, dtype=object)
    if between.any():
        out.problems.append(
            f"{path.name}: a truncating variant fits several alleles ({', '.join(alleles[between])}): each is left open"
        )
    out.tables["hla"] = finish("hla", pd.DataFrame({"patient": owner, "allele": alleles}), path.name, out.problems)
    frame = pd.DataFrame(
        {
            "patient": owner,
            "allele": alleles,
            "copy_number": copies,
            "lost": lost,
            "caller": "LILAC",
            "truncating": truncating,
        }
    )
    if copies.notna().any() or without_tumour or truncating.any():
        out.tables["hla_loh"] = finish("hla_loh", frame, path.name, out.problems)
    out.note(path.name, "lilac", len(frame), len(frame))
    return out
