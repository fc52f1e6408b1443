"""Treatment switching: what a benefit on survival looks like when control patients receive the drug after progression.

Three analyses of one data set: as randomised (ITT), censored at the switch with inverse-probability-of-censoring
weights (IPCW), and the rank-preserving structural failure time model (RPSFT), whose counterfactual times
U = T_off + exp(psi) T_on are compared with re-censoring.

Sources: Robins & Tsiatis 1991; Robins & Finkelstein 2000; Latimer & Abrams 2014.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from immunescape.errors import InputError
from immunescape.trial.design.tests_nph import hazard_ratio, log_rank, ordered

__all__ = ["Switching", "SwitchingData", "SwitchingEstimates", "SwitchingStudy", "analyse_switching", "switching_study"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class SwitchingData:
    """One trial.

    Attributes
    ----------
    time, event, treated : (n,) months, deaths, experimental arm. switched : (n,) month of the switch, infinite without.
    progressed : (n,) month of progression, infinite without. censor : (n,) administrative censoring.
    covariate : (n,) 0/1 prognostic factor that also drives switching. untreated : (n,) true time without any drug.
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
            raise InputError("probabilities of a switch lie between 0 and 1")

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
            seen, event, treated, switched, np.where(progressed < seen, progressed, np.inf), censor, x, untreated
        )


@dataclass(frozen=True)
class SwitchingEstimates:
    """Hazard ratios of the experimental arm over an untreated control by each method; psi of the RPSFT; Z of ITT.

    `true` is the hazard ratio against the control as it would have been without switching (known in a simulation).
    """

    itt: float
    censored: float
    ipcw: float
    rpsft: float
    psi: float
    z: float
    true: float


def analyse_switching(data: SwitchingData) -> SwitchingEstimates:
    """ITT, naive censoring, IPCW and RPSFT of one trial."""
    whole = ordered(data.time, data.event, data.treated)
    z, _ = log_rank(whole)
    untreated = np.where(data.treated, data.time, np.minimum(data.untreated, data.censor))
    known = np.where(data.treated, data.event, data.untreated <= data.censor)
    cut = np.minimum(data.time, data.switched)
    stays = data.event & (data.time <= data.switched)
    psi = rpsft_psi(data)
    counter, event = _counterfactual(data, psi)
    time = np.where(data.treated, data.time, counter)
    return SwitchingEstimates(
        float(hazard_ratio(whole)[0]),
        float(hazard_ratio(ordered(cut, stays, data.treated))[0]),
        _ipcw(data),
        float(hazard_ratio(ordered(time, np.where(data.treated, data.event, event), data.treated))[0]),
        psi,
        float(z[0]),
        float(hazard_ratio(ordered(untreated, known, data.treated))[0]),
    )


@dataclass(frozen=True)
class SwitchingStudy:
    """What each method gives over many trials.

    Attributes
    ----------
    methods : method -> (geometric mean hazard ratio, its Monte Carlo standard error, mean bias of the logarithm and its
        standard error over the same trials). power : of the ITT log-rank test, with its standard error.
    """

    methods: dict[str, tuple[float, float, float, float]]
    power: tuple[float, float]


def switching_study(model: Switching, replicates: int = 200, seed: int = 1, *, alpha: float = 0.025) -> SwitchingStudy:
    """Compare the methods over simulated trials; replicate i depends on (seed, i) alone."""
    if replicates < 2:
        raise InputError("a study needs at least two replicates")
    found = []
    for i in range(replicates):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0x5817, i)))
        found.append(analyse_switching(model.draw(rng)))
    root = np.sqrt(replicates)
    truth = np.log([f.true for f in found])
    methods = {}
    for name in ("itt", "censored", "ipcw", "rpsft", "true"):
        logs = np.log([getattr(f, name) for f in found])
        mean, gap = float(np.exp(logs.mean())), logs - truth
        methods[name] = (mean, mean * float(logs.std(ddof=1)) / root, float(gap.mean()), float(gap.std(ddof=1)) / root)
    won = np.array([f.z for f in found]) >= stats.norm.isf(alpha)
    p = float(won.mean())
    return SwitchingStudy(methods, (p, float(np.sqrt(p * (1 - p) / replicates))))


def _counterfactual(data: SwitchingData, psi: float) -> tuple[Floats, Flags]:
    """Times without any drug, re-censored so that the censoring tells nothing of the arm or the switch."""
    on = np.where(data.treated, data.time, np.maximum(data.time - data.switched, 0.0))
    off = data.time - on
    u = off + np.exp(psi) * on
    limit = np.minimum(data.censor, data.censor * np.exp(psi))
    return np.minimum(u, limit), data.event & (u <= limit)


def rpsft_psi(data: SwitchingData, low: float = -3.0, high: float = 3.0) -> float:
    """The psi at which the counterfactual times of both arms agree (log-rank Z = 0)."""

    def gap(psi: float) -> float:
        u, event = _counterfactual(data, psi)
        return float(log_rank(ordered(u, event, data.treated))[0][0])

    grid = np.linspace(low, high, 61)
    values = np.array([gap(p) for p in grid])
    change = np.flatnonzero(np.sign(values[:-1]) * np.sign(values[1:]) < 0)
    if not len(change):
        return float(grid[np.argmin(np.abs(values))])
    k = change[np.argmin(np.abs(grid[change]))]
    # the function is a step function: bisection to the step
    return float(optimize.bisect(gap, grid[k], grid[k + 1], xtol=1e-4))


def _ipcw(data: SwitchingData) -> float:
    """Weighted Cox: control patients are censored at the switch; those who stayed count for the switched.

    The probability of a switch at progression is estimated within the levels of the covariate.
    """
    control = ~data.treated
    progressed = control & np.isfinite(data.progressed)
    weight = np.ones(len(data.time))
    for level in np.unique(data.covariate):
        here = progressed & (data.covariate == level)
        stay = 1.0 - np.isfinite(data.switched[here]).mean() if here.any() else 1.0
        weight[here & ~np.isfinite(data.switched)] = 1.0 / stay if stay > 0 else 1.0
    end = np.minimum(data.time, data.switched)
    event = data.event & (data.time <= data.switched)
    order = np.argsort(end[event])
    moments, arm = end[event][order], data.treated[event][order]
    late = np.isfinite(data.progressed) & control & (data.progressed < end)
    first = np.where(late, data.progressed, end)
    w = np.where(late, weight, 1.0)[event][order]
    own = np.sort(end[data.treated])
    risk_treated = len(own) - np.searchsorted(own, moments, side="left")
    early = np.sort(first[control])
    risk_control = (len(early) - np.searchsorted(early, moments, side="left")).astype(float)
    for i in np.flatnonzero(late):
        risk_control += weight[i] * ((moments > first[i]) & (moments <= end[i]))

    def slope(beta: float) -> float:
        share = risk_treated * np.exp(beta) / (risk_treated * np.exp(beta) + risk_control)
        return float(np.sum(w * (arm - share)))

    if not arm.any() or arm.all():
        return float("nan")
    return float(np.exp(optimize.brentq(slope, -6.0, 6.0)))
