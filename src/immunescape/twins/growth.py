"""Growing the tumours of twins: parameters drawn given facts about them, and given what biopsies show.

Each candidate gets parameters from its own numbers, as in the population. A parameter with a fact is drawn from its
distribution times the fact's likelihood. Where observables at diagnosis were measured, later rounds draw the scores of
the parameters that move them from a Gaussian conditioned on the measurements (`Proposal`, fitted to the candidates so
far); the weight of a candidate is prior over the mixture of all proposals used, so the twins do not depend on how good
the Gaussian is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from immunescape.population.blocks import BlockMaker, PopulationSpec
from immunescape.twins.covariates import effective
from immunescape.twins.crew import Crew, crew_of
from immunescape.twins.early import EarlyCourse
from immunescape.twins.facts import Fact

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.engine.api import Engine
    from immunescape.model.assembly import Model
    from immunescape.population.covariates import Region

__all__ = ["GrowTask", "Grown", "Proposal", "fitted_proposal", "grow", "grow_many"]

FloatArray = NDArray[np.float64]
_WIDEST, _CELLS = 6.5, 260
"""Largest score that a parameter is drawn at, and cells of the grid on which a fact is weighed."""
_MOST, _MOST_LATER = 24, 32
"""Parameters that a proposal moves at most, and so many once weighted candidates say how they go together."""
_ENOUGH_FOR_MOMENTS = 50.0
"""Effective candidates from which on their own mean and covariance count beside those of the regression."""
_WIDER = 1.2
"""Factor of the variance that a proposal has beyond the fitted one."""
_SEEN = 0.15
"""Correlation with an observable from which a parameter is moved (three standard errors of 400 patients)."""


@dataclass(frozen=True)
class Proposal:
    """A Gaussian from which the scores of some parameters are drawn in place of the standard normal.

    Attributes
    ----------
    names : the k parameters.
    mean, factor : (k,) mean and (k, k) Cholesky factor of the covariance.
    """

    names: tuple[str, ...]
    mean: FloatArray
    factor: FloatArray

    def move(self, scores: FloatArray) -> FloatArray:
        """Scores (n, k) of the proposal from standard normal ones."""
        moved = np.zeros_like(scores) + self.mean
        for j in range(len(self.names)):  # column by column, so that a row does not depend on how many rows there are
            moved += scores[:, j : j + 1] * self.factor[:, j]
        return moved

    def log_ratio(self, scores: FloatArray) -> FloatArray:
        """Ln(density of the proposal / of the standard normal) (n,) at scores (n, k) of its parameters."""
        from scipy.linalg import solve_triangular

        standard = solve_triangular(self.factor, (scores - self.mean).T, lower=True)
        return np.asarray(
            0.5 * (scores**2).sum(axis=1) - 0.5 * (standard**2).sum(axis=0) - np.log(np.diag(self.factor)).sum()
        )


@dataclass(frozen=True)
class GrowTask:
    """What all candidates of a round share; sent to worker processes.

    Attributes
    ----------
    seed, region, rtol : those of the population.
    facts : about parameters.
    proposal : None draws parameters from the population.
    course : what scans and ctDNA on a first line say; None where there is none.
    engine : name of the engine.
    """

    seed: int
    _: KW_ONLY
    region: Region = "western"
    facts: tuple[Fact, ...] = ()
    proposal: Proposal | None = None
    course: EarlyCourse | None = None
    engine: str = "auto"
    rtol: float = 1e-6


@dataclass(frozen=True)
class Grown:
    """Candidates at diagnosis.

    Attributes
    ----------
    table : rows as of `immunescape.population.blocks.Block`.
    scores : (n, d) normal scores of the varying parameters, in the order of `names`.
    log_weight : (n,) ln of the likelihood of the facts about parameters; the proposal is no part of it.
    levels : (n, k) of the facts of the course, where there is one.
    fates : fate -> parameter sets tried.
    """

    table: pd.DataFrame
    names: tuple[str, ...]
    scores: FloatArray
    log_weight: FloatArray
    levels: FloatArray
    fates: Mapping[str, int] = field(default_factory=dict)


class _Maker(BlockMaker):
    """Draws parameters given facts and proposal, and remembers what they were drawn as."""

    def __init__(self, model: Model, task: GrowTask, engine: Engine) -> None:
        super().__init__(model, PopulationSpec(task.seed, region=task.region, rtol=task.rtol), engine)
        self.task = task
        self.drawn: list[tuple[int, NDArray[np.int64], FloatArray, FloatArray]] = []
        self._facts: dict[str, tuple[NDArray[np.int64], _Between | _OnGrid]] = {}

    def parameters(self, covariates: pd.DataFrame, draw: int) -> dict[str, FloatArray]:
        """See `BlockMaker.parameters`."""
        from scipy.special import ndtr, ndtri

        from immunescape.population.linking import parameters_at, varying_parameters
        from immunescape.population.sampling import uniforms_of

        names = varying_parameters(self.model.parameters)
        dimensions = [f"parameter:{n}" if draw == 0 else f"parameter:{n}:{draw}" for n in names]
        ids = covariates.index.to_numpy()
        scores = ndtri(uniforms_of(dimensions, ids, self.task.seed, 0, "latin"))
        log_weight = np.zeros(len(ids))
        if self.task.proposal is not None:
            places = [names.index(n) for n in self.task.proposal.names]
            scores[:, places] = self.task.proposal.move(scores[:, places])
        for fact in self.task.facts:
            place = names.index(fact.target)
            scores[:, place], given = self._given(fact, covariates, ndtr(scores[:, place]))
            log_weight = log_weight + given
        self.drawn.append((draw, ids, scores, log_weight))
        u = np.clip(ndtr(scores), 2.0**-40, 1.0 - 2.0**-40)
        return parameters_at(self.model.parameters, covariates, dict(zip(names, u.T, strict=True)))

    def _given(self, fact: Fact, covariates: pd.DataFrame, u: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Scores (n,) of a parameter given a fact, from uniform numbers (n,), and how likely the fact is (ln).

        What a fact says depends on the covariates alone: it is worked out for all candidates at their first draw, and
        read by those who are drawn again.
        """
        ids = covariates.index.to_numpy()
        if fact.target not in self._facts:
            self._facts[fact.target] = ids, self._conditional(fact, covariates)
        first, given = self._facts[fact.target]
        return given.at(np.searchsorted(first, ids), u)

    def _conditional(self, fact: Fact, covariates: pd.DataFrame) -> _Between | _OnGrid:
        from scipy.special import ndtr

        from immunescape.population.linking import parameters_at

        record = {fact.target: self.model.parameters[fact.target]}

        def value(z: FloatArray) -> FloatArray:
            level = np.clip(ndtr(z), 2.0**-40, 1.0 - 2.0**-40)
            return parameters_at(record, covariates, {fact.target: level})[fact.target]

        n = len(covariates)
        if fact.value is None:
            return _between(value, fact, n)
        edges = np.linspace(-_WIDEST, _WIDEST, _CELLS + 1)
        centres = 0.5 * (edges[1:] + edges[:-1])
        like = np.stack([fact.log_likelihood(value(np.full(n, z))) for z in centres], axis=1)
        peak = like.max(axis=1)
        mass = np.diff(ndtr(edges)) * np.exp(like - peak[:, None])
        total = mass.sum(axis=1)
        return _OnGrid(edges, np.cumsum(mass, axis=1) / total[:, None], np.log(total) + peak)


