"""Learn how the twins' forecasts and those of statistical models are combined, and judge it on held-out patients.

Learnt on patients who are not held out alone. Forecasts of the statistical models for these are out of fold, so that
the weights do not count on what was fitted to the same patients. Cohorts have intercepts, or baseline hazards, of
their own: what separates cohorts, such as how response was assessed, is no forecast. A patient of none of them gets
their average, and their variance widens the intervals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunescape.stats.cox import penalised_cox
from immunescape.twins.combined import ENDS, MONTHS, Combination, Hazard
from immunescape.twins.judging.rivals import FOLDS, Pairs, calibration, logistic_fit, plain_auc, resampled

__all__ = ["Learners", "held_out_scores", "learnt_combination"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Learners:
    """Patients on an inhibitor alone (n), with the forecasts for each.

    Attributes
    ----------
    study, held : (n,) cohort; whether nothing may be fitted to the patient.
    response : (n,) 1, 0 or NaN.
    months, events : end of survival -> (n,).
    odds : (n,) log odds of response by the response model: out of fold, for a held-out patient by the one that ships.
    means : (n, k) inputs given what was measured, standardised.
    prior_sd : (k,) of the coefficients of the inputs.
    twin_odds : (n,) log odds of response by the mechanistic model.
    twin_rates : end of survival -> (n,) minus the logarithm of its mean months up to 18.
    """

    study: NDArray[np.str_]
    held: NDArray[np.bool_]
    response: FloatArray
    months: Mapping[str, FloatArray]
    events: Mapping[str, FloatArray]
    odds: FloatArray
    means: FloatArray
    prior_sd: FloatArray
    twin_odds: FloatArray
    twin_rates: Mapping[str, FloatArray]

    def only(self, keep: NDArray[np.bool_]) -> Learners:
        """Some of the patients."""
        return replace(
            self,
            study=self.study[keep],
            held=self.held[keep],
            response=self.response[keep],
            odds=self.odds[keep],
            means=self.means[keep],
            twin_odds=self.twin_odds[keep],
            months={end: values[keep] for end, values in self.months.items()},
            events={end: values[keep] for end, values in self.events.items()},
            twin_rates={end: values[keep] for end, values in self.twin_rates.items()},
        )


def learnt_combination(patients: Learners, inputs: tuple[str, ...]) -> Combination:
    """Everything that `rank` and `twin` combine with, from the patients who are not held out.

    Parameters
    ----------
    patients
        Held-out ones among them are left out.
    inputs
        Names of the k inputs.
    """
    mine = patients.only(~patients.held)
    weights, covariance = _response(mine)
    names, counts = np.unique(mine.study, return_counts=True)
    return Combination(
        inputs=inputs,
        response=weights,
        response_covariance=covariance,
        hazards={end: _hazard(mine, end) for end in ENDS},
        learnt_from=dict(zip(names.tolist(), counts.tolist(), strict=True)),
    )


def _response(mine: Learners) -> tuple[FloatArray, FloatArray]:
    """Intercept and two weights (3,) of the stacked logistic regression, with their covariance."""
    assessed = np.isfinite(mine.response)
    names, place = np.unique(mine.study[assessed], return_inverse=True)
    of_cohort = np.eye(len(names))[place]
    both = np.column_stack([mine.odds, mine.twin_odds])[assessed]
    y = mine.response[assessed]
    # cohorts by contrasts to the mean of the patients, so that the intercept is that of the average patient
    beta, _ = logistic_fit(np.column_stack([of_cohort[:, 1:] - of_cohort[:, 1:].mean(axis=0), both]), y, penalty=1e-3)
    design = np.column_stack([np.ones(len(y)), of_cohort[:, 1:] - of_cohort[:, 1:].mean(axis=0), both])
    p = 1.0 / (1.0 + np.exp(-design @ beta))
    inverse = np.asarray(np.linalg.inv(design.T @ (design * (p * (1.0 - p))[:, None])), dtype=float)
    use = [0, len(beta) - 2, len(beta) - 1]
    covariance = inverse[np.ix_(use, use)]
    # what is left between cohorts: of the intercepts beyond their own errors
    contrasts = np.r_[0.0, beta[1:-2]]
    errors = np.diag(inverse)[1:-2]
    covariance[0, 0] += max(float(contrasts.var(ddof=1)) - float(errors.mean()), 0.0) if len(names) > 1 else 0.0
    return np.asarray(beta[use], dtype=np.float64), np.asarray(covariance, dtype=np.float64)


def _hazard(mine: Learners, end: str) -> Hazard:
    time, event = np.maximum(mine.months[end], 1e-3), mine.events[end]

    def fitted(rows: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
        return penalised_cox(time[rows], event[rows], mine.means[rows], prior_sd=mine.prior_sd, strata=mine.study[rows])

    beta, covariance = fitted(np.arange(len(time)))
    fold = np.random.default_rng([len(time), 53]).permutation(len(time)) % FOLDS
    beside = np.zeros(len(time))
    for k in range(FOLDS):
        beside[fold == k] = mine.means[fold == k] @ fitted(np.flatnonzero(fold != k))[0]
    predictors = np.column_stack([beside, mine.twin_rates[end]])
    centre = predictors.mean(axis=0)
    free = np.full(2, np.inf)
    weights, errors = penalised_cox(time, event, predictors - centre, prior_sd=free, strata=mine.study)
    alone, stacked = mine.means @ beta, (predictors - centre) @ weights
    return Hazard(
        coefficients=beta,
        covariance=covariance,
        between=_between(mine.study, time, event, alone),
        baseline=_baseline(time, event, alone, MONTHS[end]),
        weights=weights,
        weights_covariance=errors,
        centre=centre,
        combined_between=_between(mine.study, time, event, stacked),
        combined_baseline=_baseline(time, event, stacked, MONTHS[end]),
    )


def _steps(time: FloatArray, event: FloatArray, risk: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Times (m,) and jumps of Breslow's cumulative baseline hazard."""
    times = np.unique(time[event > 0.5])
    weight = np.exp(risk)
    jumps = [event[time == t].sum() / weight[time >= t].sum() for t in times]
    return times, np.array(jumps)


