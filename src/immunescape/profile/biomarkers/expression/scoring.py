"""Single-sample scores of gene sets: ssGSEA, mean, rank; and z-scores against frozen statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = [
    "log2_values",
    "mean_rank",
    "mean_score",
    "ranks_and_places",
    "similarity",
    "smoothed_quantiles",
    "ssgsea",
    "zscore",
]

Matrix = NDArray[np.float64]


def ranks_and_places(values: NDArray[np.floating], gene_rows: NDArray[np.intp]) -> tuple[Matrix, Matrix]:
    """Rank the genes of each sample by the tie rule of GSVA 1.46.

    Tied genes share their average rank, cut to an integer; the walk goes down the values, tied genes in the order of
    the rows.

    Parameters
    ----------
    values
        genes x samples.
    gene_rows
        rows to return.

    Returns
    -------
    tuple
        integer-cut rank (1 = lowest) and place in the walk (0 = highest value), each wanted x samples.
    """
    n, samples = values.shape
    ranks = np.empty((len(gene_rows), samples))
    places = np.empty((len(gene_rows), samples))
    position = np.empty(n, dtype=np.intp)
    columns = np.ascontiguousarray(values.T)
    for j in range(samples):
        column = columns[j]
        order = np.argsort(column, kind="stable")
        ordered = column[order]
        first = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
        last = np.append(first[1:], n)
        group = np.repeat(np.arange(len(first)), last - first)
        position[order] = np.arange(n)
        mine = position[gene_rows]
        start, end = first[group[mine]], last[group[mine]]
        ranks[:, j] = (start + 1 + end) // 2  # average of start+1 .. end, cut to an integer
        places[:, j] = (n - end) + (mine - start)
    return ranks, places


def _members(genes: Sequence[str], sets: Mapping[str, Sequence[str]]) -> tuple[NDArray[np.intp], Matrix]:
    row = {gene: i for i, gene in enumerate(genes)}
    rows = sorted({row[g] for members in sets.values() for g in members if g in row})
    at = {i: k for k, i in enumerate(rows)}
    membership = np.zeros((len(sets), len(rows)))
    for k, members in enumerate(sets.values()):
        for gene in members:
            if gene in row:
                membership[k, at[row[gene]]] = 1.0
    return np.array(rows, dtype=np.intp), membership


def ssgsea(expression: pd.DataFrame, sets: Mapping[str, Sequence[str]], alpha: float = 0.25) -> pd.DataFrame:
    """Score gene sets by single-sample GSEA, raw, as R GSVA 1.46 with ``ssgsea.norm=FALSE``.

    Closed form of the difference of the two running sums (Barbie 2009), with GSVA's rule for ties
    (:func:`ranks_and_places`). A sample's score does not depend on the other samples.

    Parameters
    ----------
    expression
        genes x samples, without missing values; any unit, since only the order within a sample counts.
    sets
        name -> genes; genes that the table lacks are left out.
    alpha
        Weight of the ranks.

    Returns
    -------
    pandas.DataFrame
        sets x samples; NaN for a set without any gene in the table, or with all of them.
    """
    rows, membership = _members([str(g) for g in expression.index], sets)
    n = len(expression)
    if not len(rows):
        return pd.DataFrame(np.nan, index=list(sets), columns=expression.columns)
    ranks, places = ranks_and_places(expression.to_numpy(float), rows)
    weights = ranks**alpha
    remaining = n - places  # genes from this place to the end of the walk
    size = membership.sum(axis=1)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = (membership @ (weights * remaining)) / (membership @ weights)
        outside = (n * (n + 1) / 2 - membership @ remaining) / (n - size)
        scores = np.where((size > 0) & (size < n), inside - outside, np.nan)
    return pd.DataFrame(scores, index=list(sets), columns=expression.columns)


def mean_rank(expression: pd.DataFrame, sets: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Return the mean fractional rank of a set's genes within each sample (0 = lowest, 1 = highest gene).

    Parameters
    ----------
    expression
        genes x samples.
    sets
        name -> genes.

    Returns
    -------
    pandas.DataFrame
        sets x samples.
    """
    ranks = expression.rank(axis=0, method="average").to_numpy()
    fraction = (ranks - 1) / max(len(expression) - 1, 1)
    return _mean(fraction, expression, sets)


