"""Multi-arm multi-stage designs: several arms against one control, arms dropped at interim looks, strong error control.

The type I error is controlled by closed testing: intersections by Dunnett (or another test), stages by the inverse
normal method.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from immunescape.design.cohort import Streams
from immunescape.design.combination import INTERSECTION_TESTS, closed_test
from immunescape.design.group_sequential import OBRIEN_FLEMING_LIKE, Spending
from immunescape.design.records import SHORT, Decided, Design, Rule, by_events, closed_test_table
from immunescape.design.stages import increment, reassign
from immunescape.design.statistics import LOG_RANK, Statistic
from immunescape.design.truth import Truth
from immunescape.errors import InputError, unknown_word

__all__ = ["SELECTIONS", "MultiArm", "keep"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
SELECTIONS = ("all", "best", "promising")


def keep(z: Floats, active: Flags, rule: str, count: int, bound: float) -> Flags:
    """Which arms stay: `all`, the `count` `best`, or every `promising` one (Z of at least `bound`)."""
    if rule == "all":
        return active.copy()
    score = np.where(active, z, -np.inf)
    if rule == "promising":
        return active & (score >= bound)
    rank = np.argsort(np.argsort(-score, axis=1, kind="stable"), axis=1, kind="stable")
    return active & (rank < count) & (score >= bound)


@dataclass(frozen=True)
class MultiArm(Rule):
    """Multi-arm multi-stage test [dunnett1955], [marcus1976], [lehmacher1999].

    Attributes
    ----------
    endpoint, test : what is compared. spending : boundaries of the combined Z. intersections : test of intersections.
    select, keep_arms, bound : who stays after an interim look; arms below `bound` (on Z) are always dropped by `best`
        and `promising`.
    stop_when : ``any`` (first rejection ends the trial) or ``all`` (goes on until nothing is open).
    """

    kind: ClassVar[str] = "multi-arm"

    endpoint: str
    _: KW_ONLY
    test: Statistic = LOG_RANK
    spending: Spending = OBRIEN_FLEMING_LIKE
    intersections: str = "dunnett"
    select: str = "best"
    keep_arms: int = 1
    bound: float = -np.inf
    stop_when: str = "any"

    def check(self, design: Design) -> None:
        """See :class:`Rule`."""
        if len(design.experimental) < 2:
            raise InputError("a multi-arm design has at least two experimental arms", hint="Use kind group-sequential.")
        _ = design.control
        if len(design.experimental) > 6:
            raise InputError("closed testing is offered for at most 6 experimental arms")
        kind = design.endpoint(self.endpoint).kind
        if (kind == "response") != (self.test.name == "rates"):
            raise InputError(f"test '{self.test.name}' does not fit endpoint '{self.endpoint}' ({kind})")
        if self.test.name in ("max-combo", "rmst", "milestone"):
            raise InputError(
                f"'{self.test.name}' has no independent increments, which dropping arms by data needs",
                hint="Use log-rank, fleming-harrington or modestly-weighted.",
            )
        if self.intersections not in INTERSECTION_TESTS:
            raise unknown_word("intersection test", self.intersections, INTERSECTION_TESTS)
        if self.select not in SELECTIONS:
            raise unknown_word("selection", self.select, SELECTIONS)
        if self.stop_when not in ("any", "all"):
            raise unknown_word("word", self.stop_when, ("any", "all"))
        if not 1 <= self.keep_arms <= len(design.experimental):
            raise InputError(f"{self.keep_arms} arms to keep, of {len(design.experimental)}")
        if design.alpha is None:
            raise InputError("a multi-arm test needs alpha")
        if self.spending.family == "fixed" and len(design.looks) > 1:
            raise InputError("a fixed design has one look", hint="Choose a group-sequential family for several looks.")

    def plan(self, design: Design) -> dict[str, Any]:
        """See :class:`Rule`."""
        assert design.alpha is not None
        size = np.array([look.size for look in design.looks])
        fraction = size / size[-1]
        bounds = self.spending.critical(design.alpha, fraction, fraction)
        control = design.arms[design.control].allocation
        shares = [
            np.sqrt(design.arms[k].allocation / (design.arms[k].allocation + control)) for k in design.experimental
        ]
        return {"information": fraction, "bounds": bounds, "shares": np.array(shares)}

    def hypotheses(self, design: Design) -> tuple[str, ...]:
        """See :class:`Rule`."""
        return tuple(design.arms[k].name for k in design.experimental)

    def selections(self, design: Design) -> tuple[str, ...]:
        """See :class:`Rule`."""
        return self.hypotheses(design)

    def run(self, design: Design, truth: Truth, streams: Streams, plan: Mapping[str, Any]) -> Decided:
        """See :class:`Rule`."""
        cohort = design.cohort(truth, streams)
        replicates, looks, arms = len(cohort.entry), len(design.looks), design.experimental
        count = len(arms)
        z = np.zeros((replicates, looks, count))
        active = np.zeros((replicates, looks, count), dtype=bool)
        now = np.ones((replicates, count), dtype=bool)
        last_z = np.zeros((replicates, count))
        last_i = np.zeros((replicates, count))
        stage, reason = np.full(replicates, looks), np.zeros(replicates, dtype=np.int64)
        running = np.ones(replicates, dtype=bool)
        rejected = np.zeros((replicates, count), dtype=bool)
        chosen = now.copy()
        names = ("months", "events", "patients", "arms")
        by_look = {n: np.full((replicates, looks), np.nan) for n in names}
        month = np.zeros(replicates)
        short = np.zeros(replicates, dtype=bool)
        for k, look in enumerate(design.looks):
            among = cohort.arm == design.control
            for j, arm in enumerate(arms):
                among |= (cohort.arm == arm) & now[:, j, None]
            expected = None
            if k > 0 and look.events is not None and look.endpoint is not None:
                # what the arms that are still compared had at the look before, and the planned increment
                seen = cohort.view(look.endpoint, month, among).event.sum(axis=1)
                expected = seen + (look.size - design.looks[k - 1].size)
            month = cohort.month_of(look, among, expected)
            if look.events is not None and look.endpoint is not None:
                target = np.full(replicates, look.size) if expected is None else expected
                short |= running & (cohort.view(look.endpoint, month, among).event.sum(axis=1) < target)
            total = np.zeros((replicates, count))
            for j, arm in enumerate(arms):
                pair = ((cohort.arm == arm) | (cohort.arm == design.control)) & now[:, j, None]
                view = cohort.view(self.endpoint, month, pair)
                zc, ic = self.test.evaluate(view, cohort.arm == arm, cohort.stratum)
                z[:, k, j] = increment(zc, ic, last_z[:, j], last_i[:, j])
                last_z[:, j], last_i[:, j] = zc, ic
                total[:, j] = zc
            active[:, k] = now
            combined = closed_test(
                z[:, : k + 1],
                active[:, : k + 1],
                plan["information"][: k + 1],
                plan["bounds"][: k + 1],
                method=self.intersections,
                shares=plan["shares"],
            )[:, -1]
            rejected = np.where(running[:, None], rejected | combined, rejected)
            staying = keep(total, now, self.select, self.keep_arms, self.bound) if k + 1 < looks else now.copy()
            by_look["months"][running, k] = month[running]
            by_look["patients"][running, k] = cohort.enrolled_by(month)[running]
            by_look["events"][running, k] = cohort.view(self.endpoint, month, among).event.sum(axis=1)[running]
            by_look["arms"][running, k] = now.sum(axis=1)[running]
            chosen[running] = staying[running]
            staying &= ~rejected if self.stop_when == "all" else True
            won = np.asarray(rejected.any(axis=1)) & ((self.stop_when == "any") | ~staying.any(axis=1))
            end = running & (won | ~staying.any(axis=1))
            if k + 1 < looks:
                stage[end] = k + 1
                reason[end] = np.where(won[end], 1, 2)
                running &= ~end
                now = staying
                open_arms = np.zeros((replicates, len(design.arms)), dtype=bool)
                open_arms[:, design.control] = True
                open_arms[:, arms] = now
                reassign(cohort, month, open_arms, [a.allocation for a in design.arms], k + 1)
        return Decided.at_last_look(
            rejected,
            stage,
            reason,
            selected=chosen,
            by_look=by_look,
            extra={SHORT: short.astype(float)} if by_events(design.looks) else {},
        )

    def expected_table(self, design: Design, plan: Mapping[str, Any]) -> list[dict[str, Any]]:
        """See :class:`Rule`."""
        return closed_test_table("each arm, closed test", design, plan, str(self.test))
