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

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.evaluation.fit_terms import Term, coordinates, held_terms, limits, scored, terms, to_fit
from immunescape.evaluation.posterior_draws import Draws, draw_posterior
from immunescape.evaluation.target_sets import all_targets
from immunescape.evaluation.targets import Target, Weighted
from immunescape.evaluation.weighting import Sample, effective_size, pool
from immunescape.evaluation.wide_rounds import SEED_STEP, PointTask, point_fits, simulate_points
from immunescape.files import check_folder, whole_file
from immunescape.population.fit import FitTerm, PopulationFit
from immunescape.trial.spec import Trial

__all__ = ["Calibration", "Fitted", "Term", "calibrate", "fit_weights", "terms"]

FloatArray = NDArray[np.float64]
KEEP = 0.30
"""Share of the patients of an arm that weights must leave effective in a round."""
KEEP_WIDE = 0.08
"""The same where a round has many populations, most of which are far from any one fit."""
LEAST_PATIENTS = 8
"""Patients per arm of each of many populations, at least."""
SURPRISE = 2.0
"""Prior standard deviations from which on a move is a finding: the prior, or the model, is wrong."""
KEEP_NOISE = 0.5
"""Share of the patients that is taken to be effective where the chance of virtual figures is reckoned."""


@dataclass(frozen=True)
class Fitted:
    """A weighted fit: coordinates, posterior covariance, residuals, sizes.

    Attributes
    ----------
    x, covariance : coordinates of the terms and their posterior covariance (Laplace).
    loss : half the sum of squares, targets alone. targets : (name, published, predicted, residual in SD).
    sizes : (trial, arm) -> (patients, effective patients, largest weight).
    """

    x: FloatArray
    covariance: FloatArray
    loss: float
    targets: tuple[tuple[str, float, float, float], ...]
    sizes: Mapping[tuple[str, str], tuple[int, float, float]]


def chance(targets: Sequence[Target], weighted: Weighted, *, resamples: int = 100, seed: int = 0) -> FloatArray:
    """Variance of each target's figure over virtual patients, by the bootstrap (Poisson counts; ``efron1979``).

    Arms of a trial with equal numbers of patients share them: what a patient has in common in both then cancels in
    their comparison, as it does in the figure itself.
    """
    found = np.full((resamples, len(targets)), np.nan)
    for k in range(resamples):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0xB007, k)))
        counts: dict[tuple[str, int], FloatArray] = {}
        drawn = {}
        for (trial, arm), (sample, weights) in weighted.items():
            one = counts.setdefault((trial, len(weights)), rng.poisson(1.0, len(weights)).astype(float))
            w = weights * one
            drawn[trial, arm] = (sample, w / w.sum())
        found[k] = [t.figure(drawn) for t in targets]
    found[~np.isfinite(found)] = np.nan
    return np.array([float(np.nanvar(column)) if np.isfinite(column).any() else 0.0 for column in found.T])


