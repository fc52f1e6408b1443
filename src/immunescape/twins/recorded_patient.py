"""One patient as the files describe him, gathered by `immunescape.twins.records`: lines, scans, ctDNA and facts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING

from immunescape.twins.facts import Fact
from immunescape.twins.recorded_drugs import RecordedDrug

if TYPE_CHECKING:
    from immunescape.profile.scores.response_model import Observed

__all__ = ["CtdnaSample", "LineRecord", "PatientRecord", "Scan", "ShownScans"]


@dataclass(frozen=True)
class Scan:
    """A scan: day, sum of diameters in mm (NaN where none is given), RECIST word ('' where none is given)."""

    day: float
    sld_mm: float
    response: str


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


@dataclass(frozen=True)
class CtdnaSample:
    """A sample of ctDNA: day and level; `below`: nothing was detected, and `level` is the limit of detection."""

    day: float
    level: float
    below: bool = False


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
    undated : treatments against the tumour without a first day, taken to have been given before the decision.
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
    undated: tuple[RecordedDrug, ...] = ()
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
