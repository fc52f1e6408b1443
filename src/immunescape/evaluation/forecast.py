"""A forecast of a trial whose result is not known: its figures with intervals, and the probability that it succeeds.

The interval of a figure holds what a trial of the planned size may show: the chance of its patients, the fits of the
population that the calibration leaves possible, and the error of the model's structure that the calibration trials
show. Naive baselines that know no biology stand beside every hazard ratio.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.evaluation.calibration import comparison_kind
from immunescape.evaluation.harness.corrections import correction, forecast_error
from immunescape.evaluation.naive import ROUND_RATIOS
from immunescape.evaluation.posterior import Posterior, posterior_weights, shipped_discrepancy, table_digests
from immunescape.evaluation.replicates import (
    ArmOutcomes,
    arm_outcomes,
    hazard_ratios,
    interval,
    km_median,
    resampled_rows,
    response_shares,
)
from immunescape.evaluation.scoreboard import Score, published_ratios, rivals
from immunescape.evaluation.trial_classes import regimen_class
from immunescape.release import installed_version
from immunescape.stats.cox import fast_hazard_ratio
from immunescape.stats.estimate import NORMAL_975

if TYPE_CHECKING:
    from immunescape.trial.result import TrialResult
    from immunescape.trial.spec import Trial

__all__ = ["Forecast", "ForecastFigure", "forecast", "forecast_of"]

FloatArray = NDArray[np.float64]
RESAMPLES = 400
_Z = NORMAL_975  # two-sided 5 %, the usual level of a primary endpoint


@dataclass(frozen=True, kw_only=True)
class ForecastFigure:
    """One figure that the trial will report.

    Attributes
    ----------
    arm, endpoint : which; the arm of a hazard ratio is ``experimental / control``.
    value : of all simulated patients; None where a median is not reached.
    low, high : 95 % of trials of the planned size fall in here; None for a bound that is not reached.
    monte_carlo_se : error of `value` from the number of simulated patients, between seeds (of the logarithm for ratios
        and medians); None with one seed.
    simulated, planned : patients.
    unshrunk : of a hazard ratio that is corrected by what published trials have shown of such predictions
        (:mod:`immunescape.evaluation.harness.corrections`), what the model alone gives.
    """

    arm: str
    endpoint: str
    value: float | None
    low: float | None
    high: float | None
    monte_carlo_se: float | None
    simulated: int
    planned: int
    unshrunk: float | None = None

    def row(self) -> dict[str, Any]:
        """As one row of JSON."""
        return asdict(self)


@dataclass(frozen=True, eq=False, kw_only=True)
class Forecast:
    """What the model expects of a trial.

    Attributes
    ----------
    trial : the protocol.
    figures : response, medians and hazard ratios.
    success : primary endpoint -> probability that the planned trial shows a difference at two-sided 5 % in favour of
        the experimental arm; hazard ratios and response only.
    baselines : hazard ratio -> baseline -> its prediction.
    seeds, patients, failed : as run; patients per arm and seed, and simulations that failed.
    digest, version : of the model's files and of the package. wall_s : seconds it took.
    tables : ``numbers`` (tables that simulated patients depend on), ``fit`` (one of them) and ``learnt`` (what runs of
        the harness have taught) -> hash.
    """

    trial: Trial
    figures: tuple[ForecastFigure, ...]
    success: Mapping[str, float]
    baselines: Mapping[str, Mapping[str, float]]
    seeds: tuple[int, ...]
    patients: int
    failed: int
    digest: str
    version: str
    wall_s: float
    tables: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Everything but the protocol, as plain JSON."""
        return {
            "trial": self.trial.name,
            "figures": [figure.row() for figure in self.figures],
            "probability_of_success": dict(self.success),
            "baselines": {endpoint: dict(values) for endpoint, values in self.baselines.items()},
            "seeds": list(self.seeds),
            "patients_per_arm_and_seed": self.patients,
            "failed": self.failed,
            "model": self.digest,
            **self.tables,
            "version": self.version,
        }


