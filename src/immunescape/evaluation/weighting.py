"""Virtual patients as a weighted sample of another population, and the figures of a trial from weighted patients.

A patient drawn from one population stands for one of another in proportion to the ratio of the densities of the
parameters' scores (see :mod:`immunescape.population.fit`). Where several populations were simulated, the density that
a patient was drawn from is their mixture (``owen2000``), which keeps weights bounded. Scores of drugs that an arm does
not give are left out: they change nothing there, and would only add noise to the weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from immunescape.population.fit import PopulationFit
from immunescape.population.linking import linked_score, unexplained_share
from immunescape.population.scores import standard_score

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.model.parameters import Parameter
    from immunescape.trial.result import TrialResult
    from immunescape.trial.spec import Arm

__all__ = [
    "HIGH_PDL1",
    "HIGH_TMB",
    "LOW_PDL1",
    "SLD_MM",
    "Sample",
    "effective_size",
    "weighted_median",
    "weighted_survival",
]

FloatArray = NDArray[np.float64]
_TAIL = 2.0**-40
STEEPEST = 5.0
"""Largest tilt, per standard deviation between populations: beyond it hardly a population is left."""
RIDGE = 1e-3
"""Bounds how far weights are tilted for a coefficient without a density."""
SLD_MM = 65.0
"""Sum of diameters at baseline that parts small from large: the median of OAK."""
HIGH_TMB = 10.0
"""Mutations per Mb that part low from high in the cohorts."""
HIGH_BTMB = 0.25
"""Share of OAK's patients with a blood TMB of at least 16; virtual patients are parted by the rank of their TMB."""
LOW_PDL1, HIGH_PDL1 = 0.45, 0.16
"""Shares of OAK's patients with PD-L1 in TC0 and IC0, and in TC3 or IC3; virtual patients are parted by rank of TPS."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Patients of one arm, from one or more simulated populations.

    Attributes
    ----------
    trial, arm : names.
    names : (p,) parameters and frailties whose scores may be weighted.
    z, linked : (n, p) scores of the patients, and what covariate links add to them before any fit.
    left : (p,) variance that the links leave.
    covariates : (n,) standardised scores of covariates, by their text.
    response : (n,) 1 for complete or partial response at the cut of the trial.
    times : endpoint -> (months, event), each (n,): ``pfs``, ``os`` at the trial's cuts, ``os_last`` to the end.
    groups : name -> (n,) truth values, such as strata of PD-L1.
    proposals : fits of the populations, with how many of the patients came from each.
    values : numbers (n,), NaN where not known: ``b:`` quantities at diagnosis and ``progression:`` shares of clones;
        rates of the largest lesion (:mod:`immunescape.evaluation.kinetics`) where they were asked for.
    lesions : (n, lesions, p) scores of the further lesions, NaN where a patient has no such lesion or it shares the
        patient's own value.
    kinds : (p,) coefficient that correlates the lesions of a patient in each score; empty where they do not differ.
    """

    trial: str
    arm: str
    names: tuple[str, ...]
    z: FloatArray
    linked: FloatArray
    left: FloatArray
    covariates: Mapping[str, FloatArray]
    response: FloatArray
    times: Mapping[str, tuple[FloatArray, FloatArray]]
    groups: Mapping[str, NDArray[np.bool_]]
    proposals: tuple[tuple[PopulationFit, int], ...]
    values: Mapping[str, FloatArray] = field(default_factory=dict)
    drawn: FloatArray = field(default_factory=lambda: np.empty(0))
    """(n,) ln density of the mixture that the patients were drawn from."""
    lesions: FloatArray = field(default_factory=lambda: np.empty((0, 0, 0)))
    kinds: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.response)

    @classmethod
    def of(
        cls,
        result: TrialResult,
        arm: Arm,
        names: Sequence[str],
        scores: Sequence[str],
        fit: PopulationFit,
        *,
        kinetics: bool = False,
    ) -> Sample:
        """Patients of one arm of a simulated trial.

        Parameters
        ----------
        result, arm
            The trial and one of its arms.
        names
            Parameters and frailties that a fit may move; those that the arm does not have are left out.
        scores
            Covariate scores that a fit may use.
        fit
            The fit that the trial was simulated with.
        kinetics
            Whether to fit growth and shrinkage of each patient's largest lesion.
        """
        from immunescape.trial.analysis import best_at_cut, endpoints_at_cut

        rows = result.patients[result.patients["arm"] == arm.name].reset_index(drop=True)
        best = best_at_cut(result.trial, rows, result.visits[result.visits["arm"] == arm.name])
        kept = [n for n in names if _relevant(n, rows, arm, result)]
        about = (rows, result.trial.drugs, result.trial.specificity)
        z = np.column_stack([_score(n, *about) for n in kept]) if kept else np.empty((len(rows), 0))
        region = rows["region"].iloc[0]
        times = {
            name: (rows[f"{name}_months"].to_numpy(dtype=float), rows[f"{name}_event"].to_numpy(dtype=float))
            for name in ("pfs", "os")
        }
        last = endpoints_at_cut(rows, result.visits[result.visits["arm"] == arm.name], result.trial, "os", math.inf)
        times["os_last"] = (np.array(last["os_months"]), np.array(last["os_event"], dtype=float))
        tps = rows["pdl1_tps"].to_numpy(dtype=float)
        size = rows["sld_mm_baseline"].to_numpy(dtype=float)
        groups = {"TPS<1": tps < 1, "TPS 1-49": (tps >= 1) & (tps < 50), "TPS>=50": tps >= 50}
        groups |= {
            "PD-L1 low": tps <= np.quantile(tps, LOW_PDL1),
            "PD-L1 high": tps > np.quantile(tps, 1.0 - HIGH_PDL1),
        }
        groups["PD-L1 middle"] = ~(groups["PD-L1 low"] | groups["PD-L1 high"])
        tmb = rows["tmb_mut_mb"].to_numpy(dtype=float)
        shed = rows["b:ctDNA_conc"].to_numpy(dtype=float)
        for name, members in (("TPS<50", tps < 50), ("TPS>=50", tps >= 50)):
            groups |= {f"{name}, TMB<{HIGH_TMB:g}": members & (tmb < HIGH_TMB)}
            groups |= {f"{name}, TMB>={HIGH_TMB:g}": members & (tmb >= HIGH_TMB)}
        groups["high bTMB"] = tmb > np.quantile(tmb, 1.0 - HIGH_BTMB)
        groups["low bTMB"] = ~groups["high bTMB"]
        groups["high ctDNA"] = shed > np.median(shed)
        groups["low ctDNA"] = ~groups["high ctDNA"]
        squamous = rows["histology"].to_numpy() == "squamous"
        groups |= {"squamous": squamous, "nonsquamous": ~squamous}
        groups |= {f"best {category}": np.array(best) == category for category in ("SD", "PD")}
        groups["responders"] = np.isin(best, ("CR", "PR"))
        groups |= _carriers(rows)
        groups |= {f"SLD<{SLD_MM:g} mm": size < SLD_MM, f"SLD>={SLD_MM:g} mm": size >= SLD_MM}
        made = cls(
            trial=result.trial.name,
            arm=arm.name,
            names=tuple(kept),
            z=z,
            linked=np.column_stack([linked_score(n, rows) for n in kept]) if kept else np.empty((len(rows), 0)),
            left=np.array([unexplained_share(n, region) for n in kept]),
            covariates={s: standard_score(s, rows) for s in scores},
            response=np.isin(best, ("CR", "PR")).astype(float),
            times=times,
            groups=groups,
            proposals=((fit, len(rows)),),
            values=(_rates(result, arm, rows) if kinetics else {}) | _numbers(rows),
        )
        stream = 0 if result.paired else next(k for k, a in enumerate(result.trial.arms) if a.name == arm.name)
        return _with_lesions(made, rows, fit, result.seed, stream)

    @classmethod
    def of_scores(
        cls,
        rows: pd.DataFrame,
        names: Sequence[str],
        scores: Sequence[str],
        fit: PopulationFit,
        *,
        drugs: tuple[str, ...],
        specificity: str,
        seed: int,
        stream: int = 0,
    ) -> Sample:
        """Patients with their scores alone, without outcomes: for the ratio of densities between two fits.

        Parameters
        ----------
        rows
            A row for each patient: covariates, ``id``, ``p:<parameter>`` in the tables' units, frailties, and
            ``lesion_draws`` where lesions were simulated one by one.
        names, scores, fit
            As of `of`; names that the rows lack are left out.
        drugs, specificity
            Of the model that the parameters belong to.
        seed, stream
            Of the patients' random numbers.
        """
        kept = [n for n in names if (n if n.startswith("frailty_") else f"p:{n}") in rows]
        z = np.column_stack([_score(n, rows, drugs, specificity) for n in kept]) if kept else np.empty((len(rows), 0))
        linked = np.column_stack([linked_score(n, rows) for n in kept]) if kept else np.empty((len(rows), 0))
        left = np.array([unexplained_share(n, rows["region"].iloc[0]) for n in kept])
        covariates = {s: standard_score(s, rows) for s in scores}
        none = np.zeros(len(rows))
        made = cls(
            trial="",
            arm="",
            names=tuple(kept),
            z=z,
            linked=linked,
            left=left,
            covariates=covariates,
            response=none,
            times={},
            groups={},
            proposals=((fit, len(rows)),),
        )
        return _with_lesions(made, rows, fit, seed, stream)

    def residuals(self, fit: PopulationFit) -> tuple[FloatArray, FloatArray]:
        """Means (n, p) and standard deviations (p,) of the scores, given covariates, in a fit's population."""
        scale = np.array([fit.of(n).get("scale", 1.0) for n in self.names])
        mean = scale * self.linked + np.array([fit.of(n).get("shift", 0.0) for n in self.names])
        for k, name in enumerate(self.names):
            for term, value in fit.of(name).items():
                if term not in ("shift", "scale"):
                    mean[:, k] += value * self.covariates[term]
        return mean, scale * np.sqrt(self.left)

    def log_density(self, fit: PopulationFit) -> FloatArray:
        """Ln of the density (n,) of the scores of patients and of their lesions in the population of a fit.

        Lesions of a patient are equally correlated normals about the mean that covariates give, the patient's own value
        being that of the first (:mod:`immunescape.trial.lanes`). That lesions which never grow are drawn again, and
        that patients are, is the same rule in every population; how often it acts changes the lesions' density by a
        factor that is neglected.
        """
        if not self.names:
            return np.zeros(len(self))
        mean, sd = self.residuals(fit)
        standard = (self.z - mean) / sd
        total = -0.5 * (standard**2 + np.log(2.0 * math.pi * sd**2)).sum(axis=1)
        if self.lesions.size:
            correlation = lesion_correlations(fit)
            for k, kind in enumerate(self.kinds):
                if kind:
                    further = (self.lesions[:, :, k] - mean[:, k, None]) / sd[k]
                    total += _given_the_first(standard[:, k], further, correlation[kind])
                    total -= np.isfinite(further).sum(axis=1) * math.log(sd[k])
        return np.asarray(total)

    def weights(self, fit: PopulationFit) -> FloatArray:
        """Weights (n,), adding up to 1, under which the patients stand for the population of a fit.

        Coefficients that have no density, such as the error of a scan, are reached as far as the populations differ in
        them: patients are weighted by the least uneven factor that gives the mean that the fit asks for (exponential
        tilting). That is exact for figures that are linear in the coefficient over the spread of the populations.
        """
        ln = self.log_density(fit) - self.drawn
        w = np.exp(ln - ln.max())
        w = w / w.sum()
        names, values = self._coefficients()
        if not names:
            result: FloatArray = w
            return result
        middle, spread = values.mean(axis=0), values.std(axis=0)
        asked = np.array([coefficient_coordinate(fit, n) for n in names])
        return tilted(w, (values - middle) / spread, (asked - middle) / spread)

    def _coefficients(self) -> tuple[tuple[str, ...], FloatArray]:
        """Coefficients without a density in which the populations differ, and their coordinates (n, k)."""
        names = sorted({t.parameter for fit, _ in self.proposals for t in fit.terms if "." in t.parameter})
        reached = {f"lesions.{kind}" for kind in LESION_KINDS.values()}
        names = [n for n in names if n not in reached]
        rows = np.array([[coefficient_coordinate(fit, n) for n in names] for fit, _ in self.proposals])
        kept = [k for k in range(len(names)) if np.ptp(rows[:, k]) > 1e-9]
        if not kept:
            return (), np.empty((len(self), 0))
        values = np.repeat(rows[:, kept], [count for _, count in self.proposals], axis=0)
        return tuple(names[k] for k in kept), values


