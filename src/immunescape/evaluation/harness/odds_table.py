"""Fifteen odds ratios of response: virtual patients without selection beside real patients, and odds ratio 1.

Real patients are pooled over the cohorts that measured the same thing (Mantel-Haenszel). The virtual ones are those of
the harness's own protocol: pembrolizumab alone as first treatment, whatever the PD-L1; several seeds are strata.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from immunescape.evaluation.aims import Aim
from immunescape.evaluation.harness.real import odds_ratio, patient_odds
from immunescape.stats.estimate import NORMAL_975

__all__ = ["FIFTEEN", "OddsRow", "odds_aims", "odds_table"]

FIFTEEN: Mapping[str, tuple[str, ...]] = {
    "PD-L1 >= 50 v < 1 %": ("LORIS",),
    "TMB >= 10/Mb": ("LORIS",),
    "HLA LOH": ("LORIS",),
    "KRAS": ("OAK",),
    "EGFR": ("OAK",),
    "STK11": ("OAK",),
    "KEAP1": ("OAK",),
    "liver metastases": ("TOPOSCORE",),
    "ECOG >= 1": ("OAK", "TOPOSCORE"),
    "antibiotics": ("TOPOSCORE",),
    "never smoker": ("OAK",),
    "Akkermansia": ("TOPOSCORE",),
    "NLR >= 5": ("LORIS",),
    "albumin < 35 g/L": ("LORIS",),
    "sum of diameters >= 65 mm": ("OAK",),
}
"""Factor -> studies that measured it as the model has it; OAK's PD-L1 (SP142) and TMB (blood) are others."""
ASKED = ("PD-L1 >= 50 v < 1 %", "TMB >= 10/Mb", "HLA LOH", "ECOG >= 1", "never smoker")
"""Odds ratios each of which has to lie in its published interval."""
LEAST_PATIENTS = 2000
"""Virtual patients below which the table says that it is provisional."""


@dataclass(frozen=True, kw_only=True)
class OddsRow:
    """One factor.

    Attributes
    ----------
    factor, studies : what, and where it was measured. n, carriers : real patients in whom it is known, and with it.
    published, low, high : odds ratio of all real patients with its 95 % interval; held_out : of the held-out 30 %.
    virtual, virtual_low, virtual_high : the same of virtual patients; n_virtual of them, n_carriers with the factor.
    inside : whether the virtual ratio lies in the published interval.
    model, no_association : log-likelihood of the published ratio at the virtual one (with its Monte Carlo error), and
        at odds ratio 1; None where either ratio cannot be had.
    """

    factor: str
    studies: str
    n: int
    carriers: int
    published: float | None
    low: float | None
    high: float | None
    held_out: float | None
    virtual: float | None
    virtual_low: float | None
    virtual_high: float | None
    n_virtual: int
    n_carriers: int
    inside: bool | None
    model: float | None
    no_association: float | None

    def row(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)


def odds_table(virtual: Mapping[str, Sequence[list[int]]], data: Path) -> list[OddsRow]:
    """The fifteen factors in the order of `FIFTEEN`.

    Parameters
    ----------
    virtual : factor -> counts of each stratum of virtual patients: responders with the factor, patients with it,
        responders without it, patients without it.
    data : folder with ``loris/``, ``oak/`` and ``toposcore/``; a study that is not there leaves its factors empty.
    """
    real = patient_odds(data)
    return [_row(factor, studies, virtual.get(factor, ()), real) for factor, studies in FIFTEEN.items()]


def _row(factor: str, studies: Sequence[str], virtual: Sequence[list[int]], real: Any) -> OddsRow:
    here = [s for s in studies if s in real.get(factor, {})]
    strata = {g: [c for s in here for c in real[factor][s][g]] for g in ("all", "held out")}
    published, held = odds_ratio(strata["all"]), odds_ratio(strata["held out"])
    simulated = odds_ratio(virtual)
    model = no_association = None
    if published and simulated:
        error, chance = _se(published), _se(simulated)
        truth = math.log(published[0])
        model = _normal(truth, math.log(simulated[0]), math.hypot(error, chance))
        no_association = _normal(truth, 0.0, error)
    used = [c for c in strata["all"] if c[1] and c[3]]
    value, low, high = published or (None, None, None)
    mine, mine_low, mine_high = simulated or (None, None, None)
    inside = None if mine is None or low is None or high is None else low <= mine <= high
    return OddsRow(
        factor=factor,
        studies=" and ".join(here),
        n=sum(c[1] + c[3] for c in used),
        carriers=sum(c[1] for c in used),
        published=value,
        low=low,
        high=high,
        held_out=held[0] if held else None,
        virtual=mine,
        virtual_low=mine_low,
        virtual_high=mine_high,
        n_virtual=sum(c[1] + c[3] for c in virtual),
        n_carriers=sum(c[1] for c in virtual),
        inside=inside,
        model=model,
        no_association=no_association,
    )


def _se(ratio: tuple[float, float, float]) -> float:
    return math.log(ratio[2] / ratio[1]) / (2 * NORMAL_975)


def _normal(x: float, mean: float, sd: float) -> float:
    """Log density."""
    return -0.5 * ((x - mean) / sd) ** 2 - math.log(sd * math.sqrt(2 * math.pi))


def odds_aims(rows: Sequence[OddsRow]) -> list[Aim]:
    """Five factors inside their published intervals, and the pooled log-likelihood above that of odds ratio 1."""
    out = []
    for r in rows:
        if r.factor in ASKED and r.virtual is not None and r.published is not None:
            shown = f"{r.virtual:.2f} (published {r.published:.2f}, {r.low:.2f} to {r.high:.2f})"
            out.append(Aim(f"odds ratio of response, {r.factor}: inside its published interval", r.n, shown, r.inside))
    both = [(r.model, r.no_association) for r in rows if r.model is not None and r.no_association is not None]
    if both:
        model, no_association = sum(m for m, _ in both), sum(o for _, o in both)
        text = "odds ratios of response: pooled log-likelihood above that of odds ratio 1"
        out.append(Aim(text, len(both), f"{model:.1f} (odds ratio 1: {no_association:.1f})", model > no_association))
    return out
