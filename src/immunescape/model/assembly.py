"""Assembly: mechanisms and drugs -> one checked `Model`."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from immunescape.errors import ImmunescapeError, ModelError, unknown_word
from immunescape.model.couplings import add_clones, add_pools, add_processes
from immunescape.model.declarations import Clone, Drug, Mechanism
from immunescape.model.dimensions import check
from immunescape.model.draft import Draft
from immunescape.model.expressions import Expression, names
from immunescape.model.parameters import Parameter
from immunescape.model.records import ModelEvent, ModelQuantity, ModelReaction, ModelState
from immunescape.model.reference_strengths import Key, load_strengths, strengths_file
from immunescape.model.selection import label, select
from immunescape.model.specificity import Specificity, checked
from immunescape.model.suppression import revise
from immunescape.model.units import RATE, VOLUME, multiply

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from immunescape.engine.api import Compiled, Engine

__all__ = ["Model", "computation_order"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Model:
    """An assembled model: what is integrated, in base units (day, cm, cell, nanomole, milligram).

    Attributes
    ----------
    mechanisms, drugs : what it is made of.
    states, parameters, quantities, reactions, events : by name; quantities stand in the order of computation.
    compartments : compartment -> name of the parameter or quantity that is its volume (mL).
    clones : clones of cancer cells.
    modulations : (process, pathway, mechanism) of every modulation.
    missing_strengths : modulations without a reference strength. It stands as 0, so that the factor is not 1 in the
        reference patient: such a model can be looked at, but not be written or simulated
        (``immunescape.population.reference_baseline.with_reference_strengths`` computes what is missing).
    strengths : reference strengths that it was given; None: those that are stored.
    registered : whether it is `immunescape.model.stored.registered_model` of its drugs.
    specificity : see :mod:`immunescape.model.specificity`.
    """

    mechanisms: tuple[Mechanism, ...]
    drugs: tuple[Drug, ...]
    states: Mapping[str, ModelState]
    parameters: Mapping[str, Parameter]
    quantities: Mapping[str, ModelQuantity]
    reactions: Mapping[str, ModelReaction]
    events: Mapping[str, ModelEvent]
    compartments: Mapping[str, str]
    clones: tuple[Clone, ...]
    modulations: tuple[Key, ...]
    missing_strengths: tuple[Key, ...]
    strengths: Mapping[Key, float] | None = None
    registered: bool = False
    specificity: Specificity = "none"

    @classmethod
    def build(
        cls,
        mechanisms: Iterable[str | Mechanism] | None = None,
        drugs: Iterable[str | Drug] = (),
        without: Iterable[str] = (),
        *,
        check_units: bool = True,
        strengths: Mapping[Key, float] | None = None,
        specificity: str | None = None,
    ) -> Model:
        """Assemble a model.

        Parameters
        ----------
        mechanisms
            Names or declarations; None takes every registered mechanism.
        drugs
            Names, synonyms or declarations of drugs that may be dosed.
        without
            Mechanisms to leave out.
        check_units
            Check the units of every expression.
        strengths
            Reference strengths of the modulations in place of the stored ones.
        specificity
            ``none``, ``sparse``, ``series`` or ``full`` (both); None takes the package's default. See
            :mod:`immunescape.model.specificity`.

        Raises
        ------
        InputError
            For an unknown mechanism or drug, with the nearest name.
        ModelError
            For a declaration that does not fit: it names the mechanism and the expression.
        """
        option = checked(specificity)
        chosen = select(mechanisms, drugs, without)
        draft = Draft(chosen)
        for mechanism in chosen:
            draft.announce(mechanism)
        if option != "none":
            revise(draft)
        for mechanism in chosen:
            draft.announce_pools(mechanism)
        for mechanism in chosen:
            draft.add_states(mechanism)
        add_clones(draft)
        for mechanism in chosen:
            draft.add_dynamics(mechanism)
        add_pools(draft)
        stored = load_strengths(strengths_file(option)) if strengths is None else strengths
        keys, missing = add_processes(draft, stored, option)
        draft.check_names()
        _check_order(draft)
        if check_units:
            _check_units(draft)
        return cls(
            mechanisms=tuple(m for m in chosen if not isinstance(m, Drug)),
            drugs=tuple(m for m in chosen if isinstance(m, Drug)),
            states=draft.states,
            parameters=draft.parameters,
            quantities=draft.quantities,
            reactions=draft.reactions,
            events=draft.events,
            compartments=draft.compartments,
            clones=tuple(c for c, _ in draft.clones.values()),
            modulations=tuple(keys),
            missing_strengths=tuple(missing),
            strengths=None if strengths is None else dict(strengths),
            specificity=option,
        )

    @property
    def observables(self) -> dict[str, ModelQuantity]:
        """Quantities that are shown to users, with their units."""
        return {n: q for n, q in self.quantities.items() if q.observable}

    @property
    def unreferenced(self) -> bool:
        """Whether some modulation has no stored reference strength."""
        return bool(self.missing_strengths)

    def drug(self, name: str) -> Drug:
        """Return a drug of this model by name or synonym."""
        words = {w.casefold(): d for d in self.drugs for w in (d.name, *d.synonyms)}
        if name.casefold() not in words:
            raise unknown_word("drug of this model", name, words)
        return words[name.casefold()]

    def to_base(self, parameter: str, values: float | NDArray[Any]) -> float | NDArray[Any]:
        """Convert values of a parameter from the unit of its table to base units."""
        if parameter not in self.parameters:
            raise unknown_word("parameter", parameter, self.parameters)
        return self.parameters[parameter].to_base(values)

    def scale(self, name: str) -> float:
        """Return what to multiply a raw output (base units) by, to have it in its declared unit."""
        for table in (self.quantities, self.states, self.parameters):
            if name in table:
                return 1.0 / table[name].factor
        raise self._absent(name)

    def unit(self, name: str) -> str:
        """Return the declared unit of a quantity, state or parameter."""
        for table in (self.quantities, self.states, self.parameters):
            if name in table:
                return table[name].unit
        raise self._absent(name)

    def _absent(self, name: str) -> ImmunescapeError:
        from immunescape.model.absent_names import absent_name

        every = [*self.quantities, *self.states, *self.parameters]
        return absent_name("quantity", name, every, (d.name for d in self.drugs))

    def atol(self) -> dict[str, float]:
        """Return the absolute tolerance of every state, in base units."""
        return {n: s.atol for n, s in self.states.items()}

    def initial(self, parameters: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the initial value of every state, for parameters in base units (others at their table value)."""
        from immunescape.model.values import initial

        return initial(self, parameters or {})

    def evaluate(
        self, states: Mapping[str, Any], parameters: Mapping[str, Any] | None = None, time: float = 0.0
    ) -> dict[str, Any]:
        """Return the value of every quantity (base units) at given states and parameters (base units)."""
        from immunescape.model.values import evaluate_quantities

        return evaluate_quantities(self, states, parameters or {}, time)

    def derivatives(
        self, states: Mapping[str, Any], parameters: Mapping[str, Any] | None = None, time: float = 0.0
    ) -> dict[str, Any]:
        """Return the rate of change of every state, in base units per day. Slow: for checks, not for simulation."""
        from immunescape.model.values import derivatives

        return derivatives(self, states, parameters or {}, time)

    def to_sbml(self, *, unreferenced: bool = False) -> str:
        """Return the model as SBML Level 3 Version 2; ids equal the names here, values are in base units.

        Raises
        ------
        ModelError
            Where a reference strength is missing, unless `unreferenced`: simulated like this, the mechanism would move
            the reference patient.
        """
        if self.missing_strengths and not unreferenced:
            raise ModelError(
                "no reference strength is stored for " + ", ".join("/".join(k) for k in self.missing_strengths),
                hint="immunescape.population.reference_baseline.with_reference_strengths(model) computes and keeps it.",
            )
        return self._sbml

    @cached_property
    def _sbml(self) -> str:
        from immunescape.model.sbml import write_sbml

        return write_sbml(self)

    def compiled(self, engine: Engine, *, unreferenced: bool = False) -> Compiled:
        """Make this model ready to run; what is generated of it is the same as of its SBML.

        With `unreferenced` also where a reference strength is missing; see :meth:`to_sbml`.
        """
        from immunescape.engine.native.engine import NativeEngine

        document = self.to_sbml(unreferenced=unreferenced)
        if not isinstance(engine, NativeEngine):
            return engine.compile(document)
        from immunescape.model.system import model_system

        return engine.compile(document, read=lambda: model_system(self))

    def __getstate__(self) -> dict[str, Any]:
        """Fields without what follows from them, which the receiving process makes where it needs it."""
        return {name: value for name, value in self.__dict__.items() if name != "_sbml"}

    def equations(self, mechanism: str | None = None) -> str:
        """Return the assembled equations as text, mechanism by mechanism, or those of one."""
        from immunescape.model.describe import equations

        return equations(self, mechanism)

    def citation_keys(self) -> list[str]:
        """Return the bibliography keys of all mechanisms and parameters in this model, sorted."""
        from immunescape.model.describe import citation_keys

        return citation_keys(self)

    def cite(self, style: str = "text") -> str:
        """Return the bibliography of exactly what this model uses, as text or as BibTeX (``style="bibtex"``)."""
        from immunescape.model.describe import bibliography

        return bibliography(self, style)

    def describe(self) -> str:
        """Return a summary: mechanisms, counts, grades of the parameters."""
        from immunescape.model.describe import summary

        return summary(self)

    def parameter_table(self) -> pd.DataFrame:
        """Return a table of the parameters by name: value, unit, distribution, grade, source, mechanism, note."""
        import pandas as pd

        from immunescape.model.describe import parameter_table

        return pd.DataFrame(parameter_table(self)).set_index("name")

    def _repr_html_(self) -> str:
        lines = self.describe().split("\nMechanisms:", 1)[0].splitlines()
        return f"<p><b>{html.escape(repr(self))}</b></p>" + "".join(f"<p>{html.escape(line)}</p>" for line in lines)

    def __repr__(self) -> str:
        return (
            f"Model({len(self.mechanisms)} mechanisms, {len(self.drugs)} drugs, {len(self.states)} states, "
            f"{len(self.reactions)} reactions, {len(self.parameters)} parameters)"
        )


