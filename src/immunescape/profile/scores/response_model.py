r"""Probability of response, and of living 12 months without progression, from whatever was measured.

The linear predictor of a patient is :math:`\eta = b_0 + \beta^T x`, with standardised inputs ``x``. Inputs are jointly
Gaussian (an approximation for truth values); those that were not measured, or measured imprecisely (a class of PD-L1,
the burden of plasma), are integrated over given those that were: :math:`\eta` is then normal with mean
:math:`b_0 + \beta^T m` and variance :math:`\beta^T S \beta`, where ``m`` and ``S`` are the conditional mean and
covariance. To this the variance of the coefficients in an average patient and the variance between cohorts are added.
The first term can only fall when something is measured, and the two others do not depend on the patient, so the
interval of :math:`\eta` never narrows when a measurement is taken away.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import ImmunescapeError, unknown_word

__all__ = ["ENDPOINTS", "Conditional", "Observed", "ResponseModel", "condition", "load_response_model", "mean_logistic"]

ENDPOINTS = ("response", "benefit_12_months")
Array = NDArray[np.float64]
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(21)
_Z95 = 1.959963984540054


@dataclass(frozen=True)
class Observed:
    """One input on the model's own scale (before standardising): value, and variance of its error (0: exact)."""

    value: float
    variance: float = 0.0


@dataclass(frozen=True, eq=False)
class Conditional:
    """Mean (k,) and covariance (k, k) of the standardised inputs given what was measured."""

    mean: Array
    covariance: Array


def condition(observed: Array, variance: Array, correlation: Array) -> Conditional:
    """Condition standard normal inputs on measurements with errors.

    Parameters
    ----------
    observed
        (k,) standardised values; NaN where nothing was measured.
    variance
        (k,) variance of the error of each, standardised.
    correlation
        (k, k) correlation of the inputs.
    """
    o = np.flatnonzero(~np.isnan(observed))
    if not len(o):
        return Conditional(np.zeros(len(observed)), correlation)
    gain = np.linalg.solve(correlation[np.ix_(o, o)] + np.diag(variance[o]), correlation[o]).T
    rest = correlation - gain @ correlation[o]
    return Conditional(gain @ observed[o], (rest + rest.T) / 2)


def mean_logistic(mean: Array, variance: Array) -> Array:
    """Mean of ``1 / (1 + exp(-eta))`` over normal ``eta``, by 21 Gauss-Hermite nodes (error below 1e-6 up to SD 3)."""
    eta = np.asarray(mean)[..., None] + np.sqrt(np.asarray(variance))[..., None] * _NODES
    return np.asarray((_WEIGHTS / _WEIGHTS.sum() / (1.0 + np.exp(-eta))).sum(axis=-1))


