"""What a patient's files say beside the biomarkers: who the patient is, and the course so far.

Days count from the first dose of immunotherapy (day 0), as in the profile. Nothing after the day of the decision counts
for anything; later scans are kept to be shown beside a forecast (`PatientRecord.shown`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from immunescape.errors import InputError, unknown_word
from immunescape.profile.biomarkers.words import analyte_title, within_sentence
from immunescape.twins.facts import Fact, checked, facts_of_measurements
from immunescape.twins.line_records import (
    WHOLE_COURSE,
    LineRecord,
    Scan,
    ShownScans,
    baseline_of,
    lines_of,
    notes_on_treatments,
    shown_scans,
)

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.knowledge.profile_records import PatientProfile
    from immunescape.profile.scores.response_model import Observed
    from immunescape.profile.strata import StratumCall
    from immunescape.profile.study import Study

__all__ = ["CtdnaSample", "LineRecord", "PatientRecord", "Scan", "ShownScans", "patient_record", "record_of_history"]

MEASURABLE_MM = 10.0
"""Smallest lesion that RECIST 1.1 counts as measurable."""
MOST_GROWTH = 5.0
"""Growth of the sum of diameters between two scans beyond which one of them is taken for a wrong unit."""
_UNKNOWN = {"unknown", "not known", "na", "n/a", "nan", "none", "missing", "not reported"}
"""Words of a table for what is not known."""


@dataclass(frozen=True)
class CtdnaSample:
    """A sample of ctDNA: day and level; `below`: nothing was detected, and `level` is the limit of detection."""

    day: float
    level: float
    below: bool = False


@dataclass(frozen=True)
class PatientRecord:
    """One patient at the day of a decision.

    Attributes
    ----------
    patient : identifier.
    at : day of the decision.
    facts : what biomarkers and the table of patients say of virtual patients.
    lines : lines of treatment that began before `at` (or on day 0 where `at` is 0: see `planned`), in order.
    unknown_lines : earlier lines of drugs that the files do not name, or that the model has not.
    other_lines : those of them whose drugs the files name.
    entry_mm : sum of diameters after those lines, before the next; NaN where there are none, or no scan.
    planned : the line that begins on the day of the decision, as the files record it; None where they do not.
    ctdna : samples up to `at`, of one analyte and unit.
    open_questions : biomarkers of the table of facts that are not assessable.
    stratum, stratum_title : guideline group.
    statistical : inputs of the statistical models (:mod:`immunescape.twins.combined`) that were measured.
    notes : what was left out, and why.
    shown : scans to be shown beside the forecast; None without a size before it.
    """

    patient: str
    at: float
    facts: tuple[Fact, ...]
    _: KW_ONLY
    lines: tuple[LineRecord, ...] = ()
    unknown_lines: int = 0
    other_lines: tuple[LineRecord, ...] = ()
    entry_mm: float = math.nan
    planned: LineRecord | None = None
    ctdna: tuple[CtdnaSample, ...] = ()
    open_questions: tuple[str, ...] = ()
    stratum: str = ""
    stratum_title: str = ""
    statistical: Mapping[str, Observed] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()
    shown: ShownScans | None = None

    @property
    def ongoing(self) -> LineRecord | None:
        """The line that the patient is on without progression; None where there is none."""
        last = self.lines[-1] if self.lines else None
        return last if last is not None and not last.progressed and last.end > self.at else None

    @property
    def history(self) -> tuple[LineRecord, ...]:
        """The lines that are over."""
        return self.lines[:-1] if self.ongoing is not None else self.lines

    @property
    def line(self) -> int:
        """Number of the line that is decided on (or that the patient is on)."""
        return len(self.history) + self.unknown_lines + 1


def patient_record(study: Study, profile: PatientProfile, at: float = 0.0) -> PatientRecord:
    """Gather what is known of a patient on the day of a decision.

    Parameters
    ----------
    study
        What was read of the folder.
    profile
        The patient's profile.
    at
        Day; 0 is the day of the first dose of immunotherapy, before that dose.

    Raises
    ------
    InputError
        For a patient whom the study does not have, and measurements that contradict each other or a unit.
    """
    if isinstance(at, bool) or not isinstance(at, (int, float)) or not math.isfinite(at) or at < 0.0:
        raise InputError(f"the day is {at}", hint="Days count from the first dose of immunotherapy; give 0 or more.")
    if profile.patient not in study.patient_ids:
        raise unknown_word("patient", profile.patient, study.patient_ids)
    _check_sizes(study, profile.patient, at)
    row = study.patients.set_index("patient").loc[profile.patient]
    notes: list[str] = []
    every = lines_of(study, profile.patient, at)
    lines = [line for line in every if line.drugs]
    notes.extend(notes_on_treatments(study, profile.patient, at, every))
    before = [line for line in lines if line.start < 0 or at > 0]
    planned = next((line for line in lines if line.start >= 0), None) if at == 0.0 else None
    others = tuple(line for line in every if not line.drugs and (line.start < 0 or at > 0))
    unknown = _unknown_lines(row, every, at)
    first = dict(facts_of(profile))
    for fact in (*_of_row(row, notes), *_of_tables(study, profile.patient, lines)):
        first.setdefault(fact.target, fact)
    entry = math.nan
    if unknown:  # the size was measured after lines that nobody recorded, not at diagnosis
        first.pop("sld_mm", None)
        entry = baseline_of(study, profile.patient, 0.0)
        notes.append(
            f"{unknown} earlier {'line' if unknown == 1 else 'lines'} without drug names"
            + (" that the model has" if others else "")
            + ": taken as a platinum doublet"
            + (", then docetaxel" if unknown > 1 else "")
            + " with progression; biopsies and blood samples are taken as those at diagnosis"
        )
    ctdna = _ctdna(study, profile.patient, at, notes)
    if others and at > 0 and every[-1] is others[-1] and not others[-1].progressed and others[-1].end > at:
        notes.append(
            f"{others[-1].title} (from day {others[-1].start:g}) goes on, and the model cannot follow it: the decision "
            "is taken to be that on the next line"
        )
    notes.extend(_unused_blood(study, profile.patient, at))
    ongoing = lines[-1] if at > 0 and lines and not lines[-1].progressed and lines[-1].end > at else None
    if ongoing is not None and (len(lines) > 1 or unknown) and any(c.day >= ongoing.start for c in ctdna):
        notes.append("ctDNA on a line after an earlier one is not used; scans are")
    stratum = profile.stratum
    return PatientRecord(
        profile.patient,
        at,
        checked(first[k] for k in sorted(first)),
        lines=tuple(before),
        unknown_lines=unknown,
        other_lines=others,
        entry_mm=entry,
        planned=planned,
        ctdna=ctdna,
        open_questions=_open(profile),
        stratum=getattr(stratum, "name", "") or "",
        stratum_title=_stratum_title(stratum),
        statistical={} if profile.response is None else dict(profile.response.observed),
        notes=tuple(notes),
        shown=shown_scans(study, profile.patient, at, ongoing),
    )


def _unknown_lines(row: Any, lines: Sequence[LineRecord], at: float) -> int:
    """Number of earlier lines that cannot be simulated as they were: counted alone, or of drugs of no model."""
    recorded = _plain(row, "prior_lines")
    named = sum(bool(line.drugs) and line.start < 0 for line in lines)
    other = sum(not line.drugs and line.start < 0 for line in lines)
    later = sum(not line.drugs and line.start >= 0 for line in lines) if at > 0 else 0
    return max(0 if recorded is None else int(recorded) - named, other) + later


def _stratum_title(stratum: StratumCall | None) -> str:
    """Title of the guideline group as it stands beside other facts of a patient; empty where there is none."""
    if stratum is None:
        return ""
    return "guideline group not assessable" if stratum.name == "not_assessable" else stratum.title


def record_of_history(study: Study, profile: PatientProfile) -> PatientRecord:
    """Every line that the files record and what decides on the setting; nothing is conditioned on, so sizes are unread.

    Parameters
    ----------
    study, profile
        As for :func:`patient_record`.
    """
    row = study.patients.set_index("patient").loc[profile.patient]
    lines = lines_of(study, profile.patient, WHOLE_COURSE)
    facts = dict(facts_of(profile))
    for fact in _of_row(row, []):
        facts.setdefault(fact.target, fact)
    return PatientRecord(
        profile.patient,
        WHOLE_COURSE,
        tuple(facts[k] for k in sorted(facts)),
        lines=tuple(line for line in lines if line.drugs),
        unknown_lines=_unknown_lines(row, lines, WHOLE_COURSE),
        other_lines=tuple(line for line in lines if not line.drugs),
    )


def facts_of(profile: PatientProfile) -> Mapping[str, Fact]:
    """Facts of a patient's biomarkers by target."""
    return {f.target: f for f in facts_of_measurements(profile.biomarkers)}


