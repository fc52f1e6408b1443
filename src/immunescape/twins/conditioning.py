"""The twin population at diagnosis: candidates drawn, grown and weighted until enough of them are effective."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.twins.covariates import conditional_covariates, effective, systematic
from immunescape.twins.early import EarlyCourse
from immunescape.twins.facts import Fact, checked
from immunescape.twins.growth import Grown, GrowTask, Proposal, fitted_proposal, grow_many
from immunescape.twins.population import Observables, reference_observables

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.population.covariates import Region

__all__ = ["ENOUGH", "TwinPopulation", "check_number_of_twins", "condition"]

FloatArray = NDArray[np.float64]
ENOUGH = 200
"""Effective twins below which nothing is said."""
_ROUND = 512
_MOST = 6144


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
        edges = np.cumsum(self.weights[order])
        return x[order][np.minimum(np.searchsorted(edges, levels), len(x) - 1)]

    def mean(self, column: str) -> float:
        """Weighted mean of a column of numbers or truth values."""
        return float(self.weights @ self.table[column].to_numpy(dtype=float))

    def reweighted(self, factors: FloatArray, note: str = "") -> TwinPopulation:
        """The same twins with their weights multiplied."""
        from dataclasses import replace

        weights = self.weights * factors
        total = float(weights.sum())
        if not total > 0.0:
            raise InputError(
                "none of the twins has such a course",
                hint="Check dates and responses of the earlier lines; more twins (--twins) may help.",
            )
        notes = (*self.notes, note) if note else self.notes
        return replace(self, weights=weights / total, effective=effective(weights), notes=notes)


@dataclass
class _Round:
    """One round of candidates: what they were drawn from, and the ln of the likelihood of all facts (n,)."""

    grown: Grown
    proposal: Proposal | None
    log_weight: FloatArray


def check_number_of_twins(twins: int, enough: int = ENOUGH) -> None:
    """Refuse fewer twins than a statement about a patient needs.

    Raises
    ------
    InputError
        With the least number.
    """
    if twins < enough:
        raise InputError(f"{twins} twins", hint=f"At least {enough} are needed for a statement about a patient.")


def condition(
    patient: str,
    facts: Sequence[Fact],
    *,
    twins: int = 400,
    seed: int = 1,
    region: Region = "western",
    workers: int = 1,
    engine: str = "auto",
    enough: int = ENOUGH,
    most: int = _MOST,
    batch: int = _ROUND,
    course: EarlyCourse | None = None,
) -> TwinPopulation:
    """Draw the twins of a patient at diagnosis.

    Parameters
    ----------
    patient
        Identifier, for messages.
    facts
        What was measured; their order does not matter.
    twins
        Twins wanted; they are drawn from the weighted candidates, so that some may stand for several.
    seed, region, workers, engine
        Everything random follows from the seed; results do not depend on the number of processes.
    enough
        Effective twins that there must be.
    most
        Candidates that are grown at most.
    batch
        Candidates that are grown at a time.
    course
        Scans and ctDNA on a first line that began at diagnosis; they condition as observables do.

    Raises
    ------
    InputError
        For a measurement that no patient can have, or where the measurements leave too few effective twins; names the
        ones that cost most.
    """
    facts = checked(sorted(facts, key=lambda f: (f.kind, f.target)))
    check_number_of_twins(twins, enough)
    kinds = {kind: tuple(f for f in facts if f.kind == kind) for kind in ("covariate", "parameter", "observable")}
    known: Observables | None = None
    if kinds["observable"]:
        known = reference_observables(region, workers)
        for fact in kinds["observable"]:
            known.check(fact)
    rounds: list[_Round] = []
    surprise: dict[str, float] = {}
    task = GrowTask(seed, region=region, facts=kinds["parameter"], proposal=None, course=course, engine=engine)
    total = 0
    while True:
        n = max(twins, batch) if not rounds else batch
        start = total
        drawn = conditional_covariates(kinds["covariate"], n, seed=seed, start=start, region=region)
        surprise = surprise or dict(drawn.surprise)
        grown = grow_many(task, drawn.table, workers=workers)
        total += n
        if not len(grown.table):
            raise InputError(
                f"no candidate with these covariates is diagnosed and plausible: {dict(grown.fates)}",
                hint="Check the sum of diameters and the counts of lesions.",
            )
        logs = [f.log_likelihood(known.scaled(grown.table, f)) for f in kinds["observable"]] if known else []
        if course is not None:
            logs += [f.log_likelihood(grown.levels[:, k]) for k, f in enumerate(course.facts)]
        log_weight = grown.log_weight + np.sum(logs, axis=0) if logs else grown.log_weight
        rounds.append(_Round(grown, task.proposal, log_weight))
        weights = _pooled(rounds)
        ess = effective(weights)
        if ess >= enough or total >= most:
            break
        if known is not None or course is not None:
            proposal = _proposal(rounds, kinds["observable"], known, course)
            task = GrowTask(
                seed, region=region, facts=kinds["parameter"], proposal=proposal, course=course, engine=engine
            )
    if known is not None:
        surprise |= {f.target: _tail(f, known.scaled(rounds[0].grown.table, f), rounds[0]) for f in kinds["observable"]}
    if course is not None:
        surprise |= {f.target: _tail(f, rounds[0].grown.levels[:, k], rounds[0]) for k, f in enumerate(course.facts)}
        facts = (*facts, *course.facts)
    if ess < enough:
        raise InputError(_too_few(ess, enough, total, surprise, facts), hint=_TOO_FEW)
    import pandas as pd

    table = pd.concat([r.grown.table for r in rounds])
    rng = np.random.default_rng([seed, 21])
    chosen, counts = np.unique(systematic(weights, twins, rng), return_counts=True)
    if not facts:
        chosen, counts = np.arange(min(twins, len(table))), np.ones(min(twins, len(table)), dtype=int)
    return TwinPopulation(
        patient=patient,
        table=table.iloc[chosen],
        weights=counts / counts.sum(),
        facts=tuple(facts),
        effective=min(ess, effective(counts.astype(float))),
        candidates=total,
        surprise=surprise,
        seed=seed,
        region=region,
        engine=engine,
    )


_TOO_FEW = "Check what is least likely (a unit, a sample that was swapped), or leave a measurement out of the files."


def _too_few(ess: float, enough: int, total: int, surprise: Mapping[str, float], facts: Sequence[Fact]) -> str:
    least = sorted(surprise, key=lambda k: surprise[k])[:3]
    by = {f.target: f for f in facts}
    named = ", ".join(
        f"{by[k].biomarker or k} ({by[k].measured}; {100 * surprise[k]:.2g} % of patients)" for k in least
    )
    return f"only {ess:.0f} of {total} candidates are effective twins, {enough} are needed; least likely: {named}"


def _pooled(rounds: Sequence[_Round]) -> FloatArray:
    """Weights of all candidates: likelihood times prior over the mixture that all of them were drawn from."""
    names = rounds[0].grown.names
    scores = np.concatenate([r.grown.scores for r in rounds])
    sizes = np.array([len(r.grown.table) for r in rounds], dtype=float)
    mixture = np.zeros(len(scores))
    for r, size in zip(rounds, sizes / sizes.sum(), strict=True):
        ratio = np.zeros(len(scores))
        if r.proposal is not None:
            ratio = r.proposal.log_ratio(scores[:, [names.index(n) for n in r.proposal.names]])
        mixture += size * np.exp(ratio)
    log_weight = np.concatenate([r.log_weight for r in rounds]) - np.log(mixture)
    return np.asarray(np.exp(log_weight - log_weight.max()))


def _proposal(
    rounds: Sequence[_Round], facts: Sequence[Fact], known: Observables | None, course: EarlyCourse | None
) -> Proposal | None:
    """Where to look next: parameters given the observables, by a linear fit to the candidates so far."""
    import pandas as pd

    table = pd.concat([r.grown.table for r in rounds])
    scaled, values, errors = [], [], []
    for fact in facts:
        if fact.value is None or known is None:
            continue
        x, logs = known.scaled(table, fact), fact.scale == "sd_ln"
        scaled.append(np.log(np.maximum(x, 1e-300)) if logs else x)
        values.append(np.log(fact.value) if logs else fact.value)
        errors.append(fact.spread)
    for k, fact in enumerate(course.facts if course is not None else ()):
        # twins that could not be simulated, or whose tumour vanished, do not bend the fit
        scaled.append(np.clip(np.concatenate([r.grown.levels[:, k] for r in rounds]), -4.0, 2.0))
        values.append(fact.value or 0.0)
        errors.append(fact.spread)
    if not scaled:
        return None
    first = rounds[0]
    weights = np.exp(first.grown.log_weight - first.grown.log_weight.max())
    scores = np.concatenate([r.grown.scores for r in rounds])
    return fitted_proposal(first.grown, weights, scores, np.stack(scaled, axis=1), values, errors)


def _tail(fact: Fact, x: FloatArray, first: _Round) -> float:
    """Probability of a measurement as far out, in patients with these covariates, who have the truths `x` (n,)."""
    w = np.exp(first.grown.log_weight - first.grown.log_weight.max())
    if fact.value is None:
        return float(w @ ((x >= fact.low) & (x <= fact.high)) / w.sum())
    rng = np.random.default_rng([22, len(x)])
    noise = rng.standard_normal((8, len(x))) * fact.spread
    again = x * np.exp(noise) if fact.scale == "sd_ln" else x + noise
    below = float(((again < fact.value).mean(axis=0) @ w) / w.sum())
    return min(1.0, 2.0 * min(below, 1.0 - below) + 1.0 / again.size)
