"""Two-arm designs with fixed or group-sequential looks, one or several hypotheses, futility, and sample-size change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from immunescape.errors import InputError, unknown_word
from immunescape.trial.design import tests_nph as nph
from immunescape.trial.design.boundaries import SPENDING, boundaries, spend
from immunescape.trial.design.cohort import Cohort, Streams
from immunescape.trial.design.graphical import AlphaGraph
from immunescape.trial.design.records import Decided, Design, Rule, register
from immunescape.trial.design.recursion import next_critical_value, running_density
from immunescape.trial.design.ssr import Reestimation
from immunescape.trial.design.statistics import LOG_RANK, RATES, Statistic
from immunescape.trial.design.truth import Truth

__all__ = ["EarlyFutility", "GroupSequential", "Hypothesis", "Spending"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
PILOT = 400


@dataclass(frozen=True)
class Spending:
    """How a type-I error is spent over the looks: a boundary family and its parameter."""

    family: str = "lan-demets-obrien-fleming"
    parameter: float = 0.0

    def critical(self, alpha: float, spent_at: Floats, information: Floats) -> Floats:
        """(K,) boundaries; error is spent by `spent_at`, the looks correlate by `information` (both end at 1)."""
        return _critical(self.family, self.parameter, round(alpha, 12), tuple(spent_at), tuple(information))


OBRIEN_FLEMING_LIKE = Spending()


@lru_cache(maxsize=4096)
def _critical(
    family: str, parameter: float, alpha: float, spent_at: tuple[float, ...], information: tuple[float, ...]
) -> Floats:
    info = np.array(information)
    if len(info) == 1:
        return np.array([stats.norm.isf(alpha)])
    if family not in SPENDING:
        return boundaries(family, info, alpha=alpha, parameter=parameter).efficacy
    spent = np.diff(spend(family, np.array(spent_at), alpha, parameter), prepend=0.0)
    values, density = np.empty(len(info)), None
    for k, (i, p) in enumerate(zip(info, spent, strict=True)):
        values[k] = next_critical_value(density, i, p)
        density = running_density(density, i, 0.0, -np.inf, values[k])
    return values


@dataclass(frozen=True)
class Hypothesis:
    """One hypothesis: an endpoint, its test and its share of alpha (experimental better than control)."""

    name: str
    endpoint: str
    test: Statistic = LOG_RANK
    share: float = 1.0


@dataclass(frozen=True)
class EarlyFutility:
    """Futility by an endpoint that is read earlier (response, ctDNA, progression-free survival) at a look.

    Stop where the early endpoint's Z is below `bound`. Never binding: it does not relax the efficacy boundary.
    """

    look: int
    endpoint: str
    bound: float
    test: Statistic = RATES


@register
@dataclass(frozen=True)
class GroupSequential(Rule):
    """Fixed or group-sequential test.

    Attributes
    ----------
    tested : hypotheses. spending : boundary family. transitions : how a rejected hypothesis hands its alpha on.
    futility : bounds on Z of the first hypothesis at each look but the last (None: no stop).
    binding : whether the futility stop is counted on; then the efficacy bounds may be lower.
    stop_when : ``any`` or ``all`` hypotheses rejected. efficacy_looks : looks that may stop for efficacy (None: all).
    reestimation : sample-size change at an interim.
    """

    kind: ClassVar[str] = "group-sequential"

    tested: tuple[Hypothesis, ...]
    spending: Spending = OBRIEN_FLEMING_LIKE
    transitions: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    futility: tuple[float | None, ...] = ()
    binding: bool = False
    stop_when: str = "all"
    reestimation: Reestimation | None = None
    early_futility: EarlyFutility | None = None

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
        self.graph()
        looks = len(design.looks)
        for h in self.tested:
            kind = design.endpoint(h.endpoint).kind
            if (kind == "response") != (h.test.name == "rates"):
                raise InputError(f"test '{h.test.name}' does not fit endpoint '{h.endpoint}' ({kind})")
        if self.spending.family == "fixed" and looks > 1:
            raise InputError("a fixed design has one look", hint="Choose a group-sequential family for several looks.")
        if len(self.futility) > max(looks - 1, 0):
            raise InputError(f"{len(self.futility)} futility bounds for {looks - 1} interim looks")
        if self.reestimation is not None:
            if len(self.tested) > 1 or looks < 2 or self.reestimation.look != looks - 1:
                raise InputError(
                    "sample-size re-estimation needs one hypothesis and happens at the last interim look",
                    hint=f"Set its look to {max(looks - 1, 1)}.",
                )
            if not self.tested[0].test.proportional or design.looks[-1].events is None:
                raise InputError("sample-size re-estimation works on log-rank events", hint="Set the looks by events.")
            if self.binding:
                raise InputError("sample-size re-estimation and a binding futility bound do not go together")
        if self.early_futility is not None:
            early = self.early_futility
            design.endpoint(early.endpoint)
            if not 1 <= early.look < looks:
                raise InputError(f"early futility at look {early.look}, but interim looks are 1 to {looks - 1}")
        if self.binding and not self.futility:
            raise InputError("a binding design needs futility bounds")
        plan = self._quick_bounds(design)
        for k, bound in enumerate(self.futility):
            if bound is not None and bound > plan[k]:
                raise InputError(
                    f"the futility bound {bound:g} lies above the efficacy bound {plan[k]:.3f} at look {k + 1}",
                    hint="Lower the futility bound.",
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

    def _planned(self, design: Design) -> Floats | None:
        """Information fractions that follow from the looks alone (events of the tested endpoint, or patients)."""
        looks = design.looks
        one = len({look.endpoint for look in looks}) == 1
        if one and (all(look.events is not None for look in looks) or all(look.patients is not None for look in looks)):
            size = np.array([look.size for look in looks])
            return size / size[-1]
        return None

    def _quick_bounds(self, design: Design) -> Floats:
        assert design.alpha is not None
        fraction = self._planned(design)
        if fraction is None:
            fraction = np.arange(1, len(design.looks) + 1) / len(design.looks)
        share = self.graph().weights[self.tested[0].name]
        if share <= 0:
            return np.full(len(fraction), np.inf)
        return self.spending.critical(design.alpha * share, fraction, fraction)

    def plan(self, design: Design) -> dict[str, Any]:
        """Boundaries of every hypothesis; fractions that the looks do not fix come from a planning simulation."""
        assert design.alpha is not None
        planned = self._planned(design)
        counted = {look.endpoint for look in design.looks if look.events is not None}
        spent: dict[str, Floats] = {}
        information: dict[str, Floats] = {}
        pilot: dict[str, tuple[Floats, Floats]] | None = None
        for h in self.tested:
            exact = planned is not None and (design.endpoint(h.endpoint).kind == "response" or h.endpoint in counted)
            if exact and (h.test.name in ("log-rank", "rates")):
                assert planned is not None
                spent[h.name] = information[h.name] = planned
                continue
            if pilot is None:
                pilot = self._pilot(design)
            events, info = pilot[h.name]
            spent[h.name] = planned if exact and planned is not None else events
            information[h.name] = info
        for name, values in information.items():
            if np.any(np.diff(values) <= 0) or np.any(np.diff(spent[name]) <= 0):
                raise InputError(
                    f"boundaries do not increase in information for '{name}': {np.round(values, 3).tolist()}",
                    hint="Set the looks further apart, or by this endpoint's own events.",
                )
        shares = self.graph().weights
        bounds = {
            h.name: self.bounds(h, design.alpha * shares[h.name], spent[h.name], information[h.name])
            for h in self.tested
        }
        if self.binding:
            h = self.tested[0]
            bounds[h.name] = self._binding(design.alpha, spent[h.name], information[h.name])
        return {"spent_at": spent, "information": information, "bounds": bounds, "alpha": design.alpha}

    def bounds(self, hypothesis: Hypothesis, alpha: float, spent_at: Floats, information: Floats) -> Floats:
        """(K,) boundaries of one hypothesis at a level."""
        if alpha <= 0:
            return np.full(len(spent_at), np.inf)
        if hypothesis.test.name == "max-combo" and len(spent_at) > 1:
            # the maximum over weights has no canonical joint distribution over looks: Bonferroni, conservative
            family = self.spending.family if self.spending.family in SPENDING else "lan-demets-obrien-fleming"
            return stats.norm.isf(np.diff(spend(family, spent_at, alpha, self.spending.parameter), prepend=0.0))
        return self.spending.critical(alpha, spent_at, information)

    def _binding(self, alpha: float, spent_at: Floats, information: Floats) -> Floats:
        family = self.spending.family
        if family not in SPENDING or len(self.tested) > 1:
            raise InputError("a binding futility bound needs one hypothesis and a spending function")
        spent = np.diff(spend(family, spent_at, alpha, self.spending.parameter), prepend=0.0)
        lower = [(-np.inf if b is None else b) for b in self.futility] + [-np.inf]
        values, density = np.empty(len(spent)), None
        for k, (i, p) in enumerate(zip(information, spent, strict=True)):
            values[k] = next_critical_value(density, i, p)
            density = running_density(density, i, 0.0, min(lower[k], values[k]), values[k])
        return values

    def _pilot(self, design: Design) -> dict[str, tuple[Floats, Floats]]:
        """Mean fractions of events and of information by look under the null, by a planning simulation."""
        truth = design.scenario("null")
        streams = Streams(20240229, 0, PILOT)
        cohort = design.cohort(truth, streams)
        treated = cohort.arm != design.control
        out: dict[str, tuple[Floats, Floats]] = {}
        months = list(np.maximum.accumulate([cohort.month_of(look) for look in design.looks], axis=0))
        for h in self.tested:
            events, info = [], []
            for month in months:
                view = cohort.view(h.endpoint, month)
                _, i = h.test.evaluate(view, treated, cohort.stratum)
                events.append(view.event.sum(axis=1).mean() if h.test.name != "rates" else view.use.sum(axis=1).mean())
                info.append(np.mean(i))
            e, i = np.array(events), np.array(info)
            out[h.name] = (e / e[-1], i / i[-1])
        return out

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
        extra: dict[str, Floats] = {}
        factor = np.ones(replicates)
        month = np.zeros(replicates)
        before = (np.zeros(replicates), np.zeros(replicates))
        graph, alpha = self.graph(), float(plan["alpha"])
        first = self.tested[0]
        for k, look in enumerate(design.looks):
            wanted = None
            if self.reestimation and k == self.reestimation.look:
                wanted = self._extend(design, cohort, factor)
            month = np.maximum(cohort.month_of(look, events=wanted), month)  # looks keep their order
            z = np.empty(rejected.shape)
            for h, hypothesis in enumerate(self.tested):
                view = cohort.view(hypothesis.endpoint, month)
                z[:, h], information = hypothesis.test.evaluate(view, treated, cohort.stratum)
                if h == 0:
                    first_view, first_information = view, information
            if self.reestimation:
                if k == self.reestimation.look:
                    z[:, 0] = _combined(z[:, 0], first_information, before, plan["information"][first.name][k - 1])
                before = (z[:, 0].copy(), first_information)

            def limit(h: int, level: float, k: int = k) -> float:
                name = self.tested[h].name
                if self.binding:
                    return float(plan["bounds"][name][k])
                return float(self.bounds(self.tested[h], level, plan["spent_at"][name], plan["information"][name])[k])

            new = graph.extend(z, rejected, limit, alpha)
            rejected = np.where(running[:, None], new, rejected)
            won = np.asarray(rejected.any(axis=1)) if self.stop_when == "any" else np.asarray(rejected.all(axis=1))
            lost = np.zeros(replicates, dtype=bool)
            if k < len(self.futility) and self.futility[k] is not None:
                lost |= z[:, 0] < float(self.futility[k] or 0.0)
            if self.early_futility is not None and self.early_futility.look == k + 1:
                early = self.early_futility
                ez, _ = early.test.evaluate(cohort.view(early.endpoint, month), treated, cohort.stratum)
                lost |= ez < early.bound
                extra["early_z"] = ez
            by_look["months"][running, k] = month[running]
            by_look["patients"][running, k] = cohort.enrolled_by(month)[running]
            by_look["events"][running, k] = first_view.event.sum(axis=1)[running]
            by_look["z"][running, k] = z[running, 0]
            if design.endpoint(first.endpoint).kind == "survival":
                ratios = nph.hazard_ratio(first_view.ordered(treated), iterations=3)
                by_look["hazard_ratio"][running, k] = ratios[running]
            end = running & (won | (lost & (k < looks - 1)))
            stage[end] = k + 1
            if k < looks - 1:
                reason[end] = np.where(won[end], 1, 2)
            running &= ~end
            if self.reestimation and k == self.reestimation.look - 1:
                final = float(plan["bounds"][first.name][-1])
                factor = np.where(
                    running, self.reestimation.factor(z[:, 0], plan["information"][first.name][k], final), 1.0
                )
                extra["factor"] = factor
        last = (np.arange(replicates), stage - 1)
        return Decided(
            rejected, stage, reason, by_look["patients"][last], by_look["events"][last], by_look["months"][last],
            by_look=by_look, extra=extra,
        )  # fmt: skip

    def _extend(self, design: Design, cohort: Cohort, factor: Floats) -> Floats:
        """Events wanted at the last look; enrols more patients in proportion where the size was raised."""
        assert self.reestimation is not None
        first, last = (float(design.looks[k].size) for k in (self.reestimation.look - 1, self.reestimation.look))
        wanted = first + factor * (last - first)
        patients = np.ceil(design.patients * wanted / last)
        cohort.enrolled[:] = np.arange(cohort.entry.shape[1]) < patients[:, None]
        return np.round(wanted)

    def expected_table(self, design: Design, plan: Mapping[str, Any]) -> list[dict[str, Any]]:
        """See :class:`Rule`."""
        rows = []
        graph = self.graph()
        for h in self.tested:
            # a hypothesis that starts without alpha is shown with what it has when all others are rejected
            share = graph.weights[h.name] or graph.after(frozenset(graph.names) - {h.name})[h.name]
            bounds = plan["bounds"][h.name]
            level = share * float(plan["alpha"])
            if graph.weights[h.name] == 0:
                bounds = self.bounds(h, level, plan["spent_at"][h.name], plan["information"][h.name])
            for k, look in enumerate(design.looks):
                bound = float(bounds[k])
                futility = self.futility[k] if k < len(self.futility) and h is self.tested[0] else None
                rows.append(
                    {
                        "hypothesis": h.name, "look": k + 1, "at": str(look), "test": str(h.test), "alpha": level,
                        "information": float(plan["information"][h.name][k]),
                        "efficacy_z": bound, "efficacy_p": float(stats.norm.sf(bound)), "futility_z": futility,
                    }
                )  # fmt: skip
        return rows


def _combined(z: Floats, information: Floats, before: tuple[Floats, Floats], fraction: float) -> Floats:
    """Final Z with planned weights: the earlier Z and the independent increment since, by the inverse normal."""
    z1, i1 = before
    step = np.maximum(information - i1, 1e-12)
    increment = (z * np.sqrt(information) - z1 * np.sqrt(i1)) / np.sqrt(step)
    return np.sqrt(fraction) * z1 + np.sqrt(1 - fraction) * increment