def _open(profile: PatientProfile) -> tuple[str, ...]:
    from immunescape.knowledge.profile_to_model import profile_links

    names = dict.fromkeys(link.biomarker for link in profile_links())
    given = profile.biomarkers
    return tuple(n for n in names if n not in given or given[n].value is None)


def _plain(row: Any, column: str) -> float | None:
    """A number of the table of patients; None where there is none."""
    value = row.get(column)
    return None if value is None or not math.isfinite(float(value)) else float(value)


def _text_of(row: Any, column: str) -> str:
    value = row.get(column)
    return value.strip().casefold() if isinstance(value, str) else ""


def _of_row(row: Any, notes: list[str]) -> list[Fact]:
    """Facts of the table of patients."""
    facts: list[Fact] = []

    def words(target: str, column: str, allowed: tuple[str | int, ...]) -> None:
        facts.append(Fact(target, "covariate", allowed=allowed, biomarker=column, measured=str(row[column])))

    sex = _text_of(row, "sex")
    if sex[:1] in ("f", "w", "m"):
        words("sex", "sex", ("M",) if sex[0] == "m" else ("F",))
    elif sex and sex not in _UNKNOWN:
        notes.append(f"sex '{row['sex']}' is neither female nor male: not conditioned on")
    histology = _text_of(row, "histology")
    if "squamous" in histology and "non" not in histology and "adenosquamous" not in histology:
        words("histology", "histology", ("squamous",))
    elif any(w in histology for w in ("adeno", "non-squamous", "nonsquamous", "non squamous", "large cell")):
        words("histology", "histology", ("nonsquamous",))
    elif histology:
        notes.append(f"histology '{row['histology']}' is neither squamous nor non-squamous: not conditioned on")
    smoking = _text_of(row, "smoking")
    if smoking:
        first = smoking.split()[0]
        if first in ("never", "former", "current"):
            words("smoking", "smoking", (first,))
        elif first in ("ever", "smoker", "yes"):
            words("smoking", "smoking", ("former", "current"))
        elif smoking not in _UNKNOWN:
            notes.append(f"smoking '{row['smoking']}' is none of never, former, current and ever: not conditioned on")
    stage = _text_of(row, "stage").replace("stage", "").strip().upper()
    if stage.startswith(("IV", "4")):
        words("stage", "stage", ("IV",))
    elif stage.startswith(("III", "3")):
        words("stage", "stage", ("III",))
    elif stage:
        notes.append(f"stage '{row['stage']}' is not advanced disease, which the population represents")
    ecog, age = _plain(row, "ecog"), _plain(row, "age")
    if ecog is not None:
        if ecog > 2:
            notes.append(f"ECOG {ecog:.0f}: the maximum in the population is 2, which is used")
        words("ecog", "ecog", (int(min(ecog, 2)),))
    if age is not None:
        facts.append(
            Fact("age", "covariate", value=age, spread=0.5, scale="sd", biomarker="age", measured=f"{age:.0f} years")
        )
    return facts


