"""Simulates a design: blocks of replicates per scenario, then the operating characteristics with Monte Carlo errors."""

from __future__ import annotations

import hashlib
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunescape.design.cohort import Streams
from immunescape.design.complaints import planned
from immunescape.design.execution import Arrays, fingerprint, run_blocks
from immunescape.design.naive import compared, piecewise_fit
from immunescape.design.records import Decided, Design
from immunescape.design.statistics import ADJUSTED
from immunescape.design.truth import VirtualPool
from immunescape.errors import InputError, unknown_word
from immunescape.release import installed_version

__all__ = ["BLOCK", "DesignComparison", "OperatingCharacteristics", "SimulatedFigure", "compare", "simulate"]

BLOCK = 250
"""Replicates of a block. Results depend on it, so it is not an option."""
RESAMPLES = 24
"""Bootstrap samples of a virtual population, one block of replicates each."""


@dataclass(frozen=True)
class SimulatedFigure:
    """A simulated number: value, Monte Carlo standard error, 95 % interval (exact for shares)."""

    value: float
    error: float
    low: float
    high: float

    @classmethod
    def share(cls, flags: NDArray[np.bool_]) -> SimulatedFigure:
        """Of a share of replicates."""
        from immunescape.stats.exact import clopper_pearson

        n, k = len(flags), int(np.sum(flags))
        interval = clopper_pearson(k, n)
        p = k / n
        return cls(p, math.sqrt(p * (1 - p) / n), float(interval.low or 0.0), float(interval.high or 0.0))

    @classmethod
    def mean(cls, values: NDArray[np.float64]) -> SimulatedFigure | None:
        """Of the mean over replicates (those where it exists); None where there is none."""
        x = np.asarray(values, dtype=float)
        x = x[np.isfinite(x)]
        if not len(x):
            return None
        error = float(x.std(ddof=1) / math.sqrt(len(x))) if len(x) > 1 else math.nan
        return cls(float(x.mean()), error, float(x.mean() - 1.96 * error), float(x.mean() + 1.96 * error))

    def widened(self, error: float) -> SimulatedFigure:
        """With a further, independent standard error; the interval is then a normal one, within 0 and 1."""
        if not error > 0:
            return self
        both = math.hypot(self.error, error)
        low, high = self.value - 1.96 * both, self.value + 1.96 * both
        return SimulatedFigure(self.value, both, min(self.low, max(low, 0.0)), max(self.high, min(high, 1.0)))

    def to_json(self) -> dict[str, float | None]:
        """Plain data."""
        return {
            k: (None if not math.isfinite(v) else round(float(v), 6))
            for k, v in (("value", self.value), ("se", self.error), ("low", self.low), ("high", self.high))
        }

    def __str__(self) -> str:
        return f"{self.value:.4g} ± {self.error:.2g}"


