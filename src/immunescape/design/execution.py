"""Runs independent blocks of replicates: in this process, in several, or on a dask cluster, with one call.

A block depends on its number alone, so results do not depend on where or in which order blocks run. If a worker dies,
only its unfinished blocks are lost; they are run again. With a folder, finished blocks are kept and a run can be
resumed or extended.
"""

from __future__ import annotations

import hashlib
import pickle
import time
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.files import check_folder, whole_file
from immunescape.parallel import Task, deferred_interrupts, make_all, open_team

__all__ = ["BlockFolder", "fingerprint", "run_blocks"]

Arrays = dict[str, NDArray[Any]]
Job = tuple[Any, ...]
Work = Callable[..., Arrays]


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
        """A stored block; None if there is none or it is damaged."""
        if self.folder is None:
            return None
        try:
            with np.load(self.folder / f"{name}.npz", allow_pickle=False) as arrays:
                return {key: arrays[key] for key in arrays.files}
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
    patience : seconds; processes are started only if the first block shows that the rest would take longer here.
    """
    if workers < 1:
        raise InputError(f"the number of workers is {workers}", hint="Use at least one.")
    store = BlockFolder(folder)
    results: list[Arrays | None] = [store.read(name) for name, _ in jobs]
    todo = [k for k, r in enumerate(results) if r is None]
    done = len(jobs) - len(todo)
    if folder is not None and todo:
        check_folder(folder)
    if progress is not None:
        progress(done, len(jobs))

    def keep(k: Hashable, arrays: Arrays) -> None:
        nonlocal done
        assert isinstance(k, int)
        results[k] = arrays
        store.write(jobs[k][0], arrays)
        done += 1
        if progress is not None:
            progress(done, len(jobs))

    def here(k: int) -> None:
        arrays = work(*jobs[k][1])
        with deferred_interrupts():
            keep(k, arrays)

    if cluster is None and workers > 1 and patience > 0 and todo:
        began = time.perf_counter()
        here(todo.pop(0))
        if (time.perf_counter() - began) * len(todo) < patience:
            workers = 1
    if cluster is None and (workers == 1 or len(todo) <= 1):
        for k in todo:
            here(k)
    elif todo:
        tasks = (Task(k, f"block '{jobs[k][0]}'", work, tuple(jobs[k][1])) for k in todo)
        make_all(open_team(min(workers, len(todo)), cluster), tasks, keep)
    return [r for r in results if r is not None]
