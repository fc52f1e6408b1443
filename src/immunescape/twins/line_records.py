"""Lines of treatment that a patient's files record, with their scans, and what the model makes of the drugs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING

from immunescape.twins.recorded_drugs import RecordedDrug, recorded_drug

if TYPE_CHECKING:
    from immunescape.profile.study import Study

__all__ = [
    "WHOLE_COURSE",
    "LineRecord",
    "Scan",
    "ShownScans",
    "baseline_of",
    "lines_of",
    "notes_on_treatments",
    "shown_scans",
]

_TOGETHER = 28.0
"""Days within which treatments that are begun belong to one line."""
_BASELINE = 42.0
"""Days before a line in which a scan is its baseline."""
_SHOWN_BEFORE = 182.0
"""Days before a line of which scans are shown beside its forecast."""
WHOLE_COURSE = 1e6
"""A day after all that files record."""


@dataclass(frozen=True)
class Scan:
    """A scan: day, sum of diameters in mm (NaN where none is given), RECIST word ('' where none is given)."""

    day: float
    sld_mm: float
    response: str


@dataclass(frozen=True)
class LineRecord:
    """A line of treatment that a patient has had or is on.

    Attributes
    ----------
    drugs : names of the registry, of drugs with a usual regimen; none where nothing of the line can be simulated.
    start, end : days; `end` is infinite while it goes on.
    baseline_mm : sum of diameters before it; NaN where there is none.
    scans : those on it, up to the day of the decision.
    progression_day : day of the scan that showed progression; infinite where none did.
    recorded : the treatments as the files name them, with what they are to the model.
    """

    drugs: tuple[str, ...]
    start: float
    end: float
    baseline_mm: float
    scans: tuple[Scan, ...]
    progression_day: float
    _: KW_ONLY
    recorded: tuple[RecordedDrug, ...] = ()

    @property
    def progressed(self) -> bool:
        """Whether a scan showed progression."""
        return math.isfinite(self.progression_day)

    @property
    def last_day(self) -> float:
        """Day of the last scan; the start where there is none."""
        return self.scans[-1].day if self.scans else self.start

    @property
    def progression_after(self) -> float:
        """Last day on which the patient was known to be free of progression."""
        earlier = [s.day for s in self.scans if s.day < self.progression_day]
        return max(earlier, default=self.start)

    @property
    def best_response(self) -> str:
        """Best word of the scans; '' where none has a word."""
        words = [s.response for s in self.scans]
        return next((w for w in ("CR", "PR", "SD", "PD") if w in words), "")

    @property
    def given(self) -> tuple[str, ...]:
        """Drugs of the registry that were given, without those that stand in for another."""
        if not self.recorded:
            return self.drugs
        return tuple(dict.fromkeys(r.registered for r in self.recorded if r.registered))

    @property
    def stand_ins(self) -> tuple[tuple[str, str], ...]:
        """Drugs that were not given, each with the name of the treatment for which it stands in."""
        given = self.given
        return tuple((d, r.name) for r in self.recorded if r.kind for d in r.drugs if d not in given)

    @property
    def title(self) -> str:
        """The drugs in words."""
        if not self.recorded:
            return " + ".join(d.replace("_", " ") for d in self.drugs)
        return " + ".join(dict.fromkeys(_recorded_title(r) for r in self.recorded))


def _recorded_title(drug: RecordedDrug) -> str:
    plain = " and ".join(d.replace("_", " ") for d in drug.drugs)
    return f"{drug.name} (as {plain})" if drug.kind else plain or drug.name


@dataclass(frozen=True)
class ShownScans:
    """Scans beside the courses of the twins.

    Attributes
    ----------
    start : day on which the line begins that is forecast. baseline_mm : sum of diameters before it.
    drugs : those that the files record from that day on; none where they record no line.
    before : scans of the half year before the line, and of the line up to the day of the decision.
    after : later ones on the line: nothing is computed from them.
    """

    start: float
    baseline_mm: float
    drugs: tuple[str, ...]
    before: tuple[Scan, ...]
    after: tuple[Scan, ...]


def baseline_of(study: Study, patient: str, start: float) -> float:
    """Sum of diameters of the last scan before a line."""
    rows = study.responses[(study.responses["patient"] == patient) & study.responses["sld_mm"].notna()]
    rows = rows[(rows["day"] <= start + 1.0) & (rows["day"] >= start - _BASELINE)].sort_values("day")
    return float(rows["sld_mm"].iloc[-1]) if len(rows) else math.nan


def _scans(study: Study, patient: str, start: float, until: float) -> tuple[Scan, ...]:
    rows = study.responses[(study.responses["patient"] == patient) & study.responses["day"].notna()]
    rows = rows[(rows["day"] > start + 1.0) & (rows["day"] <= until)].sort_values("day")
    return tuple(
        Scan(float(day), float(sld), answer.strip().upper() if isinstance(answer, str) else "")
        for day, sld, answer in zip(rows["day"], rows["sld_mm"], rows["recist"], strict=True)
    )


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


def lines_of(study: Study, patient: str, at: float) -> list[LineRecord]:
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
        progression = next((s.day for s in scans if s.response == "PD"), math.inf)
        drugs = tuple(dict.fromkeys(d for row in group for d in row.drug.drugs))
        end = min(max(row.end for row in group), following)
        end = end if end <= at else math.inf  # later is not known yet
        recorded = tuple(dict.fromkeys(row.drug for row in group))
        record = LineRecord(
            drugs, start, end, baseline_of(study, patient, start), scans, progression, recorded=recorded
        )
        if record.progressed:
            record = replace(record, scans=tuple(s for s in scans if s.day <= progression))
        lines.append(record)
    return lines


def notes_on_treatments(study: Study, patient: str, at: float, lines: Sequence[LineRecord]) -> list[str]:
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
    unknown: dict[str, float] = {}
    undated: dict[str, None] = {}
    for start, cell, number in zip(rows["start_day"], rows["drug"], rows["line"], strict=True):
        for drug in recorded_drug(cell):
            if drug.counts == "never":
                continue
            if start != start:
                undated[drug.name] = None
            elif start <= at and drug.counts == "numbered" and number != number:
                unknown[drug.name] = min(float(start), unknown.get(drug.name, math.inf))
    without = "; it counts neither as a line of treatment nor for the setting"
    return [
        *(seen[name] for name in sorted(seen)),
        *(
            f"'{drug}' (day {start:g}) is no drug of the model and is not used{without}: give the number of its line "
            "(column 'line'), or name a drug with the same target in its place, if it belongs to an earlier line"
            for drug, start in sorted(unknown.items(), key=lambda item: (item[1], item[0]))
        ),
        *(f"'{drug}' has no first day and is not used{without}" for drug in sorted(undated)),
    ]


def shown_scans(study: Study, patient: str, at: float, ongoing: LineRecord | None) -> ShownScans | None:
    """Scans beside the forecast of the line that goes on, or of the next one that the files record."""
    course = lines_of(study, patient, WHOLE_COURSE)
    ahead = next((x for x in course if x.start >= (at if ongoing is None else ongoing.start)), None)
    start = at if ahead is None else ahead.start
    baseline = baseline_of(study, patient, start)
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
