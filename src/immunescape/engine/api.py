"""The engine interface: what is integrated, over which patients, and what comes back.

An engine knows no biology. It takes SBML, and integrates it for a batch of parameter sets ("patients"). Times are in
the time unit of the model (days for immunescape's own models), amounts in the unit of the dosed state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["FAILED", "OK", "STOPPED", "Compiled", "Doses", "Engine", "Job", "Result", "Stop"]

FloatArray = NDArray[np.float64]

OK, STOPPED, FAILED = 0, 1, 2
"""Status of one patient: integrated to the end; ended at the stop condition; integration failed."""


@dataclass(frozen=True)
class Doses:
    """Doses of one patient, in any order.

    Attributes
    ----------
    time : (d,) start of each dose, in model time counted from the start of the job.
    target : d names of the dosed states.
    amount : (d,) amount added, in the unit of the state.
    duration : (d,) length of a zero-order infusion; 0 is a bolus.
    """

    time: FloatArray
    target: tuple[str, ...]
    amount: FloatArray
    duration: FloatArray

    @classmethod
    def none(cls) -> Doses:
        """No dose at all."""
        empty = np.empty(0)
        return cls(empty, (), empty, empty)


@dataclass(frozen=True)
class Stop:
    """Stop a patient when an observable crosses a value; found by root finding on the trajectory.

    Attributes
    ----------
    quantity : name of a state, quantity (assignment rule) or parameter.
    value : (n,) threshold of each patient.
    rising : stop when crossing upwards (else downwards). A patient already beyond it at the start stops at once.
    """

    quantity: str
    value: FloatArray
    rising: bool = True


@dataclass(frozen=True)
class Job:
    """A batch of `n` patients to integrate over one common grid of output times.

    Attributes
    ----------
    n : number of patients.
    times : (t,) increasing output times; integration starts at ``times[0]``. A dose or an event at an output time is
        applied before the value is written out.
    outputs : names of states, quantities or parameters to return.
    parameters : overrides of constant parameters: name -> scalar or (n,) array, in model units. Initial assignments are
        evaluated with them.
    initial : overrides of states at ``times[0]``: name -> scalar or (n,) array; they win over initial assignments.
    doses : one table for all, or one for each patient.
    stop : optional stop condition.
    until : optional (n,) time at which each patient's integration ends; later outputs are NaN. A time before the start
        counts as the start.
    gone : states without which nothing that matters comes back. Compiled code ends a patient, with status OK and NaN
        from there on, at the event, dose or start after which all of them are exactly zero; other engines go on.
    rtol : relative tolerance.
    atol : absolute tolerance: a number for all states, or a mapping state -> value. None, and states that the mapping
        leaves out: a thousandth of `rtol` times the largest size that the state has had, so that results do not depend
        on units. A number that is wider than a state ever becomes is told (`Result.unresolved`, and a warning).
    max_steps : steps that one patient may take before it counts as failed.
    rescue : whether an engine may hand patients that failed to a slower one.
    """

    n: int
    times: FloatArray
    outputs: tuple[str, ...]
    _: KW_ONLY
    parameters: Mapping[str, float | FloatArray] = field(default_factory=dict)
    initial: Mapping[str, float | FloatArray] = field(default_factory=dict)
    doses: Doses | Sequence[Doses] | None = None
    stop: Stop | None = None
    until: FloatArray | None = None
    gone: tuple[str, ...] = ()
    rtol: float = 1e-6
    atol: float | Mapping[str, float] | None = None
    max_steps: int = 500_000
    rescue: bool = True


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came back, patient by patient.

    Attributes
    ----------
    times : (t,) output times. outputs : k names.
    values : (n, t, k); NaN after a stop, after `until`, after a failure, and where a patient was `gone`.
    states : s names of the model's states; final : (n, s) their values where each patient ended (at the end, the stop
        or `until`; at the last good point for a failure).
    status : (n,) OK, STOPPED or FAILED. end_time : (n,) time where each patient ended.
    steps : (n,) integrator steps (0 where the engine does not tell).
    messages : patient index -> reason, for every failed patient.
    unresolved : state -> absolute tolerance of the job, where that is more than a tenth of the state's largest size in
        some patient: such a state may have no correct digit.
    """

    times: FloatArray
    outputs: tuple[str, ...]
    values: FloatArray
    states: tuple[str, ...]
    final: FloatArray
    status: NDArray[np.int8]
    end_time: FloatArray
    steps: NDArray[np.int64]
    messages: Mapping[int, str]
    unresolved: Mapping[str, float] = field(default_factory=dict)

    def __getitem__(self, name: str) -> FloatArray:
        """Trajectories (n, t) of one output."""
        return self.values[:, :, self.outputs.index(name)]

    @property
    def failed(self) -> int:
        """Number of patients whose integration failed."""
        return int(np.count_nonzero(self.status == FAILED))


@runtime_checkable
class Compiled(Protocol):
    """A model that an engine has made ready to run."""

    states: tuple[str, ...]
    quantities: tuple[str, ...]
    parameters: Mapping[str, float]

    def run(self, job: Job, *, progress: Callable[[int], None] | None = None) -> Result:
        """Integrate a batch. `progress` is called with the number of patients done since the last call."""
        ...


@runtime_checkable
class Engine(Protocol):
    """Something that integrates SBML models."""

    name: str

    def compile(self, sbml: str) -> Compiled:
        """Make an SBML document (text) ready to run."""
        ...
