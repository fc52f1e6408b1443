"""Words of receptors and of HLA alleles that several readers and biomarkers share: loci, and the class of an allele."""

from __future__ import annotations

import re

__all__ = ["B_CELL_LOCI", "T_CELL_LOCI", "is_class_two", "receptor_locus"]

T_CELL_LOCI = ("TRA", "TRB", "TRG", "TRD")
B_CELL_LOCI = ("IGH", "IGK", "IGL")
_LOCUS = re.compile(r"(TR[ABGD]|IG[HKL])")
_OTHER = re.compile(r"(?:TCR[ -_]?)?(A|B|G|D|ALPHA|BETA|GAMMA|DELTA)(?![A-Z])|TCR([ABGD])V")
_CLASS_TWO = re.compile(r"(HLA-?)?D[PQRMO][AB]?\d?|H-?2-?I[AE]", re.IGNORECASE)


def receptor_locus(text: object) -> str | None:
    """Return the locus that a word or V gene names (``TRBV7-9*01``, ``TCRBV07-09``, ``beta``), else None."""
    if not isinstance(text, str):
        return None
    locus = text.strip().upper()
    if match := _LOCUS.match(locus):
        return match.group(1)
    if match := _OTHER.match(locus):
        return f"TR{(match.group(1) or match.group(2))[0]}"
    return None


def is_class_two(allele: object) -> bool:
    """Return whether an allele is of class II (``DRB1*04:05``, ``HLA-DPA1*01:03-DPB1*02:01``)."""
    return isinstance(allele, str) and _CLASS_TWO.match(allele.strip()) is not None
