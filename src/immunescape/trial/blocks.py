"""A block of a trial in a worker process: candidates, eligibility, growth to diagnosis, the trial's course."""

from __future__ import annotations

import gc
import math
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import EngineError, InputError
from immunescape.trial.eligibility import enrolment_weights, screen
from immunescape.trial.spec import Enrolment, Trial

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.population.blocks import BlockMaker
    from immunescape.population.covariates import Region
    from immunescape.population.fit import PopulationFit
    from immunescape.trial.simulate import BlockSimulator

__all__ = [
    "BlockTask",
    "Enroller",
    "TrialBlock",
    "candidates_per_block",
    "eligible_per_block",
    "prepare_process",
    "simulate_block",
    "simulate_task",
    "start_worker",
]

REFERENCE = 4096
"""Candidates of the fixed sample from which enrolment weights and the size of blocks are taken."""
ELIGIBLE_PER_BLOCK = (24, 64)
"""Fewest, and most, candidates that enter from one block: small runs end early, large ones share what a block costs."""
MAX_CANDIDATES = 4096
GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


def eligible_per_block(patients: int) -> float:
    """Candidates that enter from one block of a run with so many patients per arm: a quarter of them, within limits.

    A block costs some tens of milliseconds beside its patients, so few large ones take less processor time; four an
    arm still keep several processors busy.
    """
    few, many = ELIGIBLE_PER_BLOCK
    return min(max(patients / 4.0, few), many)


@dataclass(frozen=True, kw_only=True)
class BlockTask:
    """What all blocks of a run share; sent to each worker once."""

    trial: Trial
    seed: int
    engine: str
    rtol: float
    candidates: int
    fit: PopulationFit | None = None
    enroller: Enroller | None = field(default=None, compare=False, repr=False)
    """Where it is at hand; else each worker makes its own, the same."""