@dataclass(frozen=True, eq=False)
class ResponseModel:
    """Coefficients with their covariance, and the joint distribution of the inputs.

    Attributes
    ----------
    inputs : names of the k inputs. centre, scale, low, high : (k,) mean, standard deviation and the range that values
        are drawn into (first and ninety-ninth percentile of the patients fitted to), on the input's own scale.
    correlation : (k, k). coefficients : endpoint -> (k + 1,), intercept first, per standard deviation.
    covariance : endpoint -> (k + 1, k + 1). between : endpoint -> variance between cohorts. patients, events :
        endpoint -> numbers fitted to.
    """

    inputs: tuple[str, ...]
    centre: Array
    scale: Array
    low: Array
    high: Array
    correlation: Array
    coefficients: Mapping[str, Array]
    covariance: Mapping[str, Array]
    between: Mapping[str, float]
    patients: Mapping[str, int]
    events: Mapping[str, int]

    def standardise(self, values: Mapping[str, Observed]) -> tuple[Array, Array]:
        """Return values and error variances (k,) on the standardised scale, NaN where there is none."""
        x, v = np.full(len(self.inputs), np.nan), np.zeros(len(self.inputs))
        for name, seen in values.items():
            if name not in self.inputs:
                raise unknown_word("input", name, self.inputs)
            j = self.inputs.index(name)
            x[j] = (min(max(seen.value, self.low[j]), self.high[j]) - self.centre[j]) / self.scale[j]
            v[j] = seen.variance / self.scale[j] ** 2
        return x, v

    def given(self, values: Mapping[str, Observed]) -> Conditional:
        """Distribution of the standardised inputs given those measured."""
        return condition(*self.standardise(values), self.correlation)

    def moments(self, endpoint: str, state: Conditional) -> tuple[float, float]:
        """Mean and variance of the linear predictor of an endpoint."""
        if endpoint not in self.coefficients:
            raise unknown_word("endpoint", endpoint, self.coefficients)
        b = self.coefficients[endpoint]
        mean = float(b[0] + b[1:] @ state.mean)
        unseen = float(b[1:] @ state.covariance @ b[1:])
        return mean, max(unseen, 0.0) + self.common_variance(endpoint)

    def common_variance(self, endpoint: str) -> float:
        """Variance that measuring cannot lower: of the coefficients in an average patient, and between cohorts."""
        v = self.covariance[endpoint]
        return float(v[0, 0] + np.trace(v[1:, 1:] @ self.correlation) + self.between[endpoint])

    def probability(self, endpoint: str, values: Mapping[str, Observed]) -> tuple[float, float, float]:
        """Probability with its 95 % interval."""
        mean, variance = self.moments(endpoint, self.given(values))
        edge = mean + np.array([-1.0, 1.0]) * _Z95 * np.sqrt(variance)
        low, high = 1.0 / (1.0 + np.exp(-edge))
        return float(mean_logistic(np.array(mean), np.array(variance))), float(low), float(high)

    def contributions(self, endpoint: str, values: Mapping[str, Observed]) -> dict[str, tuple[float, float]]:
        """What each measurement did: (log odds it moved, in place of being missing; its coefficient's log odds alone).

        The first is the difference of the linear predictor with and without that measurement, the others kept: what
        the others already tell about it is not counted twice.
        """
        whole = self.moments(endpoint, self.given(values))[0]
        x, v = self.standardise(values)
        b = self.coefficients[endpoint]
        answer = {}
        for name in values:
            rest = {n: o for n, o in values.items() if n != name}
            j = self.inputs.index(name)
            answer[name] = (whole - self.moments(endpoint, self.given(rest))[0], float(b[j + 1] * x[j] / (1 + v[j])))
        return answer


def _rows(name: str) -> list[dict[str, str]]:
    text = (files("immunescape.knowledge") / "data" / name).read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


@lru_cache(maxsize=1)
def load_response_model() -> ResponseModel:
    """Load the tables that ship: ``response_inputs.csv``, ``response_coefficients.csv``, ``response_matrices.csv``."""
    rows = _rows("response_inputs.csv")
    names = tuple(r["input"] for r in rows)
    k = len(names)
    place = {n: i for i, n in enumerate(("intercept", *names))}
    centre, scale, low, high = (np.array([float(r[c]) for r in rows]) for c in ("mean", "sd", "low", "high"))
    coefficients = {e: np.full(k + 1, np.nan) for e in ENDPOINTS}
    between, patients, events = dict[str, float](), dict[str, int](), dict[str, int]()
    for r in _rows("response_coefficients.csv"):
        if r["term"] == "between_cohorts":
            between[r["endpoint"]] = float(r["value"]) ** 2
            patients[r["endpoint"]], events[r["endpoint"]] = int(r["patients"]), int(r["events"])
        else:
            coefficients[r["endpoint"]][place[r["term"]]] = float(r["value"])
    correlation = np.eye(k)
    covariance = {e: np.zeros((k + 1, k + 1)) for e in ENDPOINTS}
    for r in _rows("response_matrices.csv"):
        i, j, value = place[r["row"]], place[r["column"]], float(r["value"])
        if r["matrix"] == "correlation":
            correlation[i - 1, j - 1] = correlation[j - 1, i - 1] = value
        else:
            covariance[r["matrix"]][i, j] = covariance[r["matrix"]][j, i] = value
    if any(np.isnan(c).any() for c in coefficients.values()):
        raise ImmunescapeError("response_coefficients.csv lacks a term", hint="Refit: scripts/fit_response.py.")
    return ResponseModel(
        names, centre, scale, low, high, correlation, coefficients, covariance, between, patients, events
    )
