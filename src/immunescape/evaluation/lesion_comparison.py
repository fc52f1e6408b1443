"""Single lesions on treatment, measured and simulated, arm by arm: the same selection in both, and how far they differ.

Measured lesions come from a folder of tables released with ``laleh2022`` (one target lesion a patient); the patients
beside them from virtual trials. A patient counts with at least three measurements in both groups, and simulated scans
end where the study's follow-up ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from immunescape.errors import unknown_word
from immunescape.evaluation.kinetics import (
    MEASURES,
    FloatArray,
    Series,
    compare_rates,
    lesion_measures,
    simulated_lesions,
)
from immunescape.units import DAYS_PER_MONTH

if TYPE_CHECKING:
    from immunescape.trial.result import TrialResult

__all__ = ["COMPARISONS", "FILES", "KineticsRow", "LesionArm", "LesionComparison", "compare_arm", "compare_lesions"]

DISTANCE = 0.1
"""Largest Kolmogorov-Smirnov distance that is aimed at in the large groups."""
LEVEL = 0.05
"""Level of the test by which a small arm should not be rejected."""
Lesions = Mapping[str, Mapping[str, Series]]


@dataclass(frozen=True)
class LesionComparison:
    """One group of patients with measured lesions and what stands for it.

    Attributes
    ----------
    name : for tables. file : table of the data folder. codes : study arms in it, pooled.
    arms : (trial, arm, weight) of the simulated patients, pooled in proportion to the weights.
    follow_up : median follow-up in months as published, where known; None takes everyone's to be the longest.
    small : whether it is judged by the test's p rather than by the distance.
    """

    name: str
    file: str
    codes: tuple[str, ...]
    arms: tuple[tuple[str, str, float], ...]
    follow_up: float | None = None
    small: bool = False


_LINES = {"first": 139.0, "second": 268.0, "third": 252.0}
_BIRCH = tuple((f"birch-{line}-line", "atezolizumab", n) for line, n in _LINES.items())


def _birch_arm(number: int) -> LesionComparison:
    # The table numbers six arms and does not say which they are. Two by two, their sizes (82, 152 and 153 patients) go
    # as those of the cohorts by line (139, 268, 252; `peters2017birch`), so each is compared with its line (assumed).
    arm = _BIRCH[(number - 1) // 2]
    line = arm[0].removeprefix("birch-").replace("-", " ")
    return LesionComparison(f"BIRCH, arm {number} ({line})", "birch.csv", (f"Study_3_Arm_{number}",), (arm,), 8.5, True)


COMPARISONS: tuple[LesionComparison, ...] = (
    LesionComparison("OAK, atezolizumab", "oak.csv", ("Study_4_Arm_2",), (("oak", "atezolizumab", 1.0),), 21.0),
    LesionComparison("OAK, docetaxel", "oak.csv", ("Study_4_Arm_1",), (("oak", "docetaxel", 1.0),), 21.0),
    LesionComparison("BIRCH, pooled", "birch.csv", tuple(f"Study_3_Arm_{k}" for k in range(1, 7)), _BIRCH, 8.5),
    *(
        # arms in the order of the cohorts, as their sizes go (22, 45 and 9 of 31, 93 and 13 patients, `spigel2018`)
        LesionComparison(f"FIR, {words}", "fir.csv", (f"Study_1_Arm_{k}",), ((trial, "atezolizumab", 1.0),), None, True)
        for k, (trial, words) in enumerate(
            (
                ("fir-first-line", "first line"),
                ("fir-later-line", "later line"),
                ("fir-brain-metastases", "brain metastases"),
            ),
            start=1,
        )
    ),
    *(_birch_arm(k) for k in range(1, 7)),
)
"""Groups that are compared. Median follow-up: `rittmeyer2017`, and the first analysis of `peters2017birch`."""

FILES = ("oak.csv", "birch.csv", "fir.csv")
"""Tables of the data folder, in ``tumour_kinetics/``."""


@dataclass(frozen=True, kw_only=True)
class KineticsRow:
    """How one measure of the lesions of one group agrees.

    Attributes
    ----------
    group, measure : which. n_observed, n_simulated : patients with that measure.
    observed, simulated : medians. distance, p : two-sample Kolmogorov-Smirnov.
    small, met : whether the group is judged by p, and whether it meets the aim; None where a group has no patient.
    """

    group: str
    measure: str
    n_observed: int
    n_simulated: int
    observed: float | None
    simulated: float | None
    distance: float | None
    p: float | None
    small: bool
    met: bool | None

    def row(self) -> dict[str, Any]:
        """As one row of ``immunescape validate --json``."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class LesionArm:
    """One group: its measures in patients and in virtual ones (NaN where a patient has none), and how they agree."""

    comparison: LesionComparison
    observed: Mapping[str, FloatArray]
    simulated: Mapping[str, FloatArray]
    rows: tuple[KineticsRow, ...]


