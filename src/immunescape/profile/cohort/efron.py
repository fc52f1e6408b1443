"""The partial likelihood of Cox's model with Efron's ties, by Newton's method on whole arrays.

A fit of one term takes a millisecond, some hundred times less than the general fitters, which matters where every
biomarker meets every endpoint. Tests hold it against R and lifelines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["fit_efron"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class _Order:
    """Rows by falling time: first and last row of each distinct time, deaths, and for each death its time and share."""

    first: NDArray[np.intp]
    last: NDArray[np.intp]
    dead: NDArray[np.bool_]
    group: NDArray[np.intp]
    part: Array


def _derivatives(beta: Array, x: Array, rows: _Order) -> tuple[float, Array, Array]:
    """Return log-likelihood, gradient and information."""
    score = np.exp(x @ beta)
    outer = x[:, :, None] * x[:, None, :]
    risk = [np.cumsum(score), np.cumsum(score[:, None] * x, axis=0), np.cumsum(score[:, None, None] * outer, axis=0)]
    died = score * rows.dead
    tied = [
        np.add.reduceat(died, rows.first),
        np.add.reduceat(died[:, None] * x, rows.first, axis=0),
        np.add.reduceat(died[:, None, None] * outer, rows.first, axis=0),
    ]
    at, part = rows.last[rows.group], rows.part
    s0 = risk[0][at] - part * tied[0][rows.group]
    s1 = risk[1][at] - part[:, None] * tied[1][rows.group]
    s2 = risk[2][at] - part[:, None, None] * tied[2][rows.group]
    mean = s1 / s0[:, None]
    value = float((x[rows.dead] @ beta).sum() - np.log(s0).sum())
    gradient = x[rows.dead].sum(axis=0) - mean.sum(axis=0)
    information = (s2 / s0[:, None, None] - mean[:, :, None] * mean[:, None, :]).sum(axis=0)
    return value, gradient, information


def fit_efron(time: Array, event: Array, x: Array) -> tuple[Array, Array] | None:
    """Return coefficients and their covariance, or None where the likelihood has no maximum.

    Parameters
    ----------
    time, event
        Shape (patients,): times and 1 (event) or 0 (censored), without missing values.
    x
        Shape (patients, terms); each term varies.
    """
    centred = x - x.mean(axis=0)
    scale = centred.std(axis=0)
    order = np.argsort(-time, kind="stable")
    t, e, z = time[order], event[order], (centred / scale)[order]
    starts = np.flatnonzero(np.r_[True, t[1:] != t[:-1]])
    ends = np.r_[starts[1:], len(t)] - 1
    deaths = np.add.reduceat(e, starts).astype(int)
    group = np.repeat(np.arange(len(starts)), deaths)
    part = np.concatenate([np.arange(d) / d for d in deaths if d]) if deaths.any() else np.zeros(0)
    rows = _Order(starts, ends, e == 1, group, part)
    beta = np.zeros(z.shape[1])
    value, gradient, information = _derivatives(beta, z, rows)
    for _ in range(60):
        if not np.isfinite(value) or np.abs(beta).max() > 20:
            return None
        eigenvalues = np.linalg.eigvalsh(information)
        if eigenvalues[0] <= max(1e-12 * eigenvalues[-1], 1e-7 * len(group)):
            return None
        step = np.linalg.solve(information, gradient)
        for _halving in range(12):
            new = _derivatives(beta + step, z, rows)
            if np.isfinite(new[0]) and new[0] >= value - 1e-12 * abs(value):
                break
            step = step / 2
        beta = beta + step
        value, gradient, information = new
        if np.abs(step).max() < 1e-10:
            covariance = np.linalg.inv(information)
            return beta / scale, covariance / np.outer(scale, scale)
    return None
