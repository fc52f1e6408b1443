"""Early-phase designs as rules of a design: Simon's two stages, BOP2's posterior boundary, BOIN's escalation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from immunescape.design.cohort import Milestone, Streams
from immunescape.design.complaints import FieldError
from immunescape.design.dose_finding import Boin, Bop2
from immunescape.design.records import Decided, Design, Rule
from immunescape.design.truth import Generator, Rate, Truth
from immunescape.design.two_stage import SimonDesign
from immunescape.errors import InputError

__all__ = ["DoseFinding", "Monitored", "TwoStage"]


def _check_null_rate(design: Design, endpoint: str, p0: float) -> None:
    """Refuse a null whose response rate is not the uninteresting one, which is where the type I error is bounded."""
    truth = design.truths["null"]
    if not isinstance(truth, Generator):
        raise InputError("the scenario 'null' of a one-arm design is given by its response rate")
    for stratum in truth.strata:
        rate = truth.outcome_model(design.arms[0].name, stratum, endpoint)
        if isinstance(rate, Rate) and abs(rate.probability - p0) > 1e-12:
            side = "above" if rate.probability > p0 else "below"
            raise FieldError(
                f"the scenario 'null' has a response rate of {rate.probability:g}, {side} the uninteresting {p0:g}",
                hint="Give the scenario another name, and the null a rate of p0.",
                field=("scenarios", list(design.truths).index("null")),
            )


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
        _check_null_rate(design, self.endpoint, self.p0)
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
            "r": (s.r1, s.r),
            "n": (s.n1, s.n),
            "alpha": float(s.promising(self.p0)),
            "power": float(s.promising(self.p1)),
            "stop_early_null": float(s.stop_early(self.p0)),
            "expected_patients_null": float(s.expected_patients(self.p0)),
        }

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
        return Decided(
            rejected=rejected, stage=stage, reason=np.where(goes, 0, 2), patients=patients, events=events, months=months
        )

    def expected_table(self, design: Design, plan: Mapping[str, Any]) -> list[dict[str, Any]]:
        """See :class:`Rule`."""
        return [
            {
                "hypothesis": f"rate above {self.p0:g}",
                "look": k + 1,
                "at": str(look),
                "test": "responses, exact",
                "information": plan["n"][k] / plan["n"][1],
                "go_on" if k == 0 else "promising": f"more than {plan['r'][k]} of {plan['n'][k]}",
            }
            for k, look in enumerate(design.looks)
        ]


@dataclass(frozen=True)
class Monitored(Rule):
    """One arm watched at many looks by BOP2's posterior boundary.

    Attributes
    ----------
    endpoint : a response. bop2 : the boundary. p1 : target rate.
    """

    kind: ClassVar[str] = "bop2"

    endpoint: str
    bop2: Bop2
    p1: float

    def check(self, design: Design) -> None:
        """See :class:`Rule`."""
        if len(design.arms) != 1:
            raise InputError(f"a BOP2 design has one arm, not {len(design.arms)}")
        if design.endpoint(self.endpoint).kind != "response":
            raise InputError(f"a BOP2 design needs a response; '{self.endpoint}' is a survival endpoint")
        if "null" not in design.truths:
            raise InputError("a one-arm design has no control: its null must be given as a scenario 'null'")
        _check_null_rate(design, self.endpoint, self.bop2.p0)
        if tuple(look.patients for look in design.looks) != self.bop2.looks:
            raise InputError(f"the looks of this design are at {list(self.bop2.looks)} patients")

    def hypotheses(self, design: Design) -> tuple[str, ...]:
        """See :class:`Rule`."""
        return (f"rate above {self.bop2.p0:g}",)

    def plan(self, design: Design) -> dict[str, Any]:
        """Exact error, power and expected size."""
        error, _, size = self.bop2.exact(self.bop2.p0)
        return {
            "stop_at_most": self.bop2.stop_at_most,
            "alpha": error,
            "power": self.bop2.exact(self.p1)[0],
            "expected_patients_null": size,
        }

    def run(self, design: Design, truth: Truth, streams: Streams, plan: Mapping[str, Any]) -> Decided:
        """See :class:`Rule`."""
        cohort = design.cohort(truth, streams)
        replicates, looks = len(cohort.entry), self.bop2.looks
        running, stage = np.ones(replicates, dtype=bool), np.full(replicates, len(looks))
        events, months, patients = np.zeros(replicates), np.zeros(replicates), np.zeros(replicates)
        rejected = np.zeros(replicates, dtype=bool)
        for k, (look, limit) in enumerate(zip(design.looks, self.bop2.stop_at_most, strict=True)):
            first = np.broadcast_to(np.arange(cohort.entry.shape[1]) < looks[k], cohort.entry.shape)
            month = cohort.month_of(look) + cohort.endpoint(self.endpoint).lag
            count = cohort.view(self.endpoint, month, first).event.sum(axis=1)
            events, months = np.where(running, count, events), np.where(running, month, months)
            patients = np.where(running, looks[k], patients)
            fails = running & (count <= limit)
            if k + 1 == len(looks):
                rejected = running & ~fails
            else:
                stage[fails] = k + 1
                running &= ~fails
        reason = np.where(stage < len(looks), 2, 0)
        return Decided(
            rejected=rejected[:, None], stage=stage, reason=reason, patients=patients, events=events, months=months
        )

    def expected_table(self, design: Design, plan: Mapping[str, Any]) -> list[dict[str, Any]]:
        """See :class:`Rule`."""
        last = len(self.bop2.looks) - 1
        return [
            {
                "hypothesis": f"rate above {self.bop2.p0:g}",
                "look": k + 1,
                "at": str(design.looks[k]),
                "test": f"posterior, lambda {self.bop2.lam:.2f}, gamma {self.bop2.gamma:.2f}",
                "information": n / self.bop2.looks[-1],
                "promising" if k == last else "go_on": f"more than {plan['stop_at_most'][k]} of {n}",
            }
            for k, n in enumerate(self.bop2.looks)
        ]


@dataclass(frozen=True)
class DoseFinding(Rule):
    """Escalation over doses (the arms, in increasing order) by BOIN; a dose is 'rejected' where it is recommended.

    Attributes
    ----------
    endpoint : dose-limiting toxicity, a response whose `months` are the time for which each cohort is watched.
    boin : the rule.
    """

    kind: ClassVar[str] = "dose-finding"

    endpoint: str
    boin: Boin

    def check(self, design: Design) -> None:
        """See :class:`Rule`."""
        if any(a.role == "control" for a in design.arms) or len(design.arms) < 2:
            raise InputError("the arms of a dose-finding design are at least two doses, without a control")
        if design.endpoint(self.endpoint).kind != "response":
            raise InputError("dose finding needs a toxicity, an endpoint of kind response")
        if design.alpha is not None:
            raise InputError("a dose-finding design does not control a type I error", hint="Write alpha: null.")
        if not all(isinstance(t, Generator) and len(t.strata) == 1 for t in design.truths.values()):
            raise InputError("dose finding needs a simple truth: a rate for each dose, without strata")

    def hypotheses(self, design: Design) -> tuple[str, ...]:
        """See :class:`Rule`."""
        return tuple(f"recommended: {a.name}" for a in design.arms)

    def plan(self, design: Design) -> dict[str, Any]:
        """See :class:`Rule`."""
        return {"escalate": self.boin.escalate_below, "de_escalate": self.boin.de_escalate_above}

    def run(self, design: Design, truth: Truth, streams: Streams, plan: Mapping[str, Any]) -> Decided:
        """See :class:`Rule`."""
        assert isinstance(truth, Generator)
        parts = [truth.outcome_model(a, truth.strata[0], self.endpoint) for a in truth.arms]
        rates = [rate.probability for rate in parts if isinstance(rate, Rate)]
        n, x, choice = self.boin.escalate(rates, streams.replicates, streams.rng("escalation"))
        rejected = choice[:, None] == np.arange(len(rates))
        total = n.sum(axis=1)
        cohorts = total / self.boin.cohort
        per_cohort = self.boin.cohort / design.accrual.rates[-1] + design.endpoint(self.endpoint).months
        extra = {f"patients: {a.name}": n[:, k] for k, a in enumerate(design.arms)}
        zero = np.zeros(len(total), dtype=np.int64)
        return Decided(
            rejected=rejected,
            stage=zero + 1,
            reason=zero,
            patients=total,
            events=x.sum(axis=1),
            months=cohorts * per_cohort,
            extra=extra,
        )

    def expected_table(self, design: Design, plan: Mapping[str, Any]) -> list[dict[str, Any]]:
        """See :class:`Rule`."""
        return [
            {
                "hypothesis": "dose",
                "look": row["patients"],
                "at": f"{row['patients']} patients at a dose",
                "test": "toxicities",
                "information": None,
                "escalate": f"at most {row['escalate_at_most']}",
                "de_escalate": f"at least {row['de_escalate_at_least']}",
                "eliminate": "–" if row["eliminate_at_least"] is None else f"at least {row['eliminate_at_least']}",
            }
            for row in self.boin.table(4 * self.boin.cohort)
        ]