def forecast(
    trial: Trial,
    *,
    patients: int = 300,
    seeds: Sequence[int] = (1, 2, 3),
    workers: int | None = None,
    out: Path | None = None,
    engine: str = "auto",
    cluster: Any = None,
    progress: Callable[[int, int], None] | None = None,
) -> Forecast:
    """Simulate a trial with several seeds and say what it will show.

    Parameters
    ----------
    trial
        The protocol; a block of published results has no influence.
    patients, seeds
        Virtual patients per arm and seed; the arms share them where the protocol allows it.
    workers, out, engine, cluster, progress
        As for a single trial; `progress` is called with patients done and patients in all seeds.

    Raises
    ------
    InputError
        Without a seed, or with fewer than two patients.
    """
    from immunescape.trial.runner import run_trial

    if not seeds:
        raise InputError("a forecast needs at least one seed", hint="Name the seeds, such as 1, 2 and 3.")
    if patients < 2:
        raise InputError(f"the number of patients per arm is {patients}", hint="Use at least two.")
    start = time.perf_counter()
    results = []
    for k, seed in enumerate(seeds):

        def advance(done: int, total: int, k: int = k) -> None:
            if progress is not None:
                progress(k * total + done, len(seeds) * total)

        results.append(
            run_trial(
                trial,
                patients=patients,
                seed=seed,
                workers=workers,
                out=None if out is None else out / f"seed-{seed}",
                engine=engine,
                paired=trial.can_pair,
                progress=advance,
                cluster=cluster,
            )
        )
    return forecast_of(results, patients=patients, wall_s=time.perf_counter() - start)


def forecast_of(results: Sequence[TrialResult], *, patients: int, wall_s: float = 0.0) -> Forecast:
    """Forecast from simulated trials: one protocol, a seed each. See :func:`forecast`."""
    from immunescape.trial.runner import model_digest

    trial, seeds = results[0].trial, tuple(r.seed for r in results)
    rng = np.random.default_rng(np.random.SeedSequence(list(seeds), spawn_key=(0xF0CA,)))
    arms = _arms(results, rng)
    # as for trials with published results; the control's figures have the errors of the first comparison
    errors = {name: _Errors(shipped_discrepancy(comparison_kind(trial, name)), rng) for name in arms}
    figures: list[ForecastFigure] = []
    rates: dict[str, FloatArray] = {}
    for name, arm in arms.items():
        rates[name] = response_shares(arm.pooled.response, arm.rows, errors[name].drawn("orr"), rng)
        figures += [_response(arm, rates[name]), *(_median(arm, end, errors[name]) for end in ("pfs", "os"))]
    *experimental, control = arms.values()
    success: dict[str, float] = {}
    for arm in experimental:
        for end in ("pfs", "os"):
            ratio = _hazard_ratio(trial, arm, control, end, seeds, errors[arm.name])
            figures.append(ratio.figure)
            if end in trial.endpoints.primary:
                success[_key(trial, arm.name, end)] = ratio.success()
        if "orr" in trial.endpoints.primary:
            pair = (rates[arm.name], rates[control.name])
            success[_key(trial, arm.name, "orr")] = _success_in_response(*pair, arm.planned, control.planned)
    failed = sum(int(arm["failed"]) for r in results for arm in r.arms)
    return Forecast(
        trial=trial,
        figures=tuple(figures),
        success=success,
        baselines=_baselines(trial),
        seeds=seeds,
        patients=patients,
        failed=failed,
        digest=model_digest(),
        version=installed_version(),
        wall_s=wall_s,
        tables=table_digests(),
    )


@dataclass(frozen=True, eq=False)
class _Arm:
    """An arm as it was simulated, and replicates of it as the trial plans it.

    Attributes
    ----------
    name : of the arm.
    by_seed, pooled : outcomes with each seed, and of all patients.
    planned : patients that the trial plans.
    rows : (resamples, planned) patients of each replicate.
    """

    name: str
    by_seed: Sequence[ArmOutcomes]
    pooled: ArmOutcomes
    planned: int
    rows: NDArray[np.int64]

    @property
    def simulated(self) -> int:
        """Patients that were simulated."""
        return len(self.pooled.response)

    def followed(self) -> list[ArmOutcomes]:
        """Outcomes with the seeds with which a patient could be simulated."""
        return [o for o in self.by_seed if len(o.response)]


