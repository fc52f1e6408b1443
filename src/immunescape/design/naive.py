"""A naive alternative to a virtual population: the truth that a statistician would assume from its survival curves.

Piecewise-exponential hazards are fitted to each arm of the same virtual patients, all strata together. If a design
performs alike under both truths, the mechanistic population adds nothing to its curves; if not, the difference reflects
what the population contains beyond them: who responds, and how the endpoints of a patient are related.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunescape.design.survival_model import PiecewiseExponential
from immunescape.design.truth import Endpoint, Generator, Rate, VirtualPool
from immunescape.errors import InputError

__all__ = ["PIECES", "compared", "piecewise_fit"]

Floats = NDArray[np.float64]
PIECES = 6
CORRELATIONS = (0.5, 0.7, 0.85, 0.95, 0.3, 0.0)
"""Correlations of progression and death that are tried in turn: the first that both curves allow. Assumed."""


def _hazards(months: Floats, event: Floats, edges: Floats) -> PiecewiseExponential:
    """Events over time at risk in each piece; a piece without events takes half an event."""
    low, high = edges, np.append(edges[1:], np.inf)
    exposure = (np.clip(months[:, None], low, high) - low).sum(axis=0)
    count = ((months[:, None] > low) & (months[:, None] <= high) & (event[:, None] > 0.5)).sum(axis=0)
    hazards = np.maximum(count, 0.5) / np.maximum(exposure, 1e-9)
    return PiecewiseExponential(tuple(float(h) for h in hazards), tuple(float(e) for e in edges[1:]))


def piecewise_fit(pool: VirtualPool, endpoints: Sequence[Endpoint], pieces: int = PIECES) -> Generator:
    """Simple truth fitted to the virtual patients of a pool.

    Parameters
    ----------
    pieces : pieces of the hazard of each survival endpoint, with equal numbers of events of all arms.

    Raises
    ------
    InputError
        If no correlation of progression and death goes with the two curves of an arm.
    """

    def column(arm: str, name: str) -> Floats:
        return np.concatenate([pool.rows[arm, s][name] for s in pool.strata])

    parts: dict[tuple[str, str, str], PiecewiseExponential | Rate] = {}
    for endpoint in endpoints:
        fits: dict[str, PiecewiseExponential | Rate] = {}
        if endpoint.kind == "response":
            fits = {a: Rate(float(np.mean(column(a, endpoint.name) > 0.5))) for a in pool.arms}
        else:
            months = {a: column(a, f"{endpoint.name}_months") for a in pool.arms}
            event = {a: column(a, f"{endpoint.name}_event") for a in pool.arms}
            seen = np.concatenate([months[a][event[a] > 0.5] for a in pool.arms])
            inner = np.quantile(seen, np.arange(1, pieces) / pieces)
            edges = np.unique(np.concatenate([[0.0], inner[inner > 0]]))
            fits = {a: _hazards(months[a], event[a], edges) for a in pool.arms}
        for arm, fit in fits.items():
            for stratum in pool.strata:
                parts[arm, stratum, endpoint.name] = fit
    for correlation in CORRELATIONS:
        try:
            return Generator(pool.arms, pool.strata, pool.shares, parts, correlation)
        except InputError as error:
            reason = error
    raise InputError(f"no piecewise-exponential fit: {reason.message}", hint=reason.hint)


def compared(names: Sequence[str], pool: dict[str, Any], fit: dict[str, Any], errors: Floats | None) -> dict[str, Any]:
    """Figures of a design under a pool and under its fit, and the conclusion.

    Parameters
    ----------
    names : hypotheses. pool, fit : summaries of the scenario. errors : (H + 1,) error of the pool's own size.

    Returns
    -------
    dict
        ``power`` (hypothesis -> pool, fit, difference, its standard error), ``months`` and ``verdict``.
    """
    spread = np.zeros(len(names) + 1) if errors is None else errors
    powers, beyond = {}, []
    for h, name in enumerate(names):
        a, b = pool["reject"][name], fit["reject"][name]
        # the fit is of the same pool: its sampling error is shared and is not in the difference
        error = np.hypot(np.sqrt(max(a.error**2 - spread[h] ** 2, 0.0)), b.error)
        gap = a.value - b.value
        powers[name] = {"pool": a.value, "fit": b.value, "difference": gap, "se": float(error)}
        if abs(gap) > max(3 * error, 0.02):
            beyond.append(f"power of {name} {100 * gap:+.1f} points")
    months = (pool["expected_months"], fit["expected_months"])
    duration = None
    if months[0] is not None and months[1] is not None:
        duration = {"pool": months[0].value, "fit": months[1].value, "difference": months[0].value - months[1].value}
        if abs(duration["difference"]) > max(3 * np.hypot(months[0].error, months[1].error), 1.0):
            beyond.append(f"duration {duration['difference']:+.1f} months")
    if beyond:
        verdict = (
            f"the virtual population differs from a piecewise-exponential fit of its own curves: {', '.join(beyond)}"
        )
    else:
        verdict = "the virtual population adds nothing to a piecewise-exponential fit of its own curves for this design"
    return {"power": powers, "months": duration, "verdict": verdict}
