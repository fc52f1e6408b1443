"""Runs a virtual trial: blocks of candidates over worker processes, stored as they finish, so that a run resumes.

A block depends only on the trial, the model, the seed and its number; the parent takes blocks in order until every arm
has its patients. So results are the same, bit for bit, whatever the number of workers and wherever a run was
interrupted. Finished blocks lie in ``OUT/.blocks/<key>/``, the key being a hash of all that matters.
"""

from __future__ import annotations

import csv
import hashlib
import json
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immunescape.errors import InputError
from immunescape.files import check_folder, whole_file
from immunescape.parallel import Team, deferred_interrupts, open_team, usable_cores
from immunescape.release import installed_version
from immunescape.trial import WORKER_IMPORTS
from immunescape.trial.blocks import (
    BlockTask,
    Enroller,
    TrialBlock,
    candidates_per_block,
    eligible_per_block,
    prepare_process,
    simulate_block,
    simulate_task,
    start_worker,
)

if TYPE_CHECKING:
    from immunescape.population.fit import PopulationFit
    from immunescape.trial.result import TrialResult
    from immunescape.trial.spec import Trial

__all__ = ["BlockStore", "model_digest", "run_trial"]

DEFAULT_PATIENTS = 150
RTOL = 1e-4
"""Relative tolerance: errors of volumes stay below 2e-4, a hundredth of the error of measuring a lesion."""
TASKS_PER_WORKER = 200
"""Blocks after which a worker process is replaced: libraries may leak memory over many runs."""
GIVE_UP = 200_000
"""Candidates after which an arm without a patient is given up."""

Progress = Callable[[int, int], None]


def run_trial(
    trial: Trial,
    patients: int | None = None,
    seed: int = 1,
    *,
    workers: int | None = None,
    out: str | Path | None = None,
    engine: str = "auto",
    paired: bool = False,
    progress: Progress | None = None,
    fit: PopulationFit | None = None,
    cluster: Any = None,
) -> TrialResult:
    """Simulate a trial.

    Parameters
    ----------
    trial
        The protocol; see :func:`immunescape.trial.loading.load_trial`.
    patients
        Patients per arm that could be simulated; None takes the protocol's numbers, at most 150.
    seed
        Seed of all random numbers.
    workers
        Processes; one per core by default. Results do not depend on it.
    out
        Folder for finished blocks (``.blocks/``); None keeps nothing.
    engine
        ``auto``, ``native``, ``roadrunner`` or ``reference``.
    paired
        The arms share their patients and all their random numbers.
    progress
        Called with (patients done, patients in all).
    fit
        How the population's distributions are moved; None takes the fit that ships.
    cluster
        A ``distributed.Client`` or the address of a dask scheduler, whose workers then make the blocks.

    Raises
    ------
    InputError
        For an impossible request, or where no candidate is eligible.
    KeyboardInterrupt
        Finished blocks are kept; the same call resumes.
    """
    began = time.perf_counter()
    cores = usable_cores() if workers is None else workers
    _check_request(trial, patients, seed, cores, paired)
    sizes = _patients_of_arms(trial, patients, paired)
    kept = None if out is None else Path(out) / ".blocks"
    if kept is not None and not kept.exists():
        check_folder(kept.parent)
    begin = partial(_processes, trial, cores, engine) if cluster is None else partial(open_team, cores, cluster)
    resumes = kept is not None and kept.exists()
    # processes start while the model is compiled here, and a wrong address is found before
    team = begin() if cluster is not None or (cores > 1 and not resumes) else None
    try:
        engine_name = _working_engine(trial, engine)
        enroller = Enroller(trial.population, trial.file or None)
        size = candidates_per_block(trial, max(sizes), enroller)
        task = BlockTask(
            trial=trial, seed=seed, engine=engine_name, rtol=RTOL, candidates=size, fit=fit, enroller=enroller
        )
        store = BlockStore(kept, _key(trial, seed, engine_name, size, paired, fit))
        gathered = _streams(sizes, paired, by_cluster=cluster is not None)

        def report() -> None:
            if progress is not None:
                progress(sum(min(g.collected, g.asked) * len(g.arms) for g in gathered), sum(sizes))

        report()
        todo = _Queue(gathered, store, report)
        if kept is not None and kept.exists() and not todo.done:  # what is complete may lie in a read-only archive
            check_folder(kept)
        if cores == 1 and cluster is None:
            _in_turn(task, todo)
        elif not todo.done:
            team = team or begin()
            _side_by_side(task, todo, team)
    finally:
        if team is not None:
            team.close()
    return _result(trial, gathered, seed=seed, engine=engine_name, paired=paired, began=began)


