"""Predicted results of trials beside the published ones: errors, predictive intervals, naive baselines.

A prediction is worth what it gains over a naive one, so every hazard ratio is also predicted by two baselines
learnt on the calibration trials alone: one constant, and the mean of the trial's regimen class. Intervals are scored
with the interval score (``gneiting2007``), which punishes width and misses alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.evaluation.calibration import comparison_kind
from immunescape.evaluation.harness.corrections import correction, forecast_error
from immunescape.evaluation.posterior import Posterior, posterior_weights, shipped_discrepancy
from immunescape.evaluation.replicates import (
    arm_outcomes,
    hazard_ratios,
    interval,
    km_median,
    moved_share,
    resampled_rows,
    response_shares,
)
from immunescape.evaluation.trial_classes import LANDMARKS, ROLES, interval_score, regimen_class, roles
from immunescape.evaluation.trial_identity import names_of_same_trial
from immunescape.evaluation.weighting import weighted_survival
from immunescape.stats.estimate import NORMAL_975

if TYPE_CHECKING:
    from immunescape.trial.result import TrialResult
    from immunescape.trial.spec import Published

__all__ = [
    "LANDMARKS",
    "RIVAL_TEXT",
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


@dataclass(frozen=True, kw_only=True)
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
    unshrunk : of a hazard ratio of a trial that was not fitted, what the model alone gives, where `predicted` is
        corrected by what published trials have shown of such predictions.
    names_of_same_trial : names of evidence that is of the trial itself
        (:mod:`immunescape.evaluation.trial_identity`).
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
    names_of_same_trial: tuple[str, ...] = ()

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
    scorer = _Scorer.of(result, published, resamples=resamples, seed=seed)
    # in this order: each draws the errors of the model's structure from one stream
    return [*scorer.arms(), *scorer.hazard_ratios(), *scorer.landmarks()]


@dataclass(frozen=True, kw_only=True)
class _Scorer:
    """A virtual trial resampled at the published sizes, and the figures that it is scored by.

    Attributes
    ----------
    tables : arm -> outcomes of its virtual patients. sizes : arm -> published number of patients.
    draws : arm -> rows of patients (resamples, size), each under another fit that the calibration leaves possible.
    structure : arm -> kind of figure -> size of the error of the model's structure, by how the arm differs from the
        control. rng : its stream.
    """

    result: TrialResult
    published: Published
    role: str
    kind: str
    resamples: int
    seed: int
    tables: Mapping[str, Any]
    sizes: Mapping[str, int]
    draws: Mapping[str, Any]
    structure: Mapping[str, Mapping[str, float]]
    rng: np.random.Generator

    @classmethod
    def of(cls, result: TrialResult, published: Published, *, resamples: int, seed: int) -> _Scorer:
        """Resample the arms."""
        role, kind = roles().get(result.trial.name, ("own", ""))
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0x5C0E,)))
        tables = {arm.name: arm_outcomes(result, arm.name) for arm in result.trial.arms}
        sizes = {arm.name: arm.n or len(tables[arm.name].response) for arm in published.arms}
        posterior = Posterior.shipped()
        fits = [] if posterior is None else posterior.draws(resamples, seed)
        draws = {
            name: resampled_rows(
                rng, posterior_weights(result, name, fits), len(tables[name].response), size, resamples
            )
            for name, size in sizes.items()
            if name in tables and len(tables[name].response)
        }
        return cls(
            result=result,
            published=published,
            role=role,
            kind=kind or regimen_class(result.trial),
            resamples=resamples,
            seed=seed,
            tables=tables,
            sizes=sizes,
            draws=draws,
            structure={
                arm.name: shipped_discrepancy(comparison_kind(result.trial, arm.name)) for arm in result.trial.arms
            },
            rng=rng,
        )

    def off(self, arm: str, kind: str) -> FloatArray:
        """Errors (resamples,) of the model's structure."""
        return self.structure[arm].get(kind, 0.0) * self.rng.standard_normal(self.resamples)

    def score(
        self,
        arm: str,
        endpoint: str,
        predicted: float | None,
        spread: FloatArray,
        value: Any,
        bounds: Any,
        **others: Any,
    ) -> Score:
        """One figure with the interval of its resamples; `arm` is ``a / b`` for a comparison."""
        low, high = interval(spread)
        published_low, published_high = bounds or (None, None)
        names = arm.split(" / ")
        return Score(
            trial=self.result.trial.name,
            role=self.role,
            arm=arm,
            endpoint=endpoint,
            predicted=predicted,
            low=low,
            high=high,
            published=value,
            published_low=published_low,
            published_high=published_high,
            regimen_class=self.kind,
            n=sum(len(self.tables[name].response) for name in names if name in self.tables),
            n_published=sum(self.sizes.get(name, 0) for name in names),
            names_of_same_trial=tuple(sorted(names_of_same_trial(self.result.trial))),
            **others,
        )

    def arms(self) -> Iterator[Score]:
        """Response rates and medians."""
        figures = {str(arm["name"]): arm for arm in self.result.arms}
        for arm in self.published.arms:
            if arm.name not in self.draws:
                continue
            data, rows, of_arm = self.tables[arm.name], self.draws[arm.name], figures[arm.name]
            shares = response_shares(data.response, rows, self.off(arm.name, "orr"), self.rng)
            yield self.score(arm.name, "orr_pct", of_arm["orr_pct"], 100 * shares, arm.orr_pct, arm.orr_ci)
            for name in ("pfs", "os"):
                time, event = getattr(data, name)
                spread = np.array([km_median(time[r], event[r]) for r in rows]) * np.exp(self.off(arm.name, "median"))
                median = f"{name}_median_months"
                value, bounds = getattr(arm, median), getattr(arm, f"{name}_median_ci")
                yield self.score(arm.name, median, of_arm[median], spread, value, bounds)

    def hazard_ratios(self) -> Iterator[Score]:
        """Hazard ratios of PFS and OS of each comparison."""
        for k, record in enumerate([self.result.comparison, *self.result.comparison.get("others", [])]):
            a, b = record.get("experimental"), record.get("control")
            if a not in self.draws or b not in self.draws:
                continue
            published = self.published.others.get(str(a), {}) if k else vars(self.published)
            for name in ("pfs", "os"):
                outcomes = getattr(self.tables[a], name), getattr(self.tables[b], name)
                ratios = hazard_ratios(*outcomes, self.draws[a], self.draws[b])
                ratio, model, error = record.get(f"{name}_hr"), None, self.structure[str(a)].get("hr", 0.0)
                if self.role != "calibration" and ratio:
                    made = correction(self.result.trial, str(a), f"{name}_hr", self.resamples, (self.seed,))
                    error = forecast_error(self.structure[str(a)], f"{name}_hr")
                    if made.changes:
                        model, ratios, ratio = ratio, made.of_replicates(ratios, ratio), made.ratio(ratio)
                ratios = ratios * np.exp(error * self.rng.standard_normal(self.resamples))
                yield self.score(
                    f"{a} / {b}",
                    f"{name}_hr",
                    ratio,
                    ratios,
                    published.get(f"{name}_hr"),
                    published.get(f"{name}_hr_ci"),
                    same_course=record.get("os_hr_same_course") if name == "os" else None,
                    unshrunk=model,
                )

    def landmarks(self) -> Iterator[Score]:
        """Shares without the event at the months that were published, within the follow-up of the virtual trial."""
        for arm in self.published.arms:
            for name in ("pfs", "os"):
                for months, percent in arm.km.get(name, ()):
                    if arm.name not in self.draws or months not in LANDMARKS:
                        continue
                    time, event = getattr(self.tables[arm.name], name)
                    if time.max() < months:
                        continue
                    at, n = np.array([float(months)]), len(time)
                    counts = (np.bincount(r, minlength=n) / len(r) for r in self.draws[arm.name])
                    shares = np.array([weighted_survival(time, event.astype(float), w, at)[0] for w in counts])
                    # an error in ln of a median moves the log odds of survival by 2 ln 2 of it (exponential survival)
                    shares = moved_share(shares, 2.0 * math.log(2.0) * self.off(arm.name, "median"))
                    whole = 100 * float(weighted_survival(time, event.astype(float), np.full(n, 1 / n), at)[0])
                    yield self.score(arm.name, f"{name}_{months:g}_pct", whole, 100 * shares, percent, None)


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
                out.append(
                    Score(
                        trial=name,
                        role=role,
                        arm="",
                        endpoint=end,
                        predicted=None,
                        low=None,
                        high=None,
                        published=value,
                        published_low=None,
                        published_high=None,
                        regimen_class=kind,
                    )
                )
    return tuple(out)


