"""Which mechanisms earn their place: each is switched off, killing is tuned again, and what was left out is predicted.

With a mechanism off nearly everything shifts, and one number brings the level back: the median of ``k_kill``. It is
tuned on published results of calibration trials for the full model and for each ablated one alike, by weighting the
simulated patients (:mod:`immunescape.evaluation.weighting`), and in a second round by simulating at the value found.
The trials are tuned to in turns (folds), so that each is predicted while left out. Patients' data are never tuned to.

A mechanism is *tested by trials* where the model without it predicts left-out trials worse by more than two standard
errors over at least three seeds; else *by patients' data* where that holds of courses, odds ratios or growth of
lesions; else *by claims only* where a claim, or a statement that must not hold, names it; else *by nothing*. Four kinds
of scores are looked at, so that about one mechanism in ten that does nothing passes by chance.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import ImmunescapeError, InputError, unknown_word
from immunescape.evaluation.mechanism_labels import GROUPS, LABELS, TOGETHER, ablatable
from immunescape.evaluation.set_ups import refuse_other_set_up
from immunescape.evaluation.target_sets import data_targets
from immunescape.evaluation.targets import Target, trial_targets
from immunescape.evaluation.trial_classes import roles
from immunescape.evaluation.weighting import Sample, effective_size, pool
from immunescape.files import check_folder, stored_json, whole_file
from immunescape.population.fit import PopulationFit

if TYPE_CHECKING:
    from immunescape.trial.result import TrialResult
    from immunescape.trial.spec import Trial

__all__ = [
    "TOGETHER",
    "Ablation",
    "AblationResult",
    "Difference",
    "ablatable",
    "chosen_mechanisms",
    "difference",
    "group_of",
    "label_of",
    "run_ablation",
    "simulated_patients",
]

FloatArray = NDArray[np.float64]
Samples = dict[tuple[str, str], Sample]
FULL = "full model"
TUNED = "k_kill"
PRIOR = 0.7
"""Standard deviation of the move, as in ``calibration_terms.csv``."""
FARTHEST = 2.0
KEEP = 0.25
"""Share of an arm's patients that must stay effective: a move that would leave fewer is held back."""
CAP = 5.0
"""Largest error that counts: a figure that is far off, such as no response among few patients, is just wrong."""
SEEDS_NEEDED = 3
BEYOND = 2.0
TRIALS = ("oak", "checkmate-057", "checkmate-017", "keynote-024")
"""Trials unless others are named: the smallest set in which all kinds of patients' data can be looked at."""
FORM = 2
CHOICES = {"patients": "patients per arm", "rounds": "rounds", "trials": "trials", "targets": "patients' data"}
"""What of a set-up its user chooses, as a message names it."""


@dataclass(frozen=True)
class Difference:
    """How much worse a kind of figure is predicted without the mechanism: mean over seeds, its error, each seed."""

    mean: float
    se: float | None
    by_seed: tuple[float, ...]

    @property
    def worse(self) -> bool | None:
        """Whether by more than two standard errors; None where fewer seeds than needed were run."""
        if self.se is None or len(self.by_seed) < SEEDS_NEEDED:
            return None
        return self.mean > BEYOND * self.se and self.mean > 0.0


def difference(values: Sequence[float]) -> Difference:
    """Mean of differences over seeds with its standard error; no error of a single one."""
    numbers = np.asarray(values, dtype=float)
    se = float(numbers.std(ddof=1) / math.sqrt(len(numbers))) if len(numbers) > 1 else None
    return Difference(float(numbers.mean()), se, tuple(float(v) for v in numbers))


def label_of(differences: Mapping[str, Difference], claims: int) -> str:
    """Label of a mechanism, one of `LABELS`; empty where too few seeds were run to say.

    Parameters
    ----------
    differences
        Kind of figure -> difference; kinds that were not looked at are absent.
    claims
        Claims and statements that must not hold that name the mechanism.
    """
    verdicts = {group: d.worse for group, d in differences.items()}
    if verdicts.get("trials"):
        return LABELS[0]
    if any(verdicts.get(group) for group in GROUPS[1:]):
        return LABELS[1]
    if not verdicts or any(v is None for v in verdicts.values()):
        return ""
    return LABELS[2] if claims else LABELS[3]


