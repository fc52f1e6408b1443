"""Worker processes that can be started from anywhere: a script without a ``__main__`` guard, a notebook, a terminal."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

__all__ = ["WorkerPool"]


class WorkerPool(ProcessPoolExecutor):
    """A pool of spawned processes that do not run the caller's main script again.

    Spawned processes import the main module of their parent. A script that calls us without an
    ``if __name__ == "__main__":`` guard would so start itself over in each of them. Tasks of this pool are functions of
    installed modules, so the main module is hidden while a process starts.
    """

    def __init__(
        self,
        workers: int,
        *,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        tasks_per_worker: int | None = None,
    ) -> None:
        super().__init__(
            workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=initializer,
            initargs=initargs,
            max_tasks_per_child=tasks_per_worker,
        )

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Submit a task; see :class:`concurrent.futures.Executor`."""
        with _hidden_main(), _deaf_to_interrupts():
            return super().submit(fn, *args, **kwargs)

    def _adjust_process_count(self) -> None:
        # also called from the executor's own thread, when a process is replaced
        with _hidden_main(), _deaf_to_interrupts():
            super()._adjust_process_count()  # type: ignore[misc]


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Start processes that ignore Ctrl-C: it is the parent's to stop them, once what is finished is kept."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _hidden_main() -> Iterator[None]:
    main = sys.modules["__main__"]
    if not hasattr(main, "__file__") and getattr(main, "__spec__", None) is None:
        yield
        return
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
