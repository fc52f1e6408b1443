"""Predicted hazard ratios as forecasts give them: corrected by what published trials have shown of such predictions.

Where an arm adds drugs to the control, the ln hazard ratio is multiplied by the share that trials of the class have
delivered (`class_effects`); where it replaces chemotherapy, it is moved along the line of such trials
(`exchange_line`); the rest stays as the model gives it. The evidence of the trial itself, by name or registry number,
is always left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from immunescape.evaluation.harness.class_effects import (
    ClassEvidence,
    added_class,
    class_effects,
    delivered_shares,
    evidence,
    shrunk,
)
from immunescape.evaluation.harness.exchange_line import (
    exchange_evidence,
    exchange_line,
    replaces_chemotherapy,
    shipped_line,
)
from immunescape.evaluation.trial_identity import names_of_same_trial

if TYPE_CHECKING:
    from immunescape.evaluation.harness.protocols import Protocol
    from immunescape.evaluation.harness.scoring import FigureComparison
    from immunescape.trial.spec import Trial

__all__ = [
    "CORRECTED",
    "FORECAST_KINDS",
    "Correction",
    "corrected_ratio",
    "correction",
    "forecast_error",
    "left_out_forecasts",
]

FloatArray = NDArray[np.float64]
CORRECTED = (
    "corrected by what published trials have shown of such predictions: times the share that trials of added drugs of"
    " the class have delivered or, where chemotherapy is replaced, on the line of such trials; 'Model alone' is the"
    " simulated ratio."
)
"""What is said of corrected hazard ratios wherever they are printed, after what they are."""
FORECAST_KINDS = {"pfs_hr": "forecast_pfs_hr", "os_hr": "forecast_os_hr"}
"""Figure -> kind, in ``prediction_errors.csv``, of the error that its forecasts have left."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Correction:
    """How a predicted ln hazard ratio m is corrected: level + share m.

    Attributes
    ----------
    level, share : means. levels, shares : draws (draws,) of both.
    """

    level: float
    share: float
    levels: FloatArray
    shares: FloatArray

    @property
    def changes(self) -> bool:
        """Whether it changes anything."""
        return self.level != 0.0 or self.share != 1.0

    def ratio(self, model: float) -> float:
        """The corrected hazard ratio."""
        return float(math.exp(self.level) * model**self.share)

    def of_replicates(self, ratios: FloatArray, model: float) -> FloatArray:
        """Ratios of replicates (draws,): the effect is corrected, the chance of the trial is not."""
        return ratios * np.exp(self.levels) * model ** (self.shares - 1.0)


def correction(trial: Trial, arm: str, figure: str, draws: int, seeds: Sequence[int]) -> Correction:
    """How forecasts correct the hazard ratio of an arm, by the evidence that ships.

    Parameters
    ----------
    trial, arm, figure : the experimental arm and ``pfs_hr`` or ``os_hr``.
    draws, seeds : how many, and the seeds of the prediction that they belong to.
    """
    if not replaces_chemotherapy(trial, arm):
        share, shares = delivered_shares(trial, arm, figure, draws, seeds)
        return Correction(level=0.0, share=share, levels=np.zeros(draws), shares=shares)
    line = shipped_line(figure, names_of_same_trial(trial))
    rng = np.random.default_rng(np.random.SeedSequence(list(seeds), spawn_key=(0xE8C4, figure == "os_hr")))
    covariance = [[line.level_sd**2, line.covariance], [line.covariance, line.slope_sd**2]]
    drawn = rng.multivariate_normal([line.level, line.slope], covariance, draws, method="cholesky")
    return Correction(level=line.level, share=line.slope, levels=drawn[:, 0], shares=drawn[:, 1])


def forecast_error(errors: Mapping[str, float], figure: str) -> float:
    """SD of the error of a forecast hazard ratio; that of the model's where no run has taught it.

    Parameters
    ----------
    errors : kind of figure -> SD (`shipped_discrepancy`). figure : ``pfs_hr`` or ``os_hr``.
    """
    return errors.get(FORECAST_KINDS[figure], errors.get("hr", 0.0))


def corrected_ratio(
    trial: Trial,
    figure: str,
    predicted: float,
    added: Sequence[ClassEvidence],
    exchanged: Sequence[ClassEvidence],
) -> tuple[float, float, float]:
    """Corrected ln hazard ratio of the first experimental arm, its SD, and its slope in the model's.

    Parameters
    ----------
    predicted : the model's ln hazard ratio.
    added, exchanged : evidence of `figure` from a run; rows of the trial itself are not used.
    """
    if replaces_chemotherapy(trial):
        line = exchange_line([e for e in exchanged if e.trial not in names_of_same_trial(trial)], figure)
        return (*line.at(predicted), line.slope)
    drug_class = added_class(trial)
    if not drug_class:
        return predicted, 0.0, 1.0
    effects = class_effects([e for e in added if e.trial not in names_of_same_trial(trial)], figure)
    share, sd = shrunk(effects, drug_class, figure, 1.0)
    return share * predicted, sd * abs(predicted), share


def left_out_forecasts(chosen: Sequence[Protocol], compared: Sequence[FigureComparison]) -> list[FigureComparison]:
    """Figures of a run with hazard ratios as they would have been forecast, each trial without its own evidence.

    The error of the correction is added to the Monte Carlo error of each ratio.
    """
    trials = {p.trial.name: p.trial for p in chosen}
    of_figure = {
        figure: (evidence(chosen, compared, figure), exchange_evidence(chosen, compared, figure))
        for figure in ("pfs_hr", "os_hr")
    }
    out = []
    for c in compared:
        if c.figure in of_figure and c.virtual:
            value, sd, slope = corrected_ratio(trials[c.trial], c.figure, math.log(c.virtual), *of_figure[c.figure])
            c = replace(c, virtual=math.exp(value), se=math.hypot(sd, slope * (c.se or 0.0)))
        out.append(c)
    return out