@dataclass(frozen=True)
class Ablation:
    """One mechanism.

    Attributes
    ----------
    mechanism : name.
    differences : kind -> `Difference` of mean absolute errors, in standard deviations of the published figures.
    moved : move of the tuned parameter without the mechanism and with it, mean over seeds.
    claims : claims and statements that must not hold that name it.
    label : one of `LABELS`, or empty.
    why : why it could not be switched off; empty where it could.
    """

    mechanism: str
    differences: Mapping[str, Difference] = field(default_factory=dict)
    moved: tuple[float, float] = (0.0, 0.0)
    claims: int = 0
    label: str = ""
    why: str = ""

    def row(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "mechanism": self.mechanism,
            "label": self.label or None,
            "claims": self.claims,
            "k_kill_without": round(self.moved[0], 3),
            "k_kill_with": round(self.moved[1], 3),
            "differences": {
                group: {
                    "mean": round(d.mean, 4),
                    "se": None if d.se is None else round(d.se, 4),
                    "by_seed": [round(v, 4) for v in d.by_seed],
                }
                for group, d in self.differences.items()
            },
            "cannot_be_switched_off": self.why or None,
        }


@dataclass(frozen=True, kw_only=True)
class AblationResult:
    """What `run_ablation` gives: rows by mechanism, and what they were made of.

    `model` is the digest of code and numbers that were run, `numbers` that of the tables of numbers alone.
    """

    rows: tuple[Ablation, ...]
    trials: tuple[str, ...]
    patients: int
    seeds: tuple[int, ...]
    rounds: int
    model: str
    numbers: str
    targets: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "model": self.model,
            "numbers": self.numbers,
            "trials": list(self.trials),
            "patients": self.patients,
            "seeds": list(self.seeds),
            "rounds": self.rounds,
            "targets": dict(self.targets),
            "mechanisms": [r.row() for r in self.rows],
        }


def chosen_mechanisms(names: Sequence[str]) -> list[str]:
    """Mechanisms of a run, each once: those named, or all that can be switched off.

    Names joined by `TOGETHER` ("lipids+pge2") are switched off together, as in a smaller model; their order and
    repetitions do not matter, and are those of the first mention.

    Raises
    ------
    InputError
        For one that does not exist, or may not be switched off, and for nothing on a side of `TOGETHER`.
    """
    from immunescape.model.registry import mechanisms

    can_be = ablatable()
    chosen: dict[frozenset[str], str] = {}
    for together in names:
        singles = list(dict.fromkeys(single.strip() for single in together.split(TOGETHER)))
        if "" in singles:
            raise InputError(
                f"'{together}' lacks the name of a mechanism",
                hint=f"Write one name, or several joined by {TOGETHER} as in lipids{TOGETHER}pge2; `immunescape "
                "mechanisms` lists them.",
            )
        for name in singles:
            if name in can_be:
                continue
            if name in mechanisms():
                raise InputError(
                    f"'{name}' is not a mechanism that can be switched off",
                    hint="Body and tumour must stay, and a mechanism that acts on no other leaves nothing to compare.",
                )
            raise unknown_word("mechanism that can be switched off", name, can_be)
        chosen.setdefault(frozenset(singles), TOGETHER.join(singles))
    return list(chosen.values()) or can_be


def group_of(target: Target) -> str:
    """Kind of a figure of patients: ``kinetics``, ``odds`` or ``courses``."""
    if " of a lesion " in target.name:
        return "kinetics"
    return "odds" if "odds ratio" in target.name or "ctDNA" in target.name or "carried by" in target.name else "courses"


def claims_naming(mechanism: str) -> int:
    """How many claims, and statements that must not hold, are carried or guarded by a mechanism, or one of several."""
    from immunescape.knowledge.claim_records import load_claims
    from immunescape.knowledge.must_not_records import load_must_not

    off = set(mechanism.split(TOGETHER))
    return sum(c.kind != "context" and bool(off & {*c.mechanism}) for c in load_claims()) + sum(
        bool(off & {*s.guarded_by}) for s in load_must_not()
    )


def simulated_patients(mechanisms: int, trials: Sequence[Trial], patients: int, seeds: int, rounds: int) -> int:
    """Virtual patients that a run simulates: what it costs."""
    return (mechanisms + 1) * seeds * rounds * patients * sum(len(t.arms) for t in trials)