def discrepancy(
    targets: Sequence[Target], found: Sequence[float], virtual: Sequence[float], parameters: float = 0.0
) -> dict[str, float]:
    """How far figures are off beyond what chance explains: the error of the model's structure.

    Parameters
    ----------
    targets, found
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
        own = [
            (t, f, v) for t, f, v in zip(targets, found, virtual, strict=True) if t.kind == kind and math.isfinite(f)
        ]
        if own:
            squares = factor * float(np.mean([(f - t.value) ** 2 for t, f, _ in own]))
            noise = float(np.mean([t.sd**2 - t.tolerance**2 + v for t, _, v in own]))
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
        return np.array(residuals + list(x / self.prior) + held)

    def log_posterior(self, x: FloatArray) -> float:
        """Ln of the posterior density at `x`, up to a constant."""
        return -0.5 * float((self.errors(x) ** 2).sum())

    def solve(self, start: FloatArray, max_evaluations: int = 25) -> Fitted:
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
        return Fitted(best.x, covariance, loss, tuple(rows), sizes)


def fit_weights(
    samples: Mapping[tuple[str, str], Sample],
    targets: Sequence[Target],
    moving: Sequence[Term],
    start: FloatArray,
    *,
    keep: float = KEEP,
    max_evaluations: int = 25,
) -> Fitted:
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
    fitted: Fitted,
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


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Result: the fit that ships, what each round gave, what was fitted to.

    Attributes
    ----------
    fit : moved distributions. moving : what could move. rounds : one `Fitted` per round.
    seed, patients : of each arm and round.
    discrepancy : kind of figure -> SD of what the model leaves on fresh patients; see :func:`discrepancy`.
    fresh : name of a target -> its figure from fresh patients.
    left_out : comparison -> kind of figure -> SD of what a fit without the trial leaves, with the number of figures.
    draws : from the posterior; None where none were asked for.
    points, spread : populations of a round, and their spread in prior standard deviations.
    """

    fit: PopulationFit
    moving: tuple[Term, ...]
    rounds: tuple[Fitted, ...]
    seed: int
    patients: int
    discrepancy: Mapping[str, float] = field(default_factory=dict)
    fresh: Mapping[str, float] = field(default_factory=dict)
    left_out: Mapping[str, Mapping[str, tuple[float, int]]] = field(default_factory=dict)
    draws: Draws | None = None
    points: int = 1
    spread: float = 0.0

    @property
    def surprises(self) -> list[str]:
        """Terms that moved by two prior standard deviations or more: the data contradict what was assumed."""
        moves = [(t, float(x) / t.prior_sd) for t, x in zip(self.moving, self.last.x, strict=True)]
        return [
            f"{t.name}, {t.term}: {move:+.1f} prior standard deviations" for t, move in moves if abs(move) >= SURPRISE
        ]

    @property
    def last(self) -> Fitted:
        """The final fit."""
        return self.rounds[-1]

    def table(self) -> list[dict[str, Any]]:
        """One record per term: value, standard error, shift in prior SD, and how much the data say about it.

        ``identified`` is 1 - posterior variance / prior variance: 0 where the data say nothing.
        """
        error = np.sqrt(np.diag(self.last.covariance))
        return [
            {
                "name": t.name,
                "members": list(t.members),
                "term": t.term,
                "value": round(t.value(float(x)), 4),
                "se": round(float(e), 4),
                "moved_prior_sd": round(float(x) / t.prior_sd, 3),
                "identified": round(max(0.0, 1.0 - float(e) ** 2 / t.prior_sd**2), 3),
            }
            for t, x, e in zip(self.moving, self.last.x, error, strict=True)
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain content of ``calibration.json``."""
        last = self.last
        total = sum(effective for _, effective, _ in last.sizes.values())
        return {
            "seed": self.seed,
            "patients_per_arm_and_round": self.patients,
            "effective_sample_size": round(total, 1),
            "smallest_effective_sample_size_of_an_arm": round(min(e for _, e, _ in last.sizes.values()), 1),
            "largest_weight_of_the_pooled_sample": largest_weight(last.sizes),
            "loss": [round(r.loss, 3) for r in self.rounds],
            "populations_per_round": self.points,
            "spread_prior_sd": self.spread,
            "discrepancy": {kind: round(sd, 4) for kind, sd in self.discrepancy.items()},
            "discrepancy_left_out": {
                what: {kind: {"sd": round(sd, 4), "figures": n} for kind, (sd, n) in own.items()}
                for what, own in self.left_out.items()
            },
            "posterior_draws": None
            if self.draws is None
            else {
                "draws": len(self.draws.x),
                "proposals": self.draws.proposals,
                "effective_proposals": round(self.draws.effective, 1),
            },
            "moved_two_prior_sd_or_more": self.surprises,
            "terms": self.table(),
            "targets": [
                {"name": n, "published": round(p, 4), "predicted": round(q, 4), "residual_sd": round(r, 3)}
                | ({"fresh": round(self.fresh[n], 4)} if math.isfinite(self.fresh.get(n, math.nan)) else {})
                for n, p, q, r in last.targets
            ],
            "arms": [
                {"trial": t, "arm": a, "patients": n, "effective": round(e, 1), "largest_weight": round(w, 5)}
                for (t, a), (n, e, w) in last.sizes.items()
            ],
            "covariance": [[float(f"{v:.4g}") for v in row] for row in last.covariance],
        }

    def write(self, folder: Path) -> None:
        """Write the fit, the record and the draws (where there are any) to a folder."""
        write_text(folder / "population_fit.csv", self.fit.to_csv())
        write_text(folder / "calibration.json", json.dumps(self.to_json(), indent=1) + "\n")
        if self.draws is not None:
            write_text(folder / "population_draws.csv", self.draws.to_csv())


def kinetics_trials(targets: Sequence[Target]) -> tuple[str, ...]:
    """Trials whose lesions are measured one by one, for the targets that need it."""
    return ("oak",) if any(" of a lesion " in t.name for t in targets) else ()


def largest_weight(sizes: Mapping[tuple[str, str], tuple[int, float, float]]) -> float:
    """Largest share that one patient has in all arms together, each arm counting by its effective patients."""
    total = sum(effective for _, effective, _ in sizes.values())
    return round(max(w * effective / total for _, effective, w in sizes.values()), 6)


def calibrate(
    trials: Sequence[Trial],
    *,
    data: Path | None = None,
    patients: int = 300,
    rounds: int = 4,
    seed: int = 1,
    workers: int | None = None,
    out: Path | None = None,
    start: PopulationFit | None = None,
    engine: str = "auto",
    cluster: Any = None,
    progress: Callable[[int, str, int, int], None] | None = None,
    moving: Sequence[Term] | None = None,
    points: int = 1,
    spread: float = 0.5,
    draws: int = 0,
    left_out: bool = False,
) -> Calibration:
    """Fit the population to the published results of trials.

    Parameters
    ----------
    trials
        Calibration trials; each needs published results.
    data
        Folder with ``km/`` (curves), ``loris/``, ``oak/``, ``toposcore/``, ``qsp_io/`` and ``tumour_kinetics/``; None
        fits to the published figures alone.
    patients, rounds
        Virtual patients per arm in each round, and of the fresh patients after the last.
    seed
        Round k uses ``seed + k``.
    workers, engine, cluster
        As for a trial.
    out
        Folder that keeps finished patients and the fit of each round: an interrupted run resumes.
    start
        Fit to start from; None starts from no change. Each of its terms has to be one that may move.
    progress
        Called with (round, trial or populations, done, in all); the fresh patients are the round after the last.
    moving
        What may move; None: ``knowledge/data/calibration_terms.csv``. Other terms of the fit to start from stay.
    points, spread
        Populations of each round, which share its patients, and their standard deviation about the fit so far in prior
        standard deviations; with one point a round has the fit itself (:mod:`immunescape.evaluation.wide_rounds`).
    draws
        Draws from the posterior that are kept (:mod:`immunescape.evaluation.posterior_draws`).
    left_out
        Whether to fit again without each trial, to learn how far the model is off where it has not been fitted.

    Raises
    ------
    InputError
        For a trial without published results, a wrong folder, or a fit to start from with a term that may not move.
    """
    from immunescape.parallel import usable_cores

    if not trials:
        raise InputError("no trial to calibrate to")
    for what, number in (("rounds", rounds), ("populations per round", points)):
        if number < 1:
            raise InputError(f"{number} {what}", hint="At least one.")
    if not spread > 0.0 and points > 1:
        raise InputError(f"the spread of the populations is {spread}", hint="It is above 0.")
    if out is not None:
        check_folder(out)
    fit = start or PopulationFit()
    if moving is None:
        moving = terms()
        _check_start(fit, moving)
    moving = tuple(moving)
    held = held_terms(fit, moving)
    targets = all_targets(trials, data)
    names, scores = scored(moving)
    scores = sorted({*scores, *(t.term for t in held if t.parameter in names and t.term not in ("shift", "scale"))})
    cores = workers if workers is not None else usable_cores()
    kinetics = kinetics_trials(targets)
    done: list[Fitted] = []
    gathered: dict[tuple[str, str], list[Sample]] = {}

    def simulate(number: int, fits: Sequence[PopulationFit]) -> list[dict[tuple[str, str], Sample]]:
        """Patients of every arm of each population."""
        each = max(LEAST_PATIENTS, math.ceil(patients / len(fits))) if len(fits) > 1 else patients
        folder = None if out is None else out / f"round-{number}"
        tasks = []
        for k, one in enumerate(fits):
            # a round of one population is split by trials, so that there is work for all workers
            for group in [tuple(trials)] if len(fits) > 1 else [(t,) for t in trials]:
                own = folder if folder is None or len(fits) == 1 else folder / f"population-{k:03d}"
                tasks.append(
                    PointTask(
                        trials=group,
                        fit=one,
                        patients=each,
                        seed=seed + number + SEED_STEP * k,
                        names=tuple(names),
                        scores=tuple(scores),
                        kinetics=kinetics,
                        folder=own,
                        engine=engine,
                    )
                )

        def tell(k: int, total: int) -> None:
            if progress is not None:
                progress(number, "populations" if len(fits) > 1 else "trials", k, total)

        return simulate_points(tasks, workers=cores, cluster=cluster, progress=tell)

    for number in range(rounds):
        fits = point_fits(fit, coordinates(fit, moving), moving, points, spread, seed + number)
        for made in simulate(number, fits):
            for key, sample in made.items():
                gathered.setdefault(key, []).append(sample)
        samples = {key: pool(parts) for key, parts in gathered.items()}
        keep = KEEP if points == 1 else KEEP_WIDE
        objective = Objective(samples, targets, moving, coordinates(fit, moving), keep, held)
        fitted = objective.solve(coordinates(fit, moving))
        done.append(fitted)
        fit = to_fit(fitted.x, moving, np.sqrt(np.diag(fitted.covariance)), fit_sources(trials, data), held)
        if out is not None:
            write_text(out / f"fit-{number}.csv", fit.to_csv())
    posterior = None
    if draws:
        posterior = draw_posterior(objective.log_posterior, done[-1].x, done[-1].covariance, moving, draws, seed)
    apart = {}
    if left_out and len(trials) > 1:
        predicted = leave_one_out(samples, targets, moving, done[-1], keep=objective.keep, held=held)
        apart = discrepancy_by_comparison(trials, targets, predicted, objective.spread)
    fresh_parts = simulate(rounds, [fit])
    fresh_samples = {key: sample for part in fresh_parts for key, sample in part.items()}
    weighted = {key: (s, np.full(len(s), 1.0 / len(s))) for key, s in fresh_samples.items()}
    fresh, left = checked(targets, weighted, moving, done[-1])
    result = Calibration(
        fit=fit,
        moving=moving,
        rounds=tuple(done),
        seed=seed,
        patients=patients,
        discrepancy=left,
        fresh=fresh,
        left_out=apart,
        draws=posterior,
        points=points,
        spread=spread if points > 1 else 0.0,
    )
    if out is not None:
        result.write(out)
    return result


def comparison_kind(trial: Trial) -> str:
    """How the arms of a trial differ: ``inhibitor against chemotherapy``, ``inhibitor added``, or ``other``."""
    from immunescape.trial.toxicity import contains_class

    if trial.control is None or not trial.experimental:
        return "other"
    given = [{d for c in arm.choices for d in c.regimen.drugs} for arm in (trial.experimental[0], trial.control)]
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
            mine, found, virtual = zip(*rows, strict=True)
            left = discrepancy(mine, found, virtual)
            out[what] = {kind: (sd, sum(t.kind == kind for t in mine)) for kind, sd in left.items()}
    return out


def checked(
    targets: Sequence[Target], weighted: Weighted, moving: Sequence[Term], fitted: Fitted
) -> tuple[dict[str, float], dict[str, float]]:
    """Figures of fresh patients by name of the target, in its unit, and the `discrepancy` that they show."""
    figures = [t.figure(weighted) for t in targets]
    prior = np.array([t.prior_sd for t in moving])
    used = float(np.sum(1.0 - np.diag(fitted.covariance) / prior**2))
    back = {t.name: t.back(f) if math.isfinite(f) else math.nan for t, f in zip(targets, figures, strict=True)}
    return back, discrepancy(targets, figures, chance(targets, weighted).tolist(), used)


def _check_start(fit: PopulationFit, moving: Sequence[Term]) -> None:
    """Refuse a fit with terms that no coordinate stands for: the weights would leave them out."""
    known = {(m, t.term) for t in moving for m in t.members}
    for term in fit.terms:
        if (term.parameter, term.term) not in known:
            raise InputError(
                f"the fit to start from has a term '{term.term}' of '{term.parameter}' that may not move",
                hint="Leave the row out, or start from a fit with the terms of knowledge/data/calibration_terms.csv.",
            )


def fit_sources(trials: Sequence[Trial], data: Path | None) -> str:
    """Keys of the references that a fit to trials and a data folder rests on, joined by semicolons."""
    keys = dict.fromkeys(key for t in trials for key in t.references)
    if data is not None:
        keys |= dict.fromkeys(("chowell2022", "chang2024", "gandara2018", "laleh2022"))
    return ";".join(keys)


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all, with a hint on how to resume."""
    hint = "Make room or choose another folder (--out); the same command resumes."
    with whole_file(path, "cannot write the fit", hint=hint) as file:
        file.write(text.encode("utf-8"))
