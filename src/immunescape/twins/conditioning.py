"""The twin population at diagnosis: candidates drawn, grown and weighted until enough of them are effective."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.twins.covariates import conditional_covariates, effective, systematic
from immunescape.twins.crew import Crew
from immunescape.twins.early import EarlyCourse
from immunescape.twins.facts import Fact, checked
from immunescape.twins.growth import Grown, GrowTask, Proposal, fitted_proposal, grow_many
from immunescape.twins.population import Observables, reference_observables
from immunescape.twins.words import measured_text, titles_text

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.population.covariates import Region

__all__ = ["ENOUGH", "Candidates", "TwinPopulation", "check_number_of_twins", "condition", "tail"]

FloatArray = NDArray[np.float64]
ENOUGH = 200
"""Effective twins below which nothing is said."""
_ROUND = 512
"""Candidates of a round; the proposal of the next is fitted to all so far."""
_MOST = 6144
"""Candidates that are grown at most for one patient: twelve rounds."""
_PLAIN = 192
"""Candidates that the population gives where a proposal gives the others: they bound the weights [hesterberg1995], and
say how likely the measurements are in patients with these covariates."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TwinPopulation:
    """Virtual patients conditioned on what was measured in one patient.

    Attributes
    ----------
    patient : identifier.
    table : one row for each distinct twin, columns as of `immunescape.population.population.Population.table`.
    weights : (n,) of the rows; they add up to 1.
    facts : what the twins were conditioned on.
    effective : effective number of twins.
    candidates : candidates that were grown.
    surprise : target of a fact -> probability, in the population, of a measurement as far out.
    seed, region : those of the candidates.
    notes : what a reader must know.
    ahead : (n,) ln of the likelihood of sizes on scans of the present line by which the twins were drawn before their
        courses were known; to be taken out once the courses count. None where there were none.
    """

    patient: str
    table: pd.DataFrame
    weights: FloatArray
    facts: tuple[Fact, ...]
    effective: float
    candidates: int
    surprise: Mapping[str, float]
    seed: int
    region: Region = "western"
    notes: tuple[str, ...] = ()
    engine: str = field(default="auto", repr=False)
    ahead: FloatArray | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def least_likely(self) -> tuple[Fact, float] | None:
        """The fact that the population finds least likely, with its probability; None without facts."""
        if not self.surprise:
            return None
        name = min(sorted(self.surprise), key=lambda k: self.surprise[k])
        return next(f for f in self.facts if f.target == name), self.surprise[name]

    def quantiles(self, column: str, levels: Sequence[float] = (0.05, 0.5, 0.95)) -> FloatArray:
        """Weighted quantiles (k,) of a column of numbers."""
        x = self.table[column].to_numpy(dtype=float)
        order = np.argsort(x)
        # inverse of the weighted distribution: the smallest value up to which the weights add up to the level
        edges = np.cumsum(self.weights[order])
        return x[order][np.minimum(np.searchsorted(edges, levels), len(x) - 1)]

    def mean(self, column: str) -> float:
        """Weighted mean of a column of numbers or truth values."""
        return float(self.weights @ self.table[column].to_numpy(dtype=float))


@dataclass
class _Round:
    """One round of candidates: what they were drawn from, and the ln of the likelihood of all facts (n,)."""

    grown: Grown
    proposal: Proposal | None
    log_weight: FloatArray