def tuned(samples: Samples, targets: Sequence[Target], fit: PopulationFit) -> float:
    """Move of the score of `TUNED` that agrees best with targets: least squares with the prior, within what is kept.

    Parameters
    ----------
    samples
        (trial, arm) -> patients that were simulated with `fit`, or with fits that differ from it in the tuned score.
    targets
        What to agree with.
    fit
        No move.
    """
    from scipy.optimize import minimize_scalar

    def loss(x: float) -> float:
        moved = fit.shifted(TUNED, x)
        weighted = {key: (s, s.weights(moved)) for key, s in samples.items()}
        held = sum(
            36.0 * max(0.0, math.log(KEEP * len(s)) - math.log(effective_size(w))) ** 2 for s, w in weighted.values()
        )
        return sum(t.residual(weighted) ** 2 for t in targets) + (x / PRIOR) ** 2 + held

    grid = np.linspace(-FARTHEST, FARTHEST, 17)
    best = float(grid[int(np.argmin([loss(float(x)) for x in grid]))])
    step = float(grid[1] - grid[0])
    minimum = minimize_scalar(loss, bounds=(best - step, best + step), method="bounded", options={"xatol": 0.01})
    return float(minimum.x) if minimum.fun <= loss(best) else best


def score(samples: Samples, targets: Sequence[Target], fit: PopulationFit, move: float) -> float:
    """Mean absolute error of targets, in their standard deviations up to `CAP`, at a move of the tuned score."""
    if not targets:
        return math.nan
    moved = fit.shifted(TUNED, move)
    weighted = {key: (s, s.weights(moved)) for key, s in samples.items()}
    return float(np.mean([min(abs(t.residual(weighted)), CAP) for t in targets]))


def scores(
    samples: Samples,
    of_trials: Mapping[str, Sequence[Target]],
    of_patients: Mapping[str, Sequence[Target]],
    fit: PopulationFit,
    folds: int,
) -> tuple[dict[str, float], float]:
    """Errors by kind (each trial tuned to the others, patients tuned to all trials), and the move to all trials."""
    names = list(of_trials)
    errors: list[float] = []
    for k in range(folds):
        left_out = names[k::folds]
        training = [t for name in names if name not in left_out for t in of_trials[name]]
        move = tuned(samples, training, fit)
        errors += [score(samples, of_trials[name], fit, move) for name in left_out]
    move = tuned(samples, [t for ts in of_trials.values() for t in ts], fit)
    out = {"trials": float(np.mean(errors))}
    out |= {group: score(samples, ts, fit, move) for group, ts in of_patients.items() if ts}
    return out, move


def run_ablation(
    mechanisms: Sequence[str] = (),
    *,
    trials: Sequence[Trial] | None = None,
    data: Path | None = None,
    patients: int = 60,
    seed: int = 1,
    seeds: int = 3,
    rounds: int = 2,
    folds: int = 0,
    workers: int | None = None,
    out: Path | None = None,
    engine: str = "auto",
    progress: Callable[[str, int, int, float], None] | None = None,
    simulate: Callable[..., TrialResult] | None = None,
    force: bool = False,
) -> AblationResult:
    """Switch mechanisms off, one at a time.

    Parameters
    ----------
    mechanisms
        Names; none takes all that can be switched off.
    trials
        Calibration trials; None takes `TRIALS`.
    data
        Folder of patients' data, as of `calibrate`; None looks at trials alone.
    patients
        Virtual patients of each arm, seed and round.
    seed, seeds
        The first seed, and how many from it on; a label needs three.
    rounds
        1 tunes by weights alone; from 2 on the trials are simulated again at the value found.
    folds
        Turns in which trials are left out; 0 leaves out one at a time.
    workers, engine
        As for a trial.
    out
        Folder with one file for each mechanism; what it holds of the same model and set-up is not run again.
    progress
        Called with (mechanism, number of it, of how many, seconds since the start).
    simulate
        In place of `run_trial`, for tests.
    force
        Overwrite what `out` holds of another set-up.

    Raises
    ------
    InputError
        For a mechanism that does not exist or may not be switched off, a trial that is not a calibration trial, too few
        trials; and where `out` holds one of these mechanisms with another number of patients, other trials or data.
    """
    from immunescape.trial.runner import numbers_digest

    chosen = chosen_mechanisms(mechanisms)
    protocols = _protocols(trials)
    for number, least, counted in ((patients, 8, "patients of an arm"), (seeds, 1, "seeds"), (rounds, 1, "rounds")):
        if number < least:
            raise InputError(f"{number} {counted}", hint=f"At least {least}.")
    if out is not None:
        check_folder(out)
    run = _Run.of(protocols, data, patients=patients, rounds=rounds, folds=folds, workers=workers, engine=engine)
    if simulate is not None:
        run = replace(run, simulate=simulate)
    if out is not None and not force:
        refuse_other_set_up((out / _file_name(name) for name in (FULL, *chosen)), run.set_up, CHOICES)
    numbers = tuple(range(seed, seed + seeds))
    began = time.perf_counter()
    whole = run.of_seeds(FULL, numbers, out)
    rows: list[Ablation] = []
    for k, name in enumerate(chosen):
        if progress is not None:
            progress(name, k + 1, len(chosen), time.perf_counter() - began)
        rows.append(_ablation(name, run, whole, out))
    counts = {"trials": sum(map(len, run.of_trials.values())), **{g: len(t) for g, t in run.of_patients.items()}}
    return AblationResult(
        rows=tuple(rows),
        trials=tuple(t.name for t in protocols),
        patients=patients,
        seeds=numbers,
        rounds=rounds,
        model=str(run.set_up["model"]),
        numbers=numbers_digest(),
        targets=counts,
    )


