"""Draws from the posterior of a calibration, beyond its normal approximation, and the table in which they ship.

Points are proposed by Student's t about the optimum, with the covariance of the curvature there, and drawn again in
proportion to posterior over proposal density (sampling, importance, resampling; ``rubin1988sir``). The share of
effective proposals says how good the normal approximation was.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.evaluation.fit_terms import Term, limits
from immunescape.evaluation.weighting import effective_size
from immunescape.knowledge.tables import parse_rows

__all__ = ["Draws", "covariance_root", "draw_posterior", "read_draws"]

FloatArray = NDArray[np.float64]
FREEDOM = 8.0
"""Degrees of freedom of the proposals: tails above those of the normal approximation."""


@dataclass(frozen=True)
class Draws:
    """Coordinates (draws, terms) from a posterior, and how many of the proposals were effective."""

    x: FloatArray
    moving: tuple[Term, ...]
    proposals: int
    effective: float

    def to_csv(self) -> str:
        """A column for each term (``name:term``), a row for each draw, in the terms' own units."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([f"{t.name}:{t.term}" for t in self.moving])
        for row in self.x:
            writer.writerow([f"{t.value(float(v)):.4g}" for t, v in zip(self.moving, row, strict=True)])
        return out.getvalue()


def covariance_root(covariance: FloatArray, least: float = 0.0) -> FloatArray:
    """Matrix r with r @ r.T the covariance, made symmetric, its eigenvalues at least `least`."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2.0)
    root: FloatArray = vectors * np.sqrt(np.maximum(values, least))
    return root


def draw_posterior(
    log_posterior: Callable[[FloatArray], float],
    mode: FloatArray,
    covariance: FloatArray,
    moving: Sequence[Term],
    count: int,
    seed: int,
    *,
    proposals: int | None = None,
) -> Draws:
    """Draw coordinates from a posterior.

    Parameters
    ----------
    log_posterior : ln of the density, up to a constant, at coordinates (terms,).
    mode, covariance : optimum, and covariance of the normal approximation there.
    moving : the terms, which bound the coordinates.
    count, seed : how many draws, and the seed. proposals : how many points are weighed; None takes twice the draws.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0xD4A3,)))
    n = proposals or 2 * count
    root = covariance_root(covariance, 1e-12)
    limit = limits(moving)
    z = rng.standard_normal((n, len(mode)))
    chi = rng.chisquare(FREEDOM, n) / FREEDOM
    points = mode + (z / np.sqrt(chi)[:, None]) @ root.T
    # proposals beyond what a coordinate may reach have no posterior density
    inside = (np.abs(points) <= limit).all(axis=1)
    proposal = -0.5 * (FREEDOM + len(mode)) * np.log1p((z**2).sum(axis=1) / chi / FREEDOM)
    ln = np.full(n, -np.inf)
    for k in np.flatnonzero(inside):
        ln[k] = log_posterior(points[k]) - proposal[k]
    if not np.isfinite(ln).any():
        raise InputError("no proposal has a posterior density", hint="Widen the limits or fit for longer.")
    weights = np.exp(ln - ln.max())
    weights = weights / weights.sum()
    # systematic resampling: as many copies of a point as its weight asks for, up to one more or less
    places = (rng.uniform() + np.arange(count)) / count
    chosen = np.minimum(np.searchsorted(np.cumsum(weights), places), n - 1)
    return Draws(points[chosen], tuple(moving), n, effective_size(weights))


def read_draws(text: str, moving: Sequence[Term], origin: str) -> FloatArray:
    """Coordinates (draws, terms) from the table of `Draws.to_csv`; terms that it lacks are 0.

    Raises
    ------
    InputError
        For a column that is not a term, or a cell that cannot be its value, with its line.
    """
    rows = parse_rows(text, None, origin)
    if not rows:
        raise InputError("the table contains no draws", where=origin)
    names = [f"{t.name}:{t.term}" for t in moving]
    for column in rows[0]:
        if column not in names:
            raise InputError(f"the column '{column}' is not a term that can be fitted", where=origin)
    places = {column: names.index(column) for column in rows[0]}
    out = np.zeros((len(rows), len(moving)))
    for i, row in enumerate(rows):
        for column, k in places.items():
            value = row.number(column)
            try:
                out[i, k] = moving[k].coordinate(value)
            except ValueError:  # a ratio that is not above 0
                raise InputError(f"'{column}' cannot be {value:g}", where=row.where) from None
    return out
