"""The plain records of a profile: measurements, calls, patients, and what was read to make them.

They hold no logic beyond validation, so that every room may pass them on without knowing how they were made.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal, get_args

from immunescape.errors import InputError, unknown_word

__all__ = [
    "Call",
    "CallState",
    "Evidence",
    "Measurement",
    "PatientProfile",
    "ReadNote",
    "Status",
    "StudyProfile",
    "Value",
]

Value = float | str | bool | None
Status = Literal["measured", "not_assessable", "below_limit"]
CallState = Literal["present", "absent", "not_assessable", "conflicting"]
Support = Literal["present", "absent", "neither"]


_STATUSES, _STATES, _SUPPORTS = get_args(Status), get_args(CallState), get_args(Support)


def _require_level(kind: str, value: str, levels: tuple[str, ...], where: str) -> None:
    if value not in levels:
        raise unknown_word(kind, value, levels, where=where)


def _share(name: str, value: float | None, where: str) -> None:
    if value is not None and not 0.0 <= value <= 1.0:
        raise InputError(f"{name} is a share between 0 and 1, not {value!r}", where=where)


@dataclass(frozen=True)
class Measurement:
    """One biomarker value of one patient.

    Attributes
    ----------
    name : biomarker in snake_case, e.g. ``tmb``.
    value : number, word or truth value; None exactly where the status is ``not_assessable``.
    unit : unit of a number, e.g. ``1/Mb``; '' for words and truth values.
    status : ``measured``, ``not_assessable`` or ``below_limit`` (value is then the limit of detection).
    method : how the value was made, in words.
    low, high : interval around a number, where there is one.
    citation : keys of ``knowledge/references.bib``.
    coverage : share (0..1) of what the method wants that the data held; None where that has no meaning.
    source : file names, with row or column where that helps.
    note : what a reader must know; says why where the status is ``not_assessable``.
    sample, day : sample and day (0 = first dose of immunotherapy) of the value, where it belongs to one.
    percentile : percentile (0..100) in a frozen reference, where one is loaded; `reference` names that reference.

    Raises
    ------
    InputError
        Where the fields contradict each other.
    """

    name: str
    value: Value
    unit: str
    status: Status
    _: KW_ONLY
    method: str
    low: float | None = None
    high: float | None = None
    citation: tuple[str, ...] = ()
    coverage: float | None = None
    source: tuple[str, ...] = ()
    note: str = ""
    sample: str | None = None
    day: float | None = None
    percentile: float | None = None
    reference: str = ""

    def __post_init__(self) -> None:
        where = f"measurement '{self.name}'"
        _require_level("status", self.status, _STATUSES, where)
        if (self.value is None) != (self.status == "not_assessable"):
            raise InputError(f"value {self.value!r} does not go with the status '{self.status}'", where=where)
        if self.status == "not_assessable" and not self.note:
            raise InputError("a value that is not assessable needs a note that says why", where=where)
        for name in ("value", "low", "high", "percentile"):
            number = getattr(self, name)
            if isinstance(number, float) and math.isnan(number):
                raise InputError(f"{name} is not a number: use the status 'not_assessable'", where=where)
        if self.low is not None and self.high is not None and self.low > self.high:
            raise InputError(f"the lower bound of {self.low}..{self.high} exceeds the upper bound", where=where)
        if self.percentile is not None and not self.reference:
            raise InputError("a percentile needs the name of its reference", where=where)
        _share("coverage", self.coverage, where)

    @classmethod
    def not_assessable(cls, name: str, unit: str, why: str, **fields: Any) -> Measurement:
        """Return the record of a value that could not be had; `why` says what was missing."""
        fields.setdefault("method", "")
        return cls(name, None, unit, "not_assessable", note=why, **fields)


@dataclass(frozen=True)
class Evidence:
    """One statement behind a call.

    Attributes
    ----------
    statement : what was seen, in words.
    measurement : name of the measurement it rests on, or None.
    threshold : the rule it was compared with, in the words of the rule file, e.g. ``is biallelic_loss``.
    supports : the state it speaks for: ``present``, ``absent`` or ``neither``.
    citation : keys of ``knowledge/references.bib``.
    note : what a reader must know of the threshold.
    criterion : the threshold as it is printed, e.g. ``biallelic loss``.
    """

    statement: str
    measurement: str | None
    threshold: str
    supports: Support
    citation: tuple[str, ...] = ()
    note: str = ""
    _: KW_ONLY
    criterion: str = ""

    def __post_init__(self) -> None:
        _require_level("support", self.supports, _SUPPORTS, f"evidence '{self.statement}'")


@dataclass(frozen=True)
class Call:
    """The state of one resistance mechanism in one patient.

    Attributes
    ----------
    mechanism : name of the mechanism.
    state : ``present``, ``absent``, ``not_assessable`` or ``conflicting``; missing data are never ``absent``.
    evidence : what speaks for and against.
    rule : the rule that decided, as it stands in the rule file.
    coverage : share (0..1) of the rule's measurements that were assessable.
    citation : keys of ``knowledge/references.bib``.
    """

    mechanism: str
    state: CallState
    evidence: tuple[Evidence, ...] = ()
    rule: str = ""
    coverage: float | None = None
    citation: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        where = f"call of '{self.mechanism}'"
        _require_level("state", self.state, _STATES, where)
        _share("coverage", self.coverage, where)


@dataclass(frozen=True)
class ReadNote:
    """What a reader took from a file, and what it left.

    Attributes
    ----------
    file : name of the file inside the study folder.
    reader : name of the reader.
    rows : rows of data that the file holds.
    kept : rows that went into the study.
    left : what was not used and why, in words; '' where nothing was left.
    """

    file: str
    reader: str
    rows: int
    kept: int
    left: str = ""


@dataclass(frozen=True, repr=False)
class PatientProfile:
    """Everything measured and called in one patient.

    Attributes
    ----------
    patient : identifier in the study.
    samples : identifiers of the patient's samples.
    biomarkers : biomarker name -> measurement.
    calls : mechanism -> call.
    stratum : guideline group and what it rests on.
    scores : published response scores, side by side.
    options : strategies that match the calls, with their evidence.
    timeline : dated things that happened or were measured, in order.
    resistance : primary or acquired resistance, and by which definition.
    response : probability of response and of benefit at 12 months, with intervals.
    """

    patient: str
    _: KW_ONLY
    samples: tuple[str, ...] = ()
    biomarkers: Mapping[str, Measurement] = field(default_factory=dict)
    calls: Mapping[str, Call] = field(default_factory=dict)
    stratum: Any = None
    scores: Any = ()
    options: Any = ()
    timeline: Any = ()
    resistance: Any = None
    response: Any = None

    def __repr__(self) -> str:
        present = [name for name, call in self.calls.items() if call.state == "present"]
        measured = sum(m.status != "not_assessable" for m in self.biomarkers.values())
        return (
            f"PatientProfile({self.patient!r}, {measured} of {len(self.biomarkers)} biomarkers measured; present: "
            f"{', '.join(present) or 'no mechanism'})"
        )


@dataclass(frozen=True, repr=False)
class StudyProfile:
    """The profiles of a study's patients, with what was read and what was wrong with it.

    Attributes
    ----------
    study : name of the study.
    patients : patient -> profile.
    reads : what each reader took and left.
    problems : what a reader of the profile must know about the data.
    """

    study: str
    patients: Mapping[str, PatientProfile]
    reads: tuple[ReadNote, ...] = ()
    problems: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return (
            f"StudyProfile({self.study!r}, {len(self.patients)} patients, {len(self.reads)} files read, "
            f"{len(self.problems)} problems)"
        )
