"""What a calibration is computed with: one record for the calibration by weights and that by a response surface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from immunescape.errors import with_changes
from immunescape.evaluation.fit_terms import Term
from immunescape.population.fit import PopulationFit

__all__ = ["CalibrationChanges", "CalibrationSettings", "settings_with"]

Progress = Callable[[int, str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class CalibrationSettings:
    """Settings of a calibration.

    Attributes
    ----------
    data : folder with ``km/`` (curves), ``loris/``, ``oak/``, ``toposcore/``, ``qsp_io/`` and ``tumour_kinetics/``;
        None fits to the published figures alone.
    patients : virtual patients per arm: of each round (None: 300), or of each population of a design (None: 16).
    seed : of everything random.
    workers, engine, cluster : as for a trial. No result depends on them.
    out : folder that keeps finished patients and fits: an interrupted run resumes.
    start : fit to start from; None starts from no change.
    moving : what may move; None takes ``knowledge/data/calibration_terms.csv``. Other terms of the fit to start from
        stay.
    spread : of the populations about the fit so far, in prior standard deviations; the half-width of a design.
    draws : draws from the posterior that are kept.
    left_out : whether to fit again without each trial, to learn how far the model is off where it has not been fitted.
    progress : called with (round, what is simulated, done, in all).
    """

    data: Path | None = None
    patients: int | None = None
    seed: int = 1
    workers: int | None = None
    out: Path | None = None
    start: PopulationFit | None = None
    engine: str = "auto"
    cluster: Any = None
    progress: Progress | None = None
    moving: Sequence[Term] | None = None
    spread: float = 0.5
    draws: int = 0
    left_out: bool = False

    @property
    def processes(self) -> int:
        """Number of processes: one per usable core where none is named."""
        from immunescape.parallel import usable_cores

        return self.workers if self.workers is not None else usable_cores()


class CalibrationChanges(TypedDict, total=False):
    """Fields of :class:`CalibrationSettings` as keywords, so that type checkers know them."""

    data: Path | None
    patients: int | None
    seed: int
    workers: int | None
    out: Path | None
    start: PopulationFit | None
    engine: str
    cluster: Any
    progress: Progress | None
    moving: Sequence[Term] | None
    spread: float
    draws: int
    left_out: bool


def settings_with(settings: CalibrationSettings | None, changes: CalibrationChanges) -> CalibrationSettings:
    """Return the settings (None: the default ones) with some fields changed.

    Raises
    ------
    InputError
        For a keyword that is no setting, with the nearest one.
    """
    return with_changes(settings or CalibrationSettings(), changes, "setting")
