"""Response and progression by RECIST 1.1, and resistance by the definitions of SITC: pure functions of one patient.

All times are in days since the start of treatment (randomisation), all sizes in millimetre (sum of the longest
diameters of the target lesions, SLD).

Sources: ``eisenhauer2009`` (RECIST 1.1), ``kluger2020`` and ``rizvi2023`` (SITC).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from immunescape.errors import InputError
from immunescape.units import DAYS_PER_MONTH

__all__ = [
    "RESPONSES",
    "EventTime",
    "best_overall_response",
    "duration_of_response",
    "first_progression",
    "first_response",
    "has_progressed",
    "has_shrunk",
    "progression_free_survival",
    "resistance_class",
    "timepoint_responses",
]


RESPONSES = ("CR", "PR", "SD", "PD", "NE")
"""Complete response, partial response, stable disease, progressive disease, not evaluable; best first."""

CONFIRM_DAYS = 28.0
"""A response is confirmed at a visit at least four weeks after it was first seen (eisenhauer2009)."""

MIN_SD_DAYS = 42.0
"""Stable disease must last this long from the start; RECIST 1.1 leaves it to the protocol, 6-8 weeks is usual."""

PRIMARY_EXPOSURE_DAYS = 42.0
RESISTANCE_DAYS = 6 * DAYS_PER_MONTH
AFTER_STOP_DAYS = 84.0


@dataclass(frozen=True)
class EventTime:
    """A time that ends in an event or is censored: `days`, whether the `event` happened, and the `reason`."""

    days: float
    event: bool
    reason: str


def timepoint_responses(
    baseline_mm: float, sld_mm: ArrayLike, new_lesion: ArrayLike | None = None, absent: ArrayLike | None = None
) -> list[str]:
    """Response at each visit.

    Progression: at least 20 % and at least 5 mm above the nadir (the smallest sum so far, baseline included), or a new
    lesion. Partial response: at least 30 % below baseline. Complete response: every lesion gone.

    Parameters
    ----------
    baseline_mm
        SLD at baseline; > 0.
    sld_mm
        (v,) SLD at the visits in time order; NaN where the visit gave none (not evaluable, unless a new lesion).
    new_lesion
        (v,) whether a new lesion is seen at the visit. Default: never.
    absent
        (v,) whether all lesions, target and non-target, are gone. Default: where the SLD is 0.

    Returns
    -------
    list of str
        v words of `RESPONSES`.
    """
    sld = np.asarray(sld_mm, dtype=np.float64)
    new = np.zeros(sld.shape, dtype=bool) if new_lesion is None else np.asarray(new_lesion, dtype=bool)
    gone = sld == 0.0 if absent is None else np.asarray(absent, dtype=bool)
    if not baseline_mm > 0:
        raise InputError(
            f"a baseline sum of diameters of {baseline_mm} mm has no target lesion", hint="It must be > 0."
        )
    if new.shape != sld.shape or gone.shape != sld.shape:
        raise InputError("sums of diameters, new lesions and absences must have one value for each visit")
    nadir = float(baseline_mm)
    words = []
    for size, fresh, empty in zip(sld, new, gone, strict=True):
        if fresh:
            words.append("PD")
        elif math.isnan(size):
            words.append("NE")
        elif has_progressed(size, nadir):
            words.append("PD")
        elif empty:
            words.append("CR")
        elif has_shrunk(size, baseline_mm):
            words.append("PR")
        else:
            words.append("SD")
        if not math.isnan(size):
            nadir = min(nadir, float(size))
    return words


def has_progressed(size_mm: float, nadir_mm: float) -> bool:
    """Whether a sum of diameters is 20 % and 5 mm or more above the smallest one; False where either is NaN."""
    # sums are given to a millimetre or tenth, so that limits are met exactly, but for rounding: 0.7 * 90 is below 63
    return bool(size_mm >= 1.2 * nadir_mm - 1e-9 and size_mm - nadir_mm >= 5.0 - 1e-9)


def has_shrunk(size_mm: float, baseline_mm: float) -> bool:
    """Whether a sum of diameters is 30 % or more below the one before treatment; False where either is NaN."""
    return bool(size_mm <= 0.7 * baseline_mm + 1e-9)


def first_progression(days: ArrayLike, responses: Sequence[str]) -> float | None:
    """Day of the first visit with progressive disease; None without one."""
    return next((float(d) for d, r in zip(np.asarray(days, float), responses, strict=True) if r == "PD"), None)


def _until_progression(days: ArrayLike, responses: Sequence[str]) -> list[tuple[float, str]]:
    """Visits up to and including the first progression."""
    kept: list[tuple[float, str]] = []
    for day, response in zip(np.asarray(days, dtype=np.float64), responses, strict=True):
        kept.append((float(day), response))
        if response == "PD":
            break
    return kept


def _confirmed(visits: list[tuple[float, str]], i: int) -> str | None:
    """What response visit `i` counts as with confirmation: by the next evaluable visit that is late enough."""
    day, response = visits[i]
    if response not in ("CR", "PR"):
        return None
    for later, again in visits[i + 1 :]:
        if again == "NE":
            continue
        if again not in ("CR", "PR"):
            return None
        if later - day >= CONFIRM_DAYS - 1e-9:
            return "CR" if response == again == "CR" else "PR"
    return None


def first_response(days: ArrayLike, responses: Sequence[str], *, confirm: bool = False) -> float | None:
    """Day of the first visit with a complete or partial response before progression (confirmed where asked)."""
    visits = _until_progression(days, responses)
    for i, (day, response) in enumerate(visits):
        if response in ("CR", "PR") and (not confirm or _confirmed(visits, i)):
            return day
    return None


def best_overall_response(
    days: ArrayLike, responses: Sequence[str], *, confirm: bool = False, min_sd_days: float = MIN_SD_DAYS
) -> str:
    """Best overall response, over the visits up to the first progression.

    An unconfirmed response counts as stable disease where confirmation is asked for. Stable disease must have been
    seen `min_sd_days` after the start (less three days of scheduling) or later; otherwise a later progression makes
    it PD, and nothing later makes it NE.
    """
    visits = _until_progression(days, responses)
    best = "NE"
    for i, (day, response) in enumerate(visits):
        candidate = response
        if response in ("CR", "PR"):
            candidate = (_confirmed(visits, i) or "SD") if confirm else response
        if candidate == "SD" and day < min_sd_days - 3.0:
            continue
        if candidate == "PD" and best != "NE":
            continue
        if RESPONSES.index(candidate) < RESPONSES.index(best):
            best = candidate
    return best


def progression_free_survival(
    days: ArrayLike, responses: Sequence[str], death_day: float | None, censor_day: float
) -> EventTime:
    """Time to the first progression seen or death from any cause.

    Parameters
    ----------
    days, responses
        Visits up to the end of follow-up; later ones are ignored.
    death_day
        Day of death, None where alive.
    censor_day
        End of follow-up: dropout or data cut.

    Returns
    -------
    EventTime
        Without event, censored at the last evaluable visit (day 1 where there is none, as usual in such trials).
    """
    seen = [(float(d), r) for d, r in zip(np.asarray(days, float), responses, strict=True) if d <= censor_day]
    dead = death_day is not None and death_day <= censor_day
    for day, response in seen:
        if dead and death_day is not None and day > death_day:
            break
        if response == "PD":
            return EventTime(day, True, "progression")
    if dead and death_day is not None:
        return EventTime(max(death_day, 1.0), True, "death")
    evaluable = [day for day, response in seen if response != "NE"]
    return EventTime(max(evaluable[-1], 1.0) if evaluable else 1.0, False, "censored")


def duration_of_response(
    days: ArrayLike, responses: Sequence[str], death_day: float | None, censor_day: float, *, confirm: bool = False
) -> EventTime | None:
    """Time from the first response to progression or death; None for a patient without response."""
    start = first_response(days, responses, confirm=confirm)
    if start is None or start > censor_day or (death_day is not None and start > death_day):
        return None
    end = progression_free_survival(days, responses, death_day, censor_day)
    return EventTime(max(end.days - start, 0.0), end.event, end.reason)


def resistance_class(
    days: ArrayLike,
    responses: Sequence[str],
    exposure_days: float,
    *,
    end_of_treatment_day: float | None = None,
    combination_with_chemotherapy: bool = False,
) -> str:
    """Resistance to a checkpoint inhibitor, as SITC defines it for advanced disease.

    Primary: progression within 6 months of the start, after at least 6 weeks of exposure (with chemotherapy, any
    exposure is enough where the disease progresses fast). Acquired (SITC: secondary): progression after a response or
    stable disease that held for 6 months or more. A response that is lost within 6 months counts as primary, as in
    SITC's definition for combinations, which looks at the time alone. Progression more than 12 weeks after the last
    dose is SITC's third case.

    Returns
    -------
    str
        ``primary``, ``acquired``, ``after stopping``, ``not evaluable`` (progressed after too short an exposure) or
        ``none`` (no progression seen).
    """
    progression = first_progression(days, responses)
    if progression is None:
        return "none"
    if end_of_treatment_day is not None and progression - end_of_treatment_day > AFTER_STOP_DAYS:
        return "after stopping"
    if progression >= RESISTANCE_DAYS:
        return "acquired"
    if exposure_days < PRIMARY_EXPOSURE_DAYS and not combination_with_chemotherapy:
        return "not evaluable"
    return "primary"
