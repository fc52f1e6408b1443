"""Cancer cell fraction of a mutation from its reads, purity and copy number, over every possible multiplicity.

With m mutated copies in each mutated cell, the fraction of tumour cells is ``VAF (p T + 2 (1 - p)) / (p m)`` (purity p,
total copy number T). m ranges from 1 to the copy number of the major allele; multiplicities that would imply a fraction
above 1 are excluded. The allele frequency has a 95 % Wilson interval based on its reads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["CLONAL_CCF", "NO_FRACTION", "CellFraction", "cell_fraction"]

CLONAL_CCF = 0.8
"""Cancer cell fraction below which a mutation counts as subclonal (assumed)."""
MOST_CELLS = 0.5
"""Smallest lower bound of the cancer cell fraction of a clonal mutation (assumed)."""
_Z = 1.96


@dataclass(frozen=True)
class CellFraction:
    """Fraction of tumour cells that carry a mutation: bounds, and the resulting clonality.

    Attributes
    ----------
    low, high : 95 % interval over reads and multiplicities (0 to 1); NaN where it cannot be computed.
    verdict : ``clonal``, ``subclonal`` or ``uncertain``; '' where nothing is known.
    """

    low: float = math.nan
    high: float = math.nan
    verdict: str = ""

    @property
    def text(self) -> str:
        """Text for a note: ``clonal (CCF 0.85 to 1)``; '' where nothing is known."""
        return f"{self.verdict} (CCF {self.low:.2g} to {self.high:.2g})" if self.high == self.high else self.verdict


NO_FRACTION = CellFraction()


def _wilson(vaf: float, depth: float) -> tuple[float, float]:
    if not depth > 0:
        return vaf, vaf
    centre = vaf + _Z**2 / (2 * depth)
    spread = _Z * math.sqrt(vaf * (1 - vaf) / depth + _Z**2 / (4 * depth**2))
    return (centre - spread) / (1 + _Z**2 / depth), (centre + spread) / (1 + _Z**2 / depth)


def cell_fraction(
    vaf: float, depth: float, purity: float, total: float, minor: float = math.nan, normal: float = 2.0
) -> CellFraction:
    """Return the cancer cell fraction of a mutation.

    Parameters
    ----------
    vaf, depth
        Variant allele frequency (fraction) and read depth at the site; without a depth the frequency is taken as exact.
    purity, total, minor
        Share of tumour cells; total and minor copy number of the gene in these cells. NaN where not known.
    normal
        Copies of the gene in normal cells (1 on X in a man).

    Notes
    -----
    McGranahan et al. 2015 describe the fraction; where the multiplicities disagree the verdict is ``uncertain``.
    """
    if not (vaf == vaf and purity > 0 and total == total and total > 0):
        return NO_FRACTION
    low, high = _wilson(vaf, depth)
    scale = (purity * total + normal * (1 - purity)) / purity
    major = max(1, round(total - minor)) if minor == minor else max(1, round(total))
    verdicts, bounds = [], []
    for copies in range(1, major + 1):
        first, middle, last = (v * scale / copies for v in (low, vaf, high))
        if first > 1 and copies < major:  # a fraction above 1: the mutation is present on more copies
            continue
        bounds.append((min(first, 1.0), min(last, 1.0)))
        if last < CLONAL_CCF:
            verdicts.append("subclonal")
        elif middle >= CLONAL_CCF and first >= MOST_CELLS:
            verdicts.append("clonal")
        else:
            verdicts.append("uncertain")
        if copies == 1 and last < CLONAL_CCF:  # one copy gives the largest fraction: more copies only lower it
            break
    verdict = verdicts[0] if len(set(verdicts)) == 1 else "uncertain"
    return CellFraction(min(b[0] for b in bounds), max(b[1] for b in bounds), verdict)
