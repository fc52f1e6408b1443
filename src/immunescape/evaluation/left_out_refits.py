"""Refits without one trial, which check what a response surface alone says of trials that are left out of a fit.

``--leave-out`` solves the surface again without a trial's figures: no patient is simulated at the fit that results,
and the values about which the surface is linear were simulated at the fit to all trials. Here the fit is repeated. It
starts from the design, of which the trial's patients are not used, takes as many steps as the calibration did, with
fresh patients of the other trials, and then simulates the trial, with fresh patients, at a fit that no figure of it has
reached. Trials with the same registry number (a trial and a stratum of it) are left out together. What the trial still
has an influence on is the place of the design, where the calibration was told to start.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError, unknown_word
from immunescape.evaluation.calibration import chance
from immunescape.evaluation.fit_terms import Term, to_fit
from immunescape.evaluation.response_surface import Surface, rows_of, solve_surface
from immunescape.evaluation.surface_steps import Report, StepPlan, TrialsSimulator, simulate_steps
from immunescape.evaluation.targets import Target
from immunescape.trial.spec import Trial

__all__ = ["LeftOutFigure", "Refit", "check_refitted", "mean_errors", "refit_without"]

FloatArray = NDArray[np.float64]
REFIT_SEED, TRIAL_SEED = 800_000, 900_000
"""Added to the seed for the patients of the steps without a trial, and for those of the trial afterwards."""


@dataclass(frozen=True, kw_only=True)
class LeftOutFigure:
    """A published figure of a trial, as fits without the trial predict it.

    Attributes
    ----------
    name, kind : of the target; kind is ``orr``, ``median`` or ``hr``. patients : virtual, per arm.
    published, surface, refit : in the unit of the figure; of the surface alone, and of fresh patients of the refit. A
        figure of survival at a published median is the proportion that survives.
    surface_error, refit_error : predicted less published on the scale of the fit (log odds, or logarithm).
    published_se, virtual_se : sampling errors of the published figure and of the refit's patients, on that scale.
    """

    name: str
    kind: str
    patients: int
    published: float
    surface: float
    refit: float
    surface_error: float
    refit_error: float
    published_se: float
    virtual_se: float


@dataclass(frozen=True, kw_only=True)
class Refit:
    """A fit without a trial.

    Attributes
    ----------
    trial, left_out : the trial, and all that were left out with it (strata). steps, patients : of the refit.
    moved : largest distance between the refit and the fit on the surface, in prior standard deviations.
    figures : of the trial.
    """

    trial: str
    left_out: tuple[str, ...]
    steps: int
    patients: int
    moved: float
    figures: tuple[LeftOutFigure, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON."""
        plain = {name: getattr(self, name) for name in ("trial", "steps", "patients", "moved")}
        figures = [{k: _rounded(v) for k, v in vars(f).items()} for f in self.figures]
        return {**plain, "moved": _rounded(self.moved), "left_out": list(self.left_out), "figures": figures}


def check_refitted(trials: Sequence[Trial], names: Sequence[str]) -> None:
    """Refuse trials to refit without that are not fitted to, are named twice, or leave nothing to fit to."""
    for name in names:
        if name not in {t.name for t in trials}:
            raise unknown_word("trial of this calibration", name, sorted(t.name for t in trials))
        if list(names).count(name) > 1:
            raise InputError(f"trial '{name}' is named twice", hint="Name each trial to check once.")
        if len(_with_strata(trials, name)) == len(trials):
            raise InputError(f"without '{name}' no trial is left to fit to", hint="Calibrate to several trials.")


def refit_without(
    name: str,
    simulator: TrialsSimulator,
    targets: Sequence[Target],
    surfaces: tuple[Surface, Surface],
    plan: StepPlan,
    report: Report,
) -> Refit:
    """Repeat a fit without a trial, and predict the trial.

    Parameters
    ----------
    name : of the trial.
    simulator, targets : of the calibration.
    surfaces : the one of the design, from which the refit starts, and the one after the steps of the calibration, which
        `left_out_figures` uses.
    plan : steps of the calibration.
    report : told of the progress, as rounds after the last.
    """
    gone = _with_strata(simulator.trials, name)
    others = [k for k, t in enumerate(targets) if not gone & {arm[0] for arm in t.arms}]
    mine = [k for k, t in enumerate(targets) if t.kind and {arm[0] for arm in t.arms} == {name}]
    left = [targets[k] for k in others]
    design, final = surfaces
    on_surface, _ = solve_surface(left, rows_of(final, others), plan.moving)
    without = replace(
        plan, offset=REFIT_SEED, folder=f"without-{name}/", label=f"parts of the other trials, without {name}"
    )

    def later(number: int, simulated: str) -> Any:
        return report(plan.count + 1 + number, simulated)

    apart = replace(simulator, trials=tuple(t for t in simulator.trials if t.name not in gone))
    best, _, _ = simulate_steps(apart, left, rows_of(design, others), without, later)
    trial = replace(simulator, trials=tuple(t for t in simulator.trials if t.name == name))
    weighted = trial.weighted(
        to_fit(best.x, plan.moving, held=plan.held),
        plan.fresh,
        TRIAL_SEED,
        f"without-{name}/{name}",
        later(plan.count + 1, f"parts of {name}"),
    )
    aims = [targets[k] for k in mine]
    return Refit(
        trial=name,
        left_out=tuple(sorted(gone)),
        steps=plan.count,
        patients=plan.fresh,
        moved=_furthest(best.x, on_surface, plan.moving),
        figures=tuple(
            LeftOutFigure(
                name=t.name,
                kind=t.kind,
                patients=plan.fresh,
                published=t.back(t.value),
                surface=_back(t, on),
                refit=_back(t, at),
                surface_error=on - t.value,
                refit_error=at - t.value,
                published_se=math.sqrt(max(t.sd**2 - t.tolerance**2, 0.0)),
                virtual_se=math.sqrt(variance),
            )
            for t, on, at, variance in zip(
                aims,
                final.at(on_surface)[mine].tolist(),
                [t.figure(weighted) for t in aims],
                chance(aims, weighted).tolist(),
                strict=True,
            )
        ),
    )


def mean_errors(refits: Sequence[Refit]) -> dict[str, dict[str, float]]:
    """Kind of figure -> ``figures``, and mean absolute and mean error of the ``surface`` and of the ``refit``."""
    out: dict[str, dict[str, float]] = {}
    for kind in ("orr", "median", "hr"):
        rows = [f for r in refits for f in r.figures if f.kind == kind and math.isfinite(f.refit_error)]
        if rows:
            surface, refit = (np.array([getattr(f, k) for f in rows]) for k in ("surface_error", "refit_error"))
            out[kind] = {
                "figures": float(len(rows)),
                "surface": float(np.abs(surface).mean()),
                "refit": float(np.abs(refit).mean()),
                "surface_bias": float(surface.mean()),
                "refit_bias": float(refit.mean()),
            }
    return out


def _with_strata(trials: Sequence[Trial], name: str) -> set[str]:
    """A trial, and the others with its registry number."""
    registry = {t.name: (t.registry or "").strip().upper() for t in trials}
    return {n for n, number in registry.items() if n == name or (number and number == registry[name])}


def _furthest(x: FloatArray, y: FloatArray, moving: Sequence[Term]) -> float:
    return float(np.max(np.abs(x - y) / np.array([t.prior_sd for t in moving])))


def _back(target: Target, value: float) -> float:
    return target.back(value) if math.isfinite(value) else math.nan


def _rounded(value: Any) -> Any:
    """Numbers to four digits, None for what could not be computed."""
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value
