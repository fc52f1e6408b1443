"""Targets beyond response, survival and hazard ratios: what a calibration needs to get courses right, not only sums.

Best response in full, progression of responders (duration of response), whether curves cross early, clones at
progression, odds ratios of response by biomarker, and immune cells of tumours at diagnosis. Every figure comes from
patients of the data folder who are not held out (:mod:`immunescape.knowledge.held_out`), with the error of its number
of events; the one exception, `CLONES`, is named there.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.evaluation.curve_files import CURVES
from immunescape.evaluation.targets import (
    DEPENDENT,
    OAK_ARMS,
    TOLERANCE,
    Patients,
    Target,
    Weighted,
    logit,
    patient_rows,
    percent,
    share_sd,
)
from immunescape.evaluation.weighting import effective_size, weighted_survival
from immunescape.stats.weighted_cox import weighted_hazard_ratio

__all__ = [
    "best_response_targets",
    "clone_targets",
    "crossing_targets",
    "immune_targets",
    "odds_targets",
    "responder_targets",
]

FloatArray = NDArray[np.float64]
Key = tuple[str, str]
WORDS = ("SD", "PD")
"""Best responses that are targets beside response itself; those not evaluable are the rest."""
RESPONDER_MONTHS = (6.0, 12.0, 18.0)
"""Months at which responders' PFS is compared; the factor of the standard deviation makes them count as one figure."""
CROSSING_MONTHS = 3.0
"""PFS hazard ratios are compared before and after this month: an inhibitor that loses first and wins later crosses."""
MISSING = ("", "NA", "NaN", ".", None)
RATIOS = {"x1": "M1_M2_ratio", "x2": "Treg_CD8_ratio", "x3": "CD8_CD4_ratio"}
"""Column of the table of immune cells (natural logarithms) -> quantity of the model."""
RATIO_TOLERANCE = 0.3
"""In log odds of a quartile: cells were counted from expression, in tumours of all stages."""
UNTREATED = (("keynote-189", "chemotherapy"), ("impower150", "bevacizumab and chemotherapy"))
"""Arms of untreated patients of unselected PD-L1 whose tumours at diagnosis stand for those of a series."""


def best_response_targets(path: Path, patients: Patients = "all") -> list[Target]:
    """Shares of stable and of progressive disease as best response in OAK, by arm; response is a target of its own."""
    counts: dict[Key, dict[str, int]] = {key: dict.fromkeys((*WORDS, "all"), 0) for key in OAK_ARMS.values()}
    for number, row in patient_rows(path, patients):
        try:
            arm_counts = counts[OAK_ARMS[row["TRT01P"]]]
            response = row["BCOR"]
        except KeyError as error:
            raise InputError(f"a cell is missing or wrong: {error}", where=f"{path}, row {number}") from None
        arm_counts["all"] += 1
        if response in WORDS:
            arm_counts[response] += 1
    out = []
    for key, arm_counts in counts.items():
        for response in WORDS:
            if not arm_counts["all"]:
                continue
            share = arm_counts[response] / arm_counts["all"]
            out.append(
                Target(
                    f"{key[0]}: {key[1]}, best response {response} (%)",
                    "gandara2018",
                    logit(share),
                    share_sd(share, arm_counts["all"], TOLERANCE["orr"]),
                    _share_of(key, f"best {response}"),
                    percent,
                    arms=(key,),
                )
            )
    return out


def _share_of(key: Key, group: str) -> Callable[[Weighted], float]:
    def figure(w: Weighted) -> float:
        sample, weights = w[key]
        return logit(float(weights @ sample.groups[group]))

    return figure