def coefficient_coordinate(fit: PopulationFit, name: str) -> float:
    """How far a fit moves a coefficient: ln of its factor, plus what it adds to the log odds; 0 where it does not."""
    terms = fit.of(name)
    return math.log(terms.get("factor", 1.0)) + terms.get("log_odds", 0.0)


def tilted(weights: FloatArray, values: FloatArray, asked: FloatArray) -> FloatArray:
    """Weights in proportion to ``weights * exp(values @ tilt)`` with the mean `asked`; as near as it can be outside.

    Parameters
    ----------
    weights : (n,) adding up to 1. values : (n, k) in their own standard deviations. asked : (k,) means.
    """
    tilt = np.zeros(len(asked))
    w = weights
    low, high = values.min(axis=0), values.max(axis=0)
    asked = np.clip(asked, low + 0.2 * (high - low), high - 0.2 * (high - low))  # a mixture has no mean outside
    for _ in range(25):
        error = asked - w @ values - RIDGE * tilt  # the ridge bounds the tilt where no mixture has the mean
        if float(np.abs(error).max()) < 1e-6:
            break
        centred = values - w @ values
        step = np.linalg.solve(centred.T @ (w[:, None] * centred) + RIDGE * np.eye(len(asked)), error)
        tilt = np.clip(tilt + np.clip(step, -1.0, 1.0), -STEEPEST, STEEPEST)
        exponent = values @ tilt
        w = weights * np.exp(exponent - exponent.max())
        w = w / w.sum()
    return w