def compare_lesions(lesions: Mapping[str, Lesions], results: Mapping[str, TrialResult]) -> tuple[LesionArm, ...]:
    """Compare every group whose table is given and whose trials were simulated.

    Parameters
    ----------
    lesions
        File -> arm -> patient -> (days, mm), as :func:`immunescape.evaluation.kinetics.read_lesions` gives them.
    results
        Trial name -> virtual trial.

    Raises
    ------
    InputError
        Where a table lacks a study arm.
    """
    return tuple(
        compare_arm(c, lesions[c.file], results)
        for c in COMPARISONS
        if c.file in lesions and all(trial in results for trial, _, _ in c.arms)
    )


def compare_arm(comparison: LesionComparison, lesions: Lesions, results: Mapping[str, TrialResult]) -> LesionArm:
    """Compare one group."""
    for code in comparison.codes:
        if code not in lesions:
            raise unknown_word("study arm", code, lesions, where=comparison.file)
    observed: dict[str, Series] = {}
    for code in comparison.codes:
        observed |= {f"{code} {patient}": series for patient, series in lesions[code].items()}
    longest = max(float(t[-1] - t[0]) for arm in lesions.values() for t, _ in arm.values())
    shortest = longest
    if comparison.follow_up is not None:
        shortest = float(np.clip(2.0 * comparison.follow_up * DAYS_PER_MONTH - longest, 0.0, longest))
    simulated = _pooled(comparison, results, shortest, longest)
    measures = lesion_measures(observed), lesion_measures(simulated)
    return LesionArm(comparison, *measures, _rows(comparison, *measures))


def _pooled(
    comparison: LesionComparison, results: Mapping[str, TrialResult], shortest: float, longest: float
) -> dict[str, Series]:
    """Simulated lesions of the arms, as many of each as the weights ask for, up to the end of follow-up.

    Follow-up is taken to be spread evenly, in the patients' order, which is random.
    """
    series = []
    for trial, arm, _ in comparison.arms:
        result = results[trial]
        rows, scans = (t[t["arm"] == arm] for t in (result.patients, result.visits))
        series.append(list(simulated_lesions(rows, scans).items()))
    scale = min(len(s) / weight for s, (_, _, weight) in zip(series, comparison.arms, strict=True))
    pooled: dict[str, Series] = {}
    for arm_series, (trial, _, weight) in zip(series, comparison.arms, strict=True):
        kept = arm_series[: int(scale * weight + 1e-9)]
        ends = longest - (longest - shortest) * (np.arange(len(kept)) + 0.5) / max(len(kept), 1)
        for (patient, (days, size)), end in zip(kept, ends, strict=True):
            pooled[f"{trial} {patient}"] = (days[days <= end], size[days <= end])
    return pooled


def _rows(
    comparison: LesionComparison, observed: Mapping[str, FloatArray], simulated: Mapping[str, FloatArray]
) -> tuple[KineticsRow, ...]:
    rows: list[KineticsRow] = []
    for measure in MEASURES:
        a, b = (values[measure][np.isfinite(values[measure])] for values in (observed, simulated))
        distance = p = met = None
        if len(a) and len(b):
            (compared,) = compare_rates({measure: a}, {measure: b})
            distance, p = compared.distance, compared.p
            met = p >= LEVEL if comparison.small else distance <= DISTANCE
        rows.append(
            KineticsRow(
                group=comparison.name,
                measure=measure,
                n_observed=len(a),
                n_simulated=len(b),
                observed=_median(a),
                simulated=_median(b),
                distance=distance,
                p=p,
                small=comparison.small,
                met=met,
            )
        )
    return tuple(rows)


def _median(values: Sequence[float] | FloatArray) -> float | None:
    return float(np.median(values)) if len(values) else None
