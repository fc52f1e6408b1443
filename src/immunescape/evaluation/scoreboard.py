"""Predicted results of trials beside the published ones: errors, predictive intervals, naive baselines.

A prediction is worth what it gains over a naive one, so every hazard ratio is also predicted by two baselines
learnt on the calibration trials alone: one constant, and the mean of the trial's regimen class. Intervals are scored
with the interval score (``gneiting2007``), which punishes width and misses alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.evaluation.calibration import comparison_kind
from immunescape.evaluation.harness.class_effects import delivered_shares
from immunescape.evaluation.posterior import Posterior, posterior_weights, shipped_discrepancy
from immunescape.evaluation.replicates import (
    arm_outcomes,
    hazard_ratios,
    interval,
    km_median,
    moved_share,
    resampled_rows,
)
from immunescape.evaluation.trial_classes import LANDMARKS, ROLES, interval_score, regimen_class, roles
from immunescape.evaluation.weighting import weighted_survival

if TYPE_CHECKING:
    from immunescape.trial.result import TrialResult

__all__ = [
    "LANDMARKS",
    "ROLES",
    "Score",
    "interval_score",
    "published_ratios",
    "regimen_class",
    "rivals",
    "roles",
    "score_trial",
    "summarise",
]

FloatArray = NDArray[np.float64]
RESAMPLES = 400


@dataclass(frozen=True)
class Score:
    """One predicted figure beside the published one.

    Attributes
    ----------
    trial, role, arm, endpoint : what it is; the arm of a hazard ratio is ``experimental / control``.
    predicted : of the whole simulated arm. low, high : 95 % of virtual trials of the published size fall in here.
    published, published_low, published_high : as the trial reported them; None where it did not.
    regimen_class : of the trial. n, n_published : simulated patients, and those of the published figure.
    same_course : of an OS hazard ratio, what is left where both arms follow the control's courses
        (:func:`immunescape.trial.analysis.same_course_ratio`); None for other figures.
    unshrunk : of a hazard ratio of a trial that was not fitted and adds drugs to its control, what the model alone
        gives; `predicted` is shrunk by what trials of such drugs have delivered.
    """

    trial: str
    role: str
    arm: str
    endpoint: str
    predicted: float | None
    low: float | None
    high: float | None
    published: float | None
    published_low: float | None
    published_high: float | None
    regimen_class: str = ""
    n: int = 0
    same_course: float | None = None
    n_published: int = 0
    unshrunk: float | None = None

    def row(self) -> dict[str, Any]:
        """As one row of ``immunescape validate --json``."""
        return asdict(self)

    @property
    def covered(self) -> bool | None:
        """Whether the published figure lies in the predicted interval; None where either is missing."""
        if self.published is None or self.low is None:
            return None
        return self.low <= self.published and (self.high is None or self.published <= self.high)


def score_trial(result: TrialResult, *, resamples: int = RESAMPLES, seed: int = 1) -> list[Score]:
    """Every published figure of a trial beside its prediction.

    Parameters
    ----------
    result
        The virtual trial; the more patients, the closer `predicted` is to what the model says. The interval resamples
        its arms at the published numbers of patients, each time under another fit of the population that the
        calibration leaves possible, and moves the figure by an error of the size that the fit left on the calibration
        trials: it holds the chance of a trial of that size, the uncertainty of what was fitted, and that of the model's
        structure as far as the calibration trials show it.
    resamples, seed
        Virtual trials per interval, and their seed.
    """
    published = result.trial.published
    if published is None:
        raise InputError(
            f"trial '{result.trial.name}' has nothing to be scored against",
            hint="Add a `published:` block to its file; `immunescape trial --template` shows one.",
        )
    role, kind = roles().get(result.trial.name, ("own", ""))
    kind = kind or regimen_class(result.trial)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0x5C0E,)))
    tables = {arm.name: arm_outcomes(result, arm.name) for arm in result.trial.arms}
    sizes = {arm.name: arm.n or len(tables[arm.name].response) for arm in published.arms}
    posterior = Posterior.shipped()
    fits = [] if posterior is None else posterior.draws(resamples, seed)
    draws = {
        name: resampled_rows(rng, posterior_weights(result, name, fits), len(tables[name].response), size, resamples)
        for name, size in sizes.items()
        if name in tables and len(tables[name].response)
    }
    scores: list[Score] = []
    structure = shipped_discrepancy(comparison_kind(result.trial))

    def off(kind: str) -> FloatArray:
        """Errors (resamples,) of the model's structure."""
        return structure.get(kind, 0.0) * rng.standard_normal(resamples)

    def add(
        arm: str,
        endpoint: str,
        predicted: float | None,
        spread: FloatArray,
        value: Any,
        bounds: Any,
        same: float | None = None,
        model: float | None = None,
    ) -> None:
        low, high = interval(spread)
        plow, phigh = bounds or (None, None)
        n = sum(len(tables[part].response) for part in arm.split(" / ") if part in tables)
        size = sum(sizes.get(part, 0) for part in arm.split(" / "))
        scores.append(
            Score(
                result.trial.name,
                role,
                arm,
                endpoint,
                predicted,
                low,
                high,
                value,
                plow,
                phigh,
                kind,
                n,
                same,
                size,
                model,
            )
        )

    figures = {str(arm["name"]): arm for arm in result.arms}
    for arm in published.arms:
        if arm.name not in draws:
            continue
        data, rows = tables[arm.name], draws[arm.name]
        shares = moved_share(data.response[rows].mean(axis=1), off("orr"))
        add(arm.name, "orr_pct", figures[arm.name]["orr_pct"], 100 * shares, arm.orr_pct, arm.orr_ci)
        for name in ("pfs", "os"):
            time, event = getattr(data, name)
            spread = np.array([km_median(time[r], event[r]) for r in rows]) * np.exp(off("median"))
            add(
                arm.name,
                f"{name}_median_months",
                figures[arm.name][f"{name}_median_months"],
                spread,
                getattr(arm, f"{name}_median_months"),
                getattr(arm, f"{name}_median_ci"),
            )
    for k, record in enumerate([result.comparison, *result.comparison.get("others", [])]):
        a, b = record.get("experimental"), record.get("control")
        if a not in draws or b not in draws:
            continue
        known = published.others.get(str(a), {}) if k else vars(published)
        for name in ("pfs", "os"):
            ratios = hazard_ratios(getattr(tables[a], name), getattr(tables[b], name), draws[a], draws[b])
            ratios = ratios * np.exp(off("hr"))
            same = record.get("os_hr_same_course") if name == "os" else None
            ratio = record.get(f"{name}_hr")
            model = None
            if role != "calibration" and ratio:
                mean, delivered = delivered_shares(result.trial, str(a), f"{name}_hr", resamples, (seed,))
                if mean != 1.0:
                    # the effect is multiplied by the share that its class delivers, the chance of the trial is not
                    model, ratios, ratio = ratio, ratios * ratio ** (delivered - 1.0), ratio**mean
            add(
                f"{a} / {b}",
                f"{name}_hr",
                ratio,
                ratios,
                known.get(f"{name}_hr"),
                known.get(f"{name}_hr_ci"),
                same,
                model,
            )
    for arm in published.arms:
        for name in ("pfs", "os"):
            for months, percent in arm.km.get(name, ()):
                if arm.name not in draws or months not in LANDMARKS:
                    continue
                time, event = getattr(tables[arm.name], name)
                if time.max() < months:
                    continue  # beyond the follow-up of the virtual trial
                at, n = np.array([float(months)]), len(time)
                shares = np.array(
                    [
                        weighted_survival(time, event.astype(float), np.bincount(r, minlength=n) / len(r), at)[0]
                        for r in draws[arm.name]
                    ]
                )
                # an error in ln of a median moves the log odds of survival by 2 ln 2 of it (exponential survival)
                shares = moved_share(shares, 2.0 * math.log(2.0) * off("median"))
                whole = 100 * float(weighted_survival(time, event.astype(float), np.full(n, 1 / n), at)[0])
                add(arm.name, f"{name}_{months:g}_pct", whole, 100 * shares, percent, None)
    return scores


