"""Power and size by formula, for comparison with the simulation: looks, average hazard ratios, required events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import optimize

from immunescape.design.boundaries import Boundaries, boundaries, drift_for_power
from immunescape.design.delayed import average_hazard_ratio
from immunescape.design.group_sequential import GroupSequential
from immunescape.design.records import Design
from immunescape.design.samplesize import power_rates, survival_power_at
from immunescape.design.survival_model import PiecewiseExponential, time_of_events
from immunescape.design.truth import Generator, Rate
from immunescape.errors import InputError

__all__ = ["planning"]


def planning(design: Design, plan: Mapping[str, Any], scenario: str) -> dict[str, Any] | None:
    """Power by formula and the size for 80 and 90 % power, for log-rank looks set by the tested endpoint's events.

    None where no formula applies: other rules or tests, strata, virtual populations, looks set otherwise.

    Returns
    -------
    dict
        ``months`` (empty where events wait for a visit), ``average_hazard_ratio``, ``cumulative_power`` by look;
        ``events`` and ``patients`` for powers ``0.8`` and ``0.9`` at the average hazard ratio of the last look
        (patients by the same share of events).
    """
    rule, truth = design.rule, design.truths.get(scenario)
    if isinstance(rule, GroupSequential) and rule.early_futility is not None:
        return None  # stops by another endpoint are in no formula
    if not isinstance(rule, GroupSequential) or not isinstance(truth, Generator) or len(truth.strata) > 1:
        return None
    tested = rule.tested[0]
    if design.endpoint(tested.endpoint).competing:
        return None  # a competing event takes events away
    if rule.reestimation is not None or any(look.earliest > 0 or np.isfinite(look.latest) for look in design.looks):
        return None  # the size or the looks are not those of the plan
    if tested.test.name == "rates":
        return _rates(design, rule, truth, plan)
    if tested.test.name != "log-rank" or len(rule.tested) > 1:
        return None
    if tested.strata or tested.looks:
        return None  # Schoenfeld's formula is for all patients, at every look
    if any(look.events is None or look.endpoint != tested.endpoint for look in design.looks):
        return None
    control, other = design.arms[design.control], design.arms[design.experimental[0]]
    c, e = (truth.outcome_model(a.name, truth.strata[0], tested.endpoint) for a in (control, other))
    if not isinstance(c, PiecewiseExponential) or not isinstance(e, PiecewiseExponential):
        return None
    ratio = other.allocation / control.allocation
    arms = [(e, ratio / (1 + ratio)), (c, 1 / (1 + ratio))]
    accrual, lost = design.accrual, design.dropout.hazard
    events = np.array([look.size for look in design.looks])
    try:
        months = [time_of_events(arms, accrual, float(n), lost) for n in events]
        effect = [average_hazard_ratio(c, e, accrual, m, dropout=lost, ratio=ratio) for m in months]
    except InputError:
        return None  # that many events are never reached
    efficacy = np.asarray(plan["bounds"][tested.name])
    # a futility stop costs power whether or not the efficacy bounds assume it
    lower = _lower_bounds(plan, tested.name, len(events))
    bounds = Boundaries(
        family="",
        fraction=events / events[-1],
        efficacy=efficacy,
        futility=lower,
        alpha_spent=np.zeros(len(events)),
        binding=rule.binding,
        inflation=np.nan,
        drift=np.nan,
    )
    # against the hazard ratio under the null: 1, or the margin of a test of non-inferiority
    gain = np.log(np.asarray(effect) / tested.test.margin)
    power = survival_power_at(gain, events * ratio / (1 + ratio) ** 2, bounds)
    sizes: dict[str, Any] = {}
    if gain[-1] < 0 and design.alpha is not None:
        for target in (0.8, 0.9):
            try:
                drift = drift_for_power(efficacy, events / events[-1], lower, target)
            except InputError:
                continue  # out of reach with these futility bounds
            need = float((drift / gain[-1]) ** 2 * (1 + ratio) ** 2 / ratio)
            sizes[f"{target:g}"] = {"events": need, "patients": need / events[-1] * design.patients}
    lag = design.endpoint(tested.endpoint).lag  # an analysis waits for its data
    seen_at_once = design.endpoint(tested.endpoint).visits_every == 0
    return {
        # events detected at the next visit occur later than the formula assumes
        "months": [m + lag for m in months] if seen_at_once else [],
        "average_hazard_ratio": effect,
        "cumulative_power": power.tolist(),
        "size_for_power": sizes,
    }


def _lower_bounds(plan: Mapping[str, Any], hypothesis: str, looks: int) -> np.ndarray:
    """(K,) futility bounds on Z as planned, minus infinity where there is none."""
    return np.asarray(plan.get("futility", {}).get(hypothesis, np.full(looks, -np.inf)), dtype=float)


def _rates(design: Design, rule: GroupSequential, truth: Generator, plan: Mapping[str, Any]) -> dict[str, Any] | None:
    """The same for a comparison of response rates with looks by patients (no months, no hazard ratios)."""
    tested = rule.tested[0]
    if len(rule.tested) > 1 or design.alpha is None or any(look.patients is None for look in design.looks):
        return None
    if tested.strata or tested.looks:
        return None
    endpoint = design.endpoint(tested.endpoint)
    if not all(tested.reads_all(look, endpoint, design.patients) for look in design.looks):
        return None  # the responses that a look reads are not those of the patients that it counts
    control, other = design.arms[design.control], design.arms[design.experimental[0]]
    p0, p1 = (truth.outcome_model(a.name, truth.strata[0], tested.endpoint) for a in (control, other))
    if not isinstance(p0, Rate) or not isinstance(p1, Rate) or p1.probability <= p0.probability or rule.binding:
        return None
    if p0.probability <= 0 or p1.probability >= 1:
        return None  # no variance in an arm
    size = np.array([look.size for look in design.looks])
    ratio = other.allocation / control.allocation
    level = design.alpha * tested.share

    def shape(power: float) -> Boundaries:
        return boundaries(
            rule.spending.family, size / size[-1], alpha=level, beta=1 - power, parameter=rule.spending.parameter
        )

    # patients lost before the response is assessed count as non-responders
    stays = float(np.exp(-design.dropout.hazard * endpoint.months))
    high, low = p1.probability * stays, p0.probability * stays
    stopped = replace(shape(0.9), futility=_lower_bounds(plan, tested.name, len(size)))

    def power(patients: float) -> float:
        return power_rates(high, low, patients, stopped, ratio=ratio).power

    sizes = {}
    for target in (0.8, 0.9):
        if power(1e7) > target:
            need = float(optimize.brentq(lambda n, p=target: power(n) - p, 4.0, 1e7, xtol=1e-6))
            sizes[f"{target:g}"] = {"events": None, "patients": need}
    at_size = power_rates(high, low, float(size[-1]), stopped, ratio=ratio)
    return {
        "months": [],
        "average_hazard_ratio": [],
        "cumulative_power": at_size.cumulative_power.tolist(),
        "size_for_power": sizes,
    }
