"""Courses of tumour size for the patients of OAK whose survival is known, and the person-time made of them.

OAK's public table of survival (gandara2018) has a sum of diameters at baseline, best response and PFS, but no scan
after baseline; the scans that are public (laleh2022: one target lesion a patient, at least three measurements) carry
other identifiers. So the course of a patient of the survival table is unknown and is treated as such: it is drawn
`COURSES` times from lesions of the same arm that went as the patient's disease is known to have gone, and the fit sums
the patient's likelihood over them. What a lesion gives is read off its scans as a trial reads it: the scan of its
progression (or its last one), that of its smallest size before, that size, and the scan of its response. Times are
stretched to the patient's own time to progression.

- A patient who progressed takes lesions of the same best response that ended at a similar time.
- One who died without progression, though assessed, had none until death; one whose PFS is censored progresses when
  the lesion does.
- One without an assessed response (of docetaxel 17 %, of atezolizumab 7 %) takes any lesion of the arm and progresses
  when it does: nobody looked, so the absence of a documented progression says nothing.

Survival plays no part in the choice, and no state is read off a course before it begins: a responder counts as one
from the scan of the response on. The table of lesions has identifiers of its own, by whose hash 30 % of the lesions are
held out and are not drawn; which of the held-out patients of the survival table they belong to is unknown. Patients
with fewer than two scans after baseline (a fifth of OAK) have no lesion in the table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunescape.knowledge.held_out import is_held_out
from immunescape.trial.hazard import TIME_FLOOR_MONTHS, TIME_REFERENCE_MONTHS, nadir_before
from immunescape.units import DAYS_PER_MONTH

FloatArray = NDArray[np.float64]
SMALL_MM = 5.0
"""A lesion that is too small to measure."""
COURSES = 60
"""Courses drawn for a patient."""
TIME_SPREAD = 0.3
"""SD of ln of the time by which a lesion's end may differ from the patient's progression."""
EARLY_MONTHS = 3.0
"""A lesion that ends until here without a response went as progressive disease does."""
SLD_REFERENCE = 70.0
LARGEST = math.log(3.0)
"""Ln of the largest sum of diameters over baseline that is assumed where nobody measured it."""
ARMS = {"Study_4_Arm_1": "docetaxel", "Study_4_Arm_2": "atezolizumab"}
STEP = 14.0 / DAYS_PER_MONTH


@dataclass(frozen=True)
class LesionCourses:
    """What scans showed of each lesion (n,): arm, kind of response, months of events, ln of size at nadir.

    Attributes
    ----------
    arm, kind : treatment; PR, SD or PD as the lesion alone would have it.
    end : month at which it had grown by a fifth (and 5 mm) from its smallest size, else of its last scan.
    nadir, depth : month of the smallest size before that (0: baseline), and ln of it over baseline.
    response : month of the first scan with 30 % less than at baseline; infinite where there is none.
    """

    arm: NDArray[np.str_]
    kind: NDArray[np.str_]
    end: FloatArray
    nadir: FloatArray
    depth: FloatArray
    response: FloatArray


def read_lesions(shared: Path) -> LesionCourses:
    """Lesions of OAK with a baseline and a scan after it, of the patients that may be fitted to."""
    raw = pd.read_csv(shared / "tumour_kinetics/oak.csv")
    raw.columns = ["patient", "day", "mm", "arm"]
    raw["mm"] = pd.to_numeric(raw["mm"].replace({"TOO SMALL TO MEASURE": str(SMALL_MM)}), errors="coerce")
    rows = []
    for (patient, arm), scans in raw.dropna().groupby(["patient", "arm"]):
        if is_held_out("oak", str(patient)):
            continue
        scans = scans.sort_values("day")
        before, after = scans[scans["day"] <= 7], scans[scans["day"] > 7]
        if before.empty or after.empty:
            continue
        months = np.concatenate([[0.0], after["day"].to_numpy(dtype=float) / DAYS_PER_MONTH])
        size = np.concatenate([[before["mm"].iloc[-1]], after["mm"].to_numpy(dtype=float)]).clip(min=SMALL_MM)
        rows.append((ARMS[str(arm)], *_read_course(months, size)))
    columns = [np.array(c) for c in zip(*rows, strict=True)]
    return LesionCourses(*columns)


def _read_course(months: FloatArray, size: FloatArray) -> tuple[str, float, float, float, float]:
    """Kind, end, nadir, depth and response of one lesion from its scans, the first of which is the baseline."""
    lowest = np.minimum.accumulate(size)[:-1]
    grown = np.flatnonzero((size[1:] >= 1.2 * lowest) & (size[1:] >= lowest + 5.0))
    last = int(grown[0]) + 1 if len(grown) else len(size) - 1
    nadir = nadir_before(size[:last])
    small = np.flatnonzero(size[1 : last + 1] <= 0.7 * size[0])
    response = float(months[small[0] + 1]) if len(small) else math.inf
    end = float(months[last])
    kind = "PR" if len(small) else ("PD" if end <= EARLY_MONTHS else "SD")
    return kind, end, float(months[nadir]), math.log(size[nadir] / size[0]), response


def draw(
    patient: object, lesions: LesionCourses, rng: np.random.Generator, *, pooled: bool = False
) -> NDArray[np.int64]:
    """Lesions (`COURSES`,) that went as the patient's disease did; `pooled` takes both arms."""
    p = patient
    best = {"CR": "PR"}.get(str(p.best), str(p.best))  # type: ignore[attr-defined]
    same = np.ones(len(lesions.arm), dtype=bool) if pooled else lesions.arm == p.arm  # type: ignore[attr-defined]
    pfs = max(float(p.pfs), TIME_FLOOR_MONTHS)  # type: ignore[attr-defined]
    if best in ("PR", "SD", "PD"):
        same = same & (lesions.kind == best)
    if p.progressed:  # type: ignore[attr-defined]
        distance = np.abs(np.log(lesions.end / pfs)) / TIME_SPREAD
        weight = same * np.exp(-0.5 * distance**2)
        if weight.sum() < 1e-6:  # nobody near: the nearest
            weight = same * np.exp(-(distance - distance[same].min()))
    elif best in ("PR", "SD") and (same & (lesions.end > pfs)).any():
        weight = (same & (lesions.end > pfs)).astype(float)
    else:
        weight = same.astype(float)
    return rng.choice(len(weight), COURSES, p=weight / weight.sum())