def responder_targets(
    rows: Sequence[tuple[float, float]], arms: Sequence[Key], source: str, label: str
) -> list[Target]:
    """PFS of those who responded, at `RESPONDER_MONTHS`: how long responses last, as patients' tables show it.

    Parameters
    ----------
    rows
        (months, event) of PFS of each responder of a cohort.
    arms
        (trial, arm) of the virtual patients, pooled with equal weight.
    source, label
        Key of the reference; what was given, for the target's name.
    """
    out = []
    time, event = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    equal = np.full(len(time), 1.0 / len(time))
    points = [m for m in RESPONDER_MONTHS if int((time >= m).sum()) >= 5]
    for months in points:
        p = float(weighted_survival(time, event, equal, np.array([months]))[0])

        def figure(w: Weighted, months: float = months) -> float:
            parts = []
            for key in arms:
                if key not in w:
                    continue
                sample, weights = w[key]
                mine = weights * sample.groups["responders"]
                if mine.sum() > 0:
                    free = float(weighted_survival(*sample.times["pfs"], mine / mine.sum(), np.array([months]))[0])
                    # as half a patient more on either side: of few responders all or none may be free
                    n = effective_size(mine)
                    parts.append((free * n + 0.5) / (n + 1.0))
            return logit(float(np.mean(parts))) if parts else math.nan

        sd = math.sqrt(len(points)) * share_sd(p, len(time), TOLERANCE["survival"])
        out.append(
            Target(
                f"{label}, responders' PFS at {months:g} months (%)",
                source,
                logit(p),
                sd,
                figure,
                percent,
                arms=tuple(arms),
            )
        )
    return out


def oak_responders(path: Path, patients: Patients = "all") -> dict[Key, list[tuple[float, float]]]:
    """PFS (months, event) of OAK's responders by arm."""
    by_arm: dict[Key, list[tuple[float, float]]] = {key: [] for key in OAK_ARMS.values()}
    for number, row in patient_rows(path, patients):
        try:
            if row["BCOR"] in ("CR", "PR"):
                by_arm[OAK_ARMS[row["TRT01P"]]].append((float(row["PFS"]), float(row["PFS.CNSR"] == "0")))
        except (KeyError, ValueError) as error:
            raise InputError(f"a cell is missing or wrong: {error}", where=f"{path}, row {number}") from None
    return by_arm


def cohort_responders(folder: Path, patients: Patients = "all") -> list[tuple[float, float]]:
    """PFS (months, event) of the responders in tables with ``PFS_Months``, ``PFS_Event`` and ``Response``."""
    responders = []
    for path in sorted(folder.glob("*.csv")):
        for number, row in patient_rows(path, patients):
            texts = [row.get(c) for c in ("PFS_Months", "PFS_Event", "Response")]
            if any(t in MISSING for t in texts):
                continue
            try:
                months, event, answer = (float(str(t)) for t in texts)
            except ValueError:
                raise InputError(f"one of {texts} is not a number", where=f"{path}, row {number}") from None
            if answer > 0:
                responders.append((months, event))
    return responders


def crossing_targets(
    first: tuple[Key, FloatArray, FloatArray], two: tuple[Key, FloatArray, FloatArray], source: str
) -> list[Target]:
    """Hazard ratios of PFS before and after `CROSSING_MONTHS`, of two arms given as (key, months, event).

    The later one counts patients who are free of progression at that month. Their patients count already in the ratio
    of the whole trial, so the standard deviations are doubled.
    """
    out = []
    keys = first[0], two[0]
    for late in (False, True):
        (a, wa), (b, wb) = (
            _late_risk(time, event, np.full(len(time), 1.0 / len(time)), late) for _, time, event in (first, two)
        )
        events = [float(weighted[1][w > 0].sum()) for weighted, w in ((a, wa), (b, wb))]
        if min(events) < 5:
            continue
        value = weighted_hazard_ratio(a, wa, b, wb)

        def figure(w: Weighted, late: bool = late) -> float:
            parts = [_late_risk(*w[key][0].times["pfs"], w[key][1], late) for key in keys]
            if any(not weights.sum() > 0 for _, weights in parts):
                return math.nan
            return weighted_hazard_ratio(*parts[0], *parts[1])

        sd = DEPENDENT * math.hypot(math.sqrt(sum(1.0 / e for e in events)), TOLERANCE["hr"])
        when = "after" if late else "before"
        name = f"{keys[0][0]}: PFS hazard ratio {when} {CROSSING_MONTHS:g} months"
        out.append(Target(name, source, value, sd, figure, math.exp, arms=keys))
    return out