def _of_tables(study: Study, patient: str, lines: list[LineRecord]) -> list[Fact]:
    """Sum of diameters before the first line that is recorded, and LDH over its upper limit."""
    from immunescape.trial.coefficients import coefficients

    facts: list[Fact] = []
    baseline = next((line.baseline_mm for line in lines), math.nan)
    if math.isnan(baseline):
        baseline = baseline_of(study, patient, 0.0)
    if math.isfinite(baseline):
        table = coefficients("lesions")
        error = math.hypot(table["reader_cv"].value, table["scan_cv"].value)
        facts.append(
            Fact(
                "sld_mm",
                "covariate",
                value=baseline,
                spread=error,
                scale="sd_ln",
                biomarker="sum of diameters",
                measured=f"{baseline:.4g} mm",
                source=("oak",),
            )
        )
    labs = study.labs[(study.labs["patient"] == patient) & (study.labs["day"].fillna(0.0) <= 0.0)]
    level, limit = (labs[labs["analyte"] == name] for name in ("ldh", "ldh_upper_limit"))
    if len(level) and len(limit):
        last = level.sort_values("day").iloc[-1]
        top = limit[limit["unit"] == last["unit"]]
        if len(top) and float(top["value"].iloc[-1]) > 0:
            ratio = float(last["value"]) / float(top["value"].iloc[-1])
            facts.append(
                Fact(
                    "ldh_uln",
                    "covariate",
                    value=ratio,
                    spread=0.15,
                    scale="sd_ln",
                    biomarker="ldh",
                    measured=f"{ratio:.3g} upper limits of normal",
                    grade="assumed",
                )
            )
    return facts


