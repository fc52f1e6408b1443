"""Group-sequential designs: hypotheses, re-estimation of the sample size, futility by an early endpoint."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from immunescape.design.blocks import Block, Positive, Share, TestBlock
from immunescape.design.cohort import Milestone
from immunescape.design.group_sequential import GroupSequential
from immunescape.design.hypotheses import BetaSpending, EarlyFutility, Hypothesis
from immunescape.design.kinds import DesignKind
from immunescape.design.ssr import BlindedReestimation, Reestimation
from immunescape.design.truth import Endpoint
from immunescape.errors import InputError

__all__ = ["KIND"]


class ReestimationBlock(Block):
    """Sample-size re-estimation, by conditional power or blinded."""

    kind: Literal["conditional-power", "blinded"] = Field(
        default="conditional-power", description="Basis of the re-estimation."
    )
    look: int = Field(ge=1, description="Interim look.")
    target: Share = Field(default=0.9, description="conditional-power: target.")
    promising: Share = Field(default=0.3, description="conditional-power: lower limit of the promising zone.")
    assumed: Positive | None = Field(
        default=None,
        description="blinded: response rate of both arms together, or events per patient-month, as planned.",
    )
    maximum: Annotated[float, Field(gt=1, le=10)] = Field(
        default=2.0, description="Largest total relative to the plan."
    )


class EarlyFutilityBlock(Block):
    """Futility by an endpoint that is read earlier."""

    look: int = Field(ge=1, description="Interim look.")
    endpoint: str = Field(description="Early endpoint, e.g. a response.")
    bound: float = Field(description="Stop where its Z is below this.")
    test: TestBlock = Field(default=TestBlock(name="rates"), description="Its test.")


def _make(_: object, file: Any, endpoints: tuple[Endpoint, ...]) -> tuple[GroupSequential, tuple[Milestone, ...], int]:
    building, bounds = file.building, file.boundaries
    spending = building.spending()
    hypotheses = tuple(
        Hypothesis(
            name=h.name,
            endpoint=h.endpoint,
            test=building.statistic(h.test, "hypotheses", k, "test"),
            share=h.share,
            strata=tuple(h.strata),
            looks=tuple(h.looks),
        )
        for k, h in enumerate(file.hypotheses)
    )
    for k, h in enumerate(file.hypotheses):
        building.endpoint(h.endpoint, "hypotheses", k)
    again = file.reestimation
    early = file.early_futility
    beta = bounds.beta_spending
    rule = GroupSequential(
        tested=hypotheses,
        spending=spending,
        transitions={h.name: dict(h.hands_on) for h in file.hypotheses if h.hands_on},
        futility=tuple(bounds.futility),
        binding=bounds.binding,
        stop_when=file.stop_when,
        reestimation=None if again is None else building.at(lambda: _reestimation(again), "reestimation"),
        early_futility=None
        if early is None
        else EarlyFutility(
            early.look, early.endpoint, early.bound, building.statistic(early.test, "early_futility", "test")
        ),
        futility_hazard_ratio=tuple(bounds.futility_hazard_ratio),
        beta_spending=None
        if beta is None
        else building.at(lambda: BetaSpending(beta.beta, beta.family, beta.parameter), "boundaries"),
    )
    return rule, building.looks(), file.patients


def _reestimation(block: ReestimationBlock) -> Reestimation | BlindedReestimation:
    blinded = block.kind == "blinded"
    for name in ("target", "promising") if blinded else ("assumed",):
        if name in block.model_fields_set:
            raise InputError(f"'{name}' does not apply to re-estimation of kind '{block.kind}'")
    if not blinded:
        return Reestimation(block.look, block.target, block.promising, block.maximum)
    if block.assumed is None:
        raise InputError(
            "blinded re-estimation needs 'assumed'",
            hint="The response rate of both arms together, or events per patient-month, that the plan assumed.",
        )
    return BlindedReestimation(block.look, block.assumed, block.maximum)


KIND = DesignKind(
    GroupSequential,
    None,
    _make,
    reads=("looks", "looks.strata", "boundaries", "stop_when", "hypotheses"),
    fields={
        "reestimation": (
            ReestimationBlock | None,
            Field(default=None, description="group-sequential: sample-size change."),
        ),
        "early_futility": (
            EarlyFutilityBlock | None,
            Field(default=None, description="group-sequential: early endpoint."),
        ),
    },
    needs="hypotheses",
    tests=lambda file: [] if file.early_futility is None else [(("early_futility", "test"), file.early_futility.test)],
)