@dataclass(frozen=True)
class TrialBlock:
    """A finished block.

    Attributes
    ----------
    index, first : number of the block and of its first candidate.
    complete : numbers of the patients that were simulated in every arm of the block.
    fates : candidates by fate.
    arms : one record per arm, with the lists ``patients``, ``visits`` and ``failures``.
    """

    index: int
    first: int
    complete: list[int]
    fates: dict[str, int]
    arms: list[dict[str, list[dict[str, Any]]]]

    def to_json(self) -> dict[str, Any]:
        """Plain content; numbers keep all their digits, NaN becomes null."""
        return {
            "index": self.index,
            "first": self.first,
            "complete": self.complete,
            "fates": self.fates,
            "arms": _without_nan(self.arms),
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> TrialBlock:
        """Rebuild a block."""
        return cls(int(content["index"]), int(content["first"]), content["complete"], content["fates"], content["arms"])


class Enroller:
    """Decides which candidates enter a trial: its criteria, and thinning to the published shares.

    Candidates are thinned with probability proportional to their enrolment weight (from a fixed reference sample), by a
    number of their own, so that whether a candidate enters depends on nothing but seed, stream and its number.
    """

    def __init__(self, enrolment: Enrolment, where: str | None = None) -> None:
        from immunescape.population.covariates import sample_covariates

        self.enrolment = enrolment
        reference = sample_covariates(0, REFERENCE, 0, 0, region=region_of(enrolment))
        eligible = screen(enrolment, reference, where=where).eligible
        table = reference[eligible]
        weights = enrolment_weights(enrolment, table, where=where)
        cells = self._cells(table)
        self._weight: dict[tuple[bool, ...], float] = {}
        for cell, weight in zip(cells, weights, strict=True):
            self._weight.setdefault(cell, float(weight))
        self._top = max(self._weight.values())
        self.rate = float(eligible.mean()) * float(np.mean(weights)) / self._top

    def _cells(self, table: pd.DataFrame) -> list[tuple[bool, ...]]:
        marks = [c.met(table) for shares in self.enrolment.mix.values() for c, _ in shares]
        return [tuple(bool(m[i]) for m in marks) for i in range(len(table))]

    def mask(self, table: pd.DataFrame, seed: int, stream: int) -> NDArray[np.bool_]:
        """Which candidates (rows, indexed by their numbers) enter."""
        from immunescape.population.sampling import uniforms

        met = np.ones(len(table), dtype=bool)
        for criterion in self.enrolment.criteria:
            met &= criterion.met(table)
        if not self.enrolment.mix or not met.any():
            return met
        draw = uniforms(["enrolment"], int(table.index[0]), len(table), seed, stream, "random")[:, 0]
        chance = np.array([self._weight.get(cell, self._top) for cell in self._cells(table)]) / self._top
        return met & (draw < chance)


def region_of(enrolment: Enrolment) -> Region:
    """Region whose prevalences the candidates have."""
    from immunescape.population.covariates import REGIONS

    for region in REGIONS:
        if enrolment.region == region:
            return region
    return "western"


def candidates_per_block(trial: Trial, patients: int = 0, enroller: Enroller | None = None) -> int:
    """Candidates in a block of a run with so many patients per arm; `enroller` is the trial's, where it is at hand.

    As many as let `eligible_per_block` enter; a multiple of 16, and from 256 on of 256, because parameters are drawn
    for so many candidates at once. What a patient is like does not depend on it.
    """
    from immunescape.population.sampling import BLOCK

    rate = (enroller or Enroller(trial.population, trial.file or None)).rate
    if not rate > 0:
        raise InputError("no candidate is eligible", where=trial.file or None)
    size = eligible_per_block(patients) / rate
    if trial.population.regions:  # a block is of one region: more and smaller ones come nearer to the shares
        size = min(size, max(patients, 1) / (2 * rate)) / 2
        if size < 16:
            return max(4, math.ceil(size / 4) * 4)
    if size <= BLOCK:
        return max(16, math.ceil(size / 16) * 16)
    return min(MAX_CANDIDATES, round(size / BLOCK) * BLOCK)


class _Worker:
    """What a worker keeps between blocks: the assembled and compiled model."""

    def __init__(self, task: BlockTask) -> None:
        from immunescape.engine import get_engine
        from immunescape.population.reference_baseline import prepared_model
        from immunescape.trial.simulate import BlockSimulator

        self.task = task
        self.engine = get_engine(task.engine)
        self.model = prepared_model(task.trial.drugs, task.trial.specificity)
        compiled = self.model.compiled(self.engine)
        self.simulator: BlockSimulator = BlockSimulator(
            task.trial, self.model, compiled, task.seed, task.rtol, task.fit, grower=lambda: self.maker(0, 0).grower
        )
        self.enroller = task.enroller or Enroller(task.trial.population)
        self._enrollers: dict[tuple[int, str], Enroller] = {}
        self._makers: dict[tuple[int, str], BlockMaker] = {}

    def enroller_of(self, stream: int, region: Region) -> Enroller:
        """Who enters of one stream: the arm's own mix, and the region, where the trial has such."""
        population, arms = self.task.trial.population, self.task.trial.arms
        mix_of_arm = arms[stream].mix if stream < len(arms) else {}
        if not mix_of_arm and not population.regions:
            return self.enroller
        if (stream, region) not in self._enrollers:
            special = replace(population, mix={**population.mix, **mix_of_arm}, region=region)
            self._enrollers[stream, region] = Enroller(special)
        return self._enrollers[stream, region]

    def region(self, stream: int, index: int) -> Region:
        """Region of a block: as often as makes the enrolled of each region the share that the trial has."""
        shares = self.task.trial.population.regions
        if not shares:
            return region_of(self.task.trial.population)
        weights = np.array([share / self.enroller_of(stream, region).rate for region, share in shares])
        edges = np.cumsum(weights / weights.sum())
        place = math.fmod(0.5 + index * GOLDEN, 1.0)  # evenly spread, whatever the number of blocks
        return shares[min(int(np.searchsorted(edges, place, side="right")), len(shares) - 1)][0]

    def maker(self, stream: int, index: int) -> BlockMaker:
        """Population of one stream, in the region of a block."""
        from immunescape.population.blocks import BlockMaker, PopulationSpec

        region = self.region(stream, index)
        key = (stream, region)
        if key not in self._makers:
            task, enroller = self.task, self.enroller_of(stream, region)
            spec = PopulationSpec(
                task.seed,
                stream=stream,
                region=region,
                eligibility=lambda table: enroller.mask(table, task.seed, stream),
                rtol=task.rtol,
                block_size=task.candidates,
                fit=task.fit,
            )
            self._makers[key] = BlockMaker(self.model, spec, self.engine)
            for other in self._makers.values():  # one compiled growth model serves all streams
                if other._grower is not None:
                    self._makers[key]._grower = other._grower
        return self._makers[key]


_WORKERS: dict[str, _Worker] = {}


def prepare_process(drugs: tuple[str, ...], specificity: str, engine: str) -> None:
    """Read in a worker process what its blocks will need, while the parent still decides on them.

    With an `engine`, the model that grows tumours is compiled as well, so that all processes find it in the cache.
    """
    import pandas  # noqa: F401
    import scipy.special  # noqa: F401

    import immunescape.trial.simulate  # noqa: F401
    from immunescape.population.diagnosis import Grower
    from immunescape.population.reference_baseline import prepared_model

    model = prepared_model(drugs, specificity)
    if engine:
        with suppress(EngineError):  # the parent finds out, and says so
            from immunescape.engine import get_engine

            Grower(model, get_engine(engine))
    gc.collect()
    gc.freeze()  # what was read so far stays: it need not be searched for cycles again and again


def start_worker(task: BlockTask) -> None:
    """Prepare this process for the blocks of a run."""
    _WORKERS["current"] = _Worker(task)


def simulate_task(task: BlockTask, stream: int, arms: tuple[int, ...], index: int) -> TrialBlock:
    """Make one block in a worker process, which is prepared for the run at its first."""
    if "current" not in _WORKERS or _WORKERS["current"].task != task:
        start_worker(task)
    return simulate_block(stream, arms, index)


def simulate_block(stream: int, arms: tuple[int, ...], index: int) -> TrialBlock:
    """Make one block; see :func:`start_worker`."""
    worker = _WORKERS["current"]
    maker = worker.maker(stream, index)
    block = maker.block(index)
    parts = worker.simulator.run(block.table, arms, stream)
    fates = {str(k): int(v) for k, v in block.fates.value_counts().sort_index().items()}
    for reason, count in parts[0].excluded.items():  # alike in all arms: earlier lines do not depend on the arm
        fates["accepted"] = fates.get("accepted", 0) - count
        fates[reason] = fates.get(reason, 0) + count
    grown = [
        {
            "id": int(k),
            "arm": worker.task.trial.arms[a].name,
            "reason": f"growth to diagnosis: {text}",
            "parameters": {},
        }
        for a in arms
        for k, text in sorted(block.messages.items())
    ]
    complete: set[int] | None = None
    records = []
    for lane_group in parts:
        numbers = {int(row["id"]) for row in lane_group.patients}
        complete = numbers if complete is None else complete & numbers
        name = worker.task.trial.arms[lane_group.arm].name
        failures = [f for f in grown if f["arm"] == name] + lane_group.failures
        records.append({"patients": lane_group.patients, "visits": lane_group.visits, "failures": failures})
    return TrialBlock(index, index * worker.task.candidates, sorted(complete or ()), fates, records)


def _without_nan(value: Any) -> Any:
    kind = type(value)
    if kind is float:
        return value if math.isfinite(value) else None
    if kind in (str, int, bool):
        return value
    if isinstance(value, dict):
        return {k: _without_nan(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
