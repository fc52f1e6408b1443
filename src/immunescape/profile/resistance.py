"""Primary or acquired resistance of patients, by the definitions of SITC (Society for Immunotherapy of Cancer).

Primary: progression within 6 months of the first dose, or no more than stable disease that did not last 6 months, after
at least 6 weeks of exposure. Acquired (SITC: secondary): progression after response or stable disease of 6 months or
more. Progression more than 12 weeks after the last dose is SITC's third case. SITC asks for a second scan at least 4
weeks later unless the tumour grows fast: a progression that no later scan confirms is classified, and said to be
unconfirmed.

Classes stand at a landmark of 6 months: who was followed for less, without progression, is ``not_yet_classifiable``,
never free of resistance. Analyses of acquired resistance must start at the landmark (`landmark_day`): counting earlier
time would credit it with time in which it cannot occur.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from immunescape.knowledge.recorded_treatments import named_checkpoint_inhibitors, names_other_drug
from immunescape.profile.study import Study
from immunescape.units import DAYS_PER_MONTH

__all__ = ["LANDMARK_DAYS", "Resistance", "classify", "resistance_of"]

LANDMARK_DAYS = 6 * DAYS_PER_MONTH
EXPOSURE_DAYS = 42.0
AFTER_STOP_DAYS = 84.0
CONFIRM_DAYS = 28.0

Class = Literal[
    "primary",
    "acquired",
    "after_stopping",
    "none_at_last_scan",
    "not_yet_classifiable",
    "not_evaluable",
    "not_assessable",
]


@dataclass(frozen=True)
class Resistance:
    """Resistance of one patient to checkpoint inhibition.

    Attributes
    ----------
    kind : ``primary``, ``acquired``, ``after_stopping`` (progressed more than 12 weeks after the last dose),
        ``none_at_last_scan``, ``not_yet_classifiable`` (no progression, followed for less than 6 months),
        ``not_evaluable`` (progressed after less than 6 weeks of exposure) or ``not_assessable``.
    why : what decided, in words.
    basis : ``scans`` (dated responses) or ``pfs`` (time to progression or death only); '' where neither is there.
    progression_day, exposure_days : days since the first dose; None where not known.
    confirmed : whether a later scan confirms the progression; None where not known.
    landmark_day : day from which acquired resistance may be counted.
    citation : keys of ``knowledge/references.bib``.
    """

    kind: Class
    why: str
    _: KW_ONLY
    basis: Literal["scans", "pfs", ""] = ""
    progression_day: float | None = None
    exposure_days: float | None = None
    confirmed: bool | None = None
    landmark_day: float = LANDMARK_DAYS
    citation: tuple[str, ...] = ("kluger2020", "kluger2023")


def classify(
    days: np.ndarray,
    recist: list[str],
    exposure_days: float | None = None,
    last_dose_day: float | None = None,
) -> Resistance:
    """Class of one patient from dated scans.

    Parameters
    ----------
    days
        Days of the scans since the first dose of the checkpoint inhibitor; scans before day 1 are left out.
    recist
        Overall response at each scan: CR, PR, SD, PD, NE.
    exposure_days
        Days from the first dose to the end of the last cycle; None where not known.
    last_dose_day
        Day of the last dose where treatment has ended; None while it goes on or is not known.
    """
    order = np.argsort(days, kind="stable")
    scans = [(float(days[i]), recist[i]) for i in order if days[i] > 0 and recist[i] in ("CR", "PR", "SD", "PD")]
    if not scans:
        return Resistance("not_assessable", "no evaluable scan after the first dose")
    common: dict[str, Any] = {"basis": "scans", "exposure_days": exposure_days}
    progressed = next((i for i, (_, r) in enumerate(scans) if r == "PD"), None)
    if progressed is None:
        last = scans[-1][0]
        if last < LANDMARK_DAYS:
            return Resistance(
                "not_yet_classifiable", f"no progression, last scan on day {last:.0f}, before 6 months", **common
            )
        return Resistance("none_at_last_scan", f"no progression up to day {last:.0f}", **common)
    day = scans[progressed][0]
    later = [r for d, r in scans[progressed + 1 :] if d >= day + CONFIRM_DAYS]
    confirmed = None if not later else later[0] == "PD"
    best = min((r for _, r in scans[:progressed]), key=["CR", "PR", "SD"].index, default="PD")
    common |= {"progression_day": day, "confirmed": confirmed}
    said = {True: "confirmed", False: "not confirmed by the next scan", None: "not confirmed by a later scan"}[
        confirmed
    ]
    history = f"best response {best}, progression on day {day:.0f} ({said})"
    if last_dose_day is not None and day - last_dose_day > AFTER_STOP_DAYS:
        return Resistance("after_stopping", f"{history}, {day - last_dose_day:.0f} days after the last dose", **common)
    if day >= LANDMARK_DAYS:
        return Resistance("acquired", history, **common)
    if exposure_days is not None and exposure_days < EXPOSURE_DAYS:
        return Resistance("not_evaluable", f"{history}, after {exposure_days:.0f} days of exposure", **common)
    caveat = "" if exposure_days is not None else "; exposure of 6 weeks or more assumed, as doses are not dated"
    if best in ("CR", "PR"):
        caveat += "; a response that ends before 6 months fits neither of the definitions, and is counted here"
    return Resistance("primary", history + caveat, **common)


def _from_pfs(months: float, event: float, best: str | None) -> Resistance:
    if np.isnan(months) or np.isnan(event):
        return Resistance("not_assessable", "neither dated scans nor progression-free survival")
    day = months * DAYS_PER_MONTH
    caveat = "from progression-free survival alone, in which death counts as progression; exposure is not known"
    common: dict[str, Any] = {"basis": "pfs", "progression_day": day if event else None}
    response = f"best response {best}, " if best else ""
    if not event:
        if months < 6:
            return Resistance(
                "not_yet_classifiable", f"{response}no event by {months:.1f} months, before 6; {caveat}", **common
            )
        return Resistance("none_at_last_scan", f"{response}no event by {months:.1f} months; {caveat}", **common)
    kind: Class = "acquired" if months >= 6 else "primary"
    return Resistance(kind, f"{response}event at {months:.1f} months; {caveat}", **common)


def _treated(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["drug"].fillna("").map(lambda text: bool(named_checkpoint_inhibitors(text))).astype(bool)]


def _without_checkpoint_inhibitor(treatments: list[object]) -> bool:
    """True where the texts on a patient's treatment name other drugs only; words such as 'combination' tell nothing."""
    text = " ; ".join(w for w in treatments if isinstance(w, str))
    return not named_checkpoint_inhibitors(text) and names_other_drug(text)


