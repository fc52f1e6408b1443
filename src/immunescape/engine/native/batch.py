"""Turns a job into the flat arrays that compiled code reads, and runs it in threads that can be interrupted."""

from __future__ import annotations

import ctypes
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunescape.engine.api import FAILED, Job, Result
from immunescape.engine.codegen.layout import Layout
from immunescape.engine.jobs import TOLERANCE_SHARE, absolute_tolerances, check_job
from immunescape.engine.native.dose_table import DoseTable, dose_table, with_moments
from immunescape.engine.native.job_struct import INPUTS, RESULTS, JobStruct
from immunescape.engine.native.places import IN_Q, IN_X, IN_Z, Places
from immunescape.errors import EngineError

__all__ = ["BatchOutcome", "OnDevice", "run_batch"]

FloatArray = NDArray[np.float64]

_POLL = 0.05  # seconds between looks at progress and interrupts


@dataclass(frozen=True)
class BatchOutcome:
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


def run_batch(
    function: Any,
    layout: Layout,
    job: Job,
    *,
    threads: int = 1,
    progress: Callable[[int], None] | None = None,
    derivatives: FloatArray | None = None,
    foresight: float = 1.0,
) -> BatchOutcome:
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
    n = int(job.n)
    places = Places(layout)
    tolerances = dict(zip(layout.states, absolute_tolerances(job, layout.states).tolist(), strict=True))
    actions = with_moments(dose_table(job, float(job.times[0]), places), layout, job)
    inputs = {
        **_override_arrays(job, places),
        **_action_arrays(actions),
        **_read_out_arrays(job, places),
        **_limit_arrays(job, layout, tolerances),
    }
    results = _empty_results(job, layout, derivatives)
    struct, inputs = _filled_struct(job, layout, inputs, results)
    struct.rtol, struct.foresight = float(job.rtol), foresight
    if job.stop is not None:
        struct.has_stop, struct.stop_rising = 1, int(job.stop.rising)
        struct.stop_kind, struct.stop_index = places.find(job.stop.quantity, "stop quantity")
    if n and isinstance(function, OnDevice):
        function.call(struct, inputs, results, n)
        if progress is not None:
            progress(n)
    elif n:
        _work(function, struct, results, max(1, min(threads, n)), progress)
    unseen = {name: tolerances[name] for name, bad in zip(layout.integrated, results["unseen"], strict=False) if bad}
    result = Result(
        times=job.times,
        outputs=job.outputs,
        values=results["values"],
        states=layout.states,
        final=results["final"],
        status=results["status"],
        end_time=results["end_time"],
        steps=results["steps"],
        messages={},
        unresolved=unseen,
    )
    return BatchOutcome(result, results["code"], results["rejected"], results["coarse"] != 0)


def _override_arrays(job: Job, places: Places) -> dict[str, Any]:
    """Values that patients start with in place of the model's: of fixed values ``pz``, of states ``px``."""
    n, layout = int(job.n), places.layout
    initial = {name: places.state(name, "state") for name in job.initial}
    # A state that nothing integrates lies among the fixed values, and is overridden there.
    still = {name: job.initial[name] for name, (where, _) in initial.items() if where == IN_Z}
    moving = {name: job.initial[name] for name, (where, _) in initial.items() if where == IN_X}
    pz_index, pz = _columns(
        {**job.parameters, **still}, n, lambda m: places.parameter(m) if m in job.parameters else places.z[m]
    )
    px_index, px = _columns(moving, n, places.x.__getitem__)
    return {
        "z_default": layout.fixed_defaults,
        "pz": pz,
        "px": px,
        "pz_index": pz_index,
        "px_index": px_index,
        # what the caller sets must not be computed again from initial assignments
        "z_fixed": _flags(len(layout.fixed), pz_index),
        "x_fixed": _flags(len(layout.integrated), px_index),
        "initial_trigger": np.array(layout.initial_triggers),
    }


def _action_arrays(actions: DoseTable) -> dict[str, Any]:
    """Doses and other moments by the names that ``driver.h`` has for them."""
    return {
        "action_time": actions.time,
        "action_value": actions.value,
        "action_kind": actions.kind,
        "action_index": actions.index,
        "action_row": actions.row,
        "action_start": actions.start,
        "slot_state": actions.slots,
    }


