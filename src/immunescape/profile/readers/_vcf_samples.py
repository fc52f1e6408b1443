"""Sample columns of a VCF: tumour and normal, interpretation of genotypes, and reads of one allele."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from immunescape.errors import InputError, unknown_word
from immunescape.profile.file_limits import limit

__all__ = ["SampleNames", "choose_samples", "genotype", "in_tumour", "reads_of"]

_TUMOUR = frozenset("tumor tumour primary metastasis metastatic met cancer".split())
_NORMAL = frozenset("normal germline blood pbmc pbmcs control ctrl reference ref buffy wbc".split())
_GERMLINE_CALLERS = re.compile(
    r"HaplotypeCaller|GenotypeGVCFs|DeepVariant_version|strelka germline|source=DeepVariant\b", re.IGNORECASE
)


@dataclass
class SampleNames:
    """Names of tumours and normals in the header, and the germline caller that it mentions."""

    tumours: list[str] = field(default_factory=list)
    normals: list[str] = field(default_factory=list)
    germline_caller: str = ""

    def line(self, text: str) -> None:
        """Take in one header line: of Mutect2 (tumor_sample), a PEDIGREE, or a caller's name."""
        if match := re.match(r"##(tumou?r|normal)_sample=(.+)", text, re.IGNORECASE):
            names = self.normals if match.group(1).casefold() == "normal" else self.tumours
            names.append(match.group(2).strip())
        elif text.startswith("##PEDIGREE") and (match := re.search(r"Derived=([^,>]+),Original=([^,>]+)", text)):
            self.tumours.append(match.group(1))
            self.normals.append(match.group(2))
        elif match := _GERMLINE_CALLERS.search(text[:400]):
            self.germline_caller = self.germline_caller or match.group(0)


def _role(name: str) -> str:
    tokens = {w for w in re.split(r"[^a-z]+", name.casefold()) if w}
    barcode = re.match(r"TCGA-\w\w-\w{4}-(\d\d)", name)
    if barcode:
        return "tumour" if int(barcode.group(1)) < 10 else "normal" if int(barcode.group(1)) < 20 else ""
    tumour, normal = bool(tokens & _TUMOUR), bool(tokens & _NORMAL)
    return "" if tumour == normal else "tumour" if tumour else "normal"


def choose_samples(
    names: Sequence[str], header: SampleNames, declared: str, file: str, problems: list[str]
) -> tuple[int, int | None]:
    """Return the columns of the tumour and of its normal (None without one).

    The manifest decides, then the header (``##tumor_sample``, ``##normal_sample``, PEDIGREE), then the names.

    Parameters
    ----------
    names
        Sample columns in order.
    header
        What the header says about them.
    declared
        ``tumour_sample`` of the manifest, or ''.
    file, problems
        Name for messages; a choice by name is reported.

    Raises
    ------
    InputError
        For an unknown sample, an ambiguous choice, a normal as the only sample, and germline calls without a normal.
    """
    normals = [i for i, n in enumerate(names) if n in header.normals] or [
        i for i, n in enumerate(names) if _role(n) == "normal" and n not in header.tumours
    ]
    if declared:
        if declared not in names:
            raise unknown_word("sample", declared, names or ["(none)"], where=file)
        tumour = list(names).index(declared)
        if declared in header.normals:
            raise InputError(
                f"tumour_sample is {declared}, which the header names as the normal", where=file, hint=_hint(names)
            )
    else:
        tumour = _tumour(names, header, normals, file, problems)
    others = [i for i in range(len(names)) if i != tumour]
    normal = next((i for i in normals if i != tumour), others[0] if len(others) == 1 else None)
    if header.germline_caller and normal is None:
        raise InputError(
            f"the header mentions a germline caller ({header.germline_caller}), and there is no normal",
            where=file,
            hint="Use the calls of a somatic caller (Mutect2, Strelka, SAGE, …).",
        )
    return tumour, normal


def _hint(names: Sequence[str]) -> str:
    return f"Set tumour_sample: in the manifest to one of {', '.join(names[:6])}."


