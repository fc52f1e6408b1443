"""Under which names there are results of a trial: its own, and those of trials with its registry number."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from immunescape.trial.spec import Trial

__all__ = ["names_of_same_trial"]

_REGISTRIES = Path(__file__).parent / "harness" / "registries.csv"
"""Registry numbers of trials of the evidence whose protocols do not ship."""


def names_of_same_trial(trial: Trial) -> frozenset[str]:
    """Names of evidence that is of a trial itself, so that no result predicts itself.

    Its own name, those of included trials and of rows of evidence with its registry number, and that of the trial of
    which it is a stratum by its name (``keynote-042-high``).
    """
    names = {trial.name, *_by_registry().get((trial.registry or "").strip().upper(), ())}
    others = {name for group in _by_registry().values() for name in group}
    return frozenset(names | {name for name in others if any(n.startswith(f"{name}-") for n in names)})


@cache
def _by_registry() -> Mapping[str, frozenset[str]]:
    """Registry number -> names of trials, as trial files spell them."""
    from immunescape.evaluation.naive import calibration_trials
    from immunescape.knowledge.tables import read_rows
    from immunescape.trial.loading import list_trials, load_trial

    out: dict[str, set[str]] = {}
    for trial in (*map(load_trial, list_trials()), *calibration_trials()):
        if trial.registry:
            out.setdefault(trial.registry.upper(), set()).add(trial.name)
    for row in read_rows(_REGISTRIES):
        out.setdefault(row["registry"].upper(), set()).add(row["trial"])
    return {registry: frozenset(names) for registry, names in out.items()}
