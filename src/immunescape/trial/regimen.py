"""Regimens: which drugs, how much, how often, for how long.

A regimen is written as text and read by :func:`immunescape.trial.grammar.parse_regimen`::

    carboplatin AUC 5 + pemetrexed 500 mg/m2 every 3 weeks for 4 cycles, then pemetrexed 500 mg/m2 every 3 weeks

It consists of phases ("then"), a phase of dose rules ("+"). ``str(regimen)`` is the canonical text: every rule with its
own schedule; it reads back as the same regimen. The grammar is in :mod:`immunescape.trial.grammar`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, field

from immunescape.trial.tokens import number_text
from immunescape.units import DAYS_PER

__all__ = [
    "INACTIVE",
    "UNITS",
    "DoseRule",
    "Duration",
    "Phase",
    "PlannedDose",
    "Regimen",
]


UNITS = (
    "mg",
    "mg/kg",
    "mg/m2",
    "AUC",
    "ug",
    "ug/kg",
    "ug/m2",
    "g",
    "g/m2",
    "IU",
    "IU/kg",
    "IU/m2",
    "MIU",
    "MIU/m2",
    "cells",
    "cells/kg",
    "Gy",
    "CFU",
    "dose",
)
"""Units in which a regimen may state a dose; each drug accepts some of them."""

INACTIVE = ("placebo", "observation", "best supportive care")
"""Words for arms, or parts of them, in which nothing is given."""


@dataclass(frozen=True)
class Duration:
    """A length of time as written: ``Duration(12, "month")``."""

    value: float
    unit: str

    @property
    def days(self) -> float:
        """Length in days."""
        return self.value * DAYS_PER[self.unit]

    def __str__(self) -> str:
        return f"{number_text(self.value)} {self.unit}{'' if self.value == 1 else 's'}"


@dataclass(frozen=True)
class DoseRule:
    """One drug of a phase: its dose and when it is given.

    Attributes
    ----------
    drug : canonical name of the drug.
    amount, unit : dose at each administration; for unit ``AUC`` the target area under the curve (mg/mL·min).
    interval_days : length of a cycle; None for drugs that are given once (one cycle).
    days : days of the cycle on which it is given; the first is day 1.
    per_day : administrations on each of these days.
    cycles : number of cycles after which it ends; None without such an end.
    limit : time after the rule's start at which it ends; None without such an end.
    start_day : day of the phase on which its first cycle begins; the first is day 1.
    until_progression : the text says so. (Whether an arm stops at progression is a property of the arm.)
    loading : amount of the very first dose, where it differs; in `unit`.
    max_mg : cap of every dose in mg.
    infusion_hours : duration of the infusion; None takes the drug's usual one.
    route : ``iv``, ``sc``, ``oral``, ``intratumoral`` or None (the drug's usual one).
    target : what radiation is aimed at (:data:`immunescape.trial.field.TARGETS`); None takes the default of the stage.
    """

    drug: str
    amount: float
    unit: str
    interval_days: int | None
    _: KW_ONLY
    days: tuple[int, ...] = (1,)
    per_day: int = 1
    cycles: int | None = None
    limit: Duration | None = None
    start_day: int = 1
    until_progression: bool = False
    loading: float | None = None
    max_mg: float | None = None
    infusion_hours: float | None = None
    route: str | None = None
    target: str | None = None

    @property
    def ends(self) -> bool:
        """Whether the rule ends by itself."""
        return self.interval_days is None or self.cycles is not None or self.limit is not None

    @property
    def length_days(self) -> float:
        """Planned length from the start of the phase to the end of the last cycle; infinite where it never ends."""
        lengths = [math.inf]
        if self.interval_days is None:
            lengths.append(float(self.days[-1]))
        elif self.cycles is not None:
            lengths.append(float(self.cycles * self.interval_days))
        if self.limit is not None:
            lengths.append(self.limit.days)
        return self.start_day - 1 + min(lengths)

    def doses(self) -> Iterator[tuple[float, int, int]]:
        """Planned doses ``(time_days from the start of the phase, cycle, day)`` in time order; may never end."""
        cycle = 0
        last = 1 if self.interval_days is None else self.cycles
        while last is None or cycle < last:
            start = self.start_day - 1 + cycle * (self.interval_days or 0)
            for day in self.days:
                for dose_number in range(self.per_day):
                    time = start + day - 1 + dose_number / self.per_day
                    if self.limit is not None and time >= self.start_day - 1 + self.limit.days:
                        return
                    yield time, cycle + 1, day
            cycle += 1

    def __str__(self) -> str:
        dose = f"AUC {number_text(self.amount)}" if self.unit == "AUC" else f"{number_text(self.amount)} {self.unit}"
        words = [self.drug.replace("_", "-"), dose]
        if self.loading is not None:
            load = number_text(self.loading)
            words.append(f"with loading dose {'AUC ' + load if self.unit == 'AUC' else load + ' ' + self.unit}")
        if self.max_mg is not None:
            words.append(f"max {number_text(self.max_mg)} mg")
        if self.target is not None:
            words.append(f"to {self.target}")
        if self.route is not None:
            words.append(self.route)
        if self.infusion_hours is not None:
            words.append(f"over {_infusion_text(self.infusion_hours)}")
        if self.per_day != 1:
            words.append(f"{_TIMES[self.per_day]} daily")
        if self.days != (1,):
            words.append(f"on days {_days_text(self.days)}" if len(self.days) > 1 else f"on day {self.days[0]}")
        words.append(_interval_text(self.interval_days))
        if self.start_day != 1:
            words.append(f"from day {self.start_day}")
        if self.cycles is not None and self.interval_days is not None:
            words.append(f"for up to {self.cycles} cycle{'' if self.cycles == 1 else 's'}")
        if self.limit is not None:
            words.append(f"for up to {self.limit}")
        if self.until_progression:
            words.append("until progression")
        return " ".join(words)


@dataclass(frozen=True)
class Phase:
    """Rules that run side by side, after a pause of `pause_days`; `inactive` names parts such as placebo."""

    rules: tuple[DoseRule, ...]
    inactive: tuple[str, ...] = ()
    pause_days: int = 0

    @property
    def length_days(self) -> float:
        """Planned length: until the last rule that ends has ended; infinite where none ends."""
        lengths = [rule.length_days for rule in self.rules if rule.ends]
        return max(lengths) if lengths else math.inf

    def __str__(self) -> str:
        return " + ".join([str(rule) for rule in self.rules] + list(self.inactive))


@dataclass(frozen=True, order=True)
class PlannedDose:
    """One administration as planned, before any delay: `phase` and `rule` index into the regimen."""

    time_days: float
    phase: int
    rule: int
    cycle: int
    day: int
    first: bool = field(default=False, compare=False)
    """The very first dose of its rule (a loading dose goes here)."""


@dataclass(frozen=True)
class Regimen:
    """What one patient is given: phases that follow each other. No phase with a rule means no drug at all."""

    phases: tuple[Phase, ...] = ()

    @property
    def drugs(self) -> tuple[str, ...]:
        """Names of the drugs, each once, in order of appearance."""
        return tuple(dict.fromkeys(rule.drug for phase in self.phases for rule in phase.rules))

    @property
    def rules(self) -> tuple[DoseRule, ...]:
        """All rules, phase after phase."""
        return tuple(rule for phase in self.phases for rule in phase.rules)

    @property
    def length_days(self) -> float:
        """Planned length; infinite where a rule of the last phase never ends, 0 without drugs."""
        if not self.rules:
            return 0.0
        start = sum(phase.pause_days + phase.length_days for phase in self.phases[:-1])
        final = self.phases[-1]
        return start + final.pause_days + max((rule.length_days for rule in final.rules), default=0.0)

    def phase_starts(self) -> tuple[float, ...]:
        """Planned start of each phase in days."""
        starts, clock = [], 0.0
        for phase in self.phases:
            clock += phase.pause_days
            starts.append(clock)
            clock += phase.length_days
        return tuple(starts)

    def planned(self, until_days: float) -> list[PlannedDose]:
        """All planned doses before `until_days`, in time order (rules that never end stop with their phase)."""
        doses: list[PlannedDose] = []
        starts = self.phase_starts()
        for p, (phase, start) in enumerate(zip(self.phases, starts, strict=True)):
            end = until_days if p == len(self.phases) - 1 else min(until_days, start + phase.length_days)
            for r, rule in enumerate(phase.rules):
                for k, (time, cycle, day) in enumerate(rule.doses()):
                    if start + time >= end:
                        break
                    doses.append(PlannedDose(start + time, p, r, cycle, day, first=k == 0))
        return sorted(doses)

    def __str__(self) -> str:
        texts = []
        for p, phase in enumerate(self.phases):
            pause = f"after {phase.pause_days} day{'' if phase.pause_days == 1 else 's'} " if phase.pause_days else ""
            texts.append(("then " if p else "") + pause + str(phase))
        return ", ".join(texts) if texts else "observation"


_TIMES = {1: "once", 2: "twice", 3: "three times", 4: "four times"}


def _interval_text(days: int | None) -> str:
    if days is None:
        return "once"
    count, unit = (days // 7, "week") if days % 7 == 0 else (days, "day")
    return f"every {unit}" if count == 1 else f"every {count} {unit}s"


def _days_text(days: tuple[int, ...]) -> str:
    """``1-14``, ``1, 8 and 15``: runs of three or more consecutive days become a range."""
    runs: list[list[int]] = []
    for day in days:
        if runs and day == runs[-1][-1] + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    texts: list[str] = []
    for run in runs:
        texts += [f"{run[0]}-{run[-1]}"] if len(run) > 2 else [str(day) for day in run]
    return texts[0] if len(texts) == 1 else ", ".join(texts[:-1]) + " and " + texts[-1]


def _infusion_text(hours: float) -> str:
    if hours == 0:
        return "0 minutes"
    minutes = hours * 60
    if minutes == int(minutes) and minutes / 60 == hours and minutes < 120:
        return f"{number_text(minutes)} minute{'' if minutes == 1 else 's'}"
    return f"{number_text(hours)} hour{'' if hours == 1 else 's'}"