def _check_request(trial: Trial, patients: int | None, seed: int, cores: int, paired: bool) -> None:
    """Refuse numbers that no trial can have, and pairs where arms have mixes of their own."""
    for what, value in (("number of patients per arm", patients), ("seed", seed), ("number of workers", cores)):
        if value is None and what == "number of patients per arm":  # those of the protocol
            continue
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise InputError(f"the {what} is {value!r}", hint="Give a whole number.")
    if patients is not None and patients < 1:
        raise InputError(f"the number of patients per arm is {patients}", hint="Use at least one.")
    if seed < 0:
        raise InputError(f"the seed is {seed}", hint="Seeds are 0 or more.")
    if paired and not trial.can_pair:
        raise InputError(
            "an arm has its own mix, so that the arms cannot share their patients",
            where=trial.file or None,
            hint="Run without --paired.",
        )
    if cores < 1:
        raise InputError(f"the number of workers is {cores}", hint="Use at least one.")


def _patients_of_arms(trial: Trial, patients: int | None, paired: bool) -> list[int]:
    """Number of patients of each arm; arms that share their patients have equally many."""
    sizes = [min(arm.n, DEFAULT_PATIENTS) if patients is None else patients for arm in trial.arms]
    return [max(sizes)] * len(sizes) if paired else sizes


def _streams(sizes: Sequence[int], paired: bool, *, by_cluster: bool) -> list[_Gathered]:
    """Streams of candidates: one for each arm, or one for all arms that share their patients."""
    # On a cluster a block per worker from the start would be far too many; half, as not all candidates can be grown.
    guess = 0.5 * eligible_per_block(max(sizes)) if by_cluster else 0.0
    if paired:
        return [_Gathered(0, tuple(range(len(sizes))), max(sizes), guess)]
    return [_Gathered(k, (k,), size, guess) for k, size in enumerate(sizes)]


def _result(
    trial: Trial, gathered: Sequence[_Gathered], *, seed: int, engine: str, paired: bool, began: float
) -> TrialResult:
    """Join what the streams hold to the result of the trial."""
    # imported only now, so that worker processes start before
    import pandas as pd

    from immunescape.trial.result import build_result

    tables = [g.finish(trial) for g in gathered]
    rows = [row for rows, _, _, _ in tables for row in rows]
    visits = [row for _, scans, _, _ in tables for row in scans]
    columns = ["id", "arm", "day", "sld_mm", "largest_mm", "change_pct", "new_lesion", "response"]
    return build_result(
        trial,
        seed=seed,
        engine=engine,
        version=installed_version(),
        paired=paired,
        wall_s=time.perf_counter() - began,
        patients=pd.DataFrame(rows),
        visits=pd.DataFrame(visits, columns=columns),
        failures=[f for _, _, failures, _ in tables for f in failures],
        candidates={arm: fates for _, _, _, counts in tables for arm, fates in counts.items()},
    )


def _working_engine(trial: Trial, engine: str) -> str:
    """Name of the engine that compiles the trial's model; compiled here once, so that workers find it in the cache."""
    from immunescape.engine import get_engine
    from immunescape.population.reference_baseline import prepared_model

    chosen = get_engine(engine)
    prepared_model(trial.drugs, trial.specificity).compiled(chosen)
    return chosen.name