@dataclass(frozen=True, eq=False)
class _OnGrid:
    """Distribution of a score given a number: edges (m + 1,), cumulative (n, m), and ln of the likelihood (n,)."""

    edges: FloatArray
    cumulative: FloatArray
    likely: FloatArray

    def at(self, places: NDArray[np.int64], u: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Scores of some candidates from uniform numbers, and how likely the fact is in them."""
        cumulative, rows = self.cumulative[places], np.arange(len(places))
        cell = np.minimum((cumulative < u[:, None]).sum(axis=1), _CELLS - 1)
        before = np.where(cell > 0, cumulative[rows, np.maximum(cell - 1, 0)], 0.0)
        inside = np.clip((u - before) / np.maximum(cumulative[rows, cell] - before, 1e-300), 0.0, 1.0)
        return self.edges[cell] + inside * np.diff(self.edges)[cell], self.likely[places]


@dataclass(frozen=True, eq=False)
class _Between:
    """Distribution of a score in a range: levels a, b (n,) from the nearer tail, and whether that is the upper one."""

    a: FloatArray
    b: FloatArray
    upper: NDArray[np.bool_]

    def at(self, places: NDArray[np.int64], u: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Scores of some candidates from uniform numbers, and how likely the fact is in them."""
        from scipy.special import ndtri

        a, b, upper = self.a[places], self.b[places], self.upper[places]
        z = ndtri(a + np.where(upper, 1.0 - u, u) * (b - a))
        return np.where(upper, -z, z), np.log(b - a)


def _between(value: Callable[[FloatArray], FloatArray], fact: Fact, n: int) -> _Between:
    """Scores at which a parameter of n candidates lies in the range of a fact."""
    from scipy.special import ndtr

    from immunescape.errors import InputError

    def first(bound: float) -> FloatArray:
        """Score (n,) from which on the parameter is at least `bound`."""
        low, high = np.full(n, -_WIDEST), np.full(n, _WIDEST)
        for _ in range(40):
            middle = 0.5 * (low + high)
            beyond = value(middle) >= bound
            low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
        return high

    top = value(np.full(n, _WIDEST))
    start, end = first(fact.low), np.where(top <= fact.high, _WIDEST, first(fact.high))
    # from the nearer tail, where a small share keeps its digits
    upper = start > 0.0
    a, b = np.where(upper, ndtr(-end), ndtr(start)), np.where(upper, ndtr(-start), ndtr(end))
    if not (b > a).all() or (top < fact.low).any():
        raise InputError(f"no patient of the population has {fact.text}", hint="Check the value and its unit.")
    return _Between(a, b, upper)


def grow(task: GrowTask, covariates: pd.DataFrame) -> Grown:
    """Grow candidates to diagnosis; rows by number of the candidate, in increasing order."""
    from immunescape.engine import get_engine
    from immunescape.population.linking import varying_parameters
    from immunescape.population.reference_baseline import prepared_model

    model = prepared_model(())
    maker = _Maker(model, task, get_engine(task.engine))
    block = maker.grow(covariates)
    names = tuple(varying_parameters(model.parameters))
    scores, weights = np.zeros((len(block.table), len(names))), np.zeros(len(block.table))
    if len(block.table):
        ids, draws = block.table.index.to_numpy(), block.table["draw"].to_numpy()
        for draw, drawn, values, logs in maker.drawn:
            mine = np.flatnonzero(draws == draw)
            place = np.searchsorted(drawn, ids[mine])
            scores[mine], weights[mine] = values[place], logs[place]
    fates = {str(k): int(v) for k, v in block.draws["fate"].value_counts().items()}
    levels = np.zeros((len(block.table), 0))
    if task.course is not None and len(block.table):
        levels = task.course.levels(block.table, task.seed, engine=task.engine)
    elif task.course is not None:
        levels = np.zeros((0, len(task.course.facts)))
    return Grown(block.table, names, scores, weights, levels, fates)


def grow_many(task: GrowTask, covariates: pd.DataFrame, *, workers: int | Crew = 1, size: int = 64) -> Grown:
    """Grow candidates on several processes; the result does not depend on their number."""
    import pandas as pd

    pieces = [covariates.iloc[k : k + size] for k in range(0, len(covariates), size)]
    with crew_of(workers) as crew:
        parts = crew.make("candidates", grow, [(task, piece) for piece in pieces])
    fates: dict[str, int] = {}
    for batch_rows in parts:
        for name, count in batch_rows.fates.items():
            fates[name] = fates.get(name, 0) + count
    tables = [batch_rows.table for batch_rows in parts if len(batch_rows.table)]
    return Grown(
        pd.concat(tables) if tables else pd.DataFrame(),
        parts[0].names,
        np.concatenate([batch_rows.scores for batch_rows in parts]),
        np.concatenate([batch_rows.log_weight for batch_rows in parts]),
        np.concatenate([batch_rows.levels for batch_rows in parts]),
        fates,
    )


def fitted_proposal(
    first: Grown,
    weights: FloatArray,
    scores: FloatArray,
    observed: FloatArray,
    values: Sequence[float],
    errors: Sequence[float],
    *,
    posterior: FloatArray | None = None,
    fixed: Collection[str] = (),
) -> Proposal | None:
    """Gaussian of parameter scores given measured observables, from a linear fit to the candidates so far.

    The regression of the observables on the scores takes all candidates, so that it is a local one once some of them
    lie where the measurements are; the prior is that of candidates whom the population gave. Once enough candidates are
    effective, their own weighted mean and covariance count as well [cornuet2012], the more the more there are: a linear
    fit misses where observables saturate. Their weights are truncated for that [ionides2008].

    Parameters
    ----------
    first, weights
        Candidates of the first round, and their weights (n,) as draws of the population.
    scores, observed
        (m, d) scores and (m, k) observables of all candidates, on the scale on which their error is Gaussian; those of
        the first round come first.
    values, errors
        (k,) measured, and standard deviation of the error.
    posterior
        Weights (m,) of all candidates given everything measured; None where there are none yet.
    fixed
        Parameters that are drawn from what was measured of themselves: a proposal must not move them as well.

    Returns
    -------
    None where no parameter moves the observables visibly.
    """
    w = weights / weights.sum()
    n, z = len(w), first.scores
    z0, y0 = w @ z, w @ observed[:n]
    dz, dy = z - z0, observed[:n] - y0
    sz, sy = np.sqrt(w @ dz**2), np.sqrt(w @ dy**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.nan_to_num(np.abs((dz * w[:, None]).T @ dy) / (sz[:, None] * sy))
    # what moves a sharply measured observable counts most
    use = (r * np.minimum(1.0, sy / np.asarray(errors, dtype=float))).max(axis=1)
    strongest = r.max(axis=1)
    if posterior is not None:
        # one candidate where no proposal looked may outweigh all others: it must widen the next one, not prevent it
        drawn = posterior[posterior > 0.0]
        posterior = np.minimum(posterior, drawn.mean() * np.sqrt(len(drawn))) if len(drawn) else None
    blend = posterior is not None and effective(posterior) >= _ENOUGH_FOR_MOMENTS
    free = [int(i) for i in np.argsort(-use) if first.names[i] not in fixed]
    chosen = [i for i in free[: _MOST_LATER if blend else _MOST] if strongest[i] >= _SEEN]
    if not chosen:
        return None
    x = dz[:, chosen]
    # the population conditioned on diagnosis is not standard normal in its scores: its own moments are the prior here
    prior = (x * w[:, None]).T @ x + 1e-6 * np.eye(len(chosen))
    design = np.column_stack([np.ones(len(scores)), scores[:, chosen] - z0[chosen]])
    fit = np.linalg.lstsq(design.T @ design + 1e-3 * np.eye(design.shape[1]), design.T @ observed, rcond=None)[0]
    left = observed - design @ fit
    noise = left.T @ left / max(len(scores) - design.shape[1], 1) + np.diag(np.asarray(errors, dtype=float) ** 2)
    slope = fit[1:]
    gain = prior @ slope @ np.linalg.inv(slope.T @ prior @ slope + noise)
    mean = z0[chosen] + gain @ (np.asarray(values, dtype=float) - fit[0])
    covariance = prior - gain @ slope.T @ prior
    if blend and posterior is not None:
        share = posterior / posterior.sum()
        centre = share @ scores[:, chosen]
        off = scores[:, chosen] - centre
        # the more effective candidates there are for each parameter, the less the fit has to say
        rest = 2.0 * len(chosen) / (effective(posterior) + 2.0 * len(chosen))
        mean = rest * mean + (1.0 - rest) * centre
        covariance = rest * covariance + (1.0 - rest) * (off * share[:, None]).T @ off
    # somewhat wider than fitted, so that no twin is far out in the proposal
    low, vectors = np.linalg.eigh(_WIDER * (covariance + covariance.T) / 2.0)
    covariance = (vectors * np.clip(low, 0.02, 1.3)) @ vectors.T
    return Proposal(tuple(first.names[i] for i in chosen), mean, np.linalg.cholesky(covariance))
