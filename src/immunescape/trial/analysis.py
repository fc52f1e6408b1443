"""From simulated patients to the figures of a trial: endpoints at a data cut, arm by arm, and the comparison."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from immunescape.stats.cox import cox_hazard_ratio, log_rank_p, paired_bootstrap
from immunescape.stats.estimate import Estimate
from immunescape.stats.exact import clopper_pearson
from immunescape.stats.survival import median_survival, restricted_mean
from immunescape.trial.pathology import pathological_rates
from immunescape.trial.recist import (
    best_overall_response,
    duration_of_response,
    progression_free_survival,
    resistance_class,
)
from immunescape.units import DAYS_PER_MONTH

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.trial.spec import Arm, Trial

__all__ = ["analyse_arm", "best_at_cut", "compare", "cut_months", "endpoints_at_cut"]

RMST_MONTHS = (12.0, 24.0)


def cut_months(trial: Trial, endpoint: str, which: Literal["first", "last"]) -> float:
    """Months from the first patient's randomisation to the data cut of an endpoint; infinite where none is named."""
    months = [cut.months for cut in trial.data_cuts if endpoint in cut.endpoints]
    if not months:
        return math.inf
    return min(months) if which == "first" else max(months)


def censor_days(patients: pd.DataFrame, cut: float) -> np.ndarray:
    """(n,) day on which the observation of each patient ends: data cut, end of follow-up or dropout."""
    since_entry = (cut - patients["entry_months"].to_numpy(dtype=float)) * DAYS_PER_MONTH
    end = np.minimum(patients["follow_up_day"].to_numpy(dtype=float), patients["dropout_day"].to_numpy(dtype=float))
    value: np.ndarray = np.maximum(np.minimum(end, since_entry), 1.0)
    return value


def scans_by_patient(visits: pd.DataFrame) -> dict[tuple[str, int], tuple[list[float], list[str]]]:
    """Scans: (arm, patient) -> (days, responses)."""
    scans: dict[tuple[str, int], tuple[list[float], list[str]]] = {}
    for arm, number, day, response in zip(visits["arm"], visits["id"], visits["day"], visits["response"], strict=True):
        days, words = scans.setdefault((arm, int(number)), ([], []))
        days.append(float(day))
        words.append(str(response))
    return scans


def _death(value: Any) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


_COURSE_COLUMNS = ("id", "arm", "death_day", "treatment_end_day", "ici_with_chemotherapy", "checkpoint_inhibitor")


def endpoints_at_cut(
    patients: pd.DataFrame, visits: pd.DataFrame, trial: Trial, endpoint: str, cut: float
) -> dict[str, list[Any]]:
    """Columns ``<endpoint>_months`` and ``<endpoint>_event`` at a data cut, one value per patient.

    ``dor`` is None without a response; ``pfs`` adds ``pfs_reason`` and ``resistance`` (SITC).
    """
    scans = scans_by_patient(visits)
    confirm = trial.endpoints.confirmation
    months: list[Any] = []
    events: list[Any] = []
    reasons: list[str] = []
    classes: list[str] = []
    used = patients[[c for c in _COURSE_COLUMNS if c in patients.columns]]
    for row, censor in zip(used.to_dict("records"), censor_days(patients, cut), strict=True):
        days, words = scans.get((row["arm"], int(row["id"])), ([], []))
        death = _death(row["death_day"])
        if endpoint == "os":
            dead = death is not None and death <= censor
            months.append((death if dead and death is not None else float(censor)) / DAYS_PER_MONTH)
            events.append(bool(dead))
            continue
        if endpoint == "dor":
            held = duration_of_response(days, words, death, censor, confirm=confirm)
            months.append(None if held is None else held.days / DAYS_PER_MONTH)
            events.append(None if held is None else held.event)
            continue
        free = progression_free_survival(days, words, death, censor)
        months.append(free.days / DAYS_PER_MONTH)
        events.append(free.event)
        reasons.append(free.reason)
        seen = [k for k, day in enumerate(days) if day <= censor]
        classes.append(
            resistance_class(
                [days[k] for k in seen],
                [words[k] for k in seen],
                float(row["treatment_end_day"]),
                end_of_treatment_day=float(row["treatment_end_day"]),
                combination_with_chemotherapy=bool(row.get("ici_with_chemotherapy", False)),
            )
            if row.get("checkpoint_inhibitor", True)
            else "not applicable"
        )
    out: dict[str, list[Any]] = {f"{endpoint}_months": months, f"{endpoint}_event": events}
    if endpoint == "pfs":
        out |= {"pfs_reason": reasons, "resistance": classes}
    return out


