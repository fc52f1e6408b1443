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
from immunescape.evaluation.outcome_targets import (
    UNTREATED,
    best_response_targets,
    clone_targets,
    cohort_responders,
    curve_crossings,
    immune_targets,
    oak_crossing,
    oak_responders,
    odds_targets,
    responder_targets,
)
from immunescape.evaluation.targets import (
    Target,
    Weighted,
    ctdna_targets,
    curve_targets,
    kinetics_targets,
    oak_targets,
    response_by_btmb,
    response_by_histology,
    response_by_pdl1,
    response_by_size,
    response_by_sp142,
    response_by_tmb,
    stratum_targets,
)
from immunescape.evaluation.targets import trial_targets as targets_of
from immunescape.evaluation.weighting import Sample, effective_size, pool
from immunescape.files import check_folder, whole_file
from immunescape.population.fit import FitTerm, PopulationFit
from immunescape.population.tables import read_rows
from immunescape.trial.spec import Trial

__all__ = ["Calibration", "Fitted", "Term", "calibrate", "fit_weights", "terms"]

FloatArray = NDArray[np.float64]
MONO_ARMS = (("oak", "atezolizumab"), ("checkmate-017", "nivolumab"), ("checkmate-057", "nivolumab"))
"""Arms with a checkpoint inhibitor alone, of unselected PD-L1, that stand beside a cohort's response by PD-L1."""
RELAPSE_ARMS = (("keynote-024", "pembrolizumab"), *MONO_ARMS)
"""Arms whose patients with acquired resistance to an inhibitor alone are looked at for clones."""
KEEP = 0.30
"""Share of the patients of an arm that weights must leave effective in a round."""
KEEP_NOISE = 0.5
"""Share of the patients that is taken to be effective where the chance of virtual figures is reckoned."""
_COLUMNS = ("name", "members", "term", "prior_sd", "unit", "source", "grade", "note")


@dataclass(frozen=True)
class Term:
    """What may move: a shift, scale or covariate weight that the scores of all `members` share; prior SD of the move.

    A scale moves on the log scale.
    """

    name: str
    members: tuple[str, ...]
    term: str
    prior_sd: float

    def value(self, x: float) -> float:
        """The term's value at coordinate `x`, 0 being no change."""
        return math.exp(x) if self.term == "scale" else x

    def coordinate(self, value: float) -> float:
        """Inverse of `value`."""
        return math.log(value) if self.term == "scale" else value


def terms() -> tuple[Term, ...]:
    """Rows of ``calibration_terms.csv``."""
    return tuple(
        Term(r["name"], tuple(m.strip() for m in r["members"].split(";")), r["term"], r.number("prior_sd"))
        for r in read_rows("calibration_terms", _COLUMNS)
    )


def scored(moving: Sequence[Term]) -> tuple[list[str], list[str]]:
    """Parameters and frailties that the terms move, and the scores of covariates that they use, each sorted."""
    members = sorted({m for t in moving for m in t.members})
    return members, sorted({t.term for t in moving if t.term not in ("shift", "scale")})


def limits(moving: Sequence[Term]) -> FloatArray:
    """How far the coordinate of each term may move from no change."""
    return np.where([t.term == "scale" for t in moving], 0.7, 2.0)


def to_fit(
    x: FloatArray, moving: Sequence[Term], errors: FloatArray | None = None, source: str = "assumed"
) -> PopulationFit:
    """The fit at coordinates `x`; terms that do not move anything are left out."""
    rows = []
    for k, (term, value) in enumerate(zip(moving, x, strict=True)):
        error = 0.0 if errors is None else float(errors[k]) * (term.value(value) if term.term == "scale" else 1.0)
        note = f"as {term.name}" if len(term.members) > 1 else ""
        if abs(value) > 1e-9:
            rows += [
                FitTerm(m, term.term, term.value(float(value)), error, source, "fitted", note) for m in term.members
            ]
    return PopulationFit(tuple(rows))


def coordinates(fit: PopulationFit, moving: Sequence[Term]) -> FloatArray:
    """Coordinates of a fit."""
    return np.array([t.coordinate(fit.of(t.members[0]).get(t.term, 1.0 if t.term == "scale" else 0.0)) for t in moving])


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


