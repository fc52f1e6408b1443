"""Steps of a calibration by a response surface: simulate where the surface is best, replace its values, go on.

Every step is simulated in pieces with seeds of their own, which keep their finished patients in folders of their own:
the same command resumes, and results do not depend on the number of workers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.evaluation.calibration import chance
from immunescape.evaluation.fit_terms import Term, to_fit
from immunescape.evaluation.response_surface import Surface, solve_surface, updated
from immunescape.evaluation.targets import Target, Weighted
from immunescape.evaluation.weighting import Sample, pool
from immunescape.evaluation.wide_rounds import SEED_STEP, PointTask, simulate_points
from immunescape.population.fit import FitTerm, PopulationFit
from immunescape.trial.spec import Trial

__all__ = ["Step", "StepPlan", "TrialsSimulator", "simulate_steps"]

FloatArray = NDArray[np.float64]
Samples = dict[tuple[str, str], Sample]
Report = Callable[[int, str], Callable[[int, int], None] | None]
"""(round, what is simulated) -> what is told how many are done, of how many."""
PIECE = 100
"""Patients per arm of one task of a step: so all workers are busy, and results do not depend on their number."""
STEP_SEED = 500_000
"""Added to the seed for the patients of the steps, who are the same in all steps."""


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


@dataclass(frozen=True)
class StepPlan:
    """How the steps go.

    Attributes
    ----------
    count, fresh : steps, and virtual patients per arm of each. moving, held : terms that move, and that stay.
    offset, folder, label : of the seeds; of the finished patients, before ``step-1``; of the progress.
    """

    count: int
    fresh: int
    moving: Sequence[Term]
    held: Sequence[FitTerm]
    _: KW_ONLY
    offset: int = STEP_SEED
    folder: str = ""
    label: str = "parts"


def simulate_steps(
    simulator: TrialsSimulator, targets: Sequence[Target], surface: Surface, plan: StepPlan, report: Report
) -> tuple[Step, Surface, Weighted]:
    """Simulate where the surface is best, several times; returns the best step, the surface, and the last patients."""
    best: Step | None = None
    reach = 1.0
    for number in range(1, plan.count + 1):
        x, _ = solve_surface(targets, surface, plan.moving, reach=reach)
        tried = to_fit(x, plan.moving, held=plan.held)
        progress = report(number, plan.label)
        weighted = simulator.weighted(tried, plan.fresh, plan.offset, f"{plan.folder}step-{number}", progress)
        step = _step(targets, weighted, x, plan.moving)
        moved = updated(surface, x, step.value, step.error)
        if best is None or step.loss + step.prior < best.loss + best.prior:
            best, surface = step, moved
        else:  # a step too far: the slopes learn from it, the next one starts again from the best and goes half as far
            surface = replace(moved, centre=best.x, value=best.value, value_se=best.error)
            reach *= 0.5
    if best is None:
        raise InputError("no step was simulated")
    return best, surface, weighted


def _step(targets: Sequence[Target], weighted: Weighted, x: FloatArray, moving: Sequence[Term]) -> Step:
    value = np.array([t.figure(weighted) for t in targets])
    error = np.sqrt(chance(targets, weighted))
    residual = [
        (v - t.value) / math.hypot(t.sd, e) for t, v, e in zip(targets, value, error, strict=True) if math.isfinite(v)
    ]
    prior = float(sum(t.moved(float(a)) ** 2 for a, t in zip(x, moving, strict=True)))
    return Step(x, value, error, 0.5 * float(np.square(residual).sum()), 0.5 * prior)
