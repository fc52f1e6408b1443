"""Calibration by a response surface: how every target changes with every term, from one designed experiment.

Weights cannot carry a population far, since lesions, clones and drugs are scores of their own: few patients stay
effective. Here the populations of a round are a two-level screening design about the present fit (rows of a Hadamard
matrix, each with its mirror image, ``plackett1946``): in each, all terms are moved at once, up or down. A row and its
mirror image share their patients, so that sampling error nearly cancels in the difference from which slopes are
estimated, and different rows have different patients, so that it averages out in the mean. Every patient of the design
thus contributes to every slope and to the values at the centre.

A target (a hazard ratio, a response rate) is no mean over patients. Each population's part in it is its *pseudo-value*
(``andersen2010``): the figure of all patients together, and the derivative of that figure in the share of the
population. Slopes follow by least squares, with standard errors from what the design leaves; those within their
standard error of zero are shrunk towards it (James and Stein's factor), since they would otherwise be fitted to chance.

The fit is a maximum a posteriori estimate with those slopes, restricted to the region of the design. Patients of one
further set are then simulated at each new fit, the values replaced and the slopes updated (``broyden1965``), so that
curvature is not extrapolated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.evaluation.fit_terms import Term, limits
from immunescape.evaluation.targets import Target
from immunescape.evaluation.weighting import Sample

__all__ = ["Surface", "design_rows", "fit_surface", "pseudo_values", "solve_surface", "updated"]

FloatArray = NDArray[np.float64]
Samples = Mapping[tuple[str, str], Sample]
SHARE_STEP = 0.05
"""Relative change of the share of a population by which pseudo-values are differentiated."""
FURTHEST = 1.5
"""How far a step may leave the centre, in half-widths of the design."""


def design_rows(count: int) -> FloatArray:
    """Two-level design (rows, terms) of a power of two of rows, at least one more than there are terms; +1 and -1.

    Columns of a Hadamard matrix but the constant one: orthogonal and balanced.
    """
    from scipy.linalg import hadamard

    rows = 1 << max(1, math.ceil(math.log2(count + 1)))
    matrix: FloatArray = hadamard(rows).astype(float)[:, 1 : count + 1]
    return matrix


def pseudo_values(targets: Sequence[Target], populations: Sequence[Samples]) -> tuple[FloatArray, FloatArray]:
    """Each population's part in every target.

    Parameters
    ----------
    targets : figures on the scale of their residuals.
    populations : samples of every arm of each population.

    Returns
    -------
    values : (populations, targets); their mean over populations is the figure of all patients together. NaN where a
        figure cannot be computed.
    pooled : (targets,) figures of all patients together.
    """
    from immunescape.evaluation.weighting import pool

    keys = list(populations[0])
    joined = {key: pool([p[key] for p in populations]) for key in keys}
    owner = {key: np.repeat(np.arange(len(populations)), [len(p[key]) for p in populations]) for key in keys}

    def figures(emphasis: int | None) -> FloatArray:
        weighted = {}
        for key in keys:
            w = np.ones(len(joined[key]))
            if emphasis is not None:
                w[owner[key] == emphasis] *= 1.0 + SHARE_STEP
            weighted[key] = (joined[key], w / w.sum())
        return np.array([t.figure(weighted) for t in targets], dtype=float)

    centre = figures(None)
    size = len(populations)
    # d figure / d share of population k; sum over k of the derivatives is zero to first order
    slopes = np.array([(figures(k) - centre) * size / SHARE_STEP for k in range(size)])
    values: FloatArray = centre + slopes - slopes.mean(axis=0)
    return values, centre


@dataclass(frozen=True)
class Surface:
    """Linear response of targets to terms about a fit.

    Attributes
    ----------
    centre : (terms,) coordinates of the fit. half : (terms,) half-widths of the design.
    value : (targets,) figures at the centre. value_se : their standard errors from virtual patients.
    slope : (targets, terms) change per unit of a coordinate. slope_se : standard errors.
    """

    centre: FloatArray
    half: FloatArray
    value: FloatArray
    value_se: FloatArray
    slope: FloatArray
    slope_se: FloatArray

    def at(self, x: FloatArray) -> FloatArray:
        """Figures (targets,) at coordinates `x`."""
        predicted: FloatArray = self.value + self.slope @ (np.asarray(x) - self.centre)
        return predicted


def fit_surface(
    targets: Sequence[Target],
    pairs: Sequence[tuple[Samples, Samples]],
    rows: FloatArray,
    centre: FloatArray,
    half: FloatArray,
) -> Surface:
    """Response surface from the pairs of populations of a design.

    Parameters
    ----------
    targets : figures.
    pairs : for each row of the design, the population at centre + row x half and its mirror image.
    rows : (pairs, terms) of +1 and -1. centre, half : (terms,) of the design.
    """
    if len(pairs) != len(rows):
        raise InputError(f"{len(pairs)} pairs of populations for {len(rows)} rows of the design")
    ordered = [p for pair in pairs for p in pair]
    values, _ = pseudo_values(targets, ordered)
    up, down = values[0::2], values[1::2]
    middle, difference = 0.5 * (up + down), 0.5 * (up - down)
    n, terms = rows.shape
    effect = rows.T @ difference / n  # (terms, targets): the columns of the design are orthogonal
    left = difference - rows @ effect
    freedom = max(n - terms, 1)
    noise = (left**2).sum(axis=0) / freedom
    error = np.sqrt(np.nanmax(np.vstack([noise, np.full(noise.shape, 1e-12)]), axis=0) / n)
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = np.clip(1.0 - (error / effect) ** 2, 0.0, 1.0)
    slope = np.nan_to_num(effect * np.nan_to_num(kept)).T / half
    return Surface(
        np.array(centre, dtype=float), np.array(half, dtype=float), middle.mean(axis=0),
        middle.std(axis=0, ddof=1) / math.sqrt(n), slope, np.nan_to_num(error)[:, None] / half,
    )  # fmt: skip


def solve_surface(
    targets: Sequence[Target], surface: Surface, moving: Sequence[Term], *, reach: float = FURTHEST
) -> tuple[FloatArray, FloatArray]:
    """Maximum a posteriori coordinates (terms,) on a surface, and their covariance (Laplace).

    A target that cannot be computed from the virtual patients is left out.
    """
    from scipy.optimize import lsq_linear

    prior = np.array([t.prior_sd for t in moving])
    kept = np.isfinite(surface.value)
    spread = np.array([math.hypot(t.sd, e) for t, e in zip(targets, surface.value_se, strict=True)])[kept]
    aim = np.array([t.value for t in targets])[kept]
    matrix = np.vstack([surface.slope[kept] / spread[:, None], np.diag(1.0 / prior)])
    # unknown: the step from the centre
    right = np.concatenate([(aim - surface.value[kept]) / spread, -surface.centre / prior])
    bound = limits(moving)
    low = np.maximum(-reach * surface.half, -bound - surface.centre)
    high = np.minimum(reach * surface.half, bound - surface.centre)
    low, high = np.minimum(low, -1e-9), np.maximum(high, 1e-9)
    step = lsq_linear(matrix, right, bounds=(low, high)).x
    covariance: FloatArray = np.linalg.inv(matrix.T @ matrix)
    return surface.centre + step, covariance


def updated(surface: Surface, x: FloatArray, value: FloatArray, value_se: FloatArray) -> Surface:
    """The surface about a new fit `x`, where the figures are `value`: slopes change least (Broyden's update)."""
    step = (np.asarray(x) - surface.centre) / surface.half
    length = float(step @ step)
    slope = surface.slope.copy()
    kept = np.isfinite(value) & np.isfinite(surface.value)
    if length > 1e-12:
        missed = np.where(kept, value - surface.at(x), 0.0)
        # noise of the two values must not turn into slope: the correction is shrunk by the length of the step
        slope += (missed / (length + 1.0))[:, None] * (step / surface.half)[None, :]
    return Surface(np.array(x), surface.half, np.array(value), np.array(value_se), slope, surface.slope_se)
