"""Worker processes that can be started from anywhere, end with their parent, and whose death does not end a run.

Each worker has a pipe of its own, so that it is certain which task a dead worker held: that task alone runs again, and
the other workers go on (`concurrent.futures` gives up all of them and all of their tasks).
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import types
import warnings
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from immunescape.errors import ImmunescapeError
from immunescape.parallel.interrupts import deferred_interrupts

__all__ = ["ATTEMPTS", "ProcessTeam", "WorkerLost", "start_server"]

ATTEMPTS = 3
"""Times that a task may end its worker; the last time no other task runs beside it, so that it has all the memory."""
_METHOD = "forkserver" if sys.platform == "linux" else "spawn"
"""Workers start from nothing (spawn), or are forked from a server process that did and has no threads but its own: to
fork this process would copy locks that its threads hold."""
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_SECONDS_TO_END = 5.0


class WorkerLost(ImmunescapeError):
    """A task whose worker process died each time that it was tried."""


@dataclass
class _Task:
    key: Hashable
    name: str
    message: bytes
    deaths: int = 0

    @property
    def alone(self) -> bool:
        return self.deaths == ATTEMPTS - 1


@dataclass(eq=False)
class _Worker:
    process: Any
    pipe: Connection
    task: _Task | None = None
    made: int = 0


def start_server(imports: Sequence[str]) -> None:
    """Start the process that workers are forked from, where there is one, so that it imports while the caller goes on.

    Parameters
    ----------
    imports
        Modules that the tasks will need.
    """
    if _METHOD != "forkserver":
        return
    from multiprocessing import forkserver

    multiprocessing.get_context("forkserver").set_forkserver_preload([*imports])
    with suppress(OSError), deferred_interrupts(), _hidden_main(), _interrupts_blocked():
        forkserver.ensure_running()  # where it cannot, workers start from nothing


class ProcessTeam:
    """Worker processes of this machine; see :class:`immunescape.parallel.Team`.

    Parameters
    ----------
    size
        Processes at most; each is started when there is a task for it.
    tasks_per_worker
        Tasks after which a process is replaced by a new one, which gives back memory that libraries leaked.
    imports
        Modules that the tasks need. Where processes are forked from a server (Linux), it imports them once for all.
    """

    def __init__(self, size: int, *, tasks_per_worker: int | None = None, imports: Sequence[str] = ()) -> None:
        self.size, self.tasks_per_worker, self.imports = size, tasks_per_worker, tuple(imports)
        self._workers: list[_Worker] = []
        self._waiting: deque[_Task] = deque()
        self._finished: deque[tuple[_Task, bool, Any]] = deque()

    @property
    def width(self) -> int:
        """One task for each process, and one that the first to be ready gets."""
        return self.size + 1

    @property
    def under_way(self) -> int:
        """Tasks that were submitted and not handed over yet."""
        return len(self._waiting) + len(self._finished) + len(self._busy())

    @property
    def processes(self) -> list[int]:
        """Numbers of the processes that run."""
        return [w.process.pid for w in self._workers]

    def submit(self, key: Hashable, name: str, work: Callable[..., Any], *args: Any) -> None:
        """Have a task computed."""
        with deferred_interrupts():
            self._waiting.append(_Task(key, name, pickle.dumps((work, args), protocol=5)))
            self._assign()

    def take(self, keep: Callable[[Hashable, Any], None]) -> None:
        """Wait until a task is finished, and hand over all that are."""
        while not self._finished:
            busy = self._busy()
            if not busy:
                raise RuntimeError("no task is running")
            wait([x for w in busy for x in (w.pipe, w.process.sentinel)])
            with deferred_interrupts():
                self._receive()
                self._assign()
        with deferred_interrupts():
            self._hand_over(keep)

    def rescue(self, keep: Callable[[Hashable, Any], None], patience: float = 2.0) -> None:
        """Hand over what is finished, or will be within `patience` seconds; nothing new is begun."""
        end = time.monotonic() + patience
        with deferred_interrupts():
            self._waiting.clear()
            while busy := self._busy():
                if not wait([w.pipe for w in busy], max(0.0, end - time.monotonic())):
                    break
                with suppress(WorkerLost):
                    self._receive()
                self._waiting.clear()
            while self._finished:
                with suppress(Exception):  # another error is on its way
                    self._hand_over(keep)

    def close(self) -> None:
        """End the processes: those at rest by themselves, those at work at once."""
        with deferred_interrupts():
            self._waiting.clear()
            for worker in self._workers:
                worker.pipe.close()  # one at rest reads the end of its pipe
                if worker.task is not None:
                    worker.process.kill()
            for worker in self._workers:
                worker.process.join(_SECONDS_TO_END)
                if worker.process.is_alive():
                    worker.process.kill()
                    worker.process.join()
            self._workers.clear()

    def _busy(self) -> list[_Worker]:
        return [w for w in self._workers if w.task is not None]

    def _assign(self) -> None:
        """Give tasks to the processes at rest; start processes as long as there are fewer than wished for."""
        while self._waiting:
            busy = self._busy()
            if len(busy) >= self.size or any(w.task.alone for w in busy if w.task):
                return
            if self._waiting[0].alone and busy:
                return
            worker = next((w for w in self._workers if w.task is None), None) or self._start()
            worker.task = self._waiting.popleft()
            with suppress(OSError):  # it died: its pipe ends, which is found when the parent next waits
                worker.pipe.send_bytes(worker.task.message)

    def _start(self) -> _Worker:
        try:
            pipe, process = self._process(_METHOD)
        except OSError:  # the server's socket needs a temporary folder whose path is short
            if _METHOD == "spawn":
                raise
            pipe, process = self._process("spawn")
        worker = _Worker(process, pipe)
        self._workers.append(worker)
        return worker

    def _process(self, method: str) -> tuple[Connection, Any]:
        context: Any = multiprocessing.get_context(method)
        if method == "forkserver":
            context.set_forkserver_preload([*self.imports])
        pipe, far_end = context.Pipe()
        process = context.Process(target=_serve, args=(far_end, dict(os.environ)), daemon=True)
        try:
            with _hidden_main(), _interrupts_blocked():
                process.start()
        except OSError:
            pipe.close()
            raise
        finally:
            far_end.close()
        return pipe, process

    def _receive(self) -> None:
        """Read the answers that are there; put aside workers that died or have made their number of tasks."""
        for worker in self._busy():
            try:
                if not worker.pipe.poll():
                    if worker.process.is_alive():
                        continue
                    raise EOFError
                succeeded, value = pickle.loads(worker.pipe.recv_bytes())
            except (EOFError, OSError):
                self._bury(worker)
                continue
            assert worker.task is not None
            self._finished.append((worker.task, succeeded, value))
            worker.task, worker.made = None, worker.made + 1
            if worker.made == self.tasks_per_worker:
                self._workers.remove(worker)
                worker.pipe.close()
                worker.process.join(_SECONDS_TO_END)

    def _bury(self, worker: _Worker) -> None:
        task = worker.task
        assert task is not None
        self._workers.remove(worker)
        worker.pipe.close()
        worker.process.join(_SECONDS_TO_END)
        how = _how_it_ended(worker.process.exitcode)
        task.deaths += 1
        if task.deaths < ATTEMPTS:
            alone = ", with no other beside it" if task.alone else ""
            warnings.warn(
                f"a worker process {how} while it made {task.name}; it is repeated (attempt {task.deaths + 1} of "
                f"{ATTEMPTS}{alone})",
                stacklevel=2,
            )
            self._waiting.appendleft(task)
            return
        error = WorkerLost(
            f"{task.name} ended its worker process {ATTEMPTS} times (the last one {how})",
            hint="Memory may have run out: use fewer workers. What was finished is kept; the same command resumes.",
        )
        self._finished.append((task, False, error))

    def _hand_over(self, keep: Callable[[Hashable, Any], None]) -> None:
        failure: BaseException | None = None
        while self._finished:
            task, succeeded, value = self._finished.popleft()
            if succeeded:
                keep(task.key, value)
            else:
                failure = failure or value
        if failure is not None:  # what others finished is kept by now
            raise failure


def _how_it_ended(code: int | None) -> str:
    if code is None:
        return "was lost"
    if code < 0:
        with suppress(ValueError):
            return f"was killed ({signal.Signals(-code).name})"
        return f"was killed (signal {-code})"
    return f"ended with exit code {code}"


def _serve(pipe: Connection, environment: dict[str, str]) -> None:
    """Make tasks until the pipe ends: main function of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    if environment != dict(os.environ):  # the server that forked this process has that of the time when it began
        os.environ.clear()
        os.environ.update(environment)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    end_with_parent()
    while True:
        try:
            message = pipe.recv_bytes()
        except (EOFError, OSError):
            break
        try:
            work, args = pickle.loads(message)
            answer = pickle.dumps((True, work(*args)), protocol=5)
        except Exception as error:
            answer = _failure(error)
        try:
            pipe.send_bytes(answer)
        except OSError:
            break
    cache = sys.modules.get("immunescape.engine.native.cache")
    if cache is not None:
        cache.remove_spare()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # nothing is left to tidy, and libraries take long to unload