def _check_order(draft: Draft) -> None:
    """Put quantities into an order of computation; refuse quantities or initial values that need themselves."""
    quantities = {n: [m for m in names(q.expression) if m in draft.quantities] for n, q in draft.quantities.items()}
    order = computation_order(quantities, "quantity")
    draft.quantities = {n: draft.quantities[n] for n in order}
    initial = {n: names(s.initial) for n, s in draft.states.items()}
    initial |= {n: names(q.expression) for n, q in draft.quantities.items()}
    computation_order({n: [m for m in uses if m in initial] for n, uses in initial.items()}, "initial value of")


def computation_order(graph: Mapping[str, list[str]], graph_of: str) -> list[str]:
    """Return the nodes with each after all that it uses."""
    order: list[str] = []
    state: dict[str, int] = {}
    for root in graph:
        stack = [(root, iter(graph[root]))] if root not in state else []
        state.setdefault(root, 1)
        while stack:
            node, rest = stack[-1]
            following = next((n for n in rest if state.get(n) != 2), None)
            if following is None:
                state[node] = 2
                order.append(node)
                stack.pop()
            elif state.get(following) == 1:
                ring = [n for n, _ in stack]
                ring = [*ring[ring.index(following) :], following]
                raise ModelError(f"{graph_of} '{following}' depends on itself: {' -> '.join(ring)}")
            else:
                state[following] = 1
                stack.append((following, iter(graph[following])))
    return order


