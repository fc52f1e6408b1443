"""From a regimen and a patient to the doses that are given: milligrams, delays, reductions; amounts for the engine.

Doses by body surface take the patient's surface, doses by AUC the Calvert formula [calvert1989] with a filtration rate
of at most 125 mL/min [fda2010].
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from immunescape.errors import InputError, unknown_word
from immunescape.trial.regimen import UNITS, DoseRule, PlannedDose, Regimen

if TYPE_CHECKING:
    from immunescape.engine.api import Doses

__all__ = [
    "CALVERT_NONRENAL",
    "MAX_GFR",
    "BodySize",
    "DoseChange",
    "DoseRecord",
    "administered",
    "calvert_mg",
    "dose_amount",
    "dose_mg",
    "dose_problem",
    "to_doses",
]

MAX_GFR = 125.0
"""Largest filtration rate (mL/min) that a carboplatin dose is computed with [fda2010]."""
CALVERT_NONRENAL = 25.0
"""Clearance of carboplatin that is not renal, mL/min [calvert1989]."""
TOO_MUCH = 20.0
"""A dose of more than this many times the largest usual one is refused: a slip of the pen, such as mg/kg for mg."""
_MASS = {"mg": 1.0, "g": 1000.0, "ug": 1e-3}
_BASE = {
    "mg": ("mg", 1.0),
    "g": ("mg", 1e3),
    "ug": ("mg", 1e-3),
    "IU": ("IU", 1.0),
    "MIU": ("IU", 1e6),
    "cells": ("cells", 1.0),
    "Gy": ("Gy", 1.0),
    "CFU": ("CFU", 1.0),
    "dose": ("dose", 1.0),
}
"""Unit without its denominator -> the unit in which doses are recorded, and how many of it."""


@dataclass(frozen=True)
class BodySize:
    """What doses depend on. Without further information, a reference patient."""

    weight_kg: float = 70.0
    bsa_m2: float = 1.8
    crcl_ml_min: float = 90.0

    @classmethod
    def of(cls, covariates: Mapping[str, Any]) -> BodySize:
        """Take it from a patient's covariates (a row of the patient table).

        Raises
        ------
        InputError
            If a value is missing or not positive.
        """
        values = {}
        for name in ("weight_kg", "bsa_m2", "crcl_ml_min"):
            value = float(covariates[name]) if name in covariates else math.nan
            if not (math.isfinite(value) and value > 0):
                raise InputError(
                    f"'{name}' of the patient is {value:g}", hint="Doses need weight, surface and creatinine clearance."
                )
            values[name] = value
        return cls(**values)


@dataclass(frozen=True)
class DoseChange:
    """What toxicity does to a patient's doses from `time_days` (time on treatment) on.

    Attributes
    ----------
    kind : ``delay`` (all later doses are moved by `value` days), ``skip`` (doses within `value` days are left out),
        ``reduce`` (all later doses are multiplied by `value`) or ``stop``.
    drugs : the drugs that it concerns; None: all.
    """

    time_days: float
    kind: Literal["delay", "skip", "reduce", "stop"]
    value: float = 0.0
    drugs: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        good = {"delay": self.value > 0, "skip": self.value > 0, "reduce": 0 < self.value <= 1, "stop": True}
        if not (math.isfinite(self.time_days) and math.isfinite(self.value) and good[self.kind]):
            raise InputError(f"a dose cannot be changed by '{self.kind}' {self.value:g} at day {self.time_days:g}")


@dataclass(frozen=True, kw_only=True)
class DoseRecord:
    """One dose as given. `phase` and `rule` index into the regimen; `planned` is before reductions.

    `amount` is in `unit`: mg, or IU, cells, Gy, CFU, dose for what has no mass.
    """

    time_days: float
    drug: str
    amount: float
    planned: float
    planned_days: float
    duration_hours: float | None
    phase: int
    rule: int
    cycle: int
    day: int
    unit: str = "mg"
    route: str | None = None

    def at(self, time_days: float) -> DoseRecord:
        """Return the same dose at another time."""
        return DoseRecord(
            time_days=time_days,
            drug=self.drug,
            amount=self.amount,
            planned=self.planned,
            planned_days=self.planned_days,
            duration_hours=self.duration_hours,
            phase=self.phase,
            rule=self.rule,
            cycle=self.cycle,
            day=self.day,
            unit=self.unit,
            route=self.route,
        )


def calvert_mg(auc: float, crcl_ml_min: float) -> float:
    """Dose of carboplatin in mg for a target AUC (mg/mL·min): ``AUC · (min(GFR, 125) + 25)`` [calvert1989, fda2010]."""
    return auc * (min(crcl_ml_min, MAX_GFR) + CALVERT_NONRENAL)


def dose_mg(amount: float, unit: str, size: BodySize, *, max_mg: float | None = None) -> float:
    """Convert a dose to mg for one patient.

    Parameters
    ----------
    amount, unit
        As in :class:`~immunescape.trial.regimen.DoseRule`.
    size
        The patient's weight, surface and creatinine clearance.
    max_mg
        Cap of the dose.

    Raises
    ------
    InputError
        For an amount that is not positive, and for units of activity or of cells, which have no mass.
    """
    if not (math.isfinite(amount) and amount > 0):
        raise InputError(f"a dose of {amount:g} {unit} cannot be given", hint="Doses are greater than zero.")
    top, _, below = unit.partition("/")
    if unit == "AUC":
        mg = calvert_mg(amount, size.crcl_ml_min)
    elif top in _MASS and below in ("", "kg", "m2"):
        mg = amount * _MASS[top] * {"": 1.0, "kg": size.weight_kg, "m2": size.bsa_m2}[below]
    else:
        raise InputError(f"a dose in {unit} has no mass in mg", hint="Write it in mg, mg/kg, mg/m2 or AUC.")
    return mg if max_mg is None else min(mg, max_mg)


def dose_amount(amount: float, unit: str, size: BodySize, *, max_mg: float | None = None) -> tuple[float, str]:
    """Convert a dose to mg for one patient, or to IU, cells, Gy, CFU or doses where it has no mass.

    Parameters are those of :func:`dose_mg`.

    Returns
    -------
    amount, unit
    """
    top, _, below = unit.partition("/")
    if unit == "AUC" or top in _MASS:
        return dose_mg(amount, unit, size, max_mg=max_mg), "mg"
    if not (math.isfinite(amount) and amount > 0):
        raise InputError(f"a dose of {amount:g} {unit} cannot be given", hint="Doses are greater than zero.")
    if top not in _BASE or below not in ("", "kg", "m2"):
        raise unknown_word("unit", unit, UNITS)
    base, factor = _BASE[top]
    return amount * factor * {"": 1.0, "kg": size.weight_kg, "m2": size.bsa_m2}[below], base


def dose_problem(drug: str, amount: float, unit: str) -> str | None:
    """Why a dose is impossible, or None. Compared with the largest usual dose in a patient of 70 kg and 1.8 m2."""
    from immunescape.model.drug_tables import usual_doses

    if not (math.isfinite(amount) and amount > 0):
        return "a dose must be greater than zero"
    usual = usual_doses().get(drug)
    if usual is None:
        return None
    reference = BodySize()
    (mine, kind), (most, other) = (
        dose_amount(amount, unit, reference),
        dose_amount(usual.value, usual.unit, reference),
    )
    if kind != other:
        return None
    times = mine / most
    if times <= TOO_MUCH:
        return None
    many = f"{times:.0f}" if times < 1e6 else f"{times:.0e}"
    return f"{amount:g} {unit} is {many} times the largest usual dose of {drug} ({usual.value:g} {usual.unit})"


def administered(
    regimen: Regimen,
    size: BodySize,
    *,
    until_days: float,
    changes: Sequence[DoseChange] = (),
    planned: Sequence[PlannedDose] | None = None,
) -> list[DoseRecord]:
    """Doses that a patient is given from day 0 to before `until_days`, in time order.

    Parameters
    ----------
    regimen
        The planned treatment.
    size
        The patient's weight, surface and creatinine clearance.
    until_days
        When treatment ends at the latest (progression, death, end of follow-up).
    changes
        Delays, omissions, reductions and stops. A delay moves all later doses of its drugs, and with them later
        phases; a limit in cycles is then reached later, a limit in months holds by the calendar.
    planned
        ``regimen.planned(until_days)``, where it is at hand.

    Returns
    -------
    list of DoseRecord
        Amounts after caps and reductions.
    """
    rows_of: dict[str, list[PlannedDose]] = {drug: [] for drug in regimen.drugs}
    for dose in regimen.planned(until_days) if planned is None else planned:
        rows_of[regimen.phases[dose.phase].rules[dose.rule].drug].append(dose)
    records: list[DoseRecord] = []
    for drug, rows in rows_of.items():
        mine = sorted((c for c in changes if c.drugs is None or drug in c.drugs), key=lambda c: c.time_days)
        records += _given(regimen, drug, rows, mine, size, until_days)
    return sorted(records, key=lambda r: (r.time_days, r.phase, r.rule))


def _given(
    regimen: Regimen, drug: str, rows: list[PlannedDose], changes: list[DoseChange], size: BodySize, until_days: float
) -> list[DoseRecord]:
    shift, factor, skip_until, done = 0.0, 1.0, -math.inf, 0
    started: dict[tuple[int, int], float] = {}
    records: list[DoseRecord] = []
    for dose in rows:
        rule: DoseRule = regimen.phases[dose.phase].rules[dose.rule]
        while done < len(changes) and changes[done].time_days <= dose.time_days + shift + 1e-9:
            change = changes[done]
            done += 1
            if change.kind == "stop":
                return records
            if change.kind == "delay":
                shift += change.value
            elif change.kind == "reduce":
                factor *= change.value
            else:
                skip_until = max(skip_until, change.time_days + change.value)
        time = dose.time_days + shift
        first = started.setdefault((dose.phase, dose.rule), time)
        if time >= until_days or time < skip_until - 1e-9:
            continue
        if rule.limit is not None and time >= first + rule.limit.days:
            continue
        amount = rule.loading if dose.first and rule.loading is not None else rule.amount
        planned, unit = dose_amount(amount, rule.unit, size, max_mg=rule.max_mg)
        records.append(
            DoseRecord(
                time_days=time,
                drug=drug,
                amount=planned * factor,
                planned=planned,
                planned_days=dose.time_days,
                duration_hours=rule.infusion_hours,
                phase=dose.phase,
                rule=dose.rule,
                cycle=dose.cycle,
                day=dose.day,
                unit=unit,
                route=rule.route,
            )
        )
    return records


def to_doses(
    records: Iterable[DoseRecord], drugs: Mapping[str, Any] | None = None, *, start_days: float = 0.0
) -> Doses:
    """Doses in the engine's terms: amounts into the state that each drug declares.

    Milligrams become nanomoles by the molar mass; what has no mass takes the drug's ``dose_amounts``. Long runs of
    daily doses that are absorbed (oral, subcutaneous) become one zero-order input (:mod:`immunescape.trial.lumping`).

    Parameters
    ----------
    records
        As from :func:`administered`.
    drugs
        Drug records by name (``molar_mass``, ``dose_state``, ``infusion_hours``); None takes the registered ones.
    start_days
        Model time at which treatment starts; added to all times.

    Raises
    ------
    InputError
        For a drug without molar mass or dosed state, or an amount that is negative or not finite.
    """
    from immunescape.engine.api import Doses
    from immunescape.trial.lumping import lumped

    if drugs is None:
        from immunescape.model.registry import drugs as registered

        drugs = registered()
    times, targets, amounts, durations = [], [], [], []
    for record, count, days in lumped(records, lambda r: r.route or getattr(drugs[r.drug], "route", "iv")):
        drug = drugs[record.drug]
        factor = 1e6 / drug.molar_mass if record.unit == "mg" and drug.molar_mass > 0 else 0.0
        factor = getattr(drug, "dose_amounts", {}).get(record.unit, factor)
        if not (factor > 0 and drug.dose_state):
            raise InputError(
                f"'{record.drug}' cannot be dosed in {record.unit}", hint="Its record needs molar_mass and dose_state."
            )
        if not (math.isfinite(record.amount) and record.amount >= 0):
            raise InputError(f"a dose of {record.amount:g} {record.unit} of {record.drug} at day {record.time_days:g}")
        hours = drug.infusion_hours if record.duration_hours is None else record.duration_hours
        times.append(start_days + record.time_days)
        targets.append(getattr(drug, "route_states", {}).get(record.route, drug.dose_state))
        amounts.append(record.amount * factor * count)
        durations.append(hours / 24.0 if count == 1 else days)
    return Doses(np.array(times, float), tuple(targets), np.array(amounts, float), np.array(durations, float))