@dataclass(eq=False)
class _Gathered:
    """Blocks of one stream of candidates, for one arm or, where arms share their patients, for all.

    `guess` is how many patients a block is taken to hold as long as none is there: with 0 every worker gets one.
    """

    stream: int
    arms: tuple[int, ...]
    asked: int
    guess: float = 0.0

    def __post_init__(self) -> None:
        self.blocks: dict[int, TrialBlock] = {}
        self.next = 0
        self.collected = 0
        self.candidates = 0

    def add(self, block: TrialBlock) -> None:
        """Take a block, in any order; counts go on with the first gap."""
        self.blocks[block.index] = block
        while self.next in self.blocks:
            self.collected += len(self.blocks[self.next].complete)
            self.candidates += sum(self.blocks[self.next].fates.values())
            self.next += 1
        if not self.collected and self.candidates >= GIVE_UP:
            raise InputError(
                f"none of {self.candidates} candidates could enter the trial",
                hint="Widen the eligibility, or relax the requirements on the prior lines.",
            )

    @property
    def done(self) -> bool:
        """Whether enough patients are at hand."""
        return self.collected >= self.asked

    def expects(self, asked: int) -> bool:
        """Whether the first `asked` blocks will probably hold enough patients; what is not known yet counts nothing."""
        waiting = sum(len(block.complete) for i, block in self.blocks.items() if i >= self.next)
        unknown = asked - self.next - sum(i >= self.next for i in self.blocks)
        each = (self.collected + waiting) / len(self.blocks) if self.blocks else self.guess
        return self.collected + waiting + 0.9 * each * unknown >= self.asked

    def finish(
        self, trial: Trial
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]], dict[str, dict[str, int]]]:
        """Rows, scans, failures and candidates by fate, up to the last patient wanted in the order of candidates."""
        numbers = [number for i in range(self.next) for number in self.blocks[i].complete][: self.asked]
        last, chosen = numbers[-1], set(numbers)
        rows: list[dict[str, Any]] = []
        scans: list[dict[str, Any]] = []
        failures: list[dict[str, Any]] = []
        counts: dict[str, dict[str, int]] = {}
        used = [self.blocks[i] for i in range(self.next) if self.blocks[i].first <= last]
        for position, arm in enumerate(self.arms):
            for block in used:
                arm_block = block.arms[position]
                rows += [r for r in arm_block["patients"] if r["id"] in chosen]
                scans += [r for r in arm_block["visits"] if r["id"] in chosen]
                failures += [f for f in arm_block["failures"] if f["id"] <= last]
            fates: dict[str, int] = {}
            for block in used:
                for fate, count in block.fates.items():
                    fates[fate] = fates.get(fate, 0) + count
            counts[trial.arms[arm].name] = dict(sorted(fates.items()))
        return rows, scans, failures, counts


class _Queue:
    """Which block to make next; stored blocks are taken on the way."""

    def __init__(self, gathered: Sequence[_Gathered], store: BlockStore, report: Callable[[], None]) -> None:
        self.gathered, self.store, self._report = gathered, store, report
        self._ahead = [0] * len(gathered)
        for k, g in enumerate(gathered):
            while not g.done and self._stored(k, g):
                pass

    @property
    def done(self) -> bool:
        """Whether every stream has its patients."""
        return all(g.done for g in self.gathered)

    def _stored(self, k: int, g: _Gathered) -> bool:
        """Take the next block of a stream from the store, if it is there."""
        block = self.store.read(g.stream, g.arms, self._ahead[k])
        if block is None:
            return False
        self._ahead[k] += 1
        g.add(block)
        self._report()
        return True

    def next(self) -> tuple[_Gathered, int] | None:
        """Stream and number of the block to make; None where the blocks being made will do, or all is done."""
        for k in sorted(range(len(self.gathered)), key=lambda j: (self._ahead[j], j)):
            g = self.gathered[k]
            while not g.expects(self._ahead[k]):
                if self._stored(k, g):
                    continue
                self._ahead[k] += 1
                return g, self._ahead[k] - 1
        return None

    def keep(self, g: _Gathered, block: TrialBlock) -> None:
        """Store a block that was made."""
        g.add(self.store.write(g.stream, g.arms, block))
        self._report()


def _in_turn(task: BlockTask, queue: _Queue) -> None:
    """Make blocks in this process."""
    if queue.done:
        return
    start_worker(task)
    while (following := queue.next()) is not None:
        g, index = following
        block = simulate_block(g.stream, g.arms, index)
        with deferred_interrupts():
            queue.keep(g, block)


def _processes(trial: Trial, workers: int, engine: str) -> Team:
    """Worker processes; they import what they need, and compile the growing model, while the parent goes on."""
    team = open_team(workers, tasks_per_worker=TASKS_PER_WORKER, imports=WORKER_IMPORTS)
    for k in range(workers):
        team.submit(None, "its preparation", prepare_process, trial.drugs, trial.specificity, engine if k == 0 else "")
    return team


