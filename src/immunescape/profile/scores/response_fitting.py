"""Fit of the response model: joint distribution of inputs with gaps, logistic model over what is missing, bootstrap.

Nothing here reads data; `scripts/fit_response.py` gives it the patients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from immunescape.errors import InputError
from immunescape.stats.survival import product_limit

__all__ = ["FittedEndpoint", "Gaps", "benefit_labels", "fit_inputs", "fit_logistic"]

Array = NDArray[np.float64]
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(11)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
_UNSEEN = 1e9
"""Error variance that stands for a gap, so that all groups are solved at once (standardised inputs vary by 1)."""
PRIOR_PATIENTS = 20.0
"""Weight, in patients, of the prior correlation of the inputs (assumed: little beside 1,000 patients)."""
BETWEEN_PRIOR = (2.0, 0.3)
"""Weight in cohorts, and standard deviation of log odds between cohorts, of the prior of that spread (assumed)."""


@dataclass(frozen=True, eq=False)
class Gaps:
    """Patients grouped by what was measured of them.

    Attributes
    ----------
    values, variances : (n, k) standardised values (NaN: missing) and error variances.
    member : (n,) group of each patient. first : (g,) one patient of each group.
    """

    values: Array
    variances: Array
    member: NDArray[np.int64]
    first: NDArray[np.int64]

    @classmethod
    def of(cls, values: Array, variances: Array) -> Gaps:
        """Group patients with the same pattern of measurements and errors."""
        if values.shape != variances.shape or np.isinf(values).any() or not np.isfinite(variances).all():
            raise InputError("values and error variances must have one shape and be finite", hint="NaN marks a gap.")
        if (variances < 0).any():
            raise InputError("an error variance is negative")
        key = np.column_stack([np.isnan(values), np.where(np.isnan(values), 0.0, variances)])
        _, first, member = np.unique(key, axis=0, return_index=True, return_inverse=True)
        return cls(values, variances, member.reshape(-1), first)

    def conditioned(self, mean: Array, covariance: Array) -> tuple[Array, Array]:
        """Conditional means (n, k) of the patients and conditional covariances (g, k, k) of the groups."""
        z = np.where(np.isnan(self.values), 0.0, self.values - mean)
        first = self.values[self.first]
        errors = np.where(np.isnan(first), _UNSEEN, self.variances[self.first])
        noisy = covariance + errors[:, :, None] * np.eye(len(covariance))
        gains = np.linalg.solve(noisy, np.broadcast_to(covariance, noisy.shape)).transpose(0, 2, 1)
        rests = covariance - gains @ covariance
        means = mean + np.einsum("nij,nj->ni", gains[self.member], z)
        return means, (rests + rests.transpose(0, 2, 1)) / 2


def fit_inputs(
    gaps: Gaps, weights: Array, prior: Array, steps: int = 200, start: tuple[Array, Array] | None = None
) -> tuple[Array, Array]:
    """Mean (k,) and covariance (k, k) of jointly Gaussian inputs with gaps and errors, by EM (posterior mode).

    Parameters
    ----------
    gaps
        Patients.
    weights
        (n,) weight of each.
    prior
        (k, k) prior covariance, worth `PRIOR_PATIENTS` patients; it alone says how two inputs go together that were
        never measured in one patient.
    steps
        Most iterations.
    start
        Mean and covariance to start from; None: 0 and the prior.
    """
    mean, covariance = (np.zeros(len(prior)), prior.copy()) if start is None else start
    total = weights.sum()
    by_group = np.bincount(gaps.member, weights=weights, minlength=len(gaps.first))
    for _ in range(steps):
        means, rests = gaps.conditioned(mean, covariance)
        mean = weights @ means / (total + PRIOR_PATIENTS)
        off = means - mean
        scatter = (off * weights[:, None]).T @ off + np.einsum("g,gij->ij", by_group, rests)
        fresh = (scatter + PRIOR_PATIENTS * (prior + np.outer(mean, mean))) / (total + PRIOR_PATIENTS)
        change = np.abs(fresh - covariance).max()
        covariance = fresh
        if change < 1e-5:
            break
    return mean, covariance


@dataclass(frozen=True, eq=False)
class FittedEndpoint:
    """A fitted endpoint: (k + 1,) coefficients, variance between cohorts, intercepts of the cohorts, log posterior."""

    coefficients: Array
    between: float
    intercepts: Mapping[str, float]
    log_posterior: float


def fit_logistic(
    means: Array,
    rests: Array,
    *,
    member: NDArray[np.int64],
    cohort: NDArray[np.str_],
    outcome: Array,
    weights: Array,
    prior_mean: Array,
    prior_sd: Array,
    between: float | None = None,
    start: FittedEndpoint | None = None,
) -> FittedEndpoint:
    """Logistic model of an outcome, integrated over inputs that were not measured; intercepts of cohorts are random.

    Parameters
    ----------
    means, rests, member
        (n, k) conditional means of the inputs, (g, k, k) conditional covariances of the groups, (n,) group.
    cohort
        (n,) cohort of each patient.
    outcome, weights
        (n,) 0 or 1, and weights.
    prior_mean, prior_sd
        (k,) normal prior of the coefficients.
    between
        Variance of the intercept between cohorts; None estimates it (Laplace approximation, `BETWEEN_PRIOR`).
    start
        A fit of the same cohorts to start from.
    """
    if not np.isin(outcome, (0.0, 1.0)).all() or (weights < 0).any() or not np.isfinite(means).all():
        raise InputError("outcomes must be 0 or 1, weights not negative and inputs finite")
    names, place = np.unique(cohort, return_inverse=True)
    c = len(names)

    def loss(theta: Array, tau2: float) -> tuple[float, Array]:
        a, b0, beta = theta[:c], theta[c], theta[c + 1 :]
        spread = np.einsum("gij,j->gi", rests, beta)
        sd = np.sqrt(np.maximum(spread @ beta, 1e-12))[member]
        eta = (a[place] + means @ beta)[:, None] + sd[:, None] * _NODES
        s = 1.0 / (1.0 + np.exp(-eta))
        p = np.clip(s @ _WEIGHTS, 1e-12, 1 - 1e-12)
        slope = s * (1 - s)
        d_mean = slope @ _WEIGHTS
        d_sd = (slope * _NODES) @ _WEIGHTS
        off = -weights * (outcome / p - (1 - outcome) / (1 - p))
        g_beta = (off * d_mean) @ means + ((off * d_sd / sd)[:, None] * spread[member]).sum(axis=0)
        z, u = (beta - prior_mean) / prior_sd, a - b0
        value = -(weights * (outcome * np.log(p) + (1 - outcome) * np.log1p(-p))).sum()
        value += 0.5 * z @ z + 0.5 * u @ u / tau2 + 0.5 * b0**2 / 9.0
        g_a = np.bincount(place, weights=off * d_mean, minlength=c) + u / tau2
        return float(value), np.r_[g_a, -u.sum() / tau2 + b0 / 9.0, g_beta + z / prior_sd]

    tau2 = BETWEEN_PRIOR[1] ** 2 if between is None else between
    base = np.clip(weights @ outcome / max(weights.sum(), 1e-9), 0.01, 0.99)
    theta = np.r_[np.full(c + 1, np.log(base / (1 - base))), prior_mean]
    if start is not None:
        theta = np.r_[[start.intercepts[n] for n in names.tolist()], start.coefficients]
    for _ in range(1 if between is not None else 12):
        optimum = minimize(loss, theta, args=(tau2,), jac=True, method="L-BFGS-B", options={"maxiter": 500})
        theta = optimum.x
        if between is None:
            step = 1e-4
            rows = [
                (loss(theta + step * e, tau2)[1] - loss(theta - step * e, tau2)[1]) / (2 * step)
                for e in np.eye(len(theta))
            ]
            inverse = np.linalg.inv((np.array(rows) + np.array(rows).T) / 2)
            u = theta[:c] - theta[c]
            var = np.diag(inverse)[:c] + inverse[c, c] - 2 * inverse[:c, c]
            fresh = float((u @ u + var.sum() + BETWEEN_PRIOR[0] * BETWEEN_PRIOR[1] ** 2) / (c + BETWEEN_PRIOR[0]))
            if abs(fresh - tau2) < 1e-4:
                break
            tau2 = fresh
    return FittedEndpoint(
        np.r_[theta[c], theta[c + 1 :]],
        tau2,
        dict(zip(names.tolist(), theta[:c].tolist(), strict=True)),
        -float(optimum.fun),
    )


def benefit_labels(pfs: Array, progressed: Array, os: Array, died: Array, month: float = 12.0) -> tuple[Array, Array]:
    """Alive and without progression at a month, with inverse-probability-of-censoring weights (one cohort).

    Parameters
    ----------
    pfs, progressed
        (n,) months to progression or death, 1 where it was seen and 0 where censored.
    os, died
        (n,) months of overall survival, 1 where the patient died.
    month
        When benefit is asked for.

    Returns
    -------
    (label, weight)
        1 with benefit, 0 without; weight 0 (label 0) where it cannot be known: censored before that month, alive.
        The others carry 1 over the Kaplan-Meier probability of not yet being censored when it became known.
    """
    at, event = pfs.astype(float).copy(), progressed.astype(float) == 1
    late = ~event & (died == 1) & (os >= pfs)
    at[late], event = os[late], event | late  # a death after the last scan ends survival without progression
    if np.isnan(at).any() or (at < 0).any():
        raise InputError("months of survival must be given and not negative", hint="Leave such patients out.")
    observed = event | (at >= month)
    label = (at >= month).astype(float)
    label[event & (at < month)] = 0.0
    censoring = product_limit(at, ~event)
    # just before the event: patients that are censored at the same time count as still under observation
    before = np.searchsorted(censoring.time, np.minimum(at, month), side="left")
    kept = np.r_[1.0, censoring.survival][before]
    weight = np.where(observed, 1.0 / np.maximum(kept, 1e-3), 0.0)
    return np.where(observed, label, 0.0), weight
