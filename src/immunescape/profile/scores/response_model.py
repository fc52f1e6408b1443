r"""Probability of response, and of 12 months alive without progression, from whatever was measured.

The log odds of a patient are :math:`\eta = b_0 + \beta^T x` with standardised inputs ``x``. Inputs are jointly Gaussian
(an approximation for truth values). Those that were not measured, or were measured with an error (a class of PD-L1),
are integrated over given those that were: :math:`\eta` is then normal with mean :math:`b_0 + \beta^T m` and variance
:math:`\beta^T S \beta`, where ``m`` and ``S`` are the conditional mean and covariance. The variance of the coefficients
and the variance between cohorts are added. The first term can only fall when something is measured, and the two others
are those of an average patient, so on the scale of log odds no interval narrows when a measurement is taken away.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import unknown_word
from immunescape.stats.estimate import NORMAL_975

__all__ = ["ENDPOINTS", "Observed", "ResponseModel", "Standing", "condition", "load_response_model", "mean_logistic"]

ENDPOINTS = ("response", "benefit_12_months")
Array = NDArray[np.float64]
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(21)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
_ORDERS = 16
"""Random orders of the inputs behind the Shapley values; each is also walked backwards."""


@dataclass(frozen=True)
class Observed:
    """One input on the model's own scale (before standardising).

    Attributes
    ----------
    value : what was measured, or the mean within the class that was reported.
    error_variance : variance of the measurement's error (0: exact).
    class_variance : variance within the class that was reported; None for a number.
    """

    value: float
    error_variance: float = 0.0
    class_variance: float | None = None


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where one patient stands for one endpoint.

    Attributes
    ----------
    probability, low, high : probability and its 95 % interval.
    log_odds, variance : mean and variance of the log odds.
    average_log_odds : mean log odds of a patient of whom nothing is known.
    contributions : input -> log odds that it moved (Shapley values); they add up to log_odds - average_log_odds.
    """

    probability: float
    low: float
    high: float
    log_odds: float
    variance: float
    average_log_odds: float
    contributions: Mapping[str, float]


def condition(variance: Array, seen: NDArray[np.bool_], correlation: Array) -> tuple[Array, Array]:
    """Condition standard normal inputs on measurements with errors.

    Parameters
    ----------
    variance
        (k,) variance of the error of each input, standardised.
    seen
        (k,) whether it was measured.
    correlation
        (k, k) covariance of the inputs.

    Returns
    -------
    (gain, rest)
        (k, k) matrix that takes the measured values (0 where there is none) to the conditional mean, and the (k, k)
        conditional covariance.
    """
    k = len(correlation)
    gain = np.zeros((k, k))
    o = np.flatnonzero(seen)
    if not len(o):
        return gain, correlation
    gain[:, o] = np.linalg.solve(correlation[np.ix_(o, o)] + np.diag(variance[o]), correlation[o]).T
    rest = correlation - gain[:, o] @ correlation[o]
    return gain, (rest + rest.T) / 2


def mean_logistic(mean: Array, variance: Array) -> Array:
    """Mean of ``1 / (1 + exp(-eta))`` over normal ``eta``, by 21 Gauss-Hermite nodes (error below 1e-6 up to SD 3)."""
    eta = np.asarray(mean)[..., None] + np.sqrt(np.asarray(variance))[..., None] * _NODES
    return np.asarray(1.0 / (1.0 + np.exp(-eta))) @ _WEIGHTS


