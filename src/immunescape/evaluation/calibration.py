"""Calibration: moves the population's distributions until weighted virtual patients agree with published trials.

In rounds. Each simulates the calibration trials with the fit so far; the patients of all rounds together, weighted by
the ratio of densities, then stand for the population of any fit nearby (:mod:`immunescape.evaluation.weighting`), so
that the best fit is found without simulating again. The weights must not become too uneven, so a round moves only part
of the way, and the next one draws its patients where the last one ended.

The fit is a maximum a posteriori estimate: the sum of squared errors of the targets and, for each term, of its
distance from no change in prior standard deviations. What may move, and how far, is ``knowledge/data/
calibration_terms.csv``. Standard errors and identifiability come from the curvature at the optimum (Laplace).

The arms of a trial share their virtual patients, so that chance nearly cancels in hazard ratios. After the last round,
fresh patients of the final fit show how far the model is off: those that it was fitted with flatter it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.evaluation.calibration_result import Calibration, WeightedFit, write_text
from immunescape.evaluation.calibration_settings import CalibrationChanges, CalibrationSettings, settings_with
from immunescape.evaluation.fit_terms import Term, coordinates, held_terms, limits, scored, terms, to_fit
from immunescape.evaluation.posterior_draws import draw_posterior
from immunescape.evaluation.target_sets import all_targets
from immunescape.evaluation.targets import Target, Weighted
from immunescape.evaluation.weighting import Sample, effective_size, pool
from immunescape.evaluation.wide_rounds import SEED_STEP, PointTask, point_fits, simulate_points
from immunescape.files import check_folder
from immunescape.population.fit import FitTerm, PopulationFit
from immunescape.trial.spec import Trial

__all__ = ["Calibration", "CalibrationSettings", "Term", "WeightedFit", "calibrate", "fit_weights", "terms"]

FloatArray = NDArray[np.float64]
KEEP = 0.30
"""Share of the patients of an arm that weights must leave effective in a round."""
KEEP_WIDE = 0.08
"""The same where a round has many populations, most of which are far from any one fit."""
LEAST_PATIENTS = 8
"""Patients per arm of each of many populations, at least."""
KEEP_NOISE = 0.5
"""Share of the patients that is taken to be effective where the chance of virtual figures is reckoned."""


def chance(targets: Sequence[Target], weighted: Weighted, *, resamples: int = 100, seed: int = 0) -> FloatArray:
    """Variance of each target's figure over virtual patients, by the bootstrap (Poisson counts; ``efron1979``).

    Arms of a trial with equal numbers of patients share them: what a patient has in common in both then cancels in
    their comparison, as it does in the figure itself.
    """
    figures = np.full((resamples, len(targets)), np.nan)
    for k in range(resamples):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0xB007, k)))
        counts: dict[tuple[str, int], FloatArray] = {}
        drawn = {}
        for (trial, arm), (sample, weights) in weighted.items():
            count = counts.setdefault((trial, len(weights)), rng.poisson(1.0, len(weights)).astype(float))
            w = weights * count
            drawn[trial, arm] = (sample, w / w.sum())
        figures[k] = [t.figure(drawn) for t in targets]
    figures[~np.isfinite(figures)] = np.nan
    return np.array([float(np.nanvar(column)) if np.isfinite(column).any() else 0.0 for column in figures.T])


def discrepancy(
    targets: Sequence[Target], figures: Sequence[float], virtual: Sequence[float], parameters: float = 0.0
) -> dict[str, float]:
    """How far figures are off beyond what chance explains: the error of the model's structure.

    Parameters
    ----------
    targets, figures
        Targets, and the same figures from virtual patients, on the scale of the residuals.
    virtual
        Variance of each figure over the virtual patients.
    parameters
        How many the fit has used up; they make the errors of what was fitted too small.

    Returns
    -------
    Kind -> standard deviation, by moments: the mean squared error, times n / (n - parameters), less the variance of the
    published figures and of the virtual patients. ``orr`` in log odds, ``hr`` in log ratio, ``median`` in log time: the
    log odds of survival at the median change by 2 ln 2 with the logarithm of an exponential survival time.
    """
    scale = {"orr": 1.0, "median": 1.0 / (2.0 * math.log(2.0)), "hr": 1.0}
    n = sum(bool(t.kind) for t in targets)
    factor = n / max(n - parameters, 0.5 * n) if n else 1.0
    out = {}
    for kind, unit in scale.items():
        of_kind = [
            (t, f, v) for t, f, v in zip(targets, figures, virtual, strict=True) if t.kind == kind and math.isfinite(f)
        ]
        if of_kind:
            squares = factor * float(np.mean([(f - t.value) ** 2 for t, f, _ in of_kind]))
            noise = float(np.mean([t.sd**2 - t.tolerance**2 + v for t, _, v in of_kind]))
            out[kind] = unit * math.sqrt(max(squares - noise, 0.0))
    return out


class Objective:
    """Errors of targets, of moves, and of weights that are too uneven, at the coordinates of a fit.

    Parameters
    ----------
    samples
        (trial, arm) -> simulated patients.
    targets
        What to agree with.
    moving
        What may move.
    start
        Coordinates at which the chance of virtual figures is reckoned.
    keep
        Share of an arm's patients that must stay effective; a fit that would leave fewer is held back.
    held
        Terms of the fit that do not move.
    """

    def __init__(
        self,
        samples: Mapping[tuple[str, str], Sample],
        targets: Sequence[Target],
        moving: Sequence[Term],
        start: FloatArray,
        keep: float = KEEP,
        held: Sequence[FitTerm] = (),
    ) -> None:
        self.held = tuple(held)
        self.samples, self.targets, self.moving, self.keep = samples, targets, tuple(moving), keep
        self.prior = np.array([t.prior_sd for t in moving])
        self.centre = np.array([t.prior_mean for t in moving])
        begin = self.weigh(np.asarray(start, dtype=float))
        # the chance of virtual figures at the start, brought to the share of patients that is taken to stay effective
        virtual = chance(targets, begin)
        kept = {key: effective_size(w) / (KEEP_NOISE * len(s)) for key, (s, w) in begin.items()}
        lost = [min((kept[a] for a in t.arms if a in kept), default=1.0) for t in targets]
        self.spread = [math.sqrt(t.sd**2 + v * max(f, 1.0)) for t, v, f in zip(targets, virtual, lost, strict=True)]

    def weigh(self, x: FloatArray) -> Weighted:
        """Patients with their weights at coordinates `x`."""
        fit = to_fit(x, self.moving, held=self.held)
        return {key: (s, s.weights(fit)) for key, s in self.samples.items()}

    def errors(self, x: FloatArray) -> FloatArray:
        """Residuals of the targets, moves in prior standard deviations, and what holds weights back."""
        weighted = self.weigh(x)
        held = [
            6.0 * max(0.0, math.log(self.keep * len(s)) - math.log(effective_size(w))) for s, w in weighted.values()
        ]
        residuals = [t.residual(weighted, sd) for t, sd in zip(self.targets, self.spread, strict=True)]
        return np.array(residuals + list((x - self.centre) / self.prior) + held)

    def log_posterior(self, x: FloatArray) -> float:
        """Ln of the posterior density at `x`, up to a constant."""
        return -0.5 * float((self.errors(x) ** 2).sum())

    def solve(self, start: FloatArray, max_evaluations: int = 25) -> WeightedFit:
        """The best fit, by Levenberg-Marquardt within the limits of the coordinates."""
        from scipy.optimize import least_squares

        limit = limits(self.moving)
        best = least_squares(
            self.errors,
            np.clip(start, -limit + 1e-6, limit - 1e-6),
            bounds=(-limit, limit),
            x_scale=self.prior,
            diff_step=1e-4,
            max_nfev=max_evaluations,
        )
        jacobian = best.jac[: len(self.targets) + len(self.moving)]
        covariance = np.linalg.inv(jacobian.T @ jacobian)
        weighted = self.weigh(best.x)
        rows = []
        for t, sd in zip(self.targets, self.spread, strict=True):
            value = t.figure(weighted)
            shown = t.back(value) if math.isfinite(value) else math.nan
            rows.append((t.name, t.back(t.value), shown, t.residual(weighted, sd)))
        sizes = {key: (len(s), effective_size(w), float(w.max())) for key, (s, w) in weighted.items()}
        loss = 0.5 * float((best.fun[: len(self.targets)] ** 2).sum())
        return WeightedFit(best.x, covariance, loss, tuple(rows), sizes)


def fit_weights(
    samples: Mapping[tuple[str, str], Sample],
    targets: Sequence[Target],
    moving: Sequence[Term],
    start: FloatArray,
    *,
    keep: float = KEEP,
    max_evaluations: int = 25,
) -> WeightedFit:
    """Find the fit whose population agrees best with the targets; see :class:`Objective`.

    Parameters
    ----------
    samples, targets, moving, keep
        As for `Objective`.
    start
        Coordinates to start from.
    max_evaluations
        Steps of the least-squares method.
    """
    return Objective(samples, targets, moving, start, keep).solve(start, max_evaluations)


def leave_one_out(
    samples: Mapping[tuple[str, str], Sample],
    targets: Sequence[Target],
    moving: Sequence[Term],
    fitted: WeightedFit,
    *,
    keep: float = KEEP,
    max_evaluations: int = 4,
    held: Sequence[FitTerm] = (),
) -> dict[str, float]:
    """Name of a target -> its figure when its trial is left out of the fit (weights, from the optimum of all trials).

    A target that several trials share is left out with each of them, and not predicted.
    """
    out: dict[str, float] = {}
    for trial in dict.fromkeys(key[0] for key in samples):
        mine = [t for t in targets if t.kind and {a[0] for a in t.arms} == {trial}]
        others = [t for t in targets if trial not in {a[0] for a in t.arms}]
        if not mine or not others:
            continue
        again = Objective(samples, others, moving, fitted.x, keep, held).solve(fitted.x, max_evaluations)
        fit = to_fit(again.x, moving, held=held)
        weighted = {key: (s, s.weights(fit)) for key, s in samples.items() if key[0] == trial}
        out |= {t.name: t.figure(weighted) for t in mine}
    return out


def kinetics_trials(targets: Sequence[Target]) -> tuple[str, ...]:
    """Trials whose lesions are measured one by one, for the targets that need it."""
    return ("oak",) if any(" of a lesion " in t.name for t in targets) else ()


def calibrate(
    trials: Sequence[Trial],
    settings: CalibrationSettings | None = None,
    *,
    rounds: int = 4,
    points: int = 1,
    **changes: Unpack[CalibrationChanges],
) -> Calibration:
    """Fit the population to the published results of trials.

    Parameters
    ----------
    trials
        Calibration trials; each needs published results.
    settings, changes
        What it is computed with: a record (:class:`CalibrationSettings`), keywords (``patients=100``), or both:
        keywords replace fields of the record. Each term of the fit to start from has to be one that may move, unless
        `moving` is given. The fresh patients are reported as the round after the last.
    rounds
        Rounds of simulating and fitting; round k uses ``seed + k``.
    points
        Populations of each round, which share its patients; with one a round has the fit itself
        (:mod:`immunescape.evaluation.wide_rounds`).

    Raises
    ------
    InputError
        For a trial without published results, a wrong folder, a keyword that is no setting, or a fit to start from with
        a term that cannot be fitted.
    """
    used = settings_with(settings, changes)
    _check_numbers(trials, rounds, points, used.spread)
    if used.out is not None:
        check_folder(used.out)
    weighted_rounds = _WeightedRounds.of(trials, used, points)
    moving, done, fit = weighted_rounds.moving, [], used.start or PopulationFit()
    gathered: dict[tuple[str, str], list[Sample]] = {}
    for number in range(rounds):
        fits = point_fits(fit, coordinates(fit, moving), moving, points, used.spread, used.seed + number)
        for of_population in weighted_rounds.simulate(number, fits):
            for key, sample in of_population.items():
                gathered.setdefault(key, []).append(sample)
        samples = {key: pool(pooled) for key, pooled in gathered.items()}
        objective = weighted_rounds.objective(samples, fit)
        fitted = objective.solve(coordinates(fit, moving))
        done.append(fitted)
        errors = np.sqrt(np.diag(fitted.covariance))
        fit = to_fit(fitted.x, moving, errors, fit_sources(trials, used.data), weighted_rounds.held)
        if used.out is not None:
            write_text(used.out / f"fit-{number}.csv", fit.to_csv())
    posterior = None
    if used.draws:
        posterior = draw_posterior(
            objective.log_posterior, done[-1].x, done[-1].covariance, moving, used.draws, used.seed
        )
    apart = weighted_rounds.left_out(samples, objective, done[-1]) if used.left_out and len(trials) > 1 else {}
    fresh, left = weighted_rounds.fresh_figures(rounds, fit, done[-1])
    result = Calibration(
        fit=fit,
        moving=moving,
        rounds=tuple(done),
        seed=used.seed,
        patients=weighted_rounds.patients,
        discrepancy=left,
        fresh=fresh,
        left_out=apart,
        draws=posterior,
        points=points,
        spread=used.spread if points > 1 else 0.0,
    )
    if used.out is not None:
        result.write(used.out)
    return result


def _check_numbers(trials: Sequence[Trial], rounds: int, points: int, spread: float) -> None:
    """Refuse a calibration of nothing."""
    if not trials:
        raise InputError("no trial to calibrate to")
    for counted, number in (("rounds", rounds), ("populations per round", points)):
        if number < 1:
            raise InputError(f"{number} {counted}", hint="At least one.")
    if not spread > 0.0 and points > 1:
        raise InputError(f"the spread of the populations is {spread}", hint="It must be above 0.")


@dataclass(frozen=True, kw_only=True)
class _WeightedRounds:
    """What all rounds of a calibration by weights share.

    Attributes
    ----------
    trials, targets : what is simulated, and what it is to agree with. moving, held : terms that move, and that stay.
    names, scores : parameters and scores of patients that the weights need. kinetics : trials whose lesions are
    measured. patients : per arm and round. points : populations of a round. settings : of the calibration.
    """

    trials: tuple[Trial, ...]
    targets: list[Target]
    moving: tuple[Term, ...]
    held: tuple[FitTerm, ...]
    names: tuple[str, ...]
    scores: tuple[str, ...]
    kinetics: tuple[str, ...]
    patients: int
    points: int
    settings: CalibrationSettings

    @classmethod
    def of(cls, trials: Sequence[Trial], settings: CalibrationSettings, points: int) -> _WeightedRounds:
        """Collect the targets, and the terms that move."""
        start, moving = settings.start or PopulationFit(), settings.moving
        if moving is None:
            moving = terms()
            _check_start(start, moving)
        held = held_terms(start, moving)
        targets = all_targets(trials, settings.data)
        names, scores = scored(moving)
        # terms that stay also act through the scores of the parameters that move
        scores = sorted({*scores, *(t.term for t in held if t.parameter in names and t.term not in ("shift", "scale"))})
        return cls(
            trials=tuple(trials),
            targets=targets,
            moving=tuple(moving),
            held=tuple(held),
            names=tuple(names),
            scores=tuple(scores),
            kinetics=kinetics_trials(targets),
            patients=300 if settings.patients is None else settings.patients,
            points=points,
            settings=settings,
        )

    def objective(self, samples: Mapping[tuple[str, str], Sample], fit: PopulationFit) -> Objective:
        """What is minimised over all patients so far."""
        keep = KEEP if self.points == 1 else KEEP_WIDE
        return Objective(samples, self.targets, self.moving, coordinates(fit, self.moving), keep, self.held)

    def simulate(self, number: int, fits: Sequence[PopulationFit]) -> list[dict[tuple[str, str], Sample]]:
        """Patients of every arm of each population of a round."""
        settings, many = self.settings, len(fits) > 1
        patients = max(LEAST_PATIENTS, math.ceil(self.patients / len(fits))) if many else self.patients
        folder = None if settings.out is None else settings.out / f"round-{number}"
        tasks = [
            PointTask(
                trials=group,
                fit=fit,
                patients=patients,
                seed=settings.seed + number + SEED_STEP * k,
                names=self.names,
                scores=self.scores,
                kinetics=self.kinetics,
                folder=folder if folder is None or not many else folder / f"population-{k:03d}",
                engine=settings.engine,
            )
            for k, fit in enumerate(fits)
            # a round of one population is split by trials, so that there is work for all workers
            for group in ([self.trials] if many else [(t,) for t in self.trials])
        ]

        def report(done: int, total: int) -> None:
            if settings.progress is not None:
                settings.progress(number, "populations" if many else "trials", done, total)

        return simulate_points(tasks, workers=settings.processes, cluster=settings.cluster, progress=report)

    def left_out(
        self, samples: Mapping[tuple[str, str], Sample], objective: Objective, fitted: WeightedFit
    ) -> dict[str, dict[str, tuple[float, int]]]:
        """How far the model is off on each trial that a fit has not seen, by comparison and kind of figure."""
        predicted = leave_one_out(samples, self.targets, self.moving, fitted, keep=objective.keep, held=self.held)
        return discrepancy_by_comparison(self.trials, self.targets, predicted, objective.spread)

    def fresh_figures(
        self, number: int, fit: PopulationFit, fitted: WeightedFit
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Figures of new patients of the final fit, and what they leave: those that it was fitted with flatter it."""
        fresh = {key: sample for of_trials in self.simulate(number, [fit]) for key, sample in of_trials.items()}
        weighted = {key: (s, np.full(len(s), 1.0 / len(s))) for key, s in fresh.items()}
        return checked(self.targets, weighted, self.moving, fitted)


