"""To which parameters the response in a trial is most sensitive.

A point is a patient of the trial: covariates of an eligible candidate, and a quantile for every parameter in which
patients differ. Its tumour is grown from the seed to its diameter at diagnosis and then treated as the arm says,
without toxicity. Along a trajectory of Morris, one parameter after the other moves and all else stays (common random
numbers), so that every difference is that parameter's alone. Parameters without a distribution are the same at all
points.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.evaluation.screening import morris_design, morris_indices, sobol_design, sobol_indices

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.trial.spec import Trial

__all__ = ["OUTPUTS", "Sensitivity", "TreatedPatients", "run_sensitivity"]

FloatArray = NDArray[np.float64]
Progress = Callable[[int, int], None]
WEEKS = (9, 18)
OUTPUTS = ("orr", "change_week_9", "change_week_18")
"""Response (1 or 0) at week 9 or 18; logarithm of the diameter then over that at the start."""
_EDGE = 0.05
_PER_JOB = 1000


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """Result of a sensitivity analysis.

    Attributes
    ----------
    trial, arm, method : what was analysed, and how.
    parameters : k names. rows : per parameter and output, ranked by response, then by change at week 18.
    points : evaluated. undiagnosed : points whose tumour never reaches its diameter; failed : integration failed.
    """

    trial: str
    arm: str
    method: str
    parameters: tuple[str, ...]
    rows: list[dict[str, Any]]
    points: int
    undiagnosed: int
    failed: int
    orr: float
    seed: int
    seconds: float

    def top(self, n: int = 20) -> list[dict[str, Any]]:
        """Return the rows of the n parameters that matter most."""
        return self.rows[:n]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "trial": self.trial,
            "arm": self.arm,
            "method": self.method,
            "seed": self.seed,
            "points": self.points,
            "undiagnosed": self.undiagnosed,
            "failed": self.failed,
            "orr_of_the_points": round(self.orr, 4),
            "varying_parameters": len(self.parameters),
            "seconds": round(self.seconds, 1),
            "parameters": self.rows,
        }


class TreatedPatients:
    """Evaluates points: grows and treats patients of one arm of a trial.

    Parameters
    ----------
    trial
        The trial; its criteria decide who the candidates are.
    arm
        Name of the arm; empty takes the first.
    patients
        Eligible candidates to draw.
    seed
        Of the candidates.
    engine
        Name of the engine.
    """

    def __init__(self, trial: Trial, arm: str, patients: int, seed: int, engine: str = "auto") -> None:
        from immunescape.errors import unknown_word
        from immunescape.evaluation.scenarios import quick_engine
        from immunescape.population.diagnosis import Grower
        from immunescape.population.linking import varying_parameters
        from immunescape.population.reference_baseline import prepared_model

        names = [a.name for a in trial.arms]
        if arm and arm not in names:
            raise unknown_word("arm", arm, names, where=trial.file or trial.name)
        self.arm = trial.arms[names.index(arm) if arm else 0]
        if trial.prior:
            raise InputError(
                f"'{trial.name}' has earlier lines of treatment",
                hint="Sensitivity is analysed for trials of untreated patients.",
            )
        self.trial, self.seed = trial, seed
        drugs = tuple(dict.fromkeys(d for c in self.arm.choices for d in c.regimen.drugs))
        self.model = prepared_model(drugs, trial.specificity)
        made = quick_engine(engine)
        self.grower = Grower(self.model, made, rtol=1e-5)
        self.compiled = made.compile(self.model.to_sbml())
        self.parameters = varying_parameters(self.model.parameters)
        self.enlist(patients)

    def enlist(self, patients: int) -> None:
        """Take the first eligible candidates of the seed, and plan their doses."""
        self.covariates = self._candidates(patients)
        self._doses = self._planned()

    def _candidates(self, patients: int) -> pd.DataFrame:
        import pandas as pd

        from immunescape.population.covariates import sample_covariates
        from immunescape.trial.blocks import Enroller, region_of

        enroller = Enroller(self.trial.population)
        candidates: list[pd.DataFrame] = []
        start = 0
        while sum(map(len, candidates)) < patients:
            table = sample_covariates(start, 256, self.seed, 0, region=region_of(self.trial.population))
            candidates.append(table[enroller.mask(table, self.seed, 0)])
            start += 256
            if start > 200_000:
                raise InputError("too few candidates are eligible", where=self.trial.file or self.trial.name)
        return pd.concat(candidates).iloc[:patients]

    def _planned(self) -> list[Any]:
        from immunescape.trial.dosing import BodySize, administered, to_doses
        from immunescape.trial.eligibility import assign_choices

        rng = np.random.default_rng(self.seed)
        chosen = assign_choices(self.arm.choices, self.covariates, rng.random(len(self.covariates)))
        return [
            to_doses(
                administered(
                    self.arm.choices[k].regimen,
                    BodySize.of({str(k): v for k, v in row.to_dict().items()}),
                    until_days=7.0 * WEEKS[-1],
                )
            )
            for k, (_, row) in zip(chosen, self.covariates.iterrows(), strict=True)
        ]

    def evaluate(
        self,
        patients: NDArray[np.int64],
        quantiles: FloatArray,
        progress: Progress | None = None,
        changed: Mapping[str, tuple[str, FloatArray]] | None = None,
    ) -> FloatArray:
        """Evaluate points.

        Parameters
        ----------
        patients
            (n,) which candidate each point is.
        quantiles
            (n, k) in [0, 1]; they are drawn in by 0.05 from both ends.
        progress
            Called with (points done, points in all).
        changed
            Parameter -> (``times`` or ``set``, (n,) numbers): what is changed beside, in the unit of its table.

        Returns
        -------
        (n, 3) `OUTPUTS`; NaN where the tumour is never diagnosed, infinite where the integration failed.
        """
        out = np.full((len(patients), len(OUTPUTS)), np.nan)
        for start in range(0, len(patients), _PER_JOB):
            rows = slice(start, start + _PER_JOB)
            beside = {name: (how, numbers[rows]) for name, (how, numbers) in (changed or {}).items()}
            out[rows] = self._evaluate(patients[rows], _EDGE + (1.0 - 2.0 * _EDGE) * quantiles[rows], beside)
            if progress is not None:
                progress(min(start + _PER_JOB, len(patients)), len(patients))
        return out

    def _evaluate(
        self, patients: NDArray[np.int64], quantiles: FloatArray, changed: Mapping[str, tuple[str, FloatArray]]
    ) -> FloatArray:
        from immunescape.engine.api import FAILED, Job
        from immunescape.population.diagnosis import emerge
        from immunescape.population.linking import DIAMETER, parameters_at

        rows = self.covariates.iloc[patients]
        numbers = {name: quantiles[:, k] for k, name in enumerate(self.parameters)}
        values = parameters_at(self.model.parameters, rows, numbers)
        for name, (how, number) in changed.items():
            p = self.model.parameters[name]
            value = number if how == "set" else number * values.get(name, np.full(len(rows), float(p.value)))
            low, high = (math.inf if b is None else b for b in (p.lower, p.upper))
            values[name] = np.clip(value, -math.inf if p.lower is None else low, high)
        in_base = {k: np.asarray(self.model.to_base(k, v)) for k, v in values.items() if k in self.model.parameters}
        growth = self.grower.grow(in_base, values[DIAMETER])
        out = np.full((len(patients), len(OUTPUTS)), np.nan)
        out[growth.failed] = np.inf
        here = np.flatnonzero(growth.reached)
        if not len(here):
            return out
        in_base = {k: v[here] for k, v in in_base.items() if k in self.compiled.parameters}
        states = {k: v[here] for k, v in growth.states.items()}
        states = emerge(self.model, states, in_base, [int(i) for i in rows.index[here]], self.seed)
        days = np.array([0.0, *(7.0 * w for w in WEEKS)])
        result = self.compiled.run(
            Job(
                n=len(here),
                times=days,
                outputs=("diameter_T",),
                parameters=in_base,
                initial={k: v for k, v in states.items() if k in self.compiled.states},
                doses=[self._doses[int(i)] for i in patients[here]],
                rtol=1e-5,
                atol=self.model.atol(),
            )
        )
        with np.errstate(all="ignore"):
            change = result.values[:, 1:, 0] / result.values[:, :1, 0]
            out[here, 0] = (change <= 0.7).any(axis=1)
            out[here, 1:] = np.log(change)
        out[here[result.status == FAILED]] = np.inf
        return out


def run_sensitivity(
    trial: str | Trial,
    *,
    method: Literal["morris", "sobol"] = "morris",
    arm: str = "",
    patients: int = 30,
    top: int = 20,
    seed: int = 1,
    engine: str = "auto",
    progress: Progress | None = None,
) -> Sensitivity:
    """Analyse the sensitivity of response in one arm of a trial.

    Parameters
    ----------
    trial
        A trial, or the name or file of one.
    method
        ``morris``: elementary effects of all varying parameters, `patients` trajectories. ``sobol``: first-order and
        total indices of the `top` parameters of a Morris run before; the base points are the next power of two, and
        all other parameters stay at their medians.
    arm
        Name of the arm; empty takes the first.
    patients
        Number of trajectories, each from a different patient.
    top
        Parameters that Sobol's method looks at.
    seed, engine, progress
        As elsewhere.
    """
    import time

    from immunescape.trial.loading import load_trial
    from immunescape.trial.spec import Trial as _Trial

    if method not in ("morris", "sobol"):
        from immunescape.errors import unknown_word

        raise unknown_word("method", method, ("morris", "sobol"))
    if patients < 4:
        raise InputError(
            f"{patients} trajectories are too few for an interval", hint="Take at least 4; 30 or more to report."
        )
    begin = time.perf_counter()
    spec = trial if isinstance(trial, _Trial) else load_trial(trial)
    treated = TreatedPatients(spec, arm, patients, seed, engine)
    rng = np.random.default_rng(seed)
    names = treated.parameters
    points, order = morris_design(len(names), patients, rng)
    who = np.repeat(np.arange(patients), len(names) + 1)
    values = treated.evaluate(who, points.reshape(-1, len(names)), progress)
    rows = _morris_rows(treated, points, order, values, rng)
    if method == "sobol":
        chosen = [r["parameter"] for r in rows[:top]]
        base = 2 ** int(np.ceil(np.log2(patients)))
        values = _sobol_values(treated, chosen, base, patients, seed, progress)
        rows = _sobol_rows(treated, chosen, values, base, rng)
        names = chosen
    return Sensitivity(
        trial=spec.name,
        arm=treated.arm.name,
        method=method,
        parameters=tuple(names),
        rows=rows,
        points=len(values),
        undiagnosed=int(np.isnan(values[:, 0]).sum()),
        failed=int(np.isinf(values[:, 0]).sum()),
        orr=float(np.mean(values[np.isfinite(values[:, 0]), 0])),
        seed=seed,
        seconds=time.perf_counter() - begin,
    )


def _row(treated: TreatedPatients, name: str) -> dict[str, Any]:
    p = treated.model.parameters[name]
    return {
        "parameter": name,
        "mechanism": p.owner,
        "unit": p.unit,
        "value": p.value,
        "grade": p.grade,
        "basis": p.basis,
        "sources": list(p.sources),
    }


def _morris_rows(
    treated: TreatedPatients, points: FloatArray, order: FloatArray, values: FloatArray, rng: np.random.Generator
) -> list[dict[str, Any]]:
    finite = np.where(np.isfinite(values), values, np.nan)
    shape = points.shape[:2]
    indices = [morris_indices(points, order, finite[:, j].reshape(shape), rng) for j in range(len(OUTPUTS))]
    rows = []
    for k, name in enumerate(treated.parameters):
        row = _row(treated, name)
        for output, m in zip(OUTPUTS, indices, strict=True):
            row[output] = {
                "mu_star": _round(m.mu_star[k]),
                "ci": [_round(m.low[k]), _round(m.high[k])],
                "mu": _round(m.mu[k]),
                "sigma": _round(m.sigma[k]),
                "n": int(m.n[k]),
            }
        rows.append(row)
    return sorted(rows, key=lambda r: (-r["orr"]["mu_star"], -r["change_week_18"]["mu_star"]))


def _sobol_values(
    treated: TreatedPatients, chosen: Sequence[str], base: int, patients: int, seed: int, progress: Progress | None
) -> FloatArray:
    design = sobol_design(len(chosen), base, seed)
    k = len(treated.parameters)
    quantiles = np.full((design.shape[0] * base, k), 0.5)
    columns = [treated.parameters.index(name) for name in chosen]
    quantiles[:, columns] = design.reshape(-1, len(chosen))
    who = np.tile(np.arange(base) % patients, design.shape[0])
    return treated.evaluate(who, quantiles, progress)


def _sobol_rows(
    treated: TreatedPatients, chosen: Sequence[str], values: FloatArray, base: int, rng: np.random.Generator
) -> list[dict[str, Any]]:
    finite = np.where(np.isfinite(values), values, np.nan)
    indices = [sobol_indices(finite[:, j].reshape(-1, base), rng) for j in range(len(OUTPUTS))]
    rows = []
    for k, name in enumerate(chosen):
        row = _row(treated, name)
        for output, s in zip(OUTPUTS, indices, strict=True):
            row[output] = {
                "first": _round(s.first[k]),
                "first_ci": [_round(s.first_low[k]), _round(s.first_high[k])],
                "total": _round(s.total[k]),
                "total_ci": [_round(s.total_low[k]), _round(s.total_high[k])],
            }
        rows.append(row)
    return sorted(rows, key=lambda r: (-r["orr"]["total"], -r["change_week_18"]["total"]))


def _round(value: float) -> float:
    return float(f"{value:.4g}")
