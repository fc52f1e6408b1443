"""Naive predictions of published figures: what can be said of a trial without any model of biology.

They are learnt on published figures of calibration trials, with the trial itself left out of its own prediction.

* Of an arm (response, medians, survival at landmarks): ``constant``, the mean of all arms; ``line and class``, the mean
  of arms of the same line that give the same class of treatment; ``last trial``, the figure of the most recent such arm
  of an earlier or simultaneous trial, for a control arm of its control.
* Of a hazard ratio: ``constant``; ``class``, the mean of trials of the same regimen class; ``round``, 0.65 for PFS and
  0.75 for OS; ``no effect``, 1.

Means are geometric for medians and hazard ratios.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from immunescape.evaluation.trial_classes import LANDMARKS, regimen_class, roles

if TYPE_CHECKING:
    from immunescape.evaluation.scoreboard import Score
    from immunescape.trial.spec import Arm, Trial

__all__ = [
    "ARM_FIGURES",
    "ROUND_RATIOS",
    "ArmFigure",
    "Judged",
    "RatioFigure",
    "arm_baselines",
    "arm_kind",
    "calibration_trials",
    "judged_scores",
    "logarithmic",
    "published_arm_figures",
    "published_ratio_figures",
    "ratio_baselines",
]

ARM_FIGURES = (
    "orr_pct",
    "pfs_median_months",
    "os_median_months",
    *(f"{end}_{months}_pct" for end in ("pfs", "os") for months in LANDMARKS),
)
"""Figures of an arm that naive predictions are made of."""
ROUND_RATIOS = {"pfs_hr": 0.65, "os_hr": 0.75}
"""Round numbers near the mean of published first-line trials."""


def logarithmic(figure: str) -> bool:
    """Whether errors of a figure are those of its logarithm."""
    return figure.endswith(("_hr", "_median_months"))


def _scaled(figure: str, value: float) -> float:
    return math.log(value) if logarithmic(figure) else value


@dataclass(frozen=True, kw_only=True)
class ArmFigure:
    """A published figure of an arm.

    Attributes
    ----------
    trial, arm, figure, value : what was published; percent or months.
    kind : class of treatment and line, see :func:`arm_kind`.
    control : whether the arm is the control of its trial. year : of its first patient, 0 where it is not known.
    """

    trial: str
    arm: str
    figure: str
    value: float
    kind: str
    control: bool
    year: int


@dataclass(frozen=True)
class RatioFigure:
    """A published hazard ratio: trial, figure (``pfs_hr``, ``os_hr``), value, regimen class of the trial."""

    trial: str
    figure: str
    value: float
    regimen_class: str


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A predicted figure beside the published one and what naive predictors say.

    Attributes
    ----------
    trial, arm, figure : what it is; `arm` is empty for a hazard ratio.
    kind : of the arm (:func:`arm_kind`), or the regimen class of the trial.
    predicted : None where a virtual median is not reached. published : as reported.
    low, high : 95 % predictive interval; None where there is none.
    baselines : name -> (prediction, SD of its error on the scale of the figure; None where none is known).
    chance : SD of the error, on the same scale, that a perfect model would have: of the published sample and of the
        virtual patients; None where it is not known.
    """

    trial: str
    arm: str
    figure: str
    kind: str
    predicted: float | None
    published: float
    low: float | None = None
    high: float | None = None
    baselines: Mapping[str, tuple[float, float | None]] = field(default_factory=dict)
    chance: float | None = None

    def error(self, value: float | None) -> float:
        """Of a prediction: of the logarithm where `logarithmic`, else in points; infinite where it is None."""
        if value is None or (logarithmic(self.figure) and value <= 0):
            return math.inf
        return _scaled(self.figure, value) - _scaled(self.figure, self.published)


