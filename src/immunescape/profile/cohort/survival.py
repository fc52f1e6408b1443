"""Survival: Cox regression, and Kaplan-Meier curves (by lifelines), of measured patients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import norm

from immunescape.profile.cohort.discrimination import Estimate
from immunescape.profile.cohort.efron import fit_efron

__all__ = ["CoxFit", "Curve", "cox", "kaplan_meier"]


@dataclass(frozen=True)
class CoxFit:
    """A Cox model (Efron's ties).

    Attributes
    ----------
    table : one row for each term: ``coef``, ``se``, ``hr``, ``low``, ``high``, ``p``.
    n, events : patients and events in the fit.
    note : why there is no fit; '' where there is one.
    """

    table: pd.DataFrame
    n: int
    events: int
    note: str = ""

    def estimate(self, term: str) -> Estimate:
        """Return the hazard ratio of a term with interval and p; NaN and the note where there is no fit."""
        if self.table.empty:
            return Estimate(np.nan, np.nan, np.nan, np.nan, "Cox", self.note)
        row = self.table.loc[term, ["hr", "low", "high", "p"]].to_numpy(dtype=float)
        return Estimate(float(row[0]), float(row[1]), float(row[2]), float(row[3]), "Cox")


@dataclass(frozen=True)
class Curve:
    """A Kaplan-Meier curve.

    Attributes
    ----------
    group : its name.
    n, events : patients and events.
    median, low, high : median and its interval, months; inf where not reached.
    steps : ``time``, ``survival``, ``low``, ``high``, ``at_risk`` (intervals by the log(-log) transformation).
    """

    group: str
    n: int
    events: int
    median: float
    low: float
    high: float
    steps: pd.DataFrame


def cox(time: ArrayLike, event: ArrayLike, terms: Mapping[str, ArrayLike], level: float = 0.95) -> CoxFit:
    """Fit a Cox model; rows with a missing time, event or term are left out.

    Parameters
    ----------
    time, event
        Months and 1 (event) or 0 (censored).
    terms
        Name -> numbers.
    level
        Confidence level.

    Returns
    -------
    CoxFit
        With an empty table and a note where the model cannot be fitted.
    """
    frame = pd.DataFrame({n: np.asarray(v, dtype=float) for n, v in terms.items()})
    frame.insert(0, "_time", np.asarray(time, dtype=float))
    frame.insert(1, "_event", np.asarray(event, dtype=float))
    frame = frame.dropna()
    n, events = len(frame), int(frame["_event"].sum())
    empty = pd.DataFrame(columns=["coef", "se", "hr", "low", "high", "p"], dtype=float)
    if n < 3 or events < 1:
        return CoxFit(empty, n, events, "too few patients or events")
    flat = [t for t in terms if frame[t].std() == 0]
    if flat:
        return CoxFit(empty, n, events, f"{', '.join(flat)} does not vary")
    found = fit_efron(frame["_time"].to_numpy(), frame["_event"].to_numpy(), frame[list(terms)].to_numpy())
    if found is None:
        return CoxFit(empty, n, events, "the model did not converge (a group without events, or terms that coincide)")
    coef, se = found[0], np.sqrt(np.diag(found[1]))
    half = float(norm.ppf(0.5 + level / 2)) * se
    table = pd.DataFrame(
        {
            "coef": coef,
            "se": se,
            "hr": np.exp(coef),
            "low": np.exp(coef - half),
            "high": np.exp(coef + half),
            "p": 2 * norm.sf(np.abs(coef) / se),
        },
        index=list(terms),
    )
    return CoxFit(table, n, events)


def kaplan_meier(time: ArrayLike, event: ArrayLike, group: str = "all", level: float = 0.95) -> Curve:
    """Return the Kaplan-Meier curve of one group, with its median and interval (Brookmeyer and Crowley)."""
    from lifelines import KaplanMeierFitter

    t, e = np.asarray(time, dtype=float), np.asarray(event, dtype=float)
    known = ~(np.isnan(t) | np.isnan(e))
    t, e = t[known], e[known]
    if not len(t):
        empty = pd.DataFrame(columns=["time", "survival", "low", "high", "at_risk"], dtype=float)
        return Curve(group, 0, 0, np.nan, np.nan, np.nan, empty)
    fitter = KaplanMeierFitter(alpha=1 - level).fit(t, e)
    interval = fitter.confidence_interval_.to_numpy()
    times = fitter.survival_function_.index.to_numpy(dtype=float)
    steps = pd.DataFrame(
        {
            "time": times,
            "survival": fitter.survival_function_.to_numpy()[:, 0],
            "low": interval[:, 0],
            "high": interval[:, 1],
            "at_risk": fitter.event_table["at_risk"].reindex(times).to_numpy(dtype=float),
        }
    )

    def crossing(column: str) -> float:
        below = steps["time"][steps[column] <= 0.5]
        return float(below.iloc[0]) if len(below) else float("inf")

    return Curve(group, len(t), int(e.sum()), crossing("survival"), crossing("low"), crossing("high"), steps)
