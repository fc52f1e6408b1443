"""Simulate one virtual patient: first the course as a trial would see it, then the model day by day along it.

``conduct="trial"`` treats the patient as a trial does: doses are delayed, reduced and stopped by toxicity, treatment
ends with progression, the patient may die. The scans and the doses given come from that course; the model is then
integrated once more with these doses and daily outputs. ``conduct="planned"`` gives every planned dose and follows the
model alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

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
    from immunescape.trial.simulate import BlockSimulator
    from immunescape.trial.spec import Trial

__all__ = ["SCANS", "regimen_text", "simulate_patient"]

FloatArray = NDArray[np.float64]
SCANS = "weeks 6 and 12 then every 9 weeks"
"""Default of the scans, as in many trials of lung cancer."""
LONGEST_MONTHS = 240.0
Conduct = Literal["trial", "planned"]
UNTREATED = ("none", "untreated")


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
    if scans is not None and not isinstance(scans, str):
        raise InputError(f"the schedule of scans is {scans!r}", hint=f"Text, such as '{SCANS}'.")
    given = _regimen(regimen)
    used, compiled = _prepared(patient, given, model, engine)
    setup = _Setup(patient=patient, model=used, compiled=compiled, regimen=given, rtol=rtol, engine=engine)
    names = _outputs(used, observe)
    followed = _followed(setup, months, scans, conduct)
    end = horizon = months * DAYS_PER_MONTH
    doses = followed.doses
    if followed.row is None:
        doses = _planned(patient, given, horizon)
    else:
        death = followed.row["death_day"]
        end = horizon if death is None else min(horizon, float(death))
    text = _text(given)
    return PatientCourse(
        patient=patient,
        regimen=text,
        label=label or text,
        conduct=conduct,
        months=months,
        table=_trajectory(setup, followed, names, doses, _days(end, every_days)),
        units={name: used.unit(name) for name in names},
        meanings={name: _meaning(used, name) for name in names},
        doses=_dose_table(doses),
        scans=followed.scans,
        outcome={} if followed.row is None else _outcome(followed.row, len(doses)),
        start=followed.start,
        model=used,
        given=tuple(doses),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Setup:
    """A patient under a regimen, the model of both, compiled, and how it is integrated."""

    patient: VirtualPatient
    model: Model
    compiled: Compiled
    regimen: Regimen
    rtol: float
    engine: str


@dataclass(frozen=True, eq=False, kw_only=True)
class _Followed:
    """What a trial of one patient shows.

    Attributes
    ----------
    start : ``states`` and ``parameters`` at the start of treatment, by name.
    scans : table of the scans. doses : those given.
    row : the patient's row in the result of the trial; None where only the model is followed (no scans, no doses).
    """

    start: dict[str, dict[str, float]]
    scans: pd.DataFrame
    doses: Sequence[DoseRecord] = ()
    row: dict[str, Any] | None = None


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


def regimen_text(regimen: Any) -> str:
    """A regimen as a course names it: in the words of the grammar, ``no treatment`` where no drug is given.

    Raises
    ------
    InputError
        For a regimen that cannot be read.
    """
    return _text(_regimen(regimen))


def _text(regimen: Regimen) -> str:
    return str(regimen) if regimen.drugs else "no treatment"


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


_SCAN_COLUMNS = ["day", "sld_mm", "change_pct", "new_lesion", "response"]


def _followed(setup: _Setup, months: float, scans: str | None, conduct: str) -> _Followed:
    """Treat the patient in a trial of one patient; with the conduct ``planned``, only up to the start."""
    import pandas as pd

    from immunescape.units import DAYS_PER_MONTH

    patient, compiled = setup.patient, setup.compiled
    trial = _solo_trial(setup, months, scans)
    simulator = _simulator(setup, trial, on_exact_days=scans is not None or patient.scans is None)
    table = patient.table(setup.model)
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
        return _Followed(start=start, scans=pd.DataFrame(columns=_SCAN_COLUMNS))
    simulator.treat(entered, trial.arms[0], table)
    person = entered[0]
    if person.failure:
        raise EngineError(f"the patient cannot be simulated: {person.failure}", hint="Tighten or loosen rtol.")
    row, visits = simulator.collect(person, trial.arms[0])
    line = person.course.lines[0]
    row["toxicity"] = [
        (event.day, event.outcome) for event in line.toxicity.before(min(line.treatment_end, months * DAYS_PER_MONTH))
    ]
    return _Followed(
        start=start,
        scans=_scan_table(line.baseline_mm, visits),
        doses=[d for d in line.doses if d.time_days < line.treatment_end + 1e-9],
        row=row,
    )


def _solo_trial(setup: _Setup, months: float, scans: str | None) -> Trial:
    """A trial of one arm with this patient alone."""
    from immunescape.trial.schedule import Schedule
    from immunescape.trial.spec import Arm, Choice, Endpoints, Enrolment, Trial

    patient = setup.patient
    choices = (Choice(setup.regimen),)
    return Trial(
        name="one patient",
        title="One patient",
        population=Enrolment((), (len(patient.prior) + 1, None), measurable=patient.measurable),
        arms=(Arm("simulated", "experimental", 1, choices, beyond_progression=patient.beyond_progression),),
        visits=Schedule.parse(scans or patient.scans or SCANS),
        follow_up_months=months,
        endpoints=Endpoints(("pfs",)),
        prior=patient.prior,
        lesions=patient.lesions,
        specificity=patient.specificity,
    )


def _simulator(setup: _Setup, trial: Trial, *, on_exact_days: bool) -> BlockSimulator:
    """Simulator of that trial, in which nobody drops out."""
    from immunescape.trial.simulate import BlockSimulator

    patient, model, rtol = setup.patient, setup.model, setup.rtol
    simulator = BlockSimulator(
        trial,
        model,
        setup.compiled,
        patient.seed,
        rtol,
        patient.fit,
        grower=lambda: _grower(model, setup.engine, rtol),
    )
    simulator.numbers = {**simulator.numbers, "dropout": 1e-300}  # one patient is followed to the end
    if on_exact_days:
        simulator.numbers["visit_window"] = 0.0
    return simulator


def _scan_table(baseline_mm: float, visits: Sequence[Any]) -> pd.DataFrame:
    """Table of the scans, the baseline first."""
    import pandas as pd

    later = pd.DataFrame(visits, columns=["id", "arm", *_SCAN_COLUMNS]).drop(columns=["id", "arm"])
    first = {"day": 0.0, "sld_mm": baseline_mm, "change_pct": 0.0, "new_lesion": False, "response": ""}
    return pd.DataFrame([first, *later.to_dict("records")], columns=_SCAN_COLUMNS)


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


def _days(end: float, every_days: float) -> FloatArray:
    """Days of the outputs: at intervals, and the last."""
    days = np.arange(0.0, end + 1e-9, every_days)
    if end - days[-1] > 1e-6:
        days = np.append(days, end)
    return days if len(days) > 1 else np.array([0.0, max(end, 1e-3)])


def _trajectory(
    setup: _Setup, followed: _Followed, names: Sequence[str], doses: Sequence[DoseRecord], days: FloatArray
) -> pd.DataFrame:
    """Table of the outputs, by day."""
    import pandas as pd

    from immunescape.engine.api import FAILED, Job

    model = setup.model
    result = setup.compiled.run(
        Job(
            n=1,
            times=days,
            outputs=tuple(names),
            parameters={k: np.array([v]) for k, v in followed.start["parameters"].items()},
            initial={k: np.array([v]) for k, v in followed.start["states"].items()},
            doses=[doses_after_visits(doses)],
            rtol=setup.rtol,
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
