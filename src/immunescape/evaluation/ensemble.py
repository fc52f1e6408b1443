"""A trial predicted by an ensemble: what is assumed varies from draw to draw by its grade, with the fit's posterior.

Every draw has parameters of its own (:mod:`immunescape.evaluation.uncertainty`) and a population fit from the posterior
of the calibration; all draws share the random numbers of their patients. The interval of a figure over draws says what
the assumptions leave open; chance of the virtual patients is in it, and is reported beside it.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immunescape.errors import InputError, ModelError
from immunescape.evaluation.harness.figures import figures
from immunescape.evaluation.posterior import Posterior
from immunescape.evaluation.set_ups import refuse_other_set_up
from immunescape.evaluation.uncertainty import WIDTHS, draw, failed_patients, fit_of, simulated_draw
from immunescape.files import check_folder, stored_json, whole_file
from immunescape.population.fit import PopulationFit

if TYPE_CHECKING:
    from immunescape.trial.result import TrialResult
    from immunescape.trial.spec import Trial

__all__ = ["SHOWN", "Ensemble", "run_ensemble"]

SHOWN = ("orr_pct", "pd_pct", "pfs_median_months", "os_median_months", "pfs_12_pct", "os_12_pct", "os_24_pct")
"""Figures of an arm that are gathered."""
COMPARED = ("pfs_hr", "os_hr", "orr_difference")
LOW, HIGH = 0.05, 0.95
CHOICES = {"trial": "trial", "draws": "number of draws", "patients": "patients", "seed": "seed", "width": "width"}
"""What of a run its user chooses, as a message names it; fits are drawn together, so their number is one."""


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """Figures over draws.

    Attributes
    ----------
    rows : arm (empty for comparisons), figure, ``central`` (tables and fit as they ship) with its Monte Carlo error
        ``se``, and ``median``, ``low``, ``high`` (5th and 95th percentile) over the `draws` in which it is known. A
        median survival that is not reached is longer than every other; None where the percentile is not reached. A
        single draw has no interval: ``low`` and ``high`` are None.
    lost : draws that gave no figures, with the reason: the reference patient could not be brought back, or more than
        a tenth of the virtual patients could not be integrated.
    failed : draw -> (virtual patients that could not be integrated, virtual patients tried), where any failed; counted
        per arm.
    """

    trial: str
    rows: tuple[dict[str, Any], ...]
    draws: int
    lost: Mapping[int, str]
    failed: Mapping[int, tuple[int, int]]
    patients: int
    seed: int
    width: float
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "trial": self.trial,
            "draws": self.draws,
            "lost": {str(k): v for k, v in self.lost.items()},
            "failed": {str(k): {"failed": n, "tried": of} for k, (n, of) in self.failed.items()},
            "patients": self.patients,
            "seed": self.seed,
            "width": self.width,
            "prior_widths": WIDTHS,
            "seconds": round(self.seconds, 1),
            "figures": list(self.rows),
        }


def run_ensemble(
    trial: Trial,
    *,
    draws: int = 12,
    patients: int = 40,
    seed: int = 1,
    width: float = 1.0,
    workers: int | None = None,
    out: Path | None = None,
    engine: str = "auto",
    progress: Callable[[int, int], None] | None = None,
    simulate: Callable[..., TrialResult] | None = None,
    force: bool = False,
) -> Ensemble:
    """Predict a trial with every draw of what is assumed.

    Parameters
    ----------
    trial
        The protocol.
    draws
        Of parameters and fit; beside them the trial is simulated as it ships.
    patients
        Virtual patients of each arm and draw.
    seed
        Of patients and draws.
    width
        Factor of all prior widths.
    workers, engine
        As for a trial.
    out
        Folder that keeps finished draws (``draw-<k>.json``).
    progress
        Called with (draws done, draws in all).
    simulate
        In place of `run_trial`, for tests.
    force
        Overwrite draws that `out` holds of another set-up.

    Raises
    ------
    InputError
        For fewer than two draws, a width that is no factor, and a folder with draws of another set-up.
    """
    from immunescape.population.reference_baseline import prepared_model
    from immunescape.trial.runner import model_digest, run_trial

    _check_numbers(draws, width)
    if out is not None:
        check_folder(out)
    began = time.perf_counter()
    model = prepared_model(trial.drugs, trial.specificity)
    posterior = Posterior.shipped()
    fits = posterior.draws(draws, seed) if posterior is not None else [PopulationFit.shipped()] * draws
    text = "\x1f".join([model_digest(), trial.text or repr(trial), str(patients), str(seed), repr(width), str(draws)])
    key = hashlib.sha256(text.encode()).hexdigest()
    set_up = {"trial": trial.name, "draws": draws, "patients": patients, "seed": seed, "width": width}
    if out is not None and not force:
        refuse_other_set_up((_file(out, number) for number in range(-1, draws)), set_up, CHOICES)

    def made(number: int) -> dict[str, Any]:
        """Figures of a draw; -1 is the model as it ships."""
        path = None if out is None else _file(out, number)
        stored: dict[str, Any] | None = stored_json(path, lambda content: _whole(content, key, number))
        if stored is not None:
            return stored
        fit = None
        if number >= 0:
            try:
                fit = fit_of(draw(model, seed, number, width=width, engine=engine), model, fits[number])
            except ModelError as error:
                return _keep(path, key, set_up, {"lost": error.message})

        def simulated(n: int) -> TrialResult:
            return (simulate or run_trial)(
                trial, patients=n, seed=seed, workers=workers, engine=engine, fit=fit, paired=trial.can_pair
            )

        result = simulated_draw(simulated, patients) if number >= 0 else simulated(patients)
        if isinstance(result, str):
            return _keep(path, key, set_up, {"lost": result})
        return _keep(
            path, key, set_up, {"figures": _gathered(figures(result)), "failed": list(failed_patients(result))}
        )

    central = made(-1)["figures"]
    figure_rows, lost, failed = _collected(made, draws, progress)
    return Ensemble(
        trial=trial.name,
        rows=tuple(_over_draws(central, figure_rows)),
        draws=draws,
        lost=lost,
        failed=failed,
        patients=patients,
        seed=seed,
        width=width,
        seconds=time.perf_counter() - began,
    )


def _collected(
    made: Callable[[int], dict[str, Any]], draws: int, progress: Callable[[int, int], None] | None
) -> tuple[list[dict[str, Any]], dict[int, str], dict[int, tuple[int, int]]]:
    """Figures of the draws that gave some, why others gave none, and patients that were not integrated by draw."""
    figure_rows: list[dict[str, Any]] = []
    lost: dict[int, str] = {}
    failed: dict[int, tuple[int, int]] = {}
    for number in range(draws):
        simulated = made(number)
        if "lost" in simulated:
            lost[number] = simulated["lost"]
        else:
            not_integrated, tried = simulated["failed"]
            if not_integrated:
                failed[number] = not_integrated, tried
            figure_rows.append(simulated["figures"])
        if progress is not None:
            progress(number + 1, draws)
    return figure_rows, lost, failed


def _check_numbers(draws: int, width: float) -> None:
    """Refuse numbers that give no interval."""
    if draws < 2:
        raise InputError(f"{draws} draws are too few for an interval", hint="Take at least 2; 12 or more to report.")
    if not width > 0.0 or not math.isfinite(width):
        raise InputError(f"the width {width:g} is not a valid factor", hint="Use 1 for the stated widths.")


def _over_draws(central: Mapping[str, Any], of_draws: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of `Ensemble`: each figure of the model as it ships, and its percentiles over draws."""
    rows = []
    for name, (value, se) in central.items():
        late = "median_months" in name  # None is then a time that no draw would leave out: not reached
        gathered = [f[name][0] for f in of_draws if name in f]
        reached = [math.inf if v is None and late else v for v in gathered if v is not None or late]
        low, middle, high = _percentiles(reached)
        if len(reached) < 2:  # an interval of one value would look certain
            low = high = math.nan
        arm, _, figure = name.rpartition("|")
        rows.append(
            {
                "arm": arm,
                "figure": figure,
                "central": value,
                "se": se,
                "median": _plain(middle),
                "low": _plain(low),
                "high": _plain(high),
                "draws": len(reached),
            }
        )
    return rows


