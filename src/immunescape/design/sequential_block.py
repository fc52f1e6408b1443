"""One block of replicates of a group-sequential design, taken through its looks one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.design.cohort import Cohort, Milestone, Streams, View
from immunescape.design.prognostic import adjusted_log_rank
from immunescape.design.records import SHORT, Decided, Design
from immunescape.design.ssr import BlindedReestimation, Reestimation
from immunescape.design.statistics import ADJUSTED
from immunescape.design.truth import Truth
from immunescape.stats import nonproportional as nph

if TYPE_CHECKING:
    from immunescape.design.group_sequential import GroupSequential

__all__ = ["SequentialBlock", "enrol_more"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
EXPLAINED = "share of the variance that the prognostic score explains"


@dataclass(frozen=True)
class _Tests:
    """Data of one look.

    Attributes
    ----------
    z : (R, H) statistics, minus infinity where a hypothesis is not tested at this look.
    views : (endpoint, strata) -> the data as they are seen at this look.
    first : the data of the first hypothesis. information : (R,) of its statistic.
    """

    z: Floats
    views: dict[tuple[str, tuple[str, ...]], View]
    first: View
    information: Floats


class SequentialBlock:
    """Trials of one block (R replicates) under a group-sequential rule; each method is one step of a look.

    Parameters
    ----------
    rule, design, truth, streams, plan
        As of ``GroupSequential.run``.
    """

    def __init__(
        self, rule: GroupSequential, design: Design, truth: Truth, streams: Streams, plan: Mapping[str, Any]
    ) -> None:
        self.rule, self.design, self.plan = rule, design, plan
        # Patients that a re-estimation may add are drawn at the start, so that no random numbers depend on it.
        grown = rule.reestimation.maximum if rule.reestimation is not None else 1.0
        self.cohort = design.cohort(truth, streams, patients=int(np.ceil(design.patients * grown)))
        if rule.reestimation is not None:
            self.cohort.enrolled[:, design.patients :] = False
        replicates, looks = len(self.cohort.entry), len(design.looks)
        self.looks = looks
        self.first = rule.tested[0]
        self.graph, self.alpha = rule.graph(), float(plan["alpha"])
        self.treated = self.cohort.arm != design.control
        self.survival = design.endpoint(self.first.endpoint).kind == "survival"
        self.score = self.cohort.score() if any(h.test.name == ADJUSTED for h in rule.tested) else None
        self.several = len({(h.endpoint, h.strata) for h in rule.tested}) > 1

        self.rejected: Flags = np.zeros((replicates, len(rule.tested)), dtype=bool)
        self.stage = np.full(replicates, looks)
        self.reason = np.zeros(replicates, dtype=np.int64)
        self.running: Flags = np.ones(replicates, dtype=bool)
        names = ["months", "events", "patients", "hazard_ratio", "z"]
        if self.several:
            names += [f"events of {h.name}" for h in rule.tested]
        self.by_look = {name: np.full((replicates, looks), np.nan) for name in names}
        self.extra: dict[str, Floats] = {}
        self.factor = np.ones(replicates)
        self.month = np.zeros(replicates)
        self.before = (np.zeros(replicates), np.zeros(replicates))
        """Statistic and information of the first hypothesis at the look before, for the combination test."""
        self.short = np.zeros(replicates, dtype=bool)

    def decided(self) -> Decided:
        """Take all trials through all looks."""
        for k, look in enumerate(self.design.looks):
            self._look(k, look)
        if any(look.events is not None for look in self.design.looks):
            self.extra[SHORT] = self.short.astype(float)
        last = (np.arange(len(self.stage)), self.stage - 1)
        return Decided(
            rejected=self.rejected,
            stage=self.stage,
            reason=self.reason,
            patients=self.by_look["patients"][last],
            events=self.by_look["events"][last],
            months=self.by_look["months"][last],
            by_look=self.by_look,
            extra=self.extra,
        )

    def _look(self, k: int, look: Milestone) -> None:
        """Time of a look, its data, rejections, stops, and the size of the remaining trial."""
        target = self._enlarge(k, look)
        self.month = np.maximum(self.cohort.month_of(look, events=target), self.month)  # looks keep their order
        tests = self._test(k)
        limit = self._limits(k)
        self._adapt_to_new_size(k, look, tests, limit)
        new = self.graph.extend(tests.z, self.rejected, limit, self.alpha)
        self.rejected = np.where(self.running[:, None], new, self.rejected)
        won = self.rejected.any(axis=1) if self.rule.stop_when == "any" else self.rejected.all(axis=1)
        # over all trials, including those that have stopped: those still running at a late look are a biased selection
        ratios = nph.hazard_ratio(tests.first.ordered(self.treated), iterations=3) if self.survival else None
        lost = self._futile(k, tests.z[:, 0], ratios)
        self._record(k, look, tests, ratios, target)
        self._stop(k, np.asarray(won), lost)
        self._choose_size(k, look, tests)
        if self.score is not None and self.first.test.name == ADJUSTED and k == self.looks - 1:
            view = tests.first
            self.extra[EXPLAINED] = adjusted_log_rank(view.time, view.event, self.treated, view.use, self.score)[2]

    def _enlarge(self, k: int, look: Milestone) -> Floats | None:
        """Enrol more patients where the size was raised; return the events that this look then waits for, if new."""
        reestimation = self.rule.reestimation
        if reestimation is None or k != reestimation.look:
            return None
        target = enrol_more(reestimation, self.design, self.cohort, self.factor, self.month)
        if isinstance(reestimation, BlindedReestimation) and look.events is not None:
            return None  # more patients, for the events that were planned
        return target

    def _test(self, k: int) -> _Tests:
        """Compute the statistics of the hypotheses that a look tests; that of the first one at every look."""
        cohort, views = self.cohort, dict[tuple[str, tuple[str, ...]], View]()
        z = np.full(self.rejected.shape, -np.inf)
        first_view: View | None = None
        first_information: Floats = np.zeros(len(z))
        for h, hypothesis in enumerate(self.rule.tested):
            key = (hypothesis.endpoint, hypothesis.strata)
            if key not in views:
                views[key] = cohort.view(hypothesis.endpoint, self.month, cohort.members(hypothesis.strata))
            if self.several:
                events = views[key].event.sum(axis=1)
                self.by_look[f"events of {hypothesis.name}"][self.running, k] = events[self.running]
            if h == 0 or k in self.plan["looks"][hypothesis.name]:
                z[:, h], information = hypothesis.test.evaluate(views[key], self.treated, cohort.stratum, self.score)
            if h == 0:
                first_view, first_information = views[key], information
        assert first_view is not None
        return _Tests(z, views, first_view, first_information)

    def _limits(self, k: int) -> Callable[[int, float], float]:
        """Return the bound on Z of a hypothesis at a look, by its number and the alpha that it has."""
        rule, plan = self.rule, self.plan

        def limit(h: int, level: float) -> float:
            name = rule.tested[h].name
            if rule.binding:
                return float(plan["bounds"][name][k])
            if k not in plan["looks"][name]:
                return np.inf
            bounds = rule.bounds(rule.tested[h], level, plan["spent_at"][name], plan["information"][name])
            return float(bounds[plan["looks"][name].index(k)])

        return limit

    def _adapt_to_new_size(self, k: int, look: Milestone, tests: _Tests, limit: Callable[[int, float], float]) -> None:
        """Make the first statistic of a trial whose size was changed one that its planned bound is right for."""
        reestimation, z = self.rule.reestimation, tests.z
        if isinstance(reestimation, Reestimation):
            if k == reestimation.look:
                fraction = self.plan["information"][self.first.name][k - 1]
                z[:, 0] = _combined(z[:, 0], tests.information, self.before, fraction)
            self.before = (z[:, 0].copy(), tests.information)
        elif isinstance(reestimation, BlindedReestimation) and k == self.looks - 1 and look.patients is not None:
            # the bound of the last look at the information that there is, moved over to the scale of the plan
            level = self.alpha * self.first.share
            z[:, 0] += limit(0, level) - self._bound_at_factor(level)

    def _bound_at_factor(self, level: float) -> Floats:
        """(R,) bound of the last look at `factor` times its planned information, alpha spent as planned."""
        name = self.first.name
        spent, information = self.plan["spent_at"][name], self.plan["information"][name]
        assert self.rule.reestimation is not None
        # The bound is smooth in the information: 16 points and interpolation in place of one recursion per trial.
        grid = np.linspace(1.0, self.rule.reestimation.maximum, 16)
        bounds = []
        for growth in grid:
            larger = np.append(information[:-1] / growth, 1.0)
            bounds.append(self.rule.bounds(self.first, level, spent, larger)[-1])
        values: Floats = np.interp(self.factor, grid, bounds)
        return values

    def _futile(self, k: int, z: Floats, ratios: Floats | None) -> Flags:
        """(R,) trials that a look would stop for futility, by the first hypothesis or an earlier endpoint."""
        rule = self.rule
        if rule.futility_hazard_ratio:
            bound = rule.futility_hazard_ratio[k] if k < len(rule.futility_hazard_ratio) else None
            lost = np.zeros(len(z), dtype=bool) if bound is None or ratios is None else np.asarray(ratios > bound)
        else:
            lost = np.asarray(z < self.plan["futility"][self.first.name][k])
        early = rule.early_futility
        if early is not None and early.look == k + 1:
            view = self.cohort.view(early.endpoint, self.month)
            early_z, _ = early.test.evaluate(view, self.treated, self.cohort.stratum)
            lost |= early_z < early.bound
            self.extra["early_z"] = early_z
        return lost

    def _record(self, k: int, look: Milestone, tests: _Tests, ratios: Floats | None, target: Floats | None) -> None:
        """Keep what a look shows of the trials that still run, and whether its events were there at all."""
        running, by_look = self.running, self.by_look
        by_look["months"][running, k] = self.month[running]
        by_look["patients"][running, k] = self.cohort.enrolled_by(self.month)[running]
        by_look["events"][running, k] = tests.first.event.sum(axis=1)[running]
        by_look["z"][running, k] = tests.z[running, 0]
        if look.events is not None and isinstance(self.rule.reestimation, Reestimation | None):
            counted = tests.views.get((str(look.endpoint), look.strata))
            seen = self.cohort.events_by(look, self.month) if counted is None else counted.event.sum(axis=1)
            self.short |= running & (seen < (look.events if target is None else target))
        if ratios is not None:
            by_look["hazard_ratio"][:, k] = ratios

    def _stop(self, k: int, won: Flags, lost: Flags) -> None:
        """End the trials that were successful and, at an interim look, those that are futile."""
        interim = k < self.looks - 1
        end = self.running & (won | (lost & interim))
        self.stage[end] = k + 1
        if interim:
            self.reason[end] = np.where(won[end], 1, 2)
        self.running &= ~end

    def _choose_size(self, k: int, look: Milestone, tests: _Tests) -> None:
        """At the look of a re-estimation: choose by how much the rest of the trial grows."""
        reestimation = self.rule.reestimation
        if reestimation is None or k != reestimation.look - 1:
            return
        if isinstance(reestimation, BlindedReestimation):
            view = tests.first
            if look.patients is not None and self.first.test.name == "rates":
                raised = reestimation.factor_of_rates(view.event.sum(axis=1), view.use.sum(axis=1))
            else:
                months = np.where(view.use, view.time, 0.0).sum(axis=1)
                raised = reestimation.factor_of_events(view.event.sum(axis=1), months)
        else:
            final = float(self.plan["bounds"][self.first.name][-1])
            raised = reestimation.factor(tests.z[:, 0], self.plan["information"][self.first.name][k], final)
        self.factor = np.where(self.running, raised, 1.0)
        self.extra["factor"] = self.factor


def enrol_more(
    reestimation: Reestimation | BlindedReestimation, design: Design, cohort: Cohort, factor: Floats, month: Floats
) -> Floats:
    """Enrol more patients where the size was raised; return the events or patients wanted at the last look.

    The patients that are added come at the last rate of the accrual, from the interim look that asks for them on. A
    factor from conditional power is one on the events still to come, a blinded one on the patients in all.

    Parameters
    ----------
    cohort
        Changed: who is enrolled, and when those enter who are added.
    factor
        (R,) growth that each trial has chosen.
    month
        (R,) month of the interim look.
    """
    first, last = (float(design.looks[k].size) for k in (reestimation.look - 1, reestimation.look))
    if isinstance(reestimation, BlindedReestimation):
        patients = np.ceil(design.patients * factor)
        target = np.minimum(np.ceil(last * factor), patients)
    else:
        target = np.round(first + factor * (last - first))
        patients = np.ceil(design.patients * (first + factor * (last - first)) / last)
    planned = cohort.entry[:, design.patients - 1]
    gap = np.maximum(month - planned, 0.0)  # months from the last planned patient to the interim look
    cohort.entry[:, design.patients :] += gap[:, None]
    cohort.enrolled[:] = np.arange(cohort.entry.shape[1]) < patients[:, None]
    return target


def _combined(z: Floats, information: Floats, before: tuple[Floats, Floats], fraction: float) -> Floats:
    """Final Z with planned weights: the earlier Z and the independent increment since, by the inverse normal."""
    z1, i1 = before
    step = np.maximum(information - i1, 1e-12)
    increment = (z * np.sqrt(information) - z1 * np.sqrt(i1)) / np.sqrt(step)
    values: Floats = np.sqrt(fraction) * z1 + np.sqrt(1 - fraction) * increment
    return values