def comparison_kind(trial: Trial, experimental: str = "") -> str:
    """How the arms of a trial differ: ``inhibitor against chemotherapy``, ``inhibitor added``, or ``other``.

    Parameters
    ----------
    trial : the protocol. experimental : name of an experimental arm; empty, or of no such arm: the first.
    """
    from immunescape.trial.toxicity import contains_class

    if trial.control is None or not trial.experimental:
        return "other"
    mine = next((a for a in trial.experimental if a.name == experimental), trial.experimental[0])
    given = [{d for c in arm.choices for d in c.regimen.drugs} for arm in (mine, trial.control)]
    inhibitor = [contains_class(tuple(sorted(drugs)), "ici") for drugs in given]
    if not inhibitor[0] or inhibitor[1]:
        return "other"
    return "inhibitor added" if given[1] <= given[0] else "inhibitor against chemotherapy"


def discrepancy_by_comparison(
    trials: Sequence[Trial], targets: Sequence[Target], predicted: Mapping[str, float], spread: Sequence[float]
) -> dict[str, dict[str, tuple[float, int]]]:
    """Error of predictions of trials that were left out, beyond chance, by how their arms differ.

    Returns
    -------
    Comparison -> kind of figure -> (SD on the scale of `discrepancy`, number of figures); ``all`` pools comparisons.
    """
    kinds = {t.name: comparison_kind(t) for t in trials}
    out: dict[str, dict[str, tuple[float, int]]] = {}
    for what in ("all", *dict.fromkeys(kinds.values())):
        rows = [
            (t, predicted[t.name], s**2 - t.sd**2)
            for t, s in zip(targets, spread, strict=True)
            if t.name in predicted and what in ("all", kinds[t.arms[0][0]]) and math.isfinite(predicted[t.name])
        ]
        if rows:
            mine, figures, virtual = zip(*rows, strict=True)
            left = discrepancy(mine, figures, virtual)
            out[what] = {kind: (sd, sum(t.kind == kind for t in mine)) for kind, sd in left.items()}
    return out


