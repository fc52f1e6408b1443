"""Platforms: arms that enter and leave one after another, with a shared control."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from immunescape.design.blocks import Block, Positive
from immunescape.design.cohort import Milestone
from immunescape.design.kinds import DesignKind
from immunescape.design.platform import Platform, PlatformArm
from immunescape.design.truth import Endpoint

__all__ = ["KIND"]


class PlatformBlock(Block):
    """Rules of a platform."""

    controls: Literal["concurrent", "all"] = Field(default="concurrent", description="Which controls are compared.")
    multiplicity: Literal["family", "per-arm"] = Field(default="family", description="The error that alpha bounds.")
    control_ratio: Annotated[float, Field(ge=0.1, le=10)] = Field(
        default=1.0, description="Control patients per patient of an open arm."
    )
    review_every: Positive = Field(default=3.0, description="Months between reviews.")
    drift: float = Field(default=0.0, description="Yearly decline of the hazard in calendar time.")


def _make(
    block: PlatformBlock | None, file: Any, endpoints: tuple[Endpoint, ...]
) -> tuple[Platform, tuple[Milestone, ...], int]:
    building = file.building
    spending, endpoint = building.spending(), building.tested_endpoint()
    test = building.statistic(file.test, "test")
    entries = tuple(
        building.at(partial(_entry, arm), "arms", k) for k, arm in enumerate(file.arms) if arm.role == "experimental"
    )
    options = {} if block is None else block.model_dump()
    return Platform(entries, endpoint, test=test, spending=spending, **options), (Milestone(months=1.0),), file.patients


def _entry(arm: Any) -> PlatformArm:
    return PlatformArm(
        arm.name,
        tuple(arm.looks),
        opens=arm.opens,
        closes=np.inf if arm.closes is None else arm.closes,
        strata=tuple(arm.strata),
        patients=10**9 if arm.patients is None else arm.patients,
        futility=tuple(arm.futility),
    )


KIND = DesignKind(
    Platform,
    None,
    _make,
    reads=(
        "boundaries",
        "endpoint",
        "test",
        *(f"arms.{name}" for name in ("opens", "closes", "strata", "patients", "looks", "futility")),
    ),
    fields={"platform": (PlatformBlock | None, Field(default=None, description="platform: rules."))},
    block="platform",
    blame="arms",
)