TimeTable = dict[str, FloatArray]


def person_time(
    patients: pd.DataFrame, lesions: LesionCourses, *, seed: int = 1, until: float | None = None, pooled: bool = False
) -> TimeTable:
    """Rows of person-time: one for each patient (position), course and two weeks, split at a known progression.

    With `until` (months) every patient is followed to there, whatever happened; a patient who died without progression
    then progresses after that when the lesion does.

    Returns
    -------
    Columns ``patient``, ``course``, ``end`` and ``months`` (at risk), ``death``, ``ln_sld`` (over 70 mm),
    ``progressed``, ``responding``, ``log_regrowth`` and ``log_progression`` (ln of the months from nadir and from
    baseline to progression, over three; 0 before it).
    """
    rng = np.random.default_rng(seed)
    tables = []
    for number, p in enumerate(patients.itertuples()):
        j = draw(p, lesions, rng, pooled=pooled)
        assessed = str(p.best) in ("CR", "PR", "SD", "PD")
        last = float(p.os) if until is None else until
        if p.progressed:
            progression = np.full(COURSES, float(p.pfs))
        elif assessed and p.os - p.pfs < 0.05 and until is None:
            progression = np.full(COURSES, math.inf)
        elif assessed or until is not None:
            progression = np.maximum(lesions.end[j], p.pfs + 0.01) if assessed else lesions.end[j]
        else:
            progression = lesions.end[j]
        ends = np.where(np.isfinite(progression), progression, np.maximum(lesions.end[j], p.pfs))
        nadir = lesions.nadir[j] / lesions.end[j] * ends
        edges = np.unique(np.concatenate([np.arange(0.0, last, STEP), [last]]))
        if p.progressed and p.pfs < last:
            edges = np.unique(np.append(edges, p.pfs))
        middle, months = 0.5 * (edges[1:] + edges[:-1]), np.diff(edges)
        t = middle[None, :]
        after = t >= progression[:, None]
        regrowth = np.maximum(ends - nadir, TIME_FLOOR_MONTHS)
        depth = lesions.depth[j][:, None]
        down = depth * t / np.maximum(nadir, 1e-9)[:, None]
        up = depth + math.log(1.2) * (t - nadir[:, None]) / regrowth[:, None]
        size = np.where(t < nadir[:, None], down, np.minimum(up, LARGEST))
        response = lesions.response[j] if assessed and p.best in ("CR", "PR") else np.full(COURSES, math.inf)
        shape = after.shape
        columns = {
            "patient": np.full(shape, number),
            "course": np.broadcast_to(np.arange(COURSES)[:, None], shape),
            "end": np.broadcast_to(edges[1:], shape),
            "months": np.broadcast_to(months, shape),
            "death": np.broadcast_to(bool(p.dead) & (edges[1:] >= p.os - 1e-9) & (until is None), shape),
            "ln_sld": math.log(p.sld / SLD_REFERENCE) + size,
            "progressed": after,
            "responding": ~after & (t >= np.minimum(response, ends)[:, None]) & np.isfinite(response)[:, None],
            "log_regrowth": after * np.log(regrowth / TIME_REFERENCE_MONTHS)[:, None],
            "log_progression": after * np.log(np.maximum(ends, TIME_FLOOR_MONTHS) / TIME_REFERENCE_MONTHS)[:, None],
        }
        tables.append({k: np.asarray(v, dtype=float).ravel() for k, v in columns.items()})
    return {k: np.concatenate([t[k] for t in tables]) for k in tables[0]}
