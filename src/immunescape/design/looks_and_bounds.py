"""Checks of group-sequential tests, and warnings for the reader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from immunescape.design.boundaries import SPENDING
from immunescape.design.complaints import FieldError
from immunescape.design.records import FEW_EVENTS, LEAST_ALPHA, Design
from immunescape.design.ssr import BlindedReestimation

if TYPE_CHECKING:
    from immunescape.design.group_sequential import GroupSequential

__all__ = ["check_futility", "check_levels", "check_reestimation", "few_data", "rule_cautions"]

READ = 0.95
"""Share of the patients of a look whose response should have been assessed by then."""


def check_levels(rule: GroupSequential, alpha: float) -> None:
    """Reject a share of alpha whose bounds lie beyond the range of normal approximations."""
    for k, h in enumerate(rule.tested):
        if 0 < h.share * alpha < LEAST_ALPHA:
            raise FieldError(
                f"hypothesis '{h.name}' has a share of {h.share:g} of an alpha of {alpha:g}, less than {LEAST_ALPHA:g}",
                hint="Give it a larger share, or 0 and alpha passed on by another hypothesis.",
                field=("hypotheses", k, "share"),
            )


def check_futility(rule: GroupSequential, design: Design) -> None:
    """Refuse futility bounds that contradict each other, the test or the efficacy bounds."""
    looks, first = len(design.looks), rule.tested[0]
    for bounds in (rule.futility, rule.futility_hazard_ratio):
        if len(bounds) > max(looks - 1, 0):
            raise FieldError(f"{len(bounds)} futility bounds for {looks - 1} interim looks", field=("boundaries",))
    kinds = [bool(rule.futility), bool(rule.futility_hazard_ratio), rule.beta_spending is not None]
    if sum(kinds) > 1:
        raise FieldError(
            "futility bounds are given on Z, as hazard ratios, or by beta spending: choose one of them",
            field=("boundaries",),
        )
    if rule.futility_hazard_ratio:
        if first.test.name == "rates":
            raise FieldError("a futility bound on the hazard ratio needs a survival endpoint", field=("boundaries",))
        if any(b is not None and not 0 < b < 20 for b in rule.futility_hazard_ratio):
            raise FieldError(
                "futility bounds on the hazard ratio must lie above 0", hint="Such as 0.95.", field=("boundaries",)
            )
    if rule.beta_spending is not None and (len(first.tested_at(looks)) < 2 or first.share <= 0):
        raise FieldError(
            f"beta spending needs two looks or more at '{first.name}', which has alpha at the start",
            field=("boundaries",),
        )
    if rule.binding:
        if not (rule.futility or rule.beta_spending):
            raise FieldError(
                "a binding design needs futility bounds on Z",
                hint="Give 'futility', or 'beta_spending'; a bound on an estimated hazard ratio is not a bound on Z.",
                field=("boundaries",),
            )
        if rule.spending.family not in SPENDING or len(rule.tested) > 1 or first.looks:
            raise FieldError(
                "a binding futility bound needs one hypothesis, tested at every look, and a spending function",
                field=("boundaries",),
            )
    if first.test.name == "max-combo" and (rule.binding or rule.beta_spending is not None):
        raise FieldError(
            "a maximum over weights has no joint distribution over looks that a futility bound which binds, or spends "
            "beta, requires",
            hint="Give bounds on Z that do not bind, or test by one weight.",
            field=("boundaries",),
        )
    # other bounds than on Z are checked where they are planned
    efficacy = rule.quick_bounds(design)
    for k, bound in enumerate(rule.futility):
        if bound is not None and (not np.isfinite(bound) or bound > efficacy[k]):
            raise FieldError(
                f"the futility bound {bound:g} lies above the efficacy bound {efficacy[k]:.3f} at look {k + 1}",
                hint="Lower the futility bound.",
                field=("boundaries",),
            )


def check_reestimation(rule: GroupSequential, design: Design) -> None:
    """Refuse a sample-size re-estimation that its test does not allow."""
    assert rule.reestimation is not None
    looks = len(design.looks)
    if len(rule.tested) > 1 or looks < 2 or rule.reestimation.look != looks - 1 or rule.tested[0].looks:
        raise FieldError(
            "sample-size re-estimation needs one hypothesis, tested at every look, and happens at the last interim "
            "look",
            hint=f"Set its look to {max(looks - 1, 1)}.",
            field=("reestimation",),
        )
    if isinstance(rule.reestimation, BlindedReestimation):
        if rule.tested[0].test.name == "rates":
            if any(look.patients is None for look in design.looks) or not rule.reestimation.assumed < 1:
                raise FieldError(
                    "blinded re-estimation of a test of rates needs looks by patients and a rate below 1",
                    field=("reestimation",),
                )
        elif design.looks[-1].events is None:
            raise FieldError("blinded re-estimation of survival needs a last look by events", field=("reestimation",))
        if rule.binding:
            raise FieldError(
                "sample-size re-estimation and a binding futility bound cannot be combined", field=("reestimation",)
            )
        return
    by_group_events = all(rule.tested[0].counts(look) and look.events is not None for look in design.looks)
    if not rule.tested[0].test.proportional or not by_group_events:
        raise FieldError(
            "sample-size re-estimation works on log-rank events",
            hint=f"Set every look by events of '{rule.tested[0].endpoint}'.",
            field=("reestimation",),
        )
    if rule.binding:
        raise FieldError(
            "sample-size re-estimation and a binding futility bound cannot be combined", field=("reestimation",)
        )


def rule_cautions(rule: GroupSequential, design: Design) -> list[str]:
    """What of the hypotheses and looks keeps the test from holding alpha, for a reader."""
    cautions = []
    few = [look.events for look in design.looks if look.events is not None and look.events < FEW_EVENTS]
    if few:
        cautions.append(
            f"a look after {min(few)} events: tests and boundaries are normal approximations, which so few events "
            "do not justify"
        )
    cautions += _margin_cautions(rule)
    total = sum(h.share for h in rule.tested)
    if total < 1 - 1e-9:
        cautions.append(
            f"the shares of alpha add up to {total:g}: {1 - total:.0%} of alpha is not used at the start, and none "
            "of it is ever spent"
        )
    return cautions


def _margin_cautions(rule: GroupSequential) -> list[str]:
    cautions = []
    for endpoint in dict.fromkeys(h.endpoint for h in rule.tested):
        margins = {h.test.margin for h in rule.tested if h.endpoint == endpoint}
        if len(margins) > 1:
            cautions.append(
                f"'{endpoint}' is tested against hazard ratios of {', '.join(f'{m:g}' for m in sorted(margins))}: the "
                f"type I error is that of a true hazard ratio of {max(margins):g}, which says little of the others "
                "(a scenario with the other ratio shows their error)"
            )
    return cautions


def few_data(rule: GroupSequential, design: Design, plan: Mapping[str, Any]) -> list[str]:
    """Looks with few events, few patients, or patients whose response has not been read."""
    cautions = []
    for h in rule.tested:
        what = "patients whose response is read" if h.test.name == "rates" else "events"
        for k, count in zip(plan["looks"][h.name], np.asarray(plan["events"][h.name]), strict=True):
            look = design.looks[k]
            few = what == "events" and look.events is not None and look.events < FEW_EVENTS
            if h.test.name == "rates" and look.patients is not None and count < READ * look.patients:
                cautions.append(
                    f"'{h.name}' is tested at look {k + 1} ({look}), when the response of about {count:.0f} of "
                    f"{look.patients} patients has been assessed: give the look a follow_up"
                )
            if count < FEW_EVENTS and not few:
                cautions.append(
                    f"'{h.name}' is tested at look {k + 1} ({look}) with about {count:.0f} {what}: tests and "
                    "boundaries are normal approximations, which so few do not justify"
                )
    return cautions