Rival = Callable[[Score], tuple[float, float, float] | None]


@cache
def published_ratios() -> tuple[Score, ...]:
    """Published hazard ratios of the calibration trials that ship: what the rivals learn on, whatever is simulated."""
    from immunescape.trial.loading import load_trial

    out = []
    for name, (role, kind) in sorted(roles().items()):
        published = load_trial(name).published
        for end in ("pfs_hr", "os_hr"):
            value = None if published is None else getattr(published, end)
            if role == "calibration" and value is not None:
                out.append(Score(name, role, "", end, None, None, None, value, None, None, kind))
    return tuple(out)


def rivals(scores: Sequence[Score]) -> dict[str, Rival]:
    """Two naive predictors of log hazard ratios, learnt on the published ratios of the calibration trials.

    ``constant`` predicts their mean, ``class`` the mean of the trial's regimen class (the constant where the class has
    no calibration trial). Both predict with the spread of the calibration trials about the mean as a normal interval;
    a calibration trial is left out of its own prediction. Each gives (log ratio, low, high).
    """
    known = [s for s in scores if s.role == "calibration" and s.endpoint.endswith("_hr") and s.published]

    def predict(score: Score, same: Callable[[Score], bool]) -> tuple[float, float, float] | None:
        pool = [s for s in known if s.endpoint == score.endpoint and s.trial != score.trial]
        if len(pool) < 2:
            return None
        logs = [math.log(s.published) for s in pool if same(s) and s.published]
        everyone = [math.log(s.published) for s in pool if s.published]
        centre = float(np.mean(logs or everyone))
        half = 1.959963984540054 * float(np.std(everyone, ddof=1))
        return centre, centre - half, centre + half

    return {
        "constant": lambda score: predict(score, lambda _: True),
        "class": lambda score: predict(score, lambda other: other.regimen_class == score.regimen_class),
    }


