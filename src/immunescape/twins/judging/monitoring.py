"""Forecasts of a lesion's later diameters and of its regrowth from a baseline and two scans, beside rivals.

The lesions are those of OAK (``tumour_kinetics/oak.csv``, ``laleh2022``: one target lesion a patient). Those whose
identifier is held out were never fitted to. Forecasts of the model are quantiles of the virtual patients of the same
arm, weighted by how well their largest lesion had gone through the two scans; what their course misses of the last
diameter is carried on by a share that is learnt on the lesions that may be fitted to. Rivals: the last diameter stays;
the model of Stein and of Claret fitted to the three measurements, alone and with its rates drawn to those of the
lesions that may be fitted to (normal in their logarithms).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.evaluation.kinetics import REGROWTH, REGROWTH_MM, read_lesions
from immunescape.knowledge.held_out import is_held_out
from immunescape.twins.judging.pools import Pool
from immunescape.twins.judging.rivals import concordance, resampled
from immunescape.units import DAYS_PER_MONTH

__all__ = ["Monitored", "judged_monitoring", "monitored_lesions"]

FloatArray = NDArray[np.float64]
ARMS = {"Study_4_Arm_1": "docetaxel", "Study_4_Arm_2": "inhibitor"}
SEEN = 2
"""Scans after baseline that a forecast may look at."""
SMALLEST = 5.0
_FLOOR = 0.02
_FASTEST = 3.0
_ENOUGH = 25.0
TUNED = 150
"""Lesions that may be fitted to on which the share is learnt, at most."""
PREDICTORS = ("model", "last value stays", "Stein-Claret", "Stein-Claret with prior")


@dataclass(frozen=True)
class Monitored:
    """One lesion: what was seen, and what came.

    Attributes
    ----------
    patient, arm : identifier; ``inhibitor`` or ``docetaxel``.
    days, mm : (3,) baseline and two scans, days from the first.
    later_days, later_mm : (m,) scans after those.
    """

    patient: str
    arm: str
    days: FloatArray
    mm: FloatArray
    later_days: FloatArray
    later_mm: FloatArray

    @property
    def regrowth(self) -> tuple[float, bool]:
        """Days from the last scan that was seen to the first regrowth, or to the last scan without one."""
        lowest = np.minimum.accumulate(np.concatenate([self.mm, self.later_mm]))[SEEN:-1]
        above = (self.later_mm >= REGROWTH * lowest) & (self.later_mm >= lowest + REGROWTH_MM)
        place = int(np.argmax(above)) if above.any() else len(above) - 1
        return float(self.later_days[place] - self.days[-1]), bool(above.any())


def monitored_lesions(path: Path, held: bool) -> tuple[Monitored, ...]:
    """Lesions of OAK with a baseline, two scans and at least one more; held out, or those that may be fitted to."""
    monitored = []
    for code, patients in read_lesions(path).items():
        if code not in ARMS:
            continue
        for patient, (days, size) in patients.items():
            if is_held_out("oak", patient) != held:
                continue
            start = int(np.flatnonzero(days <= 7.0)[-1]) if (days <= 7.0).any() else 0
            days, size = days[start:] - days[start], np.maximum(size[start:], SMALLEST)
            if len(days) > 1 + SEEN:
                cut = 1 + SEEN
                monitored.append(Monitored(patient, ARMS[code], days[:cut], size[:cut], days[cut:], size[cut:]))
    if not monitored:
        raise InputError("no lesion has three scans after baseline", where=str(path))
    return tuple(monitored)


def _course(months: FloatArray, growth: float, shrinkage: float) -> FloatArray:
    """Diameter over baseline of the model of Stein and Claret."""
    return np.asarray(np.exp(-shrinkage * months) + np.exp(np.minimum(growth * months, 8.0)) - 1.0)


def _fitted(months: FloatArray, ratio: FloatArray, prior: tuple[FloatArray, FloatArray] | None) -> tuple[float, float]:
    """Growth and shrinkage (1/month): least squares of ln diameter, drawn to a prior of their logarithms."""
    from scipy.optimize import least_squares

    error = _scan_error()
    centre, spread = (np.log([0.05, 0.05]), np.full(2, np.inf)) if prior is None else prior

    def errors(x: FloatArray) -> FloatArray:
        growth, shrinkage = np.exp(x)
        left = np.log(np.maximum(_course(months, growth, shrinkage), 1e-6)) - np.log(ratio)
        return np.concatenate([left / error, (x - centre) / spread])

    starts = ([math.log(0.02), math.log(0.2)], [math.log(0.1), math.log(0.01)])
    limits = (math.log(1e-4), math.log(_FASTEST))
    best = min((least_squares(errors, s, bounds=limits) for s in starts), key=lambda f: f.cost)
    return float(np.exp(best.x[0])), float(np.exp(best.x[1]))


def _scan_error() -> float:
    from immunescape.trial.coefficients import coefficients

    return float(math.sqrt(2.0) * coefficients("lesions")["scan_cv"].value)


def rates_prior(lesions: Sequence[Monitored]) -> tuple[FloatArray, FloatArray]:
    """Mean and SD of ln growth and ln shrinkage over lesions fitted to all their scans."""
    logs = []
    for lesion in lesions:
        days = np.concatenate([lesion.days, lesion.later_days])[1:]
        ratio = np.concatenate([lesion.mm, lesion.later_mm])[1:] / lesion.mm[0]
        logs.append(np.log(np.maximum(_fitted(days / DAYS_PER_MONTH, ratio, None), 1e-3)))
    values = np.array(logs)
    return values.mean(axis=0), values.std(axis=0)


def _interpolated(pool: Pool, arm: str, days: FloatArray) -> FloatArray:
    """Ln of diameter over baseline (n, d) of the virtual lesions; NaN after their last scan."""
    out = np.full((len(pool), len(days)), np.nan)
    for i, (seen, mm) in enumerate(pool.lesions[arm]):
        if len(seen) > 1 and mm[0] > 0.0:
            inside = days <= seen[-1] + 7.0
            out[i, inside] = np.interp(days[inside], seen, np.log(np.maximum(mm / mm[0], _FLOOR)))
    return out


@dataclass(frozen=True)
class _Course:
    """Forecast of one lesion by the virtual patients.

    Attributes
    ----------
    quantiles : (3, m) 0.1, 0.5 and 0.9 of ln diameter over baseline at later scans.
    since_last : (m,) median change of ln diameter since the last scan seen.
    again : days to regrowth.
    """

    quantiles: FloatArray
    since_last: FloatArray
    again: float

    def shifted(self, last: float, carried: float) -> FloatArray:
        """Quantiles (3, m) with a share of what the course misses of the last diameter (ln) carried on."""
        return np.asarray(self.quantiles + carried * (last + self.since_last - self.quantiles[1]))


def _model(lesion: Monitored, pool: Pool, noise: float) -> _Course:
    """Course of a lesion by the virtual patients.

    Virtual patients who have no scan that late, because they progressed or died, do not count there; neither did such
    patients have one in the trial.
    """
    from immunescape.twins.judging.pools import flattened

    at = _interpolated(pool, lesion.arm, np.concatenate([lesion.days[1:], lesion.later_days]))
    floor = np.log(np.maximum(lesion.mm[1:] / lesion.mm[0], _FLOOR))
    distance = (at[:, :SEEN] - floor) / noise
    logs = np.where(np.isfinite(distance).all(axis=1), -0.5 * (np.nan_to_num(distance) ** 2).sum(axis=1), -1e4)
    w = flattened(logs, min(_ENOUGH, 0.25 * len(pool)))
    later = at[:, SEEN:]
    quantiles = np.array([_quantiles(column, w, (0.1, 0.5, 0.9)) for column in later.T]).T
    since = np.array([_quantiles(column, w, (0.5,))[0] for column in (later - at[:, SEEN - 1 : SEEN]).T])
    again = np.array([_again(seen, mm, float(lesion.days[-1])) for seen, mm in pool.lesions[lesion.arm]])
    return _Course(quantiles, since, float(_quantiles(again, w, (0.5,))[0]))


def carried_share(lesions: Sequence[Monitored], pool: Pool, noise: float) -> float:
    """Share of what the virtual course misses of the last diameter that is carried on: least mean absolute error."""
    grid = np.linspace(0.0, 1.0, 11)
    errors = []
    for lesion in lesions[:TUNED]:
        course = _model(lesion, pool, noise)
        last, truth = math.log(lesion.mm[-1] / lesion.mm[0]), np.log(lesion.later_mm / lesion.mm[0])
        left = np.array([np.abs(course.shifted(last, share)[1] - truth) for share in grid])
        finite = np.isfinite(left[0])
        if finite.any():
            errors.append(left[:, finite].mean(axis=1))
    return float(grid[np.mean(errors, axis=0).argmin()]) if errors else 0.0


def _again(days: FloatArray, mm: FloatArray, after: float) -> float:
    """Days after a scan at which a virtual lesion has regrown; where it has not, those to its last scan and half more.

    A lesion without regrowth at its last scan would regrow later than that.
    """
    lowest = np.minimum.accumulate(mm)
    above = (mm >= REGROWTH * lowest) & (mm >= lowest + REGROWTH_MM) & (days > after)
    return float(days[np.argmax(above)] - after) if above.any() else max(1.5 * float(days[-1]) - after, 0.0)


def _quantiles(values: FloatArray, w: FloatArray, levels: Sequence[float]) -> FloatArray:
    finite = np.isfinite(values)
    if not finite.any() or w[finite].sum() <= 0.0:
        return np.full(len(levels), np.nan)
    x, weights = values[finite], w[finite] / w[finite].sum()
    order = np.argsort(x)
    cumulative = np.cumsum(weights[order])
    return np.asarray(x[order][np.minimum(np.searchsorted(cumulative, levels), len(x) - 1)])


def _regrows(growth: float, shrinkage: float, lesion: Monitored) -> float:
    """Days after the last scan seen at which the course of Stein and Claret has regrown; ten years at most."""
    days = np.arange(0.0, 3650.0, 7.0)
    mm = lesion.mm[0] * _course(days / DAYS_PER_MONTH, growth, shrinkage)
    lowest = np.minimum(np.minimum.accumulate(mm), lesion.mm.min())
    above = (mm >= REGROWTH * lowest) & (mm >= lowest + REGROWTH_MM) & (days > lesion.days[-1])
    return float(days[np.argmax(above)] - lesion.days[-1]) if above.any() else 3650.0


def judged_monitoring(path: Path, pools: Mapping[str, Pool], seed: int) -> dict[str, Any]:
    """Errors of forecasts of later diameters and of regrowth, by predictor.

    Parameters
    ----------
    path
        ``tumour_kinetics/oak.csv``.
    pools
        Setting -> pool; that of later lines is used.
    seed
        Of the intervals.

    Returns
    -------
    ``patients``, ``scans``, ``regrown``, ``carried`` (see :func:`carried_share`); ``diameters``: predictor -> median
    and mean absolute error of ln diameter (means of each patient's scans, with 95 % interval); ``against``: rival ->
    mean error of the model less the rival's, with interval; ``regrowth``: predictor -> C-index of the time;
    ``coverage_80``: share of later diameters within the model's 80 % interval.
    """
    from immunescape.trial.coefficients import coefficients

    pool = pools["later line"]
    test = monitored_lesions(path, held=True)
    others = monitored_lesions(path, held=False)
    prior = {arm: rates_prior([x for x in others if x.arm == arm]) for arm in pool.lesions}
    scan = _scan_error()
    noise = float(np.hypot(coefficients("twin_errors")["scan_discrepancy"].value, scan))
    carried = carried_share(others, pool, noise)
    errors: dict[str, list[float]] = {p: [] for p in PREDICTORS}
    times: dict[str, list[float]] = {p: [] for p in PREDICTORS}
    inside: list[bool] = []
    observed = [lesion.regrowth for lesion in test]
    scans = 0
    for lesion in test:
        truth = np.log(lesion.later_mm / lesion.mm[0])
        made = _model(lesion, pool, noise)
        quantiles = made.shifted(math.log(lesion.mm[-1] / lesion.mm[0]), carried)
        last = np.full(len(truth), math.log(lesion.mm[-1] / lesion.mm[0]))
        months, ratio = lesion.days[1:] / DAYS_PER_MONTH, lesion.mm[1:] / lesion.mm[0]
        later = lesion.later_days / DAYS_PER_MONTH
        rates = {
            "Stein-Claret": _fitted(months, ratio, None),
            "Stein-Claret with prior": _fitted(months, ratio, prior[lesion.arm]),
        }
        # where no virtual patient has a scan that late, the model has no forecast of its own: the last value stays
        forecasts = {"model": np.where(np.isfinite(quantiles[1]), quantiles[1], last), "last value stays": last}
        for name, rate in rates.items():
            least = SMALLEST / lesion.mm[0]  # a rival is not punished for forecasting less than can be measured
            forecasts[name] = np.log(np.maximum(_course(later, *rate), least))
            times[name].append(_regrows(*rate, lesion))
        times["model"].append(made.again)
        times["last value stays"].append(3650.0)
        for name, values in forecasts.items():
            errors[name].append(float(np.abs(values - truth).mean()))
        finite = np.isfinite(quantiles[0])
        low, high = quantiles[0] - 1.28 * scan, quantiles[2] + 1.28 * scan
        inside += list((truth[finite] >= low[finite]) & (truth[finite] <= high[finite]))
        scans += len(truth)
    table = {p: np.array(v) for p, v in errors.items()}
    days, events = np.array([o[0] for o in observed]), np.array([o[1] for o in observed], dtype=float)

    def mean_of(values: FloatArray) -> list[float]:
        low, high = resampled(len(values), seed, lambda rows: float(values[rows].mean()))
        return [round(v, 4) for v in (float(values.mean()), low, high)]

    return {
        "patients": len(test),
        "scans": scans,
        "carried": round(carried, 2),
        "regrown": int(events.sum()),
        "diameters": {p: {"median": round(float(np.median(v)), 4), "mean": mean_of(v)} for p, v in table.items()},
        "against": {p: mean_of(table["model"] - table[p]) for p in PREDICTORS[1:]},
        "regrowth": {p: round(concordance(days, -np.array(times[p]), events), 4) for p in PREDICTORS},
        "coverage_80": round(float(np.mean(inside)), 4) if inside else None,
    }