def _baseline(time: FloatArray, event: FloatArray, risk: FloatArray, months: tuple[int, ...]) -> dict[int, float]:
    times, jumps = _steps(time, event, risk)
    return {month: float(jumps[times <= month].sum()) for month in months}


def _between(study: NDArray[np.str_], time: FloatArray, event: FloatArray, risk: FloatArray) -> float:
    """Variance between cohorts of the logarithm of observed over expected events, beyond that of counting."""
    times, jumps = _steps(time, event, risk)
    expected = np.exp(risk) * np.array([jumps[times <= t].sum() for t in time])
    names = np.unique(study)
    if len(names) < 2:
        return 0.0
    seen = np.array([event[study == name].sum() for name in names])
    ratio = np.log(np.maximum(seen, 0.5) / np.array([expected[study == name].sum() for name in names]))
    return max(float(ratio.var(ddof=1)) - float((1.0 / np.maximum(seen, 0.5)).mean()), 0.0)


def held_out_scores(patients: Learners, learnt: Combination, seed: int) -> dict[str, Any]:
    """Scores on held-out patients of the twins, the statistical model and both combined.

    Pairs of patients count within cohorts: AUC of response, Harrell's C of survival, each with a bootstrap interval.

    Returns
    -------
    ``patients`` and, for ``response``, ``pfs`` and ``os``: ``patients``, ``scores``, ``better`` (the better part),
    ``gain`` of the combination over it; for response also ``calibration`` of each.
    """
    test = patients.only(patients.held)
    out: dict[str, Any] = {"patients": len(test.study), "response": _judged_response(test, learnt, seed)}
    for end in ENDS:
        h = learnt.hazards[end]
        risk, rate = test.means @ h.coefficients, test.twin_rates[end]
        values = {
            "twins": rate,
            "statistical": risk,
            "combined": (np.column_stack([risk, rate]) - h.centre) @ h.weights,
        }
        time, event = test.months[end], test.events[end]
        pairs = {name: _within(Pairs.of(time, value, event), test.study) for name, value in values.items()}

        def c_of(name: str, rows: NDArray[np.int64], pairs: Mapping[str, Pairs] = pairs) -> float:
            return pairs[name].concordance(np.bincount(rows, minlength=len(test.study)).astype(float))

        out[end] = _scored(c_of, len(test.study), seed)
    return out


def _judged_response(test: Learners, learnt: Combination, seed: int) -> dict[str, Any]:
    assessed = np.isfinite(test.response)
    y, study = test.response[assessed], test.study[assessed]
    values = {"twins": test.twin_odds[assessed], "statistical": test.odds[assessed]}
    values["combined"] = learnt.response[0] + np.column_stack(list(values.values()))[:, ::-1] @ learnt.response[1:]

    def auc_of(name: str, rows: NDArray[np.int64]) -> float:
        """Mean over cohorts, by pairs of a patient with and one without a response."""
        total, pairs = 0.0, 0.0
        for cohort in np.unique(study):
            mine = rows[study[rows] == cohort]
            count = float(y[mine].sum() * (1.0 - y[mine]).sum())
            if count:
                total, pairs = total + count * plain_auc(values[name][mine], y[mine]), pairs + count
        return total / pairs if pairs else float("nan")

    chances = {name: 1.0 / (1.0 + np.exp(-value)) for name, value in values.items()}
    return {
        **_scored(auc_of, len(y), seed),
        "calibration": {
            name: {k: round(v, 4) for k, v in calibration(chance, y).items()} for name, chance in chances.items()
        },
    }


def _within(pairs: Pairs, study: NDArray[np.str_]) -> Pairs:
    """The pairs of patients of one cohort."""
    same = (study[:, None] == study).astype(float)
    return Pairs(pairs.comparable * same, pairs.right * same)


def _scored(score: Any, n: int, seed: int) -> dict[str, Any]:
    """Scores of the three forecasts and the gain of the combination over the better part, each with its interval."""
    everyone = np.arange(n)

    def row(statistic: Any) -> dict[str, float]:
        low, high = resampled(n, seed, statistic)
        return {"value": round(float(statistic(everyone)), 4), "low": round(low, 4), "high": round(high, 4)}

    scores = {name: row(lambda rows, name=name: score(name, rows)) for name in ("twins", "statistical", "combined")}
    better = max(("statistical", "twins"), key=lambda name: scores[name]["value"])
    return {
        "patients": n,
        "scores": scores,
        "better": better,
        "gain": row(lambda rows: score("combined", rows) - score(better, rows)),
    }
