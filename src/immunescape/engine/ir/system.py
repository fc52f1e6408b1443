"""A model as the engine sees it: parameters, states with their rates, quantities, algebraic equations and events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from immunescape.engine.ir.calculus import evaluate
from immunescape.engine.ir.expressions import Expr, sym
from immunescape.errors import EngineError, unknown_word

__all__ = ["Assignment", "Delay", "Equilibrium", "Event", "Species", "State", "System"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class State:
    """A value that is integrated, or that only events and doses change (then its rate is the number 0).

    A species is always an amount. `initial` holds names of parameters and constants only (and time, the start).
    """

    name: str
    initial: Expr
    rate: Expr


@dataclass(frozen=True)
class Assignment:
    """A value that follows at every moment from states, parameters, constants, time and the assignments before it."""

    name: str
    expression: Expr


@dataclass(frozen=True)
class Event:
    """A discontinuity with the semantics of SBML Level 3.

    Attributes
    ----------
    name : its identifier. trigger : fires when this turns from false to true.
    assignments : pairs (state, new value).
    delay : time from firing to execution, None for none. priority : higher goes first among simultaneous ones.
    persistent : executes after its delay even where the trigger is false again by then.
    initial_value : value that the trigger is taken to have had before the start (False: may fire at the start).
    use_trigger_values : the new values are computed when it fires (else when it executes).
    """

    name: str
    trigger: Expr
    assignments: tuple[tuple[str, Expr], ...]
    _: KW_ONLY
    delay: Expr | None = None
    priority: Expr | None = None
    persistent: bool = True
    initial_value: bool = True
    use_trigger_values: bool = True


@dataclass(frozen=True)
class Species:
    """How a species is read out: as an amount and as a concentration."""

    name: str
    compartment: str
    amount: Expr
    concentration: Expr
    substance_only: bool = False
    """Whether its name stands for the amount in the model's own formulas."""


@dataclass(frozen=True)
class Equilibrium:
    """A fast reaction that is always at equilibrium.

    Rates of the states already hold the constraint. At the start and after doses and events, states move along
    `directions` (pairs of state and change per unit of reaction) until `residual` is zero.
    """

    residual: Expr
    directions: tuple[tuple[str, Expr], ...]


@dataclass(frozen=True)
class Delay:
    """A value in the past: `name` stands for what `expression` was `lag` ago.

    Before the start, states and what events change are what they are at the start; the rest follows time.
    """

    name: str
    expression: Expr
    lag: Expr