def _ctdna(study: Study, patient: str, at: float, notes: list[str]) -> tuple[CtdnaSample, ...]:
    """Samples of the analyte and unit with most of them, in order of time; the others are named in `notes`."""
    rows: pd.DataFrame = study.ctdna[(study.ctdna["patient"] == patient) & study.ctdna["day"].notna()]
    rows = rows[rows["day"] <= at]
    if not len(rows):
        return ()
    kinds = rows[["analyte", "unit"]].fillna("").agg("|".join, axis=1)
    kind = str(kinds.value_counts().sort_index().idxmax())
    other = int((kinds != kind).sum())
    if other:
        analyte, _, unit = kind.partition("|")
        notes.append(
            f"{other} ctDNA {'sample is' if other == 1 else 'samples are'} of another analyte or in another unit than "
            f"most ({analyte or 'ctDNA'} in {unit or 'no unit'}): not used"
        )
    samples = []
    for row in rows[kinds == kind].sort_values(["day", "value"]).to_dict("records"):
        value, limit, seen = row["value"], row["lod"], row["detected"]
        absent = seen is False or value == 0.0 or (value == value and limit == limit and value < limit)
        if absent and limit == limit and limit > 0.0:
            samples.append(CtdnaSample(float(row["day"]), float(limit), below=True))
        elif absent or value != value:
            notes.append(f"ctDNA on day {row['day']:g} is not detected and has no limit of detection: not used")
        else:
            samples.append(CtdnaSample(float(row["day"]), float(value)))
    return tuple(samples)


def _check_sizes(study: Study, patient: str, at: float) -> None:
    """Refuse sums of diameters that no course of one patient has, as centimetres among millimetres give them.

    Raises
    ------
    InputError
        Where the first sum is below what RECIST 1.1 asks of one measurable lesion, or one is many times the one before.
    """
    rows = study.responses[(study.responses["patient"] == patient) & study.responses["sld_mm"].notna()]
    rows = rows[rows["day"] <= at].sort_values("day")
    days, sizes = rows["day"].to_numpy(dtype=float), rows["sld_mm"].to_numpy(dtype=float)
    where = f"patient '{patient}', scans"
    hint = "Give sums of diameters in mm; nothing was conditioned on them."
    if len(sizes) and 0.0 < sizes[0] < MEASURABLE_MM:
        raise InputError(
            f"the first sum of diameters (day {days[0]:g}) is {sizes[0]:g} mm, below the {MEASURABLE_MM:g} mm of one "
            "measurable lesion",
            where=where,
            hint=hint,
        )
    _check_single(rows, "sld_mm", "sums of diameters", "mm", where)
    every = study.responses[(study.responses["patient"] == patient) & (study.responses["day"] <= at)]
    _check_single(every, "recist", "responses", "", where)
    for (day, size), (later_day, later) in pairwise(zip(days, sizes, strict=True)):
        # lesions that vanished may come back from nothing, so only what could be measured is compared
        if size >= MEASURABLE_MM and later > MOST_GROWTH * size:
            raise InputError(
                f"the sum of diameters is {size:g} mm on day {day:g} and {later:g} mm on day {later_day:g}",
                where=where,
                hint=hint,
            )
        if (
            size >= MEASURABLE_MM * MOST_GROWTH
            and 0.0 < later < MEASURABLE_MM
            and _response_on(rows, later_day) == "PD"
        ):
            raise InputError(
                f"the sum of diameters falls from {size:g} mm to {later:g} mm on day {later_day:g}, where the response "
                "is progression",
                where=where,
                hint=hint,
            )


def _check_single(rows: pd.DataFrame, column: str, what: str, unit: str, where: str) -> None:
    """Refuse two different values of one day, of which the order of rows would choose one.

    Raises
    ------
    InputError
        With the day and the values.
    """
    for day, values in rows[rows[column].notna()].groupby("day")[column]:
        different = sorted(set(values))
        if len(different) > 1:
            given = " and ".join(f"{v:g}" if unit else str(v) for v in different)
            raise InputError(
                f"day {day:g} has different {what}: {given} {unit}".rstrip(),
                where=where,
                hint="Keep one of them; nothing was conditioned on them.",
            )


def _response_on(rows: pd.DataFrame, day: float) -> str:
    words = rows.loc[rows["day"] == day, "recist"].tolist()
    return words[0].strip().upper() if words and isinstance(words[0], str) else ""


def _unused_blood(study: Study, patient: str, at: float) -> list[str]:
    """A note on blood counts and chemistry taken on treatment, which the twins do not have over time."""
    rows = study.labs[(study.labs["patient"] == patient) & (study.labs["day"] > 0.0) & (study.labs["day"] <= at)]
    names = sorted({within_sentence(analyte_title(a)) for a in rows["analyte"] if isinstance(a, str)})
    if not names:
        return []
    return [
        f"blood taken after day 0 is not used ({', '.join(names)}): the model does not carry these over time; those up "
        "to day 0 are"
    ]