def checked(
    targets: Sequence[Target], weighted: Weighted, moving: Sequence[Term], fitted: WeightedFit
) -> tuple[dict[str, float], dict[str, float]]:
    """Figures of fresh patients by name of the target, in its unit, and the `discrepancy` that they show."""
    figures = [t.figure(weighted) for t in targets]
    prior = np.array([t.prior_sd for t in moving])
    used = float(np.sum(1.0 - np.diag(fitted.covariance) / prior**2))
    back = {t.name: t.back(f) if math.isfinite(f) else math.nan for t, f in zip(targets, figures, strict=True)}
    return back, discrepancy(targets, figures, chance(targets, weighted).tolist(), used)


def _check_start(fit: PopulationFit, moving: Sequence[Term]) -> None:
    """Refuse a fit with terms that no coordinate stands for: the weights would leave them out."""
    movable = {(m, t.term) for t in moving for m in t.members}
    for term in fit.terms:
        if (term.parameter, term.term) not in movable:
            raise InputError(
                f"the fit to start from has a term '{term.term}' of '{term.parameter}' that cannot be fitted",
                hint="Leave the row out, or start from a fit with the terms of knowledge/data/calibration_terms.csv.",
            )


def fit_sources(trials: Sequence[Trial], data: Path | None) -> str:
    """Keys of the references that a fit to trials and a data folder rests on, joined by semicolons."""
    keys = dict.fromkeys(key for t in trials for key in t.references)
    if data is not None:
        keys |= dict.fromkeys(("chowell2022", "chang2024", "gandara2018", "laleh2022"))
    return ";".join(keys)