@dataclass(frozen=True)
class System:
    """A differential(-algebraic) system with events. Names are unique over all parts.

    Attributes
    ----------
    name : name of the model.
    parameters : constant values, which each patient may override.
    constants : values computed once from parameters and the constants before them (initial assignments of constants).
        An override of the same name wins.
    states : see `State`; rates may use states, parameters, constants, assignments, time and algebraic variables.
    assignments : in the order of evaluation.
    algebraic : names that the equations determine, with the expression of their first guess; residuals: as many
        expressions that are zero at every moment. Both empty for an ordinary differential system.
    events : see `Event`.
    species : how species are read out.
    equilibria : fast reactions; empty for nearly all models.
    delays : values in the past; empty for ordinary models.
    """

    name: str
    parameters: Mapping[str, float]
    constants: tuple[Assignment, ...]
    states: tuple[State, ...]
    _: KW_ONLY
    assignments: tuple[Assignment, ...] = ()
    algebraic: tuple[Assignment, ...] = ()
    residuals: tuple[Expr, ...] = ()
    events: tuple[Event, ...] = ()
    species: tuple[Species, ...] = ()
    equilibria: tuple[Equilibrium, ...] = ()
    delays: tuple[Delay, ...] = ()

    @cached_property
    def state_names(self) -> tuple[str, ...]:
        """Names of the states, in order."""
        return tuple(state.name for state in self.states)

    @cached_property
    def rates(self) -> tuple[Expr, ...]:
        """Time derivative of each state, in order."""
        return tuple(state.rate for state in self.states)

    @cached_property
    def constant_names(self) -> tuple[str, ...]:
        """Names of everything that is constant during a run: parameters, then constants."""
        return (*self.parameters, *(c.name for c in self.constants))

    @cached_property
    def defaults(self) -> dict[str, float]:
        """Default value of every parameter and constant."""
        values, _ = self.resolve(1, {}, {}, 0.0)
        return dict(zip(self.constant_names, values[0].tolist(), strict=True))

    @cached_property
    def quantities(self) -> tuple[str, ...]:
        """Further names that can be asked for: assignments, algebraic variables, concentrations."""
        plain = (*(a.name for a in self.assignments), *(a.name for a in self.algebraic))
        return tuple(dict.fromkeys((*plain, *(f"[{s.name}]" for s in self.species))))

    @cached_property
    def _readout(self) -> dict[str, Expr]:
        table = {name: sym(name) for name in (*self.constant_names, *self.state_names)}
        table |= {a.name: sym(a.name) for a in (*self.assignments, *self.algebraic)}
        for species in self.species:
            table[species.name] = species.amount
            table[f"[{species.name}]"] = species.concentration
        return table

    def value(self, name: str) -> Expr:
        """Expression of an output; for a species ``S`` is the amount and ``[S]`` the concentration.

        Raises
        ------
        EngineError
            For a name that the model does not have.
        """
        if name not in self._readout:
            raise unknown_word("output", name, self._readout, error=EngineError)
        return self._readout[name]

    def resolve(
        self,
        n: int,
        parameters: Mapping[str, float | FloatArray],
        initial: Mapping[str, float | FloatArray],
        start: float,
    ) -> tuple[FloatArray, FloatArray]:
        """Constants and initial states of a batch of patients.

        Parameters
        ----------
        n
            Number of patients.
        parameters
            Overrides of parameters or constants: a number or (n,).
        initial
            Overrides of states: a number or (n,).
        start
            Time of the start.

        Returns
        -------
        constants : (n, len(constant_names)); states : (n, len(states)).

        Raises
        ------
        EngineError
            For an unknown name or a wrong shape.
        """
        values: dict[str, FloatArray] = {k: np.full(n, v) for k, v in self.parameters.items()}
        for name in parameters:
            if name not in self.constant_names:
                raise unknown_word("parameter", name, self.constant_names, error=EngineError)
            values[name] = _batch(name, parameters[name], n)
        for constant in self.constants:
            if constant.name not in parameters:
                values[constant.name] = _batch(constant.name, evaluate([constant.expression], values, start)[0], n)
        states = evaluate([state.initial for state in self.states], values, start)
        table = {name: _batch(name, value, n) for name, value in zip(self.state_names, states, strict=True)}
        for name in initial:
            if name not in table:
                raise unknown_word("state", name, self.state_names, error=EngineError)
            table[name] = _batch(name, initial[name], n)
        return _columns(values, self.constant_names, n), _columns(table, self.state_names, n)

    @cached_property
    def digest(self) -> str:
        """Hexadecimal fingerprint of everything but the parameter values: equal systems need compiling once."""
        hasher = blake2b(digest_size=16)
        for text in (*self.parameters, "|", *(c.name for c in self.constants), "|"):
            hasher.update(text.encode() + b"\0")
        for state in self.states:
            hasher.update(state.name.encode() + b"\0" + state.rate.digest)
        for item in (*self.assignments, *self.algebraic):
            hasher.update(item.name.encode() + b"\0" + item.expression.digest)
        for residual in self.residuals:
            hasher.update(residual.digest)
        for event in self.events:
            flags = (event.persistent, event.initial_value, event.use_trigger_values)
            hasher.update(repr((event.name, flags)).encode() + event.trigger.digest)
            for optional in (event.delay, event.priority):
                hasher.update(optional.digest if optional is not None else b"-")
            for name, value in event.assignments:
                hasher.update(name.encode() + b"\0" + value.digest)
        for equilibrium in self.equilibria:
            hasher.update(equilibrium.residual.digest)
            for name, value in equilibrium.directions:
                hasher.update(name.encode() + b"\0" + value.digest)
        for delay in self.delays:
            hasher.update(delay.name.encode() + delay.expression.digest + delay.lag.digest)
        for species in self.species:
            hasher.update(species.name.encode() + b"\0" + species.amount.digest + species.concentration.digest)
        return hasher.hexdigest()


def _batch(name: str, value: float | FloatArray, n: int) -> FloatArray:
    array = np.asarray(value, dtype=float)
    if array.shape not in ((), (n,), (1,)):
        raise EngineError(f"'{name}' has shape {array.shape}; a number or ({n},) is needed")
    return np.broadcast_to(array, (n,))


def _columns(values: Mapping[str, FloatArray], names: tuple[str, ...], n: int) -> FloatArray:
    return np.stack([values[name] for name in names], axis=1) if names else np.empty((n, 0))
