"""What to measure next: the value of information over what is not assessable in a patient, from the ranking's twins.

The twins were followed under every option already, so nothing is simulated. A measurement divides them by its result.
Its value is the expected value of partial information: the mean, over results, of the score of the option that is best
given the result, less the score of the option that is best without it [claxton1999], estimated by grouping as nested
simulation is too dear [strong2014]. The best of several noisy means is too high. Therefore options are chosen on some
of the twins and scored on the others (cross-fitting), and the gain is compared with that obtained when the same results
are assigned to the twins at random.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.model.drugs._titles import sentence_case
from immunescape.twins.results import PossibleResults, in_words, possible_results

if TYPE_CHECKING:
    from immunescape.twins.population import Observables
    from immunescape.twins.ranking import Ranking
    from immunescape.twins.recorded_patient import PatientRecord
    from immunescape.twins.twin import Followed

__all__ = ["Choice", "MeasurementValue", "NextMeasurements", "frequency_text", "measure_next", "value_of_information"]

FloatArray = NDArray[np.float64]
_FOLDS = 5
_REPEATS = 3
_PERMUTATIONS = 99
_ERRORS = 1.0
"""An option replaces the first one where it is ahead by so many standard errors: with less, half of all useless results
would change the choice between options that are equally good."""
_LEAST = 8.0
"""Effective twins with a result below which that result changes no choice."""
_SURE = 0.05
_NAMED = 5
"""Measurements without a value that a sentence names; more are counted."""
_FLOOR = 1e-3
"""Score (0.024 months of life) taken for the least spread of the gain of random results."""


@dataclass(frozen=True)
class Choice:
    """First choice given a result: its share of the twins, the option in words, its lead over the choice without it."""

    result: str
    share: float
    option: str
    lead: float


@dataclass(frozen=True, kw_only=True)
class MeasurementValue:
    """Value of one measurement.

    Attributes
    ----------
    biomarker : name.
    gain, low, high : expected gain of the score, with its interval of 95 %; at or below zero there is none.
    changed : share of twins in whom the first choice would change.
    p : probability of such a gain by random results, the largest of all measurements (familywise).
    shown : whether the gain is told from chance (p of at most 0.05).
    narrowing : share by which the 95 % range, over twins, of the first option's benefit would narrow on average.
    choices : first choice for each result.
    """

    biomarker: str
    gain: float
    low: float
    high: float
    changed: float
    p: float
    shown: bool
    narrowing: float
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True)
class NextMeasurements:
    """What to measure next.

    Attributes
    ----------
    first, against : first choice, and the option that its benefit is over ('' where there is no other).
    rows : measurements, those that change the choice first.
    left_out : (biomarker, reason) of what cannot be valued.
    options : options that a result may choose from: those of the first choice's level of evidence.
    """

    first: str
    against: str
    rows: tuple[MeasurementValue, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    options: int = 0

    @property
    def words(self) -> tuple[str, ...]:
        """What may be said, in sentences."""
        if not self.rows:
            return ("Everything that the twins represent has been measured.",)
        if self.options < 2:
            return (f"{self.first} is the only option of its level of evidence: no measurement can change the choice.",)
        said = [_sentence(row) for row in self.rows if row.shown]
        rest = [in_words(row.biomarker) for row in self.rows if not row.shown]
        if rest:
            other = "other " if said else ""
            them = ": " + ", ".join(rest) if len(rest) <= _NAMED else f" any of {len(rest)} {other}measurements"
            said.append(f"In no twin can a change of the first choice be distinguished from chance by{them}.")
        narrow = sorted((r for r in self.rows if r.narrowing >= 0.02), key=lambda r: -r.narrowing)[:3]
        over = f" over {self.against}" if self.against else ""
        if narrow:
            most = ", ".join(f"{in_words(r.biomarker)} by {100 * r.narrowing:.0f} %" for r in narrow)
            said.append(f"The range of the benefit of {self.first}{over} would narrow most with {most}.")
        else:
            said.append(f"No measurement would narrow the range of the benefit of {self.first}{over} by 2 % or more.")
        return tuple(said)

    def to_json(self) -> dict[str, Any]:
        """Plain content."""
        return {
            "first_choice": self.first,
            "benefit_over": self.against,
            "options_of_its_level": self.options,
            "says": list(self.words),
            "measurements": [
                {
                    "biomarker": r.biomarker,
                    "expected_gain": {"value": round(r.gain, 4), "low": round(r.low, 4), "high": round(r.high, 4)},
                    "share_with_another_first_choice": round(r.changed, 4) if r.shown else 0.0,
                    "p_against_random_results": round(r.p, 4),
                    "told_from_chance": r.shown,
                    "narrowing_of_the_benefit": round(r.narrowing, 4),
                    "first_choice_by_result": [
                        {"result": c.result, "share": round(c.share, 4), "option": c.option, "lead": round(c.lead, 4)}
                        for c in r.choices
                    ],
                }
                for r in self.rows
            ],
            "not_valued": [{"biomarker": name, "reason": reason} for name, reason in self.left_out],
        }


def frequency_text(share: float) -> str:
    """A share in words: ``1 of 4``."""
    if share <= 0.0:
        return "none"
    if share < 0.1:
        return f"1 of {round(1.0 / share)}"
    parts = Fraction(share).limit_denominator(10)
    return f"{parts.numerator} of {parts.denominator}"


def _sentence(row: MeasurementValue) -> str:
    other = [c for c in row.choices if c.lead > 0.0]
    given = "; ".join(f"{c.result}: {c.option}" for c in other)
    name = in_words(row.biomarker)
    return (
        f"{sentence_case(name)} would change the first choice in {frequency_text(row.changed)} twins"
        + (f" ({given})" if given else "")
        + f": expected gain of the score {row.gain:.3f} ({row.low:.3f} to {row.high:.3f}), the range of the benefit "
        f"narrower by {100 * row.narrowing:.0f} %."
    )


@dataclass(frozen=True, eq=False)
class _Twins:
    """Twins in arrays: weights (n,), lead (n, k) of each option over the first, benefit (n,) of the first option."""

    weights: FloatArray
    lead: FloatArray
    benefit: FloatArray


def value_of_information(
    results: Sequence[PossibleResults],
    scores: Mapping[str, FloatArray],
    weights: FloatArray,
    first: str,
    *,
    standard: str | None = None,
    standard_score: FloatArray | None = None,
    titles: Mapping[str, str] | None = None,
    left_out: Sequence[tuple[str, str]] = (),
    seed: int = 1,
    permutations: int = _PERMUTATIONS,
) -> NextMeasurements:
    """Value of each measurement for the choice between options, on twins that had every option.

    Parameters
    ----------
    results
        Results of each measurement in the twins.
    scores
        Option -> score (n,) of each twin, in the same order of twins throughout.
    weights
        (n,) of the twins.
    first
        The first choice without any of the measurements.
    standard, standard_score
        Option that the benefit of the first is over, and its score where it is none of `scores` (it stands on another
        level of evidence). Where the standard is the first itself, that option is the best of the others.
    titles
        Option -> words for sentences.
    left_out
        Passed on.
    seed, permutations
        Of folds and of random results; how many of the latter.

    Returns
    -------
    NextMeasurements
        Those told from chance first, by gain; then the others, by how much they narrow.
    """
    names = [first, *(n for n in scores if n != first)]
    w = weights / weights.sum()
    by = dict(scores) if standard is None or standard_score is None else {standard: standard_score, **scores}
    reference = standard
    if reference is None or reference == first or reference not in by:
        reference = _best_of_others(names, scores, w)
    title = dict(titles or {})
    said = [title.get(n, n) for n in names]
    against = "" if reference is None else title.get(reference, reference)
    if not results:
        return NextMeasurements(said[0], against, (), tuple(left_out), len(names))
    matrix = np.stack([scores[n] for n in names], axis=1)
    twins = _Twins(w, matrix - matrix[:, :1], matrix[:, 0] - (by[reference] if reference is not None else 0.0))
    shares = np.concatenate([r.shares for r in results], axis=1)
    starts = np.cumsum([0, *(r.shares.shape[1] for r in results)])[:-1]
    rng = np.random.default_rng([seed, 43])
    folds = [_folds(len(w), rng) for _ in range(_REPEATS)]
    gains, changed, narrowing = _cross_fitted(twins, shares, starts, folds)
    gain = w @ gains
    error = np.sqrt((w**2) @ (gains - gain) ** 2)
    p = _familywise(twins, shares, starts=starts, folds=folds, gain=gain, rng=rng, permutations=permutations)
    best, lead = _chosen(twins, shares, np.ones(len(w), dtype=bool))
    rows = []
    for k, r in enumerate(results):
        rows.append(
            MeasurementValue(
                biomarker=r.biomarker,
                gain=float(gain[k]),
                low=float(gain[k] - 1.96 * error[k]),
                high=float(gain[k] + 1.96 * error[k]),
                changed=float(w @ changed[:, k]),
                p=float(p[k]),
                shown=bool(p[k] <= _SURE and gain[k] > 0.0),
                narrowing=float(narrowing[k]),
                choices=tuple(
                    Choice(name, float(w @ shares[:, c]), said[best[c]], float(lead[c]))
                    for name, c in zip(r.names, range(starts[k], starts[k] + r.shares.shape[1]), strict=True)
                ),
            )
        )
    rows.sort(key=lambda r: (not r.shown, -r.gain if r.shown else -r.narrowing, r.biomarker))
    return NextMeasurements(said[0], against, tuple(rows), tuple(left_out), len(names))


def _best_of_others(names: Sequence[str], scores: Mapping[str, FloatArray], weights: FloatArray) -> str | None:
    """Option with the highest mean score after the first; None where there is no other."""
    if len(names) < 2:
        return None
    means = weights @ np.stack([scores[n] for n in names], axis=1)
    return names[1 + int(np.argmax(means[1:]))]


def measure_next(
    record: PatientRecord, followed: Followed, ranking: Ranking, observables: Observables | None, *, seed: int = 1
) -> NextMeasurements:
    """What to measure next in a patient whose options are ranked.

    A result chooses among options of the first choice's level of evidence, as the ranking does.

    Parameters
    ----------
    record, followed, ranking
        What the files say, the twins under every option, and the ranking of these.
    observables
        Observables of the whole population, for percentiles.
    seed
        Of folds, errors of measurement and random results.
    """
    from immunescape.twins.ranking import paired_scores

    top = ranking.rows[0]
    peers = [r.option for r in ranking.rows if r.option.level == top.option.level]
    names = list(dict.fromkeys((*(o.name for o in peers), ranking.standard)))
    paired = paired_scores(followed, names, ranking.weights)
    table = followed.twins.table.loc[list(paired.ids)]
    results, left = possible_results(
        record.open_questions, followed.twins.facts, table, paired.weights, observables, seed=seed
    )
    return value_of_information(
        results,
        {o.name: paired.scores[o.name] for o in peers},
        paired.weights,
        top.option.name,
        standard=ranking.standard,
        standard_score=paired.scores[ranking.standard],
        titles={r.option.name: r.option.title for r in ranking.rows},
        left_out=left,
        seed=seed,
        permutations=_PERMUTATIONS,
    )


def _folds(n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Number of the fold (n,) of each twin."""
    return rng.permutation(np.arange(n) % min(_FOLDS, n))


