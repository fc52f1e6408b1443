"""How well a twin's course agrees with the patient's: scans, progression and response as a likelihood.

The scans of a twin carry the error of measurement already; what is added is how far a right twin may miss, which is
assumed (``knowledge/data/twin_errors.csv``). Progression on a scan is an interval: it happened after the scan before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from immunescape.trial.coefficients import coefficients
from immunescape.twins.facts import Fact
from immunescape.twins.recorded_patient import LineRecord

if TYPE_CHECKING:
    from immunescape.trial.recorded_lines import LineOutcome

__all__ = ["arm_outcomes", "line_log_likelihood", "scan_error", "size_fact", "size_log_likelihood"]

FloatArray = NDArray[np.float64]
_FLOOR = 0.05
"""Sum of diameters over its baseline below which no scan tells how small it is."""


def _error(name: str) -> float:
    return coefficients("twin_errors")[name].value


def scan_error() -> float:
    """Standard deviation of ln(sum of diameters / baseline) by which a right twin misses a scan."""
    return math.hypot(_error("scan_discrepancy"), math.sqrt(2.0) * coefficients("lesions")["scan_cv"].value)


def line_log_likelihood(record: LineRecord, outcome: LineOutcome, until: float = math.inf) -> float:
    """Log likelihood of a recorded line where the truth is a twin's course on it.

    Parameters
    ----------
    record
        The patient's line.
    outcome
        What the twin did.
    until
        Day (of the record) up to which the patient's course is known, where the line goes on.
    """
    total = _scans(record, outcome)
    # progression, or death before a scan showed it
    day = min(outcome.progression_day, outcome.death_day)
    after, by = record.progression_after - record.start, record.progression_day - record.start
    if not record.progressed:
        after, by = min(record.last_day, until) - record.start, math.inf
    total += _interval(day, after, by, _error("progression_discrepancy"))
    has_sizes = any(math.isfinite(s.sld_mm) for s in record.scans) and math.isfinite(record.baseline_mm)
    if record.best_response and not has_sizes:
        right = _error("response_agreement")
        total += math.log(right if outcome.best_response == record.best_response else (1.0 - right) / 3.0)
    return total


def _scans(record: LineRecord, outcome: LineOutcome) -> float:
    """Sizes on the days on which both have a scan."""
    if not math.isfinite(record.baseline_mm) or record.baseline_mm <= 0.0:
        return 0.0
    error, total = scan_error(), 0.0
    for scan in record.scans:
        day = scan.day - record.start
        twin = next((c for d, c in outcome.changes.items() if abs(d - day) < 3.5), None)
        if not math.isfinite(scan.sld_mm):
            continue
        if twin is None:  # it had progressed or died before: as far out as three standard deviations
            total -= 4.5
            continue
        measured = math.log(max(scan.sld_mm / record.baseline_mm, _FLOOR))
        total -= 0.5 * ((measured - math.log(max(twin, _FLOOR))) / error) ** 2
    return total


def _interval(day: float, after: float, by: float, spread: float) -> float:
    """Ln probability that progression at `day`, missed by a lognormal error, is seen after `after` and by `by`."""
    from scipy.special import ndtr

    if not math.isfinite(day):
        # never within what was simulated: sure to be later than any scan without progression
        return 0.0 if not math.isfinite(by) else math.log(1e-6)
    centre = math.log(max(day, 1.0))
    low = -math.inf if after <= 0.0 else (math.log(after) - centre) / spread
    high = math.inf if not math.isfinite(by) else (math.log(by) - centre) / spread
    return math.log(max(float(ndtr(high) - ndtr(low)), 1e-12))


def arm_outcomes(
    patients: Sequence[Mapping[str, object]], scans: Mapping[int, dict[float, float]]
) -> dict[int, LineOutcome]:
    """Outcomes on the arm that the patient is on, by number of the twin.

    Parameters
    ----------
    patients
        Rows of `Courses.patients` of one arm.
    scans
        Number of the twin -> day -> sum of diameters over the baseline.
    """
    from immunescape.trial.recorded_lines import LineOutcome

    def day(value: object) -> float:
        number = math.nan if value is None else float(str(value))
        return math.inf if math.isnan(number) else number

    return {
        int(str(row["id"])): LineOutcome(
            day(row["progression_day"]),
            day(row["death_day"]),
            str(row["best_response"]),
            scans.get(int(str(row["id"])), {}),
        )
        for row in patients
    }


def size_fact(measured_mm: float) -> Fact:
    """The sum of diameters before a line that follows earlier ones, with the error of a right twin."""
    name = "sum of diameters before this line"
    return Fact(
        name,
        "course",
        value=measured_mm,
        spread=_error("scan_discrepancy"),
        scale="sd_ln",
        biomarker=name,
        measured=f"{measured_mm:g} mm",
        source=("assumed",),
        grade="assumed",
    )


def size_log_likelihood(measured_mm: float, twins_mm: FloatArray) -> FloatArray:
    """Log likelihood (n,) of the sum of diameters before a line that follows earlier ones."""
    return size_fact(measured_mm).log_likelihood(np.maximum(twins_mm, 1.0))