def pool(samples: Sequence[Sample]) -> Sample:
    """Put samples of one arm from several populations together."""
    first = samples[0]
    proposals = tuple(p for s in samples for p in s.proposals)
    joined = Sample(
        trial=first.trial,
        arm=first.arm,
        names=first.names,
        z=np.concatenate([s.z for s in samples]),
        linked=np.concatenate([s.linked for s in samples]),
        left=first.left,
        covariates={k: np.concatenate([s.covariates[k] for s in samples]) for k in first.covariates},
        response=np.concatenate([s.response for s in samples]),
        times={
            k: (np.concatenate([s.times[k][0] for s in samples]), np.concatenate([s.times[k][1] for s in samples]))
            for k in first.times
        },
        groups={k: np.concatenate([s.groups[k] for s in samples]) for k in first.groups},
        proposals=proposals,
        values={k: np.concatenate([s.values[k] for s in samples]) for k in first.values},
        lesions=_stacked([s.lesions for s in samples], [len(s) for s in samples], len(first.names)),
        kinds=first.kinds,
    )
    n = len(joined)
    parts = np.stack([joined.log_density(fit) + math.log(count / n) for fit, count in proposals])
    object.__setattr__(joined, "drawn", np.logaddexp.reduce(parts, axis=0))
    return joined


