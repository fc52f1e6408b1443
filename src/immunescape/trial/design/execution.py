"""Runs independent blocks of replicates: here, over processes, or on a dask cluster, behind one call.

A block depends on its number alone, so results do not depend on where or in which order blocks run. A worker that dies
loses at most the blocks that it held; they run again. With a folder, finished blocks are kept and a run can be resumed
or grown.
"""

from __future__ import annotations

import hashlib
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import ImmunescapeError, InputError
from immunescape.files import whole_file
from immunescape.parallel import WorkerPool

__all__ = ["BlockFolder", "fingerprint", "run_blocks"]

Arrays = dict[str, NDArray[Any]]
Job = tuple[Any, ...]
Work = Callable[..., Arrays]
ATTEMPTS = 5


def fingerprint(value: Any) -> str:
    """Hash of a plain record and of the code that reads it, for names of stored blocks (nothing is unpickled)."""
    digest = hashlib.sha256(pickle.dumps(value, protocol=5))
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


class BlockFolder:
    """Finished blocks as ``.npz`` files (plain arrays); without a folder nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def read(self, name: str) -> Arrays | None:
        """A stored block; None where there is none or a damaged one."""
        if self.folder is None:
            return None
        try:
            with np.load(self.folder / f"{name}.npz", allow_pickle=False) as found:
                return {key: found[key] for key in found.files}
        except Exception:  # a damaged file of any kind is taken as absent and written again
            return None

    def write(self, name: str, arrays: Arrays) -> None:
        """Store a block, in one step."""
        if self.folder is None:
            return
        hint = "Make room or choose another folder; the same command resumes from what is stored."
        with whole_file(
            self.folder / f"{name}.npz", "cannot store a finished block", hint=hint, where=str(self.folder)
        ) as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]


def run_blocks(
    work: Work,
    jobs: Sequence[tuple[str, Job]],
    *,
    workers: int = 1,
    cluster: Any = None,
    folder: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    patience: float = 4.0,
) -> list[Arrays]:
    """Run ``work(*job)`` for each (name, job); results in the order of the jobs.

    Parameters
    ----------
    workers : processes; 1 runs here. cluster : a ``distributed.Client`` or the address of a dask scheduler, or None.
    folder : keeps finished blocks under their names. progress : called with (done, all).
    patience : seconds; processes are started only where the first block tells that the rest would take longer here.
    """
    if workers < 1:
        raise InputError(f"{workers} workers", hint="At least one.")
    store = BlockFolder(folder)
    results: list[Arrays | None] = [store.read(name) for name, _ in jobs]
    todo = [k for k, r in enumerate(results) if r is None]
    done = len(jobs) - len(todo)
    if progress is not None:
        progress(done, len(jobs))
    run = _cluster(cluster, work, jobs, todo) if cluster is not None else _local(work, jobs, todo, workers, patience)
    for k, arrays in run:
        results[k] = arrays
        store.write(jobs[k][0], arrays)
        done += 1
        if progress is not None:
            progress(done, len(jobs))
    return [r for r in results if r is not None]


def _local(
    work: Work, jobs: Sequence[tuple[str, Job]], todo: list[int], workers: int, patience: float
) -> Iterator[tuple[int, Arrays]]:
    if workers > 1 and patience > 0 and todo:
        began = time.perf_counter()
        yield todo[0], work(*jobs[todo[0]][1])
        todo = todo[1:]
        if (time.perf_counter() - began) * len(todo) < patience:
            workers = 1
    if workers == 1 or len(todo) <= 1:
        for k in todo:
            yield k, work(*jobs[k][1])
        return
    left = list(todo)
    for attempt in range(ATTEMPTS):
        pool = WorkerPool(min(workers, len(left)))
        running: dict[Future[Arrays], int] = {}
        queue = iter(list(left))
        try:
            for k in queue:
                running[pool.submit(work, *jobs[k][1])] = k
                if len(running) >= 2 * workers:
                    break
            while running:
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    k = running.pop(future)
                    arrays = future.result()
                    left.remove(k)
                    following = next(queue, None)
                    if following is not None:
                        running[pool.submit(work, *jobs[following][1])] = following
                    yield k, arrays
            return
        except BrokenProcessPool:
            if attempt + 1 == ATTEMPTS:
                raise ImmunescapeError(
                    f"worker processes died {ATTEMPTS} times", hint="Use fewer workers: memory may have run out."
                ) from None
        finally:
            for future in running:
                future.cancel()
            pool.shutdown(wait=True, cancel_futures=True)


def _cluster(
    cluster: Any, work: Work, jobs: Sequence[tuple[str, Job]], todo: list[int]
) -> Iterator[tuple[int, Arrays]]:
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise InputError(
            "a dask cluster needs the package 'distributed'", hint="Install it: pip install 'immunescape[cluster]'."
        ) from None
    own = isinstance(cluster, str)
    client = Client(cluster) if own else cluster
    try:
        futures = {client.submit(work, *jobs[k][1], retries=ATTEMPTS, pure=False): k for k in todo}
        for future in as_completed(list(futures)):
            yield futures[future], future.result()
    finally:
        if own:
            client.close()
