"""What a reader must be told: delayed effects, average hazard ratios, the error of a virtual population."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import stats

from immunescape.errors import InputError
from immunescape.trial.design.delayed import average_hazard_ratio, delayed_effect
from immunescape.trial.design.planning import planning
from immunescape.trial.design.records import Decided, Design
from immunescape.trial.design.survival_model import PiecewiseExponential
from immunescape.trial.design.truth import Generator, Pool

__all__ = ["diagnose", "pool_error"]

POOL_FACTOR = 20


def diagnose(
    design: Design, plan: Mapping[str, Any], outcomes: Mapping[str, Decided]
) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Warnings and notes of a simulated design."""
    warnings: list[str] = []
    notes: dict[str, Any] = {}
    control = next((a.name for a in design.arms if a.role == "control"), None)
    if control is None:
        return (), {}
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
                    found = delayed_effect(truth, endpoint, arm, control, months, design.rule.strata_of(design, arm))
                except (InputError, KeyError):
                    continue
                if found:
                    warnings.append(f"scenario '{scenario}': {found}")
        if len(design.arms) == 2 and isinstance(truth, Generator) and len(truth.strata) == 1:
            notes.setdefault("average_hazard_ratio", {}).update(_averages(design, truth, scenario, decided, survival))
        if isinstance(truth, Pool):
            notes.setdefault("pool", {})[scenario] = pool = pool_error(design, truth, survival)
            if pool["smallest_factor"] < POOL_FACTOR:
                warnings.append(
                    f"scenario '{scenario}': the virtual population is only {pool['smallest_factor']:.1f} times the "
                    f"patients of an arm (at least {POOL_FACTOR} times is wanted); its own error is not small"
                )
    return tuple(dict.fromkeys(warnings)), notes


def _averages(design: Design, truth: Generator, scenario: str, decided: Decided, survival: list[str]) -> dict[str, Any]:
    """Average hazard ratio expected at the mean month of each look."""
    control, other = design.arms[design.control], design.arms[design.experimental[0]]
    months = decided.by_look.get("months")
    out: dict[str, Any] = {}
    for endpoint in survival:
        c, e = (truth.part(a.name, truth.strata[0], endpoint) for a in (control, other))
        if months is None or not isinstance(c, PiecewiseExponential) or not isinstance(e, PiecewiseExponential):
            continue
        at = [float(np.nanmean(m)) if np.isfinite(m).any() else np.nan for m in months.T]
        values = [
            average_hazard_ratio(
                c, e, design.accrual, m, dropout=design.dropout.hazard, ratio=other.allocation / control.allocation
            )
            if np.isfinite(m)
            else None
            for m in at
        ]
        out[f"{scenario}: {endpoint}"] = values
    return out


def pool_error(design: Design, pool: Pool, survival: list[str]) -> dict[str, Any]:
    """Size of a virtual population and the error that its finite size leaves in power.

    The log hazard ratio of the pool has a standard error; the power of a log-rank test with the planned events moves by
    its slope (at 90 % power: 1 - Phi(c - d) has slope phi(1.28) per unit of Z) times that error.
    """
    from immunescape.trial.stats import fast_hazard_ratio

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
            planned = (
                max((look.events or 0) for look in design.looks if look.endpoint in (endpoint, None))
                if any(look.endpoint in (endpoint, None) for look in design.looks)
                else 0
            )
            drift = -np.log(ratio) * np.sqrt(planned) / 2 if planned else np.nan
            slope = stats.norm.pdf(stats.norm.isf(design.alpha or 0.025) - drift) * np.sqrt(planned) / 2
            hazard_ratios[f"{endpoint}: {arm}"] = {
                "hazard_ratio": ratio, "log_se": error, "power_se": float(slope * error) if planned else None,
            }  # fmt: skip
    return {
        "source": pool.source,
        "patients": {a.name: pool.size(a.name) for a in design.arms},
        "times_n": factors,
        "smallest_factor": min(factors.values()),
        "hazard_ratios": hazard_ratios,
    }
