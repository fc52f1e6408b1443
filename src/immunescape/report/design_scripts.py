"""Scripts beside a simulated design: one that repeats it, and one in R that a reviewer can check it with.

The R script holds the design in the terms of rpact and, where hazards are piecewise, of gsDesign2, with the figures
that are expected of them. It is written from the design; R is not run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from immunescape.design.group_sequential import GroupSequential
    from immunescape.design.hypotheses import Hypothesis
    from immunescape.design.simulation import OperatingCharacteristics

__all__ = ["review_note", "review_script", "script"]

RPACT_TYPES = {
    "obrien-fleming": 'typeOfDesign = "OF"',
    "pocock": 'typeOfDesign = "P"',
    "wang-tsiatis": 'typeOfDesign = "WT", deltaWT = {parameter}',
    "lan-demets-obrien-fleming": 'typeOfDesign = "asOF"',
    "lan-demets-pocock": 'typeOfDesign = "asP"',
    "hwang-shih-decani": 'typeOfDesign = "asHSD", gammaA = {parameter}',
    "power": 'typeOfDesign = "asKD", gammaA = {parameter}',
}
RPACT_BETA = {
    "lan-demets-obrien-fleming": 'typeBetaSpending = "bsOF"',
    "lan-demets-pocock": 'typeBetaSpending = "bsP"',
    "hwang-shih-decani": 'typeBetaSpending = "bsHSD", gammaB = {parameter}',
    "power": 'typeBetaSpending = "bsKD", gammaB = {parameter}',
}
GSDESIGN_SPENDING = {
    "lan-demets-obrien-fleming": "gsDesign::sfLDOF",
    "lan-demets-pocock": "gsDesign::sfLDPocock",
    "hwang-shih-decani": "gsDesign::sfHSD",
    "power": "gsDesign::sfPower",
}


def script(results: Sequence[OperatingCharacteristics]) -> str:
    """The Python script that repeats a run from the YAML files beside it."""
    first = results[0]
    files = [f"{r.design.name}.yaml" for r in results]
    body = f"run = run_designs([here / n for n in {files!r}], {first.replicates}, seed={first.seed}, out=out)"
    return (
        '"""Repeats a simulated design; writes into the folder \'repeated\' beside this file."""\n\n'
        "from pathlib import Path\n\nfrom immunescape.api.designs import run_designs\n\n"
        'if __name__ == "__main__":\n'
        "    here = Path(__file__).resolve().parent\n"
        '    out = here / "repeated"\n'
        f"    {body}\n    run.show()\n"
    )


def _vector(values: Sequence[float] | np.ndarray) -> str:
    return f"c({', '.join(f'{float(v):.10g}' for v in values)})"


def review_script(result: OperatingCharacteristics) -> str | None:
    """The R script that states a group-sequential design for rpact and gsDesign2; None for other kinds."""
    from immunescape.design.group_sequential import GroupSequential

    rule = result.design.rule
    if not isinstance(rule, GroupSequential):
        return None
    title = " ".join(result.design.title.split())
    lines = [
        f"# {title}",
        f"# {result.design.name}, written by immunescape from the design file; R was not run to make it.",
        "# Run: Rscript review.R   (packages rpact; gsDesign2 and gsDesign for piecewise hazards)",
        "suppressMessages(library(rpact))",
        "check <- function(what, found, expected, tolerance) {",
        "  gap <- max(abs(as.numeric(found) - expected))",
        '  cat(sprintf("%-46s largest difference %.2e %s\\n", what, gap, if (gap <= tolerance) "ok" else "DIFFERS"))',
        "}",
    ]
    graph = rule.graph()
    for h in rule.tested:
        share = graph.weights[h.name] or graph.after(frozenset(graph.names) - {h.name})[h.name]
        lines += ["", *_boundary_lines(result, rule, h, share * float(result.plan["alpha"]))]
    for scenario in result.notes.get("planning", {}):
        lines += ["", *_power_lines(result, rule, scenario)]
    return "\n".join(lines) + "\n"


def _boundary_lines(
    result: OperatingCharacteristics, rule: GroupSequential, hypothesis: Hypothesis, level: float
) -> list[str]:
    """Lines that compute the boundaries of one hypothesis in rpact and compare them."""
    h, plan = hypothesis, result.plan
    information, at = np.asarray(plan["information"][h.name]), plan["looks"][h.name]
    first = h is rule.tested[0]
    bounds = np.asarray(plan["bounds"][h.name])[at]
    if not np.isfinite(bounds).any():
        bounds = rule.bounds(h, level, plan["spent_at"][h.name], information)
    head = f"# {h.name}: {h.test}, endpoint {h.endpoint}, population {', '.join(h.strata) or 'all'}, alpha {level:.10g}"
    if h.test.name == "max-combo" or rule.spending.family == "fixed" or len(at) == 1:
        expected = _vector(bounds)
        if h.test.name == "max-combo":
            return [head, f"# boundaries by Bonferroni over the looks: {expected}"]
        return [head, f'check("{h.name}: boundary", qnorm(1 - {level:.10g}), {expected}, 1e-4)']
    if not np.allclose(plan["spent_at"][h.name], information):
        return [head, f"# alpha is spent by events, the looks correlate by information: boundaries {_vector(bounds)}"]
    options = [f"informationRates = {_vector(information)}", f"alpha = {level:.10g}", "sided = 1"]
    options.append(RPACT_TYPES[rule.spending.family].format(parameter=f"{rule.spending.parameter:.10g}"))
    lower = np.asarray(plan["futility"][h.name])[at][:-1]
    if first and rule.beta_spending is not None:
        b = rule.beta_spending
        options += [f"beta = {b.beta:.10g}", RPACT_BETA[b.family].format(parameter=f"{b.parameter:.10g}")]
    elif first and np.isfinite(lower).any():
        # rpact takes -6 for no bound
        options.append(f"futilityBounds = {_vector(np.maximum(lower, -6.0))}")
    options.append(f"bindingFutility = {'TRUE' if first and rule.binding else 'FALSE'}")
    name = f"design_{rule.tested.index(h) + 1}"
    lines = [head, f"{name} <- getDesignGroupSequential({', '.join(options)})"]
    lines.append(f'check("{h.name}: boundaries", {name}$criticalValues, {_vector(bounds)}, 1e-4)')
    if first and rule.beta_spending is not None:
        lines.append(f'check("{h.name}: futility bounds", {name}$futilityBounds, {_vector(lower)}, 1e-4)')
    return lines