def arm_kind(trial: Trial, arm: Arm) -> str:
    """Class of treatment and line of an arm, such as ``inhibitor and chemotherapy, first line``.

    Classes: checkpoint inhibitor alone, with chemotherapy, with other drugs; chemotherapy; other treatment. Stage III
    after chemoradiotherapy is a line of its own.
    """
    from immunescape.trial.toxicity import contains_class

    given = tuple(sorted({d for choice in arm.choices for d in choice.regimen.drugs}))
    inhibitor, cytotoxic = contains_class(given, "ici"), contains_class(given, "cytotoxic")
    only_inhibitor = inhibitor and all(contains_class((d,), "ici") for d in given)
    if cytotoxic:
        words = "inhibitor and chemotherapy" if inhibitor else "chemotherapy"
    else:
        words = "inhibitor" if only_inhibitor else "inhibitor and other drugs" if inhibitor else "other treatment"
    if "radiotherapy" in trial.earlier_drugs:
        return f"{words}, after chemoradiotherapy"
    return f"{words}, {'later line' if trial.population.line[0] > 1 else 'first line'}"


def published_arm_figures(trials: Iterable[Trial]) -> list[ArmFigure]:
    """Figures of `ARM_FIGURES` that trials published."""
    out = []
    for trial in trials:
        if trial.published is None:
            continue
        arms = {arm.name: arm for arm in trial.arms}
        for published in trial.published.arms:
            arm = arms[published.name]
            values = {name: getattr(published, name) for name in ARM_FIGURES[:3]}
            for end in ("pfs", "os"):
                values.update({f"{end}_{months:g}_pct": percent for months, percent in published.km.get(end, ())})
            out += [
                ArmFigure(
                    trial=trial.name,
                    arm=arm.name,
                    figure=name,
                    value=value,
                    kind=arm_kind(trial, arm),
                    control=_is_control(trial, arm),
                    year=trial.year,
                )
                for name, value in values.items()
                if name in ARM_FIGURES and value is not None
            ]
    return out


def _is_control(trial: Trial, arm: Arm) -> bool:
    return trial.control is not None and arm.name == trial.control.name


def published_ratio_figures(trials: Iterable[Trial]) -> list[RatioFigure]:
    """Hazard ratios that trials published."""
    return [
        RatioFigure(trial.name, figure, value, regimen_class(trial))
        for trial in trials
        if trial.published is not None and trial.control is not None
        for figure in ROUND_RATIOS
        if (value := getattr(trial.published, figure)) is not None
    ]


def arm_baselines(target: ArmFigure, published: Sequence[ArmFigure]) -> dict[str, tuple[float, float | None]]:
    """Naive predictions of an arm's figure; none where no other calibration trial has published such a figure.

    Parameters
    ----------
    target : the figure to predict; its value is not used.
    published : figures of calibration trials; those of the trial itself are left out.
    """
    others = [f for f in published if f.figure == target.figure and f.trial != target.trial]
    if not others:
        return {}
    alike = [f for f in others if f.kind == target.kind]
    predictions = {"constant": _mean(target.figure, others), "line and class": _mean(target.figure, alike or others)}
    earlier = [f for f in alike if not target.year or f.year <= target.year]
    if target.control:
        earlier = [f for f in earlier if f.control] or earlier
    # two trials of one year: their mean, so that no order by name decides
    newest = [f for f in earlier if f.year == max(e.year for e in earlier)]
    predictions["last trial"] = _mean(target.figure, newest) if newest else predictions["line and class"]
    spread = _spread(target.figure, others)
    return {name: (value, spread) for name, value in predictions.items()}


def ratio_baselines(
    trial: str, figure: str, regimen_class: str, published: Sequence[RatioFigure]
) -> dict[str, tuple[float, float | None]]:
    """Naive predictions of a hazard ratio, each with the SD of its errors (ln) on the other calibration trials."""
    others = [f for f in published if f.figure == figure and f.trial != trial]
    logs = [math.log(f.value) for f in others]
    predictions = {"round": ROUND_RATIOS[figure], "no effect": 1.0}
    if others:
        same = [math.log(f.value) for f in others if f.regimen_class == regimen_class]
        predictions = {
            "constant": math.exp(float(np.mean(logs))),
            "class": math.exp(float(np.mean(same or logs))),
            **predictions,
        }
    out: dict[str, tuple[float, float | None]] = {}
    for name, value in predictions.items():
        centre = math.log(value)
        enough = len(logs) >= 2
        if name in ("constant", "class"):
            out[name] = value, float(np.std(logs, ddof=1)) if enough else None
        else:
            out[name] = value, math.sqrt(float(np.mean([(x - centre) ** 2 for x in logs]))) if enough else None
    return out


