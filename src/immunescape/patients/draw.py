"""Drawing one virtual patient: with given covariates, or as a trial had it.

Covariates that are words or yes/no are met exactly, by searching the candidates of a seed in order. Of those who meet
them the one comes first whose ranks of the given numbers are nearest; its numbers then become the given ones, exactly.
So the covariates that were not given are as they go together with the given ones in the population.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from immunescape.errors import ImmunescapeError, InputError, unknown_word
from immunescape.patients.virtual_patient import VirtualPatient

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.model.declarations import Mechanism
    from immunescape.population.covariates import Region
    from immunescape.population.fit import PopulationFit
    from immunescape.trial.result import TrialResult
    from immunescape.trial.spec import Trial

__all__ = ["draw_patient", "patient_of_run", "patient_of_trial", "patient_of_twins"]

CANDIDATES = 4096
"""Candidates among which one with the given covariates is looked for."""
TRIES = 25
"""Candidates, nearest first, whose tumours are grown before giving up."""
_RTOL = 1e-6


def draw_patient(
    seed: int = 1,
    *,
    region: Region = "western",
    number: int | None = None,
    engine: str = "auto",
    fit: PopulationFit | None = None,
    mechanisms: Mechanism | Sequence[Mechanism] = (),
    **covariates: Any,
) -> VirtualPatient:
    """Draw a virtual patient at diagnosis of advanced NSCLC.

    Parameters
    ----------
    seed
        Seed of all random numbers.
    region
        ``western`` or ``east_asian``: whose prevalences apply.
    number
        Take this candidate of the seed; None takes the first whose tumour is diagnosed and plausible, and who has the
        given covariates.
    engine
        Engine that grows the tumour.
    fit
        How distributions across patients are moved; None takes the fit that ships.
    mechanisms
        One or more beside the registered ones, such as :func:`immunescape.mechanism_from_sbml` reads: the tumour grows
        with them, and they stay with the patient.
    **covariates
        Covariate = value: ``pdl1_tps=60``, ``stk11=True``, ``histology="squamous"``.
        `immunescape.trial.covariates.COVARIATES` lists them with their units and values.

    Raises
    ------
    InputError
        For an unknown covariate or value, for values that no candidate has together, and where no tumour of such
        candidates is diagnosed and plausible.
    """
    from immunescape.engine import get_engine
    from immunescape.model.declarations import Mechanism
    from immunescape.population.blocks import BlockMaker, PopulationSpec
    from immunescape.population.covariates import sample_covariates
    from immunescape.population.reference_baseline import extended_model, prepared_model

    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise InputError(f"the seed is {seed!r}", hint="Seeds are whole numbers from 0 on.")
    if number is not None and (isinstance(number, bool) or not isinstance(number, (int, np.integer)) or number < 0):
        raise InputError(f"the number of the patient is {number!r}", hint="Numbers are whole, from 0 on.")
    mechanisms = (mechanisms,) if isinstance(mechanisms, Mechanism) else tuple(mechanisms)
    requested = {name: _valid(name, value) for name, value in covariates.items()}
    spec = PopulationSpec(int(seed), region=region, rtol=_RTOL, fit=fit)
    if number is None:
        candidates = _nearest(sample_covariates(0, CANDIDATES, int(seed), 0, region=region), requested)
    else:
        candidates = _with(sample_covariates(number, 1, int(seed), 0, region=region), requested)
    model = extended_model(mechanisms) if mechanisms else prepared_model(())
    maker = BlockMaker(model, spec, get_engine(engine))
    reasons: dict[str, int] = {}
    for position in range(min(TRIES, len(candidates))):
        row = candidates.iloc[[position]]
        block = maker.grow(row)
        if len(block.table):
            return replace(_patient(block.table, int(seed), 0, fit), mechanisms=mechanisms)
        for fate in block.draws["fate"]:
            reasons[str(fate)] = reasons.get(str(fate), 0) + 1
    tried = ", ".join(f"{k} ({n} times)" for k, n in sorted(reasons.items(), key=lambda item: -item[1]))
    what = "candidate of that number" if number is not None else f"of {min(TRIES, len(candidates))} candidates"
    raise InputError(
        f"no {what} became a patient: {tried}", hint="Ask for covariates that are less extreme, or try another seed."
    )


def patient_of_trial(
    result: TrialResult, number: int, arm: str | None = None, *, fit: PopulationFit | None = None
) -> VirtualPatient:
    """Make a patient of a simulated trial again, as it was at diagnosis, with the trial's earlier lines before it.

    Parameters
    ----------
    result
        The trial's result.
    number
        ``id`` of the row of `TrialResult.patients`.
    arm
        Name of the arm; it may be left out where the number occurs in one arm only.
    fit
        The fit that the trial was run with, if not the one that ships.
    """
    return _again(result.trial, result.patients, number, arm, (result.seed, result.engine, result.paired), fit)


def patient_of_run(
    folder: str | Path, number: int, arm: str | None = None, *, trial: str | Path = ""
) -> VirtualPatient:
    """Make a patient of a finished run again from its folder (``result.json`` and ``patients.parquet``).

    Parameters
    ----------
    folder
        Folder that `immunescape trial` wrote.
    number, arm
        See `patient_of_trial`.
    trial
        Trial file, where the trial is not one that ships.

    Returns
    -------
    VirtualPatient
        The patient at diagnosis, with the earlier lines of the trial.

    Raises
    ------
    InputError
        For a folder that is no run, a number or arm that it does not have, a trial that is not included, and a run of
        another protocol that has the name of an included trial.
    """
    import pandas as pd

    from immunescape.trial.loading import list_trials, load_trial

    root = Path(folder)
    try:
        content = json.loads((root / "result.json").read_text(encoding="utf-8"))
        patients = pd.read_parquet(root / "patients.parquet")
        name, run = str(content["trial"]), (int(content["seed"]), str(content["engine"]), bool(content["paired"]))
        protocol = str(content.get("provenance", {}).get("protocol_sha256", ""))
    except FileNotFoundError as error:
        raise InputError(
            f"no such file: {error.filename}", hint="Name the folder that `immunescape trial … --out` wrote."
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"cannot be read: {error}", where=str(root), hint="Run the trial again.") from None
    if not trial and name not in list_trials():
        raise InputError(f"'{name}' is not an included trial", where=str(root), hint="Give its YAML file as well.")
    spec = load_trial(trial or name)
    if spec.name != name:
        raise InputError(f"the run is of '{name}', the file describes '{spec.name}'", where=str(root))
    if not trial and protocol not in ("", spec.sha256):
        raise InputError(
            f"the run is not of the included '{name}' but of another protocol of that name, or of an earlier version",
            where=str(root),
            hint="Give the YAML file that was run (--trial).",
        )
    return _again(spec, patients, number, arm, run, None)


def _again(
    trial: Trial,
    patients: pd.DataFrame,
    number: int,
    arm: str | None,
    run: tuple[int, str, bool],
    fit: PopulationFit | None,
) -> VirtualPatient:
    from immunescape.engine import get_engine
    from immunescape.population.blocks import BlockMaker, PopulationSpec
    from immunescape.population.reference_baseline import prepared_model
    from immunescape.trial.blocks import region_of
    from immunescape.trial.runner import RTOL

    seed, engine, paired = run
    names = [a.name for a in trial.arms]
    if arm is not None and arm not in names:
        raise unknown_word("arm", arm, names)
    rows = patients[patients["id"] == number]
    rows = rows if arm is None else rows[rows["arm"] == arm]
    if rows.empty:
        ids = patients["id"] if arm is None else patients.loc[patients["arm"] == arm, "id"]
        raise InputError(
            f"the trial has no patient {number}{'' if arm is None else f' in the arm {arm!r}'}",
            hint=f"Numbers run from {ids.min()} to {ids.max()}, with gaps; the column 'id' lists them.",
        )
    if len(rows) > 1 and not paired:
        raise InputError(
            f"patient {number} is in more than one arm: {', '.join(rows['arm'])}", hint="Name the arm as well."
        )
    row = rows.iloc[0]
    stream = 0 if paired else names.index(str(row["arm"]))
    spec = PopulationSpec(
        seed, stream=stream, region=region_of(trial.population), rtol=RTOL, block_size=1, fit=fit, eligibility=None
    )
    # the model with the trial's drugs: growth leaves them out, and so gives the same state
    made = BlockMaker(prepared_model(trial.drugs, trial.specificity), spec, get_engine(engine)).block(number)
    if not len(made.table):
        raise InputError(f"patient {number} could not be reproduced", hint=_OTHER)
    patient = _patient(made.table, seed, stream, fit)
    for column in made.table.columns:
        if str(column).startswith("p:") and column in rows.columns:
            if not math.isclose(float(row[column]), float(made.table[column].iloc[0]), rel_tol=1e-9, abs_tol=1e-300):
                raise InputError(f"patient {number} is reproduced with a different '{str(column)[2:]}'", hint=_OTHER)
    patient_arm = trial.arms[names.index(str(row["arm"]))]
    beyond = patient_arm.beyond_progression if patient_arm.stop_at_progression else 1.0
    origin = f"{trial.name}, {patient_arm.name}"
    return replace(
        patient,
        prior=trial.prior,
        beyond_progression=beyond,
        drugs=trial.drugs,
        scans=str(trial.visits),
        lesions=trial.lesions,
        specificity=trial.specificity,
        origin=origin,
        measurable=trial.population.measurable,
        rtol=RTOL,
    )


def patient_of_twins(table: pd.DataFrame, number: int, seed: int, origin: str) -> VirtualPatient:
    """Make a twin a patient at diagnosis, before any treatment.

    Parameters
    ----------
    table
        Twins at diagnosis (`immunescape.twins.conditioning.TwinPopulation.table`).
    number
        Index of the row.
    seed
        Seed of the twins.
    origin
        Where the patient is from, as text.
    """
    if number not in table.index:
        first, last = table.index.min(), table.index.max()
        raise InputError(
            f"no twin has the number {number}",
            hint=f"Numbers run from {first} to {last}, with gaps: the index of table.",
        )
    row = table.loc[[number]].iloc[[0]]
    values = {str(c)[2:]: float(row[c].iloc[0]) for c in row.columns if str(c).startswith("p:")}
    return replace(_patient(row, seed, 0, None), origin=origin, conditioned=values)


_OTHER = "The run was made by another version of the package or another fit: run the trial again."


def _patient(table: pd.DataFrame, seed: int, stream: int, fit: PopulationFit | None) -> VirtualPatient:
    from immunescape.population.covariates import COLUMNS

    row = table.iloc[0]

    def named(prefix: str) -> dict[str, float]:
        return {str(c)[2:]: float(row[c]) for c in table.columns if str(c).startswith(prefix)}

    return VirtualPatient(
        number=int(table.index[0]),
        seed=seed,
        stream=stream,
        draw=int(row["draw"]),
        covariates={c: _plain(row[c]) for c in COLUMNS},
        states=named("x:"),
        biomarkers=named("b:"),
        days_to_diagnosis=float(row["days_to_diagnosis"]),
        fit=fit,
    )


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _valid(name: str, value: Any) -> Any:
    """A covariate's value, checked as trial files check theirs."""
    from immunescape.trial.covariates import COVARIATES, unknown_covariate

    if name not in COVARIATES:
        raise unknown_covariate(name)
    about = COVARIATES[name]
    if not about.is_number:
        category = about.category(value)
        if category is None:
            raise unknown_word(f"value of {name}", str(value), [str(v) for v in about.values])
        return category
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not math.isfinite(float(value)):
        raise InputError(f"{value!r} is not a number", where=name, hint=f"Give {about.meaning} in {about.unit or '1'}.")
    if not about.low <= float(value) <= about.high:
        raise InputError(
            f"{value:g} is outside what {about.meaning} can be ({about.low:g} to {about.high:g} {about.unit})".rstrip(),
            where=name,
            hint="Check the unit.",
        )
    return value


