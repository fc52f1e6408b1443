"""Draws of what is assumed of the model's numbers, simulated once for every class of regimen.

Simulating each patient's twins under each draw would cost an hour a patient. So one virtual first-line trial has an arm
for each class of regimen that the tables offer, its patients shared by all arms and draws; what is stored of a draw is
by how much it moves the log odds of response and the logarithm of times to progression and to death, by class. All
classes are moved by the same draw, so that what it does to all of them cancels in a comparison. The move of a class is
taken to be the same for every patient, and in every line.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError, ModelError
from immunescape.evaluation.uncertainty import WIDTHS, draw, fit_of, simulated_draw
from immunescape.files import check_folder, stored_json, whole_file
from immunescape.population.fit import PopulationFit

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.trial.result import TrialResult
    from immunescape.trial.spec import Trial

__all__ = ["assumed_strengths", "regimens_of_classes", "time_stretch"]

FloatArray = NDArray[np.float64]
MONTHS = 30.0
HORIZON = 24.0
_FEWEST = 3
"""Draws without which a spread says nothing."""


def regimens_of_classes() -> dict[str, str]:
    """Class of regimen -> the first regimen of that class in ``regimen_options.csv``."""
    from immunescape.twins.options import option_rows

    out: dict[str, str] = {}
    for row in option_rows():
        out.setdefault(row["kind"], row["regimen"])
    return out


def time_stretch(central: FloatArray, moved: FloatArray) -> float:
    """Ln of the factor by which the times `central` (n,) have the restricted mean of the times `moved` (m,).

    Restricted at 24 months; at most three either way. Infinite times are events that did not come.
    """
    aim = float(np.minimum(moved, HORIZON).mean())
    low, high = -3.0, 3.0
    for _ in range(50):
        middle = 0.5 * (low + high)
        below = float(np.minimum(central * math.exp(middle), HORIZON).mean()) < aim
        low, high = (middle, high) if below else (low, middle)
    return 0.5 * (low + high)


def _trial(kinds: Mapping[str, str], seed: int) -> Trial:
    from immunescape.twins.courses import CourseTask, trial_of

    return trial_of(CourseTask(seed, tuple(kinds.items()), months=MONTHS))


def _outcomes(patients: pd.DataFrame, kind: str) -> dict[str, list[float | None]]:
    """Response and months of the patients of one arm; None for an event that did not come."""
    from immunescape.twins.twin import MONTH, event_days

    rows = patients[patients["arm"] == kind]
    pfs, os_ = (days / MONTH for days in event_days(rows))
    return {
        "response": [float(x) for x in rows["best_response"].isin(["CR", "PR"])],
        "pfs": [None if math.isinf(x) else round(float(x), 3) for x in pfs],
        "os": [None if math.isinf(x) else round(float(x), 3) for x in os_],
    }


def _times(values: Sequence[float | None]) -> FloatArray:
    return np.array([math.inf if v is None else v for v in values], dtype=float)


def _log_odds(answers: Sequence[float | None]) -> float:
    yes, n = float(np.sum(np.asarray(answers, dtype=float))), len(answers)
    return math.log((yes + 0.5) / (n - yes + 0.5))


def _se(values: Sequence[float | None], figure: str) -> float:
    """Error, from the number of patients, of the log odds or of ln of the restricted mean."""
    n = len(values)
    if figure == "response":
        yes = float(np.sum(np.asarray(values, dtype=float)))
        return math.sqrt(1.0 / (yes + 0.5) + 1.0 / (n - yes + 0.5))
    times = np.minimum(_times(values), HORIZON)
    return float(times.std() / math.sqrt(n) / max(times.mean(), 1e-9))


def assumed_strengths(
    *,
    draws: int = 24,
    patients: int = 40,
    seed: int = 1,
    width: float = 1.0,
    kinds: Mapping[str, str] | None = None,
    workers: int | None = None,
    out: Path | None = None,
    engine: str = "auto",
    progress: Callable[[int, int], None] | None = None,
    simulate: Callable[..., TrialResult] | None = None,
) -> dict[str, Any]:
    """Simulate the draws.

    Parameters
    ----------
    draws, patients
        Draws of all uncertain parameters (:mod:`immunescape.evaluation.uncertainty`), and virtual patients of each.
    seed, width
        Of draws and patients; factor of all prior widths.
    kinds
        Class -> regimen text; None takes those of the tables.
    workers, engine
        As for a trial.
    out
        Folder that keeps finished draws, so that the same call resumes.
    progress
        Called with (draws done, draws in all).
    simulate
        In place of `run_trial`, for tests.

    Returns
    -------
    What ``assumed_strengths.json`` holds: ``kinds``, class -> ``response``, ``pfs``, ``os`` -> ``moves`` and ``se``;
    ``model``, ``draws``, ``lost`` (draw -> why it gave no figures), ``patients``, ``seed``,
    ``width``, ``prior_widths``.

    Raises
    ------
    InputError
        For fewer than three draws, or where fewer are left.
    """
    from immunescape.population.reference_baseline import prepared_model
    from immunescape.trial.runner import model_digest, numbers_digest, run_trial

    if draws < _FEWEST:
        raise InputError(
            f"{draws} draws are too few for a spread", hint=f"At least {_FEWEST}; 24 or more for a release."
        )
    if out is not None:
        check_folder(out)
    used = dict(regimens_of_classes() if kinds is None else kinds)
    trial = _trial(used, seed)
    model = prepared_model(trial.drugs, trial.specificity)
    digest, fit = model_digest(), PopulationFit.shipped()
    key = hashlib.sha256(json.dumps([digest, used, patients, seed, width]).encode()).hexdigest()

    def made(number: int) -> dict[str, Any]:
        path = None if out is None else out / f"{'central' if number < 0 else f'draw-{number}'}.json"
        stored: dict[str, Any] | None = stored_json(path, lambda content: _whole(content, key, used, number))
        if stored is not None:
            return stored
        try:
            moved = fit if number < 0 else fit_of(draw(model, seed, number, width=width, engine=engine), model, fit)
        except ModelError as error:
            return _keep(path, {"key": key, "lost": error.message})

        def simulated(n: int) -> TrialResult:
            return (simulate or run_trial)(
                trial, patients=n, seed=seed, workers=workers, engine=engine, fit=moved, paired=True
            )

        result = simulated_draw(simulated, patients) if number >= 0 else simulated(patients)
        if isinstance(result, str):
            return _keep(path, {"key": key, "lost": result})
        return _keep(path, {"key": key, "kinds": {kind: _outcomes(result.patients, kind) for kind in used}})

    central = made(-1)["kinds"]
    simulated_kinds, lost = _gathered(made, draws, progress)
    return {
        "model": numbers_digest(),
        "draws": draws,
        "lost": lost,
        "patients": patients,
        "seed": seed,
        "width": width,
        "prior_widths": WIDTHS,
        "regimens": used,
        "kinds": {kind: _moves(central[kind], [of_draw[kind] for of_draw in simulated_kinds]) for kind in used},
    }


def _gathered(
    made: Callable[[int], dict[str, Any]], draws: int, progress: Callable[[int, int], None] | None
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Outcomes of the draws that gave any, and why the others did not."""
    simulated_kinds: list[dict[str, Any]] = []
    lost: dict[str, str] = {}
    for number in range(draws):
        simulated = made(number)
        if "lost" in simulated:
            lost[str(number)] = simulated["lost"]
        else:
            simulated_kinds.append(simulated["kinds"])
        if progress is not None:
            progress(number + 1, draws)
    if len(simulated_kinds) < _FEWEST:
        raise InputError(
            f"only {len(simulated_kinds)} of {draws} draws could be simulated",
            hint="Try more draws or a smaller width.",
        )
    return simulated_kinds, lost


