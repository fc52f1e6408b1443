"""Dose finding: BOIN for the maximum tolerated dose, BOP2 for one arm with a binary endpoint and many looks.

Sources: BOIN [liu2015]; BOP2 [zhou2017].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from immunescape.errors import InputError

__all__ = ["Boin", "BoinResult", "Bop2", "bop2"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class BoinResult:
    """Operating characteristics of a dose escalation.

    Attributes
    ----------
    selected : (D,) probability of choosing each dose; none : of choosing none. patients, toxicities : (D,) expected.
    error : largest Monte Carlo standard error of the selection probabilities. choices : (R,) chosen dose, -1 for none.
    """

    selected: Floats
    none: float
    patients: Floats
    toxicities: Floats
    error: float
    choices: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Boin:
    """Bayesian optimal interval design [liu2015].

    Attributes
    ----------
    target : rate of dose-limiting toxicity. low, high : rates that are too low and too high, as shares of the target.
    cohort : patients per cohort. cohorts : maximum number. stop_at : stop once a dose has this many patients.
    eliminate : drop a dose and those above it where P(rate > target) exceeds this, from 3 patients on.
    """

    target: float = 0.3
    low: float = 0.6
    high: float = 1.4
    cohort: int = 3
    cohorts: int = 10
    stop_at: int = 10**6
    eliminate: float = 0.95

    def __post_init__(self) -> None:
        if not 0 < self.target < 0.7 or not 0 < self.low < 1 < self.high < 1 / self.target:
            raise InputError("BOIN needs 0 < target, and rates below and above it")
        if self.cohort < 1 or self.cohorts < 1:
            raise InputError("BOIN needs at least one cohort of one patient")

    @property
    def escalate_below(self) -> float:
        """Escalate where the observed rate is at most this."""
        p, q = self.low * self.target, self.target
        return float(np.log((1 - p) / (1 - q)) / np.log(q * (1 - p) / (p * (1 - q))))

    @property
    def de_escalate_above(self) -> float:
        """De-escalate where the observed rate is at least this."""
        p, q = self.high * self.target, self.target
        return float(np.log((1 - q) / (1 - p)) / np.log(p * (1 - q) / (q * (1 - p))))

    def table(self, most: int) -> list[dict[str, int | None]]:
        """Toxicities at which to escalate, de-escalate and eliminate, by patients treated at the dose."""
        rows: list[dict[str, int | None]] = []
        for n in range(1, most + 1):
            x = np.arange(n + 1)
            out = (
                np.flatnonzero(stats.beta.sf(self.target, 1 + x, 1 + n - x) > self.eliminate)
                if n >= 3
                else np.array([])
            )
            rows.append(
                {
                    "patients": n,
                    "escalate_at_most": int(np.floor(self.escalate_below * n + 1e-9)),
                    "de_escalate_at_least": int(np.ceil(self.de_escalate_above * n - 1e-9)),
                    "eliminate_at_least": int(out[0]) if len(out) else None,
                }
            )
        return rows

    def simulate(self, rates: Sequence[float], replicates: int = 2000, seed: int = 1) -> BoinResult:
        """Simulate escalations from the lowest dose for true toxicity `rates` (one per dose)."""
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0xB014,)))
        n, x, choice = self.escalate(rates, replicates, rng)
        share = np.array([(choice == d).mean() for d in range(n.shape[1])])
        error = float(np.sqrt(np.max(share * (1 - share)) / replicates))
        return BoinResult(share, float((choice < 0).mean()), n.mean(axis=0), x.mean(axis=0), error, choice)

    def escalate(
        self, rates: Sequence[float], replicates: int, rng: np.random.Generator
    ) -> tuple[Floats, Floats, NDArray[np.int64]]:
        """(R, D) patients and toxicities by dose, and the (R,) chosen dose (-1: none), of simulated escalations."""
        p = np.asarray(rates, dtype=float)
        if p.ndim != 1 or len(p) < 2 or p.min() < 0 or p.max() > 1:
            raise InputError("toxicity rates of at least two doses are needed, between 0 and 1")
        doses, rows = len(p), np.arange(replicates)
        n, x = np.zeros((replicates, doses)), np.zeros((replicates, doses))
        top = np.full(replicates, doses - 1)  # highest dose that is still allowed
        dose, running = np.zeros(replicates, dtype=np.int64), np.ones(replicates, dtype=bool)
        for _ in range(self.cohorts):
            toxic = rng.binomial(self.cohort, p[dose]) * running
            n[rows, dose] += self.cohort * running
            x[rows, dose] += toxic
            nd, xd = n[rows, dose], x[rows, dose]
            bad = running & (nd >= 3) & (stats.beta.sf(self.target, 1 + xd, 1 + nd - xd) > self.eliminate)
            top = np.where(bad, dose - 1, top)
            running &= top >= 0
            with np.errstate(invalid="ignore"):
                rate = xd / np.maximum(nd, 1)
            step = np.where(rate <= self.escalate_below, 1, np.where(rate >= self.de_escalate_above, -1, 0))
            running &= ~((nd >= self.stop_at) & (step == 0))
            dose = np.clip(np.minimum(dose + step, top), 0, doses - 1)
        return n, x, self._choose(n, x, top)

    def _choose(self, n: Floats, x: Floats, top: NDArray[np.int64]) -> NDArray[np.int64]:
        """Dose whose isotonic estimate is closest to the target, among those tried and allowed; -1 for none."""
        doses = n.shape[1]
        tried = (n > 0) & (np.arange(doses) <= top[:, None])
        estimate = (x + 0.05) / (n + 0.1)
        variance = (x + 0.05) * (n - x + 0.05) / ((n + 0.1) ** 2 * (n + 1.1))
        weight = np.where(tried, 1.0 / variance, 1e-12)
        value = isotonic(np.where(tried, estimate, 1.0), weight)
        gap = np.abs(value + np.arange(doses) * 1e-10 - self.target)
        # among ties the higher dose where the estimate is below the target, the lower one where it is above
        gap = gap + np.where(value < self.target, -1e-12, 1e-12) * np.arange(doses)
        gap = np.where(tried, gap, np.inf)
        return np.where(tried.any(axis=1) & (top >= 0), gap.argmin(axis=1), -1)


def isotonic(values: Floats, weights: Floats) -> Floats:
    """(R, D) weighted isotonic regression of each row: max over starts of the min over ends of the means."""
    doses = values.shape[1]
    total = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values * weights, axis=1)], axis=1)
    weight = np.concatenate([np.zeros((len(values), 1)), np.cumsum(weights, axis=1)], axis=1)
    out = np.full(values.shape, -np.inf)
    for j in range(doses):
        for i in range(j + 1):
            means = np.stack(
                [(total[:, k + 1] - total[:, i]) / (weight[:, k + 1] - weight[:, i]) for k in range(j, doses)], axis=1
            )
            out[:, j] = np.maximum(out[:, j], means.min(axis=1))
    return out


@dataclass(frozen=True)
class Bop2:
    """Bayesian optimal phase 2 design: go on at n patients where P(rate > p0) is at least lam (n / N)^gamma.

    Source: [zhou2017].

    Attributes
    ----------
    p0 : uninteresting rate. looks : patients at each look, the last one N. lam, gamma : of the boundary.
    """

    p0: float
    looks: tuple[int, ...]
    lam: float
    gamma: float

    @cached_property
    def stop_at_most(self) -> tuple[int, ...]:
        """Responses at or below which the trial stops (at the end: is not promising); -1 where it never does."""
        out = []
        for n in self.looks:
            x = np.arange(n + 1)
            above = stats.beta.sf(self.p0, self.p0 + x, 1 - self.p0 + n - x)
            fails = np.flatnonzero(above < self.lam * (n / self.looks[-1]) ** self.gamma)
            out.append(int(fails[-1]) if len(fails) else -1)
        return tuple(out)

    def exact(self, p: float) -> tuple[float, Floats, float]:
        """Exact probability of a promising result, (K,) of stopping at each look, and expected patients, for a rate."""
        state = np.ones(1)
        seen, stops = 0, np.zeros(len(self.looks))
        for k, (n, r) in enumerate(zip(self.looks, self.stop_at_most, strict=True)):
            state = np.convolve(state, stats.binom.pmf(np.arange(n - seen + 1), n - seen, p))
            stops[k] = state[: r + 1].sum()
            state[: r + 1] = 0.0
            seen = n
        promising = float(state.sum())
        at = stops.copy()
        at[-1] += promising
        return promising, stops, float(at @ np.array(self.looks))

    def simulate(self, p: ArrayLike, replicates: int = 2000, seed: int = 1) -> Floats:
        """Simulated probability of a promising result for each true rate."""
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0xB0B2,)))
        out = []
        steps = np.diff((0, *self.looks))
        for rate in np.atleast_1d(p):
            x, going = np.zeros(replicates), np.ones(replicates, dtype=bool)
            for step, r in zip(steps, self.stop_at_most, strict=True):
                x += rng.binomial(step, rate, replicates)
                going &= x > r
            out.append(going.mean())
        return np.array(out)


def bop2(p0: float, p1: float, looks: Sequence[int], *, alpha: float = 0.1) -> Bop2:
    """Boundary with the largest power at `p1` among those whose exact type I error at `p0` is at most alpha.

    Source: [zhou2017].

    Raises
    ------
    InputError
        If no boundary of the family controls alpha, or the looks do not increase.
    """
    if not 0 < p0 < p1 < 1:
        raise InputError(f"rates must satisfy 0 < p0 < p1 < 1, not {p0} and {p1}")
    if not looks or np.any(np.diff(looks) <= 0) or looks[0] < 1:
        raise InputError(f"looks do not increase in information: {list(looks)}")
    best: tuple[float, float, Bop2] | None = None
    seen: dict[tuple[int, ...], tuple[float, float, float]] = {}
    for lam in np.arange(0.5, 0.996, 0.01):
        for gamma in np.arange(0.0, 1.001, 0.05):
            design = Bop2(p0, tuple(int(n) for n in looks), float(lam), float(gamma))
            key = design.stop_at_most
            if key not in seen:
                error, _, size = design.exact(p0)
                seen[key] = (error, size, design.exact(p1)[0] if error <= alpha else 0.0)
            error, size, power = seen[key]
            if error <= alpha and (best is None or (power, -size) > (best[0], best[1])):
                best = (power, -size, design)
    if best is None:
        raise InputError(
            f"no boundary of this family controls the type I error at {alpha:g}", hint="Allow more patients."
        )
    return best[2]