@dataclass(frozen=True, eq=False)
class _Errors:
    """Errors of the model's structure: SD for each kind of figure, and the stream that they are drawn from."""

    spread: Mapping[str, float]
    rng: np.random.Generator

    def drawn(self, kind: str) -> FloatArray:
        """Errors (resamples,) of a kind of figure."""
        return self.spread.get(kind, 0.0) * self.rng.standard_normal(RESAMPLES)

    def of_ratio(self, figure: str) -> FloatArray:
        """Errors (resamples,) of a forecast hazard ratio."""
        return forecast_error(self.spread, figure) * self.rng.standard_normal(RESAMPLES)


@dataclass(frozen=True, eq=False)
class _HazardRatio:
    """A hazard ratio, and what each replicate shows: its ratio (resamples,) and the events of both arms."""

    figure: ForecastFigure
    ratios: FloatArray
    events: tuple[FloatArray, FloatArray]

    def success(self) -> float:
        """Proportion of the replicates with a difference in favour of the experimental arm."""
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.log(self.ratios) / np.sqrt(1 / self.events[0] + 1 / self.events[1])
        return float(np.mean(z < -_Z))


def _arms(results: Sequence[TrialResult], rng: np.random.Generator) -> dict[str, _Arm]:
    """Arms of the simulated trials by name, in the order of the protocol."""
    trial = results[0].trial
    by_seed = {arm.name: [arm_outcomes(r, arm.name) for r in results] for arm in trial.arms}
    for name, outcomes in by_seed.items():
        if not any(len(o.response) for o in outcomes):
            raise InputError(
                f"no patient of arm '{name}' could be simulated",
                where=f"trial '{trial.name}'",
                hint="`immunescape trial` with this protocol lists the reasons.",
            )
    arms = {}
    for arm in trial.arms:
        pooled = _pool(by_seed[arm.name])
        planned = arm.n or len(pooled.response)
        rows = _rows(rng, results, arm.name, pooled, planned)
        arms[arm.name] = _Arm(arm.name, by_seed[arm.name], pooled, planned, rows)
    return arms


def _response(arm: _Arm, rates: FloatArray) -> ForecastFigure:
    """Response rate; `rates`: of the replicates, with the error of the structure."""
    return _figure(
        arm.name,
        "orr_pct",
        value=100 * float(arm.pooled.response.mean()),
        spread=100 * rates,
        of_seeds=[100 * float(o.response.mean()) for o in arm.followed()],
        size=(arm.simulated, arm.planned),
        log=False,
    )


def _median(arm: _Arm, end: str, errors: _Errors) -> ForecastFigure:
    """Median of ``pfs`` or ``os``."""
    times, events = getattr(arm.pooled, end)
    return _figure(
        arm.name,
        f"{end}_median_months",
        value=km_median(times, events),
        spread=np.array([km_median(times[r], events[r]) for r in arm.rows]) * np.exp(errors.drawn("median")),
        of_seeds=[km_median(*getattr(o, end)) for o in arm.followed()],
        size=(arm.simulated, arm.planned),
    )


def _hazard_ratio(
    trial: Trial, arm: _Arm, control: _Arm, end: str, seeds: Sequence[int], errors: _Errors
) -> _HazardRatio:
    """Hazard ratio of ``pfs`` or ``os``, corrected by what published trials have shown of such predictions."""
    a, b = getattr(arm.pooled, end), getattr(control.pooled, end)
    model = _ratio(a, b)
    made = correction(trial, arm.name, f"{end}_hr", RESAMPLES, seeds)
    replicates = hazard_ratios(a, b, arm.rows, control.rows) * np.exp(errors.of_ratio(f"{end}_hr"))
    ratios = made.of_replicates(replicates, model)
    figure = _figure(
        f"{arm.name} / {control.name}",
        f"{end}_hr",
        value=made.ratio(model),
        spread=ratios,
        of_seeds=[
            made.ratio(_ratio(getattr(x, end), getattr(y, end)))
            for x, y in zip(arm.by_seed, control.by_seed, strict=True)
            if len(x.response) and len(y.response)
        ],
        size=(arm.simulated, arm.planned + control.planned),
    )
    events = (a[1][arm.rows].sum(axis=1), b[1][control.rows].sum(axis=1))
    return _HazardRatio(replace(figure, unshrunk=model) if made.changes else figure, ratios, events)