def _gathered(of_trial: Mapping[str, Any]) -> dict[str, list[float | None]]:
    out = {f"{arm['name']}|{name}": arm["figures"][name] for arm in of_trial["arms"] for name in SHOWN}
    out |= {f"|{name}": of_trial["comparison"][name] for name in COMPARED if name in of_trial["comparison"]}
    return {name: [None if v is None or not math.isfinite(v) else float(v) for v in pair] for name, pair in out.items()}


def _percentiles(values: list[float]) -> tuple[float, float, float]:
    """5th percentile, median and 95th, some of them infinite where values are; NaN without values.

    The 5th is the finite value below it where it lies between a finite and an infinite one, so that no interval is
    narrower than what was seen.
    """
    if not values:
        return math.nan, math.nan, math.nan
    ordered = sorted(values)
    out = []
    for share in (LOW, 0.5, HIGH):
        place = share * (len(ordered) - 1)
        below, above = ordered[math.floor(place)], ordered[math.ceil(place)]
        if math.isinf(above):
            out.append(below if share == LOW else above)
        else:
            out.append(below + (place - math.floor(place)) * (above - below))
    return out[0], out[1], out[2]


def _plain(value: float) -> float | None:
    return float(f"{value:.5g}") if math.isfinite(value) else None


def _whole(content: Any, key: str, number: int) -> bool:
    """Whether what was stored of a draw is of this run and complete."""
    if content["key"] != key:
        return False
    if number >= 0 and isinstance(content.get("lost"), str):
        return True
    failed, tried = content["failed"]
    if not (isinstance(failed, int) and isinstance(tried, int) and 0 <= failed <= tried):
        return False
    pairs = content["figures"].values()
    numbers = [value for pair in pairs for value in pair if value is not None]
    return bool(pairs) and all(len(pair) == 2 for pair in pairs) and all(isinstance(v, (int, float)) for v in numbers)


def _file(folder: Path, number: int) -> Path:
    """File of a draw; -1 is the model as it ships."""
    return folder / f"{'central' if number < 0 else f'draw-{number}'}.json"


def _keep(path: Path | None, key: str, set_up: Mapping[str, Any], content: dict[str, Any]) -> dict[str, Any]:
    if path is not None:
        hint = "Make room or choose another folder (--out); the same command resumes from what is stored."
        with whole_file(path, "cannot store a draw", hint=hint) as stream:
            stream.write(json.dumps({"key": key, "set_up": set_up, **content}).encode())
    return content
