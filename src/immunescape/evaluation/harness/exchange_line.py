"""What trials have shown where drugs were exchanged for chemotherapy: published on predicted ln hazard ratio.

Where drugs are added to the control arm, no predicted effect means no effect, and the share that trials delivered says
all (:mod:`immunescape.evaluation.harness.class_effects`). Where chemotherapy is replaced, mostly by an inhibitor, the
model may err in the level as well, by how strong it takes chemotherapy to be. For published ln hazard ratio y and the
model's m::

    y = level + slope m + normal(0, s),   s^2 = (error of y)^2 + (slope times Monte Carlo error of m)^2 + tau^2

Level 0 and slope 1 are a model that is right (intercept and slope of calibration; Cox 1958, Biometrika). The
slope has the prior of the share that added drugs deliver, the level is normal(0, 0.25), tau half-normal (0.1), all
assumed. Level and slope are integrated in closed form, tau over a grid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.evaluation.harness.checks import UNVERIFIED
from immunescape.evaluation.harness.class_effects import (
    EXTRA,
    PRIOR_MEAN,
    PRIOR_SD,
    ClassEvidence,
    half_normal_nodes,
    shipped_evidence,
)

if TYPE_CHECKING:
    from immunescape.evaluation.harness.protocols import Protocol
    from immunescape.evaluation.harness.scoring import FigureComparison
    from immunescape.trial.spec import Trial

__all__ = ["ExchangeLine", "exchange_evidence", "exchange_line", "lines_of", "replaces_chemotherapy", "shipped_line"]

FloatArray = NDArray[np.float64]
LEVEL_SD = 0.25
"""Prior of the level, in ln hazard ratio."""
EXCHANGED = "exchanged drugs"
"""What stands for a class of added drugs in the evidence of exchanges."""


@dataclass(frozen=True, kw_only=True)
class ExchangeLine:
    """Posterior of level and slope: means, standard deviations, covariance; from so many trials."""

    figure: str
    trials: int
    level: float
    slope: float
    level_sd: float
    slope_sd: float
    covariance: float

    def at(self, predicted: float) -> tuple[float, float]:
        """Ln hazard ratio for one that the model predicts, and its SD."""
        variance = self.level_sd**2 + 2.0 * self.covariance * predicted + (self.slope_sd * predicted) ** 2
        return self.level + self.slope * predicted, math.sqrt(max(variance, 0.0))

    def row(self) -> dict[str, Any]:
        """As plain JSON."""
        return {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(self).items()}


def exchange_line(rows: Sequence[ClassEvidence], figure: str = "") -> ExchangeLine:
    """Posterior of the line.

    Parameters
    ----------
    rows : comparisons with chemotherapy; none at all gives the prior.
    figure : what the ratios are of, for tables.
    """
    y, m = np.array([r.published for r in rows]), np.array([r.predicted for r in rows])
    error, monte_carlo = np.array([r.published_se for r in rows]), np.array([r.predicted_se for r in rows])
    mean, prior = np.array([0.0, PRIOR_MEAN]), np.diag([LEVEL_SD**2, PRIOR_SD**2])
    design = np.column_stack([np.ones(len(rows)), m])
    ln, means, covariances = [], [], []
    for tau in EXTRA * half_normal_nodes():
        # the share of Monte Carlo error is that at the prior mean of the slope
        noise = error**2 + (PRIOR_MEAN * monte_carlo) ** 2 + tau**2
        total = design @ prior @ design.T + np.diag(noise)
        left = y - design @ mean
        gain = np.linalg.solve(total, design @ prior).T
        ln.append(-0.5 * float(left @ np.linalg.solve(total, left) + np.linalg.slogdet(total)[1]))
        means.append(mean + gain @ left)
        covariances.append(prior - gain @ design @ prior)
    weight = np.exp(np.array(ln) - max(ln))
    weight = weight / weight.sum()
    centre = weight @ np.array(means)
    within = np.einsum("t,tij->ij", weight, np.array(covariances))
    off = np.array(means) - centre
    spread = within + np.einsum("t,ti,tj->ij", weight, off, off)
    return ExchangeLine(
        figure=figure,
        trials=len(rows),
        level=float(centre[0]),
        slope=float(centre[1]),
        level_sd=math.sqrt(spread[0, 0]),
        slope_sd=math.sqrt(spread[1, 1]),
        covariance=float(spread[0, 1]),
    )


def replaces_chemotherapy(trial: Trial, arm: str = "") -> bool:
    """Whether an arm without chemotherapy is compared with a control of chemotherapy alone.

    Only of such comparisons does the line know: not of other controls (an inhibitor, a targeted drug, no drug), nor of
    one chemotherapy against another. Conjugates of antibodies are no chemotherapy here.

    Parameters
    ----------
    trial : the protocol. arm : name of an experimental arm; empty: the first.
    """
    mine = next((a for a in trial.experimental if not arm or a.name == arm), None)
    if trial.control is None or mine is None:
        return False
    experimental, control = ({d for choice in a.choices for d in choice.regimen.drugs} for a in (mine, trial.control))
    return (
        bool(experimental and control)
        and all(map(_chemotherapy, control))
        and not any(map(_chemotherapy, experimental))
    )


def _chemotherapy(drug: str) -> bool:
    from immunescape.trial.toxicity import contains_class

    return contains_class((drug,), "cytotoxic") and not contains_class((drug,), "adc")


def exchange_evidence(
    chosen: Sequence[Protocol], compared: Sequence[FigureComparison], figure: str
) -> list[ClassEvidence]:
    """Calibration trials that replace chemotherapy, with a virtual ratio and a published one at hand.

    Published ratios that were entered from memory and not found again teach nothing.
    """
    names = {p.trial.name for p in chosen if p.role == "calibration" and p.counted and replaces_chemotherapy(p.trial)}
    return [
        ClassEvidence(c.trial, EXCHANGED, math.log(c.published), c.published_se, math.log(c.virtual), c.se or 0.0)
        for c in compared
        if c.trial in names and c.figure == figure and c.virtual and c.published_se and c.checked != UNVERIFIED
    ]


def lines_of(chosen: Sequence[Protocol], compared: Sequence[FigureComparison]) -> list[ExchangeLine]:
    """`exchange_line` of PFS and of OS."""
    evidence = {figure: exchange_evidence(chosen, compared, figure) for figure in ("pfs_hr", "os_hr")}
    return [exchange_line(rows, figure) for figure, rows in evidence.items() if rows]


# --- the evidence that ships ------------------------------------------------------------------------------------------

TABLE = "exchange_evidence"
"""Table of the evidence of the line; `immunescape harness --from RUN --tables FOLDER` writes it."""


@cache
def shipped_line(figure: str, without: frozenset[str] = frozenset()) -> ExchangeLine:
    """The line by the evidence that ships, without that of some trials."""
    return exchange_line([e for e in shipped_evidence(figure, TABLE) if e.trial not in without], figure)