def _protocols(trials: Sequence[Trial] | None) -> list[Trial]:
    """Calibration trials, each once, and at least two."""
    from immunescape.trial.loading import load_trial

    protocols = [load_trial(n) for n in TRIALS] if trials is None else list(trials)
    for trial in protocols:
        if roles().get(trial.name, ("calibration", ""))[0] != "calibration":
            raise InputError(
                f"'{trial.name}' is a validation trial", hint="Labels must not be derived from validation trials."
            )
    names = [t.name for t in protocols]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise InputError(f"trial '{twice[0]}' is named twice", hint="A trial cannot be predicted from itself.")
    if len(protocols) < 2:
        raise InputError(
            "leaving one trial out needs more than one trial", hint="Name at least two calibration trials."
        )
    return protocols


def _ablation(name: str, run: _Run, whole: Mapping[int, Mapping[str, Any]], out: Path | None) -> Ablation:
    """One mechanism against the full model, seed by seed."""
    claims = claims_naming(name)
    try:
        off = run.of_seeds(name, tuple(whole), out)
    except ImmunescapeError as error:
        return Ablation(name, claims=claims, why=str(error).replace("\n", " "))
    groups = [g for g in GROUPS if g in next(iter(whole.values()))["scores"]]
    differences = {g: difference([off[n]["scores"][g] - whole[n]["scores"][g] for n in whole]) for g in groups}
    without, within = (float(np.mean([seeds[n]["move"] for n in whole])) for seeds in (off, whole))
    return Ablation(name, differences, (without, within), claims, label_of(differences, claims))


