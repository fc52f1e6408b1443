"""Multi-arm designs: several experimental arms, of which the promising ones continue."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import Field

from immunescape.design.blocks import Block
from immunescape.design.cohort import Milestone
from immunescape.design.kinds import DesignKind, Refuse
from immunescape.design.multiarm import MultiArm
from immunescape.design.truth import Endpoint

__all__ = ["KIND"]


class SelectionBlock(Block):
    """Which arms continue in a multi-arm design."""

    rule: Literal["all", "best", "promising"] = Field(default="best", description="Which arms continue.")
    keep: int = Field(default=1, ge=1, description="Number of arms kept by `best`.")
    bound: float | None = Field(default=None, description="Smallest Z to be kept.")
    intersections: Literal["dunnett", "simes", "bonferroni", "sidak"] = Field(
        default="dunnett", description="Test of the intersections."
    )


def _make(_: object, file: Any, endpoints: tuple[Endpoint, ...]) -> tuple[MultiArm, tuple[Milestone, ...], int]:
    building = file.building
    spending, endpoint = building.spending(), building.tested_endpoint()
    test = building.statistic(file.test, "test")
    chosen = SelectionBlock() if file.selection is None else file.selection
    rule = MultiArm(
        endpoint,
        test=test,
        spending=spending,
        intersections=chosen.intersections,
        select=chosen.rule,
        keep_arms=chosen.keep,
        bound=-np.inf if chosen.bound is None else chosen.bound,
        stop_when=file.stop_when,
    )
    return rule, building.looks(), file.patients


def _check(file: Any, refuse: Refuse) -> None:
    """Refuse fields that the rule of selection ignores, and a rule without its bound."""
    selection = file.selection
    if selection is None:
        return
    given = selection.model_fields_set
    if selection.rule != "best" and "keep" in given:
        refuse("'keep' applies only to the rule 'best': it would be ignored", "selection", "keep")
    if selection.rule == "all" and selection.bound is not None:
        refuse("'bound' applies only to the rules 'best' and 'promising': it would be ignored", "selection", "bound")
    if selection.rule == "promising" and selection.bound is None:
        refuse("the rule 'promising' needs its 'bound' on Z", "selection", hint="For example bound: 0.5.")


KIND = DesignKind(
    MultiArm,
    None,
    _make,
    reads=("looks", "boundaries", "stop_when", "endpoint", "test"),
    fields={"selection": (SelectionBlock | None, Field(default=None, description="multi-arm: who stays."))},
    blame="kind",
    check=_check,
)
