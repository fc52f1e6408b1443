"""Rounds of a calibration that simulate many populations about the present fit, each of few patients.

One population says little about a fit that is far from it, for its weights become uneven. A *design* of populations,
spread over the prior of all terms at once (a Sobol sequence), covers the region instead: the patients of all of them
together are one sample from their mixture (``owen2000``), and every patient is a point of the design. So the mixture is
the emulator: it gives the figures of any fit in the region, with patients weighted by densities, whatever the number
of terms. Each population is simulated by one task, with one worker, from a seed of its own: results do not depend on
how many workers there are. Finished patients are kept, a folder for each population, and a rerun takes them from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.evaluation.fit_terms import Term, held_terms, limits, to_fit
from immunescape.evaluation.weighting import Sample
from immunescape.parallel import Task, make_all, open_team
from immunescape.population.fit import PopulationFit
from immunescape.population.sobol import BITS, sobol_integers
from immunescape.trial import WORKER_IMPORTS
from immunescape.trial.spec import Trial

__all__ = ["PointTask", "cost", "scatter", "simulate_points"]

FloatArray = NDArray[np.float64]
Samples = dict[tuple[str, str], Sample]
SEED_STEP = 1000
"""Population j of a round has the seed of the round plus j times this."""
SECONDS = (0.04, 0.12)
"""Processor seconds of a patient in an arm with all lesions, growth to diagnosis and earlier lines: from, to."""


def scatter(centre: FloatArray, moving: Sequence[Term], count: int, spread: float, seed: int) -> FloatArray:
    """Coordinates (count, terms) of populations about a fit: the fit itself, and normal points of a Sobol sequence.

    Parameters
    ----------
    centre : (terms,) coordinates of the fit.
    moving : the terms.
    count : how many populations.
    spread : standard deviation of the points in prior standard deviations.
    seed : shifts the sequence (modulo 1).
    """
    from scipy.special import ndtri

    limit = limits(moving)
    out = np.tile(np.asarray(centre, dtype=float), (count, 1))
    if count > 1:
        shift = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0x5CA7,))).uniform(size=len(moving))
        u = (sobol_integers(0, count - 1, 0, len(moving)) / 2.0**BITS + shift) % 1.0
        out[1:] += spread * np.array([t.prior_sd for t in moving]) * ndtri(np.clip(u, 1e-6, 1.0 - 1e-6))
    values: FloatArray = np.clip(out, -limit, limit)
    return values


@dataclass(frozen=True, kw_only=True)
class PointTask:
    """All trials of one population.

    Attributes
    ----------
    trials : what is simulated. fit : the population. patients : of each arm. seed : of all trials.
    names, scores : what a fit may move, see `Sample.of`. kinetics : trials whose lesions are measured.
    folder : keeps finished patients; None keeps none.
    """

    trials: tuple[Trial, ...]
    fit: PopulationFit
    patients: int
    seed: int
    names: tuple[str, ...]
    scores: tuple[str, ...]
    kinetics: tuple[str, ...]
    folder: Path | None
    engine: str = "auto"


def simulate_point(task: PointTask) -> Samples:
    """Patients of every arm of one population."""
    from immunescape.trial.runner import run_trial

    made = {}
    for trial in task.trials:
        folder = None if task.folder is None else task.folder / trial.name
        result = run_trial(
            trial,
            patients=task.patients,
            seed=task.seed,
            workers=1,
            out=folder,
            engine=task.engine,
            fit=task.fit,
            paired=True,
        )
        for arm in trial.arms:
            made[trial.name, arm.name] = Sample.of(
                result, arm, task.names, task.scores, task.fit, kinetics=trial.name in task.kinetics
            )
    return made


def simulate_points(
    tasks: Sequence[PointTask],
    *,
    workers: int,
    cluster: Any = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Samples]:
    """Samples of several populations, in their order, made side by side."""
    by_task: dict[int, Samples] = {}

    def keep(key: Any, samples: Samples) -> None:
        by_task[int(key)] = samples
        if progress is not None:
            progress(len(by_task), len(tasks))

    if workers < 1:
        raise InputError(f"the number of workers is {workers}", hint="Use at least one.")
    if workers == 1 and cluster is None:
        for k, task in enumerate(tasks):
            keep(k, simulate_point(task))
        return [by_task[k] for k in range(len(tasks))]
    made = (Task(k, f"population {k}", simulate_point, (task,)) for k, task in enumerate(tasks))
    make_all(open_team(workers, cluster, imports=WORKER_IMPORTS), made, keep)
    return [by_task[k] for k in range(len(tasks))]


def point_fits(
    base: PopulationFit, centre: FloatArray, moving: Sequence[Term], count: int, spread: float, seed: int
) -> list[PopulationFit]:
    """Fits of the populations of a round; the first is `base`, at `centre`."""
    points = scatter(centre, moving, count, spread, seed)
    held = held_terms(base, moving)
    return [base, *(to_fit(x, moving, held=held) for x in points[1:])]


def cost(trials: Sequence[Trial], patients: int, rounds: int, workers: int | None = None) -> Mapping[str, float]:
    """What a calibration will take: virtual patients in arms, and minutes (from, to) on so many workers."""
    from immunescape.parallel import usable_cores

    cores = workers or usable_cores()
    courses = patients * (rounds + 1) * sum(len(t.arms) for t in trials)
    low, high = (courses * s / 60.0 / cores for s in SECONDS)
    return {"courses": float(courses), "workers": float(cores), "minutes_low": low, "minutes_high": high}