@dataclass(frozen=True, kw_only=True)
class _Run:
    """What every mechanism is evaluated with.

    Attributes
    ----------
    protocols : calibration trials. of_trials : trial -> its targets. of_patients : kind -> targets of patients' data.
    patients, rounds, folds, workers, engine : as of `run_ablation`.
    set_up : what stored evaluations must have been made with.
    """

    protocols: tuple[Trial, ...]
    of_trials: Mapping[str, Sequence[Target]]
    of_patients: Mapping[str, Sequence[Target]]
    patients: int
    rounds: int
    folds: int
    workers: int | None
    engine: str
    set_up: Mapping[str, Any]
    simulate: Callable[..., TrialResult]

    @classmethod
    def of(
        cls,
        protocols: Sequence[Trial],
        data: Path | None,
        *,
        patients: int,
        rounds: int,
        folds: int,
        workers: int | None,
        engine: str,
    ) -> _Run:
        """Collect the targets of the trials and of patients' data."""
        from immunescape.trial.runner import model_digest, run_trial

        of_trials = {t.name: trial_targets(t) for t in protocols}
        of_patients: dict[str, list[Target]] = {group: [] for group in GROUPS[1:]}
        for target in data_targets(data, protocols):
            of_patients[group_of(target)].append(target)
        turns = folds or len(protocols)
        set_up = {
            "form": FORM,
            "model": model_digest(),
            "trials": [t.name for t in protocols],
            "patients": patients,
            "rounds": rounds,
            "folds": turns,
            "targets": {g: len(t) for g, t in of_patients.items()},
            "content": _content(protocols, of_trials, of_patients),
        }
        return cls(
            protocols=tuple(protocols),
            of_trials=of_trials,
            of_patients=of_patients,
            patients=patients,
            rounds=rounds,
            folds=turns,
            workers=workers,
            engine=engine,
            set_up=set_up,
            simulate=run_trial,
        )

    def of_seeds(self, name: str, numbers: Sequence[int], out: Path | None) -> dict[int, dict[str, Any]]:
        """Evaluations of one model by seed, stored ones first; each is stored as soon as it is made."""
        path = None if out is None else out / _file_name(name)
        stored = _stored(path, self.set_up)
        for number in numbers:
            if number not in stored:
                stored[number] = self.evaluate(name, number)
                _store(path, self.set_up, name, stored)
        return {number: stored[number] for number in numbers}

    def evaluate(self, name: str, seed: int) -> dict[str, Any]:
        """Errors of a model without a mechanism, killing tuned again in rounds of simulating and weighting."""
        fit = PopulationFit.shipped()
        if name != FULL:
            fit = fit.with_values({f"switch_{single}": ("set", 0.0) for single in name.split(TOGETHER)})
        now = fit
        gathered: dict[tuple[str, str], list[Sample]] = {}
        for k in range(self.rounds):
            for trial in self.protocols:
                for arm, sample in self._samples(trial, seed + 1000 * k, fit, now).items():
                    gathered.setdefault((trial.name, arm), []).append(sample)
            samples = {key: pool(of_rounds) for key, of_rounds in gathered.items()}
            errors, move = scores(samples, self.of_trials, self.of_patients, fit, self.folds)
            now = fit.shifted(TUNED, move)
        effective = min(effective_size(s.weights(now)) / len(s) for s in samples.values())
        return {"scores": errors, "move": move, "smallest_effective_share": effective}

    def _samples(self, trial: Trial, seed: int, fit: PopulationFit, now: PopulationFit) -> dict[str, Sample]:
        """Patients of each arm, simulated with the fit `now`, that differs from `fit` in the tuned parameter."""
        result = self.simulate(
            trial,
            patients=self.patients,
            seed=seed,
            workers=self.workers,
            engine=self.engine,
            fit=now,
            paired=trial.can_pair,
        )
        kinetics = bool(self.of_patients["kinetics"]) and trial.name == "oak"
        scored = [t for t in fit.of(TUNED) if t not in ("shift", "scale")]
        return {arm.name: Sample.of(result, arm, [TUNED], scored, now, kinetics=kinetics) for arm in trial.arms}


def _file_name(name: str) -> str:
    """File of a mechanism; several together are too many for a file's name and are told apart by a hash."""
    if name.count(TOGETHER) < 3:
        return f"{name.replace(' ', '-')}.json"
    return f"{name.count(TOGETHER) + 1}-together-{hashlib.sha256(name.encode()).hexdigest()[:12]}.json"


def _content(
    trials: Sequence[Trial], of_trials: Mapping[str, Sequence[Target]], of_patients: Mapping[str, Sequence[Target]]
) -> str:
    """Hash of the protocols and of every figure that errors are taken of: a changed file is another run."""
    figures = [(t.name, t.value, t.sd) for grouped in (of_trials, of_patients) for ts in grouped.values() for t in ts]
    text = "\x1f".join([*(t.text or repr(t) for t in trials), repr(figures)])
    return hashlib.sha256(text.encode()).hexdigest()


def _stored(path: Path | None, set_up: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    """Seeds of an earlier run of the same model and set-up; a damaged or other file counts as none."""
    kinds = {"trials", *(group for group, count in set_up["targets"].items() if count)}

    def fits(content: Any) -> bool:
        numbers = [
            value
            for seed in content["seeds"].values()
            for value in (seed["move"], *(seed["scores"][kind] for kind in kinds))
        ]
        whole = all(isinstance(v, (int, float)) and math.isfinite(v) for v in numbers)
        return whole and content["set_up"] == set_up and all(int(k) >= 0 for k in content["seeds"])

    content = stored_json(path, fits)
    return {} if content is None else {int(k): v for k, v in content["seeds"].items()}


def _store(path: Path | None, set_up: Mapping[str, Any], name: str, stored: Mapping[int, Any]) -> None:
    if path is None:
        return
    content = {"mechanism": name, "set_up": set_up, "seeds": {str(k): v for k, v in sorted(stored.items())}}
    hint = "Make room or choose another folder (--out); the same command resumes from what is stored."
    with whole_file(path, "cannot store a mechanism", hint=hint) as stream:
        stream.write(json.dumps(content, indent=1).encode())
