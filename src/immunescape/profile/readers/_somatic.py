"""Whether a variant in a tumour file is somatic, and present in the tumour; shared by the readers of MAF and VCF.

Germline variants occur in files of tumours without a matched normal, and in others if filters were disabled. They are
identified by a population frequency in the file, by reads of the normal, or by the call itself.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from immunescape.profile.file_limits import limit

__all__ = ["GENERIC_SAMPLES", "Tally", "frequency", "germline_by_normal", "is_population_column", "population_verdict"]

GENERIC_SAMPLES = frozenset(
    "tumor tumour primary sample tumor_sample tumour_sample normal unknown __unknown__ none t sample1 na".split()
)
"""Generic names given to tumour samples by callers and converters (in lower case)."""

_SOURCES = re.compile(r"gnomad|exac|1000g|1kg|^kg|esp6500|topmed|tgp|kaviar|gmaf")
_KIND = re.compile(r"(af|freq|frequency|all|maf)(raw|adj|popmax|\w{2,4})?$")
_NOT_A_SHARE = re.compile(r"(ac|an|hom|hemi|nhomalt|count|filter|cov|coverage|dp|pp)$")
_VEP = frozenset("afraf amraf asnaf easaf euraf sasaf aaaf eaaf maxaf gndfreq popmaxaf".split())
"""Population columns of VEP, and PAVE's frequency in gnomAD, written without separators."""
_CLINICAL = re.compile(r"pathogenic|risk_factor|protective", re.IGNORECASE)
_HARMLESS = re.compile(r"conflicting|non[-_ ]?pathogenic", re.IGNORECASE)


@lru_cache(maxsize=10_000)
def is_population_column(name: str) -> bool:
    """Return whether a column or INFO key holds the frequency of an allele in a population (gnomAD, ExAC, 1000G, …)."""
    plain = re.sub(r"[^a-z0-9]", "", name.casefold())
    if plain in _VEP:
        return True
    return bool(_SOURCES.search(plain) and _KIND.search(plain) and not _NOT_A_SHARE.search(plain))


def frequency(texts: Iterable[object]) -> float:
    """Return the largest population frequency in some cells (``0.31``, ``T:0.31``, ``0.1&0.2``), NaN without one."""
    best = math.nan
    for text in texts:
        if not isinstance(text, str):
            continue
        for piece in re.split(r"[&,|;]", text):
            try:
                value = float(piece.rpartition(":")[2])
            except ValueError:
                continue
            if 0.0 <= value <= 1.0 and not value <= best:
                best = value
    return best


def population_verdict(value: float, clinical: object = None) -> str:
    """Return ``common``, ``rare`` (seen in a population, so taken for germline) or ``''``.

    Parameters
    ----------
    value
        Largest frequency in any population, a fraction.
    clinical
        ClinVar classification: a pathogenic variant is not taken for a harmless rare one.
    """
    if value >= limit("population_frequency_common"):
        return "common"
    if not value > limit("population_frequency_rare"):
        return ""
    pathogenic = isinstance(clinical, str) and _CLINICAL.search(clinical) and not _HARMLESS.search(clinical)
    return "" if pathogenic else "rare"


def germline_by_normal(alt: float, depth: float) -> bool:
    """Return whether the reads of the normal show the variant as germline."""
    if not depth >= limit("normal_depth"):
        return False
    return bool(alt / depth >= limit("normal_fraction"))


_SENTENCES = {
    "common": "variants are common in a population (frequency of at least {common:g} in the file): germline, left out",
    "rare": "variants occur in a population (frequency above {rare:g} in the file): assumed to be germline, not "
    "counted as somatic",
    "normal": "variants are also present in the matched normal: germline, not counted as somatic",
    "caller": "variants are germline according to the caller: not counted as somatic",
    "absent": "variants are absent from the tumour (genotype 0/0, or no read with the variant): left out",
    "no call": "variants have no genotype and no reads in the tumour: left out, and their genes are not assessable",
    "overruled": "variants have genotype 0/0, but their reads show them in the tumour: kept",
}


@dataclass
class Tally:
    """Lines of a file by the decision made about them."""

    lines: dict[str, list[int]] = field(default_factory=dict)

    def add(self, verdict: str, line: int) -> None:
        """Note a line."""
        self.lines.setdefault(verdict, []).append(line)

    def sentences(self, file: str) -> list[str]:
        """Return one sentence for each decision, with the number of variants and the first lines."""
        numbers = {"common": limit("population_frequency_common"), "rare": limit("population_frequency_rare")}
        notes = []
        for verdict, sentence in _SENTENCES.items():
            if lines := self.lines.get(verdict):
                first = ", ".join(str(i) for i in lines[:5]) + (", …" if len(lines) > 5 else "")
                notes.append(f"{file}: {len(lines)} {sentence.format(**numbers)} (lines {first})")
        return notes
