"""BOP2: one arm, monitored by a posterior probability at each look."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from immunescape.design.blocks import Block, Share
from immunescape.design.cohort import Milestone
from immunescape.design.dose_finding import bop2
from immunescape.design.kinds import DesignKind, Refuse, refuse_no_alpha
from immunescape.design.single_arm import Monitored
from immunescape.design.truth import Endpoint

__all__ = ["KIND"]


class Bop2Block(Block):
    """BOP2."""

    endpoint: str = Field(description="A response.")
    p0: Share = Field(description="Uninteresting rate.")
    p1: Share = Field(description="Target rate.")


def _make(block: Bop2Block, file: Any, endpoints: tuple[Endpoint, ...]) -> tuple[Monitored, tuple[Milestone, ...], int]:
    building = file.building
    looks = building.looks()
    sizes = [int(look.size) for look in looks]
    read_after = next((e.months + e.lag for e in endpoints if e.name == block.endpoint), 0.0)
    if any(look.follow_up < read_after - 1e-9 for look in looks):
        building.refuse(
            f"the response is read {read_after:g} months after entry, and a look comes before its patients "
            "have been assessed",
            "looks",
            hint=f"Give each look follow_up: {read_after:g}.",
        )
    boundary = building.at(lambda: bop2(block.p0, block.p1, sizes, alpha=file.alpha), "bop2")
    return Monitored(block.endpoint, boundary, block.p1), looks, sizes[-1]


def _check(file: Any, refuse: Refuse) -> None:
    refuse_no_alpha(file, refuse)
    for k, look in enumerate(file.looks):
        if look.patients is None:
            refuse("looks of a BOP2 design are set by patients", "looks", k, hint="For example {patients: 20}.")


KIND = DesignKind(
    Monitored,
    None,
    _make,
    reads=("looks",),
    fields={"bop2": (Bop2Block | None, Field(default=None, description="bop2: rates; the looks are its own."))},
    needs="bop2",
    one_arm=True,
    check=_check,
)
