"""Simon's two-stage design of one arm."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from immunescape.design.blocks import Block, Share
from immunescape.design.cohort import Milestone
from immunescape.design.kinds import DesignKind, refuse_no_alpha
from immunescape.design.single_arm import TwoStage
from immunescape.design.truth import Endpoint
from immunescape.design.two_stage import simon

__all__ = ["KIND"]


class TwoStageBlock(Block):
    """Simon's design."""

    endpoint: str = Field(description="A response.")
    p0: Share = Field(description="Uninteresting rate.")
    p1: Share = Field(description="Target rate.")
    beta: Share = Field(default=0.2, description="Type II error.")
    choose: Literal["optimal", "minimax"] = Field(default="optimal", description="Which of the two.")


def _make(
    block: TwoStageBlock, file: Any, endpoints: tuple[Endpoint, ...]
) -> tuple[TwoStage, tuple[Milestone, ...], int]:
    building = file.building
    plan = building.at(
        lambda: simon(block.p0, block.p1, alpha=file.alpha, beta=block.beta, kind=block.choose), "two_stage"
    )
    if plan.n > file.patients:
        building.refuse(
            f"Simon's design takes {plan.n} patients, the file has {file.patients}",
            "patients",
            hint="Raise 'patients', or allow larger errors.",
        )
    months = next((e.months for e in endpoints if e.name == block.endpoint), 0.0)
    return TwoStage(block.endpoint, plan, block.p0, block.p1), TwoStage.looks(plan, months), plan.n


KIND = DesignKind(
    TwoStage,
    None,
    _make,
    fields={"two_stage": (TwoStageBlock | None, Field(default=None, description="two-stage: rates."))},
    needs="two_stage",
    one_arm=True,
    check=refuse_no_alpha,
)
