"""Visit schedules: when a tumour is scanned, read from text such as ``weeks 6 and 12 then every 9 weeks``."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from immunescape.trial.regimen import Duration
from immunescape.trial.tokens import Cursor, Token, number_text
from immunescape.trial.words import QXW
from immunescape.units import DAYS_PER

__all__ = ["Schedule", "Segment", "parse_schedule"]

_UNITS = {unit + plural: unit for unit in DAYS_PER for plural in ("", "s")}


@dataclass(frozen=True)
class Segment:
    """Part of a schedule: visits at listed times (`at`), or one `every` so often, up to `until`.

    Exactly one of `at` and `every` is set. `until` None: for ever (only the last segment).
    """

    at: tuple[Duration, ...] = ()
    every: Duration | None = None
    until: Duration | None = None

    def __str__(self) -> str:
        if self.every is None:
            numbers = [number_text(time.value) for time in self.at]
            unit = self.at[0].unit
            if len(numbers) == 1:
                return f"{unit} {numbers[0]}"
            return f"{unit}s {', '.join(numbers[:-1])} and {numbers[-1]}"
        every = self.every.unit if self.every.value == 1 else f"{number_text(self.every.value)} {self.every.unit}s"
        return f"every {every}" + (f" to {self.until.unit} {number_text(self.until.value)}" if self.until else "")


@dataclass(frozen=True)
class Schedule:
    """Times of the visits after the baseline scan at time 0, counted from randomisation."""

    segments: tuple[Segment, ...]

    @classmethod
    def parse(cls, text: str) -> Schedule:
        """Read a schedule text; see :func:`parse_schedule`."""
        return parse_schedule(text)

    def times(self, until_days: float) -> NDArray[np.float64]:
        """Visit times in days, (v,) increasing, up to and including `until_days`; without the baseline scan."""
        visits: list[float] = []
        last = 0.0
        for segment in self.segments:
            if segment.every is None:
                visits.extend(time.days for time in segment.at)
            else:
                end = min(until_days, segment.until.days if segment.until else math.inf)
                count = math.floor((end - last) / segment.every.days + 1e-9)
                visits.extend(last + segment.every.days * np.arange(1, count + 1))
            last = visits[-1] if visits else last
        times = np.asarray(visits, dtype=np.float64)
        return times[times <= until_days + 1e-9]

    def __str__(self) -> str:
        return " then ".join(str(segment) for segment in self.segments)


def parse_schedule(text: str, *, where: str | None = None) -> Schedule:
    """Read a visit schedule.

    Forms, joined by "then"::

        every 9 weeks
        weeks 6 and 12 then every 9 weeks
        every 6 weeks to week 36 then every 9 weeks
        every 8 weeks to month 12 then every 12 weeks
        weeks 8 and 16 then q8w

    "every" counts from the visit before it. A month is a twelfth of a year.

    Raises
    ------
    InputError
        With the text and carets under the wrong part.
    """
    cursor = Cursor(text, where)
    segments: list[Segment] = []
    while True:
        segments.append(_segment(cursor, segments))
        if cursor.now.kind == "end":
            break
        cursor.accept(",", ";")
        token = cursor.now
        if not cursor.accept("then"):
            raise (
                cursor.unknown("word", ("then", "to", "until", "and"))
                if token.kind == "word"
                else cursor.error(f"'{token.text}' has no meaning here", hint="Join two parts with 'then'.")
            )
        last = segments[-1]
        if last.every is not None and last.until is None:
            raise cursor.error(
                "what comes before 'then' never ends", token=token, hint="Give it an end: 'every 6 weeks to week 36'."
            )
    last = segments[-1]
    if last.every is None or last.until is not None:
        raise cursor.error("the visits end", hint="Close with 'then every 9 weeks', so that follow-up has visits.")
    return Schedule(tuple(segments))


def _segment(cursor: Cursor, before: list[Segment]) -> Segment:
    start = cursor.now
    compact = QXW.fullmatch(start.key) if start.kind == "word" else None
    if compact or cursor.accept("every"):
        if compact:
            cursor.next()
            value, unit = float(compact.group(1) or 1), "day" if compact.group(2) == "d" else "week"
        else:
            value = cursor.number("the interval") if cursor.now.kind == "number" else 1.0
            cursor.refuse_range("intervals", hint="Write one interval: all patients are scanned alike.")
            unit = _unit(cursor)
        every = Duration(value, unit)
        if value <= 0:
            raise cursor.error("an interval must be greater than zero", token=start, last=cursor.peek(-1))
        if not cursor.accept("to", "until", "through"):
            return Segment(every=every)
        first = cursor.now
        unit = _unit(cursor)
        until = Duration(cursor.number(f"the last {unit}"), unit)
        if until.days < _end(before) + every.days:
            raise cursor.error("no visit lies in this part", token=first, last=cursor.peek(-1))
        return Segment(every=every, until=until)
    cursor.accept("at")
    if cursor.at("baseline", "screening"):
        raise cursor.error(
            f"'{cursor.now.text}' is not a visit of the schedule",
            hint="The scan before the first dose is always made: leave it out.",
        )
    if not cursor.at(*_UNITS):
        raise cursor.unknown("word", ("every", "week", "weeks", "month", "months", "day", "days"))
    unit = _unit(cursor)
    at: list[Duration] = []
    low = _end(before)
    while True:
        token: Token = cursor.now
        time = Duration(cursor.number(f"the {unit} of a visit"), unit)
        if time.days <= (at[-1].days if at else low):
            raise cursor.error("visits must follow each other", token=token)
        at.append(time)
        if cursor.at(",") and cursor.peek().key == "and":
            cursor.next()
        if cursor.at(",", "and", "&") and cursor.peek().kind == "number":
            cursor.next()
            continue
        return Segment(at=tuple(at))


def _unit(cursor: Cursor) -> str:
    return _UNITS[cursor.expect("unit of time", *_UNITS).key]


def _end(segments: list[Segment]) -> float:
    """Day of the last visit of segments that all end."""
    return float(max(Schedule(tuple(segments)).times(1e6), default=0.0)) if segments else 0.0