def _with_lesions(made: Sample, rows: pd.DataFrame, fit: PopulationFit, seed: int, stream: int) -> Sample:
    """The sample with the scores of further lesions, and the density that its patients were drawn from."""
    lesions, kinds = lesion_scores(rows, made, fit, seed, stream)
    object.__setattr__(made, "lesions", lesions)
    object.__setattr__(made, "kinds", kinds)
    return pool([made])


def _stacked(lesions: Sequence[FloatArray], sizes: Sequence[int], width: int) -> FloatArray:
    """Lesions of several samples one below the other, filled with NaN up to the most that a patient has."""
    most = max(measures.shape[1] for measures in lesions)
    out = np.full((sum(sizes), most, width), np.nan)
    first = 0
    for measures, n in zip(lesions, sizes, strict=True):
        out[first : first + n, : measures.shape[1]] = measures[:n] if measures.size else np.nan
        first += n
    return out


def _given_the_first(first: FloatArray, further: FloatArray, rho: float) -> FloatArray:
    """Ln density (n,) of standard scores (n, m; NaN: none) given the first (n,); all correlate by `rho`."""
    present = np.isfinite(further)
    m = present.sum(axis=1)
    values = np.where(present, further, 0.0)
    count = m + 1.0
    total, squares = first + values.sum(axis=1), first**2 + (values**2).sum(axis=1)
    quadratic = (squares - rho * total**2 / (1.0 + m * rho)) / (1.0 - rho)
    determinant = m * math.log1p(-rho) + np.log1p(m * rho)
    both = -0.5 * (quadratic + determinant + count * math.log(2.0 * math.pi))
    return np.asarray(both + 0.5 * (first**2 + math.log(2.0 * math.pi)))


