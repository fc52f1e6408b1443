"""Turns a job into the flat arrays that compiled code reads, and runs it in threads that can be interrupted."""

from __future__ import annotations

import ctypes
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunescape.engine.api import FAILED, Doses, Job, Result
from immunescape.engine.jobs import TOLERANCE_SHARE, absolute_tolerances, check_job
from immunescape.engine.layout import Layout
from immunescape.engine.time_features import TimeFeatures
from immunescape.errors import EngineError, unknown_word

__all__ = ["Outcome", "infuses_still_state", "run_batch"]

FloatArray = NDArray[np.float64]

_FLOATS = "times z_default pz px action_time action_value stop_value until atol"
_INDICES = "pz_index px_index action_index slot_state out_index final_index"
_KINDS = "action_kind out_kind final_kind"
_FLAGS = "z_fixed x_fixed need stop_need initial_trigger"
_POINTERS = (
    *((name, "f8") for name in _FLOATS.split()),
    *((name, "i4") for name in f"{_INDICES} {_KINDS}".split()),
    *((name, "i8") for name in ("action_row", "action_start")),
    *((name, "u1") for name in _FLAGS.split()),
)
_SIZES = ("n", "nt", "nout", "npz", "npx", "nslot", "nstate", "max_steps")
_STOPS = ("stop_kind", "stop_index", "stop_rising", "has_stop")
_RESULTS = (
    "values",
    "final",
    "end_time",
    "steps",
    "rejected",
    "status",
    "coarse",
    "unseen",
    "code",
    "next",
    "done",
    "cancel",
    "sensitivities",
)
_IN_X, _IN_Z, _IN_Q = 0, 1, 2
_ADD_X, _ADD_Z, _SET_RATE, _INPUT_TURNS, _INPUT_JUMPS = 0, 1, 2, 3, 4
_POLL = 0.05  # seconds between looks at progress and interrupts


class _Struct(ctypes.Structure):
    """``struct job`` of ``driver.h``, field by field."""

    _fields_ = (
        [(name, ctypes.c_int64) for name in _SIZES]
        + [(name, ctypes.c_void_p) for name, _ in _POINTERS]
        + [("rtol", ctypes.c_double), ("foresight", ctypes.c_double)]
        + [(name, ctypes.c_int64) for name in _STOPS]
        + [(name, ctypes.c_void_p) for name in _RESULTS]
    )


@dataclass(frozen=True)
class Outcome:
    """What compiled code says of a batch: the result (without messages), why patients failed, refused steps.

    `coarse` marks patients in which the size foreseen for a state that starts at zero was far too large.
    """

    result: Result
    code: NDArray[np.int32]
    rejected: NDArray[np.int64]
    coarse: NDArray[np.bool_]


class OnDevice(ABC):
    """Compiled code that works on copies of the arrays of a job, in the memory of another device."""

    @abstractmethod
    def call(self, struct: ctypes.Structure, inputs: dict[str, Any], results: dict[str, Any], n: int) -> None:
        """Integrate `n` patients.

        Parameters
        ----------
        struct
            The job, whose pointers are those of the arrays here.
        inputs, results
            The arrays by the names of the job's pointers; results are to be filled.
        """