def _late_risk(
    time: FloatArray, event: FloatArray, weights: FloatArray, late: bool
) -> tuple[tuple[FloatArray, FloatArray], FloatArray]:
    """Event times of the part before or after the month, and the weights, which add up to 1."""
    if late:
        late_weights = weights * (time > CROSSING_MONTHS)
        return (time, event), late_weights / late_weights.sum() if late_weights.sum() > 0 else late_weights
    return (np.minimum(time, CROSSING_MONTHS), event * (time <= CROSSING_MONTHS)), weights


def curve_crossings(folder: Path, trials: Iterable[str]) -> list[Target]:
    """`crossing_targets` of the trials whose published PFS curves are in ``km/``."""
    simulated = set(trials)
    out = []
    for stem, file in CURVES.items():
        path = folder / f"{stem}.csv"
        # a course is crossed by the course of another arm
        if file.endpoint != "pfs" or len(file.arms) < 2 or file.trial not in simulated or not path.is_file():
            continue
        curves = file.read(path)
        first, two = (
            ((file.trial, arm), *(np.array(c, dtype=float) for c in zip(*curves[arm], strict=True)))
            for arm in file.arms.values()
        )
        out += crossing_targets(first, two, file.source)  # type: ignore[arg-type]
    return out


def oak_crossing(path: Path, patients: Patients = "all") -> list[Target]:
    """`crossing_targets` of OAK's patients."""
    rows: dict[Key, list[tuple[float, float]]] = {key: [] for key in OAK_ARMS.values()}
    for number, row in patient_rows(path, patients):
        try:
            rows[OAK_ARMS[row["TRT01P"]]].append((float(row["PFS"]), float(row["PFS.CNSR"] == "0")))
        except (KeyError, ValueError) as error:
            raise InputError(f"a cell is missing or wrong: {error}", where=f"{path}, row {number}") from None
    arms = [(key, *np.array(rows[key]).T) for key in (OAK_ARMS["MPDL3280A"], OAK_ARMS["Docetaxel"])]
    return crossing_targets(arms[0], arms[1], "gandara2018")


CLONES = {"b2m_null_share_T": (1, 14)}
"""Quantity -> patients in whom the clone carried acquired resistance to an inhibitor, and patients examined.

``gettinger2017``: one tumour of 14 had lost both copies of B2M. Recalled, not looked up again; its error is that of 14
patients, so that it says no more than "seldom"."""
CLONE_SHARE = 0.2
"""Share of the cells of the largest lesion from which on a clone is seen at progression."""


def clone_targets(arms: Sequence[Key]) -> list[Target]:
    """Share of progressions after a response, or after half a year, that a clone carries (%), under an inhibitor."""
    out = []
    for quantity, (carriers, n) in CLONES.items():

        def figure(w: Weighted, quantity: str = quantity) -> float:
            carried = progressed = 0.0
            for key in arms:
                if key in w and f"progression:{quantity}" in w[key][0].values:
                    sample, weights = w[key]
                    share = sample.values[f"progression:{quantity}"]
                    late = np.isfinite(share) & (sample.groups["responders"] | (sample.times["pfs"][0] >= 6.0))
                    progressed += float(weights @ late)
                    carried += float(weights @ (late & (np.nan_to_num(share) >= CLONE_SHARE)))
            return logit(carried / progressed) if progressed > 0 else math.nan

        p = carriers / n
        name = quantity.removesuffix("_share_T").replace("_", " ")
        out.append(
            Target(
                f"acquired resistance to an inhibitor carried by {name} cells (%)",
                "gettinger2017",
                logit(p),
                share_sd(p, n, TOLERANCE["stratum"]),
                figure,
                percent,
                arms=tuple(arms),
            )
        )
    return out


