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
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.evaluation.fit_terms import Term, limits
from immunescape.evaluation.targets import Target
from immunescape.evaluation.weighting import Sample

__all__ = ["Surface", "design_rows", "fit_surface", "pseudo_values", "rows_of", "solve_surface", "updated"]

FloatArray = NDArray[np.float64]
Samples = Mapping[tuple[str, str], Sample]
SHARE_STEP = 0.05
"""Relative change of the share of a population by which pseudo-values are differentiated."""
FURTHEST = 1.5
"""How far a step may leave the centre, in half-widths of the design."""
PRIOR_FREEDOM = 8.0
"""Degrees of freedom that the usual residual variance counts for beside a target's own."""
CURVED = 0.5
"""Standard deviation by which curvature may change a figure, as a share of the change that slopes predict."""


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


def rows_of(surface: Surface, targets: Sequence[int]) -> Surface:
    """The surface of some of its targets, by their positions."""
    rows = list(targets)
    return replace(
        surface,
        value=surface.value[rows],
        value_se=surface.value_se[rows],
        slope=surface.slope[rows],
        slope_se=surface.slope_se[rows],
    )


def fit_surface(
    targets: Sequence[Target],
    pairs: Sequence[tuple[Samples, Samples]],
    rows: FloatArray,
    centre: FloatArray,
    half: FloatArray,
    relevant: NDArray[np.bool_] | None = None,
) -> Surface:
    """Response surface from the pairs of populations of a design.

    Parameters
    ----------
    targets : figures.
    pairs : for each row of the design, the population at centre + row x half and its mirror image.
    rows : (pairs, terms) of +1 and -1. centre, half : (terms,) of the design.
    relevant : (targets, terms) whether a term can change a target at all; None: every one. A term that cannot has a
        slope of zero, and what the design shows for it is sampling error, from which that of the others is estimated.
    """
    if len(pairs) != len(rows):
        raise InputError(f"{len(pairs)} pairs of populations for {len(rows)} rows of the design")
    values, _ = pseudo_values(targets, [p for pair in pairs for p in pair])
    up, down = values[0::2], values[1::2]
    middle, difference = 0.5 * (up + down), 0.5 * (up - down)
    n, terms = rows.shape
    able = np.ones((len(targets), terms), dtype=bool) if relevant is None else relevant
    effect = rows.T @ difference / n * able.T  # (terms, targets): the columns of the design are orthogonal
    left = difference - rows @ effect
    error = np.sqrt(_residual_variance(left, middle, n - able.sum(axis=1)) / n)
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = np.clip(1.0 - (error / effect) ** 2, 0.0, 1.0)
    slope = np.nan_to_num(effect * np.nan_to_num(kept)).T / half
    return Surface(
        np.array(centre, dtype=float),
        np.array(half, dtype=float),
        middle.mean(axis=0),
        middle.std(axis=0, ddof=1) / math.sqrt(n),
        slope,
        np.nan_to_num(error)[:, None] / half,
    )


def _residual_variance(left: FloatArray, middle: FloatArray, freedom: NDArray[np.int_]) -> FloatArray:
    """Variance (targets,) of a half-difference of a row and its mirror image.

    Few degrees of freedom are left, so each target's estimate is drawn towards the share of the variance between rows
    that is usual among the targets (as in ``smyth2004``, with a fixed weight).
    """
    residual = np.nansum(left**2, axis=0)
    between = np.nanvar(middle, axis=0, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        usual = float(np.nansum(residual / between) / max(float(freedom.sum()), 1.0)) if (between > 0).any() else 0.0
    variance: FloatArray = (residual + PRIOR_FREEDOM * usual * between) / (np.maximum(freedom, 0) + PRIOR_FREEDOM)
    return np.maximum(variance, 1e-12)


def solve_surface(
    targets: Sequence[Target], surface: Surface, moving: Sequence[Term], *, reach: float = FURTHEST
) -> tuple[FloatArray, FloatArray]:
    """Maximum a posteriori coordinates (terms,) on a surface, and their covariance (Laplace).

    A target that cannot be computed from the virtual patients is left out.
    """
    from scipy.optimize import lsq_linear

    prior, mean = np.array([t.prior_sd for t in moving]), np.array([t.prior_mean for t in moving])
    kept = np.isfinite(surface.value)
    spread = np.array([math.hypot(t.sd, e) for t, e in zip(targets, surface.value_se, strict=True)])[kept]
    aim = np.array([t.value for t in targets])[kept]
    matrix = np.vstack([surface.slope[kept] / spread[:, None], np.diag(1.0 / prior)])
    # unknown: the step from the centre
    right = np.concatenate([(aim - surface.value[kept]) / spread, (mean - surface.centre) / prior])
    bound = limits(moving)
    low = np.maximum(-reach * surface.half, -bound - surface.centre)
    high = np.minimum(reach * surface.half, bound - surface.centre)
    low, high = np.minimum(low, -1e-9), np.maximum(high, 1e-9)
    step = lsq_linear(matrix, right, bounds=(low, high)).x
    covariance: FloatArray = np.linalg.inv(matrix.T @ matrix)
    return surface.centre + step, covariance


def updated(surface: Surface, x: FloatArray, value: FloatArray, value_se: FloatArray) -> Surface:
    """The surface about a new fit `x`, whose patients give the figures `value`.

    The figures there are the mean of what the patients of the fit give and what the surface predicts, weighted by
    precision: the prediction rests on all patients of the design, and is uncertain by their number and by curvature
    (`CURVED`). Slopes change least (Broyden's update).
    """
    step = (np.asarray(x) - surface.centre) / surface.half
    length = float(step @ step)
    predicted = surface.at(x)
    doubt = surface.value_se**2 + (CURVED * (predicted - surface.value)) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(np.isfinite(predicted), doubt / (doubt + value_se**2), 1.0)  # of the new patients
    share = np.where(np.isfinite(value), np.nan_to_num(share, nan=1.0), 0.0)
    joined = np.where(share > 0.0, share * np.nan_to_num(value), 0.0) + np.where(
        share < 1.0, (1.0 - share) * np.nan_to_num(predicted, nan=0.0), 0.0
    )
    joined = np.where(np.isfinite(value) | np.isfinite(predicted), joined, np.nan)
    error = np.sqrt(share**2 * value_se**2 + (1.0 - share) ** 2 * doubt)
    slope = surface.slope.copy()
    if length > 1e-12:
        missed = np.nan_to_num(joined - predicted)
        slope += (missed / length)[:, None] * (step / surface.half)[None, :]
    return Surface(np.array(x), surface.half, joined, error, slope, surface.slope_se)