@cache
def calibration_trials() -> tuple[Trial, ...]:
    """Trials that naive predictors learn on where no harness runs: those that ship for calibration or have curves.

    See ``knowledge/data/trial_roles.csv`` and ``evaluation/harness/curve_trials.csv``.
    """
    from immunescape.evaluation.harness.protocols import curve_trials, protocol_file
    from immunescape.trial.loading import load_trial

    shipped = [name for name, (role, _) in sorted(roles().items()) if role == "calibration"]
    calibrated = [str(protocol_file(row["trial"])) for row in curve_trials() if row["role"] == "calibration"]
    return tuple(load_trial(name) for name in (*shipped, *calibrated))


def judged_scores(scores: Sequence[Score], trials: Iterable[Trial]) -> list[Judged]:
    """Scored figures of trials beside naive predictions learnt on `calibration_trials`.

    Parameters
    ----------
    scores : figures, of which those that were published and that naive predictions are made of are kept.
    trials : their protocols.
    """
    by_name = {trial.name: trial for trial in trials}
    arms, ratios = published_arm_figures(calibration_trials()), published_ratio_figures(calibration_trials())
    out = []
    for s in scores:
        trial = by_name[s.trial]
        itself = {s.trial, *s.names_of_same_trial}
        if s.published is None or s.endpoint not in (*ARM_FIGURES, *ROUND_RATIOS):
            continue
        if s.endpoint in ROUND_RATIOS:
            kind = regimen_class(trial)
            baselines = ratio_baselines(s.trial, s.endpoint, kind, [f for f in ratios if f.trial not in itself])
        else:
            arm = next(a for a in trial.arms if a.name == s.arm)
            kind = arm_kind(trial, arm)
            target = ArmFigure(
                trial=s.trial,
                arm=s.arm,
                figure=s.endpoint,
                value=s.published,
                kind=kind,
                control=_is_control(trial, arm),
                year=trial.year,
            )
            baselines = arm_baselines(target, [f for f in arms if f.trial not in itself])
        arm_name = "" if s.endpoint in ROUND_RATIOS else s.arm
        out.append(
            Judged(
                trial=s.trial,
                arm=arm_name,
                figure=s.endpoint,
                kind=kind,
                predicted=s.predicted,
                published=s.published,
                low=s.low,
                high=s.high,
                baselines=baselines,
                chance=_chance(s),
            )
        )
    return out


EVENTS = 0.7
"""Events per patient by which the error of a hazard ratio or median without interval is estimated (assumed)."""


def _chance(s: Score) -> float | None:
    """Error of the published figure and of the virtual patients together, on the scale of errors.

    The published one is that of its interval where there is one. Those estimated from numbers of patients take the
    arms as independent; virtual arms share their patients, so that for hazard ratios this is an upper bound.
    """
    assert s.published is not None
    low, high = s.published_low, s.published_high
    if low is not None and high is not None and low < high and (low > 0 or not logarithmic(s.endpoint)):
        published: float | None = (_scaled(s.endpoint, high) - _scaled(s.endpoint, low)) / 3.92
    else:
        published = _sampling_error(s, s.n_published)
    virtual = _sampling_error(s, s.n)
    return None if published is None or virtual is None else math.hypot(published, virtual)


def _sampling_error(s: Score, n: int) -> float | None:
    """Standard error of a figure in n patients, of both arms for a hazard ratio."""
    if not n or s.published is None:
        return None
    if s.endpoint.endswith("_pct"):
        p = min(max(s.published / 100.0, 0.5 / n), 1.0 - 0.5 / n)
        return 100.0 * math.sqrt(p * (1.0 - p) / n)
    return math.sqrt((4.0 if s.endpoint.endswith("_hr") else 1.0) / (EVENTS * n))


def _mean(figure: str, figures: Sequence[ArmFigure]) -> float:
    mean = float(np.mean([_scaled(figure, f.value) for f in figures]))
    return math.exp(mean) if logarithmic(figure) else mean


def _spread(figure: str, figures: Sequence[ArmFigure]) -> float | None:
    values = [_scaled(figure, f.value) for f in figures]
    return float(np.std(values, ddof=1)) if len(values) > 1 else None
