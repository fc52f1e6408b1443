"""Variant Call Format 4.x with annotation by VEP (INFO/CSQ) or SnpEff (INFO/ANN): plain text, no dependency."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from immunescape.errors import InputError, unknown_word
from immunescape.profile.readers._base import Partial, reader
from immunescape.profile.readers._finish import build_word, finish
from immunescape.profile.readers._text import read_text

__all__ = ["maf_class", "read_vcf"]

_TERMS = (
    ("splice_acceptor_variant", "Splice_Site"),
    ("splice_donor_variant", "Splice_Site"),
    ("stop_gained", "Nonsense_Mutation"),
    ("frameshift_variant", "Frame_Shift"),
    ("stop_lost", "Nonstop_Mutation"),
    ("start_lost", "Translation_Start_Site"),
    ("initiator_codon_variant", "Translation_Start_Site"),
    ("inframe_insertion", "In_Frame_Ins"),
    ("inframe_deletion", "In_Frame_Del"),
    ("disruptive_inframe_insertion", "In_Frame_Ins"),
    ("disruptive_inframe_deletion", "In_Frame_Del"),
    ("conservative_inframe_insertion", "In_Frame_Ins"),
    ("conservative_inframe_deletion", "In_Frame_Del"),
    ("protein_altering_variant", "In_Frame"),
    ("missense_variant", "Missense_Mutation"),
    ("splice_region_variant", "Splice_Region"),
    ("synonymous_variant", "Silent"),
    ("stop_retained_variant", "Silent"),
    ("coding_sequence_variant", "Unknown"),
    ("5_prime_UTR_variant", "5'UTR"),
    ("3_prime_UTR_variant", "3'UTR"),
    ("upstream_gene_variant", "5'Flank"),
    ("downstream_gene_variant", "3'Flank"),
    ("intron_variant", "Intron"),
    ("non_coding_transcript_exon_variant", "RNA"),
    ("intergenic_variant", "IGR"),
)
_RANK = {term: i for i, (term, _) in enumerate(_TERMS)}
_WORD = dict(_TERMS)
_GENERIC = {"tumor", "tumour", "primary", "sample", "tumor_sample"}
_THREE = {
    **dict(Ala="A", Arg="R", Asn="N", Asp="D", Cys="C", Gln="Q", Glu="E", Gly="G", His="H", Ile="I", Leu="L"),
    **dict(Lys="K", Met="M", Phe="F", Pro="P", Ser="S", Thr="T", Trp="W", Tyr="Y", Val="V", Ter="*", Sec="U"),
}


def maf_class(terms: Sequence[str], ref: str, alt: str) -> str:
    """Return the MAF classification of the most severe Sequence Ontology term.

    Parameters
    ----------
    terms
        Sequence Ontology terms, e.g. ``missense_variant``.
    ref, alt
        Alleles: a frame shift that adds bases is an insertion.
    """
    known = [t for t in terms if t in _RANK]
    if not known:
        return "Unknown"
    word = _WORD[min(known, key=_RANK.__getitem__)]
    if word in ("Frame_Shift", "In_Frame"):
        return f"{word}_{'Ins' if len(alt) > len(ref) else 'Del'}"
    return word


def _short(hgvsp: str) -> str | None:
    text = hgvsp.rpartition(":")[2].removeprefix("p.").replace("%3D", "=").strip("()")
    if not text:
        return None
    return re.sub(r"[A-Z][a-z]{2}", lambda m: _THREE.get(m.group(0), m.group(0)), text)


def _info(text: str) -> dict[str, str]:
    return {k: v for k, _, v in (part.partition("=") for part in text.split(";"))}


def _number(text: str | None, where: str, name: str) -> float | None:
    if text is None or text in ("", "."):
        return None
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"'{text[:40]}' in {name} is not a number", where=where) from None
    return value if value == value and abs(value) != float("inf") else None


class _Header:
    def __init__(self) -> None:
        self.fields: list[str] = []
        self.kind = ""
        self.build = ""
        self.columns: list[str] = []

    def line(self, text: str, where: str) -> None:
        if match := re.match(r"##INFO=<ID=(CSQ|ANN),.*Format: ?'?\"?([^\"'>]+)", text):
            self.kind = match.group(1)
            self.fields = [f.strip().casefold() for f in match.group(2).split("|")]
        elif re.match(r"##INFO=<ID=ANN,", text) and not self.fields:
            self.kind = "ANN"
            self.fields = "allele|annotation|impact|symbol|gene|feature_type|feature|biotype|rank|hgvsc|hgvsp".split(
                "|"
            )
        elif text.startswith(("##reference=", "##contig=")) and not self.build:
            low = text.casefold()
            for word in ("grch38", "hg38", "grch37", "hg19", "b37", "hs37d5"):
                if word in low:
                    self.build = build_word(word, where)
        elif text.startswith("#CHROM"):
            self.columns = text.lstrip("#").split("\t")


def _annotation(header: _Header, info: Mapping[str, str], alt: str, alts: Sequence[str]) -> dict[str, str]:
    best: tuple[tuple[int, int, int], dict[str, str]] | None = None
    for entry in info.get(header.kind, "").split(","):
        values = dict(zip(header.fields, entry.split("|"), strict=False))
        allele = values.get("allele", "")
        if len(alts) > 1 and allele not in (alt, alt[1:] or "-", "-"):
            continue
        terms = (values.get("consequence") or values.get("annotation") or "").split("&")
        rank = min((_RANK.get(t, 99) for t in terms), default=99)
        key = (0 if values.get("mane_select") else 1, 0 if values.get("canonical") == "YES" else 1, rank)
        key = key if any(f in header.fields for f in ("canonical", "mane_select")) else (0, 0, rank)
        if best is None or key < best[0]:
            best = (key, values)
    return best[1] if best else {}


def _fraction(keys: Sequence[str], cells: Sequence[str], which: int, where: str) -> tuple[float | None, float | None]:
    """Return VAF and depth of one alternative allele from FORMAT: AD, else AF, else RO/AO."""
    values = dict(zip(keys, cells, strict=False))
    if "AD" in values and "," in values["AD"]:
        parts = [_number(p, where, "AD") for p in values["AD"].split(",")]
        total = sum(p for p in parts if p is not None)
        alt = parts[which + 1] if which + 1 < len(parts) else None
        if alt is not None and total > 0:
            return alt / total, total
    if values.get("AF"):
        shares = values["AF"].split(",")
        if which < len(shares):
            return _number(shares[which], where, "AF"), _number(values.get("DP"), where, "DP")
    return None, _number(values.get("DP"), where, "DP")


@reader(
    "vcf",
    "mutations in VCF 4.x with VEP CSQ or SnpEff ANN",
    ("mutations", "samples"),
    {
        "tumour_sample": "name of the tumour's column",
        "patient": "patient that the file belongs to; else the sample's name",
        "pass_only": "true (default): read only rows whose FILTER is PASS or '.'",
        "genome_build": "GRCh37 or GRCh38, where the header does not say",
    },
)
def read_vcf(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read a VCF (plain or gzip) of one tumour, with or without its normal.

    Raises
    ------
    InputError
        Without header line or annotation, for an unknown sample, or for a row that is no VCF row.
    """
    lines = read_text(path).splitlines()
    header = _Header()
    out = Partial()
    rows: list[dict[str, Any]] = []
    total = filtered = 0
    tumour = -1
    declared = str(options.get("genome_build") or "")
    pass_only = bool(options.get("pass_only", True))
    for number, line in enumerate(lines, 1):
        where = f"{path.name}, line {number}"
        if line.startswith("#"):
            header.line(line, where)
            continue
        if not line.strip():
            continue
        if not header.columns:
            raise InputError("no '#CHROM' header line before the first variant", where=where)
        if tumour < 0:
            tumour = _tumour(header, options, path.name)
        cells = line.split("\t")
        if len(cells) < 8 or len(cells) < len(header.columns):
            raise InputError(f"{len(cells)} cells where the header has {len(header.columns)}", where=where)
        total += 1
        if pass_only and cells[6] not in ("PASS", ".", ""):
            filtered += 1
            continue
        rows.extend(_row(header, cells, tumour, number, where))
    if not header.columns:
        raise InputError("no '#CHROM' header line: this is no VCF", where=path.name)
    if not header.fields:
        raise InputError(
            "no annotation: the header has no INFO field CSQ (VEP) or ANN (SnpEff)",
            where=path.name,
            hint="Annotate it: vep --vcf --symbol --hgvs --canonical.",
        )
    found = build_word(declared, path.name) if declared else ""
    if header.build and found and header.build != found:
        raise InputError(f"the header says {header.build}, the manifest {found}", where=path.name)
    out.genome_build = header.build or found
    names = header.columns[9:]
    sample = names[tumour] if names else str(options.get("patient") or path.name.partition(".")[0])
    frame = pd.DataFrame(rows, index=pd.Index([r["source_row"] for r in rows], dtype=int))
    if not len(frame):
        frame = pd.DataFrame({"gene": pd.Series(dtype=object)})
    patient = str(options["patient"]) if options.get("patient") else None
    if patient and sample.casefold() in _GENERIC:  # callers name every patient's tumour so
        sample = f"{patient}-{sample}"
    frame["sample"], frame["patient"] = sample, patient
    if patient:
        owner = pd.DataFrame({"sample": [sample], "patient": [patient]})
        out.tables["samples"] = finish("samples", owner, path.name, out.problems)
    genes = frame["gene"].notna()
    out.tables["mutations"] = finish(
        "mutations", frame.loc[genes], path.name, out.problems, {"vaf": "fraction"}, out.genome_build
    )
    out.assessed["mutations"] = frozenset({sample})
    left = [f"{filtered} rows that FILTER marks"] if filtered else []
    if (~genes).any():
        left.append(f"{int((~genes).sum())} variants outside genes")
    others = [n for i, n in enumerate(names) if i != tumour]
    if others:
        left.append(f"columns of other samples: {', '.join(others)}")
    out.note(path.name, "vcf", total, int(genes.sum()), "; ".join(left))
    return out