def _nearest(candidates: pd.DataFrame, target: Mapping[str, Any]) -> pd.DataFrame:
    """Candidates who have the words that are wanted, with the wanted numbers put in; nearest first."""
    from immunescape.trial.covariates import COVARIATES

    numbers = [n for n in target if COVARIATES[n].is_number]
    met = np.ones(len(candidates), dtype=bool)
    for name, value in target.items():
        if name not in numbers:
            met &= (candidates[name] == value).to_numpy()
            if not met.any():
                raise InputError(
                    f"none of {len(candidates):,} candidates has {name} = {value} together with the other "
                    "values asked for",
                    hint="Ask for fewer values, or check that they are compatible.",
                )
    distance = np.zeros(len(candidates))
    for name in numbers:
        column = candidates[name].to_numpy(dtype=float)
        order = np.sort(column)
        rank = (np.searchsorted(order, column, "left") + np.searchsorted(order, column, "right")) / 2
        at = (np.searchsorted(order, target[name], "left") + np.searchsorted(order, target[name], "right")) / 2
        distance += ((rank - at) / len(column)) ** 2
    chosen = np.flatnonzero(met)
    chosen = chosen[np.argsort(distance[chosen], kind="stable")]
    return _with(candidates.iloc[chosen], {n: target[n] for n in numbers})