def summarise(scores: Iterable[Score], known: Sequence[Score] | None = None) -> dict[str, dict[str, Any]]:
    """Errors by role: how far predictions are off, how often intervals hold the published figure, against the rivals.

    Parameters
    ----------
    scores
        What was predicted.
    known
        Published ratios of calibration trials that the rivals learn on; None takes those among `scores`.

    Returns
    -------
    role -> ``orr_median_abs_error`` (percentage points), ``median_rel_error`` (of PFS and OS medians, share; a virtual
    median that is not reached where a published one is counts as further off than any other),
    ``hr_median_abs_log_error``, ``hr_covered`` (share), ``hr_interval_score`` (mean, on the log scale), the same for
    each rival under ``rivals``, how many figures each stands on, and the hazard ratios of PFS and of OS apart under
    ``pfs`` and ``os``.
    """
    scores = list(scores)
    predictors = rivals(scores if known is None else known)
    out: dict[str, dict[str, Any]] = {}
    for role in ROLES:
        known = [s for s in scores if s.role == role and s.published is not None]
        mine = [s for s in known if s.predicted is not None]
        if not known:
            continue
        missed = [math.inf for s in known if s.predicted is None and "median" in s.endpoint]
        orr = [abs(s.predicted - s.published) for s in mine if s.endpoint == "orr_pct"]  # type: ignore[operator]
        medians = [abs(s.predicted / s.published - 1) for s in mine if "median" in s.endpoint]  # type: ignore[operator]
        medians += missed
        ratios = [s for s in mine if s.endpoint.endswith("_hr")]
        record: dict[str, Any] = {
            "orr_figures": len(orr),
            "orr_median_abs_error": _mid(orr),
            "median_figures": len(medians),
            "median_rel_error": _mid(medians),
            **_log_errors(ratios, lambda s: _own(s)),
            "rivals": {name: _log_errors(ratios, rival) for name, rival in predictors.items()},
        }
        for end in ("pfs", "os"):
            of_end = [s for s in ratios if s.endpoint == f"{end}_hr"]
            record[end] = {
                **_log_errors(of_end, lambda s: _own(s)),
                "rivals": {name: _log_errors(of_end, rival) for name, rival in predictors.items()},
            }
        out[role] = record
    return out


def _own(score: Score) -> tuple[float, float, float] | None:
    if not (score.predicted and score.low and score.high):
        return None
    return math.log(score.predicted), math.log(score.low), math.log(score.high)


def _log_errors(ratios: Sequence[Score], predict: Rival) -> dict[str, Any]:
    errors, points, inside = [], [], []
    for score in ratios:
        found = predict(score)
        if found is None or not score.published:
            continue
        centre, low, high = found
        value = math.log(score.published)
        errors.append(abs(centre - value))
        points.append(interval_score(low, high, value))
        inside.append(low <= value <= high)
    share = float(np.mean(inside)) if inside else None
    mean = float(np.mean(points)) if points else None
    return {
        "hr_figures": len(errors),
        "hr_median_abs_log_error": _mid(errors),
        "hr_covered": share,
        "hr_interval_score": mean,
    }


def _mid(values: Sequence[float]) -> float | None:
    middle = float(np.median(values)) if values else math.nan
    return middle if math.isfinite(middle) else None