def _success_in_response(p: FloatArray, q: FloatArray, treated: int, controls: int) -> float:
    """Proportion of the replicates with a higher response rate (`p`, of the controls `q`) at two-sided 5 %."""
    se = np.sqrt(p * (1 - p) / treated + q * (1 - q) / controls)
    return float(np.mean(p - q > _Z * np.maximum(se, 1e-12)))


def _pool(outcomes: Sequence[ArmOutcomes]) -> ArmOutcomes:
    """Patients of all seeds as one arm."""

    def join(end: str) -> Any:
        return tuple(np.concatenate([getattr(o, end)[k] for o in outcomes]) for k in (0, 1))

    return ArmOutcomes(np.concatenate([o.response for o in outcomes]), join("pfs"), join("os"))


def _rows(
    rng: np.random.Generator, results: Sequence[TrialResult], arm: str, data: ArmOutcomes, size: int
) -> NDArray[np.int64]:
    """Patients (resamples, size) of replicates of an arm, drawn under fits that the calibration leaves possible."""
    posterior = Posterior.shipped()
    weights: FloatArray | None = None
    if posterior is not None:
        fits = posterior.draws(RESAMPLES, results[0].seed)
        parts = [posterior_weights(r, arm, fits) for r in results]
        weights = np.concatenate([p for p in parts if p is not None], axis=1)
    return resampled_rows(rng, weights, len(data.response), size, RESAMPLES)


def _ratio(a: Any, b: Any) -> float:
    group = np.repeat([1.0, 0.0], [len(a[0]), len(b[0])])
    return float(fast_hazard_ratio(np.concatenate([a[0], b[0]]), np.concatenate([a[1], b[1]]), group))


def _figure(
    arm: str,
    endpoint: str,
    *,
    value: float,
    spread: FloatArray,
    of_seeds: Sequence[float],
    size: tuple[int, int],
    log: bool = True,
) -> ForecastFigure:
    low, high = interval(spread)
    numbers = np.array(of_seeds, dtype=float)
    se = None
    if len(numbers) > 1 and np.isfinite(numbers).all() and (not log or (numbers > 0).all()):
        scaled = np.log(numbers) if log else numbers
        se = float(scaled.std(ddof=1) / math.sqrt(len(scaled)))
    simulated, planned = size
    return ForecastFigure(
        arm=arm,
        endpoint=endpoint,
        value=value if math.isfinite(value) else None,
        low=low,
        high=high,
        monte_carlo_se=se,
        simulated=simulated,
        planned=planned,
    )


def _key(trial: Trial, arm: str, end: str) -> str:
    """Name of a primary endpoint; with the arm where there are several experimental ones."""
    return end if len(trial.arms) == 2 else f"{end}, {arm}"


def _baselines(trial: Trial) -> dict[str, dict[str, float]]:
    """Hazard ratio -> baseline -> prediction: constants learnt on the calibration trials, round numbers, no effect."""
    if len(trial.arms) < 2:
        return {}
    out = {}
    for endpoint, number in ROUND_RATIOS.items():
        score = Score(
            trial=trial.name,
            role="own",
            arm="",
            endpoint=endpoint,
            predicted=None,
            low=None,
            high=None,
            published=None,
            published_low=None,
            published_high=None,
            regimen_class=regimen_class(trial),
        )
        learnt = {name: predict(score) for name, predict in rivals(published_ratios()).items()}
        out[endpoint] = {
            **{name: math.exp(centre[0]) for name, centre in learnt.items() if centre is not None},
            "round": number,
            "no effect": 1.0,
        }
    return out