def _failure(error: Exception) -> bytes:
    try:
        answer = pickle.dumps((False, error), protocol=5)
        pickle.loads(answer)  # some exceptions can be written and not be read
        return answer
    except Exception:
        text = f"{type(error).__name__} in a worker process: {error}"
        return pickle.dumps((False, ImmunescapeError(text)), protocol=5)


def end_with_parent() -> None:
    """End this process when the one that started it ends, however that comes about.

    Linux ends it by itself; everywhere a thread watches the parent, which also covers that the parent was gone before.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    starter = multiprocessing.parent_process()
    if starter is None:
        return

    def watch() -> None:
        wait([starter.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="end-with-parent").start()


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Start a process with Ctrl-C and SIGTERM blocked until it knows what to do with them.

    A blocked signal waits; the caller has the signals of this process held back.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # it changes the mask when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _hidden_main() -> Iterator[None]:
    """Keep a starting process from running the caller's main script again.

    Spawned processes import the main module of their parent. A script that calls us without an
    ``if __name__ == "__main__":`` guard would so start itself over in each of them. Tasks are functions of installed
    modules, so the main module is hidden while a process starts.
    """
    main = sys.modules["__main__"]
    if not hasattr(main, "__file__") and getattr(main, "__spec__", None) is None:
        yield
        return
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
