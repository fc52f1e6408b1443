"""Rivals that know no biology, fitted on the other 70 % of patients, and the scores by which forecasts are judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.stats.cox import ridge_cox
from immunescape.twins.judging.cohorts import NUMBERS, RealCohort

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "FOLDS",
    "Design",
    "Pairs",
    "calibration",
    "concordance",
    "cox_risk",
    "logistic_chance",
    "logistic_fit",
    "net_benefit",
    "plain_auc",
    "resampled",
]

FloatArray = NDArray[np.float64]
PENALTY = 1.0
"""Ridge penalty of the logistic regression on standardised inputs, and with `COX_PENALTY` that of the Cox model."""
COX_PENALTY = 0.03
FOLDS = 5
"""Folds of predictions out of fold."""
_RESAMPLES = 400


@dataclass(frozen=True)
class Design:
    """Inputs of the rivals, standardised by the patients that they are fitted on.

    Numbers that are missing take the mean of those patients, with an indicator; categories are indicators.
    """

    names: tuple[str, ...]
    numbers: tuple[str, ...]
    words: tuple[tuple[str, Any], ...]
    middle: FloatArray
    spread: FloatArray

    @classmethod
    def of(cls, cohort: RealCohort) -> Design:
        """Design of the patients that may be fitted to."""
        table = cohort.table
        numbers = [n for n in cohort.inputs if n in NUMBERS]
        words: list[tuple[str, Any]] = []
        for name in (n for n in cohort.inputs if n not in NUMBERS):
            seen = [w for w in table[name] if w is not None and w == w]
            levels = sorted(set(seen), key=str)
            words += [(name, level) for level in levels[1:] if 10 <= seen.count(level)]
        raw, names = _raw(table, numbers, words)
        middle = np.nanmean(raw, axis=0)
        spread = np.nanstd(raw, axis=0)
        return cls(tuple(names), tuple(numbers), tuple(words), middle, np.where(spread > 1e-9, spread, 1.0))

    def rows(self, cohort: RealCohort) -> FloatArray:
        """Standardised inputs (patients, k), missing ones at the mean."""
        raw, _ = _raw(cohort.table, list(self.numbers), list(self.words))
        return np.nan_to_num((raw - self.middle) / self.spread, nan=0.0)


def _raw(table: pd.DataFrame, numbers: Sequence[str], words: Sequence[tuple[str, Any]]) -> tuple[FloatArray, list[str]]:
    columns: list[FloatArray] = []
    names: list[str] = []
    pdl1 = table[["pdl1_low", "pdl1_high"]].to_numpy(dtype=float).mean(axis=1)
    later = (table["setting"] == "later line").to_numpy(dtype=float)
    for name, values in [("PD-L1", pdl1), *((n, table[n].to_numpy(dtype=float)) for n in numbers)]:
        scaled = np.log(np.maximum(values, 0.1)) if name in ("nlr", "sld_mm", "tmb_mut_mb") else values
        columns += [scaled, np.isnan(values).astype(float)]
        names += [name, f"{name} missing"]
    for name, level in words:
        values = table[name].to_numpy(dtype=object)
        present = np.array([v is not None and v == v for v in values])
        columns.append(np.where(present, np.array([v == level for v in values], dtype=float), np.nan))
        names.append(f"{name} {level}")
    return np.column_stack([*columns, later]), [*names, "later line"]


def logistic_fit(x: FloatArray, y: FloatArray, penalty: float = PENALTY) -> tuple[FloatArray, FloatArray]:
    """Coefficients (k + 1, intercept first) of a ridge-penalised logistic regression, and their standard errors."""
    design = np.column_stack([np.ones(len(x)), x])
    ridge = penalty * np.eye(design.shape[1])
    ridge[0, 0] = 0.0
    beta = np.zeros(design.shape[1])
    information = ridge + 1e-9 * np.eye(len(beta))
    for _ in range(100):
        p = 1.0 / (1.0 + np.exp(-np.clip(design @ beta, -30, 30)))
        information = design.T @ (design * (p * (1.0 - p))[:, None]) + ridge + 1e-9 * np.eye(len(beta))
        step = np.linalg.solve(information, design.T @ (y - p) - ridge @ beta)
        beta = beta + np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-9:
            break
    return beta, np.sqrt(np.diag(np.linalg.inv(information)))


def logistic_chance(beta: FloatArray, x: FloatArray) -> FloatArray:
    """Probabilities of a fit of `logistic_fit`."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(beta[0] + x @ beta[1:], -30, 30))))


