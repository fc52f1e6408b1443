"""Bayesian designs: decisions by posterior probabilities, which may also guide the randomisation."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from immunescape.design.bayes import Bayesian
from immunescape.design.blocks import Block, PriorCount, Share
from immunescape.design.cohort import Milestone
from immunescape.design.kinds import DesignKind, Refuse
from immunescape.design.truth import Endpoint

__all__ = ["KIND"]


class BayesianBlock(Block):
    """How a Bayesian design decides."""

    endpoint: str = Field(description="A response.")
    threshold: Share | None = Field(default=None, description="Posterior probability of superiority; null: calibrated.")
    futility: Share = Field(default=0.0, description="Drop an arm whose predictive power is below this.")
    adaptive: bool = Field(default=False, description="Response-adaptive randomisation.")
    power: float | None = Field(default=None, ge=0, le=5, description="Exponent on P(best); null: n / 2N.")
    floor: Share = Field(default=0.1, description="Least share of an open arm.")
    prior: tuple[PriorCount, PriorCount] = Field(default=(1.0, 1.0), description="Beta prior.")
    calibration: int = Field(default=4000, ge=500, le=100_000, description="Null replicates of the calibration.")


def _make(
    block: BayesianBlock, file: Any, endpoints: tuple[Endpoint, ...]
) -> tuple[Bayesian, tuple[Milestone, ...], int]:
    rule = Bayesian(
        block.endpoint,
        threshold=block.threshold,
        futility=block.futility,
        adaptive=block.adaptive,
        power=block.power,
        floor=block.floor,
        prior=block.prior,
        calibration=block.calibration,
    )
    return rule, file.building.looks(), file.patients


def _check(file: Any, refuse: Refuse) -> None:
    block = file.bayesian
    if block is None:
        return
    if not block.adaptive and {"power", "floor"} & block.model_fields_set:
        refuse("'power' and 'floor' apply only if 'adaptive' is true", "bayesian")
    if block.threshold is not None and "calibration" in block.model_fields_set:
        refuse("'calibration' applies only if no threshold is given", "bayesian", "calibration")


KIND = DesignKind(
    Bayesian,
    None,
    _make,
    reads=("looks",),
    fields={"bayesian": (BayesianBlock | None, Field(default=None, description="bayesian: decisions."))},
    needs="bayesian",
    check=_check,
)