def _with(candidates: pd.DataFrame, values: Mapping[str, Any]) -> pd.DataFrame:
    """Replace values, and what follows from them by formula: body surface and creatinine clearance."""
    from immunescape.population.covariates import creatinine_clearance
    from immunescape.units import body_surface_area

    table = candidates.copy()
    for name, value in values.items():
        old = table[name].to_numpy()
        if old.dtype.kind in "iu" and float(value) != int(value):
            raise InputError(f"{name} is {value}, which is not a whole number")
        table[name] = np.full(len(table), value).astype(old.dtype)
    body = {"weight_kg", "height_cm", "age", "sex", "creatinine_umol_l"} & set(values)
    if body & {"weight_kg", "height_cm"} and "bsa_m2" not in values:
        weight, height = (table[c].to_numpy(dtype=float) for c in ("weight_kg", "height_cm"))
        table["bsa_m2"] = body_surface_area(weight, height)
    if body - {"height_cm"} and "crcl_ml_min" not in values:
        age, weight, creatinine = (table[c].to_numpy(dtype=float) for c in ("age", "weight_kg", "creatinine_umol_l"))
        table["crcl_ml_min"] = creatinine_clearance(age, weight, creatinine, (table["sex"] == "F").to_numpy())
    if table["n_lesions"].lt(table["n_target_lesions"]).any():
        if {"n_lesions", "n_target_lesions"} <= set(values):
            raise ImmunescapeError("more target lesions than lesions", hint="n_lesions counts all of them.")
        if "n_target_lesions" in values:
            table["n_lesions"] = np.maximum(table["n_lesions"], table["n_target_lesions"])
        else:
            table["n_target_lesions"] = np.minimum(table["n_lesions"], table["n_target_lesions"])
    return table
