"""Figures of a harness run that aims are set for, with predictive intervals and naive predictions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from immunescape.evaluation.harness.protocols import Protocol
from immunescape.evaluation.harness.scoring import FigureComparison
from immunescape.evaluation.naive import (
    ARM_FIGURES,
    ROUND_RATIOS,
    ArmFigure,
    Judged,
    RatioFigure,
    arm_baselines,
    arm_kind,
    ratio_baselines,
)
from immunescape.stats.estimate import NORMAL_975

__all__ = ["judged_figures"]


def judged_figures(
    chosen: Sequence[Protocol],
    compared: Sequence[FigureComparison],
    errors: Mapping[str, Mapping[str, float]],
    *,
    forecasts: bool = False,
) -> list[Judged]:
    """Every counted figure of an arm, and every hazard ratio, beside its naive predictions.

    The naive predictors learn on the calibration trials of the run. The predictive interval holds the Monte Carlo
    error, the chance of the published figure, and the error of the model's structure that other trials show.

    Parameters
    ----------
    chosen, compared : of a run. errors : trial -> kind of figure -> SD (`left_out_errors`).
    forecasts : hazard ratios are those of `left_out_forecasts`, and their errors those of forecasts.
    """
    from immunescape.evaluation.trial_classes import regimen_class

    trials = {p.trial.name: p.trial for p in chosen}
    kinds = {(t.name, arm.name): arm_kind(t, arm) for t in trials.values() for arm in t.arms}
    classes = {name: regimen_class(t) if t.experimental else "own" for name, t in trials.items()}
    arms: list[ArmFigure] = []
    ratios: list[RatioFigure] = []
    for c in compared:
        if not c.counted or c.role != "calibration":
            continue
        if c.figure in ROUND_RATIOS:
            ratios.append(RatioFigure(c.trial, c.figure, c.published, classes[c.trial]))
        elif c.figure in ARM_FIGURES:
            arms.append(_arm_figure(c, trials, kinds))
    out = []
    for c in compared:
        if not c.counted or c.figure not in (*ROUND_RATIOS, *ARM_FIGURES):
            continue
        low, high = _interval(c, errors[c.trial], forecasts)
        if c.figure in ROUND_RATIOS:
            kind, baselines = classes[c.trial], ratio_baselines(c.trial, c.figure, classes[c.trial], ratios)
        else:
            arm_figure = _arm_figure(c, trials, kinds)
            kind, baselines = arm_figure.kind, arm_baselines(arm_figure, arms)
        if c.virtual is None and not c.figure.endswith("_median_months"):
            continue  # beyond the follow-up of the virtual trial
        out.append(
            Judged(
                trial=c.trial,
                arm=c.arm,
                figure=c.figure,
                kind=kind,
                predicted=c.virtual,
                published=c.published,
                low=low,
                high=high,
                baselines=baselines,
            )
        )
    return out


def _arm_figure(c: FigureComparison, trials: Mapping[str, object], kinds: Mapping[tuple[str, str], str]) -> ArmFigure:
    trial = trials[c.trial]
    control = getattr(trial, "control", None)
    return ArmFigure(
        trial=c.trial,
        arm=c.arm,
        figure=c.figure,
        value=c.published,
        kind=kinds[c.trial, c.arm],
        control=control is not None and control.name == c.arm,
        year=int(getattr(trial, "year", 0)),
    )


def _interval(c: FigureComparison, structure: Mapping[str, float], forecast: bool) -> tuple[float | None, float | None]:
    """95 % predictive interval of a figure, of its logarithm where that is the scale of errors."""
    from immunescape.evaluation.harness.corrections import forecast_error

    if c.virtual is None or c.se is None or c.published_se is None:
        return None, None
    if c.logarithmic:
        if c.figure in ROUND_RATIOS:
            extra = forecast_error(structure, c.figure) if forecast else structure.get("hr", 0.0)
        else:
            extra = structure.get("median", 0.0)
        half = NORMAL_975 * math.sqrt(c.se**2 + c.published_se**2 + extra**2)
        return c.virtual * math.exp(-half), c.virtual * math.exp(half)
    p = min(max(c.virtual / 100, 0.005), 0.995)
    # an error in ln of a median moves the log odds of survival by 2 ln 2 of it (exponential survival)
    odds = structure.get("orr", 0.0) if c.figure == "orr_pct" else 2 * math.log(2) * structure.get("median", 0.0)
    half = NORMAL_975 * math.sqrt(c.se**2 + c.published_se**2 + (100 * p * (1 - p) * odds) ** 2)
    return c.virtual - half, c.virtual + half
