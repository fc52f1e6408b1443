"""Survival: Cox regression and Kaplan-Meier curves of measured patients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from immunescape.profile.cohort.discrimination import Estimate
from immunescape.profile.cohort.efron import fit_efron

__all__ = ["CoxFit", "Curve", "cox", "hazard_ratio", "kaplan_meier"]

_NO_MAXIMUM = "the model did not converge (a group without events, or terms that coincide)"


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
        return CoxFit(empty, n, events, _NO_MAXIMUM)
    coef, se = found[0], np.sqrt(np.diag(found[1]))
    half = float(ndtri(0.5 + level / 2)) * se
    table = pd.DataFrame(
        {
            "coef": coef,
            "se": se,
            "hr": np.exp(coef),
            "low": np.exp(coef - half),
            "high": np.exp(coef + half),
            "p": 2 * ndtr(-np.abs(coef) / se),
        },
        index=list(terms),
    )
    return CoxFit(table, n, events)


def hazard_ratio(
    time: NDArray[np.float64], event: NDArray[np.float64], x: NDArray[np.float64], level: float = 0.95
) -> Estimate:
    """Return the hazard ratio of one term, as `cox` gives it; for arrays without missing values.

    Parameters
    ----------
    time, event
        Months and 1 (event) or 0 (censored).
    x
        Numbers.
    level
        Confidence level.
    """
    note = ""
    if len(x) < 3 or event.sum() < 1:
        note = "too few patients or events"
    elif np.ptp(x) == 0:
        note = "x does not vary"
    else:
        found = fit_efron(time, event, x[:, None])
        if found is not None:
            coef, se = float(found[0][0]), float(np.sqrt(found[1][0, 0]))
            half = float(ndtri(0.5 + level / 2)) * se
            hr, low, high = (float(np.exp(coef + d)) for d in (0.0, -half, half))
            return Estimate(hr, low, high, float(2 * ndtr(-abs(coef) / se)), "Cox")
        note = _NO_MAXIMUM
    return Estimate(np.nan, np.nan, np.nan, np.nan, "Cox", note)


def kaplan_meier(time: ArrayLike, event: ArrayLike, group: str = "all", level: float = 0.95) -> Curve:
    """Return the Kaplan-Meier curve of one group, with its median and interval (Brookmeyer and Crowley).

    Parameters
    ----------
    time, event
        Months and 1 (event) or 0 (censored); rows with a missing one are left out.
    group
        Name of the group.
    level
        Confidence level.
    """
    t, e = np.asarray(time, dtype=float), np.asarray(event, dtype=float)
    known = ~(np.isnan(t) | np.isnan(e))
    t, e = t[known], e[known]
    if not len(t):
        empty = pd.DataFrame(columns=["time", "survival", "low", "high", "at_risk"], dtype=float)
        return Curve(group, 0, 0, np.nan, np.nan, np.nan, empty)
    times, where = np.unique(t, return_inverse=True)
    deaths, leaving = np.bincount(where, weights=e), np.bincount(where)
    at_risk = len(t) - np.r_[0, np.cumsum(leaving)[:-1]]
    survival = np.cumprod(1 - deaths / at_risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.cumsum(deaths / (at_risk * (at_risk - deaths)))  # Greenwood
        centre = np.log(-np.log(survival))
        half = float(ndtri(0.5 + level / 2)) * np.sqrt(variance) / np.abs(np.log(survival))
        low, high = np.exp(-np.exp(centre + half)), np.exp(-np.exp(centre - half))
    certain = (survival == 1) | (survival == 0)
    low, high = np.where(certain, survival, low), np.where(certain, survival, high)
    if times[0] > 0:
        times, survival, low, high = (np.r_[v, a] for v, a in ((0.0, times), (1.0, survival), (1.0, low), (1.0, high)))
        at_risk = np.r_[len(t), at_risk]
    steps = pd.DataFrame({"time": times, "survival": survival, "low": low, "high": high, "at_risk": at_risk * 1.0})

    def crossing(column: str) -> float:
        below = steps["time"][steps[column] <= 0.5 + 1e-12]
        return float(below.iloc[0]) if len(below) else float("inf")

    return Curve(group, len(t), int(e.sum()), crossing("survival"), crossing("low"), crossing("high"), steps)