def _tumour(header: _Header, options: Mapping[str, Any], file: str) -> int:
    names = header.columns[9:]
    wanted = options.get("tumour_sample")
    if wanted:
        if wanted not in names:
            raise unknown_word("sample", str(wanted), names or ["(none)"], where=file)
        return names.index(str(wanted))
    if len(names) <= 1:
        return 0
    guess = [i for i, n in enumerate(names) if n.casefold() in ("tumor", "tumour")]
    if len(guess) == 1:
        return guess[0]
    raise InputError(
        f"several samples ({', '.join(names[:6])}): which is the tumour?", where=file, hint="Set tumour_sample."
    )


def _row(header: _Header, cells: list[str], tumour: int, number: int, where: str) -> list[dict[str, Any]]:
    info, alts = _info(cells[7]), cells[4].split(",")
    try:
        position = int(cells[1])
    except ValueError:
        raise InputError(f"POS '{cells[1][:30]}' is not a number", where=where) from None
    found = []
    for which, alt in enumerate(alts):
        if alt in (".", "*", "<*>", "<NON_REF>"):
            continue
        note = _annotation(header, info, alt, alts)
        terms = (note.get("consequence") or note.get("annotation") or "").split("&")
        vaf, depth = None, None
        if len(cells) > 9 + tumour:
            vaf, depth = _fraction(cells[8].split(":"), cells[9 + tumour].split(":"), which, where)
        found.append(
            {
                "gene": note.get("symbol") or note.get("gene_name") or None,
                "chrom": cells[0],
                "start": float(position),
                "ref": cells[3],
                "alt": alt,
                "classification": maf_class(terms, cells[3], alt),
                "protein_change": _short(note.get("hgvsp", "")),
                "vaf": vaf,
                "t_depth": depth,
                "germline": False,
                "source_row": float(number),
            }
        )
    return found