def _interval(estimate: Estimate, factor: float = 1.0, digits: int = 2) -> list[float | None] | None:
    if estimate.interval is None:
        return None
    return [None if v is None else round(factor * v, digits) for v in estimate.interval]


def _value(estimate: Estimate, factor: float = 1.0, digits: int = 2) -> float | None:
    return None if estimate.value is None else round(factor * estimate.value, digits)


def _share(count: int, n: int) -> float | None:
    return round(100.0 * count / n, 2) if n else None


def analyse_arm(trial: Trial, arm: Arm, rows: pd.DataFrame, visits: pd.DataFrame, failed: int) -> dict[str, Any]:
    """The figures of one arm, by the names of ``result.json``.

    Parameters
    ----------
    trial, arm
        The protocol.
    rows
        The arm's patients with the columns of :func:`endpoints_at_cut` for ``pfs``, ``os`` and ``dor``.
    visits
        Their scans.
    failed
        Patients that could not be simulated.
    """
    n = len(rows)
    best = best_at_cut(trial, rows, visits)
    responders = sum(response in ("CR", "PR") for response in best)
    rate = clopper_pearson(responders, n)
    pfs = median_survival(rows["pfs_months"], rows["pfs_event"])
    overall = median_survival(rows["os_months"], rows["os_event"])
    has = rows["dor_months"].notna()
    dor = median_survival(rows.loc[has, "dor_months"].astype(float), rows.loc[has, "dor_event"].astype(bool))
    toxic = censor_days(rows, cut_months(trial, "grade3", "first"))
    grade3 = int((rows["grade3_day"].astype(float).to_numpy() <= toxic).sum())
    stopped = int((rows["toxicity_stop_day"].astype(float).to_numpy() <= toxic).sum())
    classes = rows["resistance"].value_counts().to_dict()
    reasons = rows.loc[rows["pfs_event"].astype(bool), "pfs_reason"].value_counts().to_dict()
    out: dict[str, Any] = {
        "name": arm.name,
        "role": arm.role,
        "regimen": arm.regimen,
        "n": n,
        "failed": failed,
        "orr_pct": _value(rate, 100.0),
        "orr_ci": _interval(rate, 100.0),
        "dor_median_months": _value(dor),
        "dor_median_ci": _interval(dor),
        "pfs_median_months": _value(pfs),
        "pfs_median_ci": _interval(pfs),
        "os_median_months": _value(overall),
        "os_median_ci": _interval(overall),
        "grade3_pct": _share(grade3, n),
        "discontinued_pct": _share(stopped, n),
        "best_response": {response: best.count(response) for response in ("CR", "PR", "SD", "PD", "NE")},
        "resistance": {str(k): int(v) for k, v in sorted(classes.items())},
        "pfs_events": {str(k): int(v) for k, v in sorted(reasons.items())},
        "next_line_pct": _share(int(rows["next_line"].notna().sum()), n),
        "crossover_pct": _share(int((rows["next_line"] == "crossover").sum()), n),
        "crossover_asked_pct": None
        if arm.crossover is None or arm.crossover.of != "randomised"
        else round(100.0 * arm.crossover.fraction, 2),
        "toxic_deaths": int((rows["death_cause"] == "toxicity").sum()),
    }
    if trial.resection_day is not None:
        out |= pathological_rates(rows["viable_share_pct"].to_numpy(dtype=float))
    for months in RMST_MONTHS:
        out[f"pfs_rmst_{months:g}_months"] = _value(restricted_mean(rows["pfs_months"], rows["pfs_event"], months))
        out[f"os_rmst_{months:g}_months"] = _value(restricted_mean(rows["os_months"], rows["os_event"], months))
    return out


