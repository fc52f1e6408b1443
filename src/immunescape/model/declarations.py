"""The words in which a mechanism or a drug is written: plain records, checked when a model is assembled.

Expressions are text: names, numbers, ``+ - * / ^``, parentheses and the functions ``exp log sqrt min max tanh``. They
are parsed by a whitelist parser, never evaluated as Python. All states are amounts; a concentration is written as
amount / volume. A rate has the unit of its states per day (any unit that converts to it is accepted and checked).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

__all__ = [
    "Clone",
    "Contribution",
    "Drug",
    "Event",
    "Mechanism",
    "Modulation",
    "Pool",
    "Quantity",
    "Reaction",
    "State",
    "Trait",
]

Compartment = Literal["central", "peripheral", "tumour", "lymph_node"]


@dataclass(frozen=True)
class State:
    """An amount that is integrated. A name with ``{clone}`` is declared once for every clone of cancer cells."""

    name: str
    unit: str
    compartment: Compartment
    meaning: str
    initial: str = "0"
    atol: float | None = None
    """Absolute tolerance in `unit`; None takes the default of its unit."""


@dataclass(frozen=True)
class Reaction:
    """A flow between states of one kind of amount (cells or substance), ``reactants -> products``.

    `rate` is the flow for a stoichiometry of one. A reaction whose name holds ``{clone}`` is made once for every clone.
    """

    name: str
    rate: str
    meaning: str
    reactants: Mapping[str, float] = field(default_factory=dict)
    products: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Quantity:
    """A value that follows from states and parameters at each moment (an SBML assignment rule).

    In its expression ``SUM(C_{clone} * x_{clone})`` is the sum over all clones. With `observable` true it is listed
    as an output for users and converted to `unit`, which may be any unit of the right dimension.
    """

    name: str
    expression: str
    unit: str
    meaning: str
    observable: bool = False


@dataclass(frozen=True)
class Pool:
    """A named sum to which any mechanism or drug may contribute; zero where nobody does."""

    name: str
    unit: str
    meaning: str


@dataclass(frozen=True)
class Contribution:
    """One term of a pool."""

    pool: str
    expression: str


@dataclass(frozen=True)
class Modulation:
    """How strongly a pathway inhibits or promotes a shared process.

    Strengths X >= 0 (dimensionless) of one pathway add up, so that inhibitors acting on one pathway share one
    saturation. With X0 the strength at the untreated reference patient, the factor of a single pathway is
    ``(1 + X0) / (1 + X)`` for an inhibition and ``(1 + X) / (1 + X0)`` for a promotion: 1 at the reference baseline.
    Inhibiting pathways of one process are resistances that add up, promoting ones multiply (`model.composition`).
    """

    process: str
    pathway: str
    effect: Literal["inhibits", "promotes"]
    strength: str


@dataclass(frozen=True)
class Event:
    """A discontinuity: when `trigger` (a comparison, e.g. ``C_{clone} < 1``) turns true, or is at the start, assign.

    A literal that is one side of a comparison has the unit of the other side in base units (1 cell).
    """

    name: str
    trigger: str
    assignments: Mapping[str, str]


@dataclass(frozen=True)
class Trait:
    """A property in which clones may differ; rate laws use it as ``<name>_{clone}``."""

    name: str
    default: str
    meaning: str


@dataclass(frozen=True)
class Clone:
    """A configured phenotype of cancer cells.

    `fraction` names the parameter that holds its share of the cancer cells at the start (empty: it takes the rest);
    expressions use the shares as ``fraction_{clone}``. `traits` maps a trait to the expression that replaces its
    default.
    """

    name: str
    meaning: str
    fraction: str = ""
    traits: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Mechanism:
    """A part of the biology that can be switched off.

    Its numbers are one parameter table: the CSV file `parameters`, see `immunescape.model.parameters.table_path`.
    """

    name: str
    title: str
    summary: str
    references: tuple[str, ...]
    parameters: str | Path
    requires: tuple[str, ...] = ()
    compartments: Mapping[str, str] = field(default_factory=dict)
    """Volumes it defines: compartment -> name of the parameter or quantity that is its volume."""
    processes: Mapping[str, str] = field(default_factory=dict)
    """Shared processes it opens to modulation: name -> meaning. Rate laws use the factor as ``f_<name>``."""
    states: tuple[State, ...] = ()
    reactions: tuple[Reaction, ...] = ()
    quantities: tuple[Quantity, ...] = ()
    pools: tuple[Pool, ...] = ()
    contributions: tuple[Contribution, ...] = ()
    modulations: tuple[Modulation, ...] = ()
    traits: tuple[Trait, ...] = ()
    clones: tuple[Clone, ...] = ()
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Drug(Mechanism):
    """A mechanism that is dosed."""

    drug_class: str = ""
    targets: tuple[str, ...] = ()
    dose_state: str = ""
    """State that a dose enters: in nanomole, or, with `dose_amounts`, in any unit."""
    molar_mass: float = 0.0
    """g/mol, to turn milligrams into nanomoles (units of activity are declared by `dose_units`)."""
    dose_units: tuple[str, ...] = ("mg",)
    """Units in which regimens may dose it: ``mg``, ``mg/kg``, ``mg/m2``, ``AUC``, ``IU/kg``, ``cells``, ``Gy``, …"""
    dose_amounts: Mapping[str, float] = field(default_factory=dict)
    """For what has no mass: amount of `dose_state`, in its unit, per ``IU``, ``cells``, ``Gy``, ``CFU`` or ``dose``."""
    route: str = "iv"
    """Usual route: ``iv``, ``sc``, ``oral`` or ``intratumoral``; `dose_state` is where it leads (``sc``: a depot)."""
    route_states: Mapping[str, str] = field(default_factory=dict)
    """Other routes that it has -> the state that a dose enters."""
    infusion_hours: float = 0.0
    """Usual duration of the infusion; 0 is a bolus."""
    synonyms: tuple[str, ...] = ()
