"""Twins through the lines that are over: candidates at diagnosis weighed by what they did on them, and drawn anew.

Earlier lines cost far less than following every regimen of a decision, and they leave few candidates: many die or do
not progress, others arrive with another tumour. Therefore as many candidates are taken through the earlier lines as it
takes for enough of them to agree with the patient, and only the twins drawn from these go on to the regimens.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.twins.conditioning import Candidates, TwinPopulation, tail
from immunescape.twins.courses import Courses, CourseTask, follow
from immunescape.twins.covariates import effective, systematic
from immunescape.twins.crew import Crew
from immunescape.twins.likelihood import line_log_likelihood, size_fact, size_log_likelihood

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.twins.facts import Fact
    from immunescape.twins.recorded_patient import PatientRecord

__all__ = ["MOST_GROWN", "EarlierLines"]

FloatArray = NDArray[np.float64]
MOST_GROWN = 24_576
"""Candidates that are grown at most where a course, of earlier lines or of one that goes on, leaves few of them."""
_SPARE = 1.2
"""So many times the candidates that seem to be needed are taken, as the share that agrees is itself an estimate."""
_LEAST_SHARE = 0.01
"""Share of agreeing candidates that is reckoned with at least: one of very few says little."""


class EarlierLines:
    """What candidates did on the lines that a patient has had.

    Parameters
    ----------
    record
        The patient.
    task
        Earlier lines and regimens; the regimens are not given, but their drugs are in the model, which is then the one
        of the later simulation.
    workers, follower, progress
        See `immunescape.twins.courses.follow`, which is the default of `follower`.
    """

    def __init__(
        self,
        record: PatientRecord,
        task: CourseTask,
        *,
        workers: int | Crew = 1,
        follower: Callable[..., Courses] = follow,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.record, self.task = record, replace(task, to_entry=True)
        self._workers, self._follow, self._progress = workers, follower, progress
        self._terms: dict[int, dict[str, float]] = {}
        self._excluded: dict[str, int] = {}
        self._sizes: dict[int, float] = {}

    @property
    def followed(self) -> int:
        """Candidates that were taken through the lines."""
        return len(self._terms)

    def terms(self, table: pd.DataFrame) -> dict[str, FloatArray]:
        """Log likelihood (n,) of each measurement of the earlier lines in candidates, who are followed where need be.

        The first is whether a candidate reaches the decision at all: 0 or minus infinity.
        """
        new = table.loc[[i for i in table.index.tolist() if i not in self._terms]]
        if len(new):
            made = self._follow(self.task, new, workers=self._workers, progress=self._progress)
            self._keep(new, made)
        names = list(next(iter(self._terms.values())))
        rows = [self._terms[i] for i in table.index.tolist()]
        return {name: np.array([row[name] for row in rows]) for name in names}

    def _keep(self, table: pd.DataFrame, courses: Courses) -> None:
        record = self.record
        ids = table.index.tolist()
        for reason, count in courses.excluded.items():
            self._excluded[reason] = self._excluded.get(reason, 0) + count
        entered = courses.patients.drop_duplicates("id").set_index("id") if len(courses.patients) else courses.patients
        reached = {i: i in entered.index for i in ids}
        for i in ids:
            self._terms[i] = {_REACHED: 0.0 if reached[i] else -math.inf}
        for line, outcomes in zip(record.history, courses.history, strict=True):
            name = f"the course on {line.title} from day {line.start:g}"
            for i in ids:
                self._terms[i][name] = line_log_likelihood(line, outcomes[i]) if i in outcomes else -math.inf
        if math.isfinite(record.entry_mm):
            name = f"the sum of diameters before this line ({record.entry_mm:g} mm)"
            sizes = np.array([float(entered["sld_mm_baseline"][i]) if reached[i] else math.nan for i in ids])
            self._sizes.update(zip(ids, sizes.tolist(), strict=True))
            logs = size_log_likelihood(record.entry_mm, np.nan_to_num(sizes, nan=1.0))
            for i, log in zip(ids, logs.tolist(), strict=True):
                self._terms[i][name] = log if reached[i] else 0.0

    def drawn(
        self, candidates: Candidates, twins: int, enough: float, least: float | None = None
    ) -> tuple[TwinPopulation, bool]:
        """Draw twins at the decision, and tell whether `enough` of them are effective before they are drawn.

        Where no more candidates may be grown, `least` effective ones will do (None: no less than `enough`).

        Raises
        ------
        InputError
            Where too few candidates agree with the patient's earlier lines: names what costs most of them.
        """
        target, number = float(enough), twins
        while True:
            candidates.grow_until(target, MOST_GROWN)
            pool = candidates.drawn(number)
            terms = self.terms(pool.table)
            weights = pool.weights * np.exp(np.sum(list(terms.values()), axis=0))
            ess = effective(weights)
            if ess >= enough:
                break
            share = max(ess / effective(pool.weights), _LEAST_SHARE)
            needed = _SPARE * enough / share
            if candidates.grown >= MOST_GROWN and number >= 2 * candidates.effective:
                if least is None or ess < least:
                    raise self._refusal(pool, terms, ess, enough if least is None else least)
                break
            target = min(needed, 2.5 * target)
            number = math.ceil(max(2.0 * target, 1.5 * number))
        weights /= weights.sum()
        facts, surprise = self._size(pool)
        rng = np.random.default_rng([candidates.seed, 23])
        chosen, counts = np.unique(systematic(weights, twins, rng), return_counts=True)
        population = replace(
            pool,
            table=pool.table.iloc[chosen],
            weights=counts / counts.sum(),
            effective=min(ess, effective(counts.astype(float))),
            facts=(*pool.facts, *facts),
            surprise={**pool.surprise, **surprise},
        )
        return population, ess >= enough

    def _size(self, pool: TwinPopulation) -> tuple[tuple[Fact, ...], dict[str, float]]:
        """The sum of diameters before the line as a fact, and how likely one as far out is in those who reach it."""
        if not math.isfinite(self.record.entry_mm):
            return (), {}
        fact = size_fact(self.record.entry_mm)
        sizes = np.array([self._sizes[i] for i in pool.table.index.tolist()])
        there = np.isfinite(sizes)
        return (fact,), {fact.target: tail(fact, sizes[there], pool.weights[there])}

    def _refusal(self, pool: TwinPopulation, terms: Mapping[str, FloatArray], ess: float, enough: float) -> InputError:
        """Say which measurement of the earlier lines leaves fewest candidates."""
        kept = {}
        for name in terms:
            others = np.sum([v for k, v in terms.items() if k != name], axis=0) + np.zeros(len(pool))
            without = effective(pool.weights * np.exp(others))
            kept[name] = ess / without if without > 0.0 else 1.0
        worst = min(kept, key=lambda name: kept[name])
        lost = ", ".join(f"{count} {reason}" for reason, count in sorted(self._excluded.items(), key=lambda x: -x[1]))
        said = f"{worst} leaves {100.0 * kept[worst]:.2g} % of those who agree with the rest"
        if worst == _REACHED and lost:
            said += f" ({lost})"
        return InputError(
            f"only {ess:.0f} of {self.followed} twins have the patient's course up to this line; {enough:.0f} are "
            f"needed. The most restrictive: {said}",
            hint=self._hint(worst),
        )

    def _hint(self, worst: str) -> str:
        record = self.record
        if worst == _REACHED and record.unknown_lines:
            return (
                "Name the drugs and days of the earlier lines in the table of treatments: those that are only counted "
                "are taken as a platinum doublet, then docetaxel, with progression."
            )
        if worst.startswith("the sum of diameters"):
            return (
                "Check the last sum of diameters before the line (mm, target lesions). Without it in the table of "
                "responses the twins are not conditioned on it."
            )
        return (
            "Check the drugs, days of scans and responses of that line. Courses that the model cannot reproduce give "
            "no forecast."
        )


_REACHED = "to come through the earlier lines alive and with progression"
