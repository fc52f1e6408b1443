"""PD-L1 by assays that do not score the tumour proportion as 22C3 does, translated into that score.

Cut-offs and what they are translated to: ``knowledge/data/pdl1_assays.csv``. The rule is that of equal prevalence: as
many patients of the covariate population reach the translated score as a trial found to reach the cut-off.
"""

from __future__ import annotations

import math
from functools import cache

from immunescape.errors import InputError
from immunescape.knowledge.tables import read_rows

__all__ = ["TPS_ASSAYS", "tps_range"]

TPS_ASSAYS = ("22C3", "28-8", "SP263")
"""Assays whose tumour proportion scores agree closely enough to share one scale."""


@cache
def _cutoffs(assay: str) -> dict[float, float]:
    rows = read_rows("pdl1_assays")
    return {row.number("score"): row.number("tps") for row in rows if row["assay"] == assay}


def tps_range(assay: str, low: float, high: float) -> tuple[float, float]:
    """Tumour proportion scores (%) that correspond to a range of an assay's score, both ends included.

    The lower end is one of the assay's cut-offs; the upper end is 100 or lies below the next cut-off.

    Raises
    ------
    InputError
        For an end that is not a cut-off, with those that are.
    """
    cutoffs = _cutoffs(assay)
    shown = ", ".join(f"{score:g}" for score in cutoffs)
    if low not in cutoffs:
        raise InputError(
            f"{low:g} is not a cut-off of {assay}",
            hint=f"Cut-offs that can be translated: {shown}. State another range for one of {', '.join(TPS_ASSAYS)}.",
        )
    if high >= 100:
        return cutoffs[low], 100.0
    if high + 1 not in cutoffs or high < low:
        raise InputError(
            f"{high:g} does not end a level of {assay}",
            hint=f"Write 100, or the whole number below a cut-off ({shown}).",
        )
    return cutoffs[low], math.nextafter(cutoffs[high + 1], -math.inf)
