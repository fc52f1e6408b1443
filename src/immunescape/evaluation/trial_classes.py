"""What trials are to the model (calibration, validation, own), their class of regimen, and how intervals are scored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from immunescape.evaluation.replicates import LEVEL
from immunescape.knowledge.tables import read_rows

if TYPE_CHECKING:
    from immunescape.trial.spec import Trial

__all__ = ["LANDMARKS", "ROLES", "Role", "interval_score", "regimen_class", "roles"]

Role = Literal["calibration", "validation", "own"]
ROLES: tuple[Role, ...] = ("calibration", "validation", "own")
LANDMARKS = (12, 24, 60)
"""Months at which survival is compared: one, two and five years."""


def roles() -> dict[str, tuple[str, str]]:
    """Trial -> (role, regimen class) of every trial that ships, from ``knowledge/data/trial_roles.csv``."""
    return {row["trial"]: (row.choice("role", ROLES[:2]), row["regimen_class"]) for row in read_rows("trial_roles")}


def regimen_class(trial: Trial) -> str:
    """Class of a trial by what its experimental arm gives, in the words of ``trial_roles.csv``; ``own`` for others."""
    from immunescape.trial.toxicity import contains_class

    given = [d for choice in trial.experimental[0].choices for d in choice.regimen.drugs]
    if not contains_class(given, "ici"):
        return "own"
    if "radiotherapy" in trial.earlier_drugs:
        return "ici after chemoradiotherapy"
    if contains_class(given, "cytotoxic"):
        return "ici and chemotherapy"
    return "ici" if all(contains_class((d,), "ici") for d in given) else "own"


def interval_score(low: float, high: float, value: float, level: float = LEVEL) -> float:
    """Interval score (``gneiting2007``, section 6.2): width, plus 2 / (1 - level) times the distance of a miss."""
    penalty = 2.0 / (1.0 - level)
    return (high - low) + penalty * max(low - value, 0.0) + penalty * max(value - high, 0.0)
