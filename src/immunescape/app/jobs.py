"""Long computations in processes of their own: progress, cancelling, limits; the page stays alive beside them.

A job is a function of `immunescape.app.tasks`, named by a word, with a request of plain data and a private folder for
the files that it writes. Between the processes go JSON texts, nothing else.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from immunescape.errors import ImmunescapeError, InputError

__all__ = ["AppJob", "JobState", "Jobs"]

Progress = Callable[[int, int], None]
_REPORT_SECONDS = 0.2
_END_SECONDS = 5.0


@dataclass(frozen=True)
class JobState:
    """How far a job is.

    Attributes
    ----------
    status : ``running``, ``done``, ``failed`` or ``cancelled``. done, total : progress; total 0: not known yet.
    text : what is wrong, where it failed. result : what the task returned, where it is done.
    """

    status: str = "running"
    done: int = 0
    total: int = 0
    text: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)


class AppJob:
    """One computation in a process of its own; ends with the process that started it.

    Parameters
    ----------
    task
        Name in `immunescape.app.tasks.TASKS`.
    request
        What to compute, as plain data.
    folder
        Folder for the files of the job; it exists.
    seconds
        After so many seconds the job is ended.
    """

    def __init__(self, task: str, request: Mapping[str, Any], folder: Path, seconds: float) -> None:
        self.folder, self.seconds = folder, seconds
        self.state = JobState()
        self._began = time.monotonic()
        context = multiprocessing.get_context("spawn")
        self._pipe, far = context.Pipe(duplex=False)
        text = json.dumps(dict(request))
        self._process = context.Process(target=_work, args=(far, task, text, str(folder)), daemon=True, name=task)
        self._process.start()
        far.close()

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process.is_alive()

    def poll(self) -> JobState:
        """Take in what the process has reported; returns how far the job is."""
        if self.state.status != "running":
            return self.state
        ended = not self._process.is_alive()  # before the pipe is read: what it sent last is then in it
        with suppress(EOFError, OSError):
            while self.state.status == "running" and self._pipe.poll():
                self._take(json.loads(self._pipe.recv_bytes()))
        if self.state.status == "running" and ended:
            code = self._process.exitcode
            why = f"The computation ended unexpectedly (exit code {code}); the machine may lack memory."
            self.state = replace(self.state, status="failed", text=why)
        if self.state.status == "running" and time.monotonic() - self._began > self.seconds:
            self._end()
            text = f"Ended after {self.seconds:g} seconds, the app's limit: ask for less, or use the command line."
            self.state = replace(self.state, status="failed", text=text)
        return self.state

    def cancel(self) -> None:
        """End the process, and what it started, at once."""
        self._end()
        if self.state.status == "running":
            self.state = replace(self.state, status="cancelled")

    def _take(self, message: Mapping[str, Any]) -> None:
        kind = message["kind"]
        if kind == "progress":
            self.state = replace(self.state, done=message["done"], total=message["total"])
        elif kind == "done":
            self.state = replace(self.state, status="done", result=message["result"])
        else:
            self.state = replace(self.state, status="failed", text=message["text"])

    def _end(self) -> None:
        pid = self._process.pid
        if self._process.is_alive() and pid is not None:
            with suppress(OSError):
                _kill_all(pid)
            self._process.kill()
        self._process.join(_END_SECONDS)
        self._pipe.close()


def _kill_all(pid: int) -> None:
    """Kill a process and what it started; only where it leads a group of its own already."""
    if os.name == "posix" and os.getpgid(pid) == pid:
        os.killpg(pid, signal.SIGKILL)


class Jobs:
    """Starts jobs, not more than so many at once over all sessions.

    Parameters
    ----------
    most
        Jobs at once.
    seconds
        Longest job.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self.most, self.seconds = most, seconds
        self._running: list[AppJob] = []
        self._guard = threading.Lock()

    def start(self, task: str, request: Mapping[str, Any], folder: Path) -> AppJob:
        """Start a job.

        Raises
        ------
        InputError
            Where as many jobs run as may.
        """
        with self._guard:
            # one that has sent its result is finished, though its process may still be on its way out
            self._running = [job for job in self._running if job.alive and job.state.status == "running"]
            if len(self._running) >= self.most:
                raise InputError(
                    f"{len(self._running)} computations are running, as many as the app runs at once",
                    hint="Wait until one is finished, or use the command line.",
                )
            job = AppJob(task, request, folder, self.seconds)
            self._running.append(job)
            return job

    def close(self) -> None:
        """End all jobs."""
        with self._guard:
            for job in self._running:
                job.cancel()
            self._running = []


def _work(pipe: Connection, task: str, text: str, folder: str) -> None:
    """Body of the process: run the task, report progress, send what came of it."""
    if os.name == "posix":
        os.setsid()  # a group of its own, which is ended as a whole; Ctrl-C in the terminal is its parent's matter
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.pop("IMMUNESCAPE_ALLOW_OUTSIDE", None)  # what a user sends may never name files outside of it
    said = [0.0]

    def send(message: Mapping[str, Any]) -> None:
        pipe.send_bytes(json.dumps(message, allow_nan=False, default=str).encode())

    def progress(done: int, total: int) -> None:
        if time.monotonic() - said[0] > _REPORT_SECONDS or done >= total:
            said[0] = time.monotonic()
            send({"kind": "progress", "done": int(done), "total": int(total)})

    try:
        from immunescape.app.tasks import TASKS

        send({"kind": "done", "result": TASKS[task](json.loads(text), Path(folder), progress)})
    except ImmunescapeError as error:
        said_of = str(error)
        for place in filter(None, (folder, str(json.loads(text).get("study") or ""))):
            said_of = said_of.replace(f"{place}/", "").replace(place, "the files")
        send({"kind": "failed", "text": said_of})
    except MemoryError:
        send({"kind": "failed", "text": "The computation needs more memory than is available: ask for less."})
    except Exception as error:  # a fault of the package, which a user should be able to report
        import traceback

        traceback.print_exc()
        send({"kind": "failed", "text": f"Unexpected: {type(error).__name__}; the terminal of the app says where."})
    finally:
        pipe.close()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    if os.name == "posix":
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