def _moves(central: Mapping[str, Any], of_draws: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Move of each figure of a class in each draw, and the error of the central figure."""
    return {
        figure: {
            "moves": [round(_move(central[figure], drawn[figure], figure), 4) for drawn in of_draws],
            "se": round(_se(central[figure], figure), 4),
        }
        for figure in ("response", "pfs", "os")
    }


def _move(central: Sequence[float | None], moved: Sequence[float | None], figure: str) -> float:
    if figure == "response":
        return _log_odds(moved) - _log_odds(central)
    return time_stretch(_times(central), _times(moved))


def _whole(content: Any, key: str, kinds: Iterable[str], number: int) -> bool:
    """Whether what was stored of a draw is of this run and complete; a damaged draw is made anew."""
    if content["key"] != key:
        return False
    if number >= 0 and isinstance(content.get("lost"), str):
        return True
    columns = [content["kinds"][kind][figure] for kind in kinds for figure in ("response", "pfs", "os")]
    return all(column and all(v is None or isinstance(v, (int, float)) for v in column) for column in columns)


def _keep(path: Path | None, content: dict[str, Any]) -> dict[str, Any]:
    if path is not None:
        hint = "Make room or choose another folder (--out); the same command resumes from what is stored."
        with whole_file(path, "cannot store a draw", hint=hint) as stream:
            stream.write(json.dumps(content).encode())
    return content
