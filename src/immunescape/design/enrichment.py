"""Adaptive enrichment: at an interim look the trial may go on in a biomarker-defined population only.

Valid by closed testing over the full population and its subgroups with inverse-normal (or Fisher) combination of the
stages. Where the choice rests on an earlier endpoint than the test, the stages are split by patients, not by time
[jenkins2011]: patients of the first stage are followed for a fixed time and tested once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from immunescape.design.cohort import Cohort, Streams
from immunescape.design.combination import closed_test
from immunescape.design.group_sequential import OBRIEN_FLEMING_LIKE, Spending
from immunescape.design.records import SHORT, Decided, Design, Rule, by_events, closed_test_table
from immunescape.design.samplesize import conditional_power
from immunescape.design.stages import increment
from immunescape.design.statistics import LOG_RANK, RATES, Statistic
from immunescape.design.truth import Truth
from immunescape.errors import InputError, unknown_word

__all__ = ["CHOICES", "Enrichment", "TestedPopulation"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
CHOICES = ("best", "threshold", "conditional-power")
METHODS = ("simes", "bonferroni", "sidak")


@dataclass(frozen=True)
class TestedPopulation:
    """A population that may be tested: the strata that it includes."""

    name: str
    strata: tuple[str, ...]


@dataclass(frozen=True)
class Enrichment(Rule):
    """Two-stage enrichment by a biomarker [jenkins2011], [marcus1976], [lehmacher1999].

    Attributes
    ----------
    endpoint, test : what is tested. populations : the full population first, then its subgroups.
    choose : ``best`` (largest estimated effect), ``threshold`` (the full population where the effect outside the
        subgroup has Z of at least `bound`, else the subgroup), ``conditional-power`` (the largest population whose
        conditional power is at least `bound`, else the subgroup).
    stop_below : futility: stop at the interim where no population has Z above this. combination : ``inverse-normal``.
    decide_on, decide_test : earlier endpoint for the choice (None: the tested one); then `first_follow_up` months of
        follow-up close the first stage.
    """

    kind: ClassVar[str] = "enrichment"

    endpoint: str
    populations: tuple[TestedPopulation, ...]
    _: KW_ONLY
    test: Statistic = LOG_RANK
    spending: Spending = OBRIEN_FLEMING_LIKE
    intersections: str = "simes"
    choose: str = "best"
    bound: float = 0.0
    stop_below: float = -np.inf
    combination: str = "inverse-normal"
    decide_on: str | None = None
    decide_test: Statistic = RATES
    first_follow_up: float = 0.0

    def check(self, design: Design) -> None:
        """See :class:`Rule`."""
        if self.combination != "inverse-normal":
            raise InputError(
                f"enrichment under '{self.combination}' would not control the type I error: the population is chosen "
                "by the data that a plain group-sequential test uses again",
                hint="Use combination: inverse-normal, which closed testing needs.",
            )
        if len(design.arms) != 2 or len(design.looks) != 2:
            raise InputError("an enrichment design compares two arms at two looks")
        _ = design.control
        if design.alpha is None:
            raise InputError("an enrichment design needs alpha")
        if len(self.populations) < 2:
            raise InputError("enrichment needs the full population and a subgroup")
        names = set(design.strata)
        for population in self.populations:
            for s in population.strata:
                if s not in names:
                    raise unknown_word("stratum", s, names)
        if set(self.populations[0].strata) != names:
            raise InputError("the first population includes every stratum")
        if any(set(p.strata) >= names for p in self.populations[1:]):
            raise InputError("a subgroup leaves out a stratum")
        if self.choose not in CHOICES:
            raise unknown_word("choice", self.choose, CHOICES)
        if self.intersections not in METHODS:
            raise unknown_word("intersection test", self.intersections, METHODS)
        if self.test.name not in ("log-rank", "fleming-harrington", "modestly-weighted", "rates"):
            raise InputError(f"'{self.test.name}' has no independent increments, which enrichment needs")
        if self.decide_on is not None:
            kind = design.endpoint(self.decide_on).kind
            if (kind == "response") != (self.decide_test.name == "rates"):
                raise InputError(f"test '{self.decide_test.name}' does not fit endpoint '{self.decide_on}' ({kind})")
            if self.decide_test.name not in ("log-rank", "fleming-harrington", "modestly-weighted", "rates"):
                raise InputError(f"'{self.decide_test.name}' is not offered for the choice", hint="Use log-rank.")
            if self.first_follow_up <= 0:
                raise InputError(
                    f"the choice rests on '{self.decide_on}', earlier than the tested '{self.endpoint}': stages must "
                    "be split by patients",
                    hint="Give first_follow_up, the months for which first-stage patients are followed.",
                )
        if self.spending.family == "fixed":
            raise InputError("an enrichment design has two looks", hint="Choose a group-sequential family.")

    def hypotheses(self, design: Design) -> tuple[str, ...]:
        """See :class:`Rule`."""
        return tuple(p.name for p in self.populations)

    def selections(self, design: Design) -> tuple[str, ...]:
        """See :class:`Rule`."""
        return self.hypotheses(design)

    def ignoring_futility(self) -> Enrichment | None:
        """See :class:`Rule`."""
        return replace(self, stop_below=-np.inf) if np.isfinite(self.stop_below) else None

    def plan(self, design: Design) -> dict[str, Any]:
        """See :class:`Rule`."""
        assert design.alpha is not None
        size = np.array([look.size for look in design.looks])
        fraction = size / size[-1]
        if self.decide_on is not None:
            bounds = np.array([np.inf, stats.norm.isf(design.alpha)])
        else:
            bounds = self.spending.critical(design.alpha, fraction, fraction)
        return {"information": fraction, "bounds": bounds}

    def _members(self, design: Design, cohort: Cohort) -> list[Flags]:
        index = {s: k for k, s in enumerate(design.strata)}
        return [np.isin(cohort.stratum, [index[s] for s in p.strata]) for p in self.populations]

    def _statistics(
        self, cohort: Cohort, design: Design, month: Floats, among: Flags | None, endpoint: str, test: Statistic
    ) -> tuple[Floats, Floats]:
        """(R, P) Z and information of every population; the log-rank test is stratified, its strata ordered once."""
        treated = cohort.arm != design.control
        if test.name != "log-rank":
            members = self._members(design, cohort)
            parts = [
                test.evaluate(cohort.view(endpoint, month, m if among is None else m & among), treated, cohort.stratum)
                for m in members
            ]
            return np.stack([z for z, _ in parts], 1), np.stack([i for _, i in parts], 1)
        score, variance = {}, {}
        for k, name in enumerate(design.strata):
            here = cohort.stratum == k
            view = cohort.view(endpoint, month, here if among is None else here & among)
            z, i = test.evaluate(view, treated, cohort.stratum)
            score[name], variance[name] = z * np.sqrt(i), i
        u = np.stack([sum((score[s] for s in p.strata), np.zeros(len(treated))) for p in self.populations], 1)
        v = np.stack([sum((variance[s] for s in p.strata), np.zeros(len(treated))) for p in self.populations], 1)
        return np.divide(u, np.sqrt(v), out=np.zeros_like(u), where=v > 0), v

    def _selected(self, z: Floats, information: Floats, plan: Mapping[str, Any]) -> Flags:
        """(R, P) populations that go on."""
        replicates, count = z.shape
        active = np.zeros((replicates, count), dtype=bool)
        rows = np.arange(replicates)
        with np.errstate(divide="ignore", invalid="ignore"):
            effect = np.where(information > 0, z / np.sqrt(information), -np.inf)
        sub = 1 + effect[:, 1:].argmax(axis=1)
        if self.choose == "best":
            active[rows, effect.argmax(axis=1)] = True
        elif self.choose == "threshold":
            # the complement of the best subgroup, from the increment between the nested statistics
            rest = increment(z[:, 0], information[:, 0], z[rows, sub], information[rows, sub])
            whole = rest >= self.bound
            active[:, 0] = whole
            active[rows, sub] = True
        else:
            power = conditional_power(z, float(plan["information"][0]), float(plan["bounds"][-1]))
            whole = power[:, 0] >= self.bound
            active[:, 0] = whole
            active[rows, sub] |= ~whole
        active &= np.asarray((z >= self.stop_below).any(axis=1))[:, None]
        return active

    def _events(self, design: Design, cohort: Cohort, month: Floats, eligible: Flags) -> Floats | None:
        """Events wanted at the end: those that the going populations had at the interim, and the planned increment."""
        first, last = design.looks
        if first.events is None or last.events is None or last.endpoint is None:
            return None
        seen = cohort.view(last.endpoint, month, eligible).event.sum(axis=1)
        values: Floats | None = seen + float(last.events - first.events)
        return values

    def _short(
        self, design: Design, cohort: Cohort, month: Floats, month2: Floats, eligible: Flags, *, goes: Flags
    ) -> Flags:
        """(R,) trials in which a look that is set by events comes with fewer of them."""
        first, last = design.looks
        short = np.zeros(len(month), dtype=bool)
        if first.events is not None and first.endpoint is not None:
            short |= cohort.view(first.endpoint, month).event.sum(axis=1) < first.events
        events_needed = self._events(design, cohort, month, eligible)
        if last.endpoint is not None and last.events is not None:
            target = np.full(len(month), float(last.events)) if events_needed is None else events_needed
            short |= goes & (cohort.view(last.endpoint, month2, eligible).event.sum(axis=1) < target)
        return short

    def run(self, design: Design, truth: Truth, streams: Streams, plan: Mapping[str, Any]) -> Decided:
        """See :class:`Rule`."""
        smallest = min(
            sum(sh for s, sh in zip(truth.strata, truth.shares, strict=True) if s in p.strata) for p in self.populations
        )
        cohort = design.cohort(truth, streams, patients=int(np.ceil(design.patients / max(smallest, 0.05) * 1.15)))
        cohort.enrolled = np.broadcast_to(np.arange(cohort.entry.shape[1]) < design.patients, cohort.entry.shape).copy()
        replicates, count = len(cohort.entry), len(self.populations)
        members = self._members(design, cohort)
        month = cohort.month_of(design.looks[0])
        by_look = {n: np.full((replicates, 2), np.nan) for n in ("months", "events", "patients")}
        z = np.zeros((replicates, 2, count))
        active = np.ones((replicates, 2, count), dtype=bool)
        first = cohort.entry <= month[:, None]
        interim_z, interim_i = self._statistics(cohort, design, month, None, self.endpoint, self.test)
        decide_z, decide_i = interim_z, interim_i
        if self.decide_on is not None:
            decide_z, decide_i = self._statistics(cohort, design, month, None, self.decide_on, self.decide_test)
        else:
            z[:, 0] = interim_z
        going = self._selected(decide_z, decide_i, plan)
        by_look["months"][:, 0] = month
        by_look["patients"][:, 0] = cohort.enrolled_by(month)
        by_look["events"][:, 0] = cohort.view(self.endpoint, month).event.sum(axis=1)
        rejected = np.zeros((replicates, count), dtype=bool)
        if self.decide_on is None:
            rejected = closed_test(
                z[:, :1], active[:, :1], plan["information"][:1], plan["bounds"][:1], method=self.intersections
            )[:, -1]
        won = np.asarray(rejected.any(axis=1))
        stopped = won | ~going.any(axis=1)
        # enrolled from here on: patients of a population that continues, until the planned number is reached
        eligible = np.zeros(first.shape, dtype=bool)
        for p, m in enumerate(members):
            eligible |= m & going[:, p, None]
        tested = first | eligible
        cohort.enrolled = tested & (np.cumsum(tested, axis=1) <= design.patients)
        month2 = np.maximum(
            cohort.month_of(design.looks[1], eligible, self._events(design, cohort, month, eligible)), month
        )
        short = self._short(design, cohort, month, month2, eligible, goes=~stopped)
        active[:, 1] = going
        if self.decide_on is None:
            zc, ic = self._statistics(cohort, design, month2, None, self.endpoint, self.test)
            z[:, 1] = increment(zc, ic, interim_z, interim_i)
        else:
            closed = month + self.first_follow_up
            z[:, 0] = self._statistics(cohort, design, closed, first, self.endpoint, self.test)[0]
            z[:, 1] = self._statistics(cohort, design, month2, ~first, self.endpoint, self.test)[0]
        if self.decide_on is not None:
            month2 = np.maximum(month2, month + self.first_follow_up)
        end = closed_test(z, active, plan["information"], plan["bounds"], method=self.intersections)[:, -1]
        goes = ~stopped
        by_look["months"][goes, 1] = month2[goes]
        by_look["patients"][goes, 1] = cohort.enrolled_by(month2)[goes]
        by_look["events"][goes, 1] = cohort.view(self.endpoint, month2).event.sum(axis=1)[goes]
        rejected = np.where(goes[:, None], rejected | end, rejected)
        stage = np.where(stopped, 1, 2)
        reason = np.where(won, 1, np.where(stopped, 2, 0))
        return Decided.at_last_look(
            rejected,
            stage,
            reason,
            selected=going,
            by_look=by_look,
            extra={SHORT: short.astype(float)} if by_events(design.looks) else {},
        )

    def expected_table(self, design: Design, plan: Mapping[str, Any]) -> list[dict[str, Any]]:
        """See :class:`Rule`."""
        return closed_test_table("each population, closed test", design, plan, str(self.test))
