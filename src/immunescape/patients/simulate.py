"""Simulate one virtual patient: first the course as a trial would see it, then the model day by day along it.

``conduct="trial"`` treats the patient as a trial does: doses are delayed, reduced and stopped by toxicity, treatment
ends with progression, the patient may die. The scans and the doses given come from that course; the model is then
integrated once more with these doses and daily outputs. ``conduct="planned"`` gives every planned dose and follows the
model alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from immunescape.errors import EngineError, InputError, several, unknown_word
from immunescape.patients.course import PatientCourse
from immunescape.patients.engine_doses import doses_after_visits

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.engine.api import Compiled
    from immunescape.model.assembly import Model
    from immunescape.patients.virtual_patient import VirtualPatient
    from immunescape.population.diagnosis import Grower
    from immunescape.trial.dosing import DoseRecord
    from immunescape.trial.regimen import Regimen

__all__ = ["SCANS", "simulate_patient"]

SCANS = "weeks 6 and 12 then every 9 weeks"
"""Default of the scans, as in many trials of lung cancer."""
LONGEST_MONTHS = 240.0
Conduct = Literal["trial", "planned"]
UNTREATED = ("", "none", "untreated")


def simulate_patient(
    patient: VirtualPatient,
    regimen: str = "none",
    *,
    months: float = 24.0,
    conduct: Conduct = "trial",
    observe: str | Sequence[str] | None = None,
    every_days: float = 1.0,
    scans: str | None = None,
    engine: str = "auto",
    rtol: float | None = None,
    model: Model | None = None,
    label: str = "",
) -> PatientCourse:
    """Simulate a patient from diagnosis (or from the end of the patient's earlier lines) under a regimen.

    Parameters
    ----------
    patient
        The patient.
    regimen
        Regimen text with doses in clinical units, e.g. ``pembrolizumab 200 mg every 3 weeks``; ``none`` for no
        treatment.
    months
        How long, at most; with ``conduct="trial"`` the course ends with death.
    conduct
        ``trial``: doses are delayed, reduced and stopped by toxicity, treatment ends with progression, and the patient
        may die. ``planned``: every planned dose is given and only the model is followed.
    observe
        States, quantities or parameters of the model to put out; None takes all observables.
    every_days
        Interval of the outputs.
    scans
        Visit schedule of the scans (``conduct="trial"``), on exactly these days; None takes `SCANS`, for a patient of a
        trial that trial's, with the days on which this patient came.
    engine, rtol
        Engine by name and its relative tolerance; None takes that with which the patient was made.
    model
        The model to use; None takes the full one with the drugs of the regimen.
    label
        Name of the course in tables and plots; the regimen where empty.

    Raises
    ------
    InputError
        For a regimen, name or number that cannot be used; names the nearest valid word.
    EngineError
        Where the patient's integration fails.
    """
    from immunescape.units import DAYS_PER_MONTH

    if conduct not in ("trial", "planned"):
        raise unknown_word("conduct", str(conduct), ("trial", "planned"))
    _check_number("months", months, 0.0, LONGEST_MONTHS)
    _check_number("every_days", every_days, 0.0, months * DAYS_PER_MONTH)
    if rtol is None:
        rtol = patient.rtol
    _check_number("rtol", rtol, 0.0, 0.1)
    given = _regimen(regimen)
    used, compiled = _prepared(patient, given, model, engine)
    names = _outputs(used, observe)
    horizon = months * DAYS_PER_MONTH
    course: dict[str, Any] = {"compiled": compiled, "rtol": rtol}
    followed, row, visits = _followed(
        patient, used, regimen=given, months=months, scans=scans, conduct=conduct, engine=engine, **course
    )
    if conduct == "trial":
        end = horizon if row["death_day"] is None else min(horizon, float(row["death_day"]))
        doses = followed["doses"]
    else:
        end, doses = horizon, _planned(patient, given, horizon)
    text = str(given) if given.drugs else "no treatment"
    table = _trajectory(
        patient, used, followed=followed, names=names, doses=doses, end=end, every_days=every_days, **course
    )
    return PatientCourse(
        patient=patient,
        regimen=text,
        label=label or text,
        conduct=conduct,
        months=months,
        table=table,
        units={name: used.unit(name) for name in names},
        meanings={name: _meaning(used, name) for name in names},
        doses=_dose_table(doses),
        scans=visits,
        outcome=_outcome(row, len(doses)) if conduct == "trial" else {},
        start=dict(followed["start"]),
        model=used,
        given=tuple(doses),
    )


def _outputs(model: Model, observe: Sequence[str] | str | None) -> tuple[str, ...]:
    """Names to put out, each once; all observables where none are named. An unknown one is refused."""
    if observe is None:
        return _observables(model)
    names = tuple(dict.fromkeys(several(observe)))
    for name in names:
        model.unit(name)
    return names


def _regimen(text: Any) -> Regimen:
    """Read a regimen text; none for the words of no treatment."""
    from immunescape.trial.grammar import parse_regimen
    from immunescape.trial.regimen import Regimen

    if not isinstance(text, str):
        raise InputError(
            f"the regimen is {text!r}", hint="Give one text; several regimens are compared by patient.compare([…])."
        )
    return Regimen() if text.strip().casefold() in UNTREATED else parse_regimen(text)


def _check_number(name: str, value: Any, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not low < float(value) <= high:
        raise InputError(f"{name} is {value!r}", hint=f"A number above {low:g}, at most {high:g}.")


@lru_cache(maxsize=8)
def _shipped(drugs: tuple[str, ...], engine: str, specificity: str) -> tuple[Model, Compiled]:
    from immunescape.engine import get_engine
    from immunescape.population.reference_baseline import prepared_model

    model = prepared_model(drugs, specificity)
    return model, model.compiled(get_engine(engine))


_COMPILED: dict[tuple[int, str], tuple[Model, Compiled]] = {}
"""The last models that users brought, compiled; each is kept, so that its identity stays its own."""


def _prepared(patient: VirtualPatient, regimen: Regimen, model: Model | None, engine: str) -> tuple[Model, Compiled]:
    needed = dict.fromkeys(d for line in patient.prior for c in line.choices for d in c.regimen.drugs)
    needed |= dict.fromkeys(regimen.drugs)
    if model is None and patient.mechanisms:
        from immunescape.population.reference_baseline import extended_model

        model = extended_model(patient.mechanisms, tuple(dict.fromkeys((*patient.drugs, *needed))), patient.specificity)
    if model is None:
        return _shipped(tuple(dict.fromkeys((*patient.drugs, *needed))), engine, patient.specificity)
    lacking = [d for d in needed if d not in {drug.name for drug in model.drugs}]
    if lacking:
        raise InputError(f"the model has no {', '.join(lacking)}", hint="Build it with the drugs of the regimen.")
    key = (id(model), engine)
    if key not in _COMPILED:
        from immunescape.engine import get_engine

        while len(_COMPILED) >= 4:
            _COMPILED.pop(next(iter(_COMPILED)))
        _COMPILED[key] = (model, get_engine(engine).compile(model.to_sbml()))
    return _COMPILED[key]


def _observables(model: Model) -> tuple[str, ...]:
    return tuple(name for name, quantity in model.quantities.items() if quantity.observable)


def _meaning(model: Model, name: str) -> str:
    for group in (model.quantities, model.states):
        if name in group:
            return str(group[name].meaning)
    return str(getattr(model.parameters.get(name), "note", "") or name)


def _followed(
    patient: VirtualPatient,
    model: Model,
    *,
    compiled: Compiled,
    regimen: Regimen,
    months: float,
    scans: str | None,
    rtol: float,
    conduct: str,
    engine: str = "auto",
) -> tuple[dict[str, Any], dict[str, Any], pd.DataFrame]:
    """State and parameters at the start, doses given, row and scans of the patient in a trial of one patient."""
    import pandas as pd

    from immunescape.trial.schedule import Schedule
    from immunescape.trial.simulate import BlockSimulator
    from immunescape.trial.spec import Arm, Choice, Endpoints, Enrolment, Trial
    from immunescape.units import DAYS_PER_MONTH

    trial = Trial(
        name="one patient",
        title="One patient",
        population=Enrolment((), (len(patient.prior) + 1, None), measurable=patient.measurable),
        arms=(Arm("simulated", "experimental", 1, (Choice(regimen),), beyond_progression=patient.beyond_progression),),
        visits=Schedule.parse(scans or patient.scans or SCANS),
        follow_up_months=months,
        endpoints=Endpoints(("pfs",)),
        prior=patient.prior,
        lesions=patient.lesions,
        specificity=patient.specificity,
    )
    simulator = BlockSimulator(
        trial, model, compiled, patient.seed, rtol, patient.fit, grower=lambda: _grower(model, engine, rtol)
    )
    simulator.numbers = {**simulator.numbers, "dropout": 1e-300}  # one patient is followed to the end
    if scans is not None or patient.scans is None:
        simulator.numbers["visit_window"] = 0.0
    table = patient.table(model)
    columns = ["day", "sld_mm", "change_pct", "new_lesion", "response"]
    entered, failures = simulator.entrants(table, patient.stream)
    _refuse(failures)
    if not entered:
        raise InputError(
            "the earlier lines of this patient do not end as required, so that the patient would not enter the trial",
            hint="Choose another patient.",
        )
    start = {
        "states": dict(zip(compiled.states, entered[0].lanes[0].state.tolist(), strict=True)),
        "parameters": dict(entered[0].lanes[0].parameters),
    }
    if conduct == "planned":
        return {"start": start, "doses": []}, {}, pd.DataFrame(columns=columns)
    simulator.treat(entered, trial.arms[0], table)
    person = entered[0]
    if person.failure:
        raise EngineError(f"the patient cannot be simulated: {person.failure}", hint="Tighten or loosen rtol.")
    row, visits = simulator.collect(person, trial.arms[0])
    line = person.course.lines[0]
    doses = [d for d in line.doses if d.time_days < line.treatment_end + 1e-9]
    scans_table = pd.DataFrame(visits, columns=["id", "arm", *columns]).drop(columns=["id", "arm"])
    first = {"day": 0.0, "sld_mm": line.baseline_mm, "change_pct": 0.0, "new_lesion": False, "response": ""}
    scans_table = pd.DataFrame([first, *scans_table.to_dict("records")], columns=columns)
    row["toxicity"] = [
        (event.day, event.outcome) for event in line.toxicity.before(min(line.treatment_end, months * DAYS_PER_MONTH))
    ]
    return {"start": start, "doses": doses}, row, scans_table


def _grower(model: Model, engine: str, rtol: float) -> Grower:
    """What grows the further lesions of a patient to diagnosis."""
    from immunescape.engine import get_engine
    from immunescape.population.diagnosis import Grower

    return Grower(model, get_engine(engine), rtol=rtol)


def _refuse(failures: Sequence[dict[str, Any]]) -> None:
    if failures:
        raise EngineError(f"the patient cannot be simulated: {failures[0]['reason']}", hint="Try another rtol.")


def _planned(patient: VirtualPatient, regimen: Regimen, horizon: float) -> list[DoseRecord]:
    from immunescape.trial.dosing import BodySize, administered

    if not regimen.drugs:
        return []
    return administered(regimen, BodySize.of(patient.covariates), until_days=horizon)


def _trajectory(
    patient: VirtualPatient,
    model: Model,
    *,
    compiled: Compiled,
    followed: dict[str, Any],
    names: Sequence[str],
    doses: Sequence[DoseRecord],
    end: float,
    every_days: float,
    rtol: float,
) -> pd.DataFrame:
    """Table of the outputs, by day."""
    import pandas as pd

    from immunescape.engine.api import FAILED, Job

    days = np.arange(0.0, end + 1e-9, every_days)
    if end - days[-1] > 1e-6:
        days = np.append(days, end)
    if len(days) == 1:
        days = np.array([0.0, max(end, 1e-3)])
    result = compiled.run(
        Job(
            n=1,
            times=days,
            outputs=tuple(names),
            parameters={k: np.array([v]) for k, v in followed["start"]["parameters"].items()},
            initial={k: np.array([v]) for k, v in followed["start"]["states"].items()},
            doses=[doses_after_visits(doses)],
            rtol=rtol,
            atol=model.atol(),
        )
    )
    if int(result.status[0]) == FAILED:
        raise EngineError(f"the patient cannot be simulated: {result.messages.get(0, 'failed')}")
    values = result.values[0] * np.array([model.scale(name) for name in names])
    table = pd.DataFrame(values, columns=list(names), index=pd.Index(days, name="day"))
    table.attrs["units"] = {name: model.unit(name) for name in names}
    return table


def _dose_table(doses: Sequence[DoseRecord]) -> pd.DataFrame:
    import pandas as pd

    columns = ["day", "drug", "amount", "unit", "planned_day", "planned_amount"]
    rows = [(d.time_days, d.drug, d.amount, d.unit, d.planned_days, d.planned) for d in doses]
    return pd.DataFrame(rows, columns=columns)


def _outcome(row: dict[str, Any], doses: int) -> dict[str, Any]:
    """What happened; `doses` counts those given, also the one on the day of the scan that ends treatment."""

    def day(name: str) -> float | None:
        value = row.get(name)
        return None if value is None or math.isnan(float(value)) else float(value)

    return {
        "best_response": row["best_response"],
        "best_change_pct": row["best_change_pct"],
        "progression_day": day("progression_day"),
        "progression_by_new_lesion": row["progression_new_lesion"],
        "death_day": day("death_day"),
        "death_cause": row["death_cause"],
        "treatment_end_day": day("treatment_end_day"),
        "doses_given": doses,
        "toxicity": [{"day": d, "grade": ">= 3", "outcome": o} for d, o in row["toxicity"]],
    }
