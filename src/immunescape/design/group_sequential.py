"""Two-arm designs with fixed or group-sequential looks, one or several hypotheses, futility, and sample-size change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from immunescape.design.boundaries import SPENDING, spend
from immunescape.design.cohort import Streams
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
from immunescape.design.records import Decided, Design, Rule
from immunescape.design.recursion import next_critical_value, running_density
from immunescape.design.sequential_block import SequentialBlock
from immunescape.design.ssr import BlindedReestimation, Reestimation
from immunescape.design.truth import Truth
from immunescape.errors import InputError, unknown_word

__all__ = ["OBRIEN_FLEMING_LIKE", "BetaSpending", "EarlyFutility", "GroupSequential", "Hypothesis", "Spending"]

MOST_LOOKS = 20
Floats = NDArray[np.float64]


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
    beta_spending : futility bounds of the first hypothesis that spend a type II error.
    """

    kind: ClassVar[str] = "group-sequential"

    tested: tuple[Hypothesis, ...]
    _: KW_ONLY
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
                    f"hypothesis '{name}' never receives any alpha: its share is 0 and no other passes alpha to it",
                    hint="Give it a share, or name it in 'hands_on' of another one.",
                )
        looks = len(design.looks)
        if looks > MOST_LOOKS:
            raise FieldError(
                f"{looks} looks, at most {MOST_LOOKS} are offered",
                hint="Further looks add practically nothing.",
                field=("looks",),
            )
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
                    hint="Set the looks further apart, or by this endpoint's own events.",
                    field=("looks",),
                )
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
                    hint="Lower the futility bound on Z, or raise it as a hazard ratio.",
                    field=("boundaries",),
                )
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
        return SequentialBlock(self, design, truth, streams, plan).decided()

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
                    "hypothesis": h.name,
                    "look": k + 1,
                    "at": str(look),
                    "test": f"{h.test} (futility alone)",
                    "population": ", ".join(h.strata) if h.strata else "all",
                    "alpha": 0.0,
                    "futility_z": low if np.isfinite(low) else None,
                    "futility_hazard_ratio": ratio,
                }
            )
        return rows