def _read_out_arrays(job: Job, places: Places) -> dict[str, Any]:
    """Where outputs and final states are read, and which quantities have to be computed for it."""
    layout = places.layout
    outputs = [places.find(name) for name in job.outputs]
    finals = [places.state(name, "state") for name in layout.states]
    shown = [index for where, index in outputs if where == IN_Q]
    where, index = (IN_X, 0) if job.stop is None else places.find(job.stop.quantity, "stop quantity")
    return {
        "times": job.times,
        "out_kind": np.array([w for w, _ in outputs]),
        "out_index": np.array([i for _, i in outputs]),
        "final_kind": np.array([w for w, _ in finals]),
        "final_index": np.array([i for _, i in finals]),
        "gone_index": _gone(job, places),
        # only the quantities that are output are computed, with those that they are computed from
        "need": _flags(len(layout.quantities), [k for q in shown for k in layout.closure[q]]),
        "stop_need": _flags(len(layout.quantities), layout.closure[index] if where == IN_Q else ()),
    }


def _gone(job: Job, places: Places) -> NDArray[np.int32] | None:
    """Places of the states that are all zero once a patient need not be followed; None: never."""
    gone = [places.state(name, "state") for name in job.gone]
    if not gone or any(where != IN_X for where, _ in gone):
        return None  # a state that nothing integrates does not become zero
    return np.array([index for _, index in gone], dtype=np.int32)


def _limit_arrays(job: Job, layout: Layout, tolerances: Mapping[str, float]) -> dict[str, Any]:
    """Until when each patient is followed, at which value one stops, and the error allowed in each state."""
    n = int(job.n)
    atol = np.array([tolerances[name] for name in layout.integrated])
    # States without a tolerance of their own take it from the largest size so far (negative: a share), because amounts
    # of cells and of drug differ by twenty orders of magnitude.
    atol[np.isnan(atol)] = -TOLERANCE_SHARE
    return {
        "stop_value": None if job.stop is None else _full(job.stop.value, n),
        "until": None if job.until is None else _full(job.until, n),
        "atol": atol,
    }


def _empty_results(job: Job, layout: Layout, derivatives: FloatArray | None) -> dict[str, NDArray[Any]]:
    """Arrays for compiled code to write into, and the flag by which it is cancelled."""
    n = int(job.n)
    results: dict[str, NDArray[Any]] = {
        "values": np.empty((n, len(job.times), len(job.outputs))),
        "final": np.full((n, len(layout.states)), np.nan),  # NaN and FAILED remain where a patient is never reached
        "end_time": np.full(n, job.times[0]),
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
    if derivatives is not None:
        results["sensitivities"] = derivatives
    return results


def _filled_struct(
    job: Job, layout: Layout, inputs: Mapping[str, Any], results: Mapping[str, NDArray[Any]]
) -> tuple[JobStruct, dict[str, NDArray[Any]]]:
    """Return the struct with sizes and addresses, and the arrays that have to live as long as it does."""
    struct = JobStruct()
    struct.n, struct.nt, struct.nout = int(job.n), len(job.times), len(job.outputs)
    struct.npz, struct.npx = len(inputs["pz_index"]), len(inputs["px_index"])
    struct.nslot, struct.nstate = len(inputs["slot_state"]), len(layout.states)
    struct.ngone = 0 if inputs["gone_index"] is None else len(inputs["gone_index"])
    struct.max_steps = int(job.max_steps)
    alive: dict[str, NDArray[Any]] = {}  # the struct holds bare addresses: these references keep the arrays alive
    for name, dtype in INPUTS.items():
        if inputs[name] is not None:
            alive[name] = np.ascontiguousarray(inputs[name], dtype=dtype)
            setattr(struct, name, alive[name].ctypes.data)
    for name, array in results.items():
        # Compiled code writes there without asking: another type would be memory that belongs to something else.
        if array.dtype != RESULTS[name] or not array.flags.c_contiguous:
            raise EngineError(f"the array '{name}' is {array.dtype}, and compiled code writes {RESULTS[name]}")
        setattr(struct, name, array.ctypes.data)
    return struct, alive


def _full(value: FloatArray | float, n: int) -> FloatArray:
    return np.ascontiguousarray(np.broadcast_to(np.asarray(value, dtype=float), (n,)))


def _flags(size: int, places: Any) -> NDArray[np.uint8]:
    flags = np.zeros(size, dtype=np.uint8)
    flags[np.array(list(places), dtype=np.int64)] = 1
    return flags


def _work(
    function: Any, struct: JobStruct, results: Mapping[str, Any], threads: int, progress: Callable[[int], None] | None
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
