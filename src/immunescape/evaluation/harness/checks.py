"""Published figures of the combinations that were looked up again, and protocols without those that were not found.

Many figures of ``combinations.csv`` were entered from memory. ``checked_figures.csv`` says which were found in a
source, with their intervals; nothing may be fitted to the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from immunescape.evaluation.harness.tables import ColumnRules, included_rows
from immunescape.stats.estimate import NORMAL_975
from immunescape.trial.spec import Trial

__all__ = ["UNVERIFIED", "Check", "checks", "only_checked"]

UNVERIFIED = "not found"
"""Word for a figure that was looked for and not found."""
_COLUMNS = ColumnRules(
    texts=("trial", "source"),
    filled=("trial", "figure", "found"),
    words={"figure": ("pfs_hr", "os_hr", "orr_experimental", "orr_control"), "found": ("yes", "no")},
    numbers={"value": (0.0, 100.0), "low": (0.01, 100.0), "high": (0.01, 100.0), "level": (0.5, 0.999)},
    key=("trial", "figure"),
)


@dataclass(frozen=True)
class Check:
    """A figure that was looked up: whether it was found, its value, its 95 % interval, where."""

    verified: bool
    value: float | None
    low: float | None
    high: float | None
    source: str


@cache
def checks() -> dict[tuple[str, str], Check]:
    """(Trial, figure) -> what was found; figures are ``pfs_hr``, ``os_hr``, ``orr_experimental``, ``orr_control``."""
    out = {}
    for row in included_rows(Path(__file__).parent / "checked_figures.csv", _COLUMNS):
        low, high = _interval(row)
        value = float(row["value"]) if row["value"] else None
        out[row["trial"], row["figure"]] = Check(row["found"] == "yes", value, low, high, row["source"])
    return out


def _interval(row: Mapping[str, str]) -> tuple[float | None, float | None]:
    """95 % interval of a ratio from one of another level, about the middle of its logarithms."""
    from scipy.special import ndtri

    if not (row["low"] and row["high"]):
        return None, None
    low, high = math.log(float(row["low"])), math.log(float(row["high"]))
    half = 0.5 * (high - low) * NORMAL_975 / float(ndtri(0.5 + 0.5 * float(row["level"])))
    middle = 0.5 * (high + low)
    return math.exp(middle - half), math.exp(middle + half)


def only_checked(trial: Trial) -> tuple[Trial, Sequence[str]]:
    """A trial without the published figures that were not found again, and the names of these.

    Trials of which nothing was entered from memory come back as they are.
    """
    missing = [figure for (name, figure), check in checks().items() if name == trial.name and not check.verified]
    published = trial.published
    if not missing or published is None:
        return trial, ()
    control = trial.control.name if trial.control is not None else ""
    arms = tuple(
        replace(arm, orr_pct=None, orr_ci=None)
        if f"orr_{'control' if arm.name == control else 'experimental'}" in missing
        else arm
        for arm in published.arms
    )
    ratios = {field: None for end in ("pfs_hr", "os_hr") if end in missing for field in (end, f"{end}_ci")}
    return replace(trial, published=replace(published, arms=arms, **ratios)), missing  # type: ignore[arg-type]
