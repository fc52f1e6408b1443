"""How common a mechanism is in a study: among those assessed, and between which bounds over everybody."""

from __future__ import annotations

import pandas as pd

__all__ = ["prevalence"]


def prevalence(calls: pd.DataFrame) -> pd.DataFrame:
    """Count states by mechanism, with the share that is present among those assessed and its bounds over everybody.

    Parameters
    ----------
    calls
        Patients x mechanisms, words of states.

    Returns
    -------
    DataFrame
        Mechanisms x ``present``, ``absent``, ``conflicting``, ``not_assessable`` (patients); ``present_share`` of
        (present + absent), NaN where nobody was assessed; ``least_share`` and ``most_share`` of all patients: what the
        share would be if nobody, or everybody, who is not assessable or conflicting had the mechanism.
    """
    states = ("present", "absent", "conflicting", "not_assessable")
    counts = pd.DataFrame({s: (calls == s).sum() for s in states})
    assessed = counts["present"] + counts["absent"]
    everybody = counts[list(states)].sum(axis=1)
    counts["present_share"] = counts["present"] / assessed.where(assessed > 0)
    counts["least_share"] = counts["present"] / everybody.where(everybody > 0)
    counts["most_share"] = 1.0 - counts["absent"] / everybody.where(everybody > 0)
    return counts
