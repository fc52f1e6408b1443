"""Severe toxicity over time, and what it does to the treatment: delay, reduction, stop, death.

The knowledge base (:mod:`immunescape.model.toxicity`) holds, for any set of drugs, the shares of patients with a
treatment-related adverse event of grade >= 3, who stopped because of toxicity, and who died of it, over a full course;
the lognormal time to the first such event; how often a cycle is late; how often cytotoxic doses are reduced. Here they
become a course of one patient:

- the patient is one who would have a severe event or not; the event comes at its lognormal time, unless treatment has
  ended by then. The published share is over courses that ended, so the chance before any ending is higher: the share
  over the probability that a course lasts until the event (exponential, with the published median time on treatment);
- an event is fatal, ends all treatment, or neither, by the shares of deaths and stops among the patients with an event.
  Stops because of milder events are so counted as severe ones;
- an event belongs to a drug, drawn by the share that each alone has of severe events, and its time counts from that
  drug's first dose: a drug harms nobody before it is given;
- each cycle after the first is late with the share of late cycles, by whole weeks; cytotoxic doses are reduced with the
  share of reductions, from the event on where there is one, else from one of the cycles 2 to 4.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from immunescape.units import DAYS_PER_MONTH

if TYPE_CHECKING:
    from immunescape.model.toxicity import Toxicity
    from immunescape.trial.dosing import DoseChange
    from immunescape.trial.regimen import Regimen

__all__ = [
    "NO_TOXICITY",
    "ToxicityCourse",
    "ToxicityEvent",
    "contains_class",
    "lasting",
    "regimen_toxicity",
    "simulate_toxicity",
]


@dataclass(frozen=True)
class ToxicityEvent:
    """One event of grade >= 3: days since the start of the regimen, and outcome.

    `outcome` is ``fatal``, ``stop`` (all treatment) or ``continue``.
    """

    day: float
    outcome: str


@dataclass(frozen=True)
class ToxicityCourse:
    """What toxicity does to one patient on one regimen, were the treatment never stopped for another reason.

    Attributes
    ----------
    events : in time order. changes : what toxicity does to the doses.
    """

    events: tuple[ToxicityEvent, ...] = ()
    changes: tuple[DoseChange, ...] = ()

    def before(self, day: float) -> tuple[ToxicityEvent, ...]:
        """Events up to a day (end of treatment)."""
        return tuple(event for event in self.events if event.day <= day)

    @property
    def death_day(self) -> float | None:
        """Day of a fatal event; None without one."""
        return next((event.day for event in self.events if event.outcome == "fatal"), None)

    @property
    def stop_day(self) -> float | None:
        """Day of the event that ended treatment, fatal or not; None without one."""
        return next((event.day for event in self.events if event.outcome != "continue"), None)


NO_TOXICITY = ToxicityCourse()


def regimen_toxicity(regimen: Regimen) -> Toxicity | None:
    """Harm of all drugs of a regimen, taken as given together; None for a regimen without drugs."""
    if not regimen.drugs:
        return None
    from immunescape.model.toxicity import toxicity

    return toxicity(regimen.drugs)


def contains_class(drugs: Iterable[str], name: str) -> bool:
    """Whether some drug belongs to a class of the toxicity tables, such as ``cytotoxic`` or ``ici``."""
    from immunescape.model.drug_tables import drug_classes

    classes_of = drug_classes()
    return any(name in classes_of.get(drug, frozenset()) for drug in drugs)


@lru_cache(maxsize=256)
def lasting(harm: Toxicity) -> float:
    """Probability that a course of treatment lasts until the first severe event: E[exp(-onset / mean duration)]."""
    from immunescape.trial.coefficients import coefficients

    kind = "exposure_ici" if contains_class(harm.drugs, "ici") else "exposure_cytotoxic"
    mean_weeks = coefficients("trial_conduct")[kind].value * DAYS_PER_MONTH / 7.0 / math.log(2.0)
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    onset = harm.onset_median_weeks * np.exp(harm.onset_spread * nodes)
    return float((weights / weights.sum()) @ np.exp(-onset / mean_weeks))


def simulate_toxicity(
    harm: Toxicity | None,
    cycle_starts: Iterable[float],
    last_day: float,
    rng: np.random.Generator,
    first_doses: Mapping[str, float] | None = None,
) -> ToxicityCourse:
    """Draw the toxicity of one patient on one regimen.

    Parameters
    ----------
    harm
        Of the regimen's drugs; None: no drug, no toxicity.
    cycle_starts
        Planned starts of the cycles, days since the start of the regimen.
    last_day
        Planned end of treatment: a cycle after the last dose.
    rng
        The patient's own generator.
    first_doses
        Day of each drug's first dose; None: all are given from day 0 on.

    Returns
    -------
    ToxicityCourse
        Delays are whole weeks. Nothing follows a fatal event or a stop.
    """
    if harm is None:
        return NO_TOXICITY
    from immunescape.model.drug_tables import drug_classes
    from immunescape.trial.dosing import DoseChange

    severe, verdict, reduce, at_cycle = (float(u) for u in rng.uniform(size=4))
    onset = 7.0 * harm.onset_median_weeks * math.exp(harm.onset_spread * float(rng.standard_normal()))
    starts = sorted(cycle_starts)
    late = rng.uniform(size=len(starts))
    weeks = max(round(harm.delay_weeks), 1)
    changes = []
    delayed = 0.0
    for start, draw in zip(starts[1:], late[1:], strict=True):
        if draw < harm.delay_per_cycle:
            changes.append(DoseChange(start + delayed, "delay", 7.0 * weeks))
            delayed += 7.0 * weeks
    onset += _first_day(harm, first_doses or {}, rng)
    events: tuple[ToxicityEvent, ...] = ()
    if severe < min(harm.grade3 / lasting(harm), 0.98) and onset <= last_day + delayed:
        fatal = min(harm.death / harm.grade3, 1.0)
        ends = max(harm.discontinuation - harm.death, 0.0) / harm.grade3
        outcome = "fatal" if verdict < fatal else "stop" if verdict < fatal + ends else "continue"
        events = (ToxicityEvent(onset, outcome),)
        if outcome != "continue":
            return ToxicityCourse(events, (*(c for c in changes if c.time_days < onset), DoseChange(onset, "stop")))
    cytotoxic = tuple(d for d in harm.drugs if "cytotoxic" in drug_classes().get(d, frozenset()))
    if cytotoxic and reduce < harm.dose_reduction and 0 < harm.reduced_dose < 1 and len(starts) > 1:
        pick = starts[min(1 + int(3 * at_cycle), len(starts) - 1)]
        changes.append(DoseChange(events[0].day if events else pick, "reduce", harm.reduced_dose, cytotoxic))
    return ToxicityCourse(events, tuple(sorted(changes, key=lambda c: c.time_days)))


def _first_day(harm: Toxicity, first_doses: Mapping[str, float], rng: np.random.Generator) -> float:
    """Day of the first dose of the drug to which the severe event belongs."""
    days = [first_doses.get(drug, 0.0) for drug in harm.drugs]
    if max(days) - min(days) < 1e-9:
        return days[0]
    weights = np.cumsum([_alone(drug) for drug in harm.drugs])
    return days[int(np.searchsorted(weights, float(rng.uniform()) * weights[-1], side="right"))]


@lru_cache(maxsize=256)
def _alone(drug: str) -> float:
    """Cumulative hazard of a severe event of a drug given alone."""
    from immunescape.model.toxicity import toxicity

    return -math.log1p(-min(toxicity((drug,)).grade3, 0.98))