def mean_score(expression: pd.DataFrame, sets: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Return the mean value of a set's genes in each sample; give log2(TPM + 1), see :func:`log2_values`."""
    return _mean(expression.to_numpy(float), expression, sets)


def _mean(values: Matrix, expression: pd.DataFrame, sets: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    rows, membership = _members([str(g) for g in expression.index], sets)
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = (membership @ values[rows]) / membership.sum(axis=1)[:, None]
    return pd.DataFrame(scores, index=list(sets), columns=expression.columns)


def zscore(
    expression: pd.DataFrame, sets: Mapping[str, Sequence[str]], mean: pd.Series, deviation: pd.Series
) -> pd.DataFrame:
    """Return combined z-scores (sum of z over the root of their number) with the mean and deviation of a reference.

    The statistics are frozen, not those of the batch, so one sample's score does not depend on the others.

    Parameters
    ----------
    expression
        genes x samples, in the unit of the reference: log2(TPM + 1).
    sets
        name -> genes.
    mean, deviation
        gene -> mean and standard deviation in the reference; genes without deviation are left out.
    """
    usable = deviation.index[(deviation > 0).to_numpy()]
    genes = [g for g in expression.index if g in set(usable)]
    z = expression.loc[genes].sub(mean.loc[genes], axis=0).div(deviation.loc[genes], axis=0)
    rows, membership = _members([str(g) for g in z.index], sets)
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = (membership @ z.to_numpy(float)[rows]) / np.sqrt(membership.sum(axis=1))[:, None]
    scores[membership.sum(axis=1) == 0] = np.nan
    return pd.DataFrame(scores, index=list(sets), columns=expression.columns)


def log2_values(expression: pd.DataFrame, unit: str) -> tuple[pd.DataFrame, str]:
    """Return log2(x + 1) of each sample, and the unit of x.

    TPM remain TPM. Counts become counts per million of the sample (gene length is not known), which are not comparable
    with TPM. Values in log2(TPM + 1) are unchanged.

    Parameters
    ----------
    expression
        genes x samples.
    unit
        ``counts``, ``tpm`` or ``log2_tpm1``.
    """
    if unit == "log2_tpm1":
        return expression, "log2(TPM + 1)"
    if unit == "counts":
        totals = expression.sum(axis=0).replace(0.0, np.nan)
        expression, scale = expression / totals * 1e6, "CPM"
    else:
        scale = "TPM"
    values = np.log2(expression.to_numpy(dtype=float) + 1.0)
    return pd.DataFrame(values, index=expression.index, columns=expression.columns), f"log2({scale} + 1)"


def similarity(expression: pd.DataFrame, mean: pd.Series) -> pd.Series:
    """Return the rank correlation (Spearman) of each sample with a mean sample; it separates libraries and platforms.

    Parameters
    ----------
    expression
        genes x samples.
    mean
        gene -> value; the same genes in the same order.
    """
    ranks = expression.rank(axis=0).to_numpy(float)
    other = mean.rank().to_numpy(float)[:, None]
    ranks, other = ranks - ranks.mean(axis=0), other - other.mean()
    with np.errstate(divide="ignore", invalid="ignore"):
        values = (ranks * other).sum(axis=0) / np.sqrt((ranks**2).sum(axis=0) * (other**2).sum())
    return pd.Series(values, index=expression.columns)


def smoothed_quantiles(values: Matrix, levels: Matrix) -> Matrix:
    """Return the quantiles of Harrell and Davis (1982): weighted means of all order statistics, so no sample's value.

    Parameters
    ----------
    values
        features x samples.
    levels
        between 0 and 1, exclusive.

    Returns
    -------
    array
        features x levels.
    """
    from scipy.stats import beta

    n = values.shape[1]
    edges = np.arange(n + 1) / n
    weights = np.stack([np.diff(beta.cdf(edges, (n + 1) * p, (n + 1) * (1 - p))) for p in levels])
    return np.asarray(np.sort(values, axis=1) @ weights.T, dtype=float)
