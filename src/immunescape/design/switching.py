"""Treatment switching: the apparent survival benefit when control patients receive the drug after progression.

Three analyses of one data set: as randomised (ITT), censored at the switch with inverse-probability-of-censoring
weights (IPCW), and the rank-preserving structural failure time model (RPSFT), whose counterfactual times
U = T_off + exp(psi) T_on are compared with re-censoring.

Sources: [robins1991], [robins2000], [white1999], [latimer2014].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from immunescape.errors import InputError
from immunescape.stats.cox import fast_hazard_ratio
from immunescape.stats.nonproportional import log_rank, ordered
from immunescape.stats.weighted_cox import robust_log_hazard_ratio

__all__ = [
    "AdjustedEffect",
    "Switching",
    "SwitchingData",
    "SwitchingEstimates",
    "SwitchingStudy",
    "analyse_switching",
    "ipcw",
    "rpsft_psi",
    "switching_study",
]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class SwitchingData:
    """One trial.

    Attributes
    ----------
    time, event, treated : (n,) months, deaths, experimental arm. switched : (n,) month of the switch, infinite without.
    progressed : (n,) month of progression, infinite without. censor : (n,) administrative censoring.
    covariate : (n,) 0/1 prognostic factor that also drives switching. untreated : (n,) true time without any drug; NaN
        where it is not known (data of a real trial).
    """

    time: Floats
    event: Flags
    treated: Flags
    switched: Floats
    progressed: Floats
    censor: Floats
    covariate: NDArray[np.int64]
    untreated: Floats


@dataclass(frozen=True)
class Switching:
    """Generator of trials with switching at progression.

    Attributes
    ----------
    patients : in all, 1:1. median : survival in months without the drug (good prognosis). prognosis : factor on times
        of patients with the covariate (half of all). benefit : factor on time while on the drug. switch : probability
        that a progressed control patient switches, without and with the covariate. follow_up : months to the cut.
    """

    patients: int = 400
    median: float = 14.0
    prognosis: float = 0.5
    benefit: float = 1.5
    switch: tuple[float, float] = (0.7, 0.3)
    follow_up: float = 36.0

    def __post_init__(self) -> None:
        if self.patients < 20 or min(self.median, self.prognosis, self.benefit, self.follow_up) <= 0:
            raise InputError("switching needs at least 20 patients and times above 0")
        if min(self.switch) < 0 or max(self.switch) > 1:
            raise InputError("probabilities of a switch must lie between 0 and 1")

    def draw(self, rng: np.random.Generator) -> SwitchingData:
        """One trial."""
        n = self.patients
        treated = np.arange(n) % 2 == 0
        x = rng.integers(0, 2, n)
        scale = self.median / np.log(2) * np.where(x == 1, self.prognosis, 1.0)
        untreated = rng.exponential(scale)
        fraction = rng.uniform(0.2, 0.8, n)
        progressed = np.where(treated, untreated * fraction * self.benefit, untreated * fraction)
        switches = ~treated & (rng.random(n) < np.where(x == 1, self.switch[1], self.switch[0]))
        time = np.where(treated, untreated * self.benefit, untreated)
        time = np.where(switches, progressed + (untreated - progressed) * self.benefit, time)
        censor = rng.uniform(self.follow_up / 2, self.follow_up, n)
        event = time <= censor
        seen = np.minimum(time, censor)
        switched = np.where(switches & (progressed < seen), progressed, np.inf)
        return SwitchingData(
            time=seen,
            event=event,
            treated=treated,
            switched=switched,
            progressed=np.where(progressed < seen, progressed, np.inf),
            censor=censor,
            covariate=x,
            untreated=untreated,
        )


@dataclass(frozen=True)
class AdjustedEffect:
    """A hazard ratio with its one-sided test and 95 % interval; Z is positive where the experimental arm is better."""

    hazard_ratio: float
    low: float
    high: float
    z: float

    @property
    def p(self) -> float:
        """One-sided p."""
        return float(stats.norm.sf(self.z))

    @classmethod
    def of(cls, log_ratio: float, error: float, z: float | None = None) -> AdjustedEffect:
        """From a log hazard ratio and its standard error; `z` replaces their quotient."""
        reach = stats.norm.isf(0.025) * error
        return cls(
            float(np.exp(log_ratio)),
            float(np.exp(log_ratio - reach)),
            float(np.exp(log_ratio + reach)),
            float(-log_ratio / error) if z is None else z,
        )


@dataclass(frozen=True, kw_only=True)
class SwitchingEstimates:
    """Effect of the experimental arm over an untreated control by each method.

    Attributes
    ----------
    itt : as randomised; interval and test by the log-rank test. censored : control patients censored at the switch,
        which is biased where switching depends on prognosis. ipcw : the same with weights; robust variance.
    rpsft : counterfactual times of the control arm. The test is that of the arms as randomised, which a rank-preserving
        model keeps, and the interval is the one that this test implies [white1999].
    psi, psi_low, psi_high : of the RPSFT, log of the factor on untreated time while on the drug is -psi; its interval
        inverts the log-rank test of the counterfactual times.
    true : hazard ratio against the control as it would have been without switching; NaN where that is not known.
    """

    itt: AdjustedEffect
    censored: AdjustedEffect
    ipcw: AdjustedEffect
    rpsft: AdjustedEffect
    psi: float
    psi_low: float
    psi_high: float
    true: float


def analyse_switching(data: SwitchingData) -> SwitchingEstimates:
    """ITT, naive censoring, IPCW and RPSFT of one trial [robins1991], [robins2000], [latimer2014]."""
    itt = _with_log_rank_test(data.time, data.event, data.treated)
    cut = np.minimum(data.time, data.switched)
    stays = data.event & (data.time <= data.switched)
    psi, psi_low, psi_high = rpsft_psi(data)
    counter, event = _counterfactual(data, psi)
    time = np.where(data.treated, data.time, counter)
    adjusted = fast_hazard_ratio(time, np.where(data.treated, data.event, event), data.treated)
    # the test of the arms as randomised stays: error = |log ratio| / |Z|; close to Z = 0 that of the arms themselves
    error = abs(np.log(adjusted) / itt.z) if abs(itt.z) > 0.05 else np.log(itt.high / itt.low) / 3.92
    true = float("nan")
    if np.isfinite(data.untreated).all():
        untreated = np.where(data.treated, data.time, np.minimum(data.untreated, data.censor))
        observed = np.where(data.treated, data.event, data.untreated <= data.censor)
        true = fast_hazard_ratio(untreated, observed, data.treated)
    return SwitchingEstimates(
        itt=itt,
        censored=_with_log_rank_test(cut, stays, data.treated),
        ipcw=ipcw(data),
        rpsft=AdjustedEffect.of(float(np.log(adjusted)), float(max(error, 1e-6)), itt.z),
        psi=psi,
        psi_low=psi_low,
        psi_high=psi_high,
        true=true,
    )


def _with_log_rank_test(time: Floats, event: Flags, treated: Flags) -> AdjustedEffect:
    """Hazard ratio of two arms with the log-rank test and an interval by its information."""
    z, information = log_rank(ordered(time, event, treated))
    log_ratio = float(np.log(fast_hazard_ratio(time, event, treated)))
    return AdjustedEffect.of(log_ratio, float(1.0 / np.sqrt(information[0])), float(z[0]))


@dataclass(frozen=True)
class SwitchingStudy:
    """Results of each method over many trials.

    Attributes
    ----------
    methods : method -> (geometric mean hazard ratio, its Monte Carlo standard error, mean bias of the logarithm and its
        standard error over the same trials). rejected : method -> (share of trials that reject at `alpha`, its standard
        error): power, or the type I error where the drug does nothing. coverage : method -> (share of trials whose 95 %
        interval holds the hazard ratio without switching of all trials together, its standard error).
    """

    methods: dict[str, tuple[float, float, float, float]]
    rejected: dict[str, tuple[float, float]]
    coverage: dict[str, tuple[float, float]]

    @property
    def power(self) -> tuple[float, float]:
        """Of the ITT log-rank test, with its standard error."""
        return self.rejected["itt"]


METHODS = ("itt", "censored", "ipcw", "rpsft")


def switching_study(model: Switching, replicates: int = 200, seed: int = 1, *, alpha: float = 0.025) -> SwitchingStudy:
    """Compare the methods over simulated trials; replicate i depends on (seed, i) alone."""
    if replicates < 2:
        raise InputError("a study needs at least two replicates")
    estimates = []
    for i in range(replicates):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0x5817, i)))
        estimates.append(analyse_switching(model.draw(rng)))
    root = np.sqrt(replicates)
    truth = np.log([f.true for f in estimates])
    ratios = {m: np.array([getattr(f, m).hazard_ratio for f in estimates]) for m in METHODS} | {"true": np.exp(truth)}
    methods = {}
    for name, values in ratios.items():
        logs = np.log(values)
        mean, gap = float(np.exp(logs.mean())), logs - truth
        methods[name] = (mean, mean * float(logs.std(ddof=1)) / root, float(gap.mean()), float(gap.std(ddof=1)) / root)

    def share(flags: Flags) -> tuple[float, float]:
        p = float(flags.mean())
        return p, float(np.sqrt(p * (1 - p) / replicates))

    target, critical = methods["true"][0], stats.norm.isf(alpha)
    effects = {m: [getattr(f, m) for f in estimates] for m in METHODS}
    return SwitchingStudy(
        methods,
        {m: share(np.array([e.z >= critical for e in rows])) for m, rows in effects.items()},
        {m: share(np.array([e.low <= target <= e.high for e in rows])) for m, rows in effects.items()},
    )


def _counterfactual(data: SwitchingData, psi: float) -> tuple[Floats, Flags]:
    """Times without any drug, re-censored so that censoring is independent of the arm and the switch."""
    on = np.where(data.treated, data.time, np.maximum(data.time - data.switched, 0.0))
    off = data.time - on
    u = off + np.exp(psi) * on
    limit = np.minimum(data.censor, data.censor * np.exp(psi))
    return np.minimum(u, limit), data.event & (u <= limit)


def rpsft_psi(data: SwitchingData, low: float = -3.0, high: float = 3.0) -> tuple[float, float, float]:
    """The psi at which the counterfactual times of both arms agree (log-rank Z = 0), and its 95 % interval.

    Source: [robins1991], [white1999].

    The interval holds every psi that the test does not reject; it is infinite to a side on which nothing is rejected
    within the range.
    """

    def gap(psi: float) -> float:
        u, event = _counterfactual(data, psi)
        return float(log_rank(ordered(u, event, data.treated))[0][0])

    grid = np.linspace(low, high, 61)
    values = np.array([gap(p) for p in grid])

    def crossing(level: float) -> float | None:
        change = np.flatnonzero(np.sign(values[:-1] - level) * np.sign(values[1:] - level) < 0)
        if not len(change):
            return None
        k = change[np.argmin(np.abs(grid[change]))]
        # the function is a step function: bisection to the step
        return float(optimize.bisect(lambda p: gap(p) - level, grid[k], grid[k + 1], xtol=1e-4))

    psi = crossing(0.0)
    if psi is None:
        psi = float(grid[np.argmin(np.abs(values))])
    limit = float(stats.norm.isf(0.025))
    # Z rises with psi: it lengthens the counterfactual times of the experimental arm more, which is on the drug longer
    ends = [crossing(-limit), crossing(limit)]
    ends_given = sorted(e for e in ends if e is not None)
    below = min((e for e in ends_given if e <= psi), default=-np.inf)
    above = max((e for e in ends_given if e >= psi), default=np.inf)
    return psi, float(below), float(above)


def ipcw(data: SwitchingData) -> AdjustedEffect:
    """Weighted Cox: control patients are censored at the switch; those who stayed count for the switched.

    Source: [robins2000].

    The probability of a switch at progression is estimated within the levels of the covariate. The variance is the
    robust one, over patients, with the weights taken as known; the test is Wald's.
    """
    control = ~data.treated
    progressed = control & np.isfinite(data.progressed)
    later = np.ones(len(data.time))
    for level in np.unique(data.covariate):
        here = progressed & (data.covariate == level)
        stay = 1.0 - np.isfinite(data.switched[here]).mean() if here.any() else 1.0
        later[here & ~np.isfinite(data.switched)] = 1.0 / stay if stay > 0 else 1.0
    end = np.minimum(data.time, data.switched)
    event = data.event & (data.time <= data.switched)
    if not (event & data.treated).any() or not (event & control).any():
        return AdjustedEffect(float("nan"), float("nan"), float("nan"), 0.0)
    moments = np.sort(end[event])
    # (patients, events): weight of each patient at each event, 0 once no longer at risk; it rises at progression
    weight = np.where(moments[None, :] > data.progressed[:, None], later[:, None], 1.0) * (end[:, None] >= moments)
    order = np.argsort(end[event], kind="stable")
    who = np.flatnonzero(event)[order]
    return AdjustedEffect.of(*robust_log_hazard_ratio(data.treated.astype(float), who, weight))
