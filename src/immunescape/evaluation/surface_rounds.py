"""Calibration by a response surface: simulates the design, then the fit on it, then a few steps with fresh patients.

See :mod:`immunescape.evaluation.response_surface` for the method. Every population of the design is a task with a seed
of its own and keeps its finished patients in a folder of its own; so does every step. The same command resumes, and
results do not depend on the number of workers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.evaluation.calibration import (
    checked,
    discrepancy_by_comparison,
    fit_sources,
    kinetics_trials,
)
from immunescape.evaluation.calibration_result import Calibration, WeightedFit
from immunescape.evaluation.calibration_settings import CalibrationChanges, CalibrationSettings, settings_with
from immunescape.evaluation.fit_terms import Term, coordinates, held_terms, limits, terms, to_fit
from immunescape.evaluation.left_out_refits import check_refitted, refit_without
from immunescape.evaluation.posterior_draws import Draws, covariance_root
from immunescape.evaluation.response_surface import Surface, design_rows, fit_surface, rows_of, solve_surface
from immunescape.evaluation.surface_steps import Step, StepPlan, TrialsSimulator, simulate_steps
from immunescape.evaluation.target_sets import all_targets
from immunescape.evaluation.targets import Target, Weighted
from immunescape.evaluation.wide_rounds import SEED_STEP
from immunescape.files import check_folder
from immunescape.population.fit import PopulationFit
from immunescape.trial.spec import Trial

__all__ = ["calibrate_surface", "half_widths"]

FloatArray = NDArray[np.float64]
WIDEST = 0.35
"""Half-width of the design in the coordinate of a term, at most: further away, responses are not nearly linear."""
FRESH_SEED = 700_000
"""Added to the seed for the patients of the last check."""


def half_widths(moving: Sequence[Term], spread: float) -> FloatArray:
    """Half-widths (terms,) of the design: `spread` prior standard deviations, at most `WIDEST`."""
    return np.minimum(spread * np.array([t.prior_sd for t in moving]), WIDEST)


def calibrate_surface(
    trials: Sequence[Trial],
    settings: CalibrationSettings | None = None,
    *,
    steps: int = 3,
    fresh: int = 300,
    refitted: Sequence[str] = (),
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
    refitted
        Trials without which the fit is repeated by as many steps, each with fresh patients of the other trials, to
        check what the surface alone predicts for them (:mod:`immunescape.evaluation.left_out_refits`).

    Raises
    ------
    InputError
        For a trial without published results, a wrong folder, numbers that are not positive, or a trial to refit
        without that is not among `trials`.
    """
    used = settings_with(settings, changes)
    patients = 16 if used.patients is None else used.patients
    check_refitted(trials, refitted)
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
    design, plan = surface, StepPlan(steps, fresh, moving, held)
    best, surface, weighted = simulate_steps(simulator, targets, design, plan, partial(_report, used))
    _, covariance = solve_surface(targets, surface, moving)
    fitted = _fitted(targets, best, covariance, surface, weighted)
    fit = to_fit(best.x, moving, np.sqrt(np.diag(covariance)), fit_sources(trials, used.data), held)
    check = simulator.weighted(fit, fresh, FRESH_SEED, "fresh", _report(used, steps + 1, "parts"))
    figures, left = checked(targets, check, moving, fitted)
    refits = tuple(
        refit_without(name, simulator, targets, (design, surface), plan, partial(_report, used)) for name in refitted
    )
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
        refits=refits,
    )
    if used.out is not None:
        result.write(used.out)
    return result


def _report(settings: CalibrationSettings, number: int, simulated: str) -> Callable[[int, int], None] | None:
    """Progress of one round."""
    progress = settings.progress
    return None if progress is None else lambda done, total: progress(number, simulated, done, total)


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
        x, _ = solve_surface([targets[k] for k in others], rows_of(surface, others), moving)
        predicted = surface.at(x)
        out |= {targets[k].name: float(predicted[k]) for k in mine}
    return out
