"""Planned looks of a group-sequential test: expected data under the null, and the rows printed in a protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from immunescape.design.cohort import Streams
from immunescape.design.complaints import FieldError
from immunescape.design.hypotheses import EarlyFutility, Hypothesis
from immunescape.design.records import Design
from immunescape.design.recursion import exit_probabilities
from immunescape.design.samplesize import conditional_power
from immunescape.design.statistics import Statistic
from immunescape.errors import InputError
from immunescape.stats import nonproportional as nph
from immunescape.stats.nonproportional import OrderedData

__all__ = ["pilot_looks", "plan_rows"]

Floats = NDArray[np.float64]
PILOT = 400
LEAST_READ = 10
"""Patients (or events) of an early endpoint below which a stop by it is refused."""
UNFOLLOWED, AT_RISK = 0.05, 10
"""Share of null trials in which a horizon may lie beyond the follow-up, and patients of an arm wanted at risk there."""


def pilot_looks(
    design: Design, tested: Sequence[Hypothesis], early: EarlyFutility | None = None
) -> dict[str, tuple[Floats, Floats]]:
    """Mean events and information of each hypothesis at its looks under the null, by a planning simulation.

    Raises
    ------
    InputError
        If the month of a milestone or restricted mean lies beyond the follow-up of a look.
    """
    truth = design.scenario("null")
    cohort = design.cohort(truth, Streams(20240229, 0, PILOT))
    treated = cohort.arm != design.control
    score = cohort.score()
    months = list(np.maximum.accumulate([cohort.month_of(look) for look in design.looks], axis=0))
    out: dict[str, tuple[Floats, Floats]] = {}
    for h in tested:
        events, information = [], []
        for k in h.tested_at(len(design.looks)):
            view = cohort.view(h.endpoint, months[k], cohort.members(h.strata))
            _, i = h.test.evaluate(view, treated, cohort.stratum, score)
            if h.test.name in ("rmst", "milestone"):
                _check_follow_up(h.test, view.ordered(treated), f"look {k + 1} (month {float(np.mean(months[k])):.1f})")
            seen = view.event if h.test.name != "rates" else view.use
            events.append(float(seen.sum(axis=1).mean()))
            information.append(float(np.mean(i)))
        out[h.name] = (np.array(events), np.array(information))
    if early is not None:
        view = cohort.view(early.endpoint, months[early.look - 1])
        if early.test.name in ("rmst", "milestone"):
            _check_follow_up(early.test, view.ordered(treated), f"look {early.look}")
        rates = early.test.name == "rates"
        read = float((view.use if rates else view.event).sum(axis=1).mean())
        if read < LEAST_READ:
            raise FieldError(
                f"early futility at look {early.look} (month {float(np.mean(months[early.look - 1])):.1f}) reads "
                f"'{early.endpoint}' {'of' if rates else 'with'} {read:.1f} {'patients' if rates else 'events'} on "
                "average",
                hint="Use an endpoint that is available by then, or a later look.",
                field=("early_futility",),
            )
    return out


def _check_follow_up(test: Statistic, data: OrderedData, look: str) -> None:
    """Reject a horizon beyond the follow-up of a look: without patients in the tail, a test has no defined level."""
    beyond = float((nph.followed_to(data) < test.months).mean())
    left = float(nph.at_risk_by_arm(data, test.months).mean())
    if beyond <= UNFOLLOWED and left >= AT_RISK:
        return
    what = "the restricted mean" if test.name == "rmst" else "survival"
    raise InputError(
        f"{what} to {test.months:g} months cannot be compared at {look}: the smaller arm has {left:.1f} patients at "
        f"risk there on average, and in {beyond:.0%} of the trials an arm is not followed that far",
        hint=f"At least {AT_RISK} are needed: take an earlier month or a later look, or name the looks at which it is "
        "tested ('looks' of the hypothesis).",
    )


def plan_rows(
    design: Design, hypothesis: Hypothesis, plan: Mapping[str, Any], level: float, bounds: Floats, *, binding: bool
) -> list[dict[str, Any]]:
    """Rows of the plan for one hypothesis: one for each look at which it is tested.

    The hazard ratio at a bound is exp(-Z / sqrt(I)) with I = events r / (1 + r)^2, r patients of the experimental arm
    per patient of the control; conditional power is that of the last look under the trend at the futility bound.
    """
    h, ratio = hypothesis, design.allocation_ratio
    at = plan["looks"][h.name]
    information, events = np.asarray(plan["information"][h.name]), np.asarray(plan["events"][h.name])
    lower = np.asarray(plan["futility"][h.name])[at]
    counted_on = lower if binding else np.full(len(at), -np.inf)
    spent = np.full(len(at), np.nan)
    if np.isfinite(bounds).any():
        spent = np.cumsum(exit_probabilities(bounds, information, lower=np.minimum(counted_on, bounds)).upper)
    root = np.sqrt(np.maximum(events, 1e-9) * ratio) / (1 + ratio)
    survival = h.test.name == "log-rank"
    rows = []
    for j, k in enumerate(at):
        bound, low = float(bounds[j]), float(lower[j])
        stops = np.isfinite(low)
        conditional = None
        if stops and j + 1 < len(at) and np.isfinite(bounds[-1]):
            conditional = float(conditional_power(low, float(information[j]), float(bounds[-1])))
        rows.append(
            {
                "hypothesis": h.name,
                "look": k + 1,
                "at": str(design.looks[k]),
                "test": str(h.test),
                "population": ", ".join(h.strata) if h.strata else "all",
                "alpha": level,
                "events": float(events[j]),
                "information": float(information[j]),
                "efficacy_z": bound,
                "efficacy_p": float(stats.norm.sf(bound)),
                "cumulative_alpha": float(spent[j]),
                "efficacy_hazard_ratio": float(h.test.margin * np.exp(-bound / root[j])) if survival else None,
                "futility_z": low if stops else None,
                "futility_hazard_ratio": float(h.test.margin * np.exp(-low / root[j])) if survival and stops else None,
                "conditional_power_at_futility": conditional,
            }
        )
    return rows
