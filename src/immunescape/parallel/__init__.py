"""Independent tasks on worker processes of this machine or of a dask cluster, behind one call.

`open_team` gives a team: `submit` hands it a task, `take` waits and hands over what is finished. A task is a function
of an installed module and its arguments; its result depends on nothing else, so results do not depend on where it runs.
A task whose worker dies runs again; one that kills its workers again and again is reported by its name.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from immunescape.parallel.interrupts import Terminated, deferred_interrupts, exit_code, terminate_like_interrupt
from immunescape.parallel.processes import ProcessTeam, WorkerLost, start_server

__all__ = [
    "ProcessTeam",
    "Task",
    "Team",
    "Terminated",
    "WorkerLost",
    "deferred_interrupts",
    "exit_code",
    "make_all",
    "open_team",
    "start_server",
    "terminate_like_interrupt",
    "usable_cores",
]

Keep = Callable[[Hashable, Any], None]


def usable_cores() -> int:
    """Cores that this process may use: the default number of workers."""
    return max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1))


class Team(Protocol):
    """Workers that make tasks side by side."""

    @property
    def width(self) -> int:
        """Tasks that should be under way, so that no worker waits; it follows workers that come and go."""

    @property
    def under_way(self) -> int:
        """Tasks that were submitted and not handed over yet."""

    def submit(self, key: Hashable, name: str, work: Callable[..., Any], *args: Any) -> None:
        """Have ``work(*args)`` computed; `key` comes back with the result, `name` is what messages call the task."""

    def take(self, keep: Keep) -> None:
        """Wait until a task is finished; call ``keep(key, result)`` for all that are, which no signal interrupts.

        Raises
        ------
        Exception
            What a task raised; `WorkerLost` for one that ended its worker again and again.
        """

    def rescue(self, keep: Keep, patience: float = 2.0) -> None:
        """After an interruption: hand over what is finished, or will be within `patience` seconds."""

    def close(self) -> None:
        """End the workers (processes of this machine) or leave them (a cluster); tasks under way are given up."""


def open_team(
    workers: int, cluster: Any = None, *, tasks_per_worker: int | None = None, imports: Sequence[str] = ()
) -> Team:
    """Return worker processes, or where `cluster` is given (a ``distributed.Client`` or an address) its workers.

    `imports` are modules that the tasks need; see `ProcessTeam`.
    """
    if cluster is None:
        from immunescape.engine.native.cache import settle_folder

        settle_folder()
        return ProcessTeam(workers, tasks_per_worker=tasks_per_worker, imports=imports)
    from immunescape.parallel.cluster import ClusterTeam

    return ClusterTeam(cluster)


class Task(NamedTuple):
    """``work(*arguments)``; `key` comes back with the result, `name` is what messages call the task."""

    key: Hashable
    name: str
    work: Callable[..., Any]
    arguments: tuple[Any, ...]


def make_all(team: Team, tasks: Iterable[Task], keep: Keep) -> None:
    """Have tasks computed side by side, begun in their order; ends the team.

    Parameters
    ----------
    team
        The workers.
    tasks
        The tasks; each is asked for when a worker is free.
    keep
        Called with the key and the result of each task, and after an interruption of those that are finished.
    """
    waiting = iter(tasks)
    try:
        following = next(waiting, None)
        while following is not None or team.under_way:
            while following is not None and team.under_way < team.width:
                team.submit(following.key, following.name, following.work, *following.arguments)
                following = next(waiting, None)
            team.take(keep)
    except BaseException:
        team.rescue(keep)
        raise
    finally:
        team.close()