class Candidates:
    """Candidates of one patient, grown and weighted in rounds; each round looks where the earlier ones point to.

    Parameters
    ----------
    patient
        Identifier, for messages.
    facts
        What was measured; their order does not matter.
    first
        Candidates of the first round, at least `batch`.
    seed, region, workers, engine
        Everything random follows from the seed; results do not depend on the number of processes.
    batch
        Candidates that are grown at a time.
    course
        Scans and ctDNA on a first line that began at diagnosis; they condition as observables do.
    progress
        Called with (effective candidates, those wanted) after each round.

    Raises
    ------
    InputError
        For a measurement that no patient can have.
    """

    def __init__(
        self,
        patient: str,
        facts: Sequence[Fact],
        *,
        first: int = _ROUND,
        seed: int = 1,
        region: Region = "western",
        workers: int | Crew = 1,
        engine: str = "auto",
        batch: int = _ROUND,
        course: EarlyCourse | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._progress = progress
        self.patient, self.seed, self.region, self.workers, self.engine = patient, seed, region, workers, engine
        # sorted: sums of ln likelihoods are rounded in one order whatever the order of the files
        self.facts = checked(sorted(facts, key=lambda f: (f.kind, f.target)))
        self.grown = 0
        """Candidates grown so far, diagnosed or not."""
        self.effective = 0.0
        self._first, self._batch, self._course = max(first, batch), batch, course
        self._kinds = {k: tuple(f for f in self.facts if f.kind == k) for k in ("covariate", "parameter", "observable")}
        self._observables: Observables | None = None
        if self._kinds["observable"]:
            self._observables = reference_observables(region, workers)
            for fact in self._kinds["observable"]:
                self._observables.check(fact)
        self._rounds: list[_Round] = []
        self._weights: FloatArray = np.zeros(0)
        self._surprise: dict[str, float] = {}

    def grow_until(self, effective_twins: float, most: int = _MOST) -> bool:
        """Grow candidates until so many are effective, `most` at most; returns whether they are."""
        while not self._rounds or (self.effective < effective_twins and self.grown < most):
            self._round()
            if self._progress is not None:
                self._progress(int(min(self.effective, effective_twins)), math.ceil(effective_twins))
        return self.effective >= effective_twins

    def _round(self) -> None:
        n = self._batch if self._rounds else self._first
        # numbers go on from round to round: each candidate has random numbers of its own, none is drawn twice
        drawn = conditional_covariates(
            self._kinds["covariate"], n, seed=self.seed, start=self.grown, region=self.region
        )
        self._surprise = self._surprise or dict(drawn.surprise)
        if self._rounds:
            self._grow(drawn.table, self._proposal())
        elif self._course is None and n > _PLAIN and (proposal := self._proposal()) is not None:
            # where to look is known from patients of the whole population: few are drawn without regard to it
            self._grow(drawn.table.iloc[:_PLAIN], None)
            self._grow(drawn.table.iloc[_PLAIN:], proposal)
        else:
            self._grow(drawn.table, None)
        self.grown += n
        if not any(len(r.grown.table) for r in self._rounds):
            raise InputError(
                f"no candidate with these covariates is diagnosed and plausible: {dict(self._rounds[-1].grown.fates)}",
                hint="Check the sum of diameters and the counts of lesions.",
            )
        # weights of earlier rounds change with each round: all of them are draws of one mixture
        self._weights = _pooled(self._rounds)
        self.effective = effective(self._weights)

    def _grow(self, covariates: pd.DataFrame, proposal: Proposal | None) -> None:
        """Grow candidates of given covariates, and weigh them by everything that was measured."""
        observables, course = self._observables, self._course
        task = GrowTask(
            self.seed,
            region=self.region,
            facts=self._kinds["parameter"],
            proposal=proposal,
            course=course,
            engine=self.engine,
        )
        grown = grow_many(task, covariates, workers=self.workers)
        logs = []
        if len(grown.table):
            # errors of measurements are independent given the truth: ln likelihoods add up
            if observables is not None:
                logs = [f.log_likelihood(observables.scaled(grown.table, f)) for f in self._kinds["observable"]]
            if course is not None:
                logs += [f.log_likelihood(grown.levels[:, k]) for k, f in enumerate(course.ahead)]
        log_weight = grown.log_weight + np.sum(logs, axis=0) if logs else grown.log_weight
        self._rounds.append(_Round(grown, proposal, log_weight))

    def _proposal(self) -> Proposal | None:
        if self._observables is None and self._course is None:
            return None
        return _proposal(
            [r for r in self._rounds if len(r.grown.table)],
            self._kinds["observable"],
            self._observables,
            self._course,
            weights=self._weights,
            fixed={f.target for f in self._kinds["parameter"]},
        )

    @property
    def all_facts(self) -> tuple[Fact, ...]:
        """Facts, those of the course among them."""
        return self.facts if self._course is None else (*self.facts, *self._course.facts)

    @property
    def surprise(self) -> dict[str, float]:
        """Target of a fact -> probability, in the population, of a measurement as far out."""
        rounds, observables = [r for r in self._rounds if len(r.grown.table)], self._observables
        surprise = dict(self._surprise)
        if not self._kinds["observable"] and self._course is None:
            return surprise
        import pandas as pd

        # candidates as draws of the population, in patients with these covariates and parameters
        # weights without the facts on observables, which would make every measurement look likely
        weights = _pooled(rounds, [r.grown.log_weight for r in rounds])
        if observables is not None:
            table = pd.concat([r.grown.table for r in rounds])
            surprise |= {f.target: tail(f, observables.scaled(table, f), weights) for f in self._kinds["observable"]}
        for k, fact in enumerate(() if self._course is None else self._course.facts):
            surprise[fact.target] = tail(fact, np.concatenate([r.grown.levels[:, k] for r in rounds]), weights)
        return surprise

    def refusal(self, enough: float) -> InputError:
        """Say that too few are effective, with what costs most of them."""
        return InputError(_too_few(self.effective, enough, self.grown, self.surprise, self.all_facts), hint=_TOO_FEW)

    def drawn(self, twins: int) -> TwinPopulation:
        """Draw twins from the weighted candidates, so that some may stand for several."""
        import pandas as pd

        table = pd.concat([r.grown.table for r in self._rounds if len(r.grown.table)])
        rng = np.random.default_rng([self.seed, 21])
        # one random number for all twins: each candidate is drawn its expected number of times, rounded up or down
        chosen, counts = np.unique(systematic(self._weights, twins, rng), return_counts=True)
        if not self.all_facts:
            # without facts the candidates are the population: drawing among them again would only repeat some
            chosen, counts = np.arange(min(twins, len(table))), np.ones(min(twins, len(table)), dtype=int)
        return TwinPopulation(
            patient=self.patient,
            table=table.iloc[chosen],
            weights=counts / counts.sum(),
            facts=self.all_facts,
            # drawing cannot add information: no more than the candidates have, nor than the twins that are drawn
            effective=min(self.effective, effective(counts.astype(float))),
            candidates=self.grown,
            surprise=self.surprise,
            seed=self.seed,
            region=self.region,
            engine=self.engine,
            ahead=self._ahead(chosen),
        )

    def _ahead(self, chosen: NDArray[np.int64]) -> FloatArray | None:
        """Ln likelihood (n,) of the sizes on scans in some candidates, as they were weighted by it."""
        course = self._course
        if course is None:
            return None
        levels = np.concatenate([r.grown.levels for r in self._rounds if len(r.grown.table)])[chosen]
        sizes = [k for k, size in enumerate(course.sizes) if size]
        logs = [course.ahead[k].log_likelihood(levels[:, k]) for k in sizes]
        return np.asarray(np.sum(logs, axis=0)) if logs else None


def condition(
    patient: str,
    facts: Sequence[Fact],
    *,
    twins: int = 400,
    seed: int = 1,
    region: Region = "western",
    workers: int | Crew = 1,
    engine: str = "auto",
    enough: int = ENOUGH,
    most: int = _MOST,
    batch: int = _ROUND,
    course: EarlyCourse | None = None,
) -> TwinPopulation:
    """Draw the twins of a patient at diagnosis.

    Parameters
    ----------
    patient, facts, seed, region, workers, engine, batch, course
        See `Candidates`.
    twins
        Twins wanted; they are drawn from the weighted candidates, so that some may stand for several.
    enough
        Effective twins that there must be.
    most
        Candidates that are grown at most.

    Raises
    ------
    InputError
        For a measurement that no patient can have, or where the measurements leave too few effective twins; names the
        ones that cost most.
    """
    check_number_of_twins(twins, enough)
    candidates = Candidates(
        patient,
        facts,
        first=twins,
        seed=seed,
        region=region,
        workers=workers,
        engine=engine,
        batch=batch,
        course=course,
    )
    if not candidates.grow_until(enough, most):
        raise candidates.refusal(enough)
    return candidates.drawn(twins)


def check_number_of_twins(twins: int, enough: int = ENOUGH) -> None:
    """Refuse fewer twins than a statement about a patient needs.

    Raises
    ------
    InputError
        With the least number.
    """
    if twins < enough:
        raise InputError(f"{twins} twins", hint=f"At least {enough} are needed for a statement about a patient.")


_TOO_FEW = "Check what is least likely (a unit, a sample that was swapped), or leave a measurement out of the files."


def _too_few(ess: float, enough: float, total: int, surprise: Mapping[str, float], facts: Sequence[Fact]) -> str:
    least = sorted(surprise, key=lambda k: surprise[k])[:3]
    by = {f.target: f for f in facts}
    named = ", ".join(
        f"{measured_text(by[k]) or titles_text(by[k])} ({100 * surprise[k]:.2g} % of patients)" for k in least
    )
    return f"only {ess:.0f} of {total} candidates are effective twins, {enough:.0f} are needed; least likely: {named}"


def _pooled(rounds: Sequence[_Round], logs: Sequence[FloatArray] | None = None) -> FloatArray:
    """Weights of all candidates: likelihood times prior over the mixture that all of them were drawn from.

    A round counts by the parameter sets that it tried, not by those that led to a diagnosis: a proposal that is
    diagnosed more often has the density of its diagnosed candidates over more of them.

    `logs` are the ln of another likelihood, for each round, in place of that of all facts.
    """
    rounds = [r for r in rounds if len(r.grown.table)]
    # Multiple importance sampling with the mixture in the denominator [hesterberg1995]: a candidate that one proposal
    # finds unlikely, but another or the population itself gives often, cannot have a large weight.
    names = rounds[0].grown.names
    scores = np.concatenate([r.grown.scores for r in rounds])
    sizes = np.array([sum(r.grown.fates.values()) or len(r.grown.table) for r in rounds], dtype=float)
    mixture = np.zeros(len(scores))
    for r, size in zip(rounds, sizes / sizes.sum(), strict=True):
        # ln of proposal over population, 0 for a round drawn from the population; the population's density cancels
        ratio = np.zeros(len(scores))
        if r.proposal is not None:
            ratio = r.proposal.log_ratio(scores[:, [names.index(n) for n in r.proposal.names]])
        mixture += size * np.exp(ratio)
    log_weight = np.concatenate([r.log_weight for r in rounds] if logs is None else list(logs)) - np.log(mixture)
    # relative to the largest: exp of a likelihood of many facts would underflow
    return np.asarray(np.exp(log_weight - log_weight.max()))


def _proposal(
    rounds: Sequence[_Round],
    facts: Sequence[Fact],
    observables: Observables | None,
    course: EarlyCourse | None,
    *,
    weights: FloatArray,
    fixed: Collection[str] = (),
) -> Proposal | None:
    """Where to look next: parameters given the observables, by a linear fit to the candidates so far.

    Patients of the whole population come before the candidates, where their parameters are kept and nothing but
    observables at diagnosis was measured. `weights` are those of the candidates, given all facts.
    """
    import pandas as pd

    tables, levels = [r.grown.table for r in rounds], [r.grown.levels for r in rounds]
    scores, posterior = [r.grown.scores for r in rounds], weights
    if observables is not None and observables.names and course is None:
        n = len(observables.table)
        first = Grown(observables.table, observables.names, observables.scores, np.zeros(n), np.zeros((n, 0)))
        tables, levels, scores = [first.table, *tables], [first.levels, *levels], [first.scores, *scores]
        # patients of the population shape the linear fit, but stand for nothing given the facts
        posterior = np.concatenate([np.zeros(n), weights])
    elif rounds:
        first = rounds[0].grown
    else:
        return None
    table = pd.concat(tables)
    scaled, values, errors = [], [], []
    for fact in facts:
        if fact.value is None or observables is None:
            continue
        x, logs = observables.scaled(table, fact), fact.scale == "sd_ln"
        # errors that multiply are normal on the scale of ln; the floor stands for an amount of zero
        scaled.append(np.log(np.maximum(x, 1e-300)) if logs else x)
        values.append(np.log(fact.value) if logs else fact.value)
        errors.append(fact.spread)
    for k, fact in enumerate(course.ahead if course is not None else ()):
        # twins that could not be simulated, or whose tumour vanished, do not bend the fit
        scaled.append(np.clip(np.concatenate([level[:, k] for level in levels]), -4.0, 2.0))
        values.append(fact.value or 0.0)
        errors.append(fact.spread)
    if not scaled:
        return None
    prior = np.exp(first.log_weight - first.log_weight.max())
    observed = np.stack(scaled, axis=1)
    return fitted_proposal(
        first, prior, np.concatenate(scores), observed, values, errors, posterior=posterior, fixed=fixed
    )


def tail(fact: Fact, x: FloatArray, weights: FloatArray) -> float:
    """Probability of a measurement as far out as a fact, in patients who have the truths `x` (n,) and weights (n,)."""
    total = weights.sum()
    if not total > 0.0:
        return 0.0
    if fact.value is None:
        return float(weights @ ((x >= fact.low) & (x <= fact.high)) / total)
    rng = np.random.default_rng([22, len(x)])
    # Eight repeated measurements of each candidate: a truth that is close may still be measured far out.
    noise = rng.standard_normal((8, len(x))) * fact.spread
    again = x * np.exp(noise) if fact.scale == "sd_ln" else x + noise
    below = float(((again < fact.value).mean(axis=0) @ weights) / total)
    # two-sided; one more count than was seen keeps the probability above 0
    return min(1.0, 2.0 * min(below, 1.0 - below) + 1.0 / again.size)
