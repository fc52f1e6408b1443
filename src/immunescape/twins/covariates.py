"""Covariates of twins: the covariate population conditioned on facts about it.

Facts in words (sex, histology, genes …) follow from each other by conditional prevalences: the number behind each is
drawn from where it gives the word that was found. Everything measured on a scale shares a
Gaussian copula in the population, so what was measured is drawn first, each from its own prior times its likelihood
(on a grid of scores, which takes any error and any mapping from score to value), and the rest from the conditional
Gaussian. What that leaves is an importance weight: how likely the measurements are given the patient's words, and how
the measured scores go together. Candidates are resampled by it, because growing a tumour costs more than drawing one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError, unknown_word
from immunescape.population.covariates import (
    COLUMNS,
    LATENT,
    PLAIN,
    Region,
    covariates_at,
    facts_at,
    latent_pairs,
    sample_covariates,
)
from immunescape.population.distributions import nearest_correlation
from immunescape.twins.facts import Fact

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SCORED", "CovariateDraws", "conditional_covariates", "effective", "systematic"]

FloatArray = NDArray[np.float64]
SCORED: Mapping[str, str] = {
    "age": "age",
    "albumin_g_l": "albumin",
    "ldh_uln": "ldh",
    "nlr": "nlr",
    "ecog": "ecog",
    "n_sites": "sites",
    "n_target_lesions": "targets",
    "sld_mm": "sld",
    "liver_mets": "liver",
    "brain_mets": "brain",
    "pdl1_tps": "tps",
    "tmb_mut_mb": "tmb",
}
"""Covariate -> the normal score that it follows from, once the patient's words are known."""
FOLLOWS: Mapping[str, tuple[str, ...]] = {
    "age": ("histology",),
    "n_sites": ("stage",),
    "liver_mets": ("histology", "stage"),
    "brain_mets": ("histology", "stage"),
    "pdl1_tps": ("histology", "driver", "kras", "stk11", "smoking"),
    "tmb_mut_mb": ("histology", "driver", "smoking"),
}
"""Covariate -> the words that its distribution depends on."""
_POOL = 6
_NUMBER = {"kras_g12c": "g12c"}
_LEVELS = 20_000
_GRID = np.linspace(-4.75, 4.75, 381)


@dataclass(frozen=True)
class CovariateDraws:
    """Covariates of n twins, alike in weight.

    Attributes
    ----------
    table : (n, columns), indexed by the number of the candidate.
    share : effective share of the pool that they were resampled from.
    surprise : target -> probability, in the population, of a measurement as far out as this, or of these words.
    """

    table: pd.DataFrame
    share: float
    surprise: Mapping[str, float]


def effective(weights: FloatArray) -> float:
    """Effective sample size of weights."""
    total = float(weights.sum())
    return total**2 / float((weights**2).sum()) if total > 0.0 else 0.0


