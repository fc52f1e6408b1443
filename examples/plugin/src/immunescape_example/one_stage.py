"""A kind of design: one arm, one stage, an exact binomial test of the response rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.stats import binom

from immunescape.design.cohort import Milestone, Streams
from immunescape.design.kinds import DesignKind
from immunescape.design.records import Decided, Design, Rule
from immunescape.design.truth import Endpoint, Truth
from immunescape.errors import InputError


class Options(BaseModel):
    """Fields under ``options:``."""

    model_config = ConfigDict(extra="forbid")

    endpoint: str = Field(description="A response.")
    p0: float = Field(gt=0, lt=1, description="Uninteresting rate.")
    p1: float = Field(gt=0, lt=1, description="Target rate.")


@dataclass(frozen=True)
class OneStage(Rule):
    """Promising if more than `most` patients respond, the smallest number that controls alpha."""

    kind: ClassVar[str] = "one-stage"

    endpoint: str
    p0: float
    p1: float
    most: int

    def check(self, design: Design) -> None:
        """See :class:`Rule`."""
        if len(design.arms) != 1:
            raise InputError(f"a one-stage design has one arm, not {len(design.arms)}")
        if design.endpoint(self.endpoint).kind != "response":
            raise InputError(f"a one-stage design needs a response; '{self.endpoint}' is a survival endpoint")
        if "null" not in design.truths:
            raise InputError("a one-arm design has no control: its null must be given as a scenario 'null'")

    def hypotheses(self, design: Design) -> tuple[str, ...]:
        """See :class:`Rule`."""
        return (f"rate above {self.p0:g}",)

    def plan(self, design: Design) -> dict[str, Any]:
        """Exact error and power."""
        return {
            "most": self.most,
            "alpha": float(binom.sf(self.most, design.patients, self.p0)),
            "power": float(binom.sf(self.most, design.patients, self.p1)),
        }

    def run(self, design: Design, truth: Truth, streams: Streams, plan: Mapping[str, Any]) -> Decided:
        """See :class:`Rule`."""
        cohort = design.cohort(truth, streams)
        everyone = np.ones(cohort.entry.shape, dtype=bool)
        month = cohort.month_of(design.looks[0]) + cohort.endpoint(self.endpoint).lag
        events = cohort.view(self.endpoint, month, everyone).event.sum(axis=1).astype(float)
        ones = np.ones(len(events))
        return Decided(
            rejected=(events > self.most)[:, None],
            stage=ones.astype(int),
            reason=0 * ones,
            patients=design.patients * ones,
            events=events,
            months=month,
        )


def make(options: Options, file: Any, endpoints: tuple[Endpoint, ...]) -> tuple[Rule, tuple[Milestone, ...], int]:
    """Make the rule: the smallest number of responses that controls alpha, read when the last response is known."""
    endpoint = next((e for e in endpoints if e.name == options.endpoint), None)
    if endpoint is None:
        raise InputError(f"there is no endpoint '{options.endpoint}'", hint=f"Endpoints: {', '.join(file.endpoints)}.")
    if options.p1 <= options.p0:
        raise InputError(f"the target rate {options.p1:g} is not above the uninteresting {options.p0:g}")
    most = int(binom.isf(file.alpha, file.patients, options.p0))
    rule = OneStage(options.endpoint, options.p0, options.p1, most)
    return rule, (Milestone(patients=file.patients, follow_up=endpoint.months),), file.patients


KIND = DesignKind(OneStage, Options, make, one_arm=True)