RIVAL_TEXT = {"constant": "constant, included trials", "class": "class mean, included trials"}
"""Names of `rivals` for readers; those of `immunescape.evaluation.naive` learn on trials with curves as well."""


def rivals(scores: Sequence[Score]) -> dict[str, Rival]:
    """Two naive predictors of log hazard ratios, learnt on the published ratios of the calibration trials.

    ``constant`` predicts their mean, ``class`` the mean of the trial's regimen class (the constant where the class has
    no calibration trial). Both predict with the spread of the calibration trials about the mean as a normal interval;
    a calibration trial is left out of its own prediction. Each gives (log ratio, low, high).
    """
    learnt_on = [s for s in scores if s.role == "calibration" and s.endpoint.endswith("_hr") and s.published]

    def predict(score: Score, same: Callable[[Score], bool]) -> tuple[float, float, float] | None:
        pool = [
            s
            for s in learnt_on
            if s.endpoint == score.endpoint and s.trial not in (score.trial, *score.names_of_same_trial)
        ]
        if len(pool) < 2:
            return None
        logs = [math.log(s.published) for s in pool if same(s) and s.published]
        everyone = [math.log(s.published) for s in pool if s.published]
        centre = float(np.mean(logs or everyone))
        half = NORMAL_975 * float(np.std(everyone, ddof=1))
        return centre, centre - half, centre + half

    return {
        "constant": lambda score: predict(score, lambda _: True),
        "class": lambda score: predict(score, lambda other: other.regimen_class == score.regimen_class),
    }


