"""Warnings and notes for the reader: delayed effects, average hazard ratios, the error of a virtual population."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from immunescape.design.delayed import average_hazard_ratio, delayed_effect
from immunescape.design.planning import planning
from immunescape.design.records import FEW_EVENTS, SHORT, Decided, Design
from immunescape.design.survival_model import PiecewiseExponential
from immunescape.design.truth import Generator, VirtualPool
from immunescape.errors import InputError

__all__ = ["diagnose", "pool_error"]

POOL_POINTS = 0.02
"""Standard deviation of the power due to the size of the pool above which the reader is warned."""
SLIGHTLY = 1.2
"""Ratio of type I error to alpha up to which the design is called slightly liberal."""
TOGETHER, IDLE = 1e-6, 0.05
"""Months between two looks that count as coinciding, and share of trials above which this is reported."""
FEW_TRIALS = 5000
"""Number of simulated trials below which a level must exceed alpha beyond its 99.9 % interval to be reported."""


def _level_warnings(design: Design, outcomes: Mapping[str, Decided], unstopped: Decided | None) -> list[str]:
    """A type I error that is above alpha beyond its Monte Carlo error."""
    from immunescape.stats.exact import clopper_pearson

    decided = unstopped if unstopped is not None else outcomes.get("null")
    if decided is None or design.alpha is None:
        return []
    hits, count = int(decided.rejected.any(axis=1).sum()), len(decided.rejected)
    if count < FEW_TRIALS:
        # one interval in forty lies above the truth, and every design shares the same random numbers
        low = float(clopper_pearson(hits, count, level=0.999).low or 0.0)
        if low <= design.alpha:
            return []
    low = float(clopper_pearson(hits, count).low or 0.0)
    if low <= design.alpha:
        return []
    liberal = hits / count <= SLIGHTLY * design.alpha
    return [
        f"the type I error is {100 * hits / count:.2f} % in {count} simulated trials (95 % interval from "
        f"{100 * low:.2f} %), above the nominal {100 * design.alpha:g} %: "
        + (
            "slightly liberal, as normal approximations with few events are"
            if liberal
            else "this design does not control it"
        )
    ]


def _few_events(design: Design, outcomes: Mapping[str, Decided]) -> list[str]:
    """Looks of designs that adapt which come with few events: their own rule does not plan how many there will be."""
    tested = getattr(design.rule, "endpoint", None)
    if getattr(design.rule, "tested", ()) or tested is None or design.endpoint(tested).kind != "survival":
        return []
    warnings = []
    for scenario, decided in outcomes.items():
        events = decided.by_look.get("events")
        if events is None:
            continue
        for k in range(min(events.shape[1], len(design.looks))):
            seen = events[:, k][np.isfinite(events[:, k])]
            if len(seen) and float(seen.mean()) < FEW_EVENTS * len(design.experimental):
                warnings.append(
                    f"scenario '{scenario}': look {k + 1} ({design.looks[k]}) comes with about {seen.mean():.0f} "
                    "events: tests and boundaries are normal approximations, which so few do not justify"
                )
    return warnings[:1]


def _idle_looks(scenario: str, decided: Decided) -> list[str]:
    """Looks that come together with the one before, so that they add nothing."""
    months = decided.by_look.get("months")
    if months is None:
        return []
    warnings = []
    for k in range(1, months.shape[1]):
        both = np.isfinite(months[:, k]) & np.isfinite(months[:, k - 1])
        share = float(np.mean(months[both, k] - months[both, k - 1] < TOGETHER)) if both.any() else 0.0
        if share > IDLE:
            warnings.append(
                f"scenario '{scenario}': in {share:.0%} of the trials look {k + 1} comes together with look {k}, and "
                "adds nothing to it"
            )
    return warnings


def _pool_warnings(scenario: str, pool: Mapping[str, Any], limit: float) -> list[str]:
    """Where the finite size of a virtual population moves the power by more than `limit`."""
    warnings = []
    for name, error in pool["power_error"].items():
        if name != "any" and error > limit:
            smallest = min(pool["patients"].values())
            warnings.append(
                f"scenario '{scenario}': the virtual population ({smallest} patients in an arm) is small for this "
                f"effect: by its own sampling the power of {name} moves by {100 * error:.1f} points (bootstrap "
                f"standard deviation); about {smallest * (error / limit) ** 2:,.0f} patients in each arm would bring "
                f"that to {100 * limit:g} points"
            )
    return warnings


def diagnose(
    design: Design,
    plan: Mapping[str, Any],
    outcomes: Mapping[str, Decided],
    unstopped: Decided | None = None,
    pool_errors: Mapping[str, np.ndarray] | None = None,
) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Warnings and notes of a simulated design; `unstopped` and `pool_errors` as in its operating characteristics."""
    warnings: list[str] = [*design.rule.cautions(design), *design.rule.planned_cautions(design, plan)]
    warnings += _few_events(design, outcomes)
    warnings += _level_warnings(design, outcomes, unstopped)
    notes: dict[str, Any] = {}
    control = next((a.name for a in design.arms if a.role == "control"), None)
    if control is None:
        return _sentences(warnings), {}
    survival = [e.name for e in design.endpoints if e.kind == "survival"]
    for scenario, decided in outcomes.items():
        if scenario == "null":
            continue
        truth = design.scenario(scenario)
        formula = planning(design, plan, scenario)
        if formula is not None:
            notes.setdefault("planning", {})[scenario] = formula
        months = float(np.nanmax([np.median(decided.months), 6.0]))
        for endpoint in survival:
            for k in design.experimental:
                arm = design.arms[k].name
                try:
                    effect = delayed_effect(truth, endpoint, arm, control, months, design.rule.strata_of(design, arm))
                except (InputError, KeyError):
                    continue
                if effect:
                    warnings.append(f"scenario '{scenario}': {effect}")
        if len(design.arms) == 2 and isinstance(truth, Generator) and len(truth.strata) == 1:
            notes.setdefault("average_hazard_ratio", {}).update(_averages(design, truth, scenario, decided, survival))
        if isinstance(truth, VirtualPool):
            notes.setdefault("pool", {})[scenario] = pool = pool_error(design, truth, survival)
            names = (*design.rule.hypotheses(design), "any")
            errors = (pool_errors or {}).get(scenario)
            if errors is not None:
                pool["power_error"] = dict(zip(names, errors.tolist(), strict=True))
                warnings += _pool_warnings(scenario, pool, POOL_POINTS)
        warnings += _idle_looks(scenario, decided)
        short = decided.extra.get(SHORT)
        if short is not None and float(short.mean()) > 0.05:
            latest = any(np.isfinite(look.latest) for look in design.looks)
            why = (
                "come to the latest month of a look, or run out of events, before"
                if latest
                else "run out of events before"
            )
            warnings.append(
                f"scenario '{scenario}': {float(short.mean()):.0%} of the trials {why} a look that is set by events "
                "has them; that look then happens with fewer events than it names, and spends alpha as if it had them"
            )
    return _sentences(warnings), notes


