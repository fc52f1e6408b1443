"""The step of the cancer–immunity cycle that limits each twin, and what a regimen does to the steps.

Steps are read from observables (``cycle_steps.csv``) as normal scores among virtual patients; the step with the lowest
score limits. That is a reading of the state and no experiment: what relieving it would do is what the options show.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from immunescape.knowledge.tables import read_rows
from immunescape.twins.population import Observables, observed_names

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.twins.twin import Followed

__all__ = ["cycle_steps", "limiting_steps", "steps_moved"]

FloatArray = NDArray[np.float64]
_WEEK_6 = 42.0
_SOME = 48
"""Twins, the heaviest, on which the steps under a regimen are read."""


def cycle_steps() -> dict[str, tuple[str, float]]:
    """Step -> observable, and 1 where more of it is more capacity, -1 where less is."""
    return {row["step"]: (row["observable"], row.number("direction")) for row in read_rows("cycle_steps")}


def limiting_steps(table: pd.DataFrame, weights: FloatArray, observables: Observables) -> dict[str, float]:
    """Share of weighted twins that each step limits at diagnosis, the largest first."""
    steps = cycle_steps()
    scores = np.stack([sign * observables.score(table, name) for name, sign in steps.values()], axis=1)
    lowest = scores.argmin(axis=1)
    w = weights / weights.sum()
    shares = {step: float(w[lowest == k].sum()) for k, step in enumerate(steps)}
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def steps_moved(
    followed: Followed, regimens: Mapping[str, str], observables: Observables, engine: str = "auto"
) -> dict[str, dict[str, float]]:
    """Weighted median change of each step's score by week 6 against no treatment, for each regimen.

    From diagnosis, with every planned dose, on the heaviest twins; nothing after earlier lines, where the states at
    diagnosis are no longer the patient's.
    """
    import pandas as pd

    from immunescape.twins.early import early_levels

    heavy = np.argsort(-followed.twins.weights)[:_SOME]
    table = followed.twins.table.iloc[heavy].sort_index()
    if not len(table):
        return {}
    names = observed_names([name for name, _ in cycle_steps().values()])

    def scores(regimen: str) -> FloatArray:
        levels = early_levels(table, followed.twins.seed, regimen, [_WEEK_6], names, engine=engine)[:, 0, :]
        at = pd.DataFrame({f"b:{n}": levels[:, k] for k, n in enumerate(names)}, index=table.index)
        return np.stack([sign * observables.score(at, name) for name, sign in cycle_steps().values()], axis=1)

    untreated = scores("none")
    moved = {}
    for option, regimen in regimens.items():
        change = np.nanmedian(scores(regimen) - untreated, axis=0)
        moved[option] = {step: float(change[k]) for k, step in enumerate(cycle_steps())}
    return moved