def lesion_correlations(fit: PopulationFit) -> dict[str, float]:
    """Coefficient -> correlation of the lesions of a patient, in the population of a fit."""
    from immunescape.trial.lesions import LesionModel

    lesions = LesionModel.load(fit)
    return {name: getattr(lesions, name) for name in LESION_KINDS.values()}


LESION_KINDS = {
    "growth": "correlation_growth",
    "immunity": "correlation_immunity",
    "drugs": "correlation_drugs",
    "clones": "correlation_clones",
}
"""What the lesions of a patient differ in -> coefficient of ``lesions.csv`` that correlates them."""


def lesion_kind(name: str) -> str:
    """Coefficient that correlates the lesions of a patient in a parameter; empty for one that they share."""
    from immunescape.trial.lanes import GROWTH, IMMUNITY, SENSITIVITY

    if name in GROWTH:
        return LESION_KINDS["growth"]
    if name in IMMUNITY:
        return LESION_KINDS["immunity"]
    if name.startswith(SENSITIVITY):
        return LESION_KINDS["drugs"]
    return LESION_KINDS["clones"] if name in _clone_fractions() else ""


@lru_cache(maxsize=1)
def _clone_fractions() -> frozenset[str]:
    from immunescape.model.assembly import Model

    return frozenset(c.fraction for c in Model.build(check_units=False).clones if c.fraction)


def lesion_scores(
    rows: pd.DataFrame, sample: Sample, fit: PopulationFit, seed: int, stream: int
) -> tuple[FloatArray, tuple[str, ...]]:
    """Scores (n, lesions, p) of the further lesions of each patient, and the coefficients that correlate them (p,).

    A lesion's draws are repeated from the seed, the patient's number and the draw that gave it (column
    ``lesion_draws``); arms that share patients share their stream.
    """
    from immunescape.population.sampling import patient_generator
    from immunescape.trial.lanes import lesion_score

    if "lesion_draws" not in rows or not sample.names:
        return np.empty((0, 0, 0)), ()
    kinds = tuple(lesion_kind(n) for n in sample.names)
    draws = [[int(d) for d in str(text).split(";") if d] for text in rows["lesion_draws"].fillna("")]
    most = max((len(d) for d in draws), default=0)
    out = np.full((len(rows), most, len(sample.names)), np.nan)
    correlation = lesion_correlations(fit)
    mean, sd = sample.residuals(fit)
    standard = (sample.z - mean) / sd
    for i, (number, mine) in enumerate(zip(rows["id"], draws, strict=True)):

        def normal(purpose: str, number: int = int(number)) -> float:
            return float(patient_generator(seed, stream, number, purpose).standard_normal())

        for k, (name, kind) in enumerate(zip(sample.names, kinds, strict=True)):
            if not kind:
                continue
            for j, attempt in enumerate(mine, start=1):
                if attempt >= 0:
                    e = lesion_score(standard[i, k], normal, name, j, attempt, correlation[kind])
                    out[i, j - 1, k] = mean[i, k] + sd[k] * e
    return out, kinds


