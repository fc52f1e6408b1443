"""Severe toxicity over time, and what it does to the treatment: delay, reduction, stop, death.

The knowledge base holds, per regimen, the share of patients with a treatment-related adverse event of grade 3 to 5, who
stopped because of toxicity, and who died of it, over the treatment as it was given in the source. Here they become one
process in time:

- events of grade >= 3 come with a hazard while the treatment is given. With p the share of patients over a mean time on
  treatment T, the hazard is -ln(1 - p) / T;
- an event is fatal with probability (share of deaths) / (share of grade >= 3). Else it ends the treatment of the
  component that caused it, with probability (share of stops - share of deaths) / (share of grade >= 3), at most the rest;
- else the next doses are delayed by whole weeks, and cytotoxic drugs are given at a reduced dose from then on, at most
  twice.

Stops because of milder events are so counted as severe ones; trials report the two together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from immunescape.trial.coefficients import coefficients
from immunescape.trial.recist import DAYS_PER_MONTH

if TYPE_CHECKING:
    from immunescape.trial.dosing import DoseChange

__all__ = ["ToxicityCourse", "ToxicityEvent", "ToxicityRisk", "regimen_risks", "simulate_toxicity"]


@dataclass(frozen=True)
class ToxicityRisk:
    """Risk of one component of a treatment: one or several drugs given together.

    Attributes
    ----------
    drugs : the drugs.
    grade3, stop, death : shares (0 to 1) of patients with an event of grade >= 3, who stopped, who died of toxicity.
    months : mean time on treatment over which these shares were seen.
    reducible : whether its dose is reduced after an event (cytotoxic drugs; antibodies are not).
    """

    drugs: tuple[str, ...]
    grade3: float
    stop: float
    death: float
    months: float
    reducible: bool

    @property
    def rate_per_day(self) -> float:
        """Hazard of an event of grade >= 3 on treatment."""
        return -math.log1p(-min(self.grade3, 0.999)) / (self.months * DAYS_PER_MONTH)

    @property
    def fatal(self) -> float:
        """Probability that an event is fatal."""
        return min(self.death / self.grade3, 1.0) if self.grade3 > 0 else 0.0

    @property
    def ends(self) -> float:
        """Probability that an event ends the treatment without being fatal."""
        if self.grade3 <= 0:
            return 0.0
        return min(max(self.stop - self.death, 0.0) / self.grade3, 1.0 - self.fatal)


@dataclass(frozen=True)
class ToxicityEvent:
    """One event of grade >= 3: day on treatment, drugs blamed, and outcome."""

    day: float
    drugs: tuple[str, ...]
    outcome: str
    """``fatal``, ``stop``, ``reduce`` or ``delay``."""


@dataclass(frozen=True)
class ToxicityCourse:
    """What toxicity does to one patient on one regimen, were the treatment never stopped for another reason.

    `events` in time order, `changes` for the dosing. All times are days since the start of the regimen.
    """

    events: tuple[ToxicityEvent, ...]
    changes: tuple[DoseChange, ...]

    def before(self, day: float) -> tuple[ToxicityEvent, ...]:
        """Events before a day (end of treatment)."""
        return tuple(event for event in self.events if event.day < day)

    @property
    def death_day(self) -> float | None:
        """Day of a fatal event; None without one."""
        return next((event.day for event in self.events if event.outcome == "fatal"), None)

    @property
    def stop_day(self) -> float | None:
        """Day of the first event that ended the treatment of some component; None without one."""
        return next((event.day for event in self.events if event.outcome in ("stop", "fatal")), None)


def simulate_toxicity(
    risks: Sequence[ToxicityRisk],
    exposure: Mapping[str, tuple[float, float]],
    rng: np.random.Generator,
    *,
    cycle_days: float = 21.0,
) -> ToxicityCourse:
    """Draw the severe events of one patient on one regimen.

    Parameters
    ----------
    risks
        Components of the regimen; see :func:`regimen_risks`.
    exposure
        Drug -> (first, last) day on which it is planned; an event of a component needs one of its drugs to be given.
        A drug counts as given until one cycle after its last dose.
    rng
        The patient's own generator. Components are drawn one after the other, each from its own child generator.
    cycle_days
        Length of a cycle.

    Returns
    -------
    ToxicityCourse
        After a fatal event nothing follows.
    """
    from immunescape.trial.dosing import DoseChange

    table = coefficients("dose_modification")
    delay_days = round(table["delay"].value / 7.0) * 7.0
    factor, most = table["reduction"].value, int(table["most_reductions"].value)
    events: list[ToxicityEvent] = []
    changes: list[tuple[float, DoseChange]] = []
    for risk, own in zip(risks, rng.spawn(len(risks)), strict=True):
        spans = [exposure[drug] for drug in risk.drugs if drug in exposure]
        if not spans or risk.grade3 <= 0:
            continue
        day = min(first for first, _ in spans)
        end = max(last for _, last in spans) + cycle_days
        reductions = 0
        while True:
            day += own.exponential(1.0 / risk.rate_per_day)
            verdict = own.uniform()
            if day >= end:
                break
            if verdict < risk.fatal:
                outcome = "fatal"
                changes.append((day, DoseChange(day, "stop")))
            elif verdict < risk.fatal + risk.ends:
                outcome = "stop"
                changes.append((day, DoseChange(day, "stop", drugs=risk.drugs)))
            else:
                outcome = "delay"
                changes.append((day, DoseChange(day, "delay", delay_days)))
                end += delay_days
                if risk.reducible and reductions < most:
                    outcome, reductions = "reduce", reductions + 1
                    changes.append((day, DoseChange(day, "reduce", factor, risk.drugs)))
            events.append(ToxicityEvent(day, risk.drugs, outcome))
            if outcome in ("fatal", "stop"):
                break
    events.sort(key=lambda event: event.day)
    fatal = next((event.day for event in events if event.outcome == "fatal"), math.inf)
    return ToxicityCourse(
        tuple(event for event in events if event.day <= fatal),
        tuple(change for day, change in sorted(changes, key=lambda pair: pair[0]) if day <= fatal),
    )