def _tumour(names: Sequence[str], header: SampleNames, normals: list[int], file: str, problems: list[str]) -> int:
    if not names:
        return 0
    named = [i for i, n in enumerate(names) if n in header.tumours]
    if len(named) == 1:
        return named[0]
    if len(names) == 1:
        if normals:
            raise InputError(
                f"the only sample, {names[0]}, is a normal: its variants are germline",
                where=file,
                hint="Give the tumour's file; or, if this is the tumour, set tumour_sample: " + names[0],
            )
        return 0
    by_name = [i for i, n in enumerate(names) if _role(n) == "tumour" and i not in normals]
    rest = [i for i in range(len(names)) if i not in normals]
    for candidates in ([] if named else by_name, [] if named else rest):
        if len(candidates) == 1:
            problems.append(f"{file}: {names[candidates[0]]} is assumed to be the tumour, by the names of the samples")
            return candidates[0]
    letters = [i for i, n in enumerate(names) if _letter(n) == "t"]
    if not named and len(letters) == 1 and all(_letter(n) in ("t", "n", "r", "b") for n in names):
        problems.append(
            f"{file}: {names[letters[0]]} is assumed to be the tumour, by the last letter of the sample names"
        )
        return letters[0]
    raise InputError(
        f"several samples ({', '.join(names[:6])}): which is the tumour?", where=file, hint="Set tumour_sample."
    )


def _letter(name: str) -> str:
    """Return the letter at the end of a name (``COLO829T``, ``P1-N``, ``P1_T1``) in lower case, '' without one."""
    match = re.search(r"(?:^|[^A-Za-z])([TNRBtnrb])\d?$", name)
    return match.group(1).casefold() if match else ""


def genotype(values: dict[str, str], which: int) -> str:
    """Return the meaning of GT for an alternative allele: ``carries``, ``reference``, ``missing``, or '' without GT."""
    if "GT" not in values:
        return ""
    alleles = re.split(r"[/|]", values["GT"])
    if str(which + 1) in alleles:
        return "carries"
    return "missing" if all(a in (".", "") for a in alleles) else "reference"


def _numbers(text: str | None, where: str, name: str) -> list[float]:
    numbers = []
    for piece in (text or "").split(","):
        try:
            value = math.nan if piece in ("", ".") else float(piece.removesuffix("%"))
        except ValueError:
            raise InputError(f"'{piece[:40]}' in {name} is not a number", where=where) from None
        numbers.append(value if math.isfinite(value) else math.nan)
    return numbers


def reads_of(values: dict[str, str], which: int, ref: str, alt: str, where: str) -> tuple[float, float, float]:
    """Return reads with the allele, depth, and the share of the allele; NaN if the columns do not give them.

    Supports AD (GATK), AD with RD (VarScan), AO with RO (FreeBayes), the base counts AU, CU, GU, TU and TAR, TIR
    (Strelka), and AF with DP.

    Raises
    ------
    InputError
        For a cell that is not a number.
    """
    keys = ("AD", "RD", "AO", "RO", "DP", "AF")
    counts: dict[str, list[float]] = {k: _numbers(values[k], where, k) for k in keys if k in values}
    depth = counts.get("DP", [math.nan])[0]
    ad = counts.get("AD", [])
    if len(ad) > which + 1:
        reads, total = ad[which + 1], math.fsum(v for v in ad if not math.isnan(v))
        if not math.isnan(reads):
            return reads, total, reads / total if total > 0 else math.nan
    pairs = [("RD", ad), ("RO", counts.get("AO", []))]
    for key, alts in pairs:
        base = counts.get(key, [math.nan])[0]
        if len(alts) > which and not math.isnan(alts[which]) and not math.isnan(base):
            total = base + math.fsum(v for v in alts if not math.isnan(v))
            return alts[which], total, alts[which] / total if total > 0 else math.nan
    tiers = ("TAR", "TIR") if len(ref) != len(alt) else (f"{ref.upper()}U", f"{alt.upper()}U")
    if all(t in values for t in tiers):
        base, reads = (_numbers(values[t], where, t)[0] for t in tiers)  # the first tier of quality
        total = base + reads
        if not math.isnan(total):
            return reads, total, reads / total if total > 0 else math.nan
    share = counts.get("AF", [])
    if len(share) > which and not math.isnan(share[which]):
        return share[which] * depth, depth, share[which]
    return math.nan, depth, math.nan


def in_tumour(gt: str, reads: float, depth: float, share: float) -> str:
    """Return whether the tumour has the allele: ``''`` (yes), ``absent``, ``no call``, ``overruled`` (yes despite 0/0).

    Parameters
    ----------
    gt
        As :func:`genotype` returns it.
    reads, depth, share
        As :func:`reads_of` returns them.
    """
    none = share == 0
    if gt == "reference":
        strong = reads >= limit("reference_genotype_reads") and share >= limit("reference_genotype_fraction")
        return "overruled" if strong else "absent"
    if none:
        return "absent"
    return "no call" if gt == "missing" and not share > 0 else ""