def _carriers(rows: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
    """Who carries each factor of response, and who does not; factors that the model does not have are left out."""
    from immunescape.evaluation.harness.figures import FACTORS

    out: dict[str, NDArray[np.bool_]] = {}
    for name, factor in FACTORS.items():
        try:
            level = factor(rows).to_numpy(dtype=float)
        except KeyError:
            continue
        out |= {f"with {name}": level == 1.0, f"without {name}": level == 0.0}
    return out


def _numbers(rows: pd.DataFrame) -> dict[str, FloatArray]:
    """Ratios of immune cells at diagnosis, and shares of clones at progression."""
    names = [c for c in rows if str(c) in IMMUNE_RATIOS or str(c).startswith("progression:")]
    return {str(c): rows[c].to_numpy(dtype=float) for c in names}


IMMUNE_RATIOS = ("b:M1_M2_ratio", "b:Treg_CD8_ratio", "b:CD8_CD4_ratio")
"""Columns of the patients that are compared with tumours at diagnosis."""


def _rates(result: TrialResult, arm: Arm, rows: pd.DataFrame) -> dict[str, FloatArray]:
    from immunescape.evaluation.kinetics import all_rates, simulated_lesions

    return all_rates(simulated_lesions(rows, result.visits[result.visits["arm"] == arm.name]))


def _relevant(name: str, rows: pd.DataFrame, arm: Arm, result: TrialResult) -> bool:
    """Whether a score can matter in an arm: a parameter of the model, not one of a drug that is not given there."""
    if name.startswith("frailty_"):
        return name in rows
    if f"p:{name}" not in rows:
        return False
    owner = next((d for d in result.trial.drugs if name.endswith(f"_{d}")), None)
    return owner is None or owner in result.trial.earlier_drugs or owner in arm.drugs


def _score(name: str, rows: pd.DataFrame, drugs: tuple[str, ...], specificity: str) -> FloatArray:
    """Normal score (n,) of a parameter's values in its own distribution, or of a frailty."""
    from scipy.special import ndtri

    from immunescape.population.distributions import Distribution
    from immunescape.trial.simulate import FRAILTIES, frailty_spread

    if name in FRAILTIES:
        spread_of_frailty = frailty_spread(name)
        values: FloatArray = (np.log(rows[name].to_numpy(dtype=float)) + 0.5 * spread_of_frailty**2) / spread_of_frailty
        return values
    u = Distribution.from_row(_parameters(drugs, specificity)[name]).cdf(rows[f"p:{name}"].to_numpy(dtype=float))
    values = ndtri(np.clip(u, _TAIL, 1.0 - _TAIL))
    return values


@lru_cache(maxsize=32)
def _parameters(drugs: tuple[str, ...], specificity: str) -> Mapping[str, Parameter]:
    from immunescape.model.assembly import Model

    return dict(Model.build(drugs=drugs, check_units=False, specificity=specificity).parameters)


def effective_size(weights: FloatArray) -> float:
    """Kish's effective sample size of weights (``kish1965``)."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def weighted_survival(time: FloatArray, event: FloatArray, weights: FloatArray, at: FloatArray) -> FloatArray:
    """Weighted Kaplan-Meier estimate at months `at`; where all weights are equal, the estimate itself."""
    order = np.lexsort((-event, time))
    t, e, w = time[order], event[order], weights[order]
    risk = np.cumsum(w[::-1])[::-1]
    steps = np.log1p(-np.minimum(e * w / np.maximum(risk, 1e-300), 1.0 - 1e-12))
    curve = np.concatenate([[0.0], np.cumsum(steps)])
    values: FloatArray = np.exp(curve[np.searchsorted(t, np.asarray(at, dtype=float), side="right")])
    return values


def weighted_median(time: FloatArray, event: FloatArray, weights: FloatArray) -> float:
    """Median of the weighted Kaplan-Meier estimate; infinite where it is not reached."""
    order = np.lexsort((-event, time))
    t = time[order]
    s = weighted_survival(time, event, weights, t)
    below = np.flatnonzero(s <= 0.5 + 1e-12)
    return float(t[below[0]]) if len(below) else math.inf