def _side_by_side(task: BlockTask, queue: _Queue, team: Team) -> None:
    """Make blocks by a team of workers until every stream has its patients."""

    def keep(key: Hashable, block: TrialBlock) -> None:
        if isinstance(key, int):  # else it was a preparation
            queue.keep(queue.gathered[key], block)

    try:
        while not queue.done:
            while team.under_way < team.width and (following := queue.next()) is not None:
                g, index = following
                name = f"block {index} of {' and '.join(task.trial.arms[a].name for a in g.arms)}"
                team.submit(queue.gathered.index(g), name, simulate_task, task, g.stream, g.arms, index)
            team.take(keep)
    except BaseException:
        team.rescue(keep)
        raise


class BlockStore:
    """Finished blocks on disk, one file each; without a folder nothing is kept.

    A file holds the block and its SHA-256, and appears in one step. One that is damaged is taken as absent.
    """

    def __init__(self, folder: Path | None, key: str) -> None:
        self.folder = None if folder is None else folder / key[:16]

    def _path(self, stream: int, arms: Sequence[int], index: int) -> Path:
        assert self.folder is not None
        return self.folder / f"{stream}-{'_'.join(str(a) for a in arms)}-{index:06d}.json"

    def read(self, stream: int, arms: Sequence[int], index: int) -> TrialBlock | None:
        """Return a stored block; None where there is none, or a damaged one."""
        if self.folder is None:
            return None
        try:
            text = self._path(stream, arms, index).read_text(encoding="utf-8")
            digest, _, payload = text.partition("\n")
            if hashlib.sha256(payload.encode()).hexdigest() != digest:
                return None
            return TrialBlock.from_json(json.loads(payload))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, stream: int, arms: Sequence[int], block: TrialBlock) -> TrialBlock:
        """Store a block; returns it as it will be read back."""
        payload = json.dumps(block.to_json(), separators=(",", ":"))
        if self.folder is not None:
            hint = "Make room or choose another folder (--out); the same command resumes from what is stored."
            path = self._path(stream, arms, block.index)
            with whole_file(path, "cannot store a finished block", hint=hint) as file:
                file.write(f"{hashlib.sha256(payload.encode()).hexdigest()}\n{payload}".encode())
        return TrialBlock.from_json(json.loads(payload))


def _key(trial: Trial, seed: int, engine: str, size: int, paired: bool, fit: PopulationFit | None = None) -> str:
    """Hash of all that a block's content depends on: protocol, seed, engine, tolerance, and the package's own files."""
    parts = [trial.text or repr(trial), str(seed), engine, repr(RTOL), str(size), str(paired), installed_version()]
    if fit is not None:
        parts.append(fit.to_csv())
    digest = hashlib.sha256("\x1f".join(parts).encode())
    _add_package(digest)
    return digest.hexdigest()


def model_digest() -> str:
    """Hash of the package's files on which a simulated trial depends: model, engine, population, trial, knowledge."""
    digest = hashlib.sha256()
    _add_package(digest)
    return digest.hexdigest()


LEARNT_FROM_RUNS = ("class_evidence.csv", "exchange_evidence.csv", "prediction_errors.csv")
"""Tables that are written from a run of the harness: no simulated patient depends on them."""


PROSE = ("source", "note")
"""Columns of tables that no simulation reads."""


def numbers_digest() -> str:
    """Hash of the tables of numbers that simulated patients depend on: parameters, links, fit and hazards.

    In contrast to `model_digest`, it is unchanged by a rewording of the code, by sources and notes, and by the tables
    that a run itself writes: what is learnt from runs carries it, so that a reader is told when the released numbers
    have moved on.
    """
    digest = hashlib.sha256()
    root = Path(str(files("immunescape")))
    for package in ("model", "population", "trial", "knowledge/data"):
        for path in sorted((root / package).rglob("*.csv")):
            if path.name in LEARNT_FROM_RUNS:
                continue
            with path.open(encoding="utf-8-sig", newline="") as stream:
                rows = list(csv.reader(stream))
            read = [k for k, name in enumerate(rows[0] if rows else []) if name not in PROSE]
            cells = [[row[k] for k in read if k < len(row)] for row in rows]
            digest.update(json.dumps([path.relative_to(root).as_posix(), cells]).encode())
    return digest.hexdigest()


def _add_package(digest: Any) -> None:
    root = Path(str(files("immunescape")))
    for room in ("model", "engine", "population", "trial", "knowledge"):
        for path in sorted((root / room).rglob("*")):
            if path.suffix in (".py", ".csv", ".c", ".h", ".in"):
                digest.update(path.relative_to(root).as_posix().encode())
                digest.update(path.read_bytes())
