"""What a ranking is computed with: one record for ``rank``, ``rank_cohort`` and the functions under them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypedDict

from immunescape.errors import with_changes

__all__ = ["RankingChanges", "RankingSettings", "settings_with"]


@dataclass(frozen=True, kw_only=True)
class RankingSettings:
    """Settings of a ranking.

    Attributes
    ----------
    weights : weights of benefit and harm; None takes ``immunescape.twins.ranking.WEIGHTS``.
    margin : loss of survival at 12 months that counts as not worse, as a probability; None takes 0.05.
    twins : number of twins.
    seed : of everything random.
    workers : processes; None takes one per usable core. No result depends on it.
    engine : of the integration, ``auto``, ``native`` or ``roadrunner``.
    region : whose reference population the twins are drawn from, ``western`` or ``east_asian``.
    months : follow-up of the twins; at least 24 for figures at 24 months.
    enough : effective twins that are required; None takes 200.
    """

    weights: Mapping[str, float] | None = None
    margin: float | None = None
    twins: int = 400
    seed: int = 1
    workers: int | None = None
    engine: str = "auto"
    region: str = "western"
    months: float = 25.0
    enough: int | None = None

    def that_matter(self) -> dict[str, Any]:
        """Settings that a result depends on: all but the number of processes."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "workers"}


class RankingChanges(TypedDict, total=False):
    """Fields of :class:`RankingSettings` as keywords, so that type checkers know them."""

    weights: Mapping[str, float] | None
    margin: float | None
    twins: int
    seed: int
    workers: int | None
    engine: str
    region: str
    months: float
    enough: int | None


def settings_with(settings: RankingSettings | None, changes: RankingChanges) -> RankingSettings:
    """Return the settings (None: the default ones) with some fields changed.

    Raises
    ------
    InputError
        For a keyword that is no setting, with the nearest one.
    """
    return with_changes(settings or RankingSettings(), changes, "setting")
