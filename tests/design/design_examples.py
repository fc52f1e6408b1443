"""Small designs that several tests use."""

from __future__ import annotations

from typing import Any

from immunescape.design.cohort import Milestone
from immunescape.design.group_sequential import GroupSequential, Hypothesis
from immunescape.design.records import Arm, Design
from immunescape.design.survival_model import Accrual, PiecewiseExponential
from immunescape.design.truth import Endpoint, Generator


def two_arms(hazard_ratio: float, median: float = 12.0, delay: float = 0.0) -> Generator:
    """Two arms, one stratum, overall survival."""
    control = PiecewiseExponential.from_median(median)
    return Generator(
        ("new", "control"),
        ("all",),
        (1.0,),
        {("new", "all", "os"): control.with_effect(hazard_ratio, delay), ("control", "all", "os"): control},
    )


def survival_design(
    truth: Generator | None = None, events: tuple[int, ...] = (150, 225, 300), **changes: Any
) -> Design:
    """500 patients in 24 months, three looks."""
    values: dict[str, Any] = {
        "name": "three-looks",
        "arms": (Arm("new"), Arm("control", "control")),
        "endpoints": (Endpoint("os"),),
        "patients": 500,
        "accrual": Accrual((500 / 24,), (24.0,)),
        "looks": tuple(Milestone(events=n, endpoint="os") for n in events),
        "truths": {"alternative": truth or two_arms(0.75)},
        "rule": GroupSequential((Hypothesis("OS", "os"),)),
    }
    return Design(**{**values, **changes})
