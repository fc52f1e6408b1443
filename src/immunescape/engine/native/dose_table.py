"""Doses of a job as the table of changes that compiled code walks through: boluses, rates of infusion, moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunescape.engine.api import Doses, Job
from immunescape.engine.codegen.layout import Layout
from immunescape.engine.ir.time_features import TimeFeatures
from immunescape.engine.native.job_struct import NUMBERS
from immunescape.engine.native.places import IN_X, IN_Z, Places
from immunescape.errors import EngineError

__all__ = ["DoseTable", "dose_table", "infuses_still_state", "with_moments"]

FloatArray = NDArray[np.float64]

_ADD_X, _ADD_Z, _SET_RATE, _INPUT_TURNS, _INPUT_JUMPS = (
    NUMBERS[name] for name in ("ADD_X", "ADD_Z", "SET_RATE", "INPUT_TURNS", "INPUT_JUMPS")
)


@dataclass(kw_only=True)
class DoseTable:
    """Doses of all patients as one list of changes.

    Attributes
    ----------
    row : (n,) the row of each patient. start : (rows + 1,) where the changes of a row begin in the arrays below.
    time, kind, index, value : (changes,) day, what happens (`kind` as in ``driver.h``), to which state, how much.
    slots : states that are infused, by the number that a change of a rate names.
    """

    row: NDArray[np.int64]
    start: NDArray[np.int64]
    time: FloatArray
    kind: NDArray[np.int32]
    index: NDArray[np.int32]
    value: FloatArray
    slots: NDArray[np.int32]


def _shared_tables(job: Job) -> tuple[list[Doses], NDArray[np.int64]]:
    """Return the different tables of doses, and which of them each patient has (n,)."""
    if job.doses is None:
        return [Doses.none()], np.zeros(job.n, dtype=np.int64)
    if isinstance(job.doses, Doses):
        return [job.doses], np.zeros(job.n, dtype=np.int64)
    # Patients who share a table of doses share its rows: an arm of thousands has one table as a rule.
    position: dict[int, int] = {}
    tables: list[Doses] = []
    row = np.empty(job.n, dtype=np.int64)
    for i, doses in enumerate(job.doses):
        if id(doses) not in position:
            position[id(doses)] = len(tables)
            tables.append(doses)
        row[i] = position[id(doses)]
    return tables, row


def _joined(arrays: Sequence[FloatArray]) -> FloatArray:
    return np.concatenate([np.asarray(a, dtype=float).reshape(-1) for a in arrays]) if arrays else np.empty(0)


def dose_table(job: Job, start: float, places: Places) -> DoseTable:
    """Return the doses of all patients as changes: what is added at once, and rates of infusion from then on.

    Parameters
    ----------
    job
        With a table of doses for all patients, or one for each.
    start
        Day on which the integration starts; what was given at once before it is in the initial state.
    places
        Where the model keeps its states.

    Raises
    ------
    EngineError
        For a state that does not exist, or an infusion into one that nothing integrates.
    """
    tables, row = _shared_tables(job)
    names: dict[str, int] = {}
    targets = np.array([names.setdefault(t, len(names)) for d in tables for t in d.target], dtype=np.int64)
    length = np.array([len(d.target) for d in tables])
    time = _joined([d.time for d in tables])
    amount = _joined([d.amount for d in tables])
    duration = _joined([d.duration for d in tables])
    owner = np.repeat(np.arange(len(tables)), length)
    slots = [places.state(name, "dosed state") for name in names]
    where = np.array([w for w, _ in slots], dtype=np.int64)
    index = np.array([i for _, i in slots], dtype=np.int64)
    # A bolus before the start is in the initial state already; an infusion that still runs then counts from the start.
    bolus = (duration == 0) & (time >= start)
    infusion = (duration > 0) & (time + duration > start)
    infused = np.unique(targets[infusion])
    # States that nothing integrates are constants of the compiled code; a rate has nowhere to go there.
    if np.any(where[infused] == IN_Z):
        raise EngineError("an infusion needs a state with a rate of its own")
    # Only infused states get a slot for an input rate, so that the rates of all others need no addition.
    slot = np.full(len(names), -1)
    slot[infused] = np.arange(len(infused))
    rates = _infusions(
        owner[infusion], slot[targets[infusion]], time[infusion], duration[infusion], amount[infusion], start
    )
    target = targets[bolus]
    columns = [
        np.concatenate([owner[bolus], rates[0]]),
        np.concatenate([time[bolus], rates[1]]),
        np.concatenate(
            [
                np.where(where[target] == IN_X, _ADD_X, _ADD_Z) if len(target) else target,
                np.full(len(rates[0]), _SET_RATE),
            ]
        ),
        np.concatenate([index[target] if len(target) else target, rates[2]]),
        np.concatenate([amount[bolus], rates[3]]),
    ]
    # Sorted by table, time, kind and place: doses at one moment act in an order that does not depend on how they were
    # listed, and the integrator walks through a table without searching.
    order = np.lexsort((columns[3], columns[2], columns[1], columns[0]))
    owner, time, kind, position, value = (c[order] for c in columns)
    first = np.searchsorted(owner, np.arange(len(tables) + 1)).astype(np.int64)
    return DoseTable(
        row=row,
        start=first,
        time=np.ascontiguousarray(time, dtype=float),
        kind=kind.astype(np.int32),
        index=position.astype(np.int32),
        value=np.ascontiguousarray(value, dtype=float),
        slots=(index[infused] if len(infused) else infused).astype(np.int32),
    )


def with_moments(actions: DoseTable, layout: Layout, job: Job) -> DoseTable:
    """Return the doses, and between them the moments at which inputs jump or turn with time alone."""
    features = TimeFeatures.from_record(layout.clock)
    if job.stop is not None and job.stop.quantity in layout.clock_of:
        features = features + TimeFeatures.from_record(layout.clock_of[job.stop.quantity])
    if not features.features or not job.n:
        return actions
    # The integrator must stop where an input jumps or turns: a step across it would lose its order of accuracy, and one
    # across a short pulse would miss the pulse altogether.
    start, end = float(job.times[0]), float(job.times[-1])
    moments = features.moments(job.n, layout.defaults, job.parameters, start, end)
    rows: dict[tuple[int, int], int] = {}
    row = np.empty(job.n, dtype=np.int64)
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in ("time", "kind", "index", "value")}
    sizes: list[int] = []
    for i, (times, jumps) in enumerate(moments):
        dosing = int(actions.row[i])
        # Patients with the same doses and the same moments share a row.
        key = (dosing, id(times))
        if key not in rows:
            rows[key] = len(sizes)
            mine = slice(actions.start[dosing], actions.start[dosing + 1])
            time = np.concatenate([actions.time[mine], times])
            order = np.argsort(time, kind="stable")  # doses before a jump of the same moment, as they were sorted
            nothing = np.zeros(len(times))
            extra = {"time": times, "kind": np.where(jumps > 0, _INPUT_JUMPS, _INPUT_TURNS)}
            for name, collected in parts.items():
                collected.append(np.concatenate([getattr(actions, name)[mine], extra.get(name, nothing)])[order])
            sizes.append(len(time))
        row[i] = rows[key]
    columns = {name: np.concatenate(collected) for name, collected in parts.items()}
    return DoseTable(
        row=row,
        start=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        time=columns["time"],
        kind=columns["kind"].astype(np.int32),
        index=columns["index"].astype(np.int32),
        value=columns["value"],
        slots=actions.slots,
    )


def _infusions(
    owner: NDArray[np.int64],
    slot: NDArray[np.int64],
    time: FloatArray,
    duration: FloatArray,
    amount: FloatArray,
    start: float,
) -> tuple[NDArray[np.int64], FloatArray, NDArray[np.int64], FloatArray]:
    """Total input rate of each owner and slot from each change on: (owner, time, slot, rate) of each moment."""
    if not len(owner):
        empty = np.empty(0, dtype=np.int64)
        return empty, np.empty(0), empty, np.empty(0)
    # Overlapping infusions of one state add up. The total from each moment on is summed anew from those that run, in
    # place of adding and subtracting rates: it is exactly zero when the last one ends.
    rate = amount / duration
    changes: list[tuple[int, float, int, float]] = []
    begins, ends = np.maximum(time, start), time + duration
    groups: dict[tuple[int, int], list[int]] = {}
    for k, key in enumerate(zip(owner.tolist(), slot.tolist(), strict=True)):
        groups.setdefault(key, []).append(k)
    for (who, which), members in groups.items():
        moments = np.unique(np.concatenate([begins[members], ends[members]]))
        for moment in moments.tolist():
            total = sum(float(rate[k]) for k in members if begins[k] <= moment < ends[k])
            changes.append((who, moment, which, total))
    o, t, s, r = zip(*changes, strict=True)
    return np.array(o, dtype=np.int64), np.array(t), np.array(s, dtype=np.int64), np.array(r)


def infuses_still_state(layout: Layout, job: Job) -> bool:
    """Whether something is infused into a state that only events and doses change; generated code keeps those fixed."""
    tables = [] if job.doses is None else [job.doses] if isinstance(job.doses, Doses) else job.doses
    still = set(layout.states) - set(layout.integrated)
    unique = {id(d): d for d in tables}.values() if still else ()
    return any(t in still and length > 0 for d in unique for t, length in zip(d.target, d.duration, strict=True))
