"""Worker processes that are kept between the steps of a ranking: each loads the model once, not at every step."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

__all__ = ["Crew", "crew_of"]

_IMPORTS = ("immunescape.twins.courses", "immunescape.twins.growth", "pandas", "scipy.special")


class Crew:
    """Makes independent tasks on some processes, which start at the first need and end with the crew.

    Parameters
    ----------
    workers
        Processes; with one, tasks are made in this process. No result depends on it.
    """

    def __init__(self, workers: int = 1) -> None:
        self.workers = workers
        self._team: Any = None

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def make(
        self,
        name: str,
        work: Callable[..., Any],
        tasks: Sequence[tuple[Any, ...]],
        *,
        keep: Callable[[int, Any], None] | None = None,
        prepare: Callable[[], Any] | None = None,
    ) -> list[Any]:
        """Call ``work(*task)`` for each task.

        Parameters
        ----------
        name
            What messages call a task.
        work, tasks
            A function of an installed module, and its arguments.
        keep
            Called with (place of the task, result) as results come in.
        prepare
            Called in this process before tasks go to others, for example to compile what all of them load.

        Returns
        -------
        The results, in the order of the tasks.
        """
        made: dict[int, Any] = {}

        def take(key: Hashable, result: Any) -> None:
            place = int(str(key))
            made[place] = result
            if keep is not None:
                keep(place, result)

        if self.workers <= 1 or len(tasks) == 1:
            for k, task in enumerate(tasks):
                take(k, work(*task))
        elif tasks:
            if prepare is not None:
                prepare()
            try:
                team = self._started()
                for k, task in enumerate(tasks):
                    team.submit(k, f"{name} {k + 1} of {len(tasks)}", work, *task)
                while team.under_way:
                    team.take(take)
            except BaseException:
                self.close()  # tasks under way are nobody's any more
                raise
        return [made[k] for k in range(len(tasks))]

    def _started(self) -> Any:
        if self._team is None:
            from immunescape.parallel import open_team

            self._team = open_team(self.workers, imports=_IMPORTS)
        return self._team

    def close(self) -> None:
        """End the processes; a later task starts new ones."""
        team, self._team = self._team, None
        if team is not None:
            team.close()


@contextmanager
def crew_of(workers: int | Crew) -> Iterator[Crew]:
    """Give a crew of so many processes, which ends here, or the one that was passed on, which its maker ends."""
    if isinstance(workers, Crew):
        yield workers
        return
    with Crew(workers) as crew:
        yield crew