def _check_units(draft: Draft) -> None:
    """Check the units of every expression, and settle the dimension of literals."""

    def settled(tree: Expression, expected: Any, owner: str, what: str) -> Expression:
        return check(tree, draft.dimension_of, expected, f"{label(draft.by_name[owner])}, {what}")

    for name, state in draft.states.items():
        tree = settled(state.initial, state.dimension, state.owner, f"initial value of state '{name}'")
        draft.states[name] = replace(state, initial=tree)
    for name, reaction in draft.reactions.items():
        rate_dimension = multiply(reaction.dimension, RATE)
        tree = settled(reaction.rate, rate_dimension, reaction.owner, f"rate of reaction '{name}'")
        draft.reactions[name] = replace(reaction, rate=tree)
    for name, quantity in draft.quantities.items():
        tree = settled(quantity.expression, quantity.dimension, quantity.owner, f"{quantity.kind} '{name}'")
        draft.quantities[name] = replace(quantity, expression=tree)
    for name, event in draft.events.items():
        trigger = settled(event.trigger, None, event.owner, f"trigger of event '{name}'")
        assignments = {
            s: settled(t, draft.states[s].dimension, event.owner, f"event '{name}', assignment to '{s}'")
            for s, t in event.assignments.items()
        }
        draft.events[name] = replace(event, trigger=trigger, assignments=assignments)
    for compartment, volume in draft.compartments.items():
        if draft.dimension_of(volume) != VOLUME:
            raise ModelError(f"'{volume}', the volume of compartment '{compartment}', is not a volume")