def fit_weights(
    samples: Mapping[tuple[str, str], Sample],
    targets: Sequence[Target],
    moving: Sequence[Term],
    start: FloatArray,
    *,
    keep: float = KEEP,
    max_evaluations: int = 25,
) -> Fitted:
    """Find the fit whose population agrees best with the targets.

    Parameters
    ----------
    samples
        (trial, arm) -> simulated patients.
    targets
        What to agree with.
    moving
        What may move.
    start
        Coordinates to start from.
    keep
        Share of an arm's patients that must stay effective; a fit that would leave fewer is held back.
    max_evaluations
        Steps of the least-squares method (Levenberg-Marquardt within bounds).
    """
    from scipy.optimize import least_squares

    prior = np.array([t.prior_sd for t in moving])

    def weigh(x: FloatArray) -> Weighted:
        fit = to_fit(x, moving)
        return {key: (s, s.weights(fit)) for key, s in samples.items()}

    begin = weigh(np.asarray(start, dtype=float))
    # the chance of virtual figures at the start, brought to the share of patients that is taken to stay effective
    virtual = chance(targets, begin)
    kept = {key: effective_size(w) / (KEEP_NOISE * len(s)) for key, (s, w) in begin.items()}
    lost = [min((kept[a] for a in t.arms if a in kept), default=1.0) for t in targets]
    spread = [math.sqrt(t.sd**2 + v * max(f, 0.1)) for t, v, f in zip(targets, virtual, lost, strict=True)]

    def errors(x: FloatArray) -> FloatArray:
        weighted = weigh(x)
        held = [6.0 * max(0.0, math.log(keep * len(s)) - math.log(effective_size(w))) for s, w in weighted.values()]
        return np.array(
            [t.residual(weighted, sd) for t, sd in zip(targets, spread, strict=True)] + list(x / prior) + held
        )

    limit = limits(moving)
    found = least_squares(
        errors, np.clip(start, -limit + 1e-6, limit - 1e-6), bounds=(-limit, limit), x_scale=prior, diff_step=1e-4,
        max_nfev=max_evaluations,
    )  # fmt: skip
    m = len(targets) + len(moving)
    jacobian = found.jac[:m]
    covariance = np.linalg.inv(jacobian.T @ jacobian)
    weighted = weigh(found.x)
    rows = []
    for t, sd in zip(targets, spread, strict=True):
        value = t.figure(weighted)
        rows.append(
            (t.name, t.back(t.value), t.back(value) if math.isfinite(value) else math.nan, t.residual(weighted, sd))
        )
    sizes = {key: (len(s), effective_size(w), float(w.max())) for key, (s, w) in weighted.items()}
    loss = 0.5 * float((found.fun[: len(targets)] ** 2).sum())
    return Fitted(found.x, covariance, loss, tuple(rows), sizes)


@dataclass(frozen=True)
class Calibration:
    """Result: the fit that ships, what each round gave, what was fitted to.

    Attributes
    ----------
    fit : moved distributions. moving : what could move. rounds : one `Fitted` per round.
    seed, patients : of each arm and round.
    discrepancy : kind of figure -> SD of what the model leaves on fresh patients; see :func:`discrepancy`.
    fresh : name of a target -> its figure from fresh patients.
    """

    fit: PopulationFit
    moving: tuple[Term, ...]
    rounds: tuple[Fitted, ...]
    seed: int
    patients: int
    discrepancy: Mapping[str, float] = field(default_factory=dict)
    fresh: Mapping[str, float] = field(default_factory=dict)

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
            "discrepancy": {kind: round(sd, 4) for kind, sd in self.discrepancy.items()},
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
) -> Calibration:
    """Fit the population to the published results of trials.

    Parameters
    ----------
    trials
        Calibration trials; each needs published results.
    data
        Folder with ``km/`` (curves), ``loris/`` (response by PD-L1) and ``tumour_kinetics/``; None fits to the
        published figures alone.
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
        Called with (round, trial, patients done, patients in all); the fresh patients are the round after the last.

    Raises
    ------
    InputError
        For a trial without published results, a wrong folder, or a fit to start from with a term that may not move.
    """
    from immunescape.trial.runner import run_trial

    if not trials:
        raise InputError("no trial to calibrate to")
    if rounds < 1:
        raise InputError(f"{rounds} rounds", hint="At least one.")
    if out is not None:
        check_folder(out)
    moving = terms()
    targets = [t for trial in trials for t in targets_of(trial)] + data_targets(data, trials)
    rates = any(" of a lesion " in t.name for t in targets)
    names, scores = scored(moving)
    fit = start or PopulationFit()
    _check_start(fit, moving)
    done: list[Fitted] = []
    gathered: dict[tuple[str, str], list[Sample]] = {}

    def simulate(number: int) -> dict[tuple[str, str], Sample]:
        """Patients of every arm, from the fit so far."""
        made = {}
        for trial in trials:

            def tell(k: int, total: int, name: str = trial.name) -> None:
                if progress is not None:
                    progress(number, name, k, total)

            folder = None if out is None else out / f"round-{number}" / trial.name
            result = run_trial(
                trial, patients=patients, seed=seed + number, workers=workers, out=folder, engine=engine, fit=fit,
                paired=True, progress=tell, cluster=cluster,
            )  # fmt: skip
            for arm in trial.arms:
                kinetics = rates and trial.name == "oak"
                made[trial.name, arm.name] = Sample.of(result, arm, names, scores, fit, kinetics=kinetics)
        return made

    for number in range(rounds):
        for key, sample in simulate(number).items():
            gathered.setdefault(key, []).append(sample)
        samples = {key: pool(parts) for key, parts in gathered.items()}
        fitted = fit_weights(samples, targets, moving, coordinates(fit, moving))
        done.append(fitted)
        fit = to_fit(fitted.x, moving, np.sqrt(np.diag(fitted.covariance)), _sources(trials, data))
        if out is not None:
            _write(out / f"fit-{number}.csv", fit.to_csv())
    weighted = {key: (s, np.full(len(s), 1.0 / len(s))) for key, s in simulate(rounds).items()}
    fresh, left = checked(targets, weighted, moving, done[-1])
    made = Calibration(fit, moving, tuple(done), seed, patients, left, fresh)
    if out is not None:
        _write(out / "population_fit.csv", fit.to_csv())
        _write(out / "calibration.json", json.dumps(made.to_json(), indent=1) + "\n")
    return made


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


