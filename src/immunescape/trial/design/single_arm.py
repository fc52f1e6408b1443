"""One-arm designs with a binary endpoint as rules of a design: Simon's two stages, or BOP2's posterior boundary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from immunescape.errors import InputError
from immunescape.trial.design.cohort import Milestone, Streams
from immunescape.trial.design.records import Decided, Design, Rule, register
from immunescape.trial.design.truth import Truth
from immunescape.trial.design.two_stage import SimonDesign

__all__ = ["TwoStage"]


@register
@dataclass(frozen=True)
class TwoStage(Rule):
    """Simon's two-stage test of one arm; the looks follow from the design.

    Attributes
    ----------
    endpoint : a response. simon : the design. p0, p1 : uninteresting and target rate.
    """

    kind: ClassVar[str] = "two-stage"

    endpoint: str
    simon: SimonDesign
    p0: float
    p1: float

    def check(self, design: Design) -> None:
        """See :class:`Rule`."""
        if len(design.arms) != 1:
            raise InputError(f"a two-stage design has one arm, not {len(design.arms)}")
        if design.endpoint(self.endpoint).kind != "response":
            raise InputError(f"a two-stage design needs a response; '{self.endpoint}' is a survival endpoint")
        if "null" not in design.truths:
            raise InputError("a one-arm design has no control: its null must be given as a scenario 'null'")
        if [look.patients for look in design.looks] != [self.simon.n1, self.simon.n]:
            raise InputError(f"the looks of this design are at {self.simon.n1} and {self.simon.n} patients")

    @staticmethod
    def looks(design: SimonDesign, months: float) -> tuple[Milestone, Milestone]:
        """The two looks: enough patients, each followed until the response is read."""
        return Milestone(patients=design.n1, follow_up=months), Milestone(patients=design.n, follow_up=months)

    def hypotheses(self, design: Design) -> tuple[str, ...]:
        """See :class:`Rule`."""
        return (f"rate above {self.p0:g}",)

    def plan(self, design: Design) -> dict[str, Any]:
        """Exact error, power, early stopping and expected size."""
        s = self.simon
        return {
            "r": (s.r1, s.r), "n": (s.n1, s.n), "alpha": float(s.promising(self.p0)),
            "power": float(s.promising(self.p1)),
            "stop_early_null": float(s.stop_early(self.p0)),
            "expected_patients_null": float(s.expected_patients(self.p0)),
        }  # fmt: skip

    def run(self, design: Design, truth: Truth, streams: Streams, plan: Mapping[str, Any]) -> Decided:
        """See :class:`Rule`."""
        cohort = design.cohort(truth, streams)
        counts = []
        for look in design.looks:
            first = np.broadcast_to(np.arange(cohort.entry.shape[1]) < int(look.patients or 0), cohort.entry.shape)
            month = cohort.month_of(look) + cohort.endpoint(self.endpoint).lag
            counts.append((cohort.view(self.endpoint, month, first).event.sum(axis=1), month))
        goes = counts[0][0] > self.simon.r1
        rejected = (goes & (counts[1][0] > self.simon.r))[:, None]
        stage = np.where(goes, 2, 1)
        months = np.where(goes, counts[1][1], counts[0][1])
        events = np.where(goes, counts[1][0], counts[0][0]).astype(float)
        patients = np.where(goes, self.simon.n, self.simon.n1).astype(float)
        return Decided(rejected, stage, np.where(goes, 0, 2), patients, events, months)

    def expected_table(self, design: Design, plan: Mapping[str, Any]) -> list[dict[str, Any]]:
        """See :class:`Rule`."""
        return [
            {
                "hypothesis": f"rate above {self.p0:g}", "look": k + 1, "at": str(look), "test": "responses, exact",
                "information": plan["n"][k] / plan["n"][1],
                "go_on" if k == 0 else "promising": f"more than {plan['r'][k]} of {plan['n'][k]}",
            }
            for k, look in enumerate(design.looks)
        ]  # fmt: skip