COUNTED = {
    "LORIS": ("PD-L1 >= 50 v < 1 %", "TMB >= 10/Mb"),
    "OAK": ("PD-L1 >= 50 v < 1 %", "TMB >= 10/Mb", "squamous", "sum of diameters >= 65 mm"),
}
"""Factors of a study that other targets hold already."""
STUDY_SOURCES = {"LORIS": "chowell2022;chang2024", "OAK": "gandara2018", "TOPOSCORE": "derosa2024"}


def odds_targets(data: Path, arms: Sequence[Key]) -> list[Target]:
    """Log odds ratios of response by biomarker in the patients of LORIS, OAK and TOPOSCORE that may be fitted to.

    Mantel-Haenszel over cohorts, and over `arms` of virtual patients (OAK's over its own arm), as the harness has it.
    """
    from immunescape.evaluation.harness.real import odds_ratio, patient_odds

    out = []
    for factor, studies in patient_odds(data).items():
        for study, groups in studies.items():
            fitted_ratio = odds_ratio(groups["fitted to"])
            if fitted_ratio is None or factor in COUNTED.get(study, ()):
                continue
            ratio, low, high = fitted_ratio
            arms_of_study = [("oak", "atezolizumab")] if study == "OAK" else list(arms)
            sd = math.hypot(math.log(high / low) / (2.0 * 1.96), TOLERANCE["stratum"])
            out.append(
                Target(
                    f"response to PD-(L)1 blockade, odds ratio {factor} ({study})",
                    STUDY_SOURCES[study],
                    math.log(ratio),
                    sd,
                    _odds(factor, arms_of_study),
                    math.exp,
                    arms=tuple(arms_of_study),
                )
            )
    return out


def _odds(factor: str, arms: Sequence[Key]) -> Callable[[Weighted], float]:
    def figure(w: Weighted) -> float:
        above = below = 0.0
        for key in arms:
            if key not in w or f"with {factor}" not in w[key][0].groups:
                continue
            sample, weights = w[key]
            carried, other = (weights * sample.groups[f"{group} {factor}"] for group in ("with", "without"))
            n = float(carried.sum() + other.sum())
            if n > 0:
                hit = sample.response
                above += float(carried @ hit) * float(other @ (1.0 - hit)) / n
                below += float(carried @ (1.0 - hit)) * float(other @ hit) / n
        return math.log(above / below) if above > 0 and below > 0 else math.nan

    return figure


def immune_targets(path: Path, arms: Sequence[Key] = UNTREATED) -> list[Target]:
    """Shares of tumours at diagnosis below the quartiles of M1/M2, Treg/CD8 and CD8/CD4 in a series of lung tumours."""
    columns: dict[str, list[float]] = {name: [] for name in RATIOS}
    with path.open(encoding="utf-8-sig") as stream:
        for number, row in enumerate(csv.DictReader(stream), start=2):
            for name, values in columns.items():
                try:
                    values.append(float(row[name]))
                except (KeyError, ValueError) as error:
                    raise InputError(f"a cell is missing or wrong: {error}", where=f"{path}, row {number}") from None
    out = []
    for column, quantity in RATIOS.items():
        logs = np.array(columns[column])
        for q in (0.25, 0.5, 0.75):
            edge = float(np.exp(np.quantile(logs, q)))

            def figure(w: Weighted, quantity: str = quantity, edge: float = edge) -> float:
                below = mass = 0.0
                for key in arms:
                    if key in w and f"b:{quantity}" in w[key][0].values:
                        sample, weights = w[key]
                        shown = sample.values[f"b:{quantity}"]
                        mass += float(weights @ np.isfinite(shown))
                        below += float(weights @ (np.nan_to_num(shown, nan=math.inf) <= edge))
                return logit(below / mass) if mass > 0 else math.nan

            sd = DEPENDENT * share_sd(q, len(logs), RATIO_TOLERANCE)
            label = quantity.removesuffix("_ratio").replace("_", "/")
            name = f"tumours at diagnosis with {label} <= {edge:.3g} (%)"
            out.append(Target(name, "thorsson2018;wang2023", logit(q), sd, figure, percent, arms=tuple(arms)))
    return out