@dataclass(frozen=True, eq=False, kw_only=True)
class OperatingCharacteristics:
    """Operating characteristics of a design, by scenario.

    Attributes
    ----------
    design, plan, seed, replicates : what was run. outcomes : scenario -> every replicate.
    warnings : warnings for the reader (delayed effects, small pools). wall_s : seconds.
    unstopped : the null with stops for futility ignored, where the design has such stops and they do not bind.
    pool_errors : scenario -> (H + 1,) standard deviation of the power of each hypothesis and of any of them that comes
        from the finite size of its virtual population (bootstrap).
    """

    design: Design
    plan: Mapping[str, Any]
    seed: int
    replicates: int
    outcomes: Mapping[str, Decided]
    warnings: tuple[str, ...] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)
    wall_s: float = 0.0
    unstopped: Decided | None = None
    pool_errors: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def __repr__(self) -> str:
        scenarios = ", ".join(self.outcomes)
        return (
            f"OperatingCharacteristics({self.design.name}, {self.replicates} replicates, seed {self.seed}; {scenarios})"
        )

    @property
    def scenarios(self) -> tuple[str, ...]:
        """Scenarios that were simulated."""
        return tuple(self.outcomes)

    def _outcome(self, scenario: str) -> Decided:
        if scenario not in self.outcomes:
            raise unknown_word("scenario", scenario, self.outcomes)
        return self.outcomes[scenario]

    def reject(self, scenario: str, hypothesis: str | None = None) -> SimulatedFigure:
        """Probability to reject a hypothesis, or any of them; with the pool's own error for a virtual population."""
        rejected = self._outcome(scenario).rejected
        names = self.design.rule.hypotheses(self.design)
        errors = self.pool_errors.get(scenario, np.zeros(len(names) + 1))
        if hypothesis is None:
            return SimulatedFigure.share(np.asarray(rejected.any(axis=1))).widened(float(errors[-1]))
        if hypothesis not in names:
            raise unknown_word("hypothesis", hypothesis, names)
        column = names.index(hypothesis)
        return SimulatedFigure.share(rejected[:, column]).widened(float(errors[column]))

    @property
    def type_one_error(self) -> SimulatedFigure | None:
        """Probability of any rejection under the null, futility that does not bind ignored; None without a null."""
        if self.unstopped is not None:
            return SimulatedFigure.share(np.asarray(self.unstopped.rejected.any(axis=1)))
        return self.reject("null") if "null" in self.outcomes else None

    def power(self, scenario: str | None = None) -> SimulatedFigure:
        """Probability of any rejection in a scenario (the first that is not the null)."""
        name = scenario or next((s for s in self.outcomes if s != "null"), "null")
        return self.reject(name)

    def summary(self, scenario: str) -> dict[str, Any]:
        """Figures of one scenario, by name; values are :class:`SimulatedFigure`, dictionaries or lists of them."""
        outcome = self._outcome(scenario)
        names = self.design.rule.hypotheses(self.design)
        looks = int(max(outcome.stage.max(), len(self.design.looks)))
        stop = [
            {
                "look": k + 1,
                "efficacy": SimulatedFigure.share((outcome.stage == k + 1) & (outcome.reason == 1)),
                "futility": SimulatedFigure.share((outcome.stage == k + 1) & (outcome.reason == 2)),
                "rejected": SimulatedFigure.share((outcome.stage == k + 1) & outcome.rejected.any(axis=1)),
                "end": SimulatedFigure.share(outcome.stage == k + 1),
            }
            for k in range(looks)
        ]
        out: dict[str, Any] = {
            "reject_any": self.reject(scenario),
            "reject": {n: self.reject(scenario, n) for n in names},
            "expected_patients": SimulatedFigure.mean(outcome.patients),
            "expected_events": SimulatedFigure.mean(outcome.events),
            "expected_months": SimulatedFigure.mean(outcome.months),
            "stop_early": SimulatedFigure.share(outcome.reason > 0),
            "stopping": stop,
        }
        if len(names) > 1:
            out["reject_all"] = SimulatedFigure.share(np.asarray(outcome.rejected.all(axis=1)))
        if outcome.selected is not None:
            labels = self.design.rule.selections(self.design)
            out["selected"] = {n: SimulatedFigure.share(outcome.selected[:, s]) for s, n in enumerate(labels)}
        out["looks"] = {
            name: [SimulatedFigure.mean(values[:, k]) for k in range(values.shape[1])]
            for name, values in outcome.by_look.items()
        }
        if "hazard_ratio" in outcome.by_look:
            ratios = outcome.by_look["hazard_ratio"]
            with np.errstate(divide="ignore", invalid="ignore"):
                logs = [SimulatedFigure.mean(np.log(ratios[:, k])) for k in range(ratios.shape[1])]
            out["looks"]["hazard_ratio"] = [
                None
                if f is None
                else SimulatedFigure(math.exp(f.value), math.exp(f.value) * f.error, math.exp(f.low), math.exp(f.high))
                for f in logs
            ]
        if outcome.extra:
            out["further"] = {name: SimulatedFigure.mean(values) for name, values in outcome.extra.items()}
        return out

    def to_json(self) -> dict[str, Any]:
        """The content of ``design.json``."""
        error = self.type_one_error
        values: dict[str, Any] = plain(
            {
                "design": self.design.name,
                "kind": self.design.rule.kind,
                "title": self.design.title,
                "version": installed_version(),
                "seed": self.seed,
                "replicates": self.replicates,
                "wall_s": round(self.wall_s, 3),
                "alpha": self.design.alpha,
                "max_patients": self.design.patients,
                "assumptions": list(self.design.assumptions),
                "plan": self.design.rule.expected_table(self.design, self.plan),
                "notes": dict(self.notes),
                "warnings": list(self.warnings),
                "type_one_error": error,
                "type_one_error_with_futility": self.reject("null") if self.unstopped is not None else None,
                "scenarios": {s: self.summary(s) for s in self.outcomes},
            }
        )
        return values


