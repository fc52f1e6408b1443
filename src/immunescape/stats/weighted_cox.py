"""Cox's model of two groups with weights: one for each patient, or one for each patient at each event."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["robust_log_hazard_ratio", "weighted_hazard_ratio"]

Array = NDArray[np.float64]


def weighted_hazard_ratio(a: tuple[Array, Array], wa: Array, b: tuple[Array, Array], wb: Array) -> float:
    """Ln of the hazard ratio of group a over group b by a weighted Cox model (Breslow's ties).

    Parameters
    ----------
    a, b : (months, event) of each group.
    wa, wb : their weights, each adding up to 1.
    """
    time = np.concatenate([a[0], b[0]])
    event = np.concatenate([a[1], b[1]])
    w_in = np.concatenate([wa, np.zeros(len(wb))])
    w_out = np.concatenate([np.zeros(len(wa)), wb])
    order = np.argsort(time, kind="stable")
    time, event, w_in, w_out = time[order], event[order], w_in[order], w_out[order]
    first = np.searchsorted(time, time, side="left")
    risk_in = np.cumsum(w_in[::-1])[::-1][first]
    risk_out = np.cumsum(w_out[::-1])[::-1][first]
    died = event * (w_in + w_out)
    target = float((event * w_in).sum())
    if not 0.0 < target < died.sum():
        return math.nan
    beta = 0.0
    for _ in range(30):
        risk_scaled = risk_in * math.exp(beta)
        mean = risk_scaled / np.maximum(risk_scaled + risk_out, 1e-300)
        step = (target - float((died * mean).sum())) / max(float((died * mean * (1.0 - mean)).sum()), 1e-12)
        beta += float(np.clip(step, -1.0, 1.0))
        if abs(step) < 1e-9:
            break
    return beta


def robust_log_hazard_ratio(group: Array, patient: NDArray[np.intp], weight: Array) -> tuple[float, float]:
    """Log hazard ratio of a Cox model whose weights change in time, and its robust standard error.

    The variance is summed over patients, with the weights taken as known.

    Parameters
    ----------
    group : (n,) 1 for patients of the numerator, 0 for the others.
    patient : (k,) the patient of each event, by time of the event; both groups have an event.
    weight : (n, k) weight of each patient at each event, 0 for those no longer at risk.
    """
    from scipy.optimize import brentq

    event_weight = weight[patient, np.arange(len(patient))]
    risk_in, risk_out = weight.T @ group, weight.T @ (1.0 - group)

    def mean(beta: float) -> Array:
        values: Array = risk_in * np.exp(beta) / (risk_in * np.exp(beta) + risk_out)
        return values

    def slope(beta: float) -> float:
        return float(np.sum(event_weight * (group[patient] - mean(beta))))

    beta = float(brentq(slope, -8.0, 8.0))
    share = mean(beta)
    information = float(np.sum(event_weight * share * (1 - share)))
    hazard = event_weight / (risk_in * np.exp(beta) + risk_out)
    residual = -np.exp(beta * group) * ((weight * (group[:, None] - share[None, :])) @ hazard)
    np.add.at(residual, patient, event_weight * (group[patient] - share))
    return beta, float(np.sqrt(np.sum(residual**2)) / information)
