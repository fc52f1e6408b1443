"""Two-arm designs with fixed or group-sequential looks, one or several hypotheses, futility, and sample-size change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from immunescape.design.boundaries import SPENDING, spend
from immunescape.design.cohort import Cohort, Streams, View
from immunescape.design.complaints import FieldError
from immunescape.design.graphical import AlphaGraph
from immunescape.design.hypotheses import (
    OBRIEN_FLEMING_LIKE,
    BetaSpending,
    EarlyFutility,
    Hypothesis,
    Spending,
)
from immunescape.design.looks_and_bounds import (
    check_futility,
    check_levels,
    check_reestimation,
    few_data,
    rule_cautions,
)
from immunescape.design.planned_looks import pilot_looks, plan_rows
from immunescape.design.prognostic import adjusted_log_rank
from immunescape.design.records import SHORT, Decided, Design, Rule
from immunescape.design.recursion import next_critical_value, running_density
from immunescape.design.ssr import BlindedReestimation, Reestimation
from immunescape.design.statistics import ADJUSTED
from immunescape.design.truth import Truth
from immunescape.errors import InputError, unknown_word
from immunescape.stats import nonproportional as nph

__all__ = ["OBRIEN_FLEMING_LIKE", "BetaSpending", "EarlyFutility", "GroupSequential", "Hypothesis", "Spending"]

MOST_LOOKS = 20
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class GroupSequential(Rule):
    """Fixed or group-sequential test [jennison2000], [maurer2013].

    Attributes
    ----------
    tested : hypotheses. spending : boundary family. transitions : how a rejected hypothesis hands its alpha on.
    futility : bounds on Z of the first hypothesis at each look but the last (None: no stop).
    binding : whether the futility stop is counted on; then the efficacy bounds may be lower.
    stop_when : ``any`` or ``all`` hypotheses rejected. reestimation : sample-size change at an interim.
    early_futility : stop by an endpoint that is read earlier.
    futility_hazard_ratio : the same bounds as hazard ratios: stop where the estimate lies above (None: no stop).
    beta_spending : futility bounds of the first hypothesis that spend a type-II error.
    """

    kind: ClassVar[str] = "group-sequential"

    tested: tuple[Hypothesis, ...]
    spending: Spending = OBRIEN_FLEMING_LIKE
    transitions: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    futility: tuple[float | None, ...] = ()
    binding: bool = False
    stop_when: str = "all"
    reestimation: Reestimation | BlindedReestimation | None = None
    early_futility: EarlyFutility | None = None
    futility_hazard_ratio: tuple[float | None, ...] = ()
    beta_spending: BetaSpending | None = None

    def check(self, design: Design) -> None:
        """See :class:`Rule`."""
        if len(design.arms) != 2:
            raise InputError(
                f"a group-sequential test compares two arms, not {len(design.arms)}",
                hint="Use kind multi-arm or platform.",
            )
        _ = design.control
        if design.alpha is None:
            raise InputError("a group-sequential test needs alpha")
        if self.stop_when not in ("any", "all"):
            raise unknown_word("word", self.stop_when, ("any", "all"))
        graph = self.graph()
        reached = {n for n, w in graph.weights.items() if w > 0}
        for _ in graph.names:
            reached |= {e for n in reached for e, share in graph.transitions.get(n, {}).items() if share > 0}
        for name in graph.names:
            if name not in reached:
                raise InputError(
                    f"hypothesis '{name}' never has any alpha: its share is 0 and no other passes alpha to it",
                    hint="Give it a share, or name it in 'hands_on' of another one.",
                )
        looks = len(design.looks)
        if looks > MOST_LOOKS:
            raise FieldError(
                f"{looks} looks, at most {MOST_LOOKS} are offered", hint="Bounds of more looks add next to nothing.",
                field=("looks",),
            )  # fmt: skip
        check_levels(self, design.alpha)
        for h in self.tested:
            kind = design.endpoint(h.endpoint).kind
            if (kind == "response") != (h.test.name == "rates"):
                raise InputError(f"test '{h.test.name}' does not fit endpoint '{h.endpoint}' ({kind})")
            h.check(looks, design.strata)
            if self.spending.family == "fixed" and len(h.tested_at(looks)) > 1:
                raise InputError(
                    "a fixed design has one look", hint="Choose a group-sequential family for several looks."
                )
        check_futility(self, design)
        if self.reestimation is not None:
            check_reestimation(self, design)
        if self.early_futility is not None:
            early = self.early_futility
            kind = design.endpoint(early.endpoint).kind
            if (kind == "response") != (early.test.name == "rates"):
                raise FieldError(
                    f"test '{early.test.name}' does not fit endpoint '{early.endpoint}' ({kind})",
                    field=("early_futility",),
                )
            if not 1 <= early.look < looks:
                raise FieldError(
                    f"early futility at look {early.look}, but interim looks are 1 to {looks - 1}",
                    field=("early_futility", "look"),
                )

    def graph(self) -> AlphaGraph:
        """Shares of alpha and how they move."""
        names = [h.name for h in self.tested]
        if len(set(names)) != len(names):
            raise InputError("two hypotheses have the same name", hint="Alpha would be spent twice.")
        return AlphaGraph({h.name: h.share for h in self.tested}, self.transitions)

    def hypotheses(self, design: Design) -> tuple[str, ...]:
        """See :class:`Rule`."""
        return tuple(h.name for h in self.tested)

    def cautions(self, design: Design) -> list[str]:
        """See :class:`Rule`."""
        return rule_cautions(self, design)

    def planned_cautions(self, design: Design, plan: Mapping[str, Any]) -> list[str]:
        """See :class:`Rule`."""
        return few_data(self, design, plan)

    def margins(self) -> dict[str, float]:
        """See :class:`Rule`."""
        figures: dict[str, float] = {}
        for h in self.tested:
            if h.test.margin != 1.0:
                figures[h.endpoint] = max(figures.get(h.endpoint, 1.0), h.test.margin)
        return figures

    def ignoring_futility(self) -> GroupSequential | None:
        """See :class:`Rule`."""
        stops = self.futility or self.futility_hazard_ratio or self.beta_spending or self.early_futility
        if self.binding and not self.early_futility:
            return None
        if self.binding:
            return replace(self, early_futility=None)
        if not stops:
            return None
        return replace(self, futility=(), futility_hazard_ratio=(), beta_spending=None, early_futility=None)

    def _exact(self, design: Design, hypothesis: Hypothesis) -> Floats | None:
        """(K_h,) events or patients at its looks where the looks are set by them, or None."""
        looks = [design.looks[k] for k in hypothesis.tested_at(len(design.looks))]
        if hypothesis.test.name == "rates":
            endpoint = design.endpoint(hypothesis.endpoint)
            if not all(hypothesis.reads_all(look, endpoint, design.patients) for look in looks):
                return None
        if all(hypothesis.counts(look) for look in looks) and len({look.events is None for look in looks}) == 1:
            return np.array([look.size for look in looks])
        return None

    def quick_bounds(self, design: Design) -> Floats:
        """(K,) bounds of the first hypothesis without a planning simulation; infinite where it is not tested."""
        assert design.alpha is not None
        first = self.tested[0]
        out = np.full(len(design.looks), np.inf)
        at = first.tested_at(len(design.looks))
        size = self._exact(design, first)
        fraction = np.arange(1, len(at) + 1) / len(at) if size is None else size / size[-1]
        share = self.graph().weights[first.name]
        if share > 0:
            out[at] = self.spending.critical(design.alpha * share, fraction, fraction)
        return out

    def plan(self, design: Design) -> dict[str, Any]:
        """Boundaries of every hypothesis; fractions that the looks do not fix come from a planning simulation.

        Returns
        -------
        dict
            By hypothesis: ``looks`` (indices of its looks), ``spent_at`` and ``information`` (fractions at them),
            ``events`` (expected there, or patients of a response), ``bounds`` and ``futility`` (at all looks; infinite
            where there is none). ``alpha``.
        """
        assert design.alpha is not None
        counted = ("looks", "spent_at", "information", "events", "bounds", "futility")
        plan: dict[str, Any] = {name: {} for name in counted}
        pilot: dict[str, tuple[Floats, Floats]] | None = None
        if self.early_futility is not None:
            pilot = pilot_looks(design, self.tested, self.early_futility)
        shares = self.graph().weights
        for h in self.tested:
            size = self._exact(design, h)
            if size is None or h.test.name not in ("log-rank", "rates"):
                if pilot is None:
                    pilot = pilot_looks(design, self.tested, self.early_futility)
                events, info = pilot[h.name]
                spent = events / max(events[-1], 1e-300) if size is None else size / size[-1]
                information = info / max(info[-1], 1e-300)
            else:
                events = size
                spent = information = size / size[-1]
            if np.any(np.diff(information, prepend=0.0) <= 0) or np.any(np.diff(spent, prepend=0.0) <= 0):
                raise FieldError(
                    f"boundaries do not increase in information for '{h.name}': {np.round(information, 3).tolist()}",
                    hint="Set the looks further apart, or by this endpoint's own events.", field=("looks",),
                )  # fmt: skip
            at = h.tested_at(len(design.looks))
            bounds = np.full(len(design.looks), np.inf)
            bounds[at] = self.bounds(h, design.alpha * shares[h.name], spent, information)
            values = (at, spent, information, events, bounds, np.full(len(bounds), -np.inf))
            for name, value in zip(counted, values, strict=True):
                plan[name][h.name] = value
        plan["alpha"] = design.alpha
        self._plan_futility(design, plan)
        return plan

    def _plan_futility(self, design: Design, plan: dict[str, Any]) -> None:
        """Futility bounds of the first hypothesis, and the efficacy bounds that count on them where they bind."""
        first = self.tested[0]
        at, lower = plan["looks"][first.name], plan["futility"][first.name]
        spent, information = plan["spent_at"][first.name], plan["information"][first.name]
        level = float(plan["alpha"]) * self.graph().weights[first.name]
        if self.beta_spending is not None:
            spending = self.beta_spending.bounds(self.spending, level, information, binding=self.binding)
            lower[at[:-1]] = spending.futility[:-1]
            if self.binding:
                plan["bounds"][first.name][at] = spending.efficacy
            return
        ratio = design.allocation_ratio
        for k, bound in enumerate(self.futility):
            lower[k] = -np.inf if bound is None else bound
        for k, hazard_ratio in enumerate(self.futility_hazard_ratio):
            if hazard_ratio is not None and k in at:
                events = plan["events"][first.name][at.index(k)]
                lower[k] = -np.log(hazard_ratio / first.test.margin) * np.sqrt(events * ratio) / (1 + ratio)
        efficacy = plan["bounds"][first.name]
        for k in at[:-1]:
            if lower[k] > efficacy[k]:
                raise FieldError(
                    f"the futility bound at look {k + 1} (Z {lower[k]:.3f}) lies above the efficacy bound "
                    f"{efficacy[k]:.3f}",
                    hint="Lower the futility bound on Z, or raise it as a hazard ratio.", field=("boundaries",),
                )  # fmt: skip
        if self.binding:
            plan["bounds"][first.name] = self._binding(level, spent, information, lower)

    def bounds(self, hypothesis: Hypothesis, alpha: float, spent_at: Floats, information: Floats) -> Floats:
        """(K_h,) boundaries of one hypothesis at a level, at its own looks."""
        if alpha <= 0:
            return np.full(len(spent_at), np.inf)
        if hypothesis.test.name == "max-combo" and len(spent_at) > 1:
            # the maximum over weights has no canonical joint distribution over looks: Bonferroni, conservative
            family = self.spending.family if self.spending.family in SPENDING else "lan-demets-obrien-fleming"
            values: Floats = stats.norm.isf(
                np.diff(spend(family, spent_at, alpha, self.spending.parameter), prepend=0.0)
            )
            return values
        return self.spending.critical(alpha, spent_at, information)

    def _binding(self, alpha: float, spent_at: Floats, information: Floats, lower: Floats) -> Floats:
        spent = np.diff(spend(self.spending.family, spent_at, alpha, self.spending.parameter), prepend=0.0)
        values, density = np.empty(len(spent)), None
        for k, (i, p) in enumerate(zip(information, spent, strict=True)):
            values[k] = next_critical_value(density, i, p)
            density = running_density(density, i, 0.0, min(lower[k], values[k]), values[k])
        return values

    def run(self, design: Design, truth: Truth, streams: Streams, plan: Mapping[str, Any]) -> Decided:
        """See :class:`Rule`."""
        grown = self.reestimation.maximum if self.reestimation else 1.0
        cohort = design.cohort(truth, streams, patients=int(np.ceil(design.patients * grown)))
        if self.reestimation:
            cohort.enrolled[:, design.patients :] = False
        replicates, looks = len(cohort.entry), len(design.looks)
        treated = cohort.arm != design.control
        rejected = np.zeros((replicates, len(self.tested)), dtype=bool)
        stage = np.full(replicates, looks)
        reason = np.zeros(replicates, dtype=np.int64)
        running = np.ones(replicates, dtype=bool)
        by_look = {
            n: np.full((replicates, looks), np.nan) for n in ("months", "events", "patients", "hazard_ratio", "z")
        }
        several = len({(h.endpoint, h.strata) for h in self.tested}) > 1
        if several:
            by_look |= {f"events of {h.name}": np.full((replicates, looks), np.nan) for h in self.tested}
        extra: dict[str, Floats] = {}
        factor = np.ones(replicates)
        month = np.zeros(replicates)
        before = (np.zeros(replicates), np.zeros(replicates))
        graph, alpha = self.graph(), float(plan["alpha"])
        first = self.tested[0]
        survival = design.endpoint(first.endpoint).kind == "survival"
        score = cohort.score() if any(h.test.name == ADJUSTED for h in self.tested) else None
        short = np.zeros(replicates, dtype=bool)
        for k, look in enumerate(design.looks):
            events = None
            if self.reestimation and k == self.reestimation.look:
                events = self._extend(design, cohort, factor, month)
                if isinstance(self.reestimation, BlindedReestimation) and look.events is not None:
                    events = None  # more patients, for the events that were planned
            month = np.maximum(cohort.month_of(look, events=events), month)  # looks keep their order
            views: dict[tuple[str, tuple[str, ...]], View] = {}
            z = np.full(rejected.shape, -np.inf)
            for h, hypothesis in enumerate(self.tested):
                key = (hypothesis.endpoint, hypothesis.strata)
                if key not in views:
                    views[key] = cohort.view(hypothesis.endpoint, month, cohort.members(hypothesis.strata))
                if several:
                    by_look[f"events of {hypothesis.name}"][running, k] = views[key].event.sum(axis=1)[running]
                if h == 0 or k in plan["looks"][hypothesis.name]:
                    z[:, h], information = hypothesis.test.evaluate(views[key], treated, cohort.stratum, score)
                if h == 0:
                    first_view, first_information = views[key], information
            if isinstance(self.reestimation, Reestimation):
                if k == self.reestimation.look:
                    z[:, 0] = _combined(z[:, 0], first_information, before, plan["information"][first.name][k - 1])
                before = (z[:, 0].copy(), first_information)

            def limit(h: int, level: float, k: int = k) -> float:
                name = self.tested[h].name
                if self.binding:
                    return float(plan["bounds"][name][k])
                if k not in plan["looks"][name]:
                    return np.inf
                bounds = self.bounds(self.tested[h], level, plan["spent_at"][name], plan["information"][name])
                return float(bounds[plan["looks"][name].index(k)])

            if isinstance(self.reestimation, BlindedReestimation) and k == looks - 1 and look.patients is not None:
                # the bound of the last look at the information that there is, moved over to the scale of the plan
                z[:, 0] += limit(0, alpha * first.share) - self._bound_at(plan, alpha * first.share, factor)
            new = graph.extend(z, rejected, limit, alpha)
            rejected = np.where(running[:, None], new, rejected)
            won = np.asarray(rejected.any(axis=1)) if self.stop_when == "any" else np.asarray(rejected.all(axis=1))
            # over all trials, those that have stopped included: those still running at a late look are the unlucky ones
            ratios = nph.hazard_ratio(first_view.ordered(treated), iterations=3) if survival else None
            lost = self._lost(k, z[:, 0], ratios, plan)
            if self.early_futility is not None and self.early_futility.look == k + 1:
                early = self.early_futility
                ez, _ = early.test.evaluate(cohort.view(early.endpoint, month), treated, cohort.stratum)
                lost |= ez < early.bound
                extra["early_z"] = ez
            by_look["months"][running, k] = month[running]
            by_look["patients"][running, k] = cohort.enrolled_by(month)[running]
            by_look["events"][running, k] = first_view.event.sum(axis=1)[running]
            by_look["z"][running, k] = z[running, 0]
            if look.events is not None and isinstance(self.reestimation, Reestimation | None):
                target = look.events if events is None else events
                counted = views.get((str(look.endpoint), look.strata))
                seen = cohort.events_by(look, month) if counted is None else counted.event.sum(axis=1)
                short |= running & (seen < target)
            if ratios is not None:
                by_look["hazard_ratio"][:, k] = ratios
            end = running & (won | (lost & (k < looks - 1)))
            stage[end] = k + 1
            if k < looks - 1:
                reason[end] = np.where(won[end], 1, 2)
            running &= ~end
            if isinstance(self.reestimation, BlindedReestimation) and k == self.reestimation.look - 1:
                if look.patients is not None and first.test.name == "rates":
                    raised = self.reestimation.factor_of_rates(first_view.event.sum(axis=1), first_view.use.sum(axis=1))
                else:
                    months = np.where(first_view.use, first_view.time, 0.0).sum(axis=1)
                    raised = self.reestimation.factor_of_events(first_view.event.sum(axis=1), months)
                factor = np.where(running, raised, 1.0)
                extra["factor"] = factor
            elif isinstance(self.reestimation, Reestimation) and k == self.reestimation.look - 1:
                final = float(plan["bounds"][first.name][-1])
                factor = np.where(
                    running, self.reestimation.factor(z[:, 0], plan["information"][first.name][k], final), 1.0
                )
                extra["factor"] = factor
            if score is not None and first.test.name == ADJUSTED and k == looks - 1:
                view = first_view
                gained = adjusted_log_rank(view.time, view.event, treated, view.use, score)[2]
                extra["share of the variance that the prognostic score explains"] = gained
        if any(look.events is not None for look in design.looks):
            extra[SHORT] = short.astype(float)
        last = (np.arange(replicates), stage - 1)
        return Decided(
            rejected, stage, reason, by_look["patients"][last], by_look["events"][last], by_look["months"][last],
            by_look=by_look, extra=extra,
        )  # fmt: skip

    def _lost(self, k: int, z: Floats, ratios: Floats | None, plan: Mapping[str, Any]) -> Flags:
        """(R,) trials that stop for futility at a look."""
        if self.futility_hazard_ratio:
            bound = self.futility_hazard_ratio[k] if k < len(self.futility_hazard_ratio) else None
            return np.zeros(len(z), dtype=bool) if bound is None or ratios is None else np.asarray(ratios > bound)
        return np.asarray(z < plan["futility"][self.tested[0].name][k])

    def _extend(self, design: Design, cohort: Cohort, factor: Floats, month: Floats) -> Floats:
        """Events or patients wanted at the last look; enrols more patients where the size was raised at `month`.

        The patients that are added come at the last rate of the accrual, from the interim look that asks for them on. A
        factor from conditional power is one on the events still to come, a blinded one on the patients in all.
        """
        assert self.reestimation is not None
        first, last = (float(design.looks[k].size) for k in (self.reestimation.look - 1, self.reestimation.look))
        if isinstance(self.reestimation, BlindedReestimation):
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

    def _bound_at(self, plan: Mapping[str, Any], level: float, factor: Floats) -> Floats:
        """(R,) bound of the last look at `factor` times its planned information, alpha spent as planned."""
        name = self.tested[0].name
        spent, information = plan["spent_at"][name], plan["information"][name]
        assert self.reestimation is not None
        grid = np.linspace(1.0, self.reestimation.maximum, 16)
        bounds = []
        for g in grid:
            larger = np.append(information[:-1] / g, 1.0)
            bounds.append(self.bounds(self.tested[0], level, spent, larger)[-1])
        values: Floats = np.interp(factor, grid, bounds)
        return values

    def expected_table(self, design: Design, plan: Mapping[str, Any]) -> list[dict[str, Any]]:
        """See :class:`Rule`."""
        rows: list[dict[str, Any]] = []
        graph = self.graph()
        for h in self.tested:
            # a hypothesis that starts without alpha is shown with what it has when all others are rejected
            share = graph.weights[h.name] or graph.after(frozenset(graph.names) - {h.name})[h.name]
            level = share * float(plan["alpha"])
            at = plan["looks"][h.name]
            bounds = np.asarray(plan["bounds"][h.name])[at]
            if graph.weights[h.name] == 0:
                bounds = self.bounds(h, level, plan["spent_at"][h.name], plan["information"][h.name])
            rows += plan_rows(design, h, plan, level, bounds, binding=self.binding)
        rows += self._untested_stops(design, plan)
        order = {h.name: k for k, h in enumerate(self.tested)}
        return sorted(rows, key=lambda row: (order[row["hypothesis"]], row["look"]))

    def _untested_stops(self, design: Design, plan: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Rows of the looks at which the first hypothesis is not tested and may stop for futility all the same."""
        h, rows = self.tested[0], []
        for k, look in enumerate(design.looks[:-1]):
            low = float(plan["futility"][h.name][k])
            ratio = self.futility_hazard_ratio[k] if k < len(self.futility_hazard_ratio) else None
            if k in plan["looks"][h.name] or not (np.isfinite(low) or ratio is not None):
                continue
            rows.append(
                {
                    "hypothesis": h.name, "look": k + 1, "at": str(look), "test": f"{h.test} (futility alone)",
                    "population": ", ".join(h.strata) if h.strata else "all", "alpha": 0.0,
                    "futility_z": low if np.isfinite(low) else None, "futility_hazard_ratio": ratio,
                }
            )  # fmt: skip
        return rows


def _combined(z: Floats, information: Floats, before: tuple[Floats, Floats], fraction: float) -> Floats:
    """Final Z with planned weights: the earlier Z and the independent increment since, by the inverse normal."""
    z1, i1 = before
    step = np.maximum(information - i1, 1e-12)
    increment = (z * np.sqrt(information) - z1 * np.sqrt(i1)) / np.sqrt(step)
    values: Floats = np.sqrt(fraction) * z1 + np.sqrt(1 - fraction) * increment
    return values