def cox_risk(x: FloatArray, time: FloatArray, event: FloatArray) -> Callable[[FloatArray], FloatArray]:
    """Linear predictor of a ridge-penalised Cox model fitted to standardised inputs, as a function of inputs."""
    use = np.flatnonzero(x.std(axis=0) > 1e-9)
    beta = ridge_cox(x[:, use], time, event, COX_PENALTY)
    return lambda rows: np.asarray(rows[:, use] @ beta)


@dataclass(frozen=True)
class Pairs:
    """Pairs of patients of whom it is known who had the event first, and whether a risk orders them so.

    Attributes
    ----------
    known : (n, n) 1 where the row's patient had an event before the column's.
    right : (n, n) 1 where his risk is higher as well, 0.5 where they are equal.
    """

    comparable: FloatArray
    right: FloatArray

    @classmethod
    def of(cls, time: FloatArray, risk: FloatArray, event: FloatArray) -> Pairs:
        """Pairs of patients whose risk is known."""
        later = (time[:, None] < time) | ((time[:, None] == time) & (event < 0.5))
        comparable = later & (event[:, None] > 0.5) & np.isfinite(risk)[:, None] & np.isfinite(risk)
        np.fill_diagonal(comparable, val=False)
        higher = (risk[:, None] > risk) + 0.5 * (risk[:, None] == risk)
        return cls(comparable.astype(float), comparable * higher)

    def concordance(self, counts: FloatArray | None = None) -> float:
        """Harrell's C with each patient counted so many times (n,); NaN without any pair."""
        c = np.ones(len(self.comparable)) if counts is None else counts
        total = float(c @ self.comparable @ c)
        return float(c @ self.right @ c) / total if total > 0.0 else float("nan")


def concordance(time: FloatArray, risk: FloatArray, event: FloatArray) -> float:
    """Harrell's C of a risk: 1 where who has the higher one always has the earlier event; NaN without any pair."""
    return Pairs.of(time, risk, event).concordance()


def plain_auc(value: FloatArray, answer: FloatArray) -> float:
    """Area under the ROC curve of the patients who have a value; NaN where a group is empty."""
    from scipy.stats import rankdata

    finite = np.isfinite(value)
    yes = answer[finite] > 0.5
    n, m = int(yes.sum()), int((~yes).sum())
    if not n or not m:
        return float("nan")
    return float((rankdata(value[finite])[yes].sum() - n * (n + 1) / 2.0) / (n * m))


def calibration(chance: FloatArray, answer: FloatArray) -> dict[str, float]:
    """Slope and intercept of the answers on the log odds of their forecasts, each with its standard error.

    The intercept is that with the slope held at 1: above 0 where there are more events than were forecast.
    """
    odds = np.log(np.clip(chance, 1e-3, 1 - 1e-3) / (1.0 - np.clip(chance, 1e-3, 1 - 1e-3)))
    beta, error = logistic_fit(odds[:, None], answer, penalty=0.0)
    shift = 0.0
    weight = 1.0
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-(shift + odds)))
        weight = max(float((p * (1.0 - p)).sum()), 1e-9)
        shift += float((answer - p).sum()) / weight
    return {
        "slope": float(beta[1]),
        "slope_se": float(error[1]),
        "intercept": shift,
        "intercept_se": weight**-0.5,
        "forecast": float(chance.mean()),
        "observed": float(answer.mean()),
    }


def net_benefit(chance: FloatArray, answer: FloatArray, threshold: float) -> float:
    """Share of true positives less the weighted share of false ones, of treating whose chance is at least a threshold.

    See ``vickers2006``.
    """
    treated = chance >= threshold
    n = len(answer)
    hit, miss = float((treated * answer).sum()), float((treated * (1.0 - answer)).sum())
    return hit / n - miss / n * threshold / (1.0 - threshold)


def resampled(n: int, seed: int, statistic: Callable[[NDArray[np.int64]], float]) -> tuple[float, float]:
    """95 % interval of a statistic over patients drawn again."""
    rng = np.random.default_rng([seed, 51])
    values = np.array([statistic(rng.integers(0, n, n)) for _ in range(_RESAMPLES)])
    low, high = np.nanquantile(values, (0.025, 0.975))
    return float(low), float(high)
