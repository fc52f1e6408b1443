"""What a patient's files say beside the biomarkers: who the patient is, and the course so far.

Days count from the first dose of immunotherapy (day 0), as in the profile. Nothing after the day of the decision counts
for anything; later scans are kept to be shown beside a forecast (`PatientRecord.shown`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from immunescape.errors import InputError, unknown_word
from immunescape.knowledge.recorded_treatments import load_recorded_treatments
from immunescape.profile.biomarkers.words import analyte_title, within_sentence
from immunescape.trial.recist import has_progressed, has_shrunk
from immunescape.twins.facts import Fact, checked, facts_of_measurements
from immunescape.twins.recorded_drugs import RecordedDrug, missing_earlier, nearest_drug, recorded_drug
from immunescape.twins.recorded_patient import CtdnaSample, LineRecord, PatientRecord, Scan, ShownScans

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.knowledge.profile_records import PatientProfile
    from immunescape.profile.strata import StratumCall
    from immunescape.profile.study import Study

__all__ = ["patient_record", "record_of_history"]

_TOGETHER = 28.0
"""Days within which treatments that are begun belong to one line."""
_BASELINE = 42.0
"""Days before a line in which a scan is its baseline."""
MEASURABLE_MM = 10.0
"""Smallest lesion that RECIST 1.1 counts as measurable."""
MOST_GROWTH = 5.0
"""Growth of the sum of diameters between two scans beyond which one of them is taken for a wrong unit."""
_SHOWN_BEFORE = 182.0
"""Days before a line of which scans are shown beside its forecast."""
_WHOLE_COURSE = 1e6
"""A day after all that files record."""
_UNKNOWN = {"unknown", "not known", "na", "n/a", "nan", "none", "missing", "not reported"}
"""Words of a table for what is not known."""
_SMOKING: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("never", "non"), ("never",)),
    **dict.fromkeys(("former", "ex", "past", "previous", "quit"), ("former",)),
    **dict.fromkeys(("current", "active"), ("current",)),
    **dict.fromkeys(("ever", "", "yes"), ("former", "current")),
}
"""First word on smoking, without "smoker" -> levels of the population."""


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
    every = _lines(study, profile.patient, at)
    lines = [line for line in every if line.drugs]
    notes.extend(_notes_on_treatments(study, profile.patient, at, every))
    notes.extend(_notes_on_progression(study, profile.patient, every))
    before = [line for line in lines if line.start < 0 or at > 0]
    planned = next((line for line in lines if line.start >= 0), None) if at == 0.0 else None
    undated = _undated(study, profile.patient, every)
    notes.extend(
        f"'{drug.name}' has no first day: it is taken to have been given before, and counts for the setting but not as "
        "a line; give its first day (column 'start_day')"
        for drug in undated
    )
    others = tuple(line for line in every if not line.drugs and (line.start < 0 or at > 0))
    unknown = _unknown_lines(row, every, at)
    first = dict(facts_of(profile))
    for fact in (*_of_row(row, notes), *_of_tables(study, profile.patient, lines)):
        first.setdefault(fact.target, fact)
    entry = math.nan
    if unknown:  # the size was measured after lines that nobody recorded, not at diagnosis
        first.pop("sld_mm", None)
        entry = _baseline(study, profile.patient, 0.0)
        notes.append(
            f"{unknown} earlier {'line' if unknown == 1 else 'lines'} without drug names"
            + (" that the model has" if others else "")
            + ": taken as a platinum doublet"
            + (", then docetaxel" if unknown > 1 else "")
            + " with progression; biopsies and blood samples are taken as those at diagnosis"
        )
    notes.extend(_notes_on_driver([drug for line in every for drug in line.recorded] + list(undated), first))
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
        undated=undated,
        entry_mm=entry,
        planned=planned,
        ctdna=ctdna,
        open_questions=_open(profile),
        stratum=getattr(stratum, "name", "") or "",
        stratum_title=_stratum_title(stratum),
        statistical={} if profile.response is None else dict(profile.response.observed),
        notes=tuple(notes),
        shown=_shown(study, profile.patient, at, ongoing),
    )


def _shown(study: Study, patient: str, at: float, ongoing: LineRecord | None) -> ShownScans | None:
    """Scans beside the forecast of the line that goes on, or of the next one that the files record."""
    course = _lines(study, patient, _WHOLE_COURSE)
    ahead = next((x for x in course if x.start >= (at if ongoing is None else ongoing.start)), None)
    start = at if ahead is None else ahead.start
    baseline = _baseline(study, patient, start)
    if not math.isfinite(baseline):
        return None
    until = math.inf if ahead is None else next((x.start for x in course if x.start > start), math.inf)
    sizes = [s for s in _scans(study, patient, start - _SHOWN_BEFORE, until) if math.isfinite(s.sld_mm)]
    return ShownScans(
        start,
        baseline,
        () if ahead is None else ahead.drugs,
        tuple(s for s in sizes if s.day <= at),
        () if ahead is None else tuple(s for s in sizes if s.day > max(at, start)),
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
    lines = _lines(study, profile.patient, _WHOLE_COURSE)
    facts = dict(facts_of(profile))
    for fact in _of_row(row, []):
        facts.setdefault(fact.target, fact)
    return PatientRecord(
        profile.patient,
        _WHOLE_COURSE,
        tuple(facts[k] for k in sorted(facts)),
        lines=tuple(line for line in lines if line.drugs),
        unknown_lines=_unknown_lines(row, lines, _WHOLE_COURSE),
        other_lines=tuple(line for line in lines if not line.drugs),
        undated=_undated(study, profile.patient, lines),
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
        first = smoking.split()[0].removesuffix("-smoker").removesuffix("smoker")
        if first in _SMOKING:
            words("smoking", "smoking", _SMOKING[first])
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
        baseline = _baseline(study, patient, 0.0)
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


def _baseline(study: Study, patient: str, start: float) -> float:
    """Sum of diameters of the last scan before a line."""
    rows = study.responses[(study.responses["patient"] == patient) & study.responses["sld_mm"].notna()]
    rows = rows[(rows["day"] <= start + 1.0) & (rows["day"] >= start - _BASELINE)].sort_values("day")
    return float(rows["sld_mm"].iloc[-1]) if len(rows) else math.nan


@dataclass(frozen=True)
class _Begun:
    """A treatment against the tumour: first and last day, number of its line where the file has one."""

    start: float
    end: float
    drug: RecordedDrug
    number: float | None


def _begun(study: Study, patient: str, at: float) -> list[_Begun]:
    """Treatments against the tumour that began up to `at`, in order."""
    rows = study.treatments[(study.treatments["patient"] == patient) & study.treatments["start_day"].notna()]
    begun = []
    for start, end, cell, line in zip(rows["start_day"], rows["end_day"], rows["drug"], rows["line"], strict=True):
        number = float(line) if line == line else None
        for drug in recorded_drug(cell):
            if start <= at and (drug.counts == "line" or (drug.counts == "numbered" and number is not None)):
                begun.append(_Begun(float(start), math.inf if end != end else float(end), drug, number))
    return sorted(begun, key=lambda b: (b.start, b.end, b.drug.drugs, b.drug.name))


def _lines(study: Study, patient: str, at: float) -> list[LineRecord]:
    """Lines that began up to `at`, in order; on day 0 itself the one that is planned."""
    groups: list[list[_Begun]] = []
    for row in _begun(study, patient, at):
        if groups and row.start - groups[-1][0].start <= _TOGETHER:
            groups[-1].append(row)
        elif groups and not row.drug.drugs and row.number is not None and row.number == groups[-1][0].number:
            groups[-1].append(row)  # of the same line as drugs of the model, which say more of it
        else:
            groups.append([row])
    starts = [group[0].start for group in groups]
    lines = []
    for group, following in zip(groups, [*starts[1:], math.inf][: len(groups)], strict=True):
        start = group[0].start
        scans = _scans(study, patient, start, min(at, following))
        baseline = _baseline(study, patient, start)
        scans = _with_responses(baseline, scans)
        progression = next((s.day for s in scans if s.response == "PD"), math.inf)
        drugs = tuple(dict.fromkeys(d for row in group for d in row.drug.drugs))
        end = min(max(row.end for row in group), following)
        end = end if end <= at else math.inf  # later is not known yet
        recorded = tuple(dict.fromkeys(row.drug for row in group))
        record = LineRecord(drugs, start, end, baseline, scans, progression, recorded=recorded)
        if record.progressed:
            record = replace(record, scans=tuple(s for s in scans if s.day <= progression))
        lines.append(record)
    return lines


def _undated(study: Study, patient: str, lines: Sequence[LineRecord]) -> tuple[RecordedDrug, ...]:
    """Treatments against the tumour without a first day, by name, unless their line is one that has not begun.

    Whether they were given before the decision is not known; an option of their class would need to know.
    """
    rows = study.treatments[(study.treatments["patient"] == patient) & study.treatments["start_day"].isna()]
    drugs: dict[str, RecordedDrug] = {}
    for cell, number in zip(rows["drug"], rows["line"], strict=True):
        for drug in recorded_drug(cell):
            counts = drug.counts == "line" or (drug.counts == "numbered" and number == number)
            if counts and not number > len(lines):
                drugs.setdefault(drug.name, drug)
    return tuple(drugs[name] for name in sorted(drugs))


def _notes_on_treatments(study: Study, patient: str, at: float, lines: Sequence[LineRecord]) -> list[str]:
    """Notes on treatments that the model cannot give as they are: what stands in for them, and what does not count."""
    seen: dict[str, str] = {}
    for line in lines:
        for drug in line.recorded:
            begun = f"'{drug.name}' (day {line.start:g})"
            if drug.kind:
                plain = " and ".join(d.replace("_", " ") for d in drug.drugs)
                verb = "stands" if len(drug.drugs) == 1 else "stand"
                seen.setdefault(drug.name, f"{begun}: {plain} {verb} in for it (kind: {drug.kind})")
            elif not drug.drugs:
                what = "has no usual regimen" if drug.registered else "is no drug of the model"
                rest = "its line is simulated without it" if line.drugs else "its line counts, as one of unknown drugs"
                seen.setdefault(drug.name, f"{begun} {what}, and nothing stands in for it: {rest}")
    rows = study.treatments[study.treatments["patient"] == patient]
    missing = missing_earlier(rows["drug"])
    unknown: dict[str, float] = {}
    undated: dict[str, None] = {}
    counted = {drug.name for drug in _undated(study, patient, lines)}
    for start, cell, number in zip(rows["start_day"], rows["drug"], rows["line"], strict=True):
        for drug in recorded_drug(cell):
            if drug.counts == "never":
                continue
            if start != start and drug.name not in counted:
                undated[drug.name] = None
            elif start <= at and drug.counts == "numbered" and number != number:
                unknown[drug.name] = min(float(start), unknown.get(drug.name, math.inf))
    without = "; it counts neither as a line of treatment nor for the setting"
    return [
        *(seen[name] for name in sorted(seen)),
        *(
            f"'{name}' is named as an earlier treatment in '{cell}' alone: it does not count; give it a row of its own"
            for name, cell in sorted(missing.items())
        ),
        *(
            f"'{drug}' (day {start:g}) is no drug of the model and is not used{without}: {_meant(drug)}give the "
            "number of its line (column 'line'), or name a drug with the same target in its place, if it belongs to an "
            "earlier line"
            for drug, start in sorted(unknown.items(), key=lambda item: (item[1], item[0]))
        ),
        *(f"'{drug}' has no first day and is not used{without}" for drug in sorted(undated)),
    ]


def _with_responses(baseline: float, scans: tuple[Scan, ...]) -> tuple[Scan, ...]:
    """Scans on days without a response have the one that RECIST 1.1 gives their sums of diameters."""
    worded = {scan.day for scan in scans if scan.response}
    smallest, seen = baseline, []
    for scan in scans:
        size = scan.sld_mm
        if scan.day not in worded and math.isfinite(size):
            scan = replace(scan, response=_response_by_size(size, smallest, baseline))
        seen.append(scan)
        smallest = min((x for x in (smallest, size) if math.isfinite(x)), default=math.nan)
    return tuple(seen)


def _response_by_size(size: float, smallest: float, baseline: float) -> str:
    if has_progressed(size, smallest):
        return "PD"
    if not math.isfinite(baseline):
        return ""
    return "CR" if size == 0.0 else "PR" if has_shrunk(size, baseline) else "SD"


def _notes_on_driver(recorded: Sequence[RecordedDrug], facts: Mapping[str, Fact]) -> list[str]:
    """Notes on drugs that are given for a driver of which the files do not say whether the tumour has it."""
    table, fact = load_recorded_treatments(), facts.get("driver")
    given: dict[str, str] = {}
    for drug in recorded:
        driver = table.driver_of(drug.name, drug.kind) or table.driver_of(drug.registered)
        if driver and (fact is None or (driver in fact.allowed and len(fact.allowed) > 1)):
            given.setdefault(driver, drug.name)
    return [
        f"'{name}' is given for {driver}-driven tumours, and the files do not say whether the tumour is one: the "
        f"driver is taken as not known, although options depend on it; give the result for {driver}"
        for driver, name in sorted(given.items())
    ]


def _notes_on_progression(study: Study, patient: str, lines: Sequence[LineRecord]) -> list[str]:
    """A note on every line whose progression follows from sums of diameters alone."""
    rows = study.responses[study.responses["patient"] == patient]
    worded = set(rows.loc[rows["recist"].notna(), "day"])
    return [
        f"{line.title} (from day {line.start:g}): progression on day {line.progression_day:g} by the sums of diameters "
        "(RECIST 1.1: 20 % and 5 mm above the smallest), as no response is given for that day"
        for line in lines
        if line.progressed and line.progression_day not in worded
    ]


def _meant(name: str) -> str:
    near = nearest_drug(name)
    return f"if it is {near}, correct its name; " if near else ""


def _scans(study: Study, patient: str, start: float, until: float) -> tuple[Scan, ...]:
    rows = study.responses[(study.responses["patient"] == patient) & study.responses["day"].notna()]
    rows = rows[(rows["day"] > start + 1.0) & (rows["day"] <= until)].sort_values("day")
    return tuple(
        Scan(float(day), float(sld), answer.strip().upper() if isinstance(answer, str) else "")
        for day, sld, answer in zip(rows["day"], rows["sld_mm"], rows["recist"], strict=True)
    )


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