def _sentences(warnings: list[str]) -> tuple[str, ...]:
    """Each warning once, with a full stop at its end."""
    return tuple(dict.fromkeys(text if text.endswith(".") else f"{text}." for text in warnings))


def _averages(design: Design, truth: Generator, scenario: str, decided: Decided, survival: list[str]) -> dict[str, Any]:
    """Average hazard ratio expected at the mean month of each look."""
    control, other = design.arms[design.control], design.arms[design.experimental[0]]
    months = decided.by_look.get("months")
    out: dict[str, Any] = {}
    for endpoint in survival:
        c, e = (truth.outcome_model(a.name, truth.strata[0], endpoint) for a in (control, other))
        if months is None or not isinstance(c, PiecewiseExponential) or not isinstance(e, PiecewiseExponential):
            continue
        at = [float(np.nanmean(m)) if np.isfinite(m).any() else np.nan for m in months.T]
        ratio = other.allocation / control.allocation
        values = [_average(design, c, e, m, ratio) if np.isfinite(m) else None for m in at]
        out[f"{scenario}: {endpoint}"] = values
    return out


def _average(
    design: Design, control: PiecewiseExponential, experimental: PiecewiseExponential, month: float, ratio: float
) -> float | None:
    """Average hazard ratio at a month, or None where both arms have no events to weigh it by."""
    try:
        return average_hazard_ratio(
            control, experimental, design.accrual, month, dropout=design.dropout.hazard, ratio=ratio
        )
    except InputError:
        return None


def pool_error(design: Design, pool: VirtualPool, survival: list[str]) -> dict[str, Any]:
    """Size of a virtual population, its own hazard ratios and the standard errors of their logarithms."""
    from immunescape.stats.cox import fast_hazard_ratio

    total = sum(a.allocation for a in design.arms)
    factors = {a.name: pool.size(a.name) / (design.patients * a.allocation / total) for a in design.arms}
    control = design.arms[design.control].name
    hazard_ratios: dict[str, Any] = {}
    for endpoint in survival:
        for k in design.experimental:
            arm = design.arms[k].name
            months, event = {}, {}
            for name in (arm, control):
                months[name] = np.concatenate([pool.rows[name, s][f"{endpoint}_months"] for s in pool.strata])
                event[name] = np.concatenate([pool.rows[name, s][f"{endpoint}_event"] for s in pool.strata]) > 0.5
            group = np.repeat([1.0, 0.0], [len(months[arm]), len(months[control])])
            ratio = fast_hazard_ratio(
                np.concatenate([months[arm], months[control]]), np.concatenate([event[arm], event[control]]), group
            )
            error = float(np.sqrt(1.0 / max(event[arm].sum(), 1) + 1.0 / max(event[control].sum(), 1)))
            hazard_ratios[f"{endpoint}: {arm}"] = {
                "hazard_ratio": ratio,
                "log_se": error,
            }
    return {
        "source": pool.source,
        "patients": {a.name: pool.size(a.name) for a in design.arms},
        "times_n": factors,
        "smallest_factor": min(factors.values()),
        "hazard_ratios": hazard_ratios,
    }
