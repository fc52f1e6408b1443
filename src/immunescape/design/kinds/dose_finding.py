"""Dose finding by BOIN."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from immunescape.design.blocks import Block, Share
from immunescape.design.cohort import Milestone
from immunescape.design.dose_finding import Boin
from immunescape.design.kinds import DesignKind, Refuse
from immunescape.design.single_arm import DoseFinding
from immunescape.design.truth import Endpoint

__all__ = ["KIND"]


class DoseBlock(Block):
    """BOIN."""

    endpoint: str = Field(description="Dose-limiting toxicity: a response.")
    target: Share = Field(default=0.3, description="Target rate of toxicity.")
    cohort: int = Field(default=3, ge=1, le=20, description="Patients per cohort.")
    cohorts: int = Field(default=10, ge=1, le=200, description="Maximum number of cohorts.")
    stop_at: int | None = Field(
        default=None, ge=1, description="Stop once the dose to be repeated has this many patients."
    )
    eliminate: Share = Field(default=0.95, description="Drop a dose where P(rate > target) exceeds this.")


def _make(
    block: DoseBlock, file: Any, endpoints: tuple[Endpoint, ...]
) -> tuple[DoseFinding, tuple[Milestone, ...], int]:
    boin = file.building.at(
        lambda: Boin(
            target=block.target,
            cohort=block.cohort,
            cohorts=block.cohorts,
            stop_at=block.stop_at or 10**6,
            eliminate=block.eliminate,
        ),
        "dose_finding",
    )
    return DoseFinding(block.endpoint, boin), (Milestone(months=1.0),), file.patients


def _check(file: Any, refuse: Refuse) -> None:
    block = file.dose_finding
    if block is not None and file.patients < block.cohort * block.cohorts:
        refuse(
            f"{block.cohorts} cohorts of {block.cohort} are up to {block.cohort * block.cohorts} patients, the file "
            f"has {file.patients}",
            "patients",
            hint="Raise 'patients', or give fewer cohorts.",
        )


KIND = DesignKind(
    DoseFinding,
    None,
    _make,
    fields={"dose_finding": (DoseBlock | None, Field(default=None, description="dose-finding: the rule."))},
    needs="dose_finding",
    one_arm=True,
    check=_check,
)