def summarise(scores: Iterable[Score], learnt_on: Sequence[Score] | None = None) -> dict[str, dict[str, Any]]:
    """Errors by role: how far predictions are off, how often intervals hold the published figure, against the rivals.

    Parameters
    ----------
    scores
        What was predicted.
    learnt_on
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
    predictors = rivals(scores if learnt_on is None else learnt_on)
    out: dict[str, dict[str, Any]] = {}
    for role in ROLES:
        learnt_on = [s for s in scores if s.role == role and s.published is not None]
        mine = [s for s in learnt_on if s.predicted is not None]
        if not learnt_on:
            continue
        missed = [math.inf for s in learnt_on if s.predicted is None and "median" in s.endpoint]
        orr = [abs(s.predicted - s.published) for s in mine if s.endpoint == "orr_pct"]  # type: ignore[operator]
        medians = [abs(s.predicted / s.published - 1) for s in mine if "median" in s.endpoint]  # type: ignore[operator]
        medians += missed
        ratios = [s for s in mine if s.endpoint.endswith("_hr")]
        record: dict[str, Any] = {
            "orr_figures": len(orr),
            "orr_median_abs_error": _mid(orr),
            "median_figures": len(medians),
            "median_rel_error": _mid(medians),
            **_log_errors(ratios, lambda s: _of_model(s)),
            "rivals": {name: _log_errors(ratios, rival) for name, rival in predictors.items()},
        }
        for end in ("pfs", "os"):
            of_end = [s for s in ratios if s.endpoint == f"{end}_hr"]
            record[end] = {
                **_log_errors(of_end, lambda s: _of_model(s)),
                "rivals": {name: _log_errors(of_end, rival) for name, rival in predictors.items()},
            }
        out[role] = record
    return out


def _of_model(score: Score) -> tuple[float, float, float] | None:
    if not (score.predicted and score.low and score.high):
        return None
    return math.log(score.predicted), math.log(score.low), math.log(score.high)


def _log_errors(ratios: Sequence[Score], predict: Rival) -> dict[str, Any]:
    errors, points, inside = [], [], []
    for score in ratios:
        predicted = predict(score)
        if predicted is None or not score.published:
            continue
        centre, low, high = predicted
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