def plain(value: Any) -> Any:
    """Plain JSON: figures as dictionaries, numbers that are not finite as None."""
    if isinstance(value, SimulatedFigure):
        return value.to_json()
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return [plain(v) for v in value.tolist()]
    if hasattr(value, "item") and not isinstance(value, str):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _block(design: Design, scenario: str, seed: int, block: int, plan: Mapping[str, Any]) -> Arrays:
    return design.rule.run(design, design.scenario(scenario), Streams(seed, block, BLOCK), plan).arrays()


def block_name(what: str, scenario: str, seed: int, number: int) -> str:
    """Name of a stored block: short, a plain file name, and different for different scenarios whatever their names."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", scenario)[:40].strip("-")
    return f"{what}-{readable}-{hashlib.sha256(scenario.encode()).hexdigest()[:8]}-{seed}-{number:06d}"


def pool_jobs(
    design: Design, scenarios: Sequence[str], seed: int, plan: Mapping[str, Any]
) -> list[tuple[str, tuple[Any, ...]]]:
    """Blocks of bootstrap samples of the virtual populations of scenarios, all with the random numbers of block 0."""
    jobs: list[tuple[str, tuple[Any, ...]]] = []
    for scenario in scenarios:
        pool = design.scenario(scenario)
        if scenario == "null" or not isinstance(pool, VirtualPool):
            continue
        for sample in range(RESAMPLES):
            rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0xB007, sample)))
            variant = replace(design, truths={**design.truths, scenario: pool.resampled(rng)})
            jobs.append((block_name("bootstrap", scenario, seed, sample), (variant, scenario, seed, 0, plan)))
    return jobs


def naive_truths(design: Design, scenarios: Sequence[str]) -> tuple[dict[str, Design], dict[str, str]]:
    """Scenario -> the design with a piecewise-exponential fit of its pool as truth; or why there is none."""
    fitted: dict[str, Design] = {}
    reasons: dict[str, str] = {}
    adjusted = any(h.test.name == ADJUSTED for h in getattr(design.rule, "tested", ()))
    for scenario in scenarios:
        pool = design.truths.get(scenario)
        if not isinstance(pool, VirtualPool):
            continue
        if adjusted:
            reasons[scenario] = "no fit: curves alone have no prognostic score"
            continue
        try:
            fit = piecewise_fit(pool, design.endpoints)
        except InputError as error:
            reasons[scenario] = error.message
            continue
        fitted[scenario] = replace(design, truths={**design.truths, scenario: fit})
    return fitted, reasons


def pool_errors(
    jobs: Sequence[tuple[str, tuple[Any, ...]]], blocks: Sequence[Arrays]
) -> dict[str, NDArray[np.float64]]:
    """Scenario -> (H + 1,) standard deviation over bootstrap samples of the power, each hypothesis and any of them.

    All samples see the same arrivals, arms and uniforms, so that part of the Monte Carlo error is shared; a binomial
    variance is taken off the spread.
    """
    powers: dict[str, list[NDArray[np.float64]]] = {}
    for (_, (_, scenario, *_)), arrays in zip(jobs, blocks, strict=True):
        rejected = arrays["rejected"]
        flags = np.column_stack([rejected, rejected.any(axis=1)])
        powers.setdefault(str(scenario), []).append(flags.mean(axis=0))
    out = {}
    for scenario, rows in powers.items():
        values = np.array(rows)
        mean = values.mean(axis=0)
        spread = values.var(axis=0, ddof=1) - mean * (1 - mean) / BLOCK
        out[scenario] = np.sqrt(np.maximum(spread, 0.0))
    return out


def simulate(
    design: Design,
    replicates: int = 2000,
    seed: int = 1,
    *,
    workers: int = 1,
    cluster: Any = None,
    scenarios: Sequence[str] | None = None,
    out: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> OperatingCharacteristics:
    """Simulate a design under its scenarios and the null.

    Parameters
    ----------
    replicates : per scenario. seed : everything random follows from it, whatever the workers.
    workers : processes. cluster : a ``distributed.Client`` or the address of a dask scheduler, in place of processes.
    scenarios : which; all, the null included, without it.
    out : folder that keeps finished blocks, so that a run resumes or grows. progress : called with (blocks done, all).
    """
    if replicates < 1:
        raise InputError(f"the number of replicates is {replicates}", hint="Use at least one.")
    if seed < 0:
        raise InputError(f"the seed is {seed}", hint="Seeds are 0 or more.")
    began = time.perf_counter()
    chosen = tuple(scenarios) if scenarios is not None else design.scenarios
    for name in chosen:
        design.scenario(name)
    plan = planned(design)
    blocks = -(-replicates // BLOCK)
    runs = [("scenario", scenario, design, plan) for scenario in chosen]
    free = design.rule.ignoring_futility() if "null" in chosen else None
    if free is not None:
        # the efficacy bounds stay: they do not count on stops that do not bind
        unbound = replace(design, rule=free)
        runs.append(("no-futility", "null", unbound, planned(unbound)))
    naive, unfitted = naive_truths(design, chosen)
    runs += [("fit", scenario, variant, plan) for scenario, variant in naive.items()]
    jobs = [
        (block_name(what, scenario, seed, block), (variant, scenario, seed, block, bounds))
        for what, scenario, variant, bounds in runs
        for block in range(blocks)
    ]
    pools = pool_jobs(design, chosen, seed, plan)
    folder = None if out is None else Path(out) / ".blocks" / fingerprint(design)
    arrays = run_blocks(_block, jobs + pools, workers=workers, cluster=cluster, folder=folder, progress=progress)
    decided: dict[tuple[str, str], Decided] = {}
    for k, (what, scenario, _, _) in enumerate(runs):
        joined = Decided.joined([Decided.from_arrays(a) for a in arrays[k * blocks : (k + 1) * blocks]])
        decided[what, scenario] = Decided.from_arrays({n: v[:replicates] for n, v in joined.arrays().items()})
    outcomes = {scenario: decided["scenario", scenario] for scenario in chosen}
    unstopped = decided.get(("no-futility", "null"))
    fits = {scenario: decided["fit", scenario] for scenario in naive}
    errors = pool_errors(pools, arrays[len(jobs) :])
    from immunescape.design.diagnosis import diagnose

    warnings, notes = diagnose(design, plan, outcomes, unstopped, errors)
    characteristics_at = OperatingCharacteristics(
        design=design,
        plan=plan,
        seed=seed,
        replicates=replicates,
        outcomes=outcomes,
        warnings=warnings,
        notes=notes,
        wall_s=time.perf_counter() - began,
        unstopped=unstopped,
        pool_errors=errors,
    )
    if naive or unfitted:
        notes["naive_truth"] = {
            s: compared(
                design.rule.hypotheses(design),
                characteristics_at.summary(s),
                replace(characteristics_at, outcomes={s: fits[s]}, pool_errors={}).summary(s),
                errors.get(s),
            )
            for s in naive
        } | {s: {"verdict": reason} for s, reason in unfitted.items()}
    return characteristics_at


@dataclass(frozen=True, eq=False)
class DesignComparison:
    """Several designs over the same random numbers: differences are known better than the figures themselves."""

    results: tuple[OperatingCharacteristics, ...]

    def difference(self, scenario: str, first: int = 0, second: int = 1) -> SimulatedFigure:
        """Difference of the probabilities of any rejection (second minus first), with its paired standard error."""
        a = self.results[first].outcomes[scenario].rejected.any(axis=1).astype(float)
        b = self.results[second].outcomes[scenario].rejected.any(axis=1).astype(float)
        difference = SimulatedFigure.mean(b - a)
        assert difference is not None
        return difference

    def rows(self) -> list[dict[str, Any]]:
        """One row per design and scenario that all of them share."""
        shared = [s for s in self.results[0].outcomes if all(s in r.outcomes for r in self.results)]
        rows = []
        for scenario in shared:
            for k, result in enumerate(self.results):
                summary = result.summary(scenario)
                rows.append(
                    {
                        "scenario": scenario,
                        "design": result.design.name,
                        "reject_any": summary["reject_any"],
                        "difference": None if k == 0 else self.difference(scenario, 0, k),
                        "expected_patients": summary["expected_patients"],
                        "expected_events": summary["expected_events"],
                        "expected_months": summary["expected_months"],
                        "stop_early": summary["stop_early"],
                    }
                )
        return rows


def compare(
    designs: Sequence[Design], replicates: int = 2000, seed: int = 1, *, workers: int = 1, cluster: Any = None
) -> DesignComparison:
    """Simulate designs side by side with common random numbers."""
    if len(designs) < 2:
        raise InputError("a comparison needs two designs or more")
    return DesignComparison(tuple(simulate(d, replicates, seed, workers=workers, cluster=cluster) for d in designs))
