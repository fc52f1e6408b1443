"""Workers of a dask cluster (SLURM, Kubernetes, a few machines): the same call as for processes of this machine.

Workers may come and go: the scheduler gives the tasks of one that left to others. The workers must run the same
immunescape, file by file, or results would depend on where they were computed; each task is checked for that.
Nothing listens here: the client opens a connection to the scheduler, and accepts none.
"""

from __future__ import annotations

import functools
import hashlib
import os
import queue
import socket
import threading
import time
import warnings
from collections.abc import Callable, Hashable
from importlib.resources import files
from pathlib import Path
from typing import Any

from immunescape.errors import ImmunescapeError, InputError
from immunescape.parallel.interrupts import deferred_interrupts

__all__ = ["ClusterTeam", "package_digest"]

AT_LEAST = 64
"""Tasks handed to a cluster whatever its size, so that one that grows by demand sees that there is some."""
_LOOK = 2.0
"""Seconds between two looks at which workers are there."""
_LONELY = 30.0
"""Seconds without a worker after which that is told."""
_CONNECT = "15s"
_HINT = "What was finished is kept; the same command resumes."
_TASK_LOCK = threading.Lock()


@functools.cache
def package_digest() -> str:
    """Hash of all files of the package that a result may depend on."""
    root = Path(str(files("immunescape")))
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.suffix in (".py", ".csv", ".yaml", ".c", ".h", ".in", ".bib"):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _checked(digest: str, work: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """Make a task on a worker of the cluster, if its package is the caller's."""
    if package_digest() != digest:
        raise ImmunescapeError(
            f"the worker on {socket.gethostname()} (process {os.getpid()}) runs a different version of immunescape",
            hint="Install the same version on all machines, and restart the workers.",
        )
    with _TASK_LOCK:  # what a process keeps between tasks is not for two threads at once
        return work(*args)


class ClusterTeam:
    """Workers of a dask cluster; see :class:`immunescape.parallel.Team`.

    Parameters
    ----------
    cluster
        A ``distributed.Client``, or the address of a scheduler (``tcp://…``, ``tls://…``).
    """

    def __init__(self, cluster: Any) -> None:
        try:
            import distributed
        except ImportError:
            raise InputError(
                "a dask cluster needs the package 'distributed'",
                hint="Install it: pip install 'immunescape[cluster]'.",
            ) from None
        self._opened = isinstance(cluster, str)
        self._client = _connect(distributed, cluster) if isinstance(cluster, str) else cluster
        self._futures: dict[Any, tuple[Hashable, str]] = {}
        self._arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._workers: dict[str, int] = dict(self._client.nthreads())
        self._looked = self._someone = time.monotonic()
        self._lonely = False

    @property
    def width(self) -> int:
        """Twice as many tasks as the cluster runs at once."""
        return max(AT_LEAST, 2 * sum(self._workers.values()))

    @property
    def under_way(self) -> int:
        """Tasks that were submitted and not handed over yet."""
        return len(self._futures)

    def submit(self, key: Hashable, name: str, work: Callable[..., Any], *args: Any) -> None:
        """Have a task computed."""
        with deferred_interrupts():
            future = self._client.submit(_checked, package_digest(), work, args, pure=False)
            self._futures[future] = (key, name)
            future.add_done_callback(self._arrived.put)

    def take(self, keep: Callable[[Hashable, Any], None]) -> None:
        """Wait until a task is finished, and hand over all that are."""
        if not self._futures:
            raise RuntimeError("no task is running")
        while self._arrived.empty():
            try:
                self._arrived.put(self._arrived.get(timeout=0.5))
            except queue.Empty:
                pass
            self._look()
        with deferred_interrupts():
            self._hand_over(keep)
        self._look()

    def rescue(self, keep: Callable[[Hashable, Any], None], patience: float = 2.0) -> None:
        """Hand over what is finished, or will be within `patience` seconds."""
        end = time.monotonic() + patience
        with deferred_interrupts():
            while self._futures and time.monotonic() < end:
                try:
                    self._arrived.put(self._arrived.get(timeout=0.1))
                except queue.Empty:
                    continue
                try:
                    self._hand_over(keep)
                except Exception:
                    return  # another error is on its way

    def close(self) -> None:
        """Withdraw the tasks under way; end the connection, if it was opened here."""
        with deferred_interrupts():
            if self._futures:
                self._client.cancel(list(self._futures), force=True)
                self._futures.clear()
            if self._opened:
                self._client.close()

    def _hand_over(self, keep: Callable[[Hashable, Any], None]) -> None:
        import concurrent.futures

        from distributed import CancelledError, KilledWorker

        failure: BaseException | None = None
        while not self._arrived.empty():
            future = self._arrived.get()
            key, name = self._futures.pop(future, (None, ""))
            if not name:  # withdrawn
                continue
            try:
                result = future.result(timeout=60)
            except KilledWorker as error:
                died = f"{name} ended the worker that made it again and again (the last: {error.last_worker.address})"
                failure = ImmunescapeError(died, hint=f"Memory may have run out: give workers more. {_HINT}")
            except (CancelledError, concurrent.futures.CancelledError, TimeoutError):
                failure = ImmunescapeError("the scheduler of the cluster was lost", hint=_HINT)
            except Exception as error:
                failure = error
            else:
                keep(key, result)
        if failure is not None:
            raise failure

    def _look(self) -> None:
        """Look now and then which workers are there; tell of those that left, and of a cluster without any."""
        now = time.monotonic()
        if now - self._looked < _LOOK:
            return
        self._looked = now
        try:
            there = dict(self._client.nthreads())
        except Exception:  # the connection is being made again, or was lost, which tasks then tell
            return
        for address in sorted(set(self._workers) - set(there)):
            warnings.warn(f"worker {address} left the cluster; its tasks are repeated by others", stacklevel=3)
        self._workers = there
        if there:
            self._someone, self._lonely = now, False
        elif now - self._someone > _LONELY and not self._lonely:
            self._lonely = True
            warnings.warn("the cluster has no worker; waiting for one", stacklevel=3)


def _connect(distributed: Any, address: str) -> Any:
    try:
        return distributed.Client(address, timeout=_CONNECT, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise InputError(
            f"no dask scheduler answers at '{address}': {str(error).splitlines()[0] if str(error) else 'no answer'}",
            hint="Give the address that `dask scheduler` prints, such as tcp://127.0.0.1:8786.",
        ) from None
