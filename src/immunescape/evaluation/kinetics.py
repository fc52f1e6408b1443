"""Growth and shrinkage of tumours on treatment, patient by patient, and whether two groups of patients agree.

Rates come from the model of Stein and of Claret with simultaneous shrinkage and growth (``stein2011``): the diameter
relative to baseline is ``exp(-d t) + exp(g t) - 1``, with d and g at least 0, fitted by least squares to the
measurements of each patient. Patients need a baseline and two measurements after it, in both groups alike.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.units import DAYS_PER_MONTH

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "MEASURES",
    "RATES",
    "Agreement",
    "compare_rates",
    "lesion_measures",
    "patient_rates",
    "read_lesions",
    "simulated_lesions",
]

FloatArray = NDArray[np.float64]
Series = tuple[FloatArray, FloatArray]
MINIMUM = 3
"""Measurements that a patient needs, baseline included."""
TOO_SMALL_MM = 5.0
"""What a lesion counts as that is seen and too small to measure (RECIST 1.1)."""
RATES = ("growth", "shrinkage", "best_change")
MEASURES = (*RATES, "time_to_nadir", "time_to_regrowth")
REGROWTH, REGROWTH_MM = 1.2, 5.0
"""Regrowth of a lesion: by a fifth, and by 5 mm, above its smallest diameter (as RECIST 1.1 has it for their sum)."""


def read_lesions(path: str | Path) -> dict[str, dict[str, Series]]:
    """Read a table ``Patient_Anonmyized, Treatment_Day, TargetLesionLongDiam_mm, Study_Arm``.

    Returns
    -------
    arm -> patient -> (days, mm), in order of time. Words such as 'TOO SMALL TO MEASURE' count as 5 mm; 'NOT EVALUABLE'
    and empty cells are left out.

    Raises
    ------
    InputError
        For a missing column or a cell that is neither a number nor a known word, with its row.
    """
    lesions: dict[str, dict[str, list[tuple[float, float]]]] = {}
    if not Path(path).is_file():
        raise InputError("no such file", where=str(path))
    with Path(path).open(encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream)
        for number, row in enumerate(reader, start=2):
            try:
                day, text = float(row["Treatment_Day"]), row["TargetLesionLongDiam_mm"].strip().upper()
                patient, arm = row["Patient_Anonmyized"], row["Study_Arm"]
            except (KeyError, ValueError, AttributeError) as error:
                raise InputError(f"a cell is missing or not a number: {error}", where=f"{path}, row {number}") from None
            if text in ("", "NA", ".", "NAN") or "NOT EVALUABLE" in text or text == "NE":
                continue
            if "TOO SMALL" in text:
                size = TOO_SMALL_MM
            else:
                try:
                    size = float(text)
                except ValueError:
                    raise InputError(f"'{text}' is not a diameter", where=f"{path}, row {number}") from None
            lesions.setdefault(arm, {}).setdefault(patient, []).append((day, size))
    if not lesions:
        raise InputError("the table contains no measurements", where=str(path))
    return {
        arm: {p: (np.array([d for d, _ in sorted(v)]), np.array([s for _, s in sorted(v)])) for p, v in rows.items()}
        for arm, rows in lesions.items()
    }


def patient_rates(series: Mapping[str, Series]) -> dict[str, FloatArray]:
    """Rates of the patients with at least three measurements.

    Returns
    -------
    ``growth``, ``shrinkage`` (1/month) and ``best_change`` (percent), one value per patient in the order of `series`.
    """
    rows = all_rates(series)
    kept = np.isfinite(rows["growth"])
    return {name: values[kept] for name, values in rows.items()}


def all_rates(series: Mapping[str, Series]) -> dict[str, FloatArray]:
    """As `patient_rates`, with NaN for patients with fewer measurements."""
    out = {name: np.full(len(series), np.nan) for name in RATES}
    for k, (days, size) in enumerate(series.values()):
        if len(days) < MINIMUM or size[0] <= 0.0:
            continue
        out["growth"][k], out["shrinkage"][k] = _fit((days - days[0]) / DAYS_PER_MONTH, size / size[0])
        out["best_change"][k] = 100.0 * (float((size[1:] / size[0]).min()) - 1.0)
    return out


def lesion_measures(series: Mapping[str, Series]) -> dict[str, FloatArray]:
    """All that is compared of single lesions, of the patients with at least three measurements.

    Returns
    -------
    Measure -> one value per patient in the order of `series`: ``growth``, ``shrinkage`` (1/month), ``best_change``
    (percent), ``time_to_nadir`` and ``time_to_regrowth`` (months from the first measurement to the first smallest one,
    and to the first that lies a fifth and 5 mm above the smallest before it; NaN for lesions that do not regrow).
    """
    rows = all_rates(series)
    kept = np.isfinite(rows["growth"])
    times = np.array(
        [_times(*sizes) if keep else (np.nan, np.nan) for sizes, keep in zip(series.values(), kept, strict=True)]
    )
    times = times.reshape(-1, 2)
    rows |= {"time_to_nadir": times[:, 0], "time_to_regrowth": times[:, 1]}
    return {name: values[kept] for name, values in rows.items()}


def _times(days: FloatArray, size: FloatArray) -> tuple[float, float]:
    months = (days - days[0]) / DAYS_PER_MONTH
    smallest = np.minimum.accumulate(size)
    above = (size >= REGROWTH * smallest) & (size >= smallest + REGROWTH_MM)
    again = float(months[np.argmax(above)]) if above.any() else np.nan
    return float(months[np.argmin(size)]), again


def simulated_lesions(patients: pd.DataFrame, visits: pd.DataFrame) -> dict[str, Series]:
    """Measurements of the largest target lesion of simulated patients of one arm, in the order of `patients`.

    Parameters
    ----------
    patients, visits
        Rows of one arm of a `TrialResult`.
    """
    scans = {int(str(k)): g for k, g in visits.groupby("id", sort=False)}
    by_arm = {}
    for number, start in zip(patients["id"], patients["largest_mm_baseline"], strict=True):
        patient_scans = scans.get(int(number))
        days = [0.0] if patient_scans is None else [0.0, *patient_scans["day"].to_list()]
        size = [float(start)] if patient_scans is None else [float(start), *patient_scans["largest_mm"].to_list()]
        by_arm[str(number)] = (np.array(days), np.array(size))
    return by_arm


def _fit(months: FloatArray, ratio: FloatArray) -> tuple[float, float]:
    return _fit_once(months.tobytes(), ratio.tobytes())


@lru_cache(maxsize=8192)
def _fit_once(months_bytes: bytes, ratio_bytes: bytes) -> tuple[float, float]:
    """Growth and shrinkage; kept, as a patient may count in more than one group."""
    from scipy.optimize import least_squares

    months, ratio = np.frombuffer(months_bytes), np.frombuffer(ratio_bytes)

    def errors(x: FloatArray) -> FloatArray:
        values: FloatArray = np.exp(-x[1] * months) + np.exp(np.minimum(x[0] * months, 50.0)) - 1.0 - ratio
        return values

    best = min(
        (least_squares(errors, start, bounds=(0.0, 3.0)) for start in ((0.02, 0.2), (0.1, 0.01))), key=lambda f: f.cost
    )
    return float(best.x[0]), float(best.x[1])


@dataclass(frozen=True)
class Agreement:
    """Kolmogorov-Smirnov distance of a rate between two groups, and the p of the test."""

    rate: str
    distance: float
    p: float
    n_observed: int
    n_simulated: int


def compare_rates(observed: Mapping[str, FloatArray], simulated: Mapping[str, FloatArray]) -> Sequence[Agreement]:
    """Two-sample Kolmogorov-Smirnov distances of each rate."""
    from scipy.stats import ks_2samp

    out = []
    for rate in observed:
        test = ks_2samp(observed[rate], simulated[rate])
        out.append(
            Agreement(rate, float(test.statistic), float(test.pvalue), len(observed[rate]), len(simulated[rate]))
        )
    return out
