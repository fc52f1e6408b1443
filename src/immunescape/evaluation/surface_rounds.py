"""Calibration by a response surface: simulates the design, then the fit on it, then a few steps with fresh patients.

See :mod:`immunescape.evaluation.response_surface` for the method. Every population of the design is a task with a seed
of its own and keeps its finished patients in a folder of its own; so does every step. The same command resumes, and
results do not depend on the number of workers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.evaluation.calibration import (
    chance,
    checked,
    discrepancy_by_comparison,
    fit_sources,
    kinetics_trials,
)
from immunescape.evaluation.calibration_result import Calibration, WeightedFit
from immunescape.evaluation.calibration_settings import CalibrationChanges, CalibrationSettings, settings_with
from immunescape.evaluation.fit_terms import Term, coordinates, held_terms, limits, terms, to_fit
from immunescape.evaluation.posterior_draws import Draws, covariance_root
from immunescape.evaluation.response_surface import Surface, design_rows, fit_surface, solve_surface, updated
from immunescape.evaluation.target_sets import all_targets
from immunescape.evaluation.targets import Target, Weighted
from immunescape.evaluation.weighting import Sample, pool
from immunescape.evaluation.wide_rounds import SEED_STEP, PointTask, simulate_points
from immunescape.files import check_folder
from immunescape.population.fit import FitTerm, PopulationFit
from immunescape.trial.spec import Trial

__all__ = ["calibrate_surface", "half_widths"]

FloatArray = NDArray[np.float64]
Samples = dict[tuple[str, str], Sample]
WIDEST = 0.35
"""Half-width of the design in the coordinate of a term, at most: further away, responses are not nearly linear."""
PIECE = 100
"""Patients per arm of one task of a step: so all workers are busy, and results do not depend on their number."""
STEP_SEED, FRESH_SEED = 500_000, 700_000
"""Added to the seed for the patients of the steps, who are the same in all steps, and for those of the last check."""


def half_widths(moving: Sequence[Term], spread: float) -> FloatArray:
    """Half-widths (terms,) of the design: `spread` prior standard deviations, at most `WIDEST`."""
    return np.minimum(spread * np.array([t.prior_sd for t in moving]), WIDEST)


@dataclass(frozen=True, kw_only=True)
class TrialsSimulator:
    """Simulates all trials of a calibration under given fits.

    Attributes
    ----------
    trials : what is simulated. seed : of the calibration. kinetics : trials whose lesions are measured.
    out : folder that keeps finished patients; None keeps none. workers, cluster, engine : as for a trial.
    """

    trials: tuple[Trial, ...]
    seed: int
    kinetics: tuple[str, ...]
    out: Path | None
    workers: int
    cluster: Any
    engine: str

    def populations(
        self,
        fits: Sequence[PopulationFit],
        seeds: Sequence[int],
        patients: int,
        folder: str,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Samples]:
        """Samples of each fit."""
        tasks = [
            PointTask(
                trials=self.trials,
                fit=fit,
                patients=patients,
                seed=seed,
                names=(),
                scores=(),
                kinetics=self.kinetics,
                folder=None if self.out is None else self.out / folder / f"population-{k:03d}",
                engine=self.engine,
            )
            for k, (fit, seed) in enumerate(zip(fits, seeds, strict=True))
        ]
        return simulate_points(tasks, workers=self.workers, cluster=self.cluster, progress=progress)

    def weighted(
        self,
        fit: PopulationFit,
        patients: int,
        offset: int,
        folder: str,
        progress: Callable[[int, int], None] | None = None,
    ) -> Weighted:
        """Equally weighted patients of one fit, simulated in pieces."""
        pieces = max(1, round(patients / PIECE))
        each = math.ceil(patients / pieces)
        seeds = [self.seed + offset + SEED_STEP * k for k in range(pieces)]
        made = self.populations([fit] * pieces, seeds, each, folder, progress)
        joined = {key: pool([m[key] for m in made]) for key in made[0]}
        return {key: (s, np.full(len(s), 1.0 / len(s))) for key, s in joined.items()}


@dataclass(frozen=True)
class Step:
    """Figures at a fit that was simulated, and how good it is (smaller is better)."""

    x: FloatArray
    value: FloatArray
    error: FloatArray
    loss: float
    prior: float


def calibrate_surface(
    trials: Sequence[Trial],
    settings: CalibrationSettings | None = None,
    *,
    steps: int = 3,
    fresh: int = 300,
    **changes: Unpack[CalibrationChanges],
) -> Calibration:
    """Fit the population to the published results of trials by a response surface.

    Parameters
    ----------
    trials, settings, changes
        As for :func:`immunescape.evaluation.calibration.calibrate`; `patients` are those of each population of the
        design, which has twice the next power of two above the number of terms, and `spread` is its half-width
        (:func:`half_widths`). Progress reports the design as round 0.
    steps, fresh
        Steps after the design, and virtual patients per arm of each; as many again, others, check the last fit.

    Raises
    ------
    InputError
        For a trial without published results, a wrong folder, or numbers that are not positive.
    """
    used = settings_with(settings, changes)
    patients = 16 if used.patients is None else used.patients
    _check_request(trials, used, patients, steps, fresh)
    begin = used.start or PopulationFit()
    moving = tuple(terms() if used.moving is None else used.moving)
    held = held_terms(begin, moving)
    targets = all_targets(trials, used.data)
    simulator = TrialsSimulator(
        trials=tuple(trials),
        seed=used.seed,
        kinetics=kinetics_trials(targets),
        out=used.out,
        workers=used.processes,
        cluster=used.cluster,
        engine=used.engine,
    )
    surface = _design(
        simulator,
        targets,
        moving=moving,
        start=begin,
        patients=patients,
        spread=used.spread,
        progress=_report(used, 0, "populations of the design"),
    )
    best, surface, weighted = _steps(simulator, targets, surface, steps, fresh, (used, moving, held))
    _, covariance = solve_surface(targets, surface, moving)
    fitted = _fitted(targets, best, covariance, surface, weighted)
    fit = to_fit(best.x, moving, np.sqrt(np.diag(covariance)), fit_sources(trials, used.data), held)
    check = simulator.weighted(fit, fresh, FRESH_SEED, "fresh", _report(used, steps + 1, "parts"))
    figures, left = checked(targets, check, moving, fitted)
    result = Calibration(
        fit=fit,
        moving=moving,
        rounds=(fitted,),
        seed=used.seed,
        patients=patients,
        discrepancy=left,
        fresh=figures,
        left_out=_left_out(trials, targets, surface, moving) if used.left_out and len(trials) > 1 else {},
        draws=normal_draws(best.x, covariance, moving, used.draws, used.seed) if used.draws else None,
        points=2 * len(design_rows(len(moving))),
        spread=used.spread,
    )
    if used.out is not None:
        result.write(used.out)
    return result


def _check_request(
    trials: Sequence[Trial], settings: CalibrationSettings, patients: int, steps: int, fresh: int
) -> None:
    """Refuse a calibration to no trial, numbers that are too small, and a folder that cannot be written."""
    if not trials:
        raise InputError("no trial to calibrate to")
    if patients < 2 or steps < 1 or fresh < 20 or not settings.spread > 0.0:
        raise InputError(
            f"a design of {patients} patients, {steps} steps of {fresh} patients and a spread of {settings.spread}",
            hint="At least 2 patients per population, one step, 20 patients per arm in a step, a spread above 0.",
        )
    if settings.out is not None:
        check_folder(settings.out)


def _left_out(
    trials: Sequence[Trial], targets: Sequence[Target], surface: Surface, moving: Sequence[Term]
) -> dict[str, dict[str, tuple[float, int]]]:
    """Errors of the fits without each trial on that trial, as `discrepancy_by_comparison` gives them."""
    predicted = left_out_figures(trials, targets, surface, moving)
    spreads = [math.hypot(t.sd, e) for t, e in zip(targets, surface.value_se, strict=True)]
    return discrepancy_by_comparison(trials, targets, predicted, spreads)


def _report(settings: CalibrationSettings, number: int, simulated: str) -> Callable[[int, int], None] | None:
    """Progress of one round."""
    progress = settings.progress
    return None if progress is None else lambda done, total: progress(number, simulated, done, total)


def _steps(
    simulator: TrialsSimulator,
    targets: Sequence[Target],
    surface: Surface,
    steps: int,
    fresh: int,
    of_calibration: tuple[CalibrationSettings, Sequence[Term], Sequence[FitTerm]],
) -> tuple[Step, Surface, Weighted]:
    """Simulate where the surface is best, `steps` times; returns the best step, the surface, and the last patients."""
    settings, moving, held = of_calibration
    best: Step | None = None
    reach = 1.0
    for number in range(1, steps + 1):
        x, _ = solve_surface(targets, surface, moving, reach=reach)
        tried = to_fit(x, moving, held=held)
        progress = _report(settings, number, "parts")
        weighted = simulator.weighted(tried, fresh, STEP_SEED, f"step-{number}", progress)
        step = _step(targets, weighted, x, moving)
        moved = updated(surface, x, step.value, step.error)
        if best is None or step.loss + step.prior < best.loss + best.prior:
            best, surface = step, moved
        else:  # a step too far: the slopes learn from it, the next one starts again from the best and goes half as far
            surface = replace(moved, centre=best.x, value=best.value, value_se=best.error)
            reach *= 0.5
    if best is None:
        raise InputError("no step was simulated")
    return best, surface, weighted


def _design(
    simulator: TrialsSimulator,
    targets: Sequence[Target],
    *,
    moving: Sequence[Term],
    start: PopulationFit,
    patients: int,
    spread: float,
    progress: Callable[[int, int], None] | None,
) -> Surface:
    """Simulate the design about a fit, moved as little as the limits of the terms require."""
    half, bound = half_widths(moving, spread), limits(moving)
    centre = np.clip(coordinates(start, moving), -bound + half, bound - half)
    rows = design_rows(len(moving))
    held = held_terms(start, moving)
    signs = [(row, sign) for row in rows for sign in (1.0, -1.0)]
    fits = [to_fit(centre + sign * row * half, moving, held=held) for row, sign in signs]
    seeds = [simulator.seed + SEED_STEP * k for k in range(len(rows)) for _ in range(2)]
    made = simulator.populations(fits, seeds, patients, "design", progress)
    pairs = list(zip(made[0::2], made[1::2], strict=True))
    return fit_surface(targets, pairs, rows, centre, half, relevance(targets, simulator.trials, moving))


def relevance(targets: Sequence[Target], trials: Sequence[Trial], moving: Sequence[Term]) -> NDArray[np.bool_]:
    """Whether each term can change each target (targets, terms).

    A parameter of a drug matters where the drug is given: in the arm, in an earlier line, and for survival also later.
    """
    from immunescape.model.registry import drugs

    registered = tuple(drugs())
    owners = [{next((d for d in registered if m.endswith(f"_{d}")), "") for m in t.members} for t in moving]
    given = {(t.name, arm.name): {*arm.drugs, *t.earlier_drugs} for t in trials for arm in t.arms}
    out = np.ones((len(targets), len(moving)), dtype=bool)
    for i, target in enumerate(targets):
        mine = set().union(*(given.get(a, set()) for a in target.arms))
        later = ", OS " in target.name or ": OS " in target.name
        for j, names in enumerate(owners):
            if "" not in names and not names & mine:
                out[i, j] = later and "radiotherapy" not in names
    return out


def _step(targets: Sequence[Target], weighted: Weighted, x: FloatArray, moving: Sequence[Term]) -> Step:
    value = np.array([t.figure(weighted) for t in targets])
    error = np.sqrt(chance(targets, weighted))
    residual = [
        (v - t.value) / math.hypot(t.sd, e) for t, v, e in zip(targets, value, error, strict=True) if math.isfinite(v)
    ]
    prior = float(sum((a / t.prior_sd) ** 2 for a, t in zip(x, moving, strict=True)))
    return Step(x, value, error, 0.5 * float(np.square(residual).sum()), 0.5 * prior)


def _fitted(
    targets: Sequence[Target], step: Step, covariance: FloatArray, surface: Surface, weighted: Weighted
) -> WeightedFit:
    rows = []
    for t, value, error in zip(targets, step.value, step.error, strict=True):
        finite = math.isfinite(value)
        residual = (value - t.value) / math.hypot(t.sd, error) if finite else 0.0
        rows.append((t.name, t.back(t.value), t.back(value) if finite else math.nan, residual))
    sizes = {key: (len(s), float(len(s)), 1.0 / len(s)) for key, (s, _) in weighted.items()}
    return WeightedFit(step.x, covariance, step.loss, tuple(rows), sizes)


def normal_draws(mode: FloatArray, covariance: FloatArray, moving: Sequence[Term], count: int, seed: int) -> Draws:
    """Draws from the posterior on a linear surface, which is normal, within the limits of the terms."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0xD4A3,)))
    root = covariance_root(covariance)
    limit = limits(moving)
    x = np.clip(mode + rng.standard_normal((count, len(mode))) @ root.T, -limit, limit)
    return Draws(x, tuple(moving), count, float(count))


def left_out_figures(
    trials: Sequence[Trial], targets: Sequence[Target], surface: Surface, moving: Sequence[Term]
) -> dict[str, float]:
    """Name of a target -> its figure on the surface when its trial is left out of the fit."""
    out: dict[str, float] = {}
    for trial in trials:
        mine = [k for k, t in enumerate(targets) if t.kind and {a[0] for a in t.arms} == {trial.name}]
        others = [k for k, t in enumerate(targets) if trial.name not in {a[0] for a in t.arms}]
        if not mine or not others:
            continue
        reduced = replace(
            surface,
            value=surface.value[others],
            value_se=surface.value_se[others],
            slope=surface.slope[others],
            slope_se=surface.slope_se[others],
        )
        x, _ = solve_surface([targets[k] for k in others], reduced, moving)
        predicted = surface.at(x)
        out |= {targets[k].name: float(predicted[k]) for k in mine}
    return out
