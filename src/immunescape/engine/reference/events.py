"""Events with the semantics of SBML Level 3: delays, priorities, persistence, values at trigger time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from immunescape.engine.ir.expressions import ZERO
from immunescape.engine.ir.system import Event
from immunescape.engine.reference.problem import Problem
from immunescape.errors import EngineError

__all__ = ["EventQueue", "EventTable"]

FloatArray = NDArray[np.float64]
_LIMIT = 10_000
_CROWD, _CLOSE = 1000, 1e-9
"""So many moments with events in a row, each within this share of the job after the one before, come to no end."""


class EventTable:
    """The events of a problem with their formulas compiled."""

    def __init__(self, problem: Problem) -> None:
        self.events: tuple[Event, ...] = problem.system.events
        self.triggers = problem.triggers
        self.delays = problem.function([e.delay or ZERO for e in self.events])
        self.priorities = problem.function([e.priority or ZERO for e in self.events])
        self.values = [problem.function([value for _, value in e.assignments]) for e in self.events]
        index = {name: i for i, name in enumerate(problem.system.state_names)}
        for event in self.events:
            for name, _ in event.assignments:
                if name not in index:
                    raise EngineError(f"event '{event.name}' assigns '{name}', which other equations determine")
        self.targets = [[index[name] for name, _ in e.assignments] for e in self.events]


@dataclass
class _Pending:
    event: int
    time: float
    values: tuple[float, ...] | None


class EventQueue:
    """Fires and executes the events of one patient; among equal priorities the order is drawn, always the same way."""

    def __init__(self, table: EventTable, span: float) -> None:
        self.table = table
        self._close, self._crowd, self._last = _CLOSE * span, 0, -np.inf
        self.draw = np.random.default_rng(0)
        self.before = [event.initial_value for event in table.events]
        self.pending: list[_Pending] = []

    @property
    def next_time(self) -> float:
        """Time of the next delayed execution."""
        return min((item.time for item in self.pending), default=np.inf)

    def update(self, t: float, x: FloatArray, p: Sequence[float]) -> None:
        """Fire events whose trigger has turned true, and drop those that must not wait any longer."""
        table = self.table
        if not table.events:
            return
        now = [value != 0.0 for value in table.triggers(t, x.tolist(), p)]
        delays: tuple[float, ...] | None = None
        for i, (event, new, old) in enumerate(zip(table.events, now, self.before, strict=True)):
            if old and not new and not event.persistent:
                self.pending = [item for item in self.pending if item.event != i]
            if new and not old:
                delays = delays or table.delays(t, x.tolist(), p)
                if not delays[i] >= 0.0:
                    raise EngineError(f"event '{event.name}' has a delay of {delays[i]} at time {t:g}")
                values = table.values[i](t, x.tolist(), p) if event.use_trigger_values else None
                self.pending.append(_Pending(i, t + delays[i], values))
        self.before = now

    def execute(self, t: float, x: FloatArray, p: Sequence[float]) -> bool:
        """Run all events that are due, highest priority first; changes `x`. Whether any ran."""
        ran = 0
        while due := [item for item in self.pending if item.time <= t]:
            item = due[0]
            if len(due) > 1:
                priorities = self.table.priorities(t, x.tolist(), p)
                events = self.table.events
                ranks = [priorities[d.event] if events[d.event].priority else -np.inf for d in due]
                best = [d for d, rank in zip(due, ranks, strict=True) if rank == max(ranks)]
                item = best[int(self.draw.integers(len(best)))] if max(ranks) > -np.inf else best[0]
            self.pending.remove(item)
            values = item.values if item.values is not None else self.table.values[item.event](t, x.tolist(), p)
            x[self.table.targets[item.event]] = values
            self.update(t, x, p)
            ran += 1
            if ran > _LIMIT:
                raise EngineError(f"events keep firing each other at time {t:g}")
        if ran:
            self._crowd = self._crowd + 1 if t - self._last < self._close else 0
            self._last = t
            if self._crowd >= _CROWD:
                raise EngineError("events follow each other ever faster")
        return ran > 0