def best_at_cut(trial: Trial, rows: pd.DataFrame, visits: pd.DataFrame) -> list[str]:
    """Best overall response of each patient (row) at the data cut for response."""
    scans = scans_by_patient(visits)
    censor = censor_days(rows, cut_months(trial, "orr", "first"))
    best = []
    for arm, number, last in zip(rows["arm"], rows["id"], censor, strict=True):
        days, words = scans.get((arm, int(number)), ([], []))
        seen = [k for k, day in enumerate(days) if day <= last]
        best.append(
            best_overall_response(
                [days[k] for k in seen], [words[k] for k in seen], confirm=trial.endpoints.confirmation
            )
        )
    return best


def compare(trial: Trial, tables: Mapping[str, pd.DataFrame], *, seed: int, paired: bool) -> dict[str, Any]:
    """Experimental arms against the control: hazard ratios with interval, log-rank.

    The first experimental arm's figures stand at the top, those of further ones under ``others``. Arms that share their
    patients (`paired`) are compared by a paired bootstrap; the log-rank test, which takes them for independent, is then
    not given.
    """
    if trial.control is None or not trial.experimental:
        return {}
    control = trial.control.name
    first, *others = [_compare_arms(arm.name, control, tables, seed=seed, paired=paired) for arm in trial.experimental]
    return {**first, "others": others} if others else first


def _compare_arms(
    experimental: str, control: str, tables: Mapping[str, pd.DataFrame], *, seed: int, paired: bool
) -> dict[str, Any]:
    a, b = tables[experimental], tables[control]
    out: dict[str, Any] = {"experimental": experimental, "control": control}
    out["method"] = "paired bootstrap" if paired else "Cox"
    for name in ("pfs", "os"):
        samples = (a[f"{name}_months"], a[f"{name}_event"], b[f"{name}_months"], b[f"{name}_event"])
        arrays = [np.asarray(s) for s in samples]
        ratio = paired_bootstrap(*arrays, seed=seed) if paired else cox_hazard_ratio(*arrays)
        out[f"{name}_hr"] = _value(ratio, digits=3)
        out[f"{name}_hr_ci"] = _interval(ratio, digits=3)
        if not paired:
            out[f"{name}_log_rank_p"] = log_rank_p(*arrays)
    out["os_hr_same_course"] = same_course_ratio(a, b)
    return out


def same_course_ratio(experimental: pd.DataFrame, control: pd.DataFrame) -> float | None:
    """Hazard ratio of OS that is left where both arms follow the control's courses: what the hazard alone gives.

    Every patient of the experimental arm takes the course of the control patient of the same number (where the arms
    share their patients, his own; else of the same place in the table): size, response, progression, later lines, and
    with them the death from disease, as the hazard knows no drug (:mod:`immunescape.trial.hazard`). Deaths from
    toxicity stay with the arm that had them; a control patient who died of toxicity is censored there in the copy. So
    the ratio is 1 but for toxicity; anything else would be a term of the hazard that knows the treatment.

    Parameters
    ----------
    experimental, control
        Patients with ``id``, ``death_cause``, ``os_months`` and ``os_event``.

    Returns
    -------
    float or None
        Ratio; None where an arm is empty or nobody died.
    """
    if experimental["id"].is_unique and set(experimental["id"]) & set(control["id"]):
        keys = [i for i in control["id"] if i in set(experimental["id"])]
        a, b = experimental.set_index("id").loc[keys], control.set_index("id").loc[keys]
    else:
        size = min(len(experimental), len(control))
        a, b = experimental.iloc[:size], control.iloc[:size]
    if not len(b):
        return None
    time, event = b["os_months"].to_numpy(dtype=float), b["os_event"].to_numpy(dtype=bool)
    toxic_b = event & (b["death_cause"] == "toxicity").to_numpy()
    toxic_a = a["os_event"].to_numpy(dtype=bool) & (a["death_cause"] == "toxicity").to_numpy()
    toxic_death = np.where(toxic_a, a["os_months"].to_numpy(dtype=float), np.inf)
    copied = np.minimum(time, toxic_death)
    died = np.where(toxic_death <= time, True, event & ~toxic_b)
    if not (died.any() and event.any()):
        return None
    return _value(cox_hazard_ratio(copied, died, time, event), digits=3)