def systematic(weights: FloatArray, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Positions (n,) drawn in proportion to weights, each as often as its weight says up to one."""
    edges = np.cumsum(weights / weights.sum())
    places = np.searchsorted(edges, (rng.random() + np.arange(n)) / n, side="right")
    return np.minimum(places, len(weights) - 1).astype(np.int64)


@lru_cache(maxsize=1)
def _correlation() -> FloatArray:
    matrix = np.eye(len(LATENT))
    for (a, b), rho in latent_pairs().items():
        i, j = LATENT.index(a), LATENT.index(b)
        matrix[i, j] = matrix[j, i] = rho
    return nearest_correlation(matrix)


def conditional_covariates(
    facts: Sequence[Fact], n: int, *, seed: int, start: int = 0, region: Region = "western"
) -> CovariateDraws:
    """Draw the covariates of n twins.

    Parameters
    ----------
    facts
        About covariates; without any the twins are candidates ``start … start + n - 1`` of the population.
    n, start
        Number of twins and number of the first.
    seed, region
        Everything random follows from the seed; whose prevalences.

    Raises
    ------
    InputError
        Where no candidate has all the words together.
    """
    for fact in facts:
        if fact.target not in COLUMNS:
            raise unknown_word("covariate", fact.target, COLUMNS)
        if fact.target not in SCORED and not fact.allowed:
            raise InputError(f"'{fact.target}' cannot be conditioned on as a number")
    if not facts:
        return CovariateDraws(sample_covariates(start, n, seed, 0, region=region), 1.0, {})
    rng = np.random.default_rng([seed, start, 20])
    words = [f for f in facts if f.target not in SCORED]
    numbers = [f for f in facts if f.target in SCORED]
    p, log_weight, surprise = _met(words, n * _POOL, rng, region)
    z, more = _scores(numbers, p, region, rng, surprise)
    log_weight = log_weight + more
    weights = np.exp(log_weight - log_weight.max())
    chosen = systematic(weights, n, rng)
    table = covariates_at({k: v[chosen] for k, v in z.items()}, {k: v[chosen] for k, v in p.items()}, region, start)
    return CovariateDraws(table, effective(weights) / len(weights), surprise)


def _met(
    words: Sequence[Fact], n: int, rng: np.random.Generator, region: Region
) -> tuple[dict[str, FloatArray], FloatArray, dict[str, float]]:
    """Uniform numbers (n,) of candidates who meet the words, the ln of how likely that was, and how frequent each is.

    Words follow from each other in the order of the columns. For each fact the number behind it is drawn from where it
    gives an allowed word, the words before it being as they are; the share of such numbers is the candidate's weight.
    """
    p = dict(zip(PLAIN, rng.random((len(PLAIN), n)), strict=True))
    by = {f.target: f for f in words}
    log_weight, frequent = np.zeros(n), {}
    columns = list(facts_at({k: v[:1] for k, v in p.items()}, region))
    for column in [c for c in columns if c in by]:
        fact, number = by[column], _NUMBER.get(column, column)
        c = facts_at(p, region)
        group = _groups([c[name] for name in columns[: columns.index(column)]])
        first = np.unique(group, return_index=True)[1]
        levels = int(np.clip(_LEVELS // len(first), 200, 4000))
        grid = (np.arange(levels) + 0.5) / levels
        some = {k: np.repeat(v[first], levels) for k, v in p.items()}
        some[number] = np.tile(grid, len(first))
        met = np.isin(facts_at(some, region)[column].astype(object), np.array(fact.allowed, dtype=object))
        allowed = met.reshape(len(first), levels)
        share = allowed.mean(axis=1)
        frequent[column] = float(share[group].mean())
        if not share.any():
            others = " and ".join(by[k].text for k in frequent if k != column) or "any patient"
            raise InputError(
                f"the population has nobody in whom {fact.text} together with {others}",
                hint=f"It comes from {fact.biomarker or column}: check it, or leave it out of the files.",
            )
        for g in range(len(first)):
            mine = np.flatnonzero(group == g)
            if share[g] > 0.0:
                p[number][mine] = rng.choice(grid[allowed[g]], len(mine))
        with np.errstate(divide="ignore"):
            log_weight += np.log(share)[group]
    return p, log_weight, frequent


def _groups(columns: Sequence[NDArray[Any]]) -> NDArray[np.int64]:
    """Number (n,) of the group of each candidate: those with equal words."""
    texts = np.array(["|".join(map(str, row)) for row in zip(*columns, strict=True)], dtype=object)
    return np.unique(texts, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _values_on_grid(
    p: Mapping[str, FloatArray], region: Region, names: Sequence[str]
) -> tuple[dict[str, Any], NDArray[np.int64]]:
    """Values (groups, grid) of covariates, and the group (n,) of each candidate: equal in the words behind them."""
    words = dict.fromkeys(("region", *(w for name in names for w in FOLLOWS.get(name, ()))))
    c = facts_at(dict(p), region)
    group = _groups([c[w] for w in words])
    first = np.unique(group, return_index=True)[1]
    g, m = len(first), len(_GRID)
    plain = {k: np.repeat(v[first], m) for k, v in p.items()}
    grid = np.tile(_GRID, g)
    table = covariates_at(dict.fromkeys(LATENT, grid), plain, region)
    return {name: table[name].to_numpy().reshape(g, m) for name in SCORED}, group


def _scores(
    facts: Sequence[Fact],
    p: Mapping[str, FloatArray],
    region: Region,
    rng: np.random.Generator,
    surprise: dict[str, float],
) -> tuple[dict[str, FloatArray], FloatArray]:
    """Normal scores (n,) of each latent number, and the log importance weight (n,) of each candidate."""
    n = len(next(iter(p.values())))
    corr = _correlation()
    if not facts:
        z = rng.standard_normal((n, len(LATENT))) @ np.linalg.cholesky(corr).T
        return dict(zip(LATENT, z.T, strict=True)), np.zeros(n)
    values, group = _values_on_grid(p, region, [f.target for f in facts])
    prior = np.exp(-0.5 * _GRID**2)
    prior /= prior.sum()
    log_weight, seen = np.zeros(n), np.empty((n, len(facts)))
    for k, fact in enumerate(facts):
        x = values[fact.target]
        if fact.allowed:
            with np.errstate(divide="ignore"):
                like = np.log(np.isin(x.astype(object), np.array(fact.allowed, dtype=object)).astype(float))
        else:
            like = fact.log_likelihood(x.astype(float))
        peak = like.max(axis=1, keepdims=True)
        if not np.isfinite(peak).any():
            raise InputError(f"no patient of the population has {fact.text}", hint="Check the value and its unit.")
        mass = prior * np.exp(like - np.where(np.isfinite(peak), peak, 0.0))
        total = mass.sum(axis=1)
        with np.errstate(divide="ignore"):
            log_weight += (np.log(total) + peak[:, 0])[group]
        edges = np.cumsum(mass, axis=1) / np.maximum(total, 1e-300)[:, None]
        u = rng.random(n)
        place = np.empty(n, dtype=np.int64)
        for g in range(len(x)):
            mine = np.flatnonzero(group == g)
            place[mine] = np.searchsorted(edges[g], u[mine])
        place = np.minimum(place, len(_GRID) - 1)
        # a jitter inside the cell, but not over the edge of a word or a range
        jitter = 0.0 if fact.value is None else (rng.random(n) - 0.5) * (_GRID[1] - _GRID[0])
        seen[:, k] = _GRID[place] + jitter
        surprise[fact.target] = _tail(fact, x, group, prior, rng)
    places = [LATENT.index(SCORED[f.target]) for f in facts]
    rest = [i for i in range(len(LATENT)) if i not in places]
    block = corr[np.ix_(places, places)]
    inverse = np.linalg.inv(block)
    log_weight += -0.5 * np.einsum("ij,jk,ik->i", seen, inverse - np.eye(len(places)), seen)
    z = np.empty((n, len(LATENT)))
    z[:, places] = seen
    if rest:
        gain = corr[np.ix_(rest, places)] @ inverse
        left = corr[np.ix_(rest, rest)] - gain @ corr[np.ix_(places, rest)]
        factor = np.linalg.cholesky(left + 1e-12 * np.eye(len(rest)))
        z[:, rest] = seen @ gain.T + rng.standard_normal((n, len(rest))) @ factor.T
    return dict(zip(LATENT, z.T, strict=True)), log_weight


def _tail(fact: Fact, x: NDArray[Any], group: NDArray[np.int64], prior: FloatArray, rng: np.random.Generator) -> float:
    """Probability, among candidates with the same words, of a measurement as far out, or of these words."""
    some = group[rng.integers(0, len(group), 2000)]
    drawn = x[some, rng.choice(len(prior), 2000, p=prior)]
    if fact.allowed:
        return float(np.isin(drawn.astype(object), np.array(fact.allowed, dtype=object)).mean())
    truth = drawn.astype(float)
    if fact.value is None:
        return float(((truth >= fact.low) & (truth <= fact.high)).mean())
    noise = rng.standard_normal(2000) * fact.spread
    again = truth * np.exp(noise) if fact.scale == "sd_ln" else truth + noise
    below, ties = float((again < fact.value).mean()), float((again == fact.value).mean())
    return min(1.0, 2.0 * min(below + 0.5 * ties, 1.0 - below - 0.5 * ties) + 1.0 / 2000)