@dataclass(frozen=True, eq=False, kw_only=True)
class ResponseModel:
    """Coefficients with their covariance, and the joint distribution of the inputs.

    Attributes
    ----------
    inputs : names of the k inputs.
    centre, scale, low, high : (k,) mean, standard deviation and the range that values are drawn into (first and
        ninety-ninth percentile of the patients fitted to), on the input's own scale.
    correlation : (k, k).
    coefficients : endpoint -> (k + 1,), intercept first, then per standard deviation of the input.
    covariance : endpoint -> (k + 1, k + 1) of the coefficients, over patients and cohorts.
    between : endpoint -> variance of the intercept between cohorts.
    classes : input -> class -> (mean, variance) on the input's own scale.
    provenance : what it was fitted to, when and how.
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
    classes: Mapping[str, Mapping[str, tuple[float, float]]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    _patterns: dict[tuple[str, bytes], Any] = field(default_factory=dict, repr=False)

    def standardise(self, values: Mapping[str, Observed]) -> tuple[Array, Array]:
        """Return values and error variances (k,) on the standardised scale, NaN where there is none.

        A class enters as the measurement with an error that leaves the mean and variance within the class, where
        nothing else is known; a class that varies as much as all patients do says nothing and is left out. A wide
        class would need a value beyond the input's range for that: it is drawn into it, and says a little less.
        """
        x, v = np.full(len(self.inputs), np.nan), np.zeros(len(self.inputs))
        for name, seen in values.items():
            if name not in self.inputs:
                raise unknown_word("input", name, self.inputs)
            j = self.inputs.index(name)
            z = (min(max(seen.value, self.low[j]), self.high[j]) - self.centre[j]) / self.scale[j]
            v[j] = seen.error_variance / self.scale[j] ** 2
            if seen.class_variance is not None:
                share = seen.class_variance / self.scale[j] ** 2
                if share >= 1.0:
                    v[j] = 0.0
                    continue
                edges = (np.array([self.low[j], self.high[j]]) - self.centre[j]) / self.scale[j]
                z, v[j] = float(np.clip(z / (1.0 - share), *edges)), share / (1.0 - share)
            x[j] = z
        return x, v

    def common_variance(self, endpoint: str) -> float:
        """Variance that measuring cannot lower: of the coefficients in an average patient, and between cohorts."""
        v = self.covariance[endpoint]
        return float(v[0, 0] + np.trace(v[1:, 1:] @ self.correlation) + self.between[endpoint])

    def log_odds(self, endpoint: str, x: Array, v: Array) -> tuple[float, float]:
        """Mean and variance of the log odds from standardised values and error variances (k,)."""
        if endpoint not in self.coefficients:
            raise unknown_word("endpoint", endpoint, self.coefficients)
        weights, unseen = self._pattern(endpoint, x, v)[:2]
        mean = self.coefficients[endpoint][0] + weights @ np.nan_to_num(x)
        return float(mean), max(unseen, 0.0) + self.common_variance(endpoint)

    def _pattern(self, endpoint: str, x: Array, v: Array) -> tuple[Array, float, Array | None]:
        """What patients of whom the same was measured share: weights (k,) of the values, variance left."""
        key = (endpoint, np.isnan(x).tobytes() + v.tobytes())
        held = self._patterns.get(key)
        if held is None:
            gain, rest = condition(v, ~np.isnan(x), self.correlation)
            b = self.coefficients[endpoint][1:]
            if len(self._patterns) > 5000:
                self._patterns.clear()
            held = self._patterns[key] = (gain.T @ b, float(b @ rest @ b), None)
        return held

    def _shapley(self, endpoint: str, x: Array, v: Array) -> Array:
        """(k, k) weights: row j times the measured values is the Shapley value of input j.

        The value of a set of inputs is the mean log odds given them alone. Orders are drawn with a fixed seed and
        walked both ways, so the result depends on nothing but the pattern of what was measured. All orders take one
        input a step: a Kalman update of the covariance (o, k, k) and of the map from values to conditional means.
        """
        weights, unseen, held = self._pattern(endpoint, x, v)
        if held is not None:
            return held
        k = len(self.inputs)
        seen = np.flatnonzero(~np.isnan(x))
        rng = np.random.default_rng(20240)
        orders = np.array([rng.permutation(seen) for _ in range(_ORDERS)])
        orders = np.concatenate([orders, orders[:, ::-1]])
        row = np.arange(len(orders))
        left = np.tile(self.correlation, (len(orders), 1, 1))
        means = np.zeros_like(left)
        total = np.zeros((k, k))
        for j in orders.T:
            column = left[row, :, j]
            gain = column / (column[row, j] + v[j])[:, None]
            news = np.eye(k)[j] - means[row, j]
            np.add.at(total, j, (gain @ self.coefficients[endpoint][1:])[:, None] * news)
            means += gain[:, :, None] * news[:, None, :]
            left -= gain[:, :, None] * column[:, None, :]
        held = total / len(orders)
        self._patterns[endpoint, np.isnan(x).tobytes() + v.tobytes()] = (weights, unseen, held)
        return held

    @staticmethod
    def interval(mean: float, variance: float) -> tuple[float, float, float]:
        """Probability, and its 95 % interval, of log odds with this mean and variance."""
        edge = mean + np.array([-1.0, 1.0]) * NORMAL_975 * np.sqrt(variance)
        low, high = 1.0 / (1.0 + np.exp(-edge))
        return float(mean_logistic(np.array(mean), np.array(variance))), float(low), float(high)

    def standing(self, endpoint: str, values: Mapping[str, Observed]) -> Standing:
        """Probability with its 95 % interval, and what each measurement contributed."""
        x, v = self.standardise(values)
        mean, variance = self.log_odds(endpoint, x, v)
        shares = self._shapley(endpoint, x, v) @ np.nan_to_num(x)
        probability, low, high = self.interval(mean, variance)
        return Standing(
            probability=probability,
            low=low,
            high=high,
            log_odds=mean,
            variance=variance,
            average_log_odds=float(self.coefficients[endpoint][0]),
            contributions={n: float(s) for n, s, seen in zip(self.inputs, shares, ~np.isnan(x), strict=True) if seen},
        )

    def to_json(self) -> dict[str, Any]:
        """Content of the data file: numbers to six digits, triangles of symmetric matrices."""

        def rounded(values: Array) -> list[float]:
            return [float(f"{v:.6g}") for v in values]

        def triangle(m: Array) -> list[list[float]]:
            return [rounded(m[i, : i + 1]) for i in range(len(m))]

        return {
            "provenance": dict(self.provenance),
            "inputs": {
                n: dict(zip(("mean", "sd", "low", "high"), rounded(np.array(row)), strict=True))
                for n, row in zip(
                    self.inputs, np.column_stack([self.centre, self.scale, self.low, self.high]).tolist(), strict=True
                )
            },
            "classes": {n: {c: rounded(np.array(m)) for c, m in t.items()} for n, t in self.classes.items()},
            "correlation": triangle(self.correlation),
            "endpoints": {
                e: {
                    "intercept": rounded(b[:1])[0],
                    "coefficients": dict(zip(self.inputs, rounded(b[1:]), strict=True)),
                    "between_cohorts_variance": float(f"{self.between[e]:.6g}"),
                    "covariance": triangle(self.covariance[e]),
                }
                for e, b in self.coefficients.items()
            },
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> ResponseModel:
        """Return the model of a data file's content."""
        names = tuple(content["inputs"])

        def full(rows: list[list[float]]) -> Array:
            m = np.zeros((len(rows), len(rows)))
            for i, row in enumerate(rows):
                m[i, : i + 1] = m[: i + 1, i] = row
            return m

        centre, scale, low, high = (
            np.array([content["inputs"][n][c] for n in names]) for c in ("mean", "sd", "low", "high")
        )
        ends = content["endpoints"]
        return cls(
            inputs=names,
            centre=centre,
            scale=scale,
            low=low,
            high=high,
            correlation=full(content["correlation"]),
            coefficients={
                e: np.array([d["intercept"], *(d["coefficients"][n] for n in names)]) for e, d in ends.items()
            },
            covariance={e: full(d["covariance"]) for e, d in ends.items()},
            between={e: d["between_cohorts_variance"] for e, d in ends.items()},
            classes={n: {c: (m[0], m[1]) for c, m in t.items()} for n, t in content["classes"].items()},
            provenance=content["provenance"],
        )


@lru_cache(maxsize=1)
def load_response_model() -> ResponseModel:
    """Return the model that ships, from ``knowledge/data/response_model.json``."""
    path = files("immunescape.knowledge") / "data" / "response_model.json"
    return ResponseModel.from_json(json.loads(path.read_text(encoding="utf-8")))
