"""What is checked in every job before any engine runs it, so that all of them refuse the same things alike."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from immunescape.engine.api import Doses, Job
from immunescape.errors import EngineError, unknown_word

__all__ = [
    "TOLERANCE_SHARE",
    "ToleranceWarning",
    "absolute_tolerances",
    "check_job",
    "check_times",
    "dose_tables",
    "warn_unresolved",
]

FloatArray = NDArray[np.float64]

TOLERANCE_SHARE = 1e-3
"""Where a job gives no absolute tolerance: the error of a state is allowed to be ``rtol`` times this share of the
largest size that the state has had. A state is so resolved down to a thousandth of its own peak with all digits asked
for, and to ``rtol / 1000`` of it at all."""


class ToleranceWarning(UserWarning):
    """An absolute tolerance that is larger than the state it belongs to ever becomes."""


def check_times(times: object) -> FloatArray:
    """Output times as an array.

    Raises
    ------
    EngineError
        Where there are fewer than two, or they do not increase.
    """
    array = np.ascontiguousarray(times, dtype=float)
    if array.ndim != 1 or len(array) < 2 or not np.all(np.isfinite(array)) or not np.all(np.diff(array) > 0):
        raise EngineError("output times must be at least two finite numbers, and they must increase (increasing order)")
    return array


def _each(name: str, value: object, n: int) -> FloatArray:
    """A number or one number for each patient, none of them NaN, as (n,)."""
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise EngineError(f"{name} is not a number for each patient") from None
    if array.shape not in ((), (1,), (n,)):
        raise EngineError(f"{name} has shape {array.shape}; a number or ({n},) is needed")
    if np.any(np.isnan(array)):
        raise EngineError(f"{name} is NaN" if array.ndim == 0 else f"{name} contains a NaN")
    return np.ascontiguousarray(np.broadcast_to(array, (n,)))


def dose_tables(job: Job) -> Sequence[Doses]:
    """Dose table of each patient.

    Raises
    ------
    EngineError
        Where there are not as many as patients.
    """
    if job.doses is None:
        return [Doses.none()] * job.n
    if isinstance(job.doses, Doses):
        return [job.doses] * job.n
    if len(job.doses) != job.n:
        raise EngineError(f"{len(job.doses)} dose tables for {job.n} patients")
    return job.doses


def _check_doses(tables: Iterable[Doses]) -> None:
    columns: list[list[FloatArray]] = [[], [], []]
    for doses in tables:
        for collected, values in zip(columns, (doses.time, doses.amount, doses.duration), strict=True):
            column = np.atleast_1d(np.asarray(values, dtype=float))
            if column.shape != (len(doses.target),):
                raise EngineError(
                    "the columns of a dose table differ in length: as many times, amounts and durations as targets are "
                    "needed"
                )
            collected.append(column)
    time, amount, duration = (np.concatenate(c) if c else np.empty(0) for c in columns)
    if not (np.all(np.isfinite(time)) and np.all(np.isfinite(amount)) and np.all(np.isfinite(duration))):
        raise EngineError("dose times, amounts and durations must be finite, durations zero or more")
    if np.any(duration < 0):
        raise EngineError("a dose has a negative duration; durations must be zero (a bolus) or more")


def check_job(job: Job, states: Iterable[str]) -> Job:
    """Check everything that does not depend on the engine.

    Parameters
    ----------
    job
        What is to be integrated.
    states
        Names of the model's states, for those that `Job.atol` names.

    Returns
    -------
    The job with times, `until` and the values of the stop as arrays.

    Raises
    ------
    EngineError
        For anything that has the wrong shape, is not a number where one is needed, or is out of range.
    """
    from dataclasses import replace

    times = check_times(job.times)
    if not (np.ndim(job.rtol) == 0 and 0.0 < float(job.rtol) < 1.0):
        raise EngineError(f"rtol is {job.rtol}; it must lie between 0 and 1")
    if job.max_steps < 1:
        raise EngineError(f"max_steps is {job.max_steps}; at least one step is needed")
    state_names = tuple(states)
    absolute_tolerances(job, state_names)
    for name in job.gone:
        if name not in state_names:
            raise unknown_word("state", name, state_names, error=EngineError)
    _check_doses({id(d): d for d in dose_tables(job)}.values())
    until = None if job.until is None else np.maximum(_each("'until'", job.until, job.n), times[0])
    stop = None if job.stop is None else replace(job.stop, value=_each("the value of 'stop'", job.stop.value, job.n))
    for kind, table in (("parameters", job.parameters), ("initial", job.initial)):
        for name, value in table.items():
            shape = np.shape(value)
            if shape not in ((), (1,), (job.n,)):
                raise EngineError(f"'{name}' in {kind} has shape {shape}; a number or ({job.n},) is needed")
    return replace(job, times=times, until=until, stop=stop)


def infused_states(job: Job) -> frozenset[str]:
    """States that some dose of the job is infused into."""
    tables = {id(d): d for d in dose_tables(job)}.values()
    return frozenset(t for d in tables for t, length in zip(d.target, d.duration, strict=True) if length > 0)


def absolute_tolerances(job: Job, states: Sequence[str]) -> FloatArray:
    """Absolute tolerance of each state; NaN for those that the engine scales itself.

    Raises
    ------
    EngineError
        For an unknown state, or a tolerance that is not zero or more.
    """
    if isinstance(job.atol, Mapping):
        for name in job.atol:
            if name not in states:
                raise unknown_word("state (absolute tolerance)", name, states, error=EngineError)
        given = [float(v) for v in job.atol.values()]
        values = np.array([job.atol.get(name, np.nan) for name in states], dtype=float)
    else:
        given = [] if job.atol is None else [float(job.atol)]
        values = np.full(len(states), given[0] if given else np.nan)
    if not all(0.0 <= v < np.inf for v in given):
        raise EngineError("an absolute tolerance must be zero or more (None: from the size of each state)")
    return values


def warn_unresolved(job: Job, unresolved: Mapping[str, float]) -> None:
    """Say which states the job's absolute tolerance is too wide for, where it is one number for all states."""
    if not unresolved or job.atol is None or isinstance(job.atol, Mapping):
        return
    shown = ", ".join(list(unresolved)[:8]) + (f" and {len(unresolved) - 8} more" if len(unresolved) > 8 else "")
    warnings.warn(
        f"the absolute tolerance {float(job.atol):g} is larger than a tenth of the largest value of {shown}: these "
        "results may not have a single correct digit. Leave atol out (each state then has its own), or "
        "give a smaller one.",
        ToleranceWarning,
        stacklevel=4,
    )