def _power_lines(result: OperatingCharacteristics, rule: GroupSequential, scenario: str) -> list[str]:
    """Lines that compute the power of a scenario: rpact for one hazard ratio, gsDesign2 for piecewise hazards."""
    from immunescape.design.survival_model import PiecewiseExponential
    from immunescape.design.truth import Generator, Rate

    design, h = result.design, rule.tested[0]
    truth = design.truths[scenario]
    formula = result.notes["planning"][scenario]
    assert isinstance(truth, Generator)
    control, other = (design.arms[k].name for k in (design.control, design.experimental[0]))
    c, e = (truth.outcome_model(a, truth.strata[0], h.endpoint) for a in (control, other))
    power = formula["cumulative_power"][-1]
    head = f"# scenario '{scenario}': power by formula {power:.4f}, simulated {result.power(scenario)}"
    ratio = f"{design.allocation_ratio:.10g}"
    looks = np.array([look.size for look in design.looks])
    if isinstance(c, Rate) and isinstance(e, Rate):
        call = (
            f"getPowerRates(design_1, pi1 = {e.probability:.10g}, pi2 = {c.probability:.10g}, maxNumberOfSubjects = "
            f"{looks[-1]:.10g}, allocationRatioPlanned = {ratio}, directionUpper = TRUE)"
        )
        return (
            [head, f'check("{scenario}: power", {call}$overallReject, {power:.10g}, 5e-3)']
            if len(looks) > 1
            else [head]
        )
    if not isinstance(c, PiecewiseExponential) or not isinstance(e, PiecewiseExponential) or c.cured or e.cured:
        return [head, "# a cured share is in neither package's formula"]
    accrual, lost = design.accrual, design.dropout.hazard
    edges = sorted({0.0, *c.changes, *e.changes})
    hazard = np.asarray(c.hazard(np.array(edges)))
    effect = np.asarray(e.hazard(np.array(edges))) / hazard
    if len(looks) > 1 and np.ptp(effect) < 1e-9 and h.test.margin == 1 and len(c.changes) == 0:
        starts = np.concatenate([[0.0], np.cumsum(accrual.durations)])
        call = (
            f"getPowerSurvival(design_1, hazardRatio = {effect[0]:.10g}, lambda2 = {hazard[0]:.10g}, accrualTime = "
            f"{_vector(starts)}, accrualIntensity = {_vector(accrual.rates)}, maxNumberOfEvents = {looks[-1]:.10g}, "
            f"allocationRatioPlanned = {ratio}, dropoutRate1 = {1 - np.exp(-12 * lost):.10g}, dropoutRate2 = "
            f"{1 - np.exp(-12 * lost):.10g}, dropoutTime = 12, directionUpper = FALSE)"
        )
        return [
            head,
            f"power <- {call}",
            f'check("{scenario}: power", power$overallReject, {power:.10g}, 5e-3)',
            f'check("{scenario}: months of the looks", power$analysisTime, {_vector(formula["months"])}, 0.05)',
        ]
    if rule.spending.family not in GSDESIGN_SPENDING or h.test.margin != 1:
        return [head]
    durations = [*np.diff(edges), np.inf]
    lower = np.asarray(result.plan["futility"][h.name])
    total = float(result.plan["alpha"]) * h.share
    parameter = f"{rule.spending.parameter:.10g}" if rule.spending.parameter else "NULL"
    lines = [
        head,
        "suppressMessages(library(gsDesign2))",
        f"enrolment <- define_enroll_rate(duration = {_vector(accrual.durations)}, rate = {_vector(accrual.rates)})",
        f"failure <- define_fail_rate(duration = {_vector(durations).replace('inf', 'Inf')}, fail_rate = "
        f"{_vector(hazard)}, hr = {_vector(effect)}, dropout_rate = {lost:.10g})",
        f"efficacy <- list(sf = {GSDESIGN_SPENDING[rule.spending.family]}, total_spend = {total:.10g}, "
        f"param = {parameter})",
        f"power <- gs_power_ahr(enroll_rate = enrolment, fail_rate = failure, event = {_vector(looks)}, "
        f"analysis_time = NULL, ratio = {ratio}, binding = {'TRUE' if rule.binding else 'FALSE'}, upper = "
        f"gs_spending_bound, upar = efficacy, lower = gs_b, lpar = {_vector(lower).replace('-inf', '-Inf')})",
        'upper <- subset(power$bound, bound == "upper")',
        # gsDesign2 weights the average hazard ratio in another way and takes information under the alternative
        f'check("{scenario}: power, gsDesign2", tail(upper$probability, 1), {power:.10g}, 2e-2)',
    ]
    return lines


def review_note(result: OperatingCharacteristics) -> str:
    """A line for the report on what the R script holds."""
    if review_script(result) is None:
        return ""
    return (
        "review.R states the design for rpact (boundaries, power at one hazard ratio) and gsDesign2 (piecewise "
        "hazards) and compares; it was written from the design, and R was not run."
    )
