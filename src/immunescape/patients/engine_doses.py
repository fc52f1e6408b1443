"""Doses of a course in the engine's terms: amounts in the base unit of the dosed state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from immunescape.engine.api import Doses
    from immunescape.patients.course import PatientCourse
    from immunescape.trial.dosing import DoseRecord

__all__ = ["doses_after_visits", "engine_doses"]


def doses_after_visits(doses: Sequence[DoseRecord]) -> Doses:
    """Doses in the engine's terms, each after a scan of the same day."""
    from immunescape.trial.course import AFTER_VISIT
    from immunescape.trial.dosing import to_doses

    return to_doses([d.at(d.time_days + AFTER_VISIT) for d in doses])


def engine_doses(course: PatientCourse) -> Doses:
    """Doses of a course as the engine was given them: amounts in the base unit of the dosed state."""
    return doses_after_visits(course.given)