class _Places:
    """Where names are kept."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.x, self.z, self.q = layout.positions

    def find(self, name: str, kind: str = "output") -> tuple[int, int]:
        """Array and index of a value that can be read."""
        name = self.layout.alias.get(name, name)
        for where, table in ((_IN_Q, self.q), (_IN_X, self.x), (_IN_Z, self.z)):
            if name in table:
                return where, table[name]
        raise unknown_word(kind, name, [*self.x, *self.z, *self.q, *self.layout.alias], error=EngineError)

    def state(self, name: str, kind: str) -> tuple[int, int]:
        """Array and index of a state."""
        if name in self.x:
            return _IN_X, self.x[name]
        if name in self.layout.states:
            return _IN_Z, self.z[name]
        raise unknown_word(kind, name, self.layout.states, error=EngineError)


def _columns(
    values: Mapping[str, float | FloatArray], n: int, place: Callable[[str], int]
) -> tuple[NDArray[np.int32], FloatArray]:
    """Overrides as positions (m,) and values (n, m)."""
    index = np.array([place(name) for name in values], dtype=np.int32)
    table = np.empty((n, len(values)))
    for column, (name, value) in enumerate(values.items()):
        array = np.asarray(value, dtype=float)
        if array.shape not in ((), (1,), (n,)):
            raise EngineError(f"'{name}' has shape {array.shape}; a number or ({n},) is needed")
        table[:, column] = array
    return index, table


@dataclass
class _Actions:
    """Doses of all patients as one table of changes, sorted within each row."""

    row: NDArray[np.int64]
    start: NDArray[np.int64]
    time: FloatArray
    kind: NDArray[np.int32]
    index: NDArray[np.int32]
    value: FloatArray
    slots: NDArray[np.int32]


def _actions(job: Job, start: float, places: _Places) -> _Actions:
    if job.doses is None:
        tables: list[Doses] = [Doses.none()]
        row = np.zeros(job.n, dtype=np.int64)
    elif isinstance(job.doses, Doses):
        tables = [job.doses]
        row = np.zeros(job.n, dtype=np.int64)
    else:
        position: dict[int, int] = {}
        tables = []
        row = np.empty(job.n, dtype=np.int64)
        for i, doses in enumerate(job.doses):
            if id(doses) not in position:
                position[id(doses)] = len(tables)
                tables.append(doses)
            row[i] = position[id(doses)]
    # Patients who share a table of doses share its rows: an arm of thousands has one table as a rule.
    names: dict[str, int] = {}
    targets = np.array([names.setdefault(t, len(names)) for d in tables for t in d.target], dtype=np.int64)
    length = np.array([len(d.target) for d in tables])

    def join(arrays: Sequence[FloatArray]) -> FloatArray:
        return np.concatenate([np.asarray(a, dtype=float).reshape(-1) for a in arrays]) if arrays else np.empty(0)

    time, amount, duration = (
        join([d.time for d in tables]),
        join([d.amount for d in tables]),
        join([d.duration for d in tables]),
    )
    owner = np.repeat(np.arange(len(tables)), length)
    slots = [places.state(name, "dosed state") for name in names]
    where = np.array([w for w, _ in slots], dtype=np.int64)
    index = np.array([i for _, i in slots], dtype=np.int64)
    # A bolus before the start is in the initial state already; an infusion that still runs then counts from the start.
    bolus = (duration == 0) & (time >= start)
    infusion = (duration > 0) & (time + duration > start)
    infused = np.unique(targets[infusion])
    # States that nothing integrates are constants of the compiled code; a rate has nowhere to go there.
    if np.any(where[infused] == _IN_Z):
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
                np.where(where[target] == _IN_X, _ADD_X, _ADD_Z) if len(target) else target,
                np.full(len(rates[0]), _SET_RATE),
            ]
        ),
        np.concatenate([index[target] if len(target) else target, rates[2]]),
        np.concatenate([amount[bolus], rates[3]]),
    ]
    # Sorted by table, time, kind and place: doses at one moment act in an order that does not depend on how they were
    # listed, and the integrator walks through a table without searching.
    order = np.lexsort((columns[3], columns[2], columns[1], columns[0]))
    owner, time, kind, position_, value = (c[order] for c in columns)
    first = np.searchsorted(owner, np.arange(len(tables) + 1)).astype(np.int64)
    return _Actions(
        row, first, np.ascontiguousarray(time, dtype=float), kind.astype(np.int32), position_.astype(np.int32),
        np.ascontiguousarray(value, dtype=float), (index[infused] if len(infused) else infused).astype(np.int32),
    )  # fmt: skip


def _with_moments(actions: _Actions, layout: Layout, job: Job) -> _Actions:
    """Doses, and between them the moments at which inputs jump or turn with time alone."""
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
    return _Actions(
        row, np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64), columns["time"],
        columns["kind"].astype(np.int32), columns["index"].astype(np.int32), columns["value"], actions.slots,
    )  # fmt: skip


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


def run_batch(
    function: Any,
    layout: Layout,
    job: Job,
    *,
    threads: int = 1,
    progress: Callable[[int], None] | None = None,
    derivatives: FloatArray | None = None,
    foresight: float = 1.0,
) -> Outcome:
    """Integrate a job with compiled code.

    Parameters
    ----------
    function
        ``immunescape_run`` of the library, or code for another device.
    layout
        Where the model keeps what.
    job
        What to integrate.
    threads
        How many threads take patients from the queue; results do not depend on it.
    progress
        Called with the number of patients done since the last call.
    derivatives
        Array (n, t, k, m) for the derivatives of the outputs, where the library was compiled with them; filled.
    foresight
        Share of the size foreseen for states that start at zero that their tolerance is taken from.
    """
    job = check_job(job, layout.states)
    times = job.times
    places = _Places(layout)
    n, nstate = int(job.n), len(layout.states)
    actions = _with_moments(_actions(job, float(times[0]), places), layout, job)

    def parameter(name: str) -> int:
        if places.z.get(name, layout.parameters) >= layout.parameters:
            raise unknown_word("parameter", name, layout.fixed[: layout.parameters], error=EngineError)
        return places.z[name]

    initial = {name: places.state(name, "state") for name in job.initial}
    still = {name: job.initial[name] for name, (where, _) in initial.items() if where == _IN_Z}
    moving = {name: job.initial[name] for name, (where, _) in initial.items() if where == _IN_X}
    pz_index, pz = _columns(
        {**job.parameters, **still}, n, lambda m: parameter(m) if m in job.parameters else places.z[m]
    )
    px_index, px = _columns(moving, n, places.x.__getitem__)
    outputs = [places.find(name) for name in job.outputs]
    finals = [places.state(name, "state") for name in layout.states]
    quantity_columns = [i for where, i in outputs if where == _IN_Q]
    stop = places.find(job.stop.quantity, "stop quantity") if job.stop is not None else (0, 0)
    given_atol = dict(zip(layout.states, absolute_tolerances(job, layout.states).tolist(), strict=True))
    atol = np.array([given_atol[name] for name in layout.integrated])
    # States without a tolerance of their own take it from the largest size so far (negative: a share), because amounts
    # of cells and of drug differ by twenty orders of magnitude.
    atol[np.isnan(atol)] = -TOLERANCE_SHARE
    arrays: dict[str, Any] = {
        "times": times,
        "z_default": layout.fixed_defaults,
        "pz": pz, "px": px, "pz_index": pz_index, "px_index": px_index,
        "action_time": actions.time, "action_value": actions.value, "action_kind": actions.kind,
        "action_index": actions.index, "action_row": actions.row, "action_start": actions.start,
        "slot_state": actions.slots,
        "stop_value": None if job.stop is None else _full(job.stop.value, n),
        "until": None if job.until is None else _full(job.until, n),
        "atol": atol,
        "out_kind": np.array([w for w, _ in outputs]), "out_index": np.array([i for _, i in outputs]),
        "final_kind": np.array([w for w, _ in finals]), "final_index": np.array([i for _, i in finals]),
        # what the caller sets must not be computed again from initial assignments
        "z_fixed": _flags(len(layout.fixed), pz_index), "x_fixed": _flags(len(layout.integrated), px_index),
        # only the quantities that are output are computed, with those that they are computed from
        "need": _flags(len(layout.quantities), [k for q in quantity_columns for k in layout.closure[q]]),
        "stop_need": _flags(len(layout.quantities), layout.closure[stop[1]] if stop[0] == _IN_Q else ()),
        "initial_trigger": np.array(layout.initial_triggers),
    }  # fmt: skip
    results: dict[str, NDArray[Any]] = {
        "values": np.empty((n, len(times), len(job.outputs))),
        "final": np.full((n, nstate), np.nan),  # NaN and FAILED remain where a patient is never reached
        "end_time": np.full(n, times[0]),
        "steps": np.zeros(n, dtype=np.int64),
        "rejected": np.zeros(n, dtype=np.int64),
        "status": np.full(n, FAILED, dtype=np.int8),
        "coarse": np.zeros(n, dtype=np.int8),
        "unseen": np.zeros(max(len(layout.integrated), 1), dtype=np.int8),
        "code": np.zeros(n, dtype=np.int32),
        "next": np.zeros(1, dtype=np.int64),
        "done": np.zeros(1, dtype=np.int64),
        "cancel": np.zeros(1, dtype=np.int32),
    }
    struct = _Struct()
    sizes = (
        n,
        len(times),
        len(job.outputs),
        len(pz_index),
        len(px_index),
        len(actions.slots),
        nstate,
        job.max_steps,
    )
    for name, size in zip(_SIZES, sizes, strict=True):
        setattr(struct, name, int(size))
    kept: dict[str, NDArray[Any]] = {}  # the struct holds bare addresses: these references keep the arrays alive
    for name, kind in _POINTERS:
        if arrays[name] is not None:
            array = np.ascontiguousarray(arrays[name], dtype=kind)
            kept[name] = array
            setattr(struct, name, array.ctypes.data)
    if derivatives is not None:
        results["sensitivities"] = derivatives
    for name in _RESULTS:
        if name in results:
            setattr(struct, name, results[name].ctypes.data)
    struct.rtol, struct.foresight = float(job.rtol), foresight
    struct.has_stop = int(job.stop is not None)
    struct.stop_kind, struct.stop_index = stop
    struct.stop_rising = int(job.stop is not None and job.stop.rising)
    if n and isinstance(function, OnDevice):
        function.call(struct, kept, results, n)
        if progress is not None:
            progress(n)
    elif n:
        _work(function, struct, results, max(1, min(threads, n)), progress)
    result = Result(
        times, job.outputs, results["values"], layout.states, results["final"], results["status"], results["end_time"],
        results["steps"], {},
        {name: given_atol[name] for name, bad in zip(layout.integrated, results["unseen"], strict=False) if bad},
    )  # fmt: skip
    return Outcome(result, results["code"], results["rejected"], results["coarse"] != 0)


def _full(value: FloatArray | float, n: int) -> FloatArray:
    return np.ascontiguousarray(np.broadcast_to(np.asarray(value, dtype=float), (n,)))


def _flags(size: int, places: Any) -> NDArray[np.uint8]:
    flags = np.zeros(size, dtype=np.uint8)
    flags[np.array(list(places), dtype=np.int64)] = 1
    return flags


def _work(
    function: Any, struct: _Struct, results: Mapping[str, Any], threads: int, progress: Callable[[int], None] | None
) -> None:
    """Run the queue in threads; an interrupt stops them after their current step."""
    problems: list[int] = []

    def target() -> None:
        code = function(ctypes.byref(struct))
        if code:
            problems.append(code)

    # The compiled code releases the interpreter's lock and takes patients one by one from a counter, so that threads
    # with easy patients help those with stiff ones; each patient's numbers are the same in any thread.
    workers = [threading.Thread(target=target, daemon=True) for _ in range(threads)]
    reported = 0
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            while worker.is_alive():
                worker.join(_POLL)  # with a limit: a join without one cannot be interrupted by Ctrl-C
                done = int(results["done"][0])
                if progress is not None and done > reported:
                    progress(done - reported)
                    reported = done
    except BaseException:
        # The threads still write into the arrays: wait for them before the arrays can be freed.
        results["cancel"][0] = 1
        for worker in workers:
            if worker.ident is not None:
                worker.join()
        raise
    done = int(results["done"][0])
    if progress is not None and done > reported:
        progress(done - reported)
    if problems:
        raise EngineError("not enough memory to integrate")
