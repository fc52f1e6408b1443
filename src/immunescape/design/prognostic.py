"""Prognostic scores in the analysis: the log-rank test adjusted for a score that was known before randomisation.

The score explains part of the outcome irrespective of the arm; this part is removed from the numerator of the log-rank
test and from its variance, so that the same hypothesis is tested with more power and at the same level, whether or not
the score is predictive [ye2024]. For a virtual population the score is fitted to its control arm from
covariates at baseline; this is what a trial does with a model fitted to historical controls (PROCOVA) [schuler2022].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import special

from immunescape.errors import InputError, unknown_word
from immunescape.stats.cox import ridge_cox
from immunescape.stats.nonproportional import _TIE, ordered

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PrognosticScore", "adjusted_log_rank", "fitted_score"]

LATER_ENDINGS = ("_months", "_event", "_events", "_day", "_reason", "_cycles")
LATER = (
    "orr",
    "arm",
    "regimen",
    "id",
    "best_response",
    "best_change_pct",
    "doses",
    "death_cause",
    "dose_reduced",
    "checkpoint_inhibitor",
    "ici_with_chemotherapy",
    "next_line",
    "next_line_regimen",
    "resistance",
    "draw",
    "weight",
    "frailty_death",
    "frailty_new_lesion",
    "progression_new_lesion",
)
"""Columns of a virtual trial that are outcomes, or drawn and not known in a patient."""
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class PrognosticScore:
    """A score of a simple truth: a normal number per patient.

    Attributes
    ----------
    endpoint : whose outcome it predicts. correlation : of the score and the normal score of that outcome, 0 to 1.
    """

    endpoint: str
    correlation: float

    def __post_init__(self) -> None:
        if not 0 <= self.correlation < 1:
            raise InputError(f"the correlation of a prognostic score must be from 0 to 1, not {self.correlation:g}")

    def draw(self, outcome: Floats, noise: Floats) -> Floats:
        """(R, N) scores from the uniform that the outcome was drawn with and an independent one."""
        r = self.correlation
        return np.asarray(r * special.ndtri(outcome) + np.sqrt(1.0 - r * r) * special.ndtri(noise))


def fitted_score(table: pd.DataFrame, control: str, endpoint: str, covariates: Sequence[str]) -> Floats:
    """Log hazard of each row by a Cox model of the control arm with covariates at baseline (higher: shorter survival).

    Parameters
    ----------
    table : one row per virtual patient, columns ``arm``, ``<endpoint>_months``, ``<endpoint>_event`` and covariates;
        those that are no numbers become one column per level.

    Raises
    ------
    InputError
        For a covariate that is not there, has missing values, or is an outcome.
    """
    import pandas as pd

    outcomes = [c for c in table.columns if str(c).endswith(LATER_ENDINGS) or c in LATER]
    for name in covariates:
        if name in outcomes:
            raise InputError(
                f"'{name}' is an outcome, or not observed in patients: a prognostic score must be known "
                "before randomisation"
            )
        if name not in table:
            raise unknown_word("covariate", name, [str(c) for c in table.columns if c not in outcomes])
        if table[name].isna().any():
            raise InputError(f"covariate '{name}' is missing for {int(table[name].isna().sum())} virtual patients")
    if not covariates:
        raise InputError("a prognostic score needs covariates at baseline")
    numbers = pd.get_dummies(table[list(covariates)], drop_first=True).astype(float)
    spread = numbers.std()
    numbers = (numbers.loc[:, spread > 0] - numbers.mean()) / spread[spread > 0]
    here = (table["arm"] == control).to_numpy()
    months, event = (table.loc[here, f"{endpoint}_{kind}"].to_numpy(dtype=float) for kind in ("months", "event"))
    terms = numbers.to_numpy()
    # a small ridge: covariates of one patient are correlated
    return np.asarray(terms @ ridge_cox(terms[here], months, event, penalty=0.01))


def adjusted_log_rank(
    time: Floats, event: Flags, treated: Flags, use: Flags, score: Floats
) -> tuple[Floats, Floats, Floats]:
    """Log-rank Z adjusted for a score, its variance, and the share of the variance that the score explains, (R,) each.

    Source: [ye2024].

    Each patient's part in the log-rank score is regressed on the prognostic score within the arm; the regression takes
    out the imbalance of the score between the arms and the variance that goes with it.

    Parameters
    ----------
    time, event, treated, use, score : (R, N).
    """
    data = ordered(time, event, treated, use)
    t = np.where(use, time, -1.0)
    order = np.argsort(t - _TIE * np.where(use, event, 0.0), axis=1)
    x = np.take_along_axis(score, order, axis=1)
    inside = data.time >= 0
    arm1, arm0 = inside * data.treated, inside * (1.0 - data.treated)
    share = data.at_risk_treated / data.at_risk
    step = data.event / data.at_risk
    last = _last_of_ties(data.time)
    # a patient's part: own event minus what was expected while at risk, weighted by the share of the other arm
    spent1 = np.take_along_axis(np.cumsum(step * (1.0 - share), axis=1), last, axis=1)
    spent0 = np.take_along_axis(np.cumsum(step * share, axis=1), last, axis=1)
    part1 = data.event * (1.0 - share) - spent1
    part0 = data.event * share - spent0
    count = np.maximum(inside.sum(axis=1), 1.0)
    centred = np.where(inside, x - ((x * inside).sum(axis=1) / count)[:, None], 0.0)
    slope1, slope0 = _slope(part1, centred, arm1), _slope(part0, centred, arm0)
    variance = data.event * share * (1.0 - share)
    if data.deaths is not None:
        variance = variance * (data.at_risk - data.deaths) / np.maximum(data.at_risk - 1.0, 1.0)
    plain = variance.sum(axis=1)
    spread = (centred**2).sum(axis=1) / count
    fraction = arm1.sum(axis=1) / count
    explained = count * fraction * (1.0 - fraction) * (slope1 + slope0) ** 2 * spread
    adjusted = np.maximum(plain - explained, 1e-9)
    number = (data.event * (share - data.treated)).sum(axis=1)
    number = number + slope1 * (centred * arm1).sum(axis=1) - slope0 * (centred * arm0).sum(axis=1)
    good = plain > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(good, number / np.sqrt(adjusted), 0.0)
        gained = np.where(good, explained / plain, 0.0)
    return z, np.where(good, adjusted, 0.0), gained


def _last_of_ties(time: Floats) -> NDArray[np.int64]:
    """(R, N) position of the last patient with the same time, in ordered rows."""
    n = time.shape[1]
    closing = np.ones(time.shape, dtype=bool)
    closing[:, :-1] = time[:, 1:] != time[:, :-1]
    return np.minimum.accumulate(np.where(closing, np.arange(n), n - 1)[:, ::-1], axis=1)[:, ::-1]


def _slope(y: Floats, x: Floats, member: Floats) -> Floats:
    """Least-squares slope of y on x among members, by row."""
    count = np.maximum(member.sum(axis=1), 1.0)
    dx = (x - ((x * member).sum(axis=1) / count)[:, None]) * member
    bottom = (dx**2).sum(axis=1)
    return np.where(bottom > 0, (dx * y).sum(axis=1) / np.maximum(bottom, 1e-300), 0.0)