def _drugs_from_day_0(rows: pd.DataFrame) -> Mapping[str, list[object]]:
    """Drugs of every patient that the table of treatments does not place before day 0, the first of immunotherapy."""
    since = rows[~(rows["start_day"].astype(float) < 0)]
    return {patient: of_patient["drug"].tolist() for patient, of_patient in _by_patient(since).items()}


def _by_patient(rows: pd.DataFrame) -> Mapping[str, pd.DataFrame]:
    return {str(patient): of_patient for patient, of_patient in rows.groupby("patient")}


def resistance_of(study: Study) -> dict[str, Resistance]:
    """Class of every patient of a study; from dated scans where there are any, else from progression-free survival.

    The first dose is the first start of a checkpoint inhibitor in the treatments, else day 0. An end of treatment that
    is not given leaves exposure unknown.
    """
    scans = _by_patient(study.responses.dropna(subset=["day", "recist"]))
    given = _by_patient(_treated(study.treatments))
    drugs = _drugs_from_day_0(study.treatments)
    table = study.patients.set_index("patient")
    classes: dict[str, Resistance] = {}
    treatments = table[["arm", "treatment", "treatment_class"]].to_numpy(dtype=object).tolist()
    for patient, months, event, best, texts in zip(
        table.index, table["pfs_months"], table["pfs_event"], table["best_response"], treatments, strict=True
    ):
        if patient not in given and _without_checkpoint_inhibitor([*texts, *drugs.get(str(patient), ())]):
            classes[patient] = Resistance("not_assessable", "no checkpoint inhibitor was given")
            continue
        if patient not in scans:
            classes[patient] = _from_pfs(float(months), float(event), best if isinstance(best, str) else None)
            continue
        rows, doses = scans[patient], given.get(patient)
        start, exposure, stop = 0.0, None, None
        if doses is not None and doses["start_day"].notna().any():
            start = float(doses["start_day"].min())
            if doses["end_day"].notna().all():
                stop = float(doses["end_day"].max()) - start
                exposure = stop
        days = rows["day"].to_numpy(dtype=float) - start
        classes[patient] = classify(days, [str(r) for r in rows["recist"]], exposure, stop)
    return classes
