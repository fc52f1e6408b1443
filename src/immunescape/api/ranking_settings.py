"""What a ranking is computed with: one record for ``rank``, ``rank_cohort`` and the functions under them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypedDict

from immunescape.errors import InputError, unknown_word, with_changes

__all__ = ["RankingChanges", "RankingSettings", "check_run", "settings_with"]


@dataclass(frozen=True, kw_only=True)
class RankingSettings:
    """Settings of a ranking.

    Attributes
    ----------
    weights : weights of benefit and harm; one that is not named keeps its value in
        ``immunescape.twins.ranking.WEIGHTS``.
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
        For a keyword that is no setting, with the nearest one, and for a value that no ranking can have.
    """
    if settings is not None and not isinstance(settings, RankingSettings):
        raise InputError(
            "settings must be a RankingSettings", hint="RankingSettings(twins=200), or keywords: twins=200."
        )
    used = with_changes(settings or RankingSettings(), changes, "setting")
    check_run(twins=used.twins, seed=used.seed, workers=used.workers, engine=used.engine, region=used.region)
    if used.margin is not None and not (_is_number(used.margin) and 0.0 <= used.margin <= 1.0):
        raise InputError(f"the margin is {used.margin!r}", hint="A probability from 0 to 1.")
    if not (_is_number(used.months) and used.months >= 24.0):
        raise InputError(
            f"the follow-up is {used.months!r} months", hint="At least 24: the figures go up to 24 months."
        )
    return used if used.weights is None else with_changes(used, {"weights": _whole(used.weights)}, "setting")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _whole(weights: Mapping[str, float]) -> dict[str, float]:
    """Weights given, with the default of those not named."""
    from immunescape.twins.ranking import WEIGHTS

    if not isinstance(weights, Mapping):
        raise InputError("weights must be a mapping", hint="For example: weights={'toxicity': 0.2}")
    for name, number in weights.items():
        if name not in WEIGHTS:
            raise unknown_word("weight", name, WEIGHTS)
        if not _is_number(number) or number < 0.0:
            raise InputError(f"the weight of {name} is {number!r}", hint="A number from 0 on.")
    return {**WEIGHTS, **weights}


def check_run(*, twins: int, seed: int, workers: int | None, engine: str, region: str) -> None:
    """Refuse what twins cannot be drawn with, before a file is read.

    Raises
    ------
    InputError
        For a number that is no whole one or too small, and for an engine or a region that there is none of.
    """
    from immunescape.engine import ENGINES
    from immunescape.population.covariates import REGIONS

    for name, value, least in (("twins", twins, 1), ("seed", seed, 0), ("workers", workers, 1)):
        if not _is_count(value, least) and not (name == "workers" and value is None):
            raise InputError(f"{name} is {value!r}", hint=f"A whole number from {least} on.")
    ENGINES.get(engine)
    if region not in REGIONS:
        raise unknown_word("region", region, REGIONS)