def _chosen(twins: _Twins, shares: FloatArray, use: NDArray[np.bool_]) -> tuple[NDArray[np.int64], FloatArray]:
    """Option (c,) that stands first given each result, judged on some of the twins, and its lead over the first."""
    mass = twins.weights[use, None] * shares[use]
    total = mass.sum(axis=0)
    size = total**2 / np.maximum((mass**2).sum(axis=0), 1e-300)
    d = twins.lead[use]
    mean = mass.T @ d / np.maximum(total, 1e-300)[:, None]
    variance = np.maximum(mass.T @ d**2 / np.maximum(total, 1e-300)[:, None] - mean**2, 0.0)
    error = np.sqrt(variance / np.maximum(size - 1.0, 1.0)[:, None])
    ahead = (mean > _ERRORS * error + 1e-12) & (size >= _LEAST)[:, None]
    judged = np.where(ahead, mean, 0.0)
    best = judged.argmax(axis=1)  # the first one is in front of all that are not ahead, with a lead of zero
    return best, judged[np.arange(len(best)), best]


def _cross_fitted(
    twins: _Twins, shares: FloatArray, starts: NDArray[np.int64], folds: Sequence[NDArray[np.int64]]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Gain (n, m) and change of the choice (n, m) of each twin by results on the others, and narrowing (m,)."""
    n, m = len(twins.weights), len(starts)
    gains, changed = np.zeros((n, m)), np.zeros((n, m))
    left, before = np.zeros(m), 0.0
    for fold in folds:
        for k in range(int(fold.max()) + 1):
            test = fold == k
            train = ~test
            if not train.any():
                train = test
            best, _ = _chosen(twins, shares, train)
            gains[test] += np.add.reduceat(shares[test] * twins.lead[test][:, best], starts, axis=1)
            changed[test] += np.add.reduceat(shares[test] * (best > 0), starts, axis=1)
            w = twins.weights[train]
            whole = float(w @ twins.benefit[train] / max(w.sum(), 1e-300))
            mass = w[:, None] * shares[train]
            total = mass.sum(axis=0)
            inside = np.where(total > 0.0, mass.T @ twins.benefit[train] / np.maximum(total, 1e-300), whole)
            miss = shares[test] * (twins.benefit[test][:, None] - inside) ** 2
            left += twins.weights[test] @ np.add.reduceat(miss, starts, axis=1)
            before += float(twins.weights[test] @ (twins.benefit[test] - whole) ** 2)
    share = np.minimum(left / before, 1.0) if before > 0.0 else np.ones(m)
    return gains / len(folds), changed / len(folds), 1.0 - np.sqrt(share)


def _familywise(
    twins: _Twins,
    shares: FloatArray,
    *,
    starts: NDArray[np.int64],
    folds: Sequence[NDArray[np.int64]],
    gain: FloatArray,
    rng: np.random.Generator,
    permutations: int,
) -> FloatArray:
    """Probability (m,) that the largest gain of all measurements is as large where results are dealt at random."""
    drawn = np.empty((permutations, len(starts)))
    for b in range(permutations):
        order = rng.permutation(len(twins.weights))
        drawn[b] = twins.weights @ _gains(twins, shares[order], starts, folds)
    centre, spread = drawn.mean(axis=0), np.maximum(drawn.std(axis=0), _FLOOR)
    largest = ((drawn - centre) / spread).max(axis=1)
    return np.array([(1.0 + (largest >= t).sum()) / (1.0 + permutations) for t in (gain - centre) / spread])


def _gains(
    twins: _Twins, shares: FloatArray, starts: NDArray[np.int64], folds: Sequence[NDArray[np.int64]]
) -> FloatArray:
    """The gains of `_cross_fitted` alone."""
    gains = np.zeros((len(twins.weights), len(starts)))
    for fold in folds:
        for k in range(int(fold.max()) + 1):
            test = fold == k
            best, _ = _chosen(twins, shares, ~test if (~test).any() else test)
            gains[test] += np.add.reduceat(shares[test] * twins.lead[test][:, best], starts, axis=1)
    return gains / len(folds)