def data_targets(data: Path | None, trials: Sequence[Trial]) -> list[Target]:
    """Targets from the data folder for the trials at hand; held-out patients are left out."""
    if data is None:
        return []
    if not data.is_dir():
        raise InputError("no such folder of data", where=str(data), hint="Leave --data out to fit to trials alone.")
    found = curve_targets(data / "km", trials) if (data / "km").is_dir() else []
    arms = [a for a in MONO_ARMS if a[0] in {t.name for t in trials}]
    if (data / "loris").is_dir() and arms:
        found += stratum_targets(
            response_by_pdl1(data / "loris", "training"), arms, "chowell2022;chang2024", "PD-(L)1 blockade"
        )
        for cells in response_by_tmb(data / "loris", "training").values():
            if all(0 < responders < n for responders, n in cells.values()):
                found += stratum_targets(cells, arms, "chowell2022;chang2024", "PD-(L)1 blockade")
    table = data / "oak" / "oak_clinical.csv"
    if table.is_file() and "oak" in {t.name for t in trials}:
        found += oak_targets(table, "training") + ctdna_targets(table, "training")
        by_pdl1 = response_by_sp142(table, "training")
        found += stratum_targets(by_pdl1, [("oak", "atezolizumab")], "gandara2018", "atezolizumab")
        for split in (response_by_size, response_by_histology, response_by_btmb):
            for key, rates in split(table, "training").items():
                found += stratum_targets(rates, [key], "gandara2018", key[1])
        found += best_response_targets(table, "training") + oak_crossing(table, "training")
        for key, rows in oak_responders(table, "training").items():
            found += responder_targets(rows, [key], "gandara2018", f"{key[0]}: {key[1]}")
    found += _further_targets(data, trials, arms)
    lesions = data / "tumour_kinetics" / "oak.csv"
    if lesions.is_file() and "oak" in {t.name for t in trials}:
        found += kinetics_targets(lesions, "training")
    if not found:
        raise InputError(
            "the folder holds none of km/, loris/, oak/oak_clinical.csv and tumour_kinetics/oak.csv", where=str(data)
        )
    return found


def _further_targets(data: Path, trials: Sequence[Trial], arms: Sequence[tuple[str, str]]) -> list[Target]:
    """Courses, clones, odds ratios and immune cells, as far as the folder and the trials have them."""
    names = {t.name for t in trials}
    found = curve_crossings(data / "km", names) if (data / "km").is_dir() else []
    if (data / "loris").is_dir() and arms:
        rows = cohort_responders(data / "loris", "training")
        if rows:
            found += responder_targets(rows, arms, "chowell2022;chang2024", "PD-(L)1 blockade")
    if arms:
        found += odds_targets(data, arms)
    immune = data / "qsp_io" / "observed_immune_ratios_log.csv"
    if immune.is_file() and any(trial in names for trial, _ in UNTREATED):
        found += immune_targets(immune)
    alone = [a for a in RELAPSE_ARMS if a[0] in names]
    if found and alone:
        found += clone_targets(alone)
    return found


def _sources(trials: Sequence[Trial], data: Path | None) -> str:
    keys = dict.fromkeys(key for t in trials for key in t.references)
    if data is not None:
        keys |= dict.fromkeys(("chowell2022", "chang2024", "gandara2018", "laleh2022"))
    return ";".join(keys)


def _write(path: Path, text: str) -> None:
    hint = "Make room or choose another folder (--out); the same command resumes."
    with whole_file(path, "cannot write the fit", hint=hint) as file:
        file.write(text.encode("utf-8"))
